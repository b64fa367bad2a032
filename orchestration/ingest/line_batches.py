"""The lines of a file of any size, decompressed as they are read, as Arrow batches with exact numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

DAMAGED_AFTER = "the file is damaged or cut short after this line"
CUT_WITHIN = "the file is cut short within this line"
CHUNK_BYTES = 2 * 2**20
MAX_LINE_BYTES = 32 * 2**20
_SAMPLE_BYTES = 2000
_CODECS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_WHITE_SPACE = frozenset(b" \t\r\n\v\f")


@dataclass(frozen=True)
class UnreadLine:
    """A line that is not read, or the place where a damaged file ends.

    Args:
        line_number: Its number, from 1.
        record_ordinal: Its place among the lines that are not blank, from 1.
        reason: Why it is not read.
        sample: Its first bytes.
    """

    line_number: int
    record_ordinal: int
    reason: str
    sample: bytes


@dataclass
class LineReader:
    """Reads the lines of one file; afterwards it knows how many there were, and which were not read.

    Args:
        path: The file: plain, gzipped or compressed with Zstandard.
        records: Lines that are not blank, read so far.
        unread: Lines that are too long, and the end of a damaged file.
        open_end: Place of the last record, if no line feed comes after it.
    """

    path: Path
    records: int = 0
    unread: list[UnreadLine] = field(default_factory=list)
    open_end: int = 0
    _lines: int = 0
    _damage: str = ""

    def iterate_batches(self) -> Iterator[pa.RecordBatch]:
        """Batches of ``line_number``, ``record_ordinal`` and ``line``; blank lines are counted and left out."""
        rest, skipped, skipped_bytes = b"", b"", 0
        for data in self._iterate_chunks():
            chunk = data
            if skipped_bytes:  # within a line that is too long
                end = chunk.find(b"\n")
                if end < 0:
                    skipped_bytes += len(chunk)
                    continue
                self._leave_out(skipped, skipped_bytes + end)
                chunk, skipped_bytes = chunk[end + 1 :], 0
            chunk = rest + chunk if rest else chunk
            cut = chunk.rfind(b"\n") + 1
            rest = chunk[cut:]
            if cut:
                yield self._build_batch(chunk)
            if len(rest) > MAX_LINE_BYTES:
                skipped, skipped_bytes, rest = rest[:_SAMPLE_BYTES], len(rest), b""
        if skipped_bytes:
            self._leave_out(skipped, skipped_bytes)
        elif rest.strip():
            batch = self._build_batch(rest + b"\n")
            self.open_end = 0 if self._damage else self.records
            yield batch
        if self._damage:
            self.records += 1
            self.unread.append(UnreadLine(self._lines + 1, self.records, self._damage, b""))

    def take_unread(self) -> list[UnreadLine]:
        """The lines that were not read since the last call; the list is then empty."""
        taken, self.unread = self.unread, []
        return taken

    def _leave_out(self, sample: bytes, size_bytes: int) -> None:
        self._lines += 1
        self.records += 1
        reason = f"a line of {size_bytes:,} bytes; at most {MAX_LINE_BYTES:,} are read"
        self.unread.append(UnreadLine(self._lines, self.records, reason, sample[:_SAMPLE_BYTES]))

    def _build_batch(self, data: bytes) -> pa.RecordBatch:
        import numpy as np
        import pyarrow as pa

        ends, end = [], data.find(b"\n")
        while end >= 0:
            ends.append(end + 1)
            end = data.find(b"\n", end + 1)
        count = len(ends)
        offsets = np.zeros(count + 1, dtype=np.int32)
        offsets[1:] = ends
        lines = pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(data))
        numbers = np.arange(self._lines + 1, self._lines + count + 1)
        self._lines += count
        starts = [0, *ends[:-1]]
        blank = [
            place
            for place, start in enumerate(starts)
            if data[start] in _WHITE_SPACE and not data[start : ends[place]].strip()
        ]
        is_used = np.ones(count, dtype=bool)
        is_used[blank] = False
        ordinals = self.records + np.cumsum(is_used)
        self.records = int(ordinals[-1])
        try:
            lines.validate(full=True)
        except pa.ArrowInvalid:  # some are not UTF-8
            for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
                if reason := _find_invalid_byte(data[start:end]):
                    is_used[place] = False
                    sample = data[start : min(end, start + _SAMPLE_BYTES)]
                    self.unread.append(UnreadLine(int(numbers[place]), int(ordinals[place]), reason, sample))
        if not is_used.all():
            lines, numbers, ordinals = lines.filter(pa.array(is_used)), numbers[is_used], ordinals[is_used]
        return pa.record_batch(
            [pa.array(numbers), pa.array(ordinals), lines], names=["line_number", "record_ordinal", "line"]
        )

    def _iterate_chunks(self) -> Iterator[bytes]:
        """The decompressed bytes, as far as they can be read, without a byte-order mark."""
        import pyarrow as pa

        given = 0
        try:
            with open_decompressed(self.path) as stream:
                while chunk := stream.read(CHUNK_BYTES):
                    yield chunk if given else chunk.removeprefix(b"\xef\xbb\xbf")
                    given += len(chunk)
        except (OSError, pa.ArrowException) as error:
            self._damage = f"{DAMAGED_AFTER} ({error})"
            if rest := self._read_until_damage(given):
                yield rest if given else rest.removeprefix(b"\xef\xbb\xbf")

    def _read_until_damage(self, given: int) -> bytes:
        """The bytes after those that were given, as far as they can be read: less than a chunk."""
        import pyarrow as pa

        rest = bytearray()
        for step in (1024, 1):
            try:
                with open_decompressed(self.path) as stream:
                    skip_bytes(stream, given + len(rest))
                    while piece := stream.read(step):
                        rest += piece
            except (OSError, pa.ArrowException):
                continue
        return bytes(rest)


def _find_invalid_byte(line: bytes) -> str | None:
    """What is wrong with a line that is not UTF-8; None for others."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"JSON that is not UTF-8: byte 0x{line[error.start]:02x} at offset {error.start:,}"
    return None


def skip_bytes(stream: pa.NativeFile, count: int) -> None:
    """Read past the first bytes of a stream."""
    while count and (skipped := len(stream.read(min(count, CHUNK_BYTES)))):
        count -= skipped


def open_decompressed(path: Path) -> pa.NativeFile:
    """The decompressed bytes of a file as a stream."""
    import pyarrow as pa

    with path.open("rb") as file:
        codec = next((name for mark, name in _CODECS.items() if file.read(len(mark)) == mark or file.seek(0)), None)
    raw = pa.OSFile(str(path))
    return pa.CompressedInputStream(raw, codec) if codec else raw
