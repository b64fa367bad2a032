"""The tables of the lake as views of Spark, which reads their Parquet files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from transforms.spark.session import create_view, register_row_functions
from transforms.spark.translate import name_view, translate
from warehouse import parts
from warehouse.lake import Lake
from warehouse.table import Column

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from pyspark.sql import SparkSession

_TYPES = {
    "string": "text",
    "long": "integer",
    "double": "real",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}


def create_views(session: SparkSession, lake: Lake, names: Iterable[str], sightings_of: Iterable[str] = ()) -> None:
    """Create a view of the newest version of each table.

    Args:
        session: The session.
        lake: The lake; the workers must see its folder at the same path.
        names: Names of the tables.
        sightings_of: The raw tables whose records in `parts.SIGHTINGS` are wanted; all if there is none.

    Raises:
        FileNotFoundError: A table was never written, or is damaged.
    """
    has_places = False
    for name in names:
        log, files = lake.require_table(name)
        description = parts.PartsDescription.read(log.delta.metadata().description)
        paths = [file.path for file in files]
        if description is None:
            create_view(session, name, _list_columns(log.delta), paths)
            continue
        if not has_places:
            _create_places(session, lake)
            has_places = True
        if description.source is None:
            sources = []
            for source, part_log, part_files in lake.list_parts(tuple(sightings_of)):
                view = f"parts.{source}"
                create_view(session, view, _list_columns(part_log.delta), [file.path for file in part_files])
                sources.append((source, name_view(view)))
            query = parts.select_sightings(sources)
        else:
            view, columns = f"parts.{description.source}", _list_columns(log.delta)
            create_view(session, view, columns, paths)
            names_of_columns = [column.name for column in columns]
            query = parts.select_versions(name_view(view), names_of_columns, description.volatile_columns)
        _create_query_view(session, name_view(name), query)


def _create_places(session: SparkSession, lake: Lake) -> None:
    log, files = lake.require_table(parts.SNAPSHOTS)
    create_view(session, "all.snapshots", _list_columns(log.delta), [file.path for file in files])
    _create_query_view(session, parts.PLACES, parts.select_places(name_view("all.snapshots")))


def _create_query_view(session: SparkSession, view: str, query: str) -> None:
    translated = translate(query)
    register_row_functions(session, translated.functions)
    session.sql(translated.sql).createOrReplaceTempView(view)


def _list_columns(delta: DeltaTable) -> list[Column]:
    """The columns of the files of a table, by its log."""
    return [Column(field.name, _TYPES[str(field.type.type)], field.name) for field in delta.schema().fields]


def list_files(lake: Lake, name: str) -> list[Path]:
    """The files of a table."""
    return [file.path for file in lake.require_table(name)[1]]
