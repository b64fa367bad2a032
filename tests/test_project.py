"""The project itself: short files, no trace of any machine, and documentation whose examples run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from orchestration.defs.catalog import list_tables
from tests.conftest import PROJECT, run_aisle
from warehouse.lake import Lake

_OWN = ("orchestration", "transforms", "warehouse", "expectations", "dashboards", "tests", "docs", "benchmarks")
FILES = [
    path
    for path in [*PROJECT.glob("*"), *(path for part in _OWN for path in (PROJECT / part).rglob("*"))]
    if path.is_file() and "__pycache__" not in path.parts
]
CODE = [path for path in FILES if path.suffix in {".py", ".sql", ".toml", ".md"}]
DOCUMENTS = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_no_file_is_longer_than_400_lines() -> None:
    assert len(CODE) > 50
    assert {path.name: n for path in CODE if (n := len(path.read_text(encoding="utf-8").splitlines())) > 400} == {}


def test_no_file_names_a_machine() -> None:
    # written in parts, so that this file does not contain them
    traces = [
        "/w" + "ork/",
        "/r" + "oot/",
        "/h" + "ome/",
        "pypi" + ".org",
        "python" + "hosted",
        "deb.deb" + "ian",
        "registry.np" + "mjs",
    ]
    found = [
        (path.name, trace)
        for path in [*CODE, PROJECT / "requirements.lock"]
        for trace in traces
        if trace in path.read_text(encoding="utf-8")
    ]
    assert found == []


def test_no_python_function_runs_in_threads_of_polars() -> None:
    # with one, a server under parallel load can deadlock; see the decisions on pages
    forbidden = re.compile(r"\.(map_" + r"elements|map_batches|map_groups|map_rows|map_columns)\(")
    found = [path.name for path in CODE if path.suffix == ".py" and forbidden.search(path.read_text(encoding="utf-8"))]
    assert found == []


def test_lock_pins_every_package_with_hashes() -> None:
    lock = (PROJECT / "requirements.lock").read_text(encoding="utf-8")
    packages = re.findall(r"^([\w.-]+)==[^\s]+", lock, re.MULTILINE)
    blocks = re.split(r"^(?=[\w.-]+==)", lock, flags=re.MULTILINE)[1:]
    assert len(packages) == len(blocks) > 100
    assert all("--hash=sha256:" in block for block in blocks)


def list_examples(language: str) -> list[tuple[str, str]]:
    return [
        (path.name, text)
        for path in DOCUMENTS
        if path.exists()
        for kind, text in _BLOCK.findall(path.read_text(encoding="utf-8"))
        if kind == language
    ]


@pytest.mark.parametrize(("document", "query"), list_examples("sql"))
def test_sql_in_the_documents_runs(released_lake: Lake, document: str, query: str) -> None:
    result = run_aisle(released_lake.root, "sql", query)
    assert result.returncode == 0, f"{document}: {result.stderr}"


@pytest.mark.parametrize(
    ("document", "command"),
    [(name, line) for name, text in list_examples("sh") for line in text.splitlines() if line.startswith("aisle sql")],
)
def test_commands_in_the_documents_run(
    released_lake: Lake, tmp_path: Path, document: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run_aisle(released_lake.root, *shlex.split(command, comments=True)[1:])
    assert result.returncode == 0, f"{document}: {result.stderr}"


# made by the recipes of adding.md, which other tests follow
EXAMPLES = {
    "raw.fund_grants",
    "mart.publications_by_weekday",
    "transforms/mart/publications/publications_by_weekday.sql",
    "tests/golden/mart.publications_by_weekday.csv",
}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documents_name_existing_files_and_tables(path: Path) -> None:
    tables = {table.name for table in list_tables()} | {"reference.dictionary"} | EXAMPLES
    text = path.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (path.parent / link).exists(), f"{path.name} links to {link}"
    for name in re.findall(r"`((?:raw|clean|mart|reference)\.[a-z_]+)`", text):
        assert name in tables, f"{path.name} names {name}"
    for name in re.findall(rf"`((?:{'|'.join(_OWN)})/[\w./-]+)`", text):
        assert name in EXAMPLES or (PROJECT / name).exists(), f"{path.name} names {name}"
    for name in re.findall(rf"\b((?:{'|'.join(_OWN)})/[\w/]+\.(?:py|sql|toml|csv))\b", text):
        assert name in EXAMPLES or "fund_grants" in name or "weekdays" in name or (PROJECT / name).exists(), name
