"""The command line and the pages on a lake at a real object store, as a person uses them."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.conftest import run_aisle
from tests.sources.test_lab_sheet import GOOD, build_csv
from tests.support.app_tests import open_page, read_page_text
from tests.support.builders import build_release, make_publication
from tests.support.http_server import ServerResponse, serve_http
from tests.support.sheet_server import write_feeds_config
from warehouse.lake import PROJECT, Lake
from warehouse.lake_tables import list_all_tables
from warehouse.object_store.client import open_store
from warehouse.object_store.copying import copy_lake
from warehouse.release import read_current_release


def run_at(address: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    finished = run_aisle(Path(), *arguments, **{"AISLE_LAKE": address, "AISLE_BUNDLED": "no", **environment})
    assert "Traceback" not in finished.stderr
    return finished


def succeed_at(address: str, *arguments: str, **environment: str) -> str:
    finished = run_at(address, *arguments, **environment)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout + finished.stderr


def read_document(block: int) -> list[list[str]]:
    """The commands of one of the blocks of the document about object storage."""
    text = (PROJECT / "docs" / "object_storage.md").read_text(encoding="utf-8")
    lines = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[block].splitlines()
    return [shlex.split(line.partition("aisle ")[2]) for line in lines if "aisle " in line]


def require_same_after_restore(address: str, folder: Path) -> None:
    """Require that a lake comes back from a backup: every table, and nothing for a run to do."""
    data, restored = Lake(folder / "data"), Lake(folder / "restored")
    succeed_at("", "lake", "copy", address, str(data.root))
    places = {"data": str(data.root), "s3://lakes/backup": f"{address}-backup", "restored": str(restored.root)}
    *copies, run = read_document(1)
    for command in copies:
        assert "copied now" in succeed_at("", *(places.get(word, word) for word in command))
    names = list_all_tables(read_current_release(data).manifest)
    states = {name: data.read_state(name) for name in names if name != "reference.dictionary"}
    assert len(states) > 100
    assert {name: restored.read_state(name) for name in states} == states
    assert read_current_release(restored).content_sha256 == read_current_release(data).content_sha256
    for place in (str(restored.root), f"{address}-backup"):
        assert "nothing new since release v1" in succeed_at(place, *run)


def test_a_lake_at_a_store_is_used_as_one_on_disk(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_work = ["OpenAI", "Another work", "4-Mar-24", "https://openai.com/research/another", "Robustness", ""]
    sheet, count = tmp_path / "sheet.csv", "select count(*) as works from clean.works"
    sheet.write_bytes(build_csv(GOOD))
    monkeypatch.chdir(tmp_path)
    shown = [succeed_at(address, *command) for command in read_document(0) if command != ["dashboard"]]
    for part, output in zip(["lab_sheet, 1 records", "release v1", "release v1", "lab,"], shown, strict=True):
        assert part in output
    assert "nothing new since release v1" in succeed_at(address, "run")

    other = {"AISLE_CACHE": str(tmp_path / "other machine")}
    assert succeed_at(address, "sql", count, "--format", "csv", **other) == "works\n1\n"
    assert "already stored" in succeed_at(address, "add", str(sheet), **other)
    assert "nothing new since release v1" in succeed_at(address, "run", **other)
    require_same_after_restore(address, tmp_path)
    with serve_http(lambda _: ServerResponse(build_csv(other_work))) as server:
        write_feeds_config(Lake.at(address), [server.host], {"sheet": server.url})
        assert "✓ sheet: 1 requests (1 kept), 1 records" in succeed_at(address, "fetch")
    third = {"AISLE_CACHE": str(tmp_path / "third machine")}
    status = succeed_at(address, "status", **third)
    assert re.search(r"lab_sheet +│ +2 │ +1 │", status)  # one of two snapshots waits for a run
    assert "release v1" in status
    assert re.search(r"sheet +│ lab_sheet +│ yes .* complete", succeed_at(address, "sources", **third))
    assert "0 objects of older versions" in succeed_at(address, "prune", **third)


def test_pages_show_a_lake_at_a_store(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Lake(tmp_path / "lake")
    build_release(disk, [make_publication(f"{n:016x}") for n in range(4)])
    build_release(disk, [make_publication(f"{n:016x}") for n in range(5)])
    copy_lake(str(disk.root), address, print)
    lake = Lake.at(address)
    reader = lake.open_for_reading(lambda _: False)
    trends = open_page(lake, monkeypatch, "trends")
    assert not trends.exception
    assert [path.name for path in reader.releases.glob("*.duckdb")] == ["aisle.v2.duckdb"]
    changes = open_page(lake, monkeypatch, "changes")
    assert not changes.exception
    assert "found late" in read_page_text(changes)
    assert sorted(path.name for path in reader.releases.glob("*.duckdb")) == ["aisle.v1.duckdb", "aisle.v2.duckdb"]
    assert "found late" in succeed_at(address, "diff", "v1", "v2", "--format", "csv")
    assert succeed_at(address, "sql", "select 1 as one", "--format", "csv", "--release", "v1") == "one\n1\n"
    older = open_page(lake, monkeypatch, "trends", release="v1")
    assert "You are reading release v1; the newest is v2." in read_page_text(older)


def test_a_store_that_cannot_be_used_is_named(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finished = run_at("s3://no-such-bucket/lake", "run")
    assert finished.returncode == 1
    assert "s3://no-such-bucket/lake: there is no such bucket at http://" in finished.stderr
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    finished = run_at(f"{address}-2", "status")
    assert finished.returncode == 1
    assert "look at AWS_SECRET_ACCESS_KEY" in finished.stderr
    page = open_page(Lake.at(f"{address}-2"), monkeypatch, "overview")
    assert not page.exception
    assert "The lake cannot be reached" in read_page_text(page)
    assert open_store(address).requests == {}
    finished = run_at("s3://bucket/a b", "status")
    assert finished.returncode == 1
    assert "give a folder, or an address such as s3://bucket/prefix" in finished.stderr
