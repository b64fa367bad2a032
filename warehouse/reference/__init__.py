"""Facts kept by hand: labs and their aliases, categories, coverage of sources, published counts.

Each CSV beside this file is a table of the ``reference`` layer, declared in ``tables.toml``; so are the claims of
``published_counts.toml``.
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
def rows_of(things: str) -> list[dict[str, str]]:
    """The rows of a reference table as texts; needs no more than the standard library."""
    with (FOLDER / f"{things}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@cache
def names_of(things: str) -> list[str]:
    """The names that records may use: the last key column of a reference table, of the default taxonomy only.

    Like `rows_of` it needs no more than the standard library.
    """
    from_default = {row["taxonomy"] for row in rows_of("taxonomies") if row["is_default"] == "true"}
    name = _declared()[things]["key"][-1]
    allowed = {None, *from_default}
    return [row[name] for row in rows_of(things) if things == "taxonomies" or row.get("taxonomy") in allowed]


@cache
def _declared() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "tables.toml").read_text(encoding="utf-8"))


@cache
def tables() -> tuple[Table, ...]:
    """The declarations of all reference tables.

    Raises:
        DeclarationError: A declaration cannot be right.
    """
    from warehouse.table import table_from_toml

    return tuple(table_from_toml(f"reference.{things}", entry) for things, entry in _declared().items())


def frame_of(table: Table) -> pl.DataFrame:
    """A reference table with its declared types.

    Raises:
        DeclarationError: A value does not fit its declared type, or columns differ.
    """
    import polars as pl

    from warehouse.table import DeclarationError

    if table.things == "published_counts":
        return table.conform(table.frame(_claims(table)))
    try:
        frame = pl.read_csv(FOLDER / f"{table.things}.csv", schema_overrides=table.schema, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise DeclarationError(f"{table.things}.csv: {error}") from error
    return table.conform(frame)


def _claims(table: Table) -> list[dict[str, Any]]:
    """The claims of ``published_counts.toml``, each with what its study says of all of them."""
    from warehouse.table import DeclarationError

    claims = []
    for study in tomllib.loads((FOLDER / PUBLISHED_COUNTS).read_text(encoding="utf-8"))["study"]:
        shared = {name: value for name, value in study.items() if name != "claims"}
        for given in study["claims"]:
            told = {"tolerance": 0, **shared, **given}
            told["published_value"] = told.pop("value", None)
            if unknown := sorted(set(told) - set(table.schema)):
                raise DeclarationError(f"{PUBLISHED_COUNTS}: claim {given.get('claim')!r}: unknown settings {unknown}")
            claims.append({name: told.get(name) for name in table.schema})
    return claims
