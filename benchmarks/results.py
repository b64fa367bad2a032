"""Keeps the results of benchmarks, each with the machine that it ran on, and renders docs/benchmarks.md from them.

A benchmark hands over its rows when it has ended; they are kept where ``AISLE_KEEP_RESULTS=yes``, as in ``make bench``.
``python -m benchmarks.results`` renders the page and the plot again.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from warehouse.lake import PROJECT

FOLDER = PROJECT / "docs"
_TITLES = {
    "growth": "Growth: adding works and running, from the files to a release",
    "small_changes": "Small changes in a large lake",
    "dimensions": "Many labs and categories: a first run with a list of publications",
    "bulk": "Reading bulk files, beside other tools",
    "scale": "Works on one machine and on a Spark cluster, beside other tools",
    "scale_tables": "Every table on one machine and on a Spark cluster",
    "pipeline": "The command line on the bundled default",
    "mentions": "Finding mentions of works in texts",
    "suggestions": "Suggested categories: training, and suggestions",
    "review": "The order of the review queue, beside ASReview LAB",
    "counting": "Counting 20 million publications",
    "sql_box": "Queries in the sandbox",
    "fetch": "Fetching",
    "pages": "Pages",
    "object_storage": "A lake on an object store, beside one on disk",
}
_BARS = {
    "scale": "CPU seconds to read a million works",
    "scale_tables": "CPU seconds for the tables of a further million works",
}
_INTRO = """\
# Benchmarks

`make bench` and `make bench-scale`, which needs Java 17, run the benchmarks and write this page from their results,
which are in `docs/benchmarks/`; notes on them are added there by hand. Each benchmark compares what was counted before
it prints a time. CPU seconds are those of all processes and threads of a command, start-up included. Compare figures of
one benchmark: they come from one machine and one run.
"""


@dataclass(frozen=True)
class Row:
    """One figure of a benchmark; what was not measured is left out.

    Args:
        measure: What was done.
        contender: Who did it.
        size: How many records it was done to.
        cpu_seconds: Its CPU seconds.
        wall_seconds: Seconds until it was done.
        peak_megabytes: Peak memory of its largest process.
        ratio: How many times what the benchmark compares with.
        seconds_per_million: CPU seconds for a million records.
        disk_megabytes: What it takes on disk.
        work_saved: Share of records that need not be read to find 95 % of the relevant ones, less 5 %.
        early_recall: Share of the relevant ones among the first tenth of the records.
        stopped_after: Share of the records after which a rule stops.
        stopped_recall: Share of the relevant ones found by then.
    """

    measure: str
    contender: str = "aisle"
    size: int | None = None
    cpu_seconds: float | None = None
    wall_seconds: float | None = None
    peak_megabytes: float | None = None
    ratio: float | None = None
    seconds_per_million: float | None = None
    disk_megabytes: float | None = None
    work_saved: float | None = None
    early_recall: float | None = None
    stopped_after: float | None = None
    stopped_recall: float | None = None


def describe_machine() -> dict[str, Any]:
    """What the results depend on besides the code."""
    import duckdb

    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "on": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
        "cpu": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gigabytes": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "python": platform.python_version(),
        "duckdb": duckdb.__version__,
    }


def keep_results(benchmark: str, arguments: Iterable[str], rows: Iterable[Row]) -> None:
    """Take all rows; keep them in place of the last ones of this benchmark and render the page, if that is wanted."""
    rows = list(rows)
    if os.environ.get("AISLE_KEEP_RESULTS") == "yes":
        write_results(FOLDER, benchmark, arguments, rows, describe_machine())
        render_page(FOLDER)


def write_results(
    folder: Path, benchmark: str, arguments: Iterable[str], rows: Iterable[Row], machine: dict[str, Any]
) -> None:
    """Write the rows of a benchmark to ``benchmarks/<benchmark>.json`` in a folder."""
    facts = {
        "command": " ".join(["python -m", f"benchmarks.{benchmark}", *arguments]),
        "machine": machine,
        "rows": [{name: value for name, value in asdict(row).items() if value is not None} for row in rows],
    }
    path = folder / "benchmarks" / f"{benchmark}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_results(folder: Path) -> dict[str, dict[str, Any]]:
    """The kept results, by benchmark, in the order of the page."""
    paths = {name: folder / "benchmarks" / f"{name}.json" for name in _TITLES}
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.exists()}


def render_page(folder: Path) -> None:
    """Write ``benchmarks.md`` and its plots in a folder from the results kept there."""
    results = read_results(folder)
    points = list_points(results)
    if points:
        (folder / "benchmarks.svg").write_text(draw_plot(points), encoding="utf-8")
    for name in _BARS.keys() & results.keys():
        (folder / f"{name}.svg").write_text(draw_bars(results[name]["rows"]), encoding="utf-8")
    (folder / "benchmarks.md").write_text(build_page(results, has_plot=bool(points)), encoding="utf-8")


def build_page(results: dict[str, dict[str, Any]], *, has_plot: bool) -> str:
    """The page as Markdown."""
    lines = [_INTRO]
    if has_plot:
        lines.append("![CPU seconds by the number of works](benchmarks.svg)\n")
    for name, facts in results.items():
        machine = facts["machine"]
        lines += [
            f"## {_TITLES[name]}\n",
            f"`{facts['command']}`, {machine['on']}: {machine['cpu']}, {machine['cores']} cores,"
            f" {machine['memory_gigabytes']} GB, Python {machine['python']}, DuckDB {machine['duckdb']}.\n",
            *_build_table([Row(**row) for row in facts["rows"]]),
            "",
            *([f"![{_BARS[name]}]({name}.svg)\n"] if name in _BARS else []),
            *(f"{note}\n" for note in facts.get("notes", ())),
        ]
    return "\n".join(lines).rstrip() + "\n"


def _build_table(rows: list[Row]) -> Iterator[str]:
    """The rows as a table, without the columns that none of them has."""
    columns = {
        "what": [row.measure for row in rows],
        "who": [row.contender for row in rows],
        "records": [f"{row.size:,}" if row.size is not None else "" for row in rows],
        "CPU": [_format_seconds(row.cpu_seconds) for row in rows],
        "time": [_format_seconds(row.wall_seconds) for row in rows],
        "peak memory": [f"{row.peak_megabytes:,.0f} MB" if row.peak_megabytes is not None else "" for row in rows],
        "ratio": [f"{row.ratio:.2f}" if row.ratio is not None else "" for row in rows],
        "CPU per million": [_format_seconds(row.seconds_per_million) for row in rows],
        "on disk": [f"{row.disk_megabytes:,.1f} MB" if row.disk_megabytes is not None else "" for row in rows],
        "work saved at 95 % recall": [_format_share(row.work_saved) for row in rows],
        "recall after 10 %": [_format_share(row.early_recall) for row in rows],
        "rule stops after": [_format_share(row.stopped_after) for row in rows],
        "recall then": [_format_share(row.stopped_recall) for row in rows],
    }
    columns = {name: cells for name, cells in columns.items() if any(cells)}
    yield f"| {' | '.join(columns)} |"
    yield f"|{'|'.join('---' if name in {'what', 'who'} else '---:' for name in columns)}|"
    for cells in zip(*columns.values(), strict=True):
        yield f"| {' | '.join(cells)} |"


def _format_share(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _format_seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 0.001:
        return f"{seconds * 1e6:.1f} µs"
    return f"{seconds * 1000:,.0f} ms" if seconds < 1 else f"{seconds:,.1f} s"


def list_points(results: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The points of the plot: CPU seconds by the number of works, of those measured with more than one number."""
    rows = [Row(**row) for row in results.get("growth", {"rows": []})["rows"]]
    points = [row for row in rows if row.size and row.cpu_seconds is not None and row.measure == "all works"]
    sizes = {row.contender: {other.size for other in points if other.contender == row.contender} for row in points}
    return [
        {"works": row.size, "CPU seconds": row.cpu_seconds, "who": row.contender}
        for row in points
        if len(sizes[row.contender]) > 1
    ]


def draw_plot(points: list[dict[str, Any]]) -> str:
    """The plot as SVG."""
    import altair as alt
    import vl_convert

    base = alt.Chart(alt.Data(values=points)).encode(
        x=alt.X("works:Q", axis=alt.Axis(format="~s", grid=False)),
        y=alt.Y("CPU seconds:Q"),
        color=alt.Color("who:N", title=None, sort=None, legend=alt.Legend(orient="top", labelLimit=400)),
    )
    chart = (base.mark_line() + base.mark_point(filled=True, size=60)).properties(width=560, height=300)
    return vl_convert.vegalite_to_svg(chart.to_json(), allowed_base_urls=[])


def draw_bars(rows: list[dict[str, Any]]) -> str:
    """What a million works cost each contender that did the same to them, as SVG; the cheapest comes first."""
    import altair as alt
    import vl_convert

    first = next(row["measure"] for row in rows if "seconds_per_million" in row)
    bars = [
        {"who": row["contender"], "CPU seconds for a million works": row["seconds_per_million"]}
        for row in rows
        if row["measure"] == first
    ]
    chart = alt.Chart(alt.Data(values=bars)).encode(
        x=alt.X("CPU seconds for a million works:Q", axis=alt.Axis(grid=False)),
        y=alt.Y("who:N", title=None, sort="x", axis=alt.Axis(labelLimit=400)),
    )
    return vl_convert.vegalite_to_svg(chart.mark_bar().properties(width=480).to_json(), allowed_base_urls=[])


if __name__ == "__main__":
    render_page(FOLDER)
