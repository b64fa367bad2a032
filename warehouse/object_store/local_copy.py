"""The folder of this machine with those files of a stored lake that were needed here.

``.brought.json`` names the version of the lake from which the files are, and has the hash and state of each, so that
it is known what is missing, what was changed since, and what was removed.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import uuid
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from warehouse.object_store.client import ObjectStore, open_store, run_parallel
from warehouse.object_store.lake_files import FileState, get_file_state, hash_file, list_lake_files
from warehouse.object_store.versions import LakeVersion, StoredFile, build_key
from warehouse.origin import OriginError

CACHE = "AISLE_CACHE"
_RECORD = ".brought.json"


@dataclass
class BroughtFiles:
    """What is recorded of the files in the folder: from which version they are, and hash and state of each."""

    version_key: str | None = None
    files: dict[str, tuple[StoredFile, FileState]] = field(default_factory=dict)


def locate_copy(address: str, purpose: str) -> Path:
    """The folder of this machine for a lake, below ``AISLE_CACHE`` or the cache folder of the user."""
    named = os.environ.get(CACHE)
    base = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "aisle"
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    name = re.sub(r"[^\w.-]+", "-", address.removeprefix("s3://"), flags=re.ASCII).strip("-")[:80]
    folder = f"{name}-{sha256(f'{endpoint} {address}'.encode()).hexdigest()[:8]}"
    return base.expanduser().resolve() / folder / purpose


class UnusableCache(OriginError):
    """The folder for what this machine keeps of a lake cannot be written; the message names it and its setting."""


@contextmanager
def name_cache(path: Path) -> Generator[None]:
    """Let errors of writing to the cache name its setting, since the lake itself is not damaged.

    Raises:
        UnusableCache: The cache cannot be written.
    """
    try:
        yield
    except OriginError:
        raise
    except OSError as error:
        named = os.environ.get(CACHE)
        where = f"{CACHE}={named}" if named else f"the cache, which {CACHE} names,"
        raise UnusableCache(
            f"{where} cannot be used: {error.strerror or error} ({path}); make room or change its permissions, or name"
            f" another folder with {CACHE}; the lake itself is not affected"
        ) from error


class LocalCopy:
    """Files of a stored lake in a folder.

    Args:
        address: Address of the lake.
        root: The folder.
        store: The store, if it is not the one of the address.
    """

    def __init__(self, address: str, root: Path, store: ObjectStore | None = None) -> None:
        self.address, self.root = address, root
        self.store = open_store(address) if store is None else store
        self.version = LakeVersion()
        self.brought = self._read_record()

    def get_size(self, path: Path) -> int | None:
        """Size of a file of the lake, which need not be here; none if the lake has no such file."""
        try:
            return path.stat().st_size
        except OSError:
            file = self.version.files.get(self._get_name(path))
            return None if file is None else file.size_bytes

    def bring(self, path: Path) -> None:
        """Bring down a file of the lake, or all files of a folder, unless they are here.

        Raises:
            OSError: They cannot be read or written.
        """
        name = self._get_name(path)
        found = [name] if name in self.version.files else [n for n in self.version.files if n.startswith(f"{name}/")]
        if any(n not in self.brought.files for n in found):
            with self.lock_record():
                self.bring_files(found)

    def renew(self, path: Path) -> bool:
        """Bring down a file again whose bytes here are not those of the lake; whether the lake has it.

        Raises:
            OSError: It cannot be read or written.
        """
        name = self._get_name(path)
        if name not in self.version.files:
            return False
        with self.lock_record():
            self.brought.files.pop(name, None)
            path.unlink(missing_ok=True)
            self.bring_files([name])
        return True

    def bring_files(self, names: Iterable[str]) -> int:
        """Bring down those of some files that are not here; returns how many there were. The caller holds the lock."""
        missing = [name for name in names if name not in self.brought.files and not self._keeps(name)]
        if missing:
            try:
                run_parallel(self._bring_file, missing)
            finally:
                self._note_brought()
        return len(missing)

    def _note_brought(self) -> None:
        """Record what was brought down."""
        self.write_record()

    def _keeps(self, name: str) -> bool:
        """Whether a file that is not recorded stays: here if a process that was killed has brought it down whole."""
        path, file = self.root / name, self.version.files[name]
        with suppress(OSError):
            if path.stat().st_size == file.size_bytes and hash_file(path) == file.sha256:
                self.brought.files[name] = file, get_file_state(path.stat())
                return True
        return False

    def _bring_file(self, name: str) -> None:
        file, path = self.version.files[name], self.root / name
        with name_cache(path):
            self.store.download(build_key(name, file.sha256), path, file.sha256)
        if name.startswith(("snapshots/", "refused/")):  # as in a lake on disk
            path.chmod(0o444)
        self.brought.files[name] = file, get_file_state(path.stat())

    def remove_files(self, names: Iterable[str]) -> None:
        """Remove files and the folders that are empty then."""
        for name in names:
            path = self.root / name
            path.unlink(missing_ok=True)
            self.brought.files.pop(name, None)
            with suppress(OSError):
                for folder in path.relative_to(self.root).parents:
                    (self.root / folder).rmdir()  # fails where it is not empty

    def find_present_files(self) -> dict[str, tuple[StoredFile, FileState]]:
        """The files that are here now; those whose state is the recorded one are not read."""
        present = {}
        for name, state in list_lake_files(self.root):
            recorded = self.brought.files.get(name)
            is_known = recorded is not None and recorded[1] == state
            file = recorded[0] if recorded and is_known else StoredFile(hash_file(self.root / name), state[0])
            present[name] = file, state
        return present

    def write_record(self) -> None:
        """Write what is recorded of the files."""
        files = {n: [f.sha256, f.size_bytes, *state] for n, (f, state) in list(self.brought.files.items())}
        draft = self.root / f"{_RECORD}.{os.getpid()}"
        with name_cache(draft):
            self.root.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps({"version": self.brought.version_key, "files": files}), encoding="utf-8")
            draft.replace(self.root / _RECORD)
        self._record_state = self._get_record_state()

    def _get_record_state(self) -> FileState | None:
        with suppress(OSError):
            return get_file_state((self.root / _RECORD).stat())
        return None

    def _read_record(self) -> BroughtFiles:
        self._record_state = self._get_record_state()
        with suppress(OSError, ValueError, KeyError, TypeError):
            stored = json.loads((self.root / _RECORD).read_bytes())
            files = {
                name: (StoredFile(digest, size_bytes), (size, modified, inode))
                for name, (digest, size_bytes, size, modified, inode) in stored["files"].items()
            }
            return BroughtFiles(stored["version"], files)
        return BroughtFiles()

    @contextmanager
    def lock_record(self) -> Generator[None]:
        """Keep other processes from bringing files to this folder."""
        with name_cache(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            file = (self.root / ".brought.lock").open("ab")
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if self._get_record_state() != self._record_state:  # another process has written it
                self.brought = self._read_record()
            yield

    def _get_name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def identify_place(root: Path) -> str:
    """A name of this folder that no other folder has, on no machine."""
    path = root / ".place"
    with name_cache(root):
        root.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError), path.open("x", encoding="utf-8") as file:
            file.write(uuid.uuid4().hex)
    return path.read_text(encoding="utf-8")


def describe_process() -> str:
    """This process and its machine, for messages."""
    return f"process {os.getpid()} on {platform.node()}"
