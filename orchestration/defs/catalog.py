"""All tables of a release, and the SQL files that make most of them; read at the first use, not at import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import polars as pl
import sqlglot
from sqlglot.schema import MappingSchema

from orchestration.ingest.raw_tables import list_raw_tables
from orchestration.run import TableInputs, hash_code
from transforms import lineage
from transforms.reader import Transform, read_transforms
from warehouse import reference
from warehouse.table import Table


@cache
def load_transforms() -> dict[str, Transform]:
    """All SQL files by the table they make, each after those it reads."""
    return read_transforms([*reference.list_reference_tables(), *list_raw_tables()])


@cache
def list_tables() -> list[Table]:
    """The declarations of all tables of a release."""
    return [
        *reference.list_reference_tables(),
        lineage.TABLE,
        *list_raw_tables(),
        *(transform.table for transform in load_transforms().values()),
    ]


@dataclass(frozen=True)
class _ProjectInputs:
    """The inputs of a table whose rows are in the files of the project."""

    code_version: str
    inputs: tuple[str, ...] = ()


@cache
def load_inputs() -> Mapping[str, TableInputs]:
    """What the rows of each table that is not made from snapshots depend on."""
    tables = [*reference.list_reference_tables(), lineage.TABLE]
    version = f"{hash_code()} sqlglot {sqlglot.__version__}"
    return {**{table.name: _ProjectInputs(version) for table in tables}, **load_transforms()}


@cache
def _build_schema() -> MappingSchema:
    return lineage.build_schema(list_tables())


@cache
def trace_table(name: str) -> pl.DataFrame:
    """The rows of ``reference.lineage`` of one table; none for a table that is not made by SQL."""
    transform = load_transforms().get(name)
    if transform is None:
        return lineage.TABLE.frame()
    return lineage.trace_columns([transform], _build_schema())
