"""Declarations of the raw tables: one for each source, and those that all sources share (``raw_tables.toml``)."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from orchestration.sources.registry import SOURCES
from orchestration.sources.source import Source
from warehouse.table import Table, parse_table

SHARED_TABLES_PATH = Path(__file__).with_suffix(".toml")
ACCOUNT_TABLES = (
    "parses",
    "sightings",
    "rejects",
    "judged_rows",
    "unparsed_fields",
)  # with rows for each parsed snapshot
# every source has it, since every record can have odd values
_READING_NOTE = {"type": "text", "meaning": "What was uncertain or odd when the record was read."}


@cache
def load_shared_tables() -> dict[str, Table]:
    """The raw tables that all sources share, by name without the layer, ``parses`` last."""
    declarations = tomllib.loads(SHARED_TABLES_PATH.read_text(encoding="utf-8"))
    return {name: parse_table(f"raw.{name}", declaration) for name, declaration in declarations.items()}


@cache
def declare_record_table(source: Source) -> Table:
    """The raw table of a source: its content columns between identity and evidence, one row per version of a record."""
    text, when = {"type": "text", "required": True}, {"type": "timestamp", "required": True}
    columns = {
        "record_id": text | {"meaning": "Identity of the record, the same in every snapshot."},
        "version_id": text | {"meaning": "Identity of the record with this content."},
        **source.columns,
        "reading_note": source.columns.get("reading_note", _READING_NOTE),
        "first_seen_at": when | {"meaning": "When a snapshot first had it."},
        "last_seen_at": when | {"meaning": "When a snapshot last had it."},
        "snapshot_id": text | {"meaning": "The first snapshot that had it."},
        "record_ordinal": {"type": "integer", "meaning": "Its place in that snapshot, from 1.", "required": True},
    }
    return parse_table(source.table_name, {"row": source.row, "key": ["version_id"], "columns": columns})


def list_raw_tables() -> list[Table]:
    """All tables made from snapshots, in the order in which they must be written."""
    return [*(declare_record_table(source) for source in SOURCES), *load_shared_tables().values()]
