"""The recipes of the documents, executed in a copy of the project: a new kind of source and its feed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.fetch.config import read_configuration
from tests.conftest import PROJECT, copy_lake
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


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project to which each recipe of adding.md was applied."""
    copy = tmp_path_factory.mktemp("recipes") / "project"
    parts = ("orchestration", "transforms", "warehouse", "expectations", "dashboards", "tests", "docs")
    for part in parts:
        shutil.copytree(PROJECT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", ".streamlit"):
        (shutil.copytree if (PROJECT / name).is_dir() else shutil.copy)(PROJECT / name, copy / name)
    text = (PROJECT / "docs" / "adding.md").read_text(encoding="utf-8")
    for block in list_code_blocks("adding.md", "python"):
        header, _, code = block.partition("\n")
        (copy / header.removeprefix("# ")).write_text(code, encoding="utf-8")
    (feed,), (query,), (golden,) = (list_code_blocks("adding.md", language) for language in ("toml", "sql", "csv"))
    sql_path, golden_path = (
        re.findall(rf"`({folder}/\S+?)`", text)[0] for folder in ("transforms/mart", "tests/golden")
    )
    (copy / sql_path).write_text(query, encoding="utf-8")
    (copy / golden_path).write_text(golden, encoding="utf-8")
    registry = copy / "orchestration/sources/registry.py"
    insert(registry, "from orchestration.sources import fund_grants\n", before="from orchestration.sources")
    insert(registry, "    fund_grants.SOURCE,\n", before="    forum_posts.SOURCE")
    feeds = copy / "orchestration/fetch/feeds.toml"
    disabled = feed.replace("enabled = true", "enabled = false")
    feeds.write_text(f"{feeds.read_text(encoding='utf-8')}\n{disabled}", encoding="utf-8")
    (page,) = re.findall(r"`(st\.Page\(.*?\),)`", text)
    insert(copy / "dashboards/app.py", f"    {page}\n", before="    st.Page(")
    empty = '    "weekdays": "Works by day of the week",\n'
    insert(copy / "tests/pages/test_every_page.py", empty, before='    "overview"')
    return copy


def insert(path: Path, line: str, *, before: str) -> None:
    """Insert a line before the first place that begins with a text."""
    text = path.read_text(encoding="utf-8")
    assert before in text, f"{path.name} has no {before}"
    path.write_text(text.replace(before, line + before, 1), encoding="utf-8")


def run_python(copy: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python on the copy."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "AISLE_"))}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env={**own, "PYTHONPATH": str(copy), "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_source_feed_table_and_page_of_the_recipes_are_released(
    tmp_path: Path, copy: Path, released_lake: Lake
) -> None:
    lake = copy_lake(released_lake, tmp_path / "lake")

    def run_aisle(*arguments: str) -> subprocess.CompletedProcess[str]:
        script = "from orchestration.cli.app import main; main()"
        return run_python(copy, "-c", script, *arguments, AISLE_LAKE=str(lake.root))

    (feed,) = list_code_blocks("adding.md", "toml")
    with serve_http(lambda _: ServerResponse(json.dumps(GRANTS).encode())) as server:
        address = re.search(r'url = "(.*?)"', feed)
        assert address is not None
        table = feed.replace(address[1], f"{server.url}/grants.json")
        limits = f'[fetch]\ninterval_seconds = 0.001\nallow_private = ["{server.host}"]\n'
        (lake.root / "feeds.toml").write_text(limits + table, encoding="utf-8")
        result = run_aisle("fetch")
        assert result.returncode == 0, result.stderr
        assert "✓ small_grants: 1 requests (1 kept), 2 records" in result.stderr
    shown = run_aisle("sources").stdout
    assert "fund_grants (files and feeds): a JSON list of grants" in shown
    assert "small_grants" in shown
    result = run_aisle("run")
    assert result.returncode == 0, result.stderr
    assert "all grants: 3 read, 2 kept, 0 repeated, 1 rejected" in result.stderr
    with read_current_release(lake).connect() as connection:
        rows = connection.execute(
            "select grantee, amount_usd, granted_on::varchar from raw.fund_grants order by all"
        ).fetchall()
        assert rows == [("A lab", 5000.0, "2026-01-15"), ("A school", 120.5, "2026-03-01")]
        query = "select feed, licence, origin from raw.snapshots where feed is not null"
        assert connection.execute(query).fetchall() == [("small_grants", "CC BY 4.0", "fetch")]
        query = "select count(*) from reference.dictionary where table_name = 'raw.fund_grants' and column_name = 'amount_usd'"
        assert connection.execute(query).fetchall() == [(1,)]
        weekdays = connection.sql("from mart.publications_by_weekday order by weekday").pl()
    (golden,) = list_code_blocks("adding.md", "csv")
    assert weekdays.write_csv() == golden
    (line,) = [line for line in run_aisle("status").stdout.splitlines() if line.strip().startswith("fund_grants")]
    assert "2026-03-01" in line
    page = run_python(copy, "-c", OPEN_PAGE, "weekdays", AISLE_LAKE=str(lake.root))
    assert page.stdout.splitlines() == ["Works by day of the week", "7 rows", "1 chart"], page.stderr


# opens a page without a browser and prints its title and what it shows
OPEN_PAGE = """
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("dashboards/app.py", default_timeout=60)
app.switch_page(f"app_pages/{sys.argv[1]}.py")
app.run()
assert not app.exception, app.exception
print(app.title[0].value)
print(len(app.dataframe[0].value), "rows")
print(len(app.get("vega_lite_chart")), "chart")
"""


def test_the_tests_of_the_project_accept_what_the_recipes_add(copy: Path) -> None:
    files = ("fetch/test_bundled_feeds.py", "pipeline/test_pipeline.py", "pages/test_every_page.py")
    # those that need no lake
    chosen = "grants or bundled_feed or every_mart or expected_message or (missing_release and weekdays)"
    result = run_python(
        copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen, *(f"tests/{file}" for file in files)
    )
    assert result.returncode == 0, result.stdout
    assert " passed" in result.stdout
    assert "skipped" not in result.stdout


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
