"""Reads the SQL files: each makes one table; its head declares the table, its query says what it is made from.

A file ``transforms/mart/publications/publications_by_lab_year.sql`` makes ``mart.publications_by_lab_year``: the layer
is the first folder, further folders only sort files by subject. A file begins with a comment that holds the table's
declaration as TOML and ends with one query in DuckDB's dialect. What the table depends on is read from the query.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from warehouse.sql import tables_read
from warehouse.table import DeclarationError, Table, table_from_toml

FOLDER = Path(__file__).parent
_HEAD = re.compile(r"\A/\*\n(?P<toml>.*?)\*/\s*(?P<query>.*)\Z", re.DOTALL)


@dataclass(frozen=True)
class Transform:
    """One SQL file.

    Args:
        table: Declaration of the table it makes.
        query: The query that makes it.
        sources: Names of the tables the query reads, sorted.
        path: The file.
    """

    table: Table
    query: str
    sources: tuple[str, ...]
    path: Path


def read_transforms(given: Iterable[Table], folder: Path = FOLDER) -> dict[str, Transform]:
    """All transforms by table name, each after those it reads.

    Args:
        given: Declarations of the tables that are not made by SQL.
        folder: Where the folders ``clean`` and ``mart`` are.

    Raises:
        DeclarationError: A file is malformed, reads an unknown table, or reads itself; the text names the file.
    """
    declared: dict[str, Table] = {table.name: table for table in given}
    heads: dict[str, tuple[Path, dict[str, Any], str, tuple[str, ...]]] = {}
    for path in sorted(folder.rglob("*.sql")):
        name = f"{path.relative_to(folder).parts[0]}.{path.stem}"
        if name in heads:
            raise DeclarationError(f"{path}: makes {name}, as {heads[name][0]} does already")
        match = _HEAD.match(path.read_text(encoding="utf-8"))
        if match is None:
            raise DeclarationError(f"{path}: does not begin with a comment holding its declaration")
        try:
            heads[name] = (path, tomllib.loads(match["toml"]), match["query"], tables_read(match["query"]))
        except (tomllib.TOMLDecodeError, DeclarationError) as error:
            raise DeclarationError(f"{path}: {error}") from error
    try:
        order = list(TopologicalSorter({name: head[3] for name, head in heads.items()}).static_order())
    except CycleError as error:
        raise DeclarationError(f"tables are made from one another in a circle: {' <- '.join(error.args[1])}") from error
    transforms: dict[str, Transform] = {}
    for name in order:
        if name not in heads:
            if name not in declared:
                readers = [str(head[0]) for head in heads.values() if name in head[3]]
                raise DeclarationError(f"{', '.join(readers)}: reads {name}, which nothing makes")
            continue
        path, toml, query, sources = heads[name]
        try:
            table = table_from_toml(name, toml, [declared[source] for source in sources])
        except (DeclarationError, TypeError) as error:
            raise DeclarationError(f"{path}: {error}") from error
        declared[name] = table
        transforms[name] = Transform(table, query, sources, path)
    return transforms
