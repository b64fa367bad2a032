"""What it costs to find mentions: CPU seconds and peak memory of making the tables, in a process of its own.

Run with ``python -m benchmarks.mentions [WORKS TEXTS]`` (default: 300000 200000). Works, with titles, abstracts,
authors and links, and comments that mention some of them, are made up. Before a figure is printed, it is required that
the planted mentions are found.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb

from benchmarks.growth import measure
from benchmarks.results import keep_results
from orchestration.defs.catalog import load_transforms
from transforms.engine import make_table
from warehouse import reference
from warehouse.lake import Lake
from warehouse.scratch import open_scratch
from warehouse.sql import connect_tables
from warehouse.table import Table

TABLES = (
    *("clean.texts", "clean.text_links", "clean.phrase_mentions", "clean.quote_mentions", "clean.abstract_mentions"),
    "clean.mentions",
)
_VOCABULARY = 60_000
_TITLE_WORDS, _ABSTRACT_WORDS, _TEXT_WORDS = 9, 180, 150
_EACH = {"exact title": 10, "link": 20, "quoted fragment": 25, "abstract": 50}
"""Which texts mention a work in each way: those whose number is divided by this one without rest."""


def list_words(count: int, kind: str) -> str:
    """SQL for a text of made-up words for each ``number``, few of them frequent and many rare."""
    rank = f"floor(pow(hash('{kind}', number, place) % 1000003 / 1000003.0, 3) * {_VOCABULARY})"
    return f"array_to_string(list_transform(range({count}), lambda place: 'w' || cast({rank} as integer)), ' ')"


def write_lake(lake: Lake, works: int, texts: int) -> None:
    """Write the tables that mentions are made from: these works, and so many comments."""
    for table in reference.list_reference_tables():
        lake.write(table, reference.read_table(table))
    title, abstract = list_words(_TITLE_WORDS, "title"), list_words(_ABSTRACT_WORDS, "abstract")
    own = f"from (select unnest(range({works})) as number)"
    write(lake, "clean.works", f"select 'work ' || number as work_id, {title} as title, 1 as members {own}")
    write(
        lake,
        "clean.work_records",
        f"select 'record ' || number as record_id, {title} as title, {abstract} as abstract {own}",
    )
    write(lake, "clean.work_members", f"select 'record ' || number as record_id, 'work ' || number as work_id {own}")
    write(
        lake,
        "clean.work_identifiers",
        f"select 'work ' || number as work_id, 'arxiv:' || {build_arxiv_id('number')} as identifier {own}",
    )
    write(
        lake,
        "clean.work_authors",
        f"""select 'work ' || number as work_id, place as author_position,
            'First' || hash(number, place) % 5000 || ' Last' || hash(place, number) % 200000 as author
        from (select unnest(range({works})) as number) cross join (select unnest(range(1, 4)) as place)""",
    )
    write(lake, "clean.forum_comments", select_texts(works, texts))
    for name in ("clean.forum_posts", "clean.segments", "clean.episodes", "clean.feed_items"):
        write(lake, name, None)


def build_arxiv_id(number: str) -> str:
    """SQL for an arXiv id of its own for each number below ten million."""
    return f"(2000 + {number} // 100000) || '.' || lpad(cast({number} % 100000 as varchar), 5, '0')"


def select_texts(works: int, texts: int) -> str:
    """SQL for the comments: made-up words, and in some of them what mentions a work."""
    words, title = list_words(_TEXT_WORDS, "text"), list_words(_TITLE_WORDS, "title")
    return f"""
        select
            'comment ' || text_number as forum_comment_id,
            'lw' as site,
            false as is_withdrawn,
            concat_ws(' ', words,
                case when text_number % {_EACH["exact title"]} = 0 then 'On ' || upper(title) || '.' end,
                case when text_number % {_EACH["link"]} = 0
                    then 'https://arxiv.org/abs/' || {build_arxiv_id("number")} end,
                case when text_number % {_EACH["quoted fragment"]} = 0
                    then '"' || array_to_string(string_split(title, ' ')[2:6], ' ') || '"' end,
                case when text_number % {_EACH["abstract"]} = 0 then abstract end
            ) as "text"
        from (
            select *, {title} as title, {list_words(_ABSTRACT_WORDS, "abstract")} as abstract
            from (
                select text_number, words, cast(hash(text_number) % {works} as bigint) as number
                from (select number as text_number, {words} as words from (select unnest(range({texts})) as number))
            )
        )
    """


def write(lake: Lake, name: str, query: str | None) -> None:
    """Write the rows of a query as a table, with missing values in its other columns; no rows without a query."""
    table = load_transforms()[name].table
    with open_scratch(lake.root) as connection:
        connection.execute("set preserve_insertion_order = false")
        lake.write_query(table, connection, complete_columns(connection, table, query))


def complete_columns(connection: duckdb.DuckDBPyConnection, table: Table, query: str | None) -> str:
    """The query with all columns of a table."""
    given = {row[0] for row in connection.execute(f"describe ({query})").fetchall()} if query else set()
    columns = (f'"{name}"' if name in given else f'null as "{name}"' for name in table.schema)
    return f"select {', '.join(columns)} from ({query or 'select 1 where false'})"


def make_tables(lake: Lake) -> None:
    """Make the tables of mentions."""
    for name in TABLES:
        make_table(load_transforms()[name], lake)


def require_mentions(lake: Lake, texts: int) -> Iterator[str]:
    """How many texts mention a work in each way.

    Raises:
        SystemExit: A planted mention was not found.
    """
    with connect_tables(lake, ["clean.mentions"]) as connection:
        found = dict(
            connection.execute(
                "select recognised_by, count(*) from clean.mentions where target_kind = 'work' group by all"
            ).fetchall()
        )
    for way, each in _EACH.items():
        planted = -(-texts // each)
        # two made-up titles can have the same words in the same order, and then a quotation means neither
        if found.get(way, 0) < (0.99 if way == "quoted fragment" else 1) * planted:
            raise SystemExit(f"{way}: {found.get(way, 0):,} of {planted:,} planted mentions were found")
        yield f"{way}: {found[way]:,} found, {planted:,} planted"


def main() -> None:
    """Make the tables once, and print what it cost."""
    works, texts = (int(size) for size in sys.argv[1:3] or (300_000, 200_000))
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        write_lake(lake, works, texts)
        script = (
            "import sys; from pathlib import Path; from benchmarks import mentions; from warehouse.lake import Lake\n"
        )
        cost = measure(f"{script}mentions.make_tables(Lake(Path(sys.argv[1])))", folder)
        for line in require_mentions(lake, texts):
            print(line)
    print(f"mentions of {works:,} works in {texts:,} texts: {cost}")
    keep_results("mentions", sys.argv[1:], [cost.to_row("mentions of works in texts", size=works)])


if __name__ == "__main__":
    main()
