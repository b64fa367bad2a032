"""Other ways to read the works of a folder, for `benchmarks.bulk`: one function each, run in a process of its own.

``python benchmarks/bulk_contenders.py NAME FOLDER`` reads all parts and prints as JSON what was read and what it took.
It needs only the library of the contender, so that it can run in another environment.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import resource
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_COLUMNS = """{
    id: 'varchar', doi: 'varchar', title: 'varchar', publication_date: 'varchar', type: 'varchar', language: 'varchar',
    primary_location: 'struct(landing_page_url varchar, source struct(display_name varchar))',
    locations: 'struct(landing_page_url varchar)[]',
    authorships: 'struct(author struct(id varchar, display_name varchar), raw_author_name varchar,
        raw_affiliation_strings varchar[], institutions struct(id varchar, lineage varchar[])[])[]',
    cited_by_count: 'bigint', is_retracted: 'boolean', primary_topic: 'struct(id varchar, display_name varchar)',
    referenced_works: 'varchar[]', updated_date: 'varchar', abstract_inverted_index: 'map(varchar, integer[])'
}"""
_COMMON = "id, published_on, cited_by_count, abstract"
_ABSTRACT = """array_to_string(list_transform(list_sort(flatten(list_transform(map_entries(abstract_inverted_index),
    lambda e: list_transform(e.value, lambda p: {'p': p, 'w': e.key})))), lambda x: x.w), ' ')"""
_SPARK_SCHEMA = """
    id string, doi string, title string, publication_date string, type string, language string,
    primary_location struct<landing_page_url: string, source: struct<display_name: string>>,
    authorships array<struct<author: struct<id: string, display_name: string>, raw_affiliation_strings: array<string>,
        institutions: array<struct<lineage: array<string>>>>>,
    cited_by_count bigint, is_retracted boolean, primary_topic struct<display_name: string>,
    referenced_works array<string>, updated_date string, abstract_inverted_index map<string, array<int>>
"""
_SPARK_COLUMNS = (
    "regexp_extract(id, 'W[0-9]+$', 0) as id",
    "lower(replace(doi, 'https://doi.org/', '')) as doi",
    r"trim(regexp_replace(title, r'\s+', ' ')) as title",
    """array_join(transform(array_sort(flatten(transform(map_entries(abstract_inverted_index),
        e -> transform(e.value, p -> struct(p as place, e.key as word))))), x -> x.word), ' ') as abstract""",
    "try_cast(publication_date as date) as published_on",
    "type",
    "language",
    "primary_location.landing_page_url as url",
    "primary_location.source.display_name as venue",
    "array_join(transform(authorships, a -> a.author.display_name), '; ') as authors",
    "array_join(transform(authorships, a -> replace(a.author.id, 'https://openalex.org/', '')), '; ') as author_ids",
    """to_json(transform(authorships, a -> struct(a.author.display_name as author,
        a.raw_affiliation_strings as affiliations))) as affiliations""",
    """array_join(transform(array_distinct(flatten(flatten(transform(authorships, a ->
        transform(a.institutions, i -> i.lineage))))), x -> replace(x, 'https://openalex.org/', '')), '; ')
        as institution_ids""",
    "cited_by_count",
    "array_join(transform(referenced_works, x -> replace(x, 'https://openalex.org/', '')), '; ') as cited_ids",
    "primary_topic.display_name as topic",
    "is_retracted",
    "try_cast(updated_date as timestamp) as updated_at",
)


def _list_parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.gz"))


def _iterate_lines(folder: Path) -> Iterator[bytes]:
    for path in _list_parts(folder):
        with gzip.open(path, "rb") as lines:
            yield from lines


def summarise(works: Iterable[tuple[str, Any, Any, Any]]) -> dict[str, Any]:
    """What all readers have in common: the ids, and a hash of rows that does not depend on their order.

    Args:
        works: Id, day of publication, number of citations and abstract of each.
    """
    ids, characters, rows_hash = list[str](), 0, 0
    for identifier, day, citations, abstract in works:
        ids.append(identifier.rpartition("/")[2])
        text = abstract if isinstance(abstract, str) else ""
        characters += len(text)
        row = f"{ids[-1]}|{day}|{citations}|{text}".encode()
        rows_hash += int.from_bytes(hashlib.blake2b(row, digest_size=8).digest(), "big")
    return {
        "works": len(ids),
        "ids": hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()[:16],
        "abstract_characters": characters,
        "rows_hash": f"{rows_hash % 2**64:016x}",
    }


def read_with_duckdb(folder: Path) -> dict[str, Any]:
    """Plain DuckDB: read, normalise with every abstract rebuilt, write Parquet."""
    return _read_with_duckdb(folder, _ABSTRACT)


def read_with_duckdb_without_abstracts(folder: Path) -> dict[str, Any]:
    """The same without the abstracts."""
    return _read_with_duckdb(folder, "null")


def _read_with_duckdb(folder: Path, abstract: str) -> dict[str, Any]:
    import duckdb

    with tempfile.TemporaryDirectory() as output, duckdb.connect() as connection:
        connection.execute("set memory_limit = '1GiB'; set threads = 2; set enable_progress_bar = false")
        target = f"'{output}/works.parquet'"
        connection.execute(f"""
            copy (
                select
                    regexp_extract(id, 'W[0-9]+$') as id,
                    lower(replace(doi, 'https://doi.org/', '')) as doi,
                    trim(regexp_replace(title, '\\s+', ' ', 'g')) as title,
                    {abstract} as abstract,
                    try_cast(publication_date as date) as published_on,
                    type, language,
                    primary_location.landing_page_url as url,
                    primary_location.source.display_name as venue,
                    array_to_string(list_transform(authorships, lambda a: a.author.display_name), '; ') as authors,
                    array_to_string(list_transform(authorships, lambda a:
                        replace(a.author.id, 'https://openalex.org/', '')), '; ') as author_ids,
                    cast(to_json(list_transform(authorships, lambda a:
                        {{'author': a.author.display_name, 'affiliations': a.raw_affiliation_strings}})) as varchar)
                        as affiliations,
                    array_to_string(list_transform(list_distinct(flatten(flatten(list_transform(authorships, lambda a:
                        list_transform(a.institutions, lambda i: i.lineage))))), lambda x:
                        replace(x, 'https://openalex.org/', '')), '; ') as institution_ids,
                    cited_by_count,
                    array_to_string(list_transform(referenced_works, lambda x:
                        replace(x, 'https://openalex.org/', '')), '; ') as cited_ids,
                    primary_topic.display_name as topic,
                    is_retracted,
                    try_cast(updated_date as timestamp) as updated_at
                from read_json({[str(path) for path in _list_parts(folder)]}, format = 'newline_delimited',
                    columns = {_COLUMNS}, ignore_errors = true, maximum_object_size = 33554432)
                where id is not null
            ) to {target} (format parquet, compression zstd)
        """)
        rows = connection.execute(f"select {_COMMON} from {target}").fetchall()
    return summarise(rows)


def _rebuild_abstract(index: dict[str, list[int]] | None) -> str | None:
    words = sorted((place, word) for word, places in (index or {}).items() for place in places)
    return " ".join(word for _, word in words) or None


def _flatten(work: dict[str, Any]) -> dict[str, Any]:
    """The columns of a work, as a program without special care makes them."""
    authorships = work["authorships"]
    location = work["primary_location"] or {}
    return {
        "id": work["id"].rpartition("/")[2],
        "doi": (work["doi"] or "").replace("https://doi.org/", "").lower() or None,
        "title": " ".join((work["title"] or "").split()),
        "abstract": _rebuild_abstract(work["abstract_inverted_index"]),
        "published_on": work["publication_date"],
        "type": work["type"],
        "language": work["language"],
        "url": location.get("landing_page_url"),
        "venue": (location.get("source") or {}).get("display_name"),
        "authors": "; ".join(one["author"]["display_name"] or "" for one in authorships),
        "author_ids": "; ".join((one["author"]["id"] or "").rpartition("/")[2] for one in authorships),
        "affiliations": json.dumps(
            [{"author": one["author"]["display_name"], "text": one["raw_affiliation_strings"]} for one in authorships]
        ),
        "institution_ids": "; ".join(
            dict.fromkeys(
                name.rpartition("/")[2]
                for one in authorships
                for place in one["institutions"]
                for name in place["lineage"]
            )
        ),
        "cited_by_count": work["cited_by_count"],
        "cited_ids": "; ".join(one.rpartition("/")[2] for one in work["referenced_works"]),
        "topic": (work["primary_topic"] or {}).get("display_name"),
        "is_retracted": work["is_retracted"],
        "updated_at": work["updated_date"],
    }


def read_with_pandas(folder: Path) -> dict[str, Any]:
    """Python's json into a pandas frame, written as Parquet."""
    import pandas as pd

    frame = pd.DataFrame([_flatten(json.loads(line)) for line in _iterate_lines(folder)])
    with tempfile.TemporaryDirectory() as output:
        frame.to_parquet(f"{output}/works.parquet", compression="zstd")
    return summarise(zip(*(frame[name] for name in _COMMON.split(", ")), strict=True))


def read_with_polars(folder: Path) -> dict[str, Any]:
    """Polars decodes the lines by a schema, streaming; Python's json reads the index of words, which has no schema."""
    import polars as pl

    text, texts = pl.String(), pl.List(pl.String())
    schema = pl.Struct(
        {
            **dict.fromkeys(("id", "doi", "title", "publication_date", "type", "language", "updated_date"), text),
            "primary_location": pl.Struct({"landing_page_url": text, "source": pl.Struct({"display_name": text})}),
            "authorships": pl.List(
                pl.Struct(
                    {
                        "author": pl.Struct({"id": text, "display_name": text}),
                        "raw_affiliation_strings": texts,
                        "institutions": pl.List(pl.Struct({"lineage": texts})),
                    }
                )
            ),
            "cited_by_count": pl.Int64(),
            "is_retracted": pl.Boolean(),
            "primary_topic": pl.Struct({"display_name": text}),
            "referenced_works": texts,
        }
    )
    column, element = pl.col, pl.element()
    columns = (
        column("id").str.split("/").list.last(),
        column("doi").str.strip_prefix("https://doi.org/").str.to_lowercase(),
        column("title").str.replace_all(r"\s+", " ").str.strip_chars(),
        column("publication_date").str.to_date(strict=False).alias("published_on"),
        column("type", "language", "cited_by_count", "is_retracted", "updated_date"),
        column("primary_location").struct.field("landing_page_url").alias("url"),
        column("authorships")
        .list.eval(element.struct.field("author").struct.field("display_name"))
        .list.join("; ")
        .alias("authors"),
        column("referenced_works").list.join("; ").str.replace_all("https://openalex.org/", "", literal=True),
        column("primary_topic").struct.field("display_name").alias("topic"),
    )
    batches = pl.scan_lines(_list_parts(folder), name="line").collect_batches(engine="streaming")
    with tempfile.TemporaryDirectory() as output:
        for number, batch in enumerate(batches):
            lines = batch["line"]
            abstracts = [_rebuild_abstract(json.loads(line)["abstract_inverted_index"]) for line in lines]
            works = lines.str.json_decode(schema).struct.unnest().select(*columns)
            works = works.with_columns(pl.Series("abstract", abstracts, dtype=text))
            works.write_parquet(f"{output}/{number}.parquet", compression="zstd")
        frame = pl.read_parquet(f"{output}/*.parquet", columns=_COMMON.split(", "))
    return summarise(frame.select(_COMMON.split(", ")).iter_rows())


def read_with_pyspark(folder: Path) -> dict[str, Any]:
    """PySpark decodes the lines by a schema and writes Parquet; on the cluster that ``SPARK_REMOTE`` names."""
    from pyarrow import parquet
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as f

    session = SparkSession.builder.getOrCreate()
    lines = session.read.text([str(path) for path in _list_parts(folder)])
    works = lines.select(f.from_json("value", _SPARK_SCHEMA).alias("work")).select("work.*").where("id is not null")
    with tempfile.TemporaryDirectory() as output:
        rows = works.selectExpr(*_SPARK_COLUMNS)
        rows.write.option("compression", "zstd").parquet(f"{output}/works")
        session.stop()
        table = parquet.read_table(f"{output}/works", columns=_COMMON.split(", "))
    return summarise(zip(*(table[name].to_pylist() for name in _COMMON.split(", ")), strict=True))


def read_with_dlt(folder: Path) -> dict[str, Any]:
    """A dlt pipeline of flat records into DuckDB."""
    import dlt
    import duckdb

    with tempfile.TemporaryDirectory() as output:
        database = f"{output}/works.duckdb"
        pipeline = dlt.pipeline("works", destination=dlt.destinations.duckdb(database), pipelines_dir=output)
        pipeline.run((_flatten(json.loads(line)) for line in _iterate_lines(folder)), table_name="works")
        with duckdb.connect(database) as connection:
            rows = connection.execute(f"select {_COMMON} from {pipeline.dataset_name}.works").fetchall()
    return summarise(rows)


def decompress(folder: Path) -> dict[str, Any]:
    """Nothing but decompress."""
    return {"bytes": sum(len(gzip.decompress(path.read_bytes())) for path in _list_parts(folder))}


def decompress_and_parse(folder: Path) -> dict[str, Any]:
    """Decompress, and parse each line with simdjson without making Python objects of it."""
    import simdjson

    parser, ids = simdjson.Parser(), list[str]()
    for path in _list_parts(folder):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            ids.append(parser.parse(line)["id"])
    works = summarise((one, None, None, None) for one in ids)
    return {**works, "abstract_characters": None, "rows_hash": None}


CONTENDERS = {
    "plain DuckDB": read_with_duckdb,
    "plain DuckDB, no abstracts": read_with_duckdb_without_abstracts,
    "Polars": read_with_polars,
    "pandas": read_with_pandas,
    "dlt": read_with_dlt,
    "decompress only": decompress,
    "decompress and simdjson": decompress_and_parse,
}
ON_A_CLUSTER = {"plain PySpark": read_with_pyspark}


def main() -> None:
    """Run one contender."""
    name, folder = sys.argv[1:]
    try:
        result = (CONTENDERS | ON_A_CLUSTER)[name](Path(folder))
    except ModuleNotFoundError as error:
        result = {"missing": error.name}
    used = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = sum(one.ru_utime + one.ru_stime for one in (used, children))
    print("\n" + json.dumps({**result, "cpu_seconds": cpu_seconds, "peak_bytes": used.ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
