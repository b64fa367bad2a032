"""Times counts of 20 million synthetic publications, by rule and grain, against plain DuckDB on the same Parquet.

Run with ``python -m benchmarks.counting [millions]``. Each figure is the median of several runs, alternating with the
plain query; the results are checked to be equal.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from benchmarks.results import Row, keep_results
from orchestration.defs.catalog import load_transforms
from warehouse import reference
from warehouse.sql import SCALAR_MACROS, TABLE_MACROS

RUNS = 5
GRAINS = {"month": "month", "quarter": "quarter", "year": "year"}
WEIGHTS = {
    "rows": "whole_weight",
    "works": "case when not is_duplicate then whole_weight end",
    "works_fractional": "case when not is_duplicate then fractional_weight end",
    "works_first_author": "case when not is_duplicate then first_author_weight end",
}


def build_database(folder: Path, rows: int) -> duckdb.DuckDBPyConnection:
    """A database with the tables that a count reads; the publications are in Parquet."""
    connection = duckdb.connect(folder / "benchmark.duckdb")
    connection.execute("create schema mart; create schema reference; create schema clean")
    connection.execute(SCALAR_MACROS)
    for table in reference.list_reference_tables():
        connection.register("reference_rows", reference.read_table(table))
        connection.execute(f"create table {table.name} as from reference_rows")
    connection.execute(f"""
        copy (
            select
                printf('%016x', i) as publication_id,
                labs.lab,
                categories.category,
                categories.category as categories,
                date '2015-01-01' + cast(hash(i, 'd') % 4190 as integer) as published_on,
                cast(date_trunc('year', published_on) as date) as published_year,
                hash(i, 'u') % 40 = 0 as is_duplicate,
                cast(1 as double) as whole_weight,
                cast(1 + hash(i, 'w') % 4 as double) / 4 as fractional_weight,
                cast(hash(i, 'f') % 2 as double) as first_author_weight
            from range({rows}) as numbers (i)
            inner join (select lab, row_number() over () - 1 as n from reference.labs) as labs
                on labs.n = hash(i, 'l') % (select count(*) from reference.labs)
            inner join (
                select category, row_number() over () - 1 as n from reference.categories where taxonomy = 'iaps'
            ) as categories
                on categories.n = hash(i, 'c') % (select count(*) from reference.categories where taxonomy = 'iaps')
        ) to '{folder}/publications.parquet'
    """)
    connection.execute(f"create view mart.counted_publications as from '{folder}/publications.parquet'")
    connection.execute("create view clean.publications as from mart.counted_publications")
    connection.execute("""
        create view clean.publication_categories as
        select publication_id, category, 1 as category_position, cast(1 as double) as weight
        from mart.counted_publications
    """)
    connection.execute("""
        create table clean.coverage as
        select 'lab_sheet' as source, date '2015-01-01' as covers_from, date '2026-06-30' as covers_until,
            date '2015-01-01' as holds_from, date '2026-06-30' as holds_until, cast(null as date) as provisional_from
    """)
    connection.execute("""
        create view mart.counted_works as
        select 'iaps_mapping' as corpus, publication_id as item_id, publication_id as work_id, *
        from mart.counted_publications
    """)
    connection.execute("create view clean.corpora as from reference.corpora")
    connection.execute("create view mart.corpus_coverage as select 'iaps_mapping' as corpus, * from clean.coverage")
    return connection


def measure_medians(connection: duckdb.DuckDBPyConnection, *queries: str) -> list[float]:
    """Median seconds of each query; the queries alternate."""
    times: list[list[float]] = [[] for _ in queries]
    for _ in range(RUNS):
        for index, query in enumerate(queries):
            started = time.perf_counter()
            connection.execute(query).fetchall()
            times[index].append(time.perf_counter() - started)
    return [statistics.median(seconds) for seconds in times]


def main(log: Callable[[str], None] = print) -> None:
    """Measure and print."""
    rows = int(float(sys.argv[1]) * 1_000_000) if len(sys.argv) > 1 else 20_000_000
    with tempfile.TemporaryDirectory() as folder:
        connection = build_database(Path(folder), rows)
        cube = load_transforms()["mart.publication_counts_by_month"].query
        (build_seconds,) = measure_medians(connection, cube)
        connection.execute(f"create table mart.publication_counts_by_month as {cube}")
        connection.execute("""
            create view mart.work_counts_by_month as
            select 'iaps_mapping' as corpus, * from mart.publication_counts_by_month
        """)
        connection.execute(TABLE_MACROS)
        log(f"{rows:,} publications; all rules and taxonomies at once: {build_seconds:.2f} s")
        results = [Row("all rules and taxonomies at once", size=rows, wall_seconds=build_seconds)]
        log("rule, grain: publication_counts(), publications_behind(), plain DuckDB [ms]; ratios to plain")
        for rule, weight in WEIGHTS.items():
            for grain in GRAINS:
                plain = f"""
                    select lab, category, date_trunc('{grain}', published_on) as starts_on, sum({weight}) as n
                    from '{folder}/publications.parquet' group by all having sum({weight}) > 0 order by all
                """
                by_rule = f"""
                    select lab, category, date_trunc('{grain}', published_on) as starts_on, sum(weight) as n
                    from publications_behind(rule := '{rule}') group by all order by all
                """
                by_macro = f"""
                    select lab, category, starts_on, publications
                    from publication_counts(rule := '{rule}', grain := '{grain}') where publications > 0
                    order by lab, category, starts_on
                """
                expected, *others = (connection.execute(query).fetchall() for query in (plain, by_rule, by_macro))
                for result in others:
                    if [row[:2] for row in result] != [row[:2] for row in expected] or any(
                        abs(one[3] - other[3]) > 1e-6 for one, other in zip(result, expected, strict=True)
                    ):
                        raise SystemExit(f"{rule}, {grain}: the counts differ")
                mart, counted, direct = measure_medians(connection, by_macro, by_rule, plain)
                log(
                    f"{rule:20} {grain:8} {mart * 1e3:7.0f} {counted * 1e3:7.0f} {direct * 1e3:7.0f}"
                    f"   {mart / direct:5.2f} {counted / direct:5.2f}"
                )
                named = {"publication_counts()": mart, "publications_behind()": counted, "plain DuckDB": direct}
                results += (
                    Row(f"{rule}, by {grain}", name, rows, wall_seconds=seconds, ratio=seconds / direct)
                    for name, seconds in named.items()
                )
    keep_results("counting", sys.argv[1:], results)


if __name__ == "__main__":
    main()
