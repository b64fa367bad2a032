"""Pages of a release that an older version published: each names the tables it lacks, and shows everything else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import pytest

import dashboards.queries.release as release_queries
from dashboards.queries.release import MissingData, declared_tables, report_unreadable
from dashboards.widgets.parts import PARTS
from tests.support.app_tests import open_page, read_page_text
from tests.support.dashboard_server import list_page_addresses
from warehouse.lake import Lake
from warehouse.release import read_current_release
from warehouse.release_file import read_file_facts
from warehouse.sql import list_macro_tables
from warehouse.table import LAYERS

# tables of a part, the page that shows it, and a text of another part that must still be there
CASES = [
    ("overview", "mart.publication_trends", "Share of publications per lab and year"),
    ("overview", "mart.counting_rule_totals", "Stale: last fetched"),
    ("overview", "mart.source_freshness", "Publications by category"),
    ("overview", "mart.removed_publications", "Publications by category"),
    ("overview", "clean.coverage", "AI safety research in numbers"),
    ("coverage", "mart.list_overlaps", "Records of lab sheet per month"),
    ("coverage", "mart.source_silences", "Records of lab sheet per month"),
    ("coverage", "mart.coverage_by_source_month", "Permanent link"),
    ("coverage", "mart.removed_publications", "Records of lab sheet per month"),
    ("coverage", "raw.parses", "Permanent link"),
    ("published_numbers", "mart.lab_watch_scores", "Each claim is recounted"),
    ("published_numbers", "mart.published_counts", "The formula is from AI Lab Watch"),
    ("rejects", "raw.refused_files", "Every record that is read"),
    ("work", "clean.work_dates", "Permanent link"),
    ("work", "clean.work_versions", "Permanent link"),
    ("work", "clean.work_candidates", "Permanent link"),
    ("work", "clean.work_conflicts", "Permanent link"),
    ("work", "mart.counted_publications", "Permanent link"),
    ("work", "mart.alike_publications", "Permanent link"),
    ("work", "mart.removed_publications", "Permanent link"),
    ("work", "mart.publication_evidence", "No other publication has the same"),
    ("item", "raw.sightings", "identifier"),
    ("curriculum", "mart.episodes_by_linked_site", "No episode mentions a work"),
    ("curriculum", "mart.most_taught_works", "Episodes by site of their text"),
    ("trends", "mart.publication_counts_by_month", ""),
    ("labs", "mart.publication_evidence", ""),
    ("categories", "reference.category_crosswalk", ""),
    ("dictionary", "reference.dictionary", ""),
    ("lineage", "reference.lineage", ""),
    ("sql", "reference.dictionary", ""),
    ("curriculum", "clean.feed_scopes", "No episode mentions a work"),
]


def drop_table(lake: Lake, table: str, *, is_in_manifest: bool) -> None:
    path = read_current_release(lake).path
    with duckdb.connect(path) as connection:
        connection.execute(f"drop table {table}")
    manifest = json.loads(path.with_suffix(".json").read_text())
    if not is_in_manifest:
        del manifest["tables"][table]
    path.with_suffix(".json").write_text(json.dumps({**manifest, "file": read_file_facts(path)}))


@pytest.mark.parametrize(
    ("page", "table", "other", "is_in_manifest"),
    [*((*case, False) for case in CASES), (*CASES[5], True), (*CASES[25], True)],
)
def test_missing_table_is_named_and_other_parts_show(
    copy_release: Callable[..., Lake],
    monkeypatch: pytest.MonkeyPatch,
    page: str,
    table: str,
    other: str,
    is_in_manifest: bool,
) -> None:
    lake = copy_release()
    address = list_page_addresses(lake)[page]
    drop_table(lake, table, is_in_manifest=is_in_manifest)
    app = open_page(lake, monkeypatch, page=page, **parse_qs(urlsplit(address).query))
    assert not app.exception
    text = read_page_text(app).replace("\\", "")
    assert f"`{table}`" in text
    assert "aisle run" in text
    assert "cannot be shown" in text
    assert "cannot be read" not in text
    assert "backup" not in text
    assert other in text


def find_tables(query: str) -> set[str]:
    """The tables that a query of the pages reads, also through table macros."""
    names = set(re.findall(rf"\b(?:{'|'.join(LAYERS)})\.\w+", query))
    return names | (list_macro_tables() if re.search(r"\bpublication_\w+\(", query) else set())


@pytest.fixture
def undeclared(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """The tables that queries read and the running part of the page does not declare, by query."""
    found: dict[str, set[str]] = {}
    run = release_queries._run_query

    def record(key: Any, query: str, parameters: dict[str, Any]) -> Any:
        # help texts come from the dictionary where there is one
        if missing := find_tables(query) - declared_tables.get() - {"reference.dictionary"}:
            found[query] = missing
        return run(key, query, parameters)

    monkeypatch.setattr(release_queries, "_run_query", record)
    return found


def test_every_table_that_a_page_reads_is_declared(
    released_lake: Lake, monkeypatch: pytest.MonkeyPatch, undeclared: dict[str, set[str]]
) -> None:
    problems = {}
    for page, address in list_page_addresses(released_lake).items():
        undeclared.clear()
        app = open_page(released_lake, monkeypatch, page=page, **parse_qs(urlsplit(address).query))
        assert not app.exception
        stale = {query for query in undeclared if "as covers_until" in query and "as fetched_on" in query}
        if problem := {name for query, names in undeclared.items() if query not in stale for name in names}:
            problems[page] = problem
    assert problems == {}


def test_parts_declare_tables_that_a_release_has(released_lake: Lake) -> None:
    tables = read_current_release(released_lake).manifest["tables"]
    assert len(PARTS) > 15
    assert {title: set(names) - set(tables) for title, names in PARTS.items() if set(names) - set(tables)} == {}


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("select nothing from clean.publications", "the column nothing"),
        ("select p.nothing from clean.publications as p", "the column nothing"),
        ("from mart.no_such_table", "mart.no_such_table"),
        ("from clean.publications inner join mart.other using (lab)", "mart.other"),
        ("from no_such_macro(x := 1)", "no_such_macro()"),
    ],
)
def test_missing_table_or_column_is_no_damage(released_lake: Lake, query: str, name: str) -> None:
    release = read_current_release(released_lake)
    with pytest.raises(MissingData) as error, report_unreadable(release.path, query), release.connect() as connection:
        connection.sql(query)
    assert error.value.names == (name,)


def test_column_that_an_older_release_lacks_is_named(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = copy_release("alter table raw.rejects drop reason")
    app = open_page(lake, monkeypatch, page="rejects")
    text = read_page_text(app)
    assert "lacks the column reason" in text
    assert "cannot be read" not in text
    assert "No file was rejected" in app.success[0].value


def test_release_of_before_the_macros_shows_all_that_needs_none(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = copy_release(
        "drop macro table publication_periods", "alter table reference.counting_rules drop category_attribution"
    )
    app = open_page(lake, monkeypatch, page="overview")
    assert not app.exception
    text = read_page_text(app).replace("\\", "")
    assert text.count("lacks the column category_attribution") == 3  # once for each figure
    assert "Stale: last fetched" in text
    assert "lab_sheet" in app.dataframe[-1].value["source"].tolist()
    assert [metric.value for metric in app.metric if metric.label == "Labs"] == ["3"]
