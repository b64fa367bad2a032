"""Works out what all of OpenAlex would cost, from what `benchmarks.scale` and `scale_tables` have kept.

``python -m benchmarks.scale_plan [price]`` writes docs/scaling_costs.md; with a price for an hour of a core in dollars,
it prints the page for that price instead.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.results import FOLDER
from benchmarks.scale import COLLECT, DUCKDB, READ, SPARK
from benchmarks.scale_tables import FURTHER

WORKS, COMPRESSED_BYTES = 250e6, 330e9
PRICE = 0.05
_HOUR = 3600.0


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Args:
        compressed_bytes: Of a generated work.
        disk_bytes: Of a work as it was read.
        duckdb_seconds: CPU seconds to read a million works on one machine.
        spark_seconds: The same on a cluster of two workers, of all its processes.
        one_worker_seconds: The same with one worker.
        driver_seconds: CPU seconds of the driver to add a million works to the tables.
        duckdb_table_seconds: CPU seconds on one machine to make all tables of a further million works.
        spark_table_seconds: The same on a cluster of two workers, of all its processes.
        table_works: Of how many works this was measured.
    """

    compressed_bytes: float
    disk_bytes: float
    duckdb_seconds: float
    spark_seconds: float
    one_worker_seconds: float
    driver_seconds: float
    duckdb_table_seconds: float
    spark_table_seconds: float
    table_works: int

    @property
    def factor(self) -> float:
        """How much larger a work of OpenAlex is than a generated one."""
        return COMPRESSED_BYTES / WORKS / self.compressed_bytes


@dataclass(frozen=True)
class Machines:
    """Machines of one kind, with the cores that are paid for and those that read."""

    name: str
    count: int
    cores: int
    readers: int
    engine: str


@dataclass(frozen=True)
class Estimate:
    """What all of OpenAlex takes on some machines."""

    machines: Machines
    reading_hours: float
    driver_hours: float
    table_hours: float
    dollars: float


PLANS = (
    Machines("one small machine, DuckDB, file after file", 1, 4, 1, DUCKDB),
    Machines("one large machine, 64 workers on it", 1, 64, 64, SPARK),
    Machines("ten small machines, 80 workers", 10, 8, 80, SPARK),
    Machines("10 workers", 10, 1, 10, SPARK),
    Machines("100 workers", 100, 1, 100, SPARK),
)


def read_measured(folder: Path) -> tuple[Measured, dict[str, Any]]:
    """The figures that are kept in a folder, and all that was kept with them."""
    facts, tables = (
        json.loads((folder / "benchmarks" / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("scale", "scale_tables")
    )
    further = {row["contender"]: row for row in tables["rows"] if row["measure"] == FURTHER}
    rows = {(row["measure"], row["contender"]): row for row in facts["rows"]}
    files = next(row for row in facts["rows"] if row["measure"] == "generated works")
    two, one = (rows[READ, SPARK.format(workers=text)] for text in ("2 workers", "1 worker"))
    collect = next(row for row in facts["rows"] if row["measure"] == COLLECT)
    measured = Measured(
        compressed_bytes=files["disk_megabytes"] * 1e6 / files["size"],
        disk_bytes=collect["disk_megabytes"] * 1e6 / collect["size"],
        duckdb_seconds=rows[READ, DUCKDB]["seconds_per_million"],
        spark_seconds=two["seconds_per_million"],
        one_worker_seconds=one["seconds_per_million"],
        driver_seconds=collect["seconds_per_million"],
        duckdb_table_seconds=further[DUCKDB]["seconds_per_million"],
        spark_table_seconds=further[SPARK.format(workers="2 workers")]["seconds_per_million"],
        table_works=further[DUCKDB]["size"],
    )
    return measured, facts


def estimate(machines: Machines, measured: Measured, price: float) -> Estimate:
    """Hours and money: workers share the reading and the tables evenly, the driver adds what they read alone."""
    is_local = machines.engine == DUCKDB
    seconds = measured.duckdb_seconds if is_local else measured.spark_seconds
    table_seconds = measured.duckdb_table_seconds if is_local else measured.spark_table_seconds
    millions = WORKS / 1e6 * measured.factor
    reading = millions * seconds / machines.readers / _HOUR
    driver = millions * measured.driver_seconds / _HOUR
    tables = WORKS / 1e6 * table_seconds / machines.readers / _HOUR
    dollars = machines.count * machines.cores * (reading + driver + tables) * price
    return Estimate(machines, reading, driver, tables, dollars)


def build_page(measured: Measured, facts: dict[str, Any], price: float = PRICE) -> str:
    """The page as Markdown."""
    return "\n".join(_iterate_lines(measured, facts, price)) + "\n"


def _iterate_lines(measured: Measured, facts: dict[str, Any], price: float) -> Iterator[str]:
    machine, factor = facts["machine"], measured.factor
    disk = WORKS * measured.disk_bytes * factor
    yield "# What all of OpenAlex would cost\n"
    yield (
        "A plan on paper: nothing here was run on such machines. It follows from `docs/benchmarks/scale.json`"
        f" (`{facts['command']}`, {machine['on']}, {machine['cpu']}, {machine['cores']} cores)"
        " and `scale_tables.json`, and is written by `python -m benchmarks.scale_plan`."
        " With a price for an hour of a core, `python -m benchmarks.scale_plan 0.02`"
        " prints the page for that price.\n"
    )
    yield "## What goes in\n"
    yield "| figure | value | from |"
    yield "|---|---:|---|"
    yield f"| works | {WORKS:,.0f} | OpenAlex, assumed |"
    yield f"| compressed | {COMPRESSED_BYTES / 1e9:,.0f} GB | OpenAlex, assumed |"
    yield f"| price of a core for an hour | ${price:g} | assumed |"
    yield f"| compressed bytes of a generated work | {measured.compressed_bytes:,.0f} | measured |"
    yield f"| size factor | {factor:.2f} | {COMPRESSED_BYTES / WORKS:,.0f} bytes of a work / the row above |"
    yield f"| reading on DuckDB, CPU for a million works | {measured.duckdb_seconds:,.0f} s | measured |"
    yield f"| reading on Spark, CPU for a million works | {measured.spark_seconds:,.0f} s | measured, two workers |"
    yield f"| driver, CPU for a million works | {measured.driver_seconds:,.0f} s | measured |"
    yield f"| tables on DuckDB, CPU for a further million works | {measured.duckdb_table_seconds:,.0f} s | measured |"
    yield (
        f"| tables on Spark, CPU for a further million works | {measured.spark_table_seconds:,.0f} s"
        " | measured, two workers |"
    )
    yield f"| bytes of a work in the lake | {measured.disk_bytes:,.0f} | measured |"
    yield ""
    yield "## Hours and money\n"
    yield "Every work is kept. Real works are larger than generated ones; all that grows with them is multiplied by the"
    yield "size factor.\n"
    yield "```text"
    yield "reading = 250 × size factor × CPU for a million works / cores that read / 3600"
    yield "driver  = 250 × size factor × CPU of the driver for a million works / 3600"
    yield "tables  = 250 × CPU for a further million works / cores that read / 3600"
    yield "money   = machines × cores × (reading + driver + tables) × price"
    yield "disk    = 250 million × size factor × bytes of a work"
    yield "```\n"
    yield "| machines | cores paid | cores that read | reading | driver | tables | together | money |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for plan in PLANS:
        found = estimate(plan, measured, price)
        together = found.reading_hours + found.driver_hours + found.table_hours
        yield (
            f"| {plan.name} | {plan.count * plan.cores} | {plan.readers} | {found.reading_hours:,.1f} h"
            f" | {found.driver_hours:,.1f} h | {found.table_hours:,.1f} h | {together:,.1f} h | ${found.dollars:,.2f} |"
        )
    yield ""
    total = COMPRESSED_BYTES + 2 * disk
    yield (
        f"Disk: {COMPRESSED_BYTES / 1e9:,.0f} GB for the files, {disk / 1e9:,.0f} GB for what was read, and as much"
        f" again until it has been added to the tables: {total / 1e9:,.0f} GB, on storage that all machines share.\n"
    )
    yield "## What would break first\n"
    balance = measured.spark_seconds / measured.driver_seconds
    yield (
        f"1. **The driver.** It adds what was read by itself. From {balance:,.0f} cores on (CPU of the workers / CPU of"
        " the driver) it takes longer than they do, and more workers only wait and cost money. With the gate, as by"
        " default, it adds only works of the field; that was not measured on a cluster."
    )
    hundred = estimate(PLANS[-1], measured, price)
    rate = COMPRESSED_BYTES / (hundred.reading_hours * _HOUR) / 1e6
    yield (
        f"2. **The shared storage.** A hundred workers read {rate:,.0f} MB a second of compressed files, and write"
        f" {disk / (hundred.reading_hours * _HOUR) / 1e6:,.0f} MB a second."
    )
    yield (
        "3. **The size of a file.** A file is one task, read by one core. The last of many small files ends soon after"
        " the others; one that is much larger than the rest keeps a core busy when all others are done."
    )
    yield (
        "4. **The release and the checks**, which DuckDB makes on the driver within `AISLE_MEMORY`. With every work"
        " kept, a million works need more than 1 GB ([benchmarks.md](benchmarks.md)): a lake of all works needs the"
        " gate, or a driver with memory to match. This was not measured, and is not in the hours above.\n"
    )
    yield "## What the figures do not hold\n"
    yield from _describe_limits(measured, facts)


def _describe_limits(measured: Measured, facts: dict[str, Any]) -> Iterator[str]:
    growth = measured.spark_seconds / measured.one_worker_seconds
    yield (
        f"* Two workers used {growth:.2f} times the CPU of one for the same works. Costs are taken to stay as they are"
        " with more workers; this machine could not show more."
    )
    yield (
        "* The start of each command is in the figures for a million works, though it does not grow with them: with"
        f" {max(row.get('size', 0) for row in facts['rows']):,} works it weighs more than it would with all. The start"
        " of the cluster is not in them."
    )
    yield "* Cores of other machines are faster or slower, and prices differ by more than these figures do."
    yield "* Moving the files over a network, and machines that stand idle while others end, are not counted."
    yield (
        f"* The tables made by SQL were measured with {measured.table_works:,} works, all kept, and the cost of further"
        " ones is taken to stay as it is: joins that no longer fit in the memory of the workers, and shuffles over a"
        " network, cost more, and were not measured. Plans were interpreted, and Java's code compiled lightly, as suits"
        " small tables; compiled plans should cost less for each work, which was not measured."
        " With the gate a few works of a hundred are kept, and tables cost"
        " that much less."
    )
    yield (
        "* Linking works out on the driver which records are one work: its time there is in the figures above, its"
        " memory grows with the pairs that are linked."
    )


def write_page(folder: Path) -> None:
    """Write the page from the figures that are kept in a folder."""
    (folder / "scaling_costs.md").write_text(build_page(*read_measured(folder)), encoding="utf-8")


def main() -> None:
    """Write the page, or print it for another price."""
    if len(sys.argv) > 1:
        print(build_page(*read_measured(FOLDER), float(sys.argv[1])), end="")
    else:
        write_page(FOLDER)


if __name__ == "__main__":
    main()
