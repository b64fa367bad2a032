"""Bulk files: a file of any number of records becomes one Parquet part, read by one DuckDB statement.

The statement of the source reads all lines in a bounded memory. A line that it does not read, because a value is not of
the usual form, is read by the parser of the source, alone; so a part has what the parser gives for the same file.
Reading is pure: the same file, reference data and code give the same part on any machine.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.ingest.bulk_parts import PartWriter
from orchestration.ingest.line_batches import CUT_WITHIN, LineReader, open_decompressed
from orchestration.sources.gate import load_gate
from orchestration.sources.registry import SOURCES
from orchestration.sources.shared.bulk_sql import ID_LENGTH, SEPARATOR, BulkForm, build_version_text, quote
from orchestration.sources.shared.document import UnreadableDocument, parse_json
from orchestration.sources.shared.fields import Fields
from orchestration.sources.shared.html_text import title_to_text
from orchestration.sources.shared.links import link_key
from orchestration.sources.shared.records import leave_out_odd_values, read_record
from orchestration.sources.source import ParseResult, Record, Reject, Source, hash_parts
from warehouse.delta import scan_parquet
from warehouse.names import clean_line
from warehouse.sql import configure_connection

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

MAX_RAW_TEXT = 2000  # characters of a rejected line that are kept
_HEAD_BYTES = 2**20
_HEAD_RECORDS = 200
_GARBAGE_READ_SHARE = 0.01  # a file of which less can be read is refused as a whole
_BATCH_ROWS = 4096
_PARQUET_MARK = b"PAR1"


@dataclass(frozen=True)
class BulkPart:
    """What one bulk file gave; ``records_read`` is the sum of the three other counts.

    Args:
        records_path: Parquet file of the records, in the order of the file.
        rejects_path: Parquet file of the rejects.
        records_read: Lines, or rows, of the file that are not blank.
        records_kept_rows: Records, repeated ones included.
        records_rejected: Records that could not be used.
        records_out_of_scope: Records that the gate leaves out.
        out_of_scope_reasons: Their number by reason.
    """

    records_path: Path
    rejects_path: Path
    records_read: int
    records_kept_rows: int
    records_rejected: int
    records_out_of_scope: int
    out_of_scope_reasons: dict[str, int]


class UnreadableBulkFile(Exception):
    """The file cannot be read as a whole; the message states why."""


def find_bulk_source(path: Path) -> Source | None:
    """The source whose bulk file this is, by its first record; none for a document."""
    try:
        record = _read_first_record(path)
    except UnreadableBulkFile:
        return None
    return next((one for one in SOURCES if one.bulk and record and one.bulk.is_first_record(record)), None)


def find_garbage(path: Path, source: Source) -> str | None:
    """Why nothing at the beginning of a bulk file can be read; none if a record there can be, or if it is Parquet."""
    import pyarrow as pa

    if is_parquet(path):
        return None
    try:
        with open_decompressed(path) as stream:
            head = stream.read(_HEAD_BYTES)
    except (OSError, pa.ArrowException):
        return None  # it is read as far as that is possible
    lines = [line for line in head.splitlines()[:_HEAD_RECORDS] if line.strip()]
    rejected, reason = 0, ""
    for number, line in enumerate(lines, 1):
        item = read_odd_line(source, line, f"line {number}")
        if isinstance(item, Reject):
            rejected, reason = rejected + 1, reason or f"line {number}: {item.reason}"
        elif number - rejected > _GARBAGE_READ_SHARE * _HEAD_RECORDS:
            return None
    return f"{_describe_garbage(rejected, len(lines), reason)}" if _is_garbage(rejected, len(lines)) else None


def _is_garbage(rejected: int, read: int) -> bool:
    return read > 1 and read - rejected <= _GARBAGE_READ_SHARE * read


def _describe_garbage(rejected: int, read: int, reason: str) -> str:
    return f"{rejected:,} of {read:,} records cannot be read, so it is no bulk file or damaged; {reason}"


def _read_first_record(path: Path) -> dict[str, Any] | None:
    import pyarrow as pa

    if is_parquet(path):
        from pyarrow import parquet

        try:
            rows = next(parquet.ParquetFile(path).iter_batches(1), None)
        except (OSError, pa.ArrowException) as error:
            raise UnreadableBulkFile(f"a damaged Parquet file ({error})") from error
        return rows.to_pylist()[0] if rows is not None and rows.num_rows else None
    try:
        with open_decompressed(path) as stream:
            head = stream.read(_HEAD_BYTES)
        first, _, others = head.lstrip().partition(b"\n")
        if not others.strip() and len(head) < _HEAD_BYTES:
            return None  # a single record that somebody gives by hand is a document
        value = parse_json(first)
    except (OSError, pa.ArrowException, UnreadableDocument):
        return None
    return value if isinstance(value, dict) else None


def is_parquet(path: Path) -> bool:
    """Whether the file begins as a Parquet file."""
    with path.open("rb") as file:
        return file.read(len(_PARQUET_MARK)) == _PARQUET_MARK


def get_form(source: Source) -> BulkForm:
    """How bulk files of a source are read.

    Raises:
        ValueError: It has none.
    """
    if source.bulk is None:
        raise ValueError(f"{source.name} has no bulk files")
    return source.bulk


def build_statement(source: Source, *, is_gated: bool) -> str:
    """The statement that reads the table ``lines`` for a source: outcome, identity and columns of each line."""
    types = {name: settings["type"] for name, settings in source.columns.items()}
    content = [name for name in types if name not in source.volatile_columns]
    return f"""
with read_lines as ({get_form(source).build_query(load_gate() if is_gated else None)}),
identified as (
    select *, left(sha256('{source.name}' || chr(31) || identity), {ID_LENGTH}) as record_id,
        case when outcome = 'kept' then {build_version_text(content, types)} end as version_text
    from read_lines
)
select
    record_ordinal,
    getvariable('record_noun') || ' ' || line_number as locator,
    outcome,
    case when outcome = 'out of scope' then reason end as reason,
    case when outcome = 'odd' then line end as raw_line,
    record_id,
    hash_version(record_id, version_text) as version_id,
    {", ".join(types)}
from identified
"""


def compute_bulk_version(source: Source, *, is_gated: bool) -> str:
    """Hash of the statement, in which the reference data of the gate are: a part of another version is read again."""
    return hash_parts(build_statement(source, is_gated=is_gated), length=ID_LENGTH)


def read_bulk_part(
    path: Path,
    snapshot_id: str,
    source: Source,
    folder: Path,
    *,
    memory_bytes: int,
    is_gated: bool = True,
    original_name: str | None = None,
    threads: int = 2,
) -> BulkPart:
    """Read one bulk file into ``records.parquet`` and ``rejects.parquet``.

    Args:
        path: The file: JSON Lines, plain or compressed with gzip or Zstandard, or Parquet.
        snapshot_id: The snapshot that the rows are of.
        source: A source with a bulk form.
        folder: Where to write; it must exist.
        memory_bytes: Memory that DuckDB may use; beyond it, it writes to a temporary folder in ``folder``.
        is_gated: Whether records that the gate leaves out are not kept.
        original_name: Name of the file for the rejects, if the path has another.
        threads: Threads of DuckDB.

    Raises:
        UnreadableBulkFile: The file cannot be read as a whole.
    """
    import duckdb
    import pyarrow as pa

    reasons, reader = Counter[str](), LineReader(path)
    with PartWriter(source, snapshot_id, original_name or path.name, folder) as writer:
        try:
            with _connect(source, folder, memory_bytes, threads) as connection:
                expected = _open_lines(connection, path, source, reader)
                for batch in connection.sql(build_statement(source, is_gated=is_gated)).to_arrow_reader(_BATCH_ROWS):
                    _write_batch(source, pa.Table.from_batches([batch]), writer, reasons, reader)
                    _write_unread(reader, writer)
        except duckdb.Error as error:
            raise UnreadableBulkFile(f"{writer.original_name}: {error}") from error
        _write_unread(reader, writer)
    out_of_scope = reasons.total()
    read = writer.kept + writer.rejected + out_of_scope
    if read != (expected if expected is not None else reader.records):
        raise AssertionError(f"{path}: {read:,} records are accounted for, {expected or reader.records:,} were read")
    if _is_garbage(writer.rejected, read):
        raise UnreadableBulkFile(_describe_garbage(writer.rejected, read, writer.first_reject))
    return BulkPart(
        writer.records_path, writer.rejects_path, read, writer.kept, writer.rejected, out_of_scope, dict(reasons)
    )


@contextmanager
def _connect(source: Source, folder: Path, memory_bytes: int, threads: int) -> Generator[duckdb.DuckDBPyConnection]:
    """A connection in UTC with the functions of the parsers that the statements call."""
    import duckdb

    with duckdb.connect() as connection:
        configure_connection(connection)
        connection.execute(f"set memory_limit = '{memory_bytes // 2**20}MiB'")
        connection.execute(f"set threads = {threads}")
        connection.execute("set enable_progress_bar = false")
        connection.execute(f"set temp_directory = {quote(str(folder / 'spilled'))}")
        own = {name: (function, 1) for name, function in get_form(source).functions.items()}
        for name, (function, count) in {**_FUNCTIONS, **own}.items():
            connection.create_function(name, function, ["VARCHAR"] * count, "VARCHAR")
        yield connection


def _open_lines(connection: duckdb.DuckDBPyConnection, path: Path, source: Source, reader: LineReader) -> int | None:
    """Make the table ``lines`` of a file; returns the number of its rows if it is a Parquet file."""
    import pyarrow as pa

    connection.execute(f"set variable record_noun = '{'row' if is_parquet(path) else 'line'}'")
    if not is_parquet(path):
        schema = pa.schema({"line_number": pa.int64(), "record_ordinal": pa.int64(), "line": pa.string()})
        connection.register("lines", pa.RecordBatchReader.from_batches(schema, reader.iterate_batches()))
        return None
    form = get_form(source)
    rows = scan_parquet([path], ", file_row_number = true")
    types = {name: kind for name, kind, *_ in connection.execute(f"describe from {rows}").fetchall()}
    fields = [
        f"'{name}': "
        + (f"try_cast({name} as json)" if name in form.object_fields and types[name] == "VARCHAR" else name)
        for name in form.fields
        if name in types
    ]
    connection.execute(f"""
        create view lines as
        select file_row_number + 1 as line_number, file_row_number + 1 as record_ordinal,
            cast(to_json({{{", ".join(fields)}}}) as varchar) as line
        from {rows}
    """)
    return connection.execute(f"select count(*) from {rows}").fetchall()[0][0]


def _write_batch(
    source: Source, table: pa.Table, writer: PartWriter, reasons: Counter[str], reader: LineReader
) -> None:
    """Write the kept rows and what the parser gives for the odd ones; count those out of scope."""
    import pyarrow.compute as pc

    reasons.update(table["reason"].drop_null().to_pylist())
    odd = table.filter(pc.field("outcome") == "odd").select(["record_ordinal", "locator", "raw_line"])
    items = [
        (row["record_ordinal"], read_odd_line(source, row["raw_line"].encode(), row["locator"]))
        for row in odd.to_pylist()
    ]
    # its line may have been whole in the file that was copied
    items = [
        (place, replace(item, reason=f"{item.reason}; {CUT_WITHIN}"))
        if isinstance(item, Reject) and place == reader.open_end
        else (place, item)
        for place, item in items
    ]
    writer.add_batch(table.filter(pc.field("outcome") == "kept"), items)


def _write_unread(reader: LineReader, writer: PartWriter) -> None:
    writer.add_rejects(
        [
            (one.record_ordinal, Reject(f"line {one.line_number}", one.reason, _cut_text(one.sample)))
            for one in reader.take_unread()
        ]
    )


def _cut_text(line: bytes) -> str:
    return line[: 4 * MAX_RAW_TEXT].decode("utf-8", "replace").strip()[:MAX_RAW_TEXT]


def read_odd_line(source: Source, line: bytes, locator: str) -> Record | Reject:
    """The record of a line as the parser of the source gives it, or the reason why it has none."""
    line, raw_text = line.rstrip(b"\r\n"), _cut_text(line)
    try:
        value = parse_json(line)
        if not isinstance(value, dict):
            return Reject(locator, "no JSON object", raw_text)
    except UnreadableDocument as error:
        return Reject(locator, str(error), raw_text)
    item = read_record(Fields(value), get_form(source).read_record, locator)
    if isinstance(item, Record):
        item = leave_out_odd_values(source, ParseResult([item])).items[0]
    if isinstance(item, Reject):
        return Reject(locator, item.reason, raw_text, item.is_fault)
    for name, settings in source.columns.items():
        if settings.get("required") and item.values.get(name) is None:
            return Reject(locator, f"{name} is required and missing", raw_text)
    return item


def _find_doi(address: str) -> str:
    key = link_key(address)
    return key.removeprefix("doi:") if key.startswith("doi:") else ""


def _find_arxiv_id(addresses: str) -> str:
    keys = map(link_key, addresses.split(SEPARATOR))
    return next((key.removeprefix("arxiv:") for key in keys if key.startswith("arxiv:")), "")


def _hash_version(record_id: str, text: str) -> str:
    """The version of a record as `identify_record` makes it, from the JSON text of its content."""
    if not text.isascii() or "\x7f" in text:
        text = _NOT_ASCII.sub(lambda match: json.dumps(match[0])[1:-1], text)
    if "\\u00" in text:
        text = _ESCAPE.sub(lambda match: match[0].lower() if match[0].startswith("\\u00") else match[0], text)
    return hash_parts(record_id, text, length=ID_LENGTH)


_NOT_ASCII = re.compile("[^\x00-\x7e]+")
_ESCAPE = re.compile(r"\\(?:u00[0-9A-Fa-f]{2}|.)")
# names in SQL, with the number of arguments; an empty text stands for none, which a function cannot return
_FUNCTIONS: Mapping[str, tuple[Callable[..., str], int]] = {
    "clean_line": (clean_line, 1),
    "title_to_text": (lambda text: title_to_text(clean_line(text)) or "", 1),
    "find_doi": (_find_doi, 1),
    "find_arxiv_id": (_find_arxiv_id, 1),
    "hash_version": (_hash_version, 2),
}
