"""The version of a parser: a hash of all that decides which rows a snapshot of its source becomes.

A snapshot is parsed again when the version of its parser has changed, so that the version must change with the rows and
with little else. It covers

* the module of the source and what that imports, directly or through others, from this project: so that an edit of one
  source, or another source, leaves the others as they are;
* of the reference data, the tables that these modules read by name;
* the declared columns of the source, and which of them are volatile; further files that it names;
* `orchestration.ingest.document_parser`, which decides what of a document is used or refused after its parser, with
  what that imports; `identity`, which makes the identifiers of records; and `limits`, which rejects records;
* names and types of the columns of the account tables, which are written for each snapshot.

It does not cover the list of sources, which decides only what is made of a document whose source is not known yet; how
parser processes are run and how snapshots are stored, which change no row; and how limits are evaluated, in
``expectations``: what a limit means does not change.
"""

from __future__ import annotations

import ast
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from orchestration.ingest.raw_tables import ACCOUNT_TABLES
from orchestration.sources.source import ID_LENGTH, Source, hash_parts
from warehouse.lake import PROJECT

_SOURCES, _REGISTRY, _REFERENCE = "orchestration.sources", "orchestration.sources.registry", "warehouse.reference"
_AFTER_PARSERS = tuple(f"orchestration.ingest.{name}" for name in ("document_parser", "identity", "limits"))
_PACKAGES = ("orchestration", "transforms", "warehouse", "expectations", "dashboards")
_REFERENCE_FOLDER = Path("warehouse", "reference")
_READERS = ("read_rows", "list_names")  # of warehouse.reference; both take the name of a table


def compute_parser_version(source: Source, hints: Mapping[str, str] = MappingProxyType({})) -> str:
    """Hash of all that a parsed snapshot depends on besides its bytes: code, declarations, reference data, hints."""
    version = _hash_parser(source)
    return hash_parts(version, json.dumps(dict(hints), sort_keys=True), length=ID_LENGTH) if hints else version


@cache
def _hash_parser(source: Source) -> str:
    return hash_parts(json.dumps(list_parser_inputs(source), sort_keys=True), length=ID_LENGTH)


def list_parser_inputs(source: Source, root: Path = PROJECT) -> dict[str, str]:
    """What the version of a source's parser covers, each with its hash or its text.

    Args:
        source: The source.
        root: The folder of the project.
    """
    modules = find_modules((source.parse.__module__, source.recognise.__module__), root)
    common = find_modules(_AFTER_PARSERS, root)
    inputs = {path.as_posix(): _hash_file(root, path) for path in sorted({*modules.values(), *common.values()})}
    inputs |= _list_reference_inputs(source, modules, root)
    inputs["name"] = source.name
    inputs["columns"] = json.dumps(source.columns, default=_encode_setting)
    inputs["volatile columns"] = json.dumps(source.volatile_columns)
    inputs |= {file: _hash_file(root, Path(file)) for file in source.files}
    inputs["account tables"] = _list_account_columns((root / "orchestration/ingest/raw_tables.toml").read_bytes())
    return inputs


@cache
def _list_account_columns(declarations: bytes) -> str:
    tables = tomllib.loads(declarations.decode())
    columns = {name: tables[name]["columns"].items() for name in ACCOUNT_TABLES}
    return json.dumps({name: {column: entry["type"] for column, entry in columns[name]} for name in columns})


def _encode_setting(value: object) -> object:
    return sorted(value) if isinstance(value, (set, frozenset)) else str(value)


def find_modules(names: Iterable[str], root: Path = PROJECT) -> dict[str, Path]:
    """Some modules of the project and those of it that they import, directly or through others, with their files.

    The imports of a source's modules are followed wherever they are. Other modules are followed only to those below
    ``orchestration.sources`` and only at their top: what they load in functions is for others than parsers.

    Raises:
        FileNotFoundError: One of the names is no module of the project.
    """
    found: dict[str, Path] = {}
    waiting = list(names)
    for name in waiting:
        if _locate_module(name, root) is None:
            raise FileNotFoundError(f"{name} is not a module below {root}")
    while waiting:
        name = waiting.pop()
        path = _locate_module(name, root)
        if path is None or name in found or name == _REGISTRY:
            continue
        found[name] = path
        is_source = _is_below_sources(name)
        imported = _list_imports((root / path).read_bytes(), has_functions=is_source)
        waiting += [other for other in imported if is_source or _is_below_sources(other)]
        waiting += [name.rpartition(".")[0]] if is_source and "." in name else []  # its package is loaded before it
    return found


def _is_below_sources(name: str) -> bool:
    return f"{name}.".startswith(f"{_SOURCES}.")


def _locate_module(name: str, root: Path) -> Path | None:
    """The file of a module, relative to the project; none for a module of another project or another name."""
    path = Path(*name.split("."))
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if (root / file).is_file()), None)


@cache
def _list_imports(code: bytes, *, has_functions: bool) -> list[str]:
    """Names that a module imports: of modules, and of what may be a module in a package."""
    names = []
    for statement in _list_statements(ast.parse(code).body, has_functions=has_functions):
        if isinstance(statement, ast.Import):
            names += [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            names += [statement.module, *(f"{statement.module}.{alias.name}" for alias in statement.names)]
    return [name for name in names if name.partition(".")[0] in _PACKAGES]


def _list_statements(body: Iterable[ast.AST], *, has_functions: bool) -> Iterator[ast.AST]:
    """The statements that are executed, without what is only for type checkers."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            yield from _list_statements(statement.orelse, has_functions=has_functions)
        elif has_functions or not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for part in ("body", "orelse", "finalbody", "handlers", "cases"):
                yield from _list_statements(getattr(statement, part, ()), has_functions=has_functions)


def _list_reference_inputs(source: Source, modules: Mapping[str, Path], root: Path) -> dict[str, str]:
    """The reference tables that modules of a source read or that its columns name, with their hashes."""
    read: set[tuple[str, str]] = {
        ("list_names", column["one_of"].partition(".")[2])
        for column in source.columns.values()
        if isinstance(column.get("one_of"), str)
    }
    for name, path in modules.items():
        if name != _REFERENCE:
            calls = _list_reference_calls((root / path).read_bytes())
            if calls is None:  # it cannot be seen which
                files = [path.relative_to(root) for path in sorted((root / _REFERENCE_FOLDER).glob("*.*[vl]"))]
                return {path.as_posix(): _hash_file(root, path) for path in files}
            read |= calls
    tables = {table for _, table in read}
    inputs = {}
    if listed := sorted(table for reader, table in read if reader == "list_names"):
        tables.add("taxonomies")
        declarations = tomllib.loads((root / _REFERENCE_FOLDER / "tables.toml").read_text(encoding="utf-8"))
        inputs["reference keys"] = json.dumps({table: declarations[table]["key"] for table in listed})
    for table in sorted(tables):
        path = _REFERENCE_FOLDER / f"{table}.csv"
        inputs[path.as_posix()] = _hash_file(root, path)
    return inputs


@cache
def _list_reference_calls(code: bytes) -> frozenset[tuple[str, str]] | None:
    """The reader and the table of each call of a reader of reference data; none if that cannot be seen."""
    if b"warehouse" not in code:
        return frozenset()
    nodes = list(ast.walk(ast.parse(code)))
    readers: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import) and _REFERENCE in [alias.name for alias in node.names]:
            return None
        if isinstance(node, ast.ImportFrom):
            names = {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            readers |= {own: name for own, name in names.items() if f"{name}.".startswith(f"{_REFERENCE}.")}
    if not {*readers.values()} <= {f"{_REFERENCE}.{reader}" for reader in _READERS}:
        return None
    calls = [node for node in nodes if isinstance(node, ast.Call) and _get_name(node.func) in readers]
    arguments = [call.args[0] if call.args else None for call in calls]
    uses = [node for node in nodes if _get_name(node) in readers]
    if len(uses) != len(calls) or not all(isinstance(argument, ast.Constant) for argument in arguments):
        return None  # a reader that is handed on, or a table whose name is computed
    return frozenset(
        (readers[_get_name(call.func)].rpartition(".")[2], str(argument.value))
        for call, argument in zip(calls, arguments, strict=True)
        if isinstance(argument, ast.Constant)
    )


def _get_name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _hash_file(root: Path, path: Path) -> str:
    return sha256((root / path).read_bytes()).hexdigest()
