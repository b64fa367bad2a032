"""The recipes of the documents, executed in a copy of the project: a new kind of source and its feed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.fetch.config import read_configuration
from tests.conftest import PROJECT
from tests.support.http_server import ServerResponse, serve_http
from warehouse.lake import Lake
from warehouse.release import read_current_release

GRANTS = [
    {"id": 1, "grantee": "A lab", "amount": 5000, "date": "2026-01-15"},
    {"id": 2, "grantee": "A person", "amount": "much", "date": "2026-02-01"},
    {"id": 3, "grantee": "A school", "amount": 120.5, "date": "2026-03-01"},
]


def list_code_blocks(document: str, language: str) -> list[str]:
    text = (PROJECT / "docs" / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def run_in_copy(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line of a copy of the project with the new kind of source."""
    copy = tmp_path / "project"
    for part in ("orchestration", "transforms", "warehouse", "expectations"):
        shutil.copytree(PROJECT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    (module,) = list_code_blocks("adding.md", "python")
    path = copy / module.splitlines()[0].removeprefix("# ")
    path.write_text("\n".join(module.splitlines()[1:]) + "\n", encoding="utf-8")
    listed = copy / "orchestration" / "sources" / "registry.py"
    text = listed.read_text(encoding="utf-8")
    text = re.sub(r"(^SOURCES[^(]*\()", rf"\1{path.stem}.SOURCE, ", text, flags=re.MULTILINE)
    text = re.sub(
        r"(?=^from orchestration\.sources)",
        f"from orchestration.sources import {path.stem}\n",
        text,
        count=1,
        flags=re.MULTILINE,
    )
    listed.write_text(text, encoding="utf-8")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        script = "import orchestration, sys; from orchestration.cli.app import main; main()"
        environment = {
            **os.environ,
            "PYTHONPATH": str(copy),
            "AISLE_LAKE": str(tmp_path / "lake"),
            "COLUMNS": "200",
            "AISLE_BUNDLED": "no",
        }
        return subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def test_new_kind_of_source_and_its_feed_are_released(
    tmp_path: Path, run_in_copy: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    lake = Lake(tmp_path / "lake")
    lake.root.mkdir()
    (feed,) = list_code_blocks("adding.md", "toml")
    with serve_http(lambda _: ServerResponse(json.dumps(GRANTS).encode())) as server:
        address = re.search(r'url = "(.*?)"', feed)
        assert address is not None
        table = feed.replace(address[1], f"{server.url}/grants.json")
        limits = f'[fetch]\ninterval_seconds = 0.001\nallow_private = ["{server.host}"]\n'
        (lake.root / "feeds.toml").write_text(limits + table, encoding="utf-8")
        result = run_in_copy("fetch")
        assert result.returncode == 0, result.stderr
        assert "✓ small_grants: 1 requests (1 kept), 2 records" in result.stderr
    shown = run_in_copy("sources").stdout
    assert "fund_grants (files and feeds): a JSON list of grants" in shown
    assert "small_grants" in shown
    result = run_in_copy("run")
    assert result.returncode == 0, result.stderr
    assert "all grants: 3 read, 2 kept, 0 repeated, 1 rejected" in result.stderr
    with read_current_release(lake).connect() as connection:
        rows = connection.execute(
            "select grantee, amount_usd, granted_on::varchar from raw.fund_grants order by all"
        ).fetchall()
        assert rows == [("A lab", 5000.0, "2026-01-15"), ("A school", 120.5, "2026-03-01")]
        query = "select feed, licence, origin from raw.snapshots"
        assert connection.execute(query).fetchall() == [("small_grants", "CC BY 4.0", "fetch")]
        query = "select count(*) from reference.dictionary where table_name = 'raw.fund_grants' and column_name = 'amount_usd'"
        assert connection.execute(query).fetchall() == [(1,)]
    (line,) = [line for line in run_in_copy("status").stdout.splitlines() if line.strip().startswith("fund_grants")]
    assert "2026-03-01" in line


@pytest.mark.parametrize("text", list_code_blocks("sources.md", "toml"))
def test_configuration_in_the_documents_is_valid(tmp_path: Path, text: str) -> None:
    (tmp_path / "feeds.toml").write_text(text, encoding="utf-8")
    configuration = read_configuration(Lake(tmp_path))
    assert configuration.fetch.contact == "you@example.org"
    assert [name for name, feed in configuration.feeds.items() if feed.enabled] == ["openai_news", "our_sheet"]


def test_commands_in_the_documents_name_existing_feeds_and_sources() -> None:
    configuration = read_configuration(Lake(Path("no-such-lake")))
    lines = [
        line.partition("#")[0].split() for block in list_code_blocks("sources.md", "sh") for line in block.splitlines()
    ]
    names = [
        word for line in lines if line[:2] == ["aisle", "fetch"] for word in line[2:] if re.fullmatch("[a-z_]+", word)
    ]
    assert len(names) >= 4
    for name in names:
        assert configuration.select_feeds(name)
    days = [line for line in lines if "--since" in line]
    assert all(configuration.select_feeds(line[2])[0].kind.is_windowed for line in days)
