"""Building the full-text index of a release from its items and from the index of an earlier release.

``releases/aisle.vN.search/`` is the index of ``releases/aisle.vN.duckdb``. It stores no texts, so it is small, and can
be deleted at any time: the next search builds it again. It is built in a temporary folder under a lock and renamed into
place, so that a killed build leaves no partial index. Its stamp holds the content hash of its release; an index with
another stamp is replaced.

An index consists of segments, each with the items of a range, see `warehouse.search.placing`. Segments of an earlier
index that have the same items are used again, by links to their files, which nothing ever changes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import re
import shutil
import tempfile
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from itertools import chain, islice
from pathlib import Path
from typing import Any

import duckdb
import tantivy

from warehouse.lake import replace_file, sync_folder
from warehouse.release import Release
from warehouse.release_file import hash_file
from warehouse.scratch import open_scratch
from warehouse.search import documents
from warehouse.search.items import UNDATED, list_available_kinds, select_items
from warehouse.search.placing import NoPlace, Piece, place_items, write_places
from warehouse.sql import quote_literal

_STAMP_FILE, _META_FILE = "stamp.json", "meta.json"
_BATCH_ROWS = 5_000
_HEAP_BYTES = 128_000_000
_MOST_WRITERS = 4  # that finish their segments at the same time

_Segment = dict[str, Any]  # as tantivy describes it, with its id and its number of documents


class IndexUnavailable(OSError):
    """A release has no usable index, or none can be built."""


def get_index_folder(release: Release) -> Path:
    """Folder of a release's index."""
    return release.path.with_suffix(".search")


def _build_stamp(release: Release) -> dict[str, Any]:
    return {**_describe_code(), "content_sha256": release.content_sha256}


def _describe_code() -> dict[str, str]:
    """What an index depends on besides the items: an index of another description is built from nothing."""
    code = hashlib.sha256(Path(documents.__file__).read_bytes()).hexdigest()
    return {"code": code, "tantivy": version("tantivy"), "duckdb": duckdb.__version__}


def _read_stamp(folder: Path) -> dict[str, Any]:
    """The stamp of an index; empty if it has none that can be read."""
    with contextlib.suppress(OSError, ValueError):
        stamp = json.loads((folder / _STAMP_FILE).read_text(encoding="utf-8"))
        return stamp if isinstance(stamp, dict) else {}
    return {}


def is_built(release: Release) -> bool:
    """Whether there is an index of this release's content."""
    return _read_stamp(get_index_folder(release)).items() >= _build_stamp(release).items()


@contextlib.contextmanager
def _open_build_folder(releases: Path) -> Generator[Path]:
    """A temporary build folder under a lock; removes the folders of killed builds."""
    with (releases / ".indexing.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for draft in releases.glob(".indexing-*"):
            shutil.rmtree(draft, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=".indexing-", dir=releases))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def build_index(release: Release, *, is_damaged: bool = False) -> int | None:
    """Build the index of a release unless it exists.

    Args:
        release: The release.
        is_damaged: Whether to replace an existing index, and to use no other.

    Returns:
        Number of items in the new index, or none if it existed.

    Raises:
        IndexUnavailable: It cannot be built, such as on a full or a read-only disk; no partial index is left.
        duckdb.Error: The release cannot be read.
    """
    if not is_damaged:
        release.bring(get_index_folder(release))
    if is_built(release) and not is_damaged:
        return None
    try:
        with _open_build_folder(release.path.parent) as folder:
            if is_built(release) and not is_damaged:  # built by another process while this one waited
                return None
            draft = folder / "index"
            draft.mkdir()
            count = _write_index(draft, release, None if is_damaged else _find_earlier_index(release))
            _write_stamp(draft, release)
            if get_index_folder(release).exists():
                get_index_folder(release).rename(folder / "outdated")
            draft.rename(get_index_folder(release))
            sync_folder(release.path.parent)
    except (OSError, ValueError) as error:  # tantivy raises ValueError for disk errors
        raise IndexUnavailable(f"the search index of release {release.name} cannot be built: {error}") from error
    return count


def _write_stamp(folder: Path, release: Release) -> None:
    """Write the stamp of an index, with the size and the hash of its files; make them as readable as the folder."""
    files = {path.name: [path.stat().st_size, hash_file(path)] for path in sorted(folder.iterdir())}
    replace_file(folder / _STAMP_FILE, json.dumps(_build_stamp(release) | {"files": files}).encode())
    for path in folder.iterdir():  # tantivy makes some files readable by their owner only
        path.chmod(folder.stat().st_mode & 0o666)


def _find_earlier_index(release: Release) -> Path | None:
    """The index that this one begins with: of the release before, if it was built by the same code and is whole."""
    names = (re.fullmatch(r"aisle\.v(\d+)\.json", path.name) for path in release.path.parent.glob("aisle.v*.json"))
    before = max((number for name in names if name and (number := int(name[1])) < release.number), default=None)
    if before is None:
        return None
    folder = release.path.with_name(f"aisle.v{before}.search")
    with contextlib.suppress(OSError):  # without it, the index is built from nothing
        release.bring(folder)
        return folder if _is_usable(folder) else None
    return None


def _is_usable(folder: Path) -> bool:
    """Whether an index was built by the same code, and its files are as they were written.

    Raises:
        OSError: A file cannot be read.
    """
    stamp = _read_stamp(folder)
    if not stamp.items() >= _describe_code().items():
        return False
    return all(
        (folder / name).stat().st_size == size and hash_file(folder / name) == sha256
        for name, (size, sha256) in stamp["files"].items()
    )


def _write_index(folder: Path, release: Release, earlier: Path | None) -> int:
    """Write the index of a release into an empty folder; returns its number of items."""
    items = select_items(list_available_kinds(release.manifest["tables"]), is_for_index=True)
    with _connect_within_budget(release) as connection:
        try:
            pieces = place_items(connection, items, earlier)
        except NoPlace:
            earlier = None
            pieces = place_items(connection, items, None)
        segments: list[_Segment] = []
        written = iter(_write_pieces(connection, items, folder, [p for p in pieces if p.segment is None]))
        kept = [] if earlier is None else _read_segments(earlier)
        for piece in pieces:
            if piece.segment is None:
                segments += next(written)
            else:
                segments.append(kept[piece.segment])
                _link_files(segments[-1], earlier or folder, folder)
        _write_meta(folder, segments)
        write_places(connection, folder, [segment["max_doc"] for segment in segments])
    return sum(piece.items for piece in pieces)


@contextlib.contextmanager
def _connect_within_budget(release: Release) -> Generator[duckdb.DuckDBPyConnection]:
    """A connection to a release that sorts all its items within the memory budget, and spills to disk."""
    release.connect().close()  # it is checked
    with open_scratch(release.path.parents[1]) as connection:
        connection.execute(f"attach {quote_literal(str(release.path))} as release_file (read_only)")
        try:
            connection.execute("use release_file")
            yield connection
        finally:
            connection.execute("use memory")
            connection.execute("detach release_file")


def _write_pieces(
    connection: duckdb.DuckDBPyConnection, items: str, folder: Path, pieces: Sequence[Piece]
) -> list[list[_Segment]]:
    """Write the documents of some pieces into a folder; returns the segments of each piece."""
    if not pieces:
        return []
    ranges = " or ".join(f"place between {piece.first} and {piece.first + piece.items - 1}" for piece in pieces)
    query = f"""
        with written as materialized (select * from temp.places where {ranges})
        select
            kind, item_id, title, text, lab, category, source, authors,
            coalesce(strftime(published_on, '%Y'), '{UNDATED}') as year,
            other_titles, identifiers, corpora, newest, oldest, alphabetic
        from ({items}) as items inner join written using (kind, item_id)
        order by place
    """
    rows = _fetch(connection.execute(query))
    segments: list[list[_Segment]] = []
    unfinished: deque[Future[list[_Segment]]] = deque()
    with ThreadPoolExecutor(_MOST_WRITERS) as executor:
        for piece in pieces:
            draft = Path(tempfile.mkdtemp(prefix="piece-", dir=folder.parent))
            writer = _open_writer(draft)
            for row in islice(rows, piece.items):
                writer.add_document(documents.build_document(*row))
            unfinished.append(executor.submit(_finish_segments, writer, draft, folder))
            if len(unfinished) == _MOST_WRITERS:
                segments.append(unfinished.popleft().result())
        segments += [future.result() for future in unfinished]
    for number, piece in enumerate(pieces):
        if not segments[number]:
            segments[number] = list(chain(*_write_pieces(connection, items, folder, list(piece.divide(2)))))
    return segments


def _fetch(result: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while batch := result.fetchmany(_BATCH_ROWS):
        yield from batch


def _open_writer(folder: Path) -> tantivy.IndexWriter:
    index = documents.register_tokenizers(tantivy.Index(documents.build_schema(), path=str(folder)))
    return index.writer(_HEAP_BYTES, 1)  # one thread writes documents in the order in which they come


def _finish_segments(writer: tantivy.IndexWriter, draft: Path, folder: Path) -> list[_Segment]:
    """Commit what was added in a draft, and move it into the folder of an index; returns its segment.

    If it is more than the memory of a writer holds, it has several segments, whose documents may be in another order:
    nothing is moved, and no segment returned.
    """
    writer.commit()
    writer.wait_merging_threads()
    segments = _read_segments(draft)
    if len(segments) == 1:
        _link_files(segments[0], draft, folder)
    shutil.rmtree(draft)
    return segments if len(segments) == 1 else []


def _read_segments(folder: Path) -> list[_Segment]:
    return json.loads((folder / _META_FILE).read_text(encoding="utf-8"))["segments"]


def _link_files(segment: _Segment, origin: Path, folder: Path) -> None:
    """Link the files of a segment into the folder of an index."""
    for path in origin.glob(f"{segment['segment_id'].replace('-', '')}.*"):
        (folder / path.name).hardlink_to(path)


def _write_meta(folder: Path, segments: Sequence[_Segment]) -> None:
    """Describe an index of these segments as tantivy does."""
    empty = Path(tempfile.mkdtemp(prefix="empty-", dir=folder.parent))
    writer = _open_writer(empty)
    writer.commit()
    writer.wait_merging_threads()
    meta = json.loads((empty / _META_FILE).read_text(encoding="utf-8"))
    replace_file(folder / _META_FILE, json.dumps(meta | {"segments": segments}).encode())
