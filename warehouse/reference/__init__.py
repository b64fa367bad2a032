"""Hand-maintained reference data: labs and aliases, categories, coverage of sources, published counts.

Each CSV file in this folder is a table of the ``reference`` layer, declared in ``tables.toml``; the claims in
``published_counts.toml`` are one more.
"""

from __future__ import annotations

import csv
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from warehouse.table import Table

FOLDER = Path(__file__).parent
PUBLISHED_COUNTS = "published_counts.toml"


@cache
def read_rows(name: str) -> list[dict[str, str]]:
    """The rows of a reference table as text values; uses the standard library only."""
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@cache
def list_names(name: str) -> list[str]:
    """The values that records may use: the last key column of a reference table, for the default taxonomy only.

    Like `read_rows`, it uses the standard library only.
    """
    default_taxonomies = {row["taxonomy"] for row in read_rows("taxonomies") if row["is_default"] == "true"}
    column = _read_declarations()[name]["key"][-1]
    allowed = {None, *default_taxonomies}
    return [row[column] for row in read_rows(name) if name == "taxonomies" or row.get("taxonomy") in allowed]


@cache
def _read_declarations() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "tables.toml").read_text(encoding="utf-8"))


@cache
def list_reference_tables() -> tuple[Table, ...]:
    """The declarations of all reference tables.

    Raises:
        DeclarationError: A declaration is invalid.
    """
    from warehouse.table import parse_table

    return tuple(parse_table(f"reference.{name}", entry) for name, entry in _read_declarations().items())


def read_table(table: Table) -> pl.DataFrame:
    """The rows of a reference table with the declared types.

    Raises:
        DeclarationError: A value does not fit its declared type, or the columns differ.
    """
    import polars as pl

    from warehouse.table import DeclarationError

    if table.short_name == "published_counts":
        return table.conform(table.frame(_read_claims(table)))
    try:
        frame = pl.read_csv(FOLDER / f"{table.short_name}.csv", schema_overrides=table.schema, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise DeclarationError(f"{table.short_name}.csv: {error}") from error
    return table.conform(frame)


def _read_claims(table: Table) -> list[dict[str, Any]]:
    """The claims of ``published_counts.toml``, each with the settings that its study shares."""
    from warehouse.table import DeclarationError

    claims = []
    for study in tomllib.loads((FOLDER / PUBLISHED_COUNTS).read_text(encoding="utf-8"))["study"]:
        shared = {name: value for name, value in study.items() if name != "claims"}
        for claim in study["claims"]:
            row = {"tolerance": 0, **shared, **claim}
            row["published_value"] = row.pop("value", None)
            if unknown := sorted(set(row) - set(table.schema)):
                raise DeclarationError(f"{PUBLISHED_COUNTS}: claim {claim.get('claim')!r}: unknown settings {unknown}")
            claims.append({name: row.get(name) for name in table.schema})
    return claims
