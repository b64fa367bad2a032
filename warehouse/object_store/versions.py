"""Versions of a lake on an object store: which files it has, each with its hash, and under which key.

``lake.json`` is the state of the lake, a small object that is only replaced by a conditional write. It names the list
of the files of the newest version, which is never changed, like everything that it names: the key of each file contains
a hash of its bytes. So a reader of a version is not affected by writers, and writers of equal bytes do not disturb each
other.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from warehouse.object_store.client import DamagedObject, ObjectStore, StoredObject, run_parallel
from warehouse.terminal_text import escape_name

STATE = "lake.json"
POINTER = "aisle.duckdb"
PUBLISHED_LOGS = "published_logs.json"
_FORMAT = 1
_DIGITS = 16
LOG, _LOG_VERSIONS = "_delta_log", "_log_versions"


@dataclass(frozen=True)
class StoredFile:
    """A file of a lake: SHA-256 and size."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class LakeVersion:
    """One committed version of a lake.

    Args:
        number: Increases by one with each commit; 0 for a lake that has none.
        files: Its files by path, relative to the lake.
        pointer: The path of the newest release, to which the link ``aisle.duckdb`` leads; none without a release.
        copied_from: Where it was copied from, if it is a copy.
        key: The object that lists the files.
    """

    number: int = 0
    files: Mapping[str, StoredFile] = field(default_factory=dict)
    pointer: str | None = None
    copied_from: str | None = None
    key: str = ""


def build_key(path: str, sha256: str) -> str:
    """The key of a file with these bytes: its path, with a hash in the name unless it has it already.

    Logs of Delta tables are kept beside ``_delta_log``, which other tools read and which has the committed version.
    """
    parts = PurePosixPath(quote(path, safe="/=+@,"))
    if parts.stem.rpartition("-")[2] == sha256[:_DIGITS]:
        return str(parts)
    folders = [_LOG_VERSIONS if part == LOG else part for part in parts.parts[:-1]] or ["state"]
    return "/".join([*folders, f"{parts.stem}-{sha256[:_DIGITS]}{parts.suffix}"])


def is_log(path: str) -> bool:
    """Whether a file belongs to the log of a Delta table."""
    return f"/{LOG}/" in path


def read_version(store: ObjectStore, known: StoredObject | None = None) -> tuple[LakeVersion, StoredObject | None]:
    """The newest version, and the state object to which the next commit refers; an empty version of a new lake.

    Args:
        store: The store.
        known: The state that was read before.

    Raises:
        DamagedObject: The state or the list of files cannot be read.
        StoreUnavailable: The store cannot be read.
    """
    state = store.read(STATE, known)
    return (LakeVersion(), None) if state is None else (read_version_of(store, state), state)


def read_version_of(store: ObjectStore, state: StoredObject) -> LakeVersion:
    """The version that a state object names."""
    try:
        facts = json.loads(state.content)
        if facts["format"] != _FORMAT:
            raise DamagedObject(f"{store.address} was written by another version of aisle (form {facts['format']})")
        number, key, pointer, copied_from = (facts[name] for name in ("number", "files", "pointer", "copied_from"))
        listed = store.read(key)
        if listed is None or hashlib.sha256(listed.content).hexdigest()[:_DIGITS] not in key:
            raise DamagedObject(f"{store.address}/{key} is missing or damaged")
        files = {path: StoredFile(*entry) for path, entry in json.loads(gzip.decompress(listed.content)).items()}
        if bad := next((path for path in [*files, pointer or "x"] if not _is_within(path)), None):
            raise DamagedObject(f"{store.address}/{key} names a file that no lake has: {escape_name(bad)}")
    except (ValueError, KeyError, TypeError, EOFError) as error:
        raise DamagedObject(f"{store.address}/{STATE} is not the state of a lake: {error}") from error
    return LakeVersion(number, files, pointer, copied_from, key)


def _is_within(path: str) -> bool:
    """Whether a path stays in the folder to which it is relative, and is none of the records kept there."""
    parts = path.split("/")
    return not any(part in {"", ".."} or part.startswith(".") for part in parts)


def commit_version(
    store: ObjectStore, version: LakeVersion, state: StoredObject | None, facts: Mapping[str, Any]
) -> tuple[LakeVersion, StoredObject]:
    """Commit a version whose files are all uploaded.

    Args:
        store: The store.
        version: The version.
        state: The state that it follows; none for the first.
        facts: Further entries of the state, unlike those of any other writer.

    Raises:
        ObjectChanged: Another version was committed since; nothing has changed.
        StoreUnavailable: The store cannot be written.
    """
    entries = {path: [file.sha256, file.size_bytes] for path, file in sorted(version.files.items())}
    content = gzip.compress(json.dumps(entries, separators=(",", ":")).encode(), mtime=0)
    key = f"versions/{version.number:08}-{hashlib.sha256(content).hexdigest()[:_DIGITS]}.json.gz"
    store.put(key, content)
    release = version.files.get(version.pointer) if version.pointer else None
    described = {
        "format": _FORMAT,
        "number": version.number,
        "files": key,
        "pointer": version.pointer,
        # for other tools: the DuckDB file of the newest release
        "release_key": build_key(version.pointer, release.sha256) if version.pointer and release else None,
        "copied_from": version.copied_from,
        **facts,
    }
    written = store.replace(STATE, json.dumps(described, indent=1).encode(), None if state is None else state.tag)
    return LakeVersion(version.number, version.files, version.pointer, version.copied_from, key), written


def publish_logs(store: ObjectStore, version: LakeVersion) -> None:
    """Copy the logs of the committed Delta tables to where other tools read them.

    It follows the commit, so that they see committed versions only; what a killed writer has left, the next one does.
    """
    published = read_published_logs(store)
    logs = {name: file.sha256 for name, file in version.files.items() if is_log(name)}
    changed = sorted(name for name, digest in logs.items() if published.get(name) != digest)
    gone = [name for name in published if name not in logs]
    if not changed and not gone:
        return
    # an entry of a log that was begun again must not be read together with later ones of the old log
    renewed = {name.rpartition("/")[0] for name in changed if name in published and name.endswith(".json")}
    store.delete(name for name in gone if name.rpartition("/")[0] in renewed)
    for is_hint in (False, True):  # the hint at the last checkpoint follows what it leads to
        part = [name for name in changed if name.endswith("_last_checkpoint") == is_hint]
        run_parallel(lambda name: store.copy(build_key(name, logs[name]), name), part)
    store.delete(gone)
    store.put(PUBLISHED_LOGS, json.dumps(logs, indent=1).encode())


def read_published_logs(store: ObjectStore) -> dict[str, str]:
    """The logs that other tools can read, each with its SHA-256; empty if it is not known."""
    found = store.read(PUBLISHED_LOGS)
    try:
        return dict(json.loads(found.content)) if found else {}
    except ValueError:
        return {}
