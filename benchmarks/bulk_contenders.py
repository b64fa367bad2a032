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
_ABSTRACT = """array_to_string(list_transform(list_sort(flatten(list_transform(map_entries(abstract_inverted_index),
    lambda e: list_transform(e.value, lambda p: {'p': p, 'w': e.key})))), lambda x: x.w), ' ')"""


def _list_parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.gz"))


def _iterate_lines(folder: Path) -> Iterator[bytes]:
    for path in _list_parts(folder):
        with gzip.open(path, "rb") as lines:
            yield from lines


def _summarise(ids: Iterable[str], abstract_characters: int) -> dict[str, Any]:
    names = sorted(one.rpartition("/")[2] for one in ids)
    return {
        "works": len(names),
        "ids": hashlib.sha256("\n".join(names).encode()).hexdigest()[:16],
        "abstract_characters": abstract_characters,
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
        rows = connection.execute(f"select id, coalesce(length(abstract), 0) from {target}").fetchall()
    return _summarise((row[0] for row in rows), sum(row[1] for row in rows))


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


def _sum_lengths(texts: Iterable[Any]) -> int:
    return sum(len(text) for text in texts if isinstance(text, str))


def read_with_pandas(folder: Path) -> dict[str, Any]:
    """Python's json into a pandas frame, written as Parquet."""
    import pandas as pd

    frame = pd.DataFrame([_flatten(json.loads(line)) for line in _iterate_lines(folder)])
    with tempfile.TemporaryDirectory() as output:
        frame.to_parquet(f"{output}/works.parquet", compression="zstd")
    return _summarise(frame["id"], _sum_lengths(frame["abstract"]))


def read_with_polars(folder: Path) -> dict[str, Any]:
    """Polars decodes the lines by a schema; the index of words, which has no schema, is read by Python's json."""
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
    ids, characters = list[str](), 0
    with tempfile.TemporaryDirectory() as output:
        for path in _list_parts(folder):
            lines = pl.Series("line", gzip.decompress(path.read_bytes()).decode().splitlines())
            abstracts = [_rebuild_abstract(json.loads(line)["abstract_inverted_index"]) for line in lines]
            works = lines.str.json_decode(schema).struct.unnest()
            frame = works.select(
                column("id").str.split("/").list.last(),
                column("doi").str.strip_prefix("https://doi.org/").str.to_lowercase(),
                column("title").str.replace_all(r"\s+", " ").str.strip_chars(),
                pl.Series("abstract", abstracts),
                column("publication_date").str.to_date(strict=False),
                column("type", "language", "cited_by_count", "is_retracted", "updated_date"),
                column("primary_location").struct.field("landing_page_url").alias("url"),
                column("authorships")
                .list.eval(element.struct.field("author").struct.field("display_name"))
                .list.join("; ")
                .alias("authors"),
                column("referenced_works").list.join("; ").str.replace_all("https://openalex.org/", "", literal=True),
                column("primary_topic").struct.field("display_name").alias("topic"),
            )
            frame.write_parquet(f"{output}/{path.name}.parquet", compression="zstd")
            ids += frame["id"].to_list()
            characters += _sum_lengths(frame["abstract"])
    return _summarise(ids, characters)


def read_with_dlt(folder: Path) -> dict[str, Any]:
    """A dlt pipeline of flat records into DuckDB."""
    import dlt
    import duckdb

    with tempfile.TemporaryDirectory() as output:
        database = f"{output}/works.duckdb"
        pipeline = dlt.pipeline("works", destination=dlt.destinations.duckdb(database), pipelines_dir=output)
        pipeline.run((_flatten(json.loads(line)) for line in _iterate_lines(folder)), table_name="works")
        with duckdb.connect(database) as connection:
            query = f"select id, abstract from {pipeline.dataset_name}.works"
            rows = connection.execute(query).fetchall()
    return _summarise((row[0] for row in rows), _sum_lengths(row[1] for row in rows))


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
    return {**_summarise(ids, 0), "abstract_characters": None}


CONTENDERS = {
    "plain DuckDB": read_with_duckdb,
    "plain DuckDB, no abstracts": read_with_duckdb_without_abstracts,
    "Polars": read_with_polars,
    "pandas": read_with_pandas,
    "dlt": read_with_dlt,
    "decompress only": decompress,
    "decompress and simdjson": decompress_and_parse,
}


def main() -> None:
    """Run one contender."""
    name, folder = sys.argv[1:]
    try:
        result = CONTENDERS[name](Path(folder))
    except ModuleNotFoundError as error:
        result = {"missing": error.name}
    used = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = sum(one.ru_utime + one.ru_stime for one in (used, children))
    print("\n" + json.dumps({**result, "cpu_seconds": cpu_seconds, "peak_bytes": used.ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
