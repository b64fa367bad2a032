"""The connection that `transforms.linking` writes its statements to, on Spark in place of DuckDB.

Linking is a row of statements that make temporary tables, with one step between them on the driver: which of the linked
records are one component. Only the numbers of accepted pairs come to the driver for it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from transforms.spark.session import register_row_functions
from transforms.spark.translate import translate

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_CREATE = re.compile(
    r"create (?:or replace )?temp (?P<kind>table|view) (?P<name>\w+)\s+(?:as\s+(?P<query>.*)|\((?P<columns>.*)\))",
    re.DOTALL,
)
_INSERT = re.compile(r"insert into (?P<name>\w+)\s+(?P<query>.*)", re.DOTALL)


class SparkConnection:
    """What linking uses of a connection: statements, their results, and small tables that are registered.

    Args:
        session: The session.
        folder: A folder that the workers see; temporary tables are written there.
    """

    def __init__(self, session: SparkSession, folder: Path) -> None:
        self._session, self._folder = session, folder
        self._parts: dict[str, list[str]] = {}
        self._rows: pa.Table | None = None

    def execute(self, statement: str) -> SparkConnection:
        """Run statements; the rows of a query are fetched afterwards."""
        for one in re.split(r";\s*\n", statement.strip().rstrip(";")):
            self._run(one.strip())
        return self

    def _run(self, statement: str) -> None:
        if match := _CREATE.fullmatch(statement):
            name, query, columns = match["name"], match["query"], match["columns"]
            self._parts[name] = []
            if query is None:
                self._session.createDataFrame([], columns.replace("varchar", "string")).createOrReplaceTempView(name)
            elif match["kind"] == "view":
                self._query(query).createOrReplaceTempView(name)
            else:
                self._add(name, self._query(query))
        elif match := _INSERT.fullmatch(statement):
            fields = self._session.table(match["name"]).schema.fields
            rows = self._query(match["query"]).toDF(*(field.name for field in fields))
            self._add(match["name"], rows.select(*(rows[field.name].cast(field.dataType) for field in fields)))
        else:
            self._rows = self._query(statement).toArrow()

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows of the last query."""
        rows = self._take_rows()
        return list(zip(*(column.to_pylist() for column in rows.columns), strict=True))

    def fetchnumpy(self) -> dict[str, np.ndarray[Any, Any]]:
        """The columns of the last query."""
        rows = self._take_rows()
        return {name: rows[name].to_numpy() for name in rows.schema.names}

    def register(self, name: str, rows: pa.Table | Mapping[str, Any]) -> None:
        """Make a table that is on the driver known to Spark."""
        table = rows if isinstance(rows, pa.Table) else pa.table(dict(rows))
        path = self._folder / f"{name}-{uuid.uuid4().hex}.parquet"
        parquet.write_table(table, path, compression="zstd")
        self._session.read.parquet(str(path)).createOrReplaceTempView(name)

    def unregister(self, name: str) -> None:
        """Forget a table that was registered."""
        self._session.catalog.dropTempView(name)

    def _take_rows(self) -> pa.Table:
        rows, self._rows = self._rows, None
        if rows is None:
            raise RuntimeError("no query was run whose rows could be fetched")
        return rows

    def _query(self, query: str) -> DataFrame:
        translated = translate(query)
        register_row_functions(self._session, translated.functions)
        return self._session.sql(translated.sql)

    def _add(self, name: str, rows: DataFrame) -> None:
        """Add rows to a temporary table; its view then reads all that was written."""
        path = str(self._folder / f"{name}-{uuid.uuid4().hex}")
        rows.write.parquet(path)
        self._parts[name].append(path)
        written = self._session.read.schema(rows.schema).parquet(*self._parts[name])
        written.createOrReplaceTempView(name)
