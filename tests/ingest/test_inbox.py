"""The inbox: what is taken, what waits, what is refused, and that no byte is ever lost."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.ingest import inbox, refused
from orchestration.ingest.inbox_files import describe_waiting_files, find_waiting_files
from orchestration.ingest.refused import list_refused_files, locate_refused
from orchestration.ingest.snapshots import get_content_path, list_snapshots
from orchestration.sources.shared.document import MAX_BYTES
from tests.ingest.test_parser_process import HTML
from tests.sources.test_lab_sheet import GOOD, build_csv
from tests.support.inboxes import list_contents, list_inbox, make_lake, take  # noqa: F401 - a fixture
from warehouse.lake import Lake

SHEET = build_csv(GOOD)


@pytest.fixture
def writer(lake: Lake) -> Iterator[Callable[[str, bytes], subprocess.Popen[str]]]:
    """Starts a process that writes a file of the inbox and keeps it open for writing until it is stopped."""
    processes: list[subprocess.Popen[str]] = []

    def start(name: str, content: bytes) -> subprocess.Popen[str]:
        script = "import sys; f = open(sys.argv[1], 'wb', 0); f.write(bytes.fromhex(sys.argv[2])); print(flush=True)"
        script += "; f.write(bytes.fromhex(sys.stdin.readline()))"
        command = [sys.executable, "-c", script, str(lake.inbox / name), content.hex()]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_taken_files_are_removed_and_refused_ones_kept(lake: Lake) -> None:
    (lake.inbox / "person").mkdir()
    for name, content in {"sheet.csv": SHEET, "person/sheet.csv": build_csv([*GOOD[:1], "B", *GOOD[2:]])}.items():
        (lake.inbox / name).write_bytes(content)
    (lake.inbox / "page.html").write_bytes(HTML)
    log = take(lake)
    assert list_inbox(lake) == set()
    assert [snapshot.origin for snapshot in list_snapshots(lake)] == ["inbox", "inbox"]
    (refusal,) = list_refused_files(lake)
    assert locate_refused(lake, refusal.sha256).read_bytes() == HTML
    assert "added person/sheet.csv: 1 records of lab_sheet" in log
    assert "refused page.html: found a sign-in page" in log
    (lake.inbox / "again.csv").write_bytes(SHEET)
    assert "already stored since" in take(lake)
    assert list_inbox(lake) == set()


def test_file_that_a_process_still_writes_is_taken_when_it_is_complete(
    lake: Lake, writer: Callable[[str, bytes], subprocess.Popen[str]]
) -> None:
    process = writer("slow.csv", SHEET[:60])
    assert f"left slow.csv in the inbox: process {process.pid} still has it open for writing" in take(lake)
    assert list_contents(lake) == set()
    process.communicate(SHEET[60:].hex() + "\n")
    assert "added slow.csv" in take(lake)
    assert list_contents(lake) == {SHEET}
    assert list_inbox(lake) == set()


def test_file_that_grows_is_left(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLE_INBOX_SETTLE_SECONDS", "3600")
    path, other = lake.inbox / "grows.csv", lake.inbox / "rests.csv"
    path.write_bytes(SHEET[:60])
    other.write_bytes(SHEET)
    waits = []

    def write_the_rest(seconds: float) -> None:
        waits.append(seconds)
        path.write_bytes(SHEET)

    monkeypatch.setattr(time, "sleep", write_the_rest)
    log = take(lake)
    assert "left grows.csv in the inbox: it is still being written; a later run takes it" in log
    assert "added rests.csv" in log
    assert list_inbox(lake) == {"grows.csv"}
    assert 0 < waits[0] <= 3600


def take_and_change(lake: Lake, change: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> str:
    """Add the files of the inbox, with something that happens once the bytes of one were read and stored."""
    store = inbox._store

    def store_then_change(*arguments: object) -> Path:
        stored = store(*arguments)  # type: ignore[arg-type]
        change()
        return stored

    with monkeypatch.context() as patch:
        patch.setattr(inbox, "_store", store_then_change)
        return take(lake)


NEW = SHEET + b"one more row, of somebody who was not done yet"


@pytest.mark.parametrize("way", ["appended", "replaced", "rewritten in place with its old times", "removed"])
def test_file_that_changes_after_it_was_read_is_never_removed(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    path = lake.inbox / "sheet.csv"
    path.write_bytes(SHEET)
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns

    def change() -> None:
        if way == "removed":
            path.unlink()
        elif way == "replaced":
            new = path.with_name(".new")
            new.write_bytes(SHEET)
            new.replace(path)
        elif way == "appended":
            path.write_bytes(NEW)
        else:
            path.write_bytes(SHEET.replace(b"title", b"TITLE"))
            os.utime(path, ns=times)

    log = take_and_change(lake, change, monkeypatch)
    assert SHEET in list_contents(lake)
    if way == "removed":
        assert list_inbox(lake) == set()
        return
    assert list_inbox(lake) == {"sheet.csv"}
    assert "left sheet.csv in the inbox:" in log
    content = path.read_bytes()
    take(lake)
    assert content in list_contents(lake)
    assert list_inbox(lake) == set()


def test_file_put_in_its_place_while_it_is_moved_aside_is_put_back(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    path, rename = lake.inbox / "sheet.csv", Path.rename
    path.write_bytes(SHEET)

    def replace_then_rename(self: Path, target: Path) -> Path:
        if self == path:
            path.unlink()
            path.write_bytes(NEW)
        moved = rename(self, target)
        if self == path:
            path.write_bytes(HTML)  # and yet another takes its name
        return moved

    monkeypatch.setattr(Path, "rename", replace_then_rename)
    assert "another file was put in its place" in take(lake)
    assert {(lake.inbox / name).read_bytes() for name in list_inbox(lake)} == {NEW, HTML}


@pytest.mark.trials("what killed runs leave in the inbox")
def test_file_aside_of_a_killed_run_is_put_back_and_taken(lake: Lake) -> None:
    aside = lake.inbox / "person" / ".taking-killed"
    aside.mkdir(parents=True)
    (aside / "sheet.csv").write_bytes(SHEET)
    (lake.inbox / "person" / "sheet.csv").write_bytes(HTML)
    log = take(lake)
    assert "added person/2 sheet.csv" in log
    assert list_contents(lake) == {SHEET, HTML}
    assert list_inbox(lake) == set()
    assert not aside.exists()


@pytest.mark.trials("full disk", 2)
def test_lake_that_is_full_loses_nothing(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for name, content in {"sheet.csv": SHEET, "page.html": HTML}.items():
        (lake.inbox / name).write_bytes(content)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            with pytest.raises(OSError, match="No space left"):
                take(lake)
        assert list_inbox(lake) == {name}
        assert list(lake.root.rglob(".draft-*")) == []
        take(lake)
        assert list_inbox(lake) == set()


def test_stored_bytes_that_cannot_be_proved_keep_the_file(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    (lake.inbox / "sheet.csv").write_bytes(SHEET)

    def damage() -> None:
        (content,) = lake.snapshots.glob("*/*/content")
        content.chmod(0o644)
        content.write_bytes(SHEET[:-1])

    with pytest.raises(OSError, match=r"does not have the bytes of sheet\.csv, which was left in the inbox"):
        take_and_change(lake, damage, monkeypatch)
    assert list_inbox(lake) == {"sheet.csv"}


@pytest.mark.parametrize("can_be_moved", [True, False])
def test_file_that_is_too_large_is_moved_to_the_refused_ones(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, can_be_moved: bool
) -> None:
    path = lake.inbox / "large.csv"
    with path.open("wb") as file:
        file.write(SHEET)
        file.truncate(MAX_BYTES + 1)
    inode = path.stat().st_ino
    monkeypatch.setattr(inbox, "read_file", lambda _: pytest.fail("it was read into memory"))
    if not can_be_moved:  # as to another file system
        rename = refused._rename
        monkeypatch.setattr(refused, "_rename", lambda source, target: source != path and rename(source, target))
    log = take(lake)
    (refusal,) = list_refused_files(lake)
    kept = locate_refused(lake, refusal.sha256)
    assert f"found {MAX_BYTES + 1:,} bytes; the limit is {MAX_BYTES:,}" in refusal.reason
    assert str(kept) in log
    assert kept.stat().st_size == refusal.size_bytes == MAX_BYTES + 1
    assert (kept.stat().st_ino == inode) == can_be_moved
    assert list_inbox(lake) == set()


@pytest.mark.trials("what killed runs leave in the inbox")
def test_large_file_of_a_killed_move_is_moved_by_the_next_run(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MAX_BYTES", 10)
    path = lake.inbox / "large.csv"
    path.write_bytes(SHEET)

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(refused, "_rename", kill)
        with pytest.raises(KeyboardInterrupt):
            take(lake)
    assert path.read_bytes() == SHEET
    take(lake)
    assert list_contents(lake) == {SHEET}
    path.write_bytes(SHEET)  # and the same file once more
    take(lake)
    assert list_inbox(lake) == set()


def test_target_of_a_link_and_other_names_of_a_file_stay(lake: Lake, tmp_path: Path) -> None:
    target, other_name = tmp_path / "target.csv", tmp_path / "other name.csv"
    target.write_bytes(SHEET)
    other_name.write_bytes(build_csv([*GOOD[:1], "B", *GOOD[2:]]))
    (lake.inbox / "absolute.csv").symlink_to(target)
    (lake.inbox / "relative.csv").symlink_to(os.path.relpath(target, lake.inbox))
    (lake.inbox / "hard.csv").hardlink_to(other_name)
    take(lake)
    assert list_inbox(lake) == set()
    assert target.read_bytes() == SHEET
    assert list_contents(lake) == {SHEET, other_name.read_bytes()}


def test_large_file_behind_a_link_is_copied(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MAX_BYTES", 10)
    (tmp_path / "target.csv").write_bytes(SHEET)
    (lake.inbox / "link.csv").symlink_to(tmp_path / "target.csv")
    take(lake)
    assert list_inbox(lake) == set()
    assert (tmp_path / "target.csv").read_bytes() == SHEET
    assert list_contents(lake) == {SHEET}


def test_read_only_file_is_taken(lake: Lake) -> None:
    (lake.inbox / "sheet.csv").write_bytes(SHEET)
    (lake.inbox / "sheet.csv").chmod(0o444)
    take(lake)
    assert list_inbox(lake) == set()


def test_file_that_cannot_be_removed_is_kept_and_reported(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    make = tempfile.mkdtemp

    def make_outside_of_the_inbox(**options: Any) -> str:
        if options["dir"] == lake.inbox:
            raise OSError(errno.EROFS, "Read-only file system")
        return make(**options)

    (lake.inbox / "sheet.csv").write_bytes(SHEET)
    monkeypatch.setattr(tempfile, "mkdtemp", make_outside_of_the_inbox)
    log = take(lake)
    assert "sheet.csv: 1 records" in log
    assert "sheet.csv is kept, but cannot be removed from the inbox: Read-only file system" in log
    assert list_inbox(lake) == {"sheet.csv"}


@pytest.mark.trials("what killed runs leave in the inbox")
def test_drafts_of_killed_adds_are_removed(lake: Lake) -> None:
    drafts = [lake.snapshots / "lab_sheet" / ".draft-1", lake.refused / ".draft-2"]
    for draft in drafts:
        draft.mkdir(parents=True)
        (draft / "content").write_bytes(b"half")
    record = lake.root / ".checks.json.4711"
    record.write_text("{")
    assert "removed 3 drafts that killed processes had left" in take(lake)
    assert not any(draft.exists() for draft in [*drafts, record])
    assert "removed" not in take(lake)


def test_waiting_files_are_described_by_their_state_and_by_what_a_run_left(
    lake: Lake, writer: Callable[[str, bytes], subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def describe() -> str:
        return describe_waiting_files(lake.inbox, find_waiting_files(lake.inbox))

    (lake.inbox / "sheet.csv").write_bytes(SHEET)
    first = describe()
    assert describe() == first
    process = writer("sheet.csv", SHEET)
    take(lake)  # leaves it, since it is open
    assert find_waiting_files(lake.inbox).ready == {}
    process.kill()
    process.wait()
    left = describe()
    assert left != first
    assert describe() == left
    (lake.inbox / "sheet.csv").chmod(0o600)
    assert describe() != left
    monkeypatch.setenv("AISLE_INBOX_SETTLE_SECONDS", "3600")
    assert [reason for _, reason in find_waiting_files(lake.inbox).unsettled] == ["it is still being written"]


def test_snapshot_of_the_inbox_has_the_name_of_the_file(lake: Lake) -> None:
    (lake.inbox / "person").mkdir()
    (lake.inbox / "person" / "sheet.csv").write_bytes(SHEET)
    take(lake)
    (snapshot,) = list_snapshots(lake)
    assert snapshot.original_name == "sheet.csv"
    assert get_content_path(lake, snapshot).read_bytes() == SHEET
