"""The Parquet files of one bulk file: its records and its rejects, written as they are read."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.ingest.identity import compute_ids
from orchestration.ingest.raw_tables import load_shared_tables
from orchestration.sources.source import Record, Reject, Source

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_GROUP_BYTES = 24 * 2**20  # rows that wait to be written together
_GROUP_ROWS = 122_880


def list_part_columns(source: Source) -> dict[str, str]:
    """The declared type of each column of a part, in order."""
    content = {name: settings["type"] for name, settings in source.columns.items()}
    evidence = {"snapshot_id": "text", "record_ordinal": "integer", "occurrence": "integer", "locator": "text"}
    return {"record_id": "text", "version_id": "text", **content, "reading_note": "text", **evidence}


def _build_schema(types: dict[str, str]) -> pa.Schema:
    import pyarrow as pa

    arrow_types = {
        "text": pa.string(),
        "integer": pa.int64(),
        "real": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", "UTC"),
    }
    return pa.schema({name: arrow_types[kind] for name, kind in types.items()})


class PartWriter(AbstractContextManager["PartWriter"]):
    """Writes the part of one bulk file; rows come in the order of the file, batch by batch.

    Args:
        source: The source.
        snapshot_id: The snapshot that the rows are of.
        original_name: Name of the file.
        folder: Where to write.
    """

    def __init__(self, source: Source, snapshot_id: str, original_name: str, folder: Path) -> None:
        from pyarrow import parquet

        self.original_name = original_name
        self.records_path, self.rejects_path = folder / "records.parquet", folder / "rejects.parquet"
        self.kept = self.rejected = 0
        self.first_reject = ""
        self._source, self._snapshot_id = source, snapshot_id
        self._schema = _build_schema(list_part_columns(source))
        rejects = load_shared_tables()["rejects"]
        self._reject_schema = _build_schema({column.name: column.type for column in rejects.columns})
        self._records = parquet.ParquetWriter(self.records_path, self._schema, compression="zstd")
        self._rejects = parquet.ParquetWriter(self.rejects_path, self._reject_schema, compression="zstd")
        self._waiting: list[pa.Table] = []
        self._occurrences = OccurrenceCounter()

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._records.close()
        self._rejects.close()

    def add_batch(self, kept: pa.Table, items: Sequence[tuple[int, Record | Reject]]) -> None:
        """Add the next rows of the file.

        Args:
            kept: Rows with the columns of the part.
            items: Records and rejects of the parser, each with its place in the file; they can lie between the rows.
        """
        import pyarrow as pa

        rows = [self._build_row(ordinal, item) for ordinal, item in items if isinstance(item, Record)]
        table = self._conform(kept)
        if rows:
            table = pa.concat_tables([table, pa.Table.from_pylist(rows, self._schema)]).sort_by("record_ordinal")
        if table.num_rows:
            occurrences = pa.array(self._occurrences.count(table["record_id"].to_pylist()), pa.int64())
            table = table.set_column(table.schema.get_field_index("occurrence"), "occurrence", occurrences)
        self.kept += table.num_rows
        self._waiting.append(table)
        if sum(waiting.nbytes for waiting in self._waiting) > _GROUP_BYTES:
            self._flush()
        self.add_rejects([(ordinal, item) for ordinal, item in items if isinstance(item, Reject)])

    def add_rejects(self, items: Sequence[tuple[int, Reject]]) -> None:
        """Add rejects, each with its place in the file."""
        import pyarrow as pa

        rows = [
            {
                "snapshot_id": self._snapshot_id,
                "record_ordinal": ordinal,
                "source": self._source.name,
                "original_name": self.original_name,
                "locator": item.locator,
                "reason": item.reason,
                "is_fault": item.is_fault,
                "raw_text": item.raw_text,
            }
            for ordinal, item in items
        ]
        self.rejected += len(rows)
        self.first_reject = self.first_reject or next((f"{item.locator}: {item.reason}" for _, item in items), "")
        if rows:
            self._rejects.write_table(pa.Table.from_pylist(rows, self._reject_schema))

    def _build_row(self, ordinal: int, record: Record) -> dict[str, Any]:
        record_id, version_id = compute_ids(self._source, record)
        return {
            "record_id": record_id,
            "version_id": version_id,
            "reading_note": None,
            **record.values,
            "snapshot_id": self._snapshot_id,
            "record_ordinal": ordinal,
            "occurrence": 1,
            "locator": record.locator,
        }

    def _conform(self, kept: pa.Table) -> pa.Table:
        import pyarrow as pa

        given = {"snapshot_id": self._snapshot_id, "occurrence": 1}
        columns = [
            kept[name].cast(kind)
            if name in kept.schema.names
            else pa.repeat(pa.scalar(given.get(name), kind), kept.num_rows)
            for name, kind in zip(self._schema.names, self._schema.types, strict=True)
        ]
        return pa.Table.from_arrays(columns, schema=self._schema)

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            self._records.write_table(pa.concat_tables(self._waiting), row_group_size=_GROUP_ROWS)
            self._waiting = []


class OccurrenceCounter:
    """Counts how many times each record has come so far, in eight bytes a record.

    An identity has 16 hexadecimal digits, so it is exactly a number of 64 bits.
    """

    def __init__(self) -> None:
        self._seen: list[np.ndarray] = []  # sorted and distinct, each longer than the next
        self._repeated: dict[int, int] = {}

    def count(self, record_ids: list[str]) -> list[int]:
        """The occurrence of each of the next records, from 1."""
        import numpy as np

        numbers = np.frombuffer(bytes.fromhex("".join(record_ids)), dtype=">u8").astype("u8")
        new, counts = np.unique(numbers, return_counts=True)
        is_seen = np.zeros(len(new), dtype=bool)
        for seen in self._seen:
            places = np.searchsorted(seen, new)
            is_seen |= seen[np.minimum(places, len(seen) - 1)] == new
        for number in new[is_seen].tolist():
            self._repeated.setdefault(number, 1)
        repeated = set(new[is_seen | (counts > 1)].tolist())
        self._add(new[~is_seen])
        return [self._count_one(number) if number in repeated else 1 for number in numbers.tolist()]

    def _count_one(self, number: int) -> int:
        self._repeated[number] = self._repeated.get(number, 0) + 1
        return self._repeated[number]

    def _add(self, new: np.ndarray) -> None:
        import numpy as np

        while self._seen and len(self._seen[-1]) <= 2 * len(new):
            new = np.sort(np.concatenate([self._seen.pop(), new]))
        if len(new):
            self._seen.append(new)
