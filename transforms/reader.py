"""Reads the SQL files: each makes one table, declared in its head and computed by its query.

``transforms/mart/publications/publications_by_lab_year.sql`` makes ``mart.publications_by_lab_year``: the first folder
is the layer, further folders group files by subject. A file starts with a comment that holds the declaration of the
table as TOML, followed by one query in DuckDB's dialect. Dependencies are parsed from the query.
"""

from __future__ import annotations

import importlib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from hashlib import sha256
from pathlib import Path
from typing import Any

from transforms.functions import read_function_code
from transforms.mentions.functions import read_mentions_code
from warehouse.parts import SIGHTINGS
from warehouse.sql import list_source_tables, select_scalar_macros
from warehouse.statistics.functions import read_statistics_code
from warehouse.table import DeclarationError, Table, describe_table, parse_table

FOLDER = Path(__file__).parent
_HEAD = re.compile(r"\A/\*\n(?P<toml>.*?)\*/\s*(?P<query>.*)\Z", re.DOTALL)


@dataclass(frozen=True)
class Transform:
    """One SQL file.

    Args:
        table: Declaration of the table that it makes.
        query: The query.
        source_tables: Names of the tables that the query reads, sorted.
        path: The file.
        sightings_of: The raw tables whose records in ``raw.sightings`` it reads, from ``sightings_of`` in its head; all
            if there is none. It is not made again when records of other sources arrive.
        function: The Python function that makes the rows from those of the query, from ``function`` in its head, such
            as ``linking.links.find_links`` in this package.
        is_incremental: Whether it goes on from the tables of the last release if the same code made its table there.
    """

    table: Table
    query: str
    source_tables: tuple[str, ...]
    path: Path
    sightings_of: tuple[str, ...] = ()
    function: str | None = None
    is_incremental: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """The tables whose change can change its rows."""
        tables = {*self.source_tables, *self.sightings_of}
        return tuple(sorted(tables - {SIGHTINGS} if self.sightings_of else tables))

    @cached_property
    def code(self) -> str:
        """Its query, and the modules of its function."""
        if self.function is None:
            return self.query
        folder = FOLDER.joinpath(*self.function.split(".")[:-2])
        return "\n".join([self.query, *(file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.py")))])

    @cached_property
    def code_version(self) -> str:
        """Hash of all that decides its rows besides its inputs: the file, what it inherits, macros, functions."""
        texts = [self.path.read_text(encoding="utf-8"), describe_table(self.table), select_scalar_macros(self.code)]
        texts += [self.code, *read_statistics_code(self.query), *read_function_code(self.code)]
        texts += read_mentions_code(self.query)
        return sha256("\n".join(texts).encode()).hexdigest()[:16]


def read_transforms(other_tables: Iterable[Table], folder: Path = FOLDER) -> dict[str, Transform]:
    """All transforms by table name, in dependency order.

    Args:
        other_tables: Declarations of the tables that are not made by SQL.
        folder: The folder with the folders ``clean`` and ``mart``.

    Raises:
        DeclarationError: A file is malformed, reads an unknown table, or depends on itself; the message names it.
    """
    declared: dict[str, Table] = {table.name: table for table in other_tables}
    heads: dict[str, tuple[Path, dict[str, Any], str, tuple[str, ...]]] = {}
    for path in sorted(folder.rglob("*.sql")):
        name = f"{path.relative_to(folder).parts[0]}.{path.stem}"
        if name in heads:
            raise DeclarationError(f"{path}: makes {name}, which {heads[name][0]} makes already")
        match = _HEAD.match(path.read_text(encoding="utf-8"))
        if match is None:
            raise DeclarationError(f"{path}: does not start with a comment that holds its declaration")
        try:
            heads[name] = (path, tomllib.loads(match["toml"]), match["query"], list_source_tables(match["query"]))
        except (tomllib.TOMLDecodeError, DeclarationError) as error:
            raise DeclarationError(f"{path}: {error}") from error
    try:
        order = list(TopologicalSorter({name: head[3] for name, head in heads.items()}).static_order())
    except CycleError as error:
        raise DeclarationError(f"tables depend on each other in a circle: {' <- '.join(error.args[1])}") from error
    transforms: dict[str, Transform] = {}
    for name in order:
        if name not in heads:
            if name not in declared:
                readers = [str(head[0]) for head in heads.values() if name in head[3]]
                raise DeclarationError(f"{', '.join(readers)}: reads {name}, which nothing makes")
            continue
        path, toml, query, sources = heads[name]
        try:
            sightings_of = _take_sightings(toml, sources, declared)
            function, is_incremental = toml.pop("function", None), toml.pop("is_incremental", False)
            table = parse_table(name, toml, [declared[source] for source in sources])
        except (DeclarationError, TypeError) as error:
            raise DeclarationError(f"{path}: {error}") from error
        declared[name] = table
        transforms[name] = Transform(table, query, sources, path, sightings_of, function, is_incremental)
    return transforms


def _take_sightings(toml: dict[str, Any], sources: tuple[str, ...], declared: Mapping[str, Table]) -> tuple[str, ...]:
    """The setting ``sightings_of`` of a head, removed from it."""
    tables = tuple(toml.pop("sightings_of", ()))
    if unknown := [table for table in tables if SIGHTINGS not in sources or table not in declared]:
        raise DeclarationError(f"sightings_of names {', '.join(unknown)}, of which it reads no {SIGHTINGS}")
    return tables


def load_function(name: str) -> Callable[..., str]:
    """The function of a transform: from a connection and a query, a query for the rows of the table.

    Args:
        name: Module and name below this package.
    """
    module, _, function = name.rpartition(".")
    loaded: Callable[..., str] = getattr(importlib.import_module(f"{__package__}.{module}"), function)
    return loaded
