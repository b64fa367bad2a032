"""Files from outside: which entries of a folder are files to read, and reading one as a whole.

Nothing here changes a file. An entry that can be no data of anybody (what desktops and editors leave behind, a
download that is not complete) is skipped; one that cannot be read is refused with the reason.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.sources.shared.document import MAX_BYTES
from orchestration.sources.source import DocumentRefused

HIDDEN = "hidden"
LEFT_BEHIND = "left behind by a desktop or an editor"
INCOMPLETE = "a download that is not complete"
UTF8_REASON = "its name is not valid UTF-8"
_DROPPINGS = re.compile(
    r"\.DS_Store|\._.*|Thumbs\.db|ehthumbs(_vista)?\.db|desktop\.ini|Icon\r|__MACOSX|\$RECYCLE\.BIN|@eaDir"
    r"|~\$.*|\.?~lock\..*#|~WRL\d+\.tmp|#.*#|.*~|\..*\.sw[a-p]",
    re.IGNORECASE,
)
_INCOMPLETE = re.compile(r".*\.(part|partial|crdownload|download|opdownload|filepart|aria2|tmp|temp)", re.IGNORECASE)
_NOT_REGULAR = "something that is not a regular file (a device, a pipe or a socket)"
_PROCESSES = Path("/proc")


class FileRefused(DocumentRefused):
    """A file that cannot be used and of which no bytes were kept; it is left where it is."""


class FileChanged(OSError):
    """A file was changed or replaced while it was read."""


@dataclass(frozen=True)
class FileState:
    """What tells one state of a file from another: the file itself, its size and when it was last written to.

    Args:
        device: The file system it is on.
        inode: Its number there.
        size_bytes: Its length.
        modified_at_ns: When its content was last changed.
    """

    device: int
    inode: int
    size_bytes: int
    modified_at_ns: int


@dataclass(frozen=True)
class FileReference:
    """A file that is read in place: its path, hash, size in bytes, and the time of its last change."""

    path: str
    sha256: str
    size_bytes: int
    modified_at_ns: int


@dataclass(frozen=True)
class FoundFiles:
    """The entries below a folder.

    Args:
        files: Regular files and links to regular files, sorted.
        skipped: Entries that are no data, each with the kind.
        refused: Entries that cannot be read, each with the reason.
    """

    files: list[Path] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    refused: list[tuple[Path, str]] = field(default_factory=list)


def is_utf8(name: str) -> bool:
    """Whether the name of a file is valid UTF-8."""
    return not any(0xDC80 <= ord(c) <= 0xDCFF for c in name)


def find_reason_to_skip(name: str) -> str | None:
    """Why an entry with this name is skipped, if it is."""
    if _DROPPINGS.fullmatch(name):
        return LEFT_BEHIND
    if name.startswith("."):
        return HIDDEN
    return INCOMPLETE if _INCOMPLETE.fullmatch(name) else None


def find_files(folder: Path) -> FoundFiles:
    """The entries below a folder; links to folders are not followed.

    Raises:
        OSError: The folder itself cannot be read.
    """
    found = FoundFiles()
    _collect(folder, found)
    for entries in (found.files, found.skipped, found.refused):
        entries.sort()
    return found


def _collect(folder: Path, found: FoundFiles) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = Path(entry.path)
            if reason := find_reason_to_skip(entry.name):
                found.skipped.append((path, reason))
            elif entry.is_dir(follow_symlinks=False):
                try:
                    _collect(path, found)
                except OSError as error:
                    found.refused.append((path, f"a folder that cannot be read: {error.strerror}"))
            elif reason := _find_reason_to_refuse(path):
                found.refused.append((path, reason))
            else:
                found.files.append(path)


def _find_reason_to_refuse(path: Path) -> str | None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return f"a link without a target ({error.strerror})" if path.is_symlink() else error.strerror
    if stat.S_ISDIR(mode):
        return "a link to a folder, which is not followed"
    return None if stat.S_ISREG(mode) else _NOT_REGULAR


def get_state(facts: os.stat_result) -> FileState:
    """The state of a file from its status."""
    return FileState(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)


def open_file(path: Path) -> int:
    """A descriptor to read a regular file from; a pipe in its place does not block.

    Raises:
        FileRefused: It is not a regular file.
        OSError: It cannot be opened.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # before it is opened, which can have effects on a device
        raise FileRefused(f"found {_NOT_REGULAR}")
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileRefused(f"found {_NOT_REGULAR}")
    return handle


def read_file(path: Path) -> tuple[bytes, FileState]:
    """The bytes of a file, and the state in which they were read.

    Raises:
        FileRefused: It is not a regular file, or too large.
        FileChanged: It was changed while it was read.
        OSError: It cannot be read.
    """
    with os.fdopen(open_file(path), "rb") as file:
        before = get_state(os.fstat(file.fileno()))
        if before.size_bytes > MAX_BYTES:
            raise FileRefused(f"found {before.size_bytes:,} bytes; the limit is {MAX_BYTES:,}")
        content = file.read(MAX_BYTES + 1)
        if get_state(os.fstat(file.fileno())) != before or len(content) != before.size_bytes:
            raise FileChanged("it was changed while it was read")
    return content, before


def find_writers(states: Iterable[FileState]) -> dict[FileState, int]:
    """Which of these files another process of this machine holds open for writing, with the number of the process.

    Processes of other people cannot be looked into, and nothing is found where there is no ``/proc``.
    """
    wanted = {(state.device, state.inode): state for state in states}
    writers: dict[FileState, int] = {}
    if not wanted:
        return writers
    own = os.getpid()
    for link in _list_descriptors():
        process, descriptor = int(link.parts[-3]), link.name
        try:
            facts = link.stat()
            state = wanted.get((facts.st_dev, facts.st_ino))
            if state is None or process == own:
                continue
            flags = re.search(r"^flags:\s*([0-7]+)$", (link.parents[1] / "fdinfo" / descriptor).read_text(), re.M)
        except OSError:  # closed or ended since
            continue
        if flags and int(flags[1], 8) & os.O_ACCMODE != os.O_RDONLY:
            writers[state] = process
    return writers


def _list_descriptors() -> Iterable[Path]:
    """The links ``/proc/<process>/fd/<number>`` of all processes that this one may look into."""
    try:
        processes = [path for path in _PROCESSES.iterdir() if path.name.isdecimal()]
    except OSError:
        return
    for process in processes:
        try:
            yield from list((process / "fd").iterdir())
        except OSError:
            continue
