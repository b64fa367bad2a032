"""What a first run costs with many labs and categories: CPU seconds and peak memory of the command line.

Run with ``python -m benchmarks.dimensions [PUBLICATIONS ...]`` (default: 5000 10000 20000). A list of so many
publications of 240 labs and 240 categories is added to an empty lake as the published mapping, so that a run makes the
statistics of its labs and categories, and a model that suggests 240 categories, with all other tables. That each
publication is counted once, and each lab and category is there, is compared before a cost is printed, and then what a
further publication costs from each size to the next.
"""

from __future__ import annotations

import csv
import datetime as dt
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

from benchmarks.growth import AISLE, Cost, measure
from benchmarks.results import Row, keep_results
from orchestration.sources.sheet.list_names import MAPPING
from warehouse.lake import Lake
from warehouse.release import read_current_release

MEMBERS = 240  # labs, and as many categories
SIZES = (5_000, 10_000, 20_000)
_FIRST_DAY, _DAYS = dt.date(2016, 1, 1), 3_400
_SYLLABLES = ("al", "ber", "cu", "dor", "en", "fi", "gra", "hol", "in", "jo", "ka", "lum", "mar", "ne", "or", "pra")


def write_list(path: Path, publications: int, members: int = MEMBERS) -> None:
    """Write a list of publications: each lab and category has some, a few have many, as in real lists."""
    choose = random.Random(1)
    words = ["".join(choose.choices(_SYLLABLES, k=3)) for _ in range(3_000)]
    labs = [f"Lab {number:03}" for number in range(members)]
    categories = [f"Category {number:03}" for number in range(members)]
    shares = [1 / (number + 5) for number in range(members)]
    word_shares = list(accumulate(1 / (number + 10) for number in range(len(words))))
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["Company", "Title", "Date", "URL", "Safety category"])
        for number in range(publications):
            first = number < members
            rows.writerow(
                [
                    labs[number] if first else choose.choices(labs, shares)[0],
                    " ".join(choose.choices(words, cum_weights=word_shares, k=7)),
                    f"{_FIRST_DAY + dt.timedelta(days=choose.randrange(_DAYS)):%Y-%m-%d}",
                    f"https://example.org/{number}",
                    categories[number] if first else choose.choices(categories, shares)[0],
                ]
            )


def require_counts(lake: Path, publications: int, members: int = MEMBERS) -> None:
    """End the benchmark unless each publication is counted in the newest release, with all labs and categories.

    Raises:
        SystemExit: They are not.
    """
    query = """
        select
            cast(sum(publications) as bigint),
            count(distinct lab) filter (where publications > 0),
            count(distinct category) filter (where publications > 0)
        from publication_cells(grain := 'year')
    """
    with read_current_release(Lake(lake)).connect() as connection:
        found = connection.execute(query).fetchone()
    if found != (expected := (publications, members, members)):
        raise SystemExit(f"{found} instead of {expected} publications, labs and categories are counted")


def measure_list(folder: Path, publications: int, members: int = MEMBERS) -> Cost:
    """The cost of a first run with a list of so many publications."""
    lake, path = folder / "lake", folder / "publications.csv"
    write_list(path, publications, members)
    place = {"AISLE_LAKE": str(lake), "AISLE_BUNDLED": "no"}
    cost = measure(AISLE, "add", str(path), "--list", MAPPING, **place) + measure(AISLE, "run", **place)
    require_counts(lake, publications, members)
    return cost


def compare_sizes(costs: Mapping[int, Cost]) -> Iterator[Row]:
    """What a further publication costs, from each size to the next, and how many times that of the first step."""
    sizes: Sequence[int] = sorted(costs)
    slopes = {
        large: (costs[large].cpu_seconds - costs[small].cpu_seconds) / (large - small)
        for small, large in pairwise(sizes)
    }
    first = next(iter(slopes.values()), None)
    for size, slope in slopes.items():
        ratio = slope / first if first else None
        print(f"{f'each further publication, until {size:,}':48} {slope * 1e3:8.2f} ms CPU, {ratio or 1:.2f} times")
        yield Row(f"each further publication, until {size:,}", cpu_seconds=slope, ratio=ratio)


def main() -> None:
    """Measure, print, and hand over the results."""
    costs: dict[int, Cost] = {}
    rows: list[Row] = []
    for publications in [int(size) for size in sys.argv[1:]] or SIZES:
        with tempfile.TemporaryDirectory() as folder:
            costs[publications] = measure_list(Path(folder), publications)
        print(f"{f'{publications:,} publications':48} {costs[publications]}", flush=True)
        rows.append(costs[publications].to_row(f"a first run, {MEMBERS} labs and categories", size=publications))
    keep_results("dimensions", sys.argv[1:], [*rows, *compare_sizes(costs)])


if __name__ == "__main__":
    main()
