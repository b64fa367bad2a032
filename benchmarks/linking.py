"""Quality and cost of linking records to works, beside published figures.

Run with ``python -m benchmarks.linking`` (or ``make bench-linking``). It reads labelled pairs from the folder named by
AISLE_SAMPLES (by default ``../shared/samples``), which are not part of the project, and leaves out what is not there:

* silver pairs of this field: records of lists of AI-safety literature that are one work by id or title;
* DBLP-ACM of the University of Leipzig: two bibliographies of databases, one to one. Records have no identifiers.

Then it links made-up works from four sources (300,000, or as many as the argument has), and a thousand new records to
them, each in a process of its own.
"""

from __future__ import annotations

import csv
import html
import os
import resource
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from rapidfuzz import fuzz

from transforms.functions import register_functions
from transforms.linking.links import find_links
from transforms.linking.members import assign_works
from transforms.reader import FOLDER
from warehouse import names
from warehouse.sql import configure_connection, select_scalar_macros

Pair = frozenset[str]
_LINKING_CODE = "".join(file.read_text(encoding="utf-8") for file in sorted((FOLDER / "linking").glob("*.py")))
_PUBLISHED = {
    "silver pairs": "key or title 99.0, with similar titles 99.2 (rules measured before)",
    "DBLP-ACM": "exact 92.6, rapidfuzz 98.0, splink 99.1, Magellan and DeepMatcher 98.4 (test part), Ditto 99.0",
}


def find_pairs(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pairs that linking finds among records with ``record_id``, ``title``, ``authors``, ``year``, ``links``."""
    rows = [_describe(record) for record in records]
    table = pa.Table.from_pylist(rows, schema=_SCHEMA)
    with duckdb.connect() as connection:
        configure_connection(connection)
        connection.register("records", table)
        connection.execute(select_scalar_macros("link_key("))
        query = """
            select
                records.* exclude (links),
                list_sort(list_transform(links, lambda link: link_key(link))) as identifiers,
                false as is_last
            from records
        """
        with register_functions(connection, _LINKING_CODE):
            return connection.sql(find_links(connection, query)).to_arrow_table().to_pylist()


_SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("title", pa.string()),
        ("title_key", pa.string()),
        ("title_words", pa.int64()),
        ("links", pa.list_(pa.string())),
        ("surnames", pa.string()),
        ("lab", pa.string()),
        ("published_year", pa.int64()),
        ("abstract", pa.string()),
        ("abstract_sha256", pa.string()),
        ("first_seen_at", pa.timestamp("us", "UTC")),
    ]
)


def _describe(record: dict[str, Any]) -> dict[str, Any]:
    authors = [author.strip() for author in (record.get("authors") or "").split(";") if author.strip()]
    surnames = {_strip(a.split(",")[0] if "," in a else a.split()[-1]) for a in authors if "?" not in a}
    return {
        "record_id": record["record_id"],
        "title": record["title"],
        "title_key": names.build_title_key(record["title"]) or None,
        "title_words": len(record["title"].split()),
        "links": record.get("links") or [],
        "surnames": "; ".join(sorted(surnames)) or None,
        "lab": None,
        "published_year": record.get("year"),
        "abstract": record.get("abstract"),
        "abstract_sha256": None,
        "first_seen_at": None,
    }


def _strip(name: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if c.isalpha())


def print_quality(name: str, found: Iterable[Pair], true: set[Pair]) -> None:
    """Print precision, recall and F1 of pairs, in percent."""
    found = set(found)
    right = len(found & true)
    precision, recall = right / max(1, len(found)), right / max(1, len(true))
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    print(f"{name:44} P {precision:7.2%}  R {recall:7.2%}  F1 {f1:7.2%}  ({len(found):,} found, {len(true):,} true)")


def close(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """All pairs within the groups that pairs connect."""
    groups: dict[str, set[str]] = {}
    for pair in pairs:
        merged = set().union(*(groups.get(record, {record}) for record in pair))
        groups.update(dict.fromkeys(merged, merged))
    for group in {id(group): sorted(group) for group in groups.values()}.values():
        yield from (frozenset((a, b)) for i, a in enumerate(group) for b in group[i + 1 :])


def measure_silver(path: Path) -> None:
    """Link the records of the silver pairs, all in one pool, and compare pairs of different lists."""
    records: dict[str, dict[str, Any]] = {}
    true = set[Pair]()
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            ends = []
            for side in ("a", "b"):
                record_id = f"{row['source_' + side]} {row['row_' + side]}"
                links = [row["url_" + side]] if row["url_" + side] else []
                links += [f"arxiv:{row['arxiv_' + side]}"] if row["arxiv_" + side] else []
                records[record_id] = {"record_id": record_id, "title": row["title_" + side], "links": links}
                ends.append(record_id)
            true.add(frozenset(ends))
    started = time.process_time()
    pairs = find_pairs(records.values())
    accepted = close(frozenset((p["first_record_id"], p["second_record_id"])) for p in pairs if p["is_accepted"])
    true = {pair for pair in close(true) if _is_across(pair)}
    found = {pair for pair in accepted if _is_across(pair)}
    print_quality(f"silver pairs, {len(records):,} records", found, true)
    print(f"{'':44} false merges {len(found - true) / max(1, len(found)):.2%}; {_PUBLISHED['silver pairs']}")
    print(f"{'':44} {time.process_time() - started:.1f} s CPU")
    for pair in sorted(map(sorted, true - found))[:8]:
        print("   missed:", " | ".join(records[record]["title"][:70] for record in pair))
    for pair in sorted(map(sorted, found - true))[:8]:
        print("   false: ", " | ".join(records[record]["title"][:70] for record in pair))


def _is_across(pair: Pair) -> bool:
    return len({record.rpartition(" ")[0] for record in pair}) == 2


def measure_dblp_acm(folder: Path) -> None:
    """Link DBLP and ACM, which have no identifiers in common; each work is in each of them once."""
    records, keys = [], dict[tuple[str, str], str]()
    for name in ("dblp", "acm"):
        with (folder / f"ccer_D4_{name}.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="%"):
                record_id = f"{name} {row['id']}"
                keys[name, row["id"]] = record_id
                records.append(
                    {
                        "record_id": record_id,
                        "title": html.unescape(row["title"] or ""),
                        "authors": html.unescape(row["authors"] or "").replace(",", ";"),
                        "year": int(row["year"]) if row["year"] else None,
                    }
                )
    with (folder / "ccer_D4_gt.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file, delimiter="%"))[1:]
    true = {frozenset((keys["dblp", a], keys["acm", b])) for a, b in lines}
    started = time.process_time()
    pairs = find_pairs(records)
    accepted = [frozenset((p["first_record_id"], p["second_record_id"])) for p in pairs if p["is_accepted"]]
    print_quality("DBLP-ACM, accepted", (pair for pair in accepted if _is_across(pair)), true)
    print_quality("DBLP-ACM, one to one", match_one_to_one(pairs, {r["record_id"]: r for r in records}), true)
    print(f"{'':44} {_PUBLISHED['DBLP-ACM']}")
    print(f"{'':44} {time.process_time() - started:.1f} s CPU")


def match_one_to_one(pairs: list[dict[str, Any]], records: dict[str, dict[str, Any]]) -> Iterator[Pair]:
    """Pairs of records of one work, and candidates, of which each record is in one: the most alike first."""
    accepted = close(frozenset((p["first_record_id"], p["second_record_id"])) for p in pairs if p["is_accepted"])
    ranks = dict.fromkeys(accepted, 0)
    for pair in pairs:
        if "no author in common" not in pair["evidence"]:
            ranks.setdefault(frozenset((pair["first_record_id"], pair["second_record_id"])), 1)
    ranked = []
    for pair, rank in ranks.items():
        first, second = (records[record] for record in sorted(pair))
        apart = abs((first["year"] or 0) - (second["year"] or 0)) if first["year"] and second["year"] else 0
        if _is_across(pair) and apart <= 1:
            titles = fuzz.ratio(first["title"], second["title"])
            authors = fuzz.token_sort_ratio(first["authors"], second["authors"])
            ranked.append((rank, apart, -titles - authors, sorted(pair)))
    used = set[str]()
    for *_, pair in sorted(ranked):
        if not used & set(pair):
            used.update(pair)
            yield frozenset(pair)


_VOCABULARY = """
set variable vocabulary = (
    select list(word order by number) from (
        select
            number,
            list_aggregate(list_transform(
                range(2 + cast(hash(number) % 3 as int)),
                lambda k: ['ba', 'lo', 'tri', 'mek', 'sa', 'no', 'ri', 've', 'ku', 'lan', 'der', 'pol', 'ist', 'ain'][
                    1 + cast(hash(number * 7 + k) % 14 as int)
                ]
            ), 'string_agg', '') as word
        from range(8000) as numbers(number)
    )
)
"""

# of each made-up work up to four records: with ids of registers or without, in other spelling, or with another title
_RECORDS = """
create table records as
with works as (
    select
        number,
        {title} as title,
        list_sort(list_distinct({surnames})) as surnames,
        {sentences} as abstract,
        2015 + cast(hash(number * 5) % 11 as int) as published_year,
        hash(number * 29) % 100 as has_arxiv,
        unnest(['arxiv_papers', 'openalex_works', 'semanticscholar_papers', 'feed_items']) as source
    from range({first}, {last}) as numbers(number)
),
chosen as (
    select *, hash(number || source) % 100 as chance from works
)
select
    md5(number || source) as record_id,
    source,
    case when chance < 3 then title || ' revisited' when chance < 30 then upper(title) else title end as title,
    list_filter([
        if(has_arxiv < 60 and source != 'feed_items' and (source != 'openalex_works' or chance < 70),
            printf('arxiv:%04d.%06d', number % 9000, number), null),
        if(has_arxiv > 40 and source in ('openalex_works', 'semanticscholar_papers'), 'doi:10.1000/' || number, null),
        if(source = 'openalex_works', 'openalex:W' || number, null),
        if(source = 'feed_items', 'url:example.org/' || number, null)
    ], lambda key: key is not null) as identifiers,
    if(source = 'feed_items', null, list_aggregate(surnames, 'string_agg', '; ')) as surnames,
    null::varchar as lab,
    published_year,
    if(source in ('arxiv_papers', 'openalex_works'), abstract, null) as abstract,
    null::varchar as abstract_sha256,
    timestamptz '2025-01-01' as first_seen_at,
    regexp_replace(lower(title), '[^a-z0-9]', '', 'g') as title_key,
    cast(len(string_split(title, ' ')) as bigint) as title_words
from chosen
where
    (source = 'arxiv_papers' and has_arxiv < 60) or (source = 'openalex_works' and chance < 80)
    or (source = 'semanticscholar_papers' and chance < 60) or (source = 'feed_items' and chance < 10)
"""


def _select_words(seed: str, count: str, skew: float) -> str:
    """SQL for a list of words that depend on the seed; frequent ones come first in the vocabulary."""
    place = f"1 + cast(floor(8000 * power((hash({seed} + k) % 100000) / 100000.0, {skew})) as int)"
    return f"list_transform(range({count}), lambda k: getvariable('vocabulary')[{place}])"


def make_records(connection: duckdb.DuckDBPyConnection, works: int) -> None:
    """Make the table ``records`` of made-up works from four sources, as linking reads them."""
    connection.execute(_VOCABULARY)
    join = "list_aggregate({}, 'string_agg', ' ')".format
    sentences = [join(_select_words(f"number * 977 + {n * 40}", "18", 1.5)) for n in range(6)]
    statement = (
        _RECORDS.replace("{title}", join(_select_words("number * 131", "6 + cast(hash(number) % 9 as int)", 2.2)))
        .replace("{surnames}", _select_words("number * 17", "1 + cast(hash(number * 3) % 6 as int)", 1.0))
        .replace("{sentences}", " || '. ' || ".join(sentences))
        .replace("{first}", "0")
        .replace("{last}", str(works))
    )
    connection.execute(statement)


_SELECT_RECORDS = """
    select *, {is_last} as is_last from records
"""


def measure_scale(works: int, new_records: int = 1000) -> None:
    """Link made-up works from nothing, then new records alone; print what both cost, and compare their results."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.duckdb"
        with _open(path) as connection:
            make_records(connection, works)
        wall, cpu, peak = _run_alone(_link_all, path)
        with _open(path) as connection:
            ((records, found),) = connection.execute("select count(*), count(distinct work_id) from members").fetchall()
            steps = connection.execute("select step, count(*) from members group by step order by step").fetchall()
        print(f"{works:,} made-up works, {records:,} records: {found:,} works found; {dict(steps)}")
        print(f"{'':44} {cpu:.1f} s CPU, {wall:.1f} s wall, peak {peak:,.0f} MB")
        _run_alone(_link_last, path, new_records)
        wall, cpu, peak = _run_alone(_link_new, path)
        with _open(path) as connection:
            query = "select count(*) from ((from {} except from {}) union all (from {} except from {}))"
            ((others,),) = connection.execute(query.format("found", "found_again", "found_again", "found")).fetchall()
        if others:
            raise SystemExit(f"{others:,} links are others than those of a full run")
        print(f"{new_records:,} new records of these, with the links of a full run")
        print(f"{'':44} {cpu:.1f} s CPU, {wall:.1f} s wall, peak {peak:,.0f} MB")


def _open(path: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(path)
    configure_connection(connection)
    connection.execute("set memory_limit = '1300MB'")
    return connection


def _run_alone(measured: Callable[..., None], path: Path, *values: int) -> tuple[float, float, float]:
    """Seconds, CPU seconds and megabytes that a function takes in a process of its own."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (measured, path, *values))


def _measure(measured: Callable[..., None], path: Path, *values: int) -> tuple[float, float, float]:
    started, cpu = time.monotonic(), time.process_time()
    with _open(path) as connection, register_functions(connection, _LINKING_CODE):
        measured(connection, *values)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return time.monotonic() - started, time.process_time() - cpu, peak


def _link_all(connection: duckdb.DuckDBPyConnection) -> None:
    links = find_links(connection, _SELECT_RECORDS.replace("{is_last}", "false"))
    connection.execute(f"create table found as {links}")
    connection.execute("drop view input")
    members = assign_works(
        connection,
        "select records.*, second_record_id, step, similarity, evidence, null::varchar as decided_by,"
        " if(second_record_id is null, null, true) as is_same_work"
        " from records left join found on record_id = first_record_id and is_accepted",
    )
    connection.execute(f"create table members as {members}")


def _link_last(connection: duckdb.DuckDBPyConnection, new_records: int) -> None:
    connection.execute(
        f"create table new_records as select record_id from records order by hash(record_id) limit {new_records}"
    )
    others = " where record_id not in (select record_id from new_records)"
    links = find_links(connection, _SELECT_RECORDS.replace("{is_last}", "false") + others)
    connection.execute("create schema last_release")
    connection.execute(f"create table last_release.record_links as {links}")


def _link_new(connection: duckdb.DuckDBPyConnection) -> None:
    last = _SELECT_RECORDS.replace("{is_last}", "true") + " where record_id not in (select record_id from new_records)"
    links = find_links(connection, f"{_SELECT_RECORDS.replace('{is_last}', 'false')} union all {last}")
    connection.execute(f"create table found_again as {links}")


def main() -> None:
    """Measure and print."""
    folder = Path(os.environ.get("AISLE_SAMPLES", "../shared/samples")) / "er"
    if not folder.exists():
        print(f"no labelled pairs in {folder}: quality is not measured")
    else:
        measure_silver(folder / "safety_silver_pairs.csv")
        measure_dblp_acm(folder / "pyjedai")
    measure_scale(int(sys.argv[1]) if len(sys.argv) > 1 else 300_000)


if __name__ == "__main__":
    main()
