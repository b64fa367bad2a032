"""The command line as a person uses it: what it takes, what it says, how it prints, with which exit code."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from orchestration.ingest.snapshots import all_refusals, all_snapshots
from tests.conftest import aisle
from tests.ingest.test_parser_process import HTML
from tests.sources.test_lab_sheet import GOOD, table
from warehouse.lake import PROJECT, Lake

QUERY = "select lab, published_year, works from mart.publications_by_lab_year order by all limit 2"


def test_help_teaches(tmp_path: Path) -> None:
    for command in ("run", "add", "status", "sql", "rejects", "dashboard", "ui"):
        assert command in aisle(tmp_path, "--help").stdout
        assert "Usage: aisle" in aisle(tmp_path, command, "--help").stdout


def test_added_twice_is_held_once(tmp_path: Path) -> None:
    path, lake = tmp_path / "sheet.csv", Lake(tmp_path / "lake")
    path.write_bytes(table(GOOD))
    first, second = aisle(lake.root, "add", str(path)), aisle(lake.root, "add", str(path))
    assert "lab_sheet, 1 records" in first.stderr
    assert ", new)" in first.stderr
    assert "already held since" in second.stderr
    assert first.returncode == second.returncode == 0
    assert len(all_snapshots(lake)) == 1


def test_folder_is_added_and_what_is_refused_is_kept_aside(tmp_path: Path) -> None:
    folder, lake = tmp_path / "files", Lake(tmp_path / "lake")
    folder.mkdir()
    (folder / "good.txt").write_bytes(table(GOOD))
    (folder / "page.csv").write_bytes(HTML)
    (folder / ".hidden").write_bytes(b"\0")
    done = aisle(lake.root, "add", str(folder))
    assert done.returncode == 1
    assert "page.csv: refused: found a sign-in page titled “Sign in - Accounts”" in done.stderr
    assert "1 of 2 were not taken" in done.stderr
    (refusal,) = all_refusals(lake)
    assert (lake.refused / refusal.sha256[:16] / "content").read_bytes() == HTML
    assert "page.csv: whole file: found a sign-in page" in aisle(lake.root, "rejects").stdout


@pytest.mark.parametrize("path", ["no-such-file.csv", "/proc/1/mem"])
def test_file_that_cannot_be_read_is_told_in_a_sentence(tmp_path: Path, path: str) -> None:
    done = aisle(tmp_path, "add", path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert path in done.stderr


def test_device_and_pipe_are_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in ("/dev/zero", str(pipe)):
        done = aisle(tmp_path / "lake", "add", path, timeout=60)
        assert done.returncode == 1
        assert "not a regular file" in done.stderr


def test_output_into_a_closed_pipe_ends_quietly(released_lake: Lake) -> None:
    script = f"{sys.executable} -c 'from orchestration.cli.app import main; main()' sql 'from range(200000)' --format csv | head -1"
    environment = {**os.environ, "AISLE_LAKE": str(released_lake.root)}
    done = subprocess.run(script, shell=True, env=environment, capture_output=True, text=True, check=False)  # noqa: S602
    assert done.stdout == "range\n"
    assert "Traceback" not in done.stderr
    assert "unexpected" not in done.stderr


@pytest.mark.parametrize("command", ["run", "status", "add"])
def test_lake_that_is_a_file_is_told_in_a_sentence(tmp_path: Path, command: str) -> None:
    (tmp_path / "lake").write_text("a file")
    sheet = tmp_path / "sheet.csv"
    sheet.write_bytes(table(GOOD))
    done = aisle(tmp_path / "lake", command, *([str(sheet)] if command == "add" else []))
    assert "Traceback" not in done.stderr
    assert done.returncode == 1


def test_owner_is_kept_with_the_page(tmp_path: Path) -> None:
    path, lake = tmp_path / "page.txt", Lake(tmp_path / "lake")
    path.write_text(
        "Posts\nComments\nThanks for this one, it helped me a lot.\nYep, that is how I see it too.\n", encoding="utf-8"
    )
    assert aisle(lake.root, "add", str(path), "--owner", "A. Person").returncode == 0
    assert all_snapshots(lake)[0].hints == {"owner": "A. Person"}


def test_saved_page_that_does_not_say_its_address_is_added_with_it(tmp_path: Path) -> None:
    lake, page = Lake(tmp_path / "lake"), tmp_path / "page.html"
    page.write_text(
        f"<!doctype html><html><title>A work</title><h1>A work</h1><p>{'Words of it. ' * 50}", encoding="utf-8"
    )
    refused = aisle(lake.root, "add", str(page))
    assert refused.returncode == 1
    assert "as lab_pages: a page that does not say its address" in refused.stderr
    url = "https://alignment.anthropic.com/2025/a-work/"
    done = aisle(lake.root, "add", "--url", url, str(page))
    assert done.returncode == 0, done.stderr
    assert "lab_pages, 1 records" in done.stderr
    (snapshot,) = all_snapshots(lake)
    assert snapshot.hints == {"url": url}
    assert (
        "--url x: expected an absolute http or https address" in aisle(lake.root, "add", "--url", "x", str(page)).stderr
    )
    assert "that one file alone" in aisle(lake.root, "add", "--url", url, str(page), str(page)).stderr


def test_query_in_all_forms(released_lake: Lake, tmp_path: Path) -> None:
    expected = [("Anthropic", "2022-01-01", 9), ("Anthropic", "2023-01-01", 12)]
    shown = aisle(released_lake.root, "sql", QUERY, "--format", "csv").stdout
    assert [(r["lab"], r["published_year"], int(r["works"])) for r in csv.DictReader(io.StringIO(shown))] == expected
    shown = aisle(released_lake.root, "sql", QUERY, "--format", "json").stdout
    assert [tuple(row.values()) for row in json.loads(shown)] == expected
    shown = aisle(released_lake.root, "sql", QUERY, "--format", "markdown").stdout
    assert shown.splitlines()[2] == "| Anthropic | 2022-01-01 | 9 |"
    path = tmp_path / "rows.parquet"
    assert aisle(released_lake.root, "sql", QUERY, "--format", "parquet", "--output", str(path)).returncode == 0
    assert [(lab, str(year), works) for lab, year, works in pl.read_parquet(path).rows()] == expected
    assert "Anthropic" in aisle(released_lake.root, "sql", QUERY).stdout


def test_query_from_standard_input_and_wrong_ones(released_lake: Lake) -> None:
    command = [sys.executable, "-c", "from orchestration.cli.app import main; main()", "sql", "--format", "csv"]
    done = subprocess.run(
        command,
        input="select 6 * 7 as answer",
        env={"AISLE_LAKE": str(released_lake.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "answer\n42\n"
    for wrong in (
        "selec 1",
        "from mart.no_such_table",
        "delete from clean.publications",
        "insert into mart.publications_by_lab_year values (1)",
    ):
        done = aisle(released_lake.root, "sql", wrong)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
    assert "there are v1" in aisle(released_lake.root, "sql", "--release", "v9", "select 1").stderr
    assert "42" in aisle(released_lake.root, "sql", "--release", "v1", "select 42").stdout


def test_inbox_is_emptied_into_the_lake(released_lake: Lake, tmp_path: Path) -> None:
    from orchestration.ingest.raw import take_in

    lake, told = Lake(tmp_path / "lake"), []
    lake.inbox.mkdir(parents=True)
    (lake.inbox / "sheet.csv").write_bytes(table(GOOD))
    (lake.inbox / "page.html").write_bytes(HTML)
    take_in(lake, told.append)
    assert list(lake.inbox.iterdir()) == []
    assert {snapshot.origin for snapshot in all_snapshots(lake)} == {"inbox", "bundled"}
    assert len(all_refusals(lake)) == 1
    assert any(line.startswith("refused page.html") for line in told)


def test_bundled_facts_can_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestration.ingest.raw import take_in

    monkeypatch.setenv("AISLE_BUNDLED", "no")
    take_in(Lake(tmp_path), lambda _: None)
    assert all_snapshots(Lake(tmp_path)) == []


_DEAF = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
_WAITING = f"""
import signal, sys
from orchestration import cli
signal.signal(signal.SIGINT, signal.default_int_handler)  # which what runs in the background may not have
sys.exit(cli._until_stopped([sys.executable, "-c", {_DEAF!r}]))
"""


def test_server_that_hears_nothing_ends_at_the_second_interrupt() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _WAITING], cwd=PROJECT, stdout=subprocess.PIPE, text=True, process_group=0
    ) as waiting:
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "up\n"
        os.killpg(waiting.pid, signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1)
        os.killpg(waiting.pid, signal.SIGINT)
        assert waiting.wait(60) != 0
        assert waiting.stdout.read() == ""  # the server, which holds the other end, is gone too
