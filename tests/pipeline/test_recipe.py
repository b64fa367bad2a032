"""The recipes of the documents, followed to the letter: a kind of source and a feed, in a copy of the project."""

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
from tests.support.http_server import Given, served
from warehouse.lake import Lake
from warehouse.release import current

GRANTS = [
    {"id": 1, "grantee": "A lab", "amount": 5000, "date": "2026-01-15"},
    {"id": 2, "grantee": "A person", "amount": "much", "date": "2026-02-01"},
    {"id": 3, "grantee": "A school", "amount": 120.5, "date": "2026-03-01"},
]


def blocks(document: str, language: str) -> list[str]:
    text = (PROJECT / "docs" / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def in_copy(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line of a copy of the project to which the kind of the recipe was added."""
    copy = tmp_path / "project"
    for part in ("orchestration", "transforms", "warehouse", "expectations"):
        shutil.copytree(PROJECT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    (module,) = blocks("adding.md", "python")
    path = copy / module.splitlines()[0].removeprefix("# ")
    path.write_text("\n".join(module.splitlines()[1:]) + "\n", encoding="utf-8")
    listed = copy / "orchestration" / "sources" / "__init__.py"
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


def test_another_kind_and_another_feed(
    tmp_path: Path, in_copy: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    lake = Lake(tmp_path / "lake")
    lake.root.mkdir()
    (feed,) = blocks("adding.md", "toml")
    with served(lambda _: Given(json.dumps(GRANTS).encode())) as place:
        address = re.search(r'url = "(.*?)"', feed)
        assert address is not None
        told = feed.replace(address[1], f"{place.url}/grants.json")
        limits = f'[fetch]\ninterval_seconds = 0.001\nallow_private = ["{place.host}"]\n'
        (lake.root / "feeds.toml").write_text(limits + told, encoding="utf-8")
        done = in_copy("fetch")
        assert done.returncode == 0, done.stderr
        assert "✓ small_grants: 1 requests (1 kept), 2 records" in done.stderr
    shown = in_copy("sources").stdout
    assert "fund_grants (files and feeds): a JSON list of grants" in shown
    assert "small_grants" in shown
    done = in_copy("run")
    assert done.returncode == 0, done.stderr
    assert "all grants: 3 read, 2 kept, 0 repeated, 1 rejected" in done.stderr
    with current(lake).connect() as connection:
        rows = connection.execute(
            "select grantee, amount_usd, granted_on::varchar from raw.fund_grants order by all"
        ).fetchall()
        assert rows == [("A lab", 5000.0, "2026-01-15"), ("A school", 120.5, "2026-03-01")]
        query = "select feed, licence, origin from raw.snapshots"
        assert connection.execute(query).fetchall() == [("small_grants", "CC BY 4.0", "fetch")]
        query = "select count(*) from reference.dictionary where table_name = 'raw.fund_grants' and column_name = 'amount_usd'"
        assert connection.execute(query).fetchall() == [(1,)]
    (line,) = [line for line in in_copy("status").stdout.splitlines() if line.strip().startswith("fund_grants")]
    assert "2026-03-01" in line


@pytest.mark.parametrize("text", blocks("sources.md", "toml"))
def test_configuration_of_the_documents_can_be_used(tmp_path: Path, text: str) -> None:
    (tmp_path / "feeds.toml").write_text(text, encoding="utf-8")
    told = read_configuration(Lake(tmp_path))
    assert told.fetch.contact == "you@example.org"
    assert [name for name, followed in told.feeds.items() if followed.enabled] == ["openai_news", "our_sheet"]


def test_commands_of_the_documents_name_feeds_and_sources_that_there_are() -> None:
    told = read_configuration(Lake(Path("no-such-lake")))
    lines = [line.partition("#")[0].split() for block in blocks("sources.md", "sh") for line in block.splitlines()]
    names = [
        word for line in lines if line[:2] == ["aisle", "fetch"] for word in line[2:] if re.fullmatch("[a-z_]+", word)
    ]
    assert len(names) >= 4
    for name in names:
        assert told.named(name)
    days = [line for line in lines if "--since" in line]
    assert all(told.named(line[2])[0].kind.by_window for line in days)
