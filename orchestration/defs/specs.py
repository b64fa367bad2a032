"""How a table looks in Dagster: key, group, owner, tags, columns, code references and column lineage."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import dagster as dg

from orchestration.defs.catalog import load_transforms
from transforms.lineage import ROWS
from transforms.reader import FOLDER
from warehouse.dictionary import describe_limits
from warehouse.table import SQL_TYPES, Table

# who answers for a layer: the sources and what is parsed from them, the tables made by SQL, the published release
OWNERS = {
    "feeds": "team:sources",
    "raw": "team:sources",
    "reference": "team:curation",
    "clean": "team:analytics",
    "mart": "team:analytics",
    "release": "team:analytics",
}


def build_asset_key(name: str) -> dg.AssetKey:
    """The key of a table: its layer and its name."""
    return dg.AssetKey(name.split("."))


def hash_texts(*texts: str) -> str:
    """First 16 hex digits of the SHA-256 of some texts, as a code version."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def find_subject(name: str) -> str | None:
    """The folder of a mart, which is its subject; none for other tables."""
    transform = load_transforms().get(name)
    folders = transform.path.relative_to(FOLDER).parts[1:-1] if transform else ()
    return folders[0] if folders else None


def build_column_schema(table: Table) -> dg.TableSchema:
    """The columns of a table with type, meaning, unit and limits."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                SQL_TYPES[column.type],
                description=column.meaning + (f" [{column.unit}]" if column.unit else ""),
                constraints=dg.TableColumnConstraints(
                    nullable=not column.required,
                    unique=table.key == (column.name,),
                    other=[text for text in describe_limits(column).split("; ") if text != "required"],
                ),
            )
            for column in table.columns
        ]
    )


def build_column_lineage(edges: Iterable[tuple[str, str, str]]) -> dg.TableColumnLineage:
    """The columns that each column of a table is made from.

    Args:
        edges: Column, source table and source column of the rows of ``reference.lineage`` for the table.
    """
    origins: dict[str, list[dg.TableColumnDep]] = {}
    for column, from_table, from_column in edges:
        if ROWS not in (column, from_column):
            origins.setdefault(column, []).append(dg.TableColumnDep(build_asset_key(from_table), from_column))
    return dg.TableColumnLineage(origins)


def reference_code(code: Path | Callable[..., Any], label: str | None = None) -> dg.CodeReferencesMetadataValue:
    """Where the code of an asset is: a file, or the module and line of a function."""
    if isinstance(code, Path):
        path, line = code, 1
    else:
        path, line = Path(inspect.getfile(code)), inspect.getsourcelines(code)[1]
    reference = dg.LocalFileCodeReference(file_path=str(path), line_number=line, label=label or path.name)
    return dg.CodeReferencesMetadataValue(code_references=[reference])


def build_table_spec(
    table: Table,
    deps: Iterable[dg.AssetKey],
    *,
    code: Path | Callable[..., Any],
    code_version: str,
    kinds: set[str],
    freshness: dg.FreshnessPolicy | None = None,
    automation: dg.AutomationCondition[Any] | None = None,
) -> dg.AssetSpec:
    """The asset of a table, from its declaration.

    Args:
        table: The declaration.
        deps: Keys of the assets it is made from.
        code: What makes it, for the link to the code.
        code_version: Changes whenever its rows could.
        kinds: Tools and formats, shown as icons.
        freshness: How old it may be.
        automation: When it is made again without being asked to.
    """
    subject = find_subject(table.name)
    return dg.AssetSpec(
        build_asset_key(table.name),
        deps=list(deps),
        description=f"{table.row}\n\nKey: {', '.join(table.key)}",
        group_name=f"mart_{subject}" if subject else table.layer,
        owners=[OWNERS[table.layer]],
        tags={"layer": table.layer, **({"subject": subject} if subject else {})},
        kinds=kinds,
        code_version=code_version,
        metadata={
            "dagster/column_schema": build_column_schema(table),
            "dagster/table_name": table.name,
            "dagster/code_references": reference_code(code),
        },
        freshness_policy=freshness,
        automation_condition=automation,
    )
