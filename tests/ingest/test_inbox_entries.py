"""Entries of the inbox that are not a file with a plain name: strange names, no data, and what cannot be read."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.ingest.refused import list_refused_files, locate_refused
from orchestration.ingest.snapshots import list_snapshots
from tests.ingest.test_inbox import SHEET
from tests.ingest.test_parser_process import HTML
from tests.sources.test_lab_sheet import GOOD, build_csv
from tests.support.inboxes import list_contents, list_inbox, make_lake, take  # noqa: F401 - a fixture
from warehouse.lake import Lake

NOT_UTF8 = os.fsdecode(b"sheet\xff.csv")


@pytest.mark.parametrize("content", [SHEET, HTML])
def test_name_that_is_not_utf8_is_a_refusal_of_its_own(lake: Lake, content: bytes) -> None:
    (lake.inbox / NOT_UTF8).write_bytes(content)
    (lake.inbox / "good.csv").write_bytes(build_csv([*GOOD[:1], "Good", *GOOD[2:]]))
    log = take(lake)
    (refusal,) = list_refused_files(lake)
    assert (refusal.original_name, refusal.reason[:27]) == (r"sheet\xff.csv", "its name is not valid UTF-8")
    assert locate_refused(lake, refusal.sha256).read_bytes() == content
    assert "added good.csv" in log
    log.encode()
    assert list_inbox(lake) == set()


@pytest.mark.parametrize(
    "name",
    [
        "two\nlines.csv",
        "red\x1b[31m.csv",
        "tab\t.csv",
        "é" * 125 + ".csv",
        "right\u202eleft.csv",
        " .csv",
        "a[1]*?.csv",
    ],
)
def test_any_other_name_is_taken_and_shown_in_one_line(lake: Lake, name: str) -> None:
    (lake.inbox / name).write_bytes(SHEET)
    (line,) = take(lake).splitlines()
    assert line.startswith("added ")
    assert all(character.isprintable() for character in line)
    (snapshot,) = list_snapshots(lake)
    assert snapshot.original_name.isprintable()
    assert list_inbox(lake) == set()


def build_unreadable(inbox_folder: Path, kind: str) -> Path:
    """An entry of the inbox that cannot be read."""
    path = inbox_folder / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "dangling":
        path.symlink_to("no such file")
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "linked folder":
        (inbox_folder.parent / "elsewhere").mkdir(parents=True)
        (inbox_folder.parent / "elsewhere" / "sheet.csv").write_bytes(SHEET)
        path.symlink_to(inbox_folder.parent / "elsewhere")
    return path


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "dangling", "loop", "linked folder"])
def test_entry_that_cannot_be_read_is_refused_once_and_stays(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(lake.inbox)  # the path of a socket must be short
    build_unreadable(lake.inbox, kind)
    (lake.inbox / "sheet.csv").write_bytes(SHEET)
    first, second = take(lake), take(lake)
    assert f"refused {kind}: found " in first
    assert f"refused {kind}: found " in second
    assert "added sheet.csv" in first
    (refusal,) = list_refused_files(lake)
    assert refusal.original_name == kind
    assert list_inbox(lake) == {kind}
    assert list_contents(lake) == {SHEET}


@pytest.mark.parametrize("entry", ["folder", "sheet.csv"])
def test_entry_without_permission_is_refused_and_taken_once_it_can_be_read(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    (lake.inbox / "folder").mkdir()
    for name in ("folder/inner.csv", "sheet.csv"):
        (lake.inbox / name).write_bytes(SHEET)

    def deny(call: Callable[..., object]) -> Callable[..., object]:
        def deny_entry(path: Path, *arguments: object) -> object:
            if os.fspath(path) == str(lake.inbox / entry):
                raise PermissionError(errno.EACCES, "Permission denied")
            return call(path, *arguments)

        return deny_entry

    with monkeypatch.context() as patch:  # the superuser may read everything, so permissions would test nothing
        patch.setattr("orchestration.ingest.files.os.scandir", deny(os.scandir))
        patch.setattr("orchestration.ingest.files.os.open", deny(os.open))
        log = take(lake)
        assert f"refused {entry}: " in log
        assert "Permission denied; it was left in the inbox" in log
        assert [refusal.original_name for refusal in list_refused_files(lake)] == [entry]
    (left,) = list_inbox(lake)
    assert left.startswith(entry)
    take(lake)
    assert list_inbox(lake) == set()


@pytest.mark.parametrize(
    ("name", "log"),
    [
        ("sheet.csv.part", "left sheet.csv.part in the inbox: a download that is not complete"),
        ("Sheet.XLSX.crdownload", "left Sheet.XLSX.crdownload in the inbox"),
        ("sheet.csv~", "skipped sheet.csv~ in the inbox: no data"),
        ("~$sheet.xlsx", "skipped ~$sheet.xlsx in the inbox"),
        (".~lock.sheet.ods#", "skipped .~lock.sheet.ods# in the inbox"),
        ("desktop.ini", "skipped desktop.ini in the inbox"),
        ("._sheet.csv", "skipped ._sheet.csv in the inbox"),
        (".DS_Store", "skipped .DS_Store in the inbox"),
        (".sheet.csv.x7Gh2", ""),
    ],
)
def test_names_that_are_no_data_stay(lake: Lake, name: str, log: str) -> None:
    (lake.inbox / name).write_bytes(SHEET)
    assert take(lake).startswith(log)
    assert list_inbox(lake) == {name}
    assert list_contents(lake) == set()
