"""The command line as a person uses it: arguments, messages, formats and exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from orchestration.ingest.refused import list_refused_files
from orchestration.ingest.snapshots import list_snapshots
from tests.conftest import run_aisle
from tests.ingest.test_parser_process import HTML
from tests.sources.test_lab_sheet import GOOD, build_csv
from warehouse.lake import Lake

QUERY = "select lab, published_year, works from mart.publications_by_lab_year order by all limit 2"


def test_help_lists_the_commands(tmp_path: Path) -> None:
    for command in ("run", "add", "status", "sql", "rejects", "dashboard", "ui"):
        assert command in run_aisle(tmp_path, "--help").stdout
        assert "Usage: aisle" in run_aisle(tmp_path, command, "--help").stdout


def test_file_added_twice_is_stored_once(tmp_path: Path) -> None:
    path, lake = tmp_path / "sheet.csv", Lake(tmp_path / "lake")
    path.write_bytes(build_csv(GOOD))
    first, second = run_aisle(lake.root, "add", str(path)), run_aisle(lake.root, "add", str(path))
    assert "lab_sheet, 1 records" in first.stderr
    assert ", new)" in first.stderr
    assert "already stored since" in second.stderr
    assert first.returncode == second.returncode == 0
    assert len(list_snapshots(lake)) == 1


def test_folder_is_added_and_refused_files_are_kept(tmp_path: Path) -> None:
    folder, lake = tmp_path / "files", Lake(tmp_path / "lake")
    folder.mkdir()
    (folder / "good.txt").write_bytes(build_csv(GOOD))
    (folder / "page.csv").write_bytes(HTML)
    for name in (".hidden", "~$page.xlsx", "Thumbs.db", "sheet.csv.part"):
        (folder / name).write_bytes(b"\0")
    (folder / "folder").symlink_to(folder)
    result = run_aisle(lake.root, "add", str(folder), str(folder / "~$page.xlsx"))
    assert result.returncode == 1
    assert "skipped Thumbs.db, ~$page.xlsx, ~$page.xlsx: left behind by a desktop or an editor" in result.stderr
    assert "skipped .hidden: hidden" in result.stderr
    assert "skipped sheet.csv.part: a download that is not complete, by the name; rename it to add it" in result.stderr
    assert "folder: refused: found a link to a folder, which is not followed; it was left where it is" in result.stderr
    assert "page.csv: refused: found a sign-in page titled “Sign in - Accounts”" in result.stderr
    assert "2 of 3 were not added" in result.stderr
    (refusal,) = list_refused_files(lake)
    assert (lake.refused / refusal.sha256[:16] / "content").read_bytes() == HTML
    assert "page.csv: whole file: found a sign-in page" in run_aisle(lake.root, "rejects").stdout


def test_table_with_other_headers_is_added_with_confirmed_or_given_columns(tmp_path: Path) -> None:
    path, lake = tmp_path / "list.csv", Lake(tmp_path / "lake")
    path.write_text("Paper name,Paper link\nA title,https://example.org/1\n", encoding="utf-8")
    refused = run_aisle(lake.root, "add", str(path))
    assert refused.returncode == 1
    assert re.search(r"title +Paper name +name +A title", refused.stderr)
    assert len(list_refused_files(lake)) == 1
    unknown = run_aisle(lake.root, "add", "--map", "name=Paper name", str(path))
    assert (
        "--map name=Paper name: expected COLUMN=HEADER with a column among abstract, abstract_sha256" in unknown.stderr
    )
    given = run_aisle(lake.root, "add", "--map", "title=Paper name", "--map", "url=Paper link", str(path))
    assert given.returncode == 0
    assert list_refused_files(lake) == []
    (snapshot,) = list_snapshots(lake)
    assert json.loads(snapshot.hints["columns"]) == {"title": "Paper name", "url": "Paper link"}
    path.write_text("Paper link,Paper name\nhttps://example.org/2,Another title\n", encoding="utf-8")
    remembered = run_aisle(lake.root, "add", str(path))
    assert "1 records" in remembered.stderr
    assert "read as mappings.toml has it" in remembered.stderr
    path.write_text("Paper name,Link to paper\nÜber,https://example.org/1\n", encoding="windows-1252")
    assert "--encoding windows-1252" in run_aisle(lake.root, "add", "--yes", str(path)).stderr
    assert run_aisle(lake.root, "add", "--yes", "--encoding", "windows-1252", str(path)).returncode == 0


@pytest.mark.parametrize("path", ["no-such-file.csv", "/proc/1/mem"])
def test_unreadable_file_is_reported_without_traceback(tmp_path: Path, path: str) -> None:
    result = run_aisle(tmp_path, "add", path)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert path in result.stderr


def test_device_and_pipe_are_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in ("/dev/zero", str(pipe)):
        result = run_aisle(tmp_path / "lake", "add", path)
        assert result.returncode == 1
        assert "not a regular file" in result.stderr


def test_output_into_a_closed_pipe_ends_quietly(released_lake: Lake) -> None:
    script = f"{sys.executable} -c 'from orchestration.cli.app import main; main()' sql 'from range(200000)' --format csv | head -1"
    environment = {**os.environ, "AISLE_LAKE": str(released_lake.root)}
    result = subprocess.run(script, shell=True, env=environment, capture_output=True, text=True, check=False)  # noqa: S602
    assert result.stdout == "range\n"
    assert "Traceback" not in result.stderr
    assert "unexpected" not in result.stderr


@pytest.mark.parametrize("command", ["run", "status", "add"])
def test_lake_that_is_a_file_is_reported_without_traceback(tmp_path: Path, command: str) -> None:
    (tmp_path / "lake").write_text("a file")
    sheet = tmp_path / "sheet.csv"
    sheet.write_bytes(build_csv(GOOD))
    result = run_aisle(tmp_path / "lake", command, *([str(sheet)] if command == "add" else []))
    assert "Traceback" not in result.stderr
    assert result.returncode == 1


def test_owner_is_stored_with_the_page(tmp_path: Path) -> None:
    path, lake = tmp_path / "page.txt", Lake(tmp_path / "lake")
    path.write_text(
        "Posts\nComments\nThanks for this one, it helped me a lot.\nYep, that is how I see it too.\n", encoding="utf-8"
    )
    assert run_aisle(lake.root, "add", str(path), "--owner", "A. Person").returncode == 0
    assert list_snapshots(lake)[0].hints == {"owner": "A. Person"}


def test_saved_page_without_its_address_is_added_with_url(tmp_path: Path) -> None:
    lake, page = Lake(tmp_path / "lake"), tmp_path / "page.html"
    page.write_text(
        f"<!doctype html><html><title>A work</title><h1>A work</h1><p>{'Words of it. ' * 50}", encoding="utf-8"
    )
    refused = run_aisle(lake.root, "add", str(page))
    assert refused.returncode == 1
    assert "as lab_pages: a page that does not give its address" in refused.stderr
    url = "https://alignment.anthropic.com/2025/a-work/"
    result = run_aisle(lake.root, "add", "--url", url, str(page))
    assert result.returncode == 0, result.stderr
    assert "lab_pages, 1 records" in result.stderr
    (snapshot,) = list_snapshots(lake)
    assert snapshot.hints == {"url": url}
    assert (
        "--url x: expected an absolute http or https address"
        in run_aisle(lake.root, "add", "--url", "x", str(page)).stderr
    )
    assert "that one file alone" in run_aisle(lake.root, "add", "--url", url, str(page), str(page)).stderr


def test_query_prints_rows_in_all_formats(released_lake: Lake, tmp_path: Path) -> None:
    expected = [("Anthropic", "2022-01-01", 9), ("Anthropic", "2023-01-01", 12)]
    shown = run_aisle(released_lake.root, "sql", QUERY, "--format", "csv").stdout
    assert [(r["lab"], r["published_year"], int(r["works"])) for r in csv.DictReader(io.StringIO(shown))] == expected
    shown = run_aisle(released_lake.root, "sql", QUERY, "--format", "json").stdout
    assert [tuple(row.values()) for row in json.loads(shown)] == expected
    shown = run_aisle(released_lake.root, "sql", QUERY, "--format", "markdown").stdout
    assert shown.splitlines()[2] == "| Anthropic | 2022-01-01 | 9 |"
    path = tmp_path / "rows.parquet"
    assert run_aisle(released_lake.root, "sql", QUERY, "--format", "parquet", "--output", str(path)).returncode == 0
    assert [(lab, str(year), works) for lab, year, works in pl.read_parquet(path).rows()] == expected
    assert "Anthropic" in run_aisle(released_lake.root, "sql", QUERY).stdout


def test_query_is_read_from_standard_input_and_wrong_ones_fail(released_lake: Lake) -> None:
    command = [sys.executable, "-c", "from orchestration.cli.app import main; main()", "sql", "--format", "csv"]
    result = subprocess.run(
        command,
        input="select 6 * 7 as answer",
        env={"AISLE_LAKE": str(released_lake.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout == "answer\n42\n"
    for wrong in (
        "selec 1",
        "from mart.no_such_table",
        "delete from clean.publications",
        "insert into mart.publications_by_lab_year values (1)",
    ):
        result = run_aisle(released_lake.root, "sql", wrong)
        assert result.returncode == 1
        assert "Traceback" not in result.stderr
    assert "there are v1" in run_aisle(released_lake.root, "sql", "--release", "v9", "select 1").stderr
    assert "42" in run_aisle(released_lake.root, "sql", "--release", "v1", "select 42").stdout


def test_inbox_is_read_under_the_lock_of_the_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def try_to_lock(lake: Lake, _: object) -> None:
        with lake.lock(wait=False):
            pytest.fail("another run could read the inbox at the same time")

    monkeypatch.setattr("orchestration.ingest.inbox.add_waiting_files", try_to_lock)
    assert "another run uses the lake" in run_aisle(tmp_path / "lake", "run").stderr


def test_bundled_facts_can_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestration.ingest.inbox import add_waiting_files

    monkeypatch.setenv("AISLE_BUNDLED", "no")
    add_waiting_files(Lake(tmp_path), lambda _: None)
    assert list_snapshots(Lake(tmp_path)) == []
