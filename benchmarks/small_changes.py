"""What a run costs after a small change in a large lake: CPU seconds and peak memory of the command line.

Run with ``python -m benchmarks.small_changes [WORKS [FOLDER]]`` (default: 1000000 works): a lake with the bundled
default and so many works, read with the gate. To it come one feed entry, nothing, another part of OpenAlex's snapshot
in place of one, and an edit of the parser of feeds. What each changed is compared before its cost is printed. Parts
and a lake that are in the folder, as an earlier run left them there, are used again.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks.growth import AISLE, Cost, count_works, measure, run_aisle
from benchmarks.openalex_works import WORKS_PER_PART, write_parts
from benchmarks.results import keep_results
from warehouse.lake import PROJECT, Lake
from warehouse.release import read_current_release

PACKAGES = ("orchestration", "transforms", "warehouse", "expectations", "dashboards")
PARSER = Path("orchestration", "sources", "feed", "items.py")
_FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>A made-up blog</title><link>https://example.org/</link>
<item><title>Entry {number}</title><link>https://example.org/{number}</link><guid>{number}</guid>
<pubDate>Tue, 03 Jun 2025 09:00:00 GMT</pubDate><description>Text {number}</description></item></channel></rss>
"""


def build_lake(folder: Path, works: int) -> Path:
    """A lake that has so many works and is up to date; parts and lake that are in the folder are used."""
    parts, lake = folder / "parts", folder / "lake"
    if not parts.exists():
        write_parts(parts, works, dirty_share=0.0, processes=2)
    if not lake.exists():
        run_aisle(lake, "run")
        run_aisle(lake, "add", *(str(path) for path in sorted(parts.glob("part_*"))), "--in-place")
    run_aisle(lake, "run")
    read, _ = count_works(lake)
    if read < works:
        raise SystemExit(f"{read:,} of {works:,} works were read")
    return lake


def read_parser_versions(lake: Path) -> dict[str, list[str]]:
    """The versions of the parsers that the newest release was made with, by source."""
    query = "select source, list_sort(list(distinct parser_version)) from raw.parses group by source"
    with read_current_release(Lake(lake)).connect() as connection:
        return dict(connection.execute(query).fetchall())


def count_entries(lake: Path) -> int:
    """Entries of feeds in the newest release."""
    with read_current_release(Lake(lake)).connect() as connection:
        ((entries,),) = connection.execute("select count(*) from clean.feed_items").fetchall()
    return int(entries)


def list_works_files(lake: Path) -> set[tuple[str, int]]:
    """The files of the works, each with the time when it was written."""
    files = Lake(lake).locate_table("raw.openalex_works").glob("*.parquet")
    return {(path.name, path.stat().st_mtime_ns) for path in files}


def require(is_so: bool, claim: str) -> None:
    """End the benchmark unless something is as it must be.

    Raises:
        SystemExit: It is not.
    """
    if not is_so:
        raise SystemExit(f"not so: {claim}")


def measure_feed_entries(folder: Path, lake: Path) -> Iterator[tuple[str, Cost]]:
    """The cost of the first entry of a feed, if the lake has none yet, and of one more."""
    feed, before = folder / "feed.xml", count_entries(lake)
    names = ([] if before else ["first feed entry"]) + ["one feed entry more"]
    for number, name in enumerate(names, before + 1):
        feed.write_text(_FEED.format(number=number), encoding="utf-8")
        files = list_works_files(lake)
        yield name, run_aisle(lake, "add", str(feed)) + run_aisle(lake, "run")
        require(count_entries(lake) == number, f"{number} entries")
        require(list_works_files(lake) == files, "no file of works is written again")


def measure_changed_part(folder: Path, lake: Path) -> Cost:
    """The cost of other bytes in one of the parts, which stay in their place."""
    first, replacement = sorted((folder / "parts").glob("part_*"))[0], folder / "replacement"
    seed = 1 + max((int(path.name) for path in replacement.glob("*")), default=98)
    write_parts(replacement / str(seed), WORKS_PER_PART, seed=seed, dirty_share=0.0)
    shutil.copy(next((replacement / str(seed)).glob("part_*")), first)
    files = list_works_files(lake)
    cost = run_aisle(lake, "add", str(first), "--in-place") + run_aisle(lake, "run")
    require(0 < len(list_works_files(lake) - files) <= len(files) / 10 + 2, "few files of works are written")
    return cost


def measure_changed_parser(folder: Path, lake: Path) -> Cost:
    """The cost of a run of a copy of this project in which the parser of feeds was edited."""
    project = folder / "project"
    shutil.rmtree(project, ignore_errors=True)
    for package in PACKAGES:
        shutil.copytree(PROJECT / package, project / package, ignore=shutil.ignore_patterns("__pycache__"))
    measure(AISLE, "sources", AISLE_LAKE=str(lake), project=project)  # so that the run compiles none of its code
    with (project / PARSER).open("a", encoding="utf-8") as file:
        file.write("\n# an edit\n")
    before, files = read_parser_versions(lake), list_works_files(lake)
    cost = measure(AISLE, "run", AISLE_LAKE=str(lake), project=project)
    after = read_parser_versions(lake)
    changed = {source for source in after if before.get(source) != after[source]}
    require(changed == {"feed_items"}, f"feed_items alone is parsed again, not {changed}")
    require(list_works_files(lake) == files, "no file of works is written again")
    return cost


def measure_changes(folder: Path, lake: Path) -> Iterator[tuple[str, Cost]]:
    """The cost of each change, one after the other."""
    yield from measure_feed_entries(folder, lake)
    yield "nothing new", run_aisle(lake, "run")
    yield "one changed part", measure_changed_part(folder, lake)
    yield "a change of the parser of feeds", measure_changed_parser(folder, lake)


def main() -> None:
    """Measure, print, and hand over the results."""
    works = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with ExitStack() as stack:
        folder = Path(sys.argv[2] if len(sys.argv) > 2 else stack.enter_context(tempfile.TemporaryDirectory()))
        lake, rows = build_lake(folder, works), []
        for name, cost in measure_changes(folder, lake):
            print(f"{name:38} {cost}", flush=True)
            rows.append(cost.to_row(name, size=works))
    keep_results("small_changes", sys.argv[1:2], rows)


if __name__ == "__main__":
    main()
