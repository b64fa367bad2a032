"""The pages about the data, on complete, old and hostile lakes."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from dashboards.charts import lineage
from dashboards.queries.checks import count_checks_by_release
from dashboards.queries.dictionary import search_columns
from dashboards.queries.lineage import list_lineage_edges, list_origins, list_uses
from dashboards.queries.release import get_newest_release, list_readable_releases
from dashboards.queries.sources import query_sources
from tests.support.app_tests import open_page, read_page_text
from warehouse.lake import Lake
from warehouse.release import read_current_release

REJECT = "insert into raw.rejects values ('s', {n}, 'lab_sheet', 'sheet.csv', 'row {n}', '{reason}', true, '{text}')"


def open_data_page(lake: Lake, monkeypatch: pytest.MonkeyPatch, name: str, **query: str) -> AppTest:
    return open_page(lake, monkeypatch, **query).switch_page(f"app_pages/{name}.py").run()


def read_table(app: AppTest, place: int = 0) -> pl.DataFrame:
    return pl.from_pandas(app.dataframe[place].value)


def test_sources_have_freshness_licence_and_record_counts(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_data_page(released_lake, monkeypatch, "coverage")
    assert not app.exception
    sources = {row["source"]: row for row in read_table(app).iter_rows(named=True)}
    assert sources["lab_sheet"]["records_read"] == 80
    for row in sources.values():
        assert row["records_read"] == row["records_kept"] + row["records_repeated"] + row["records_rejected"]
        assert row["days_since"] >= 0
        assert row["licence"]
    assert "80 dated records" in read_page_text(app)


@pytest.mark.parametrize("key", ["message", "says"])  # earlier versions wrote "says"
def test_failed_checks_come_first_and_can_be_filtered(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    lake = copy_release()
    copy_release(number=2)
    path = lake.releases / "aisle.v2.json"
    manifest = json.loads(path.read_text())
    manifest["checks"] += [
        {"table": "mart.x", "check": "c", "passed": False, "is_critical": False, key: "<b>odd</b>"},
    ]
    path.write_text(json.dumps(manifest))
    app = open_data_page(lake, monkeypatch, "checks")
    assert not app.exception
    assert read_table(app).row(0)[:3] == ("warning", "mart.x", "c")
    assert read_table(app)["message"][0] == "<b>odd</b>"
    assert [metric.value for metric in app.metric][1:] == ["1", "0"]
    outcomes = count_checks_by_release(list_readable_releases())
    passed = sum(check["passed"] for check in manifest["checks"])
    assert outcomes.select("release", "outcome", "checks").rows() == [
        ("v1", "passed", passed),
        ("v2", "failed, warning", 1),
        ("v2", "passed", passed),
    ]
    app.segmented_control(key="outcome").set_value("failed").run()
    assert read_table(app).height == 1


def test_run_that_published_nothing_is_reported(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = copy_release()
    failed = {"table": "clean.x", "check": "limits", "passed": False, "is_critical": True, "message": "2 rows"}
    account = {"ended_at": "2026-11-20T10:00:00+00:00", "checks": [failed]}
    (lake.root / "last_run.json").write_text(json.dumps(account))
    app = open_data_page(lake, monkeypatch, "checks")
    assert "published nothing" in app.error[0].value
    assert "clean.x" in read_page_text(app)
    for content in ("{", "[]", '{"ended_at": "x", "checks": [{"odd": 1}]}'):
        (lake.root / "last_run.json").write_text(content)
        app = open_data_page(lake, monkeypatch, "checks")
        assert not app.exception
        assert not app.error


def test_rejects_are_filtered_by_reason_and_shown_as_text(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = copy_release(
        REJECT.format(n=1, reason="no title", text="=1+1"),
        REJECT.format(n=2, reason="no title", text="<script>alert(1)</script>"),
        REJECT.format(n=3, reason="**no** date", text="![](http://evil.example/x)"),
        "insert into raw.refused_files values ('a', 'odd.bin', 10, 'no source takes it', now())",
    )
    app = open_data_page(lake, monkeypatch, "rejects")
    assert not app.exception
    assert app.metric[0].value == "3"
    assert read_table(app, 1).height == 3
    assert read_table(app, 2)["original_name"].to_list() == ["odd.bin"]
    assert "evil" not in read_page_text(app)
    app = open_data_page(lake, monkeypatch, "rejects", reason="no title")
    assert read_table(app, 1)["raw_text"].to_list() == ["=1+1", "<script>alert(1)</script>"]


def test_dictionary_is_searched_by_meaning(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_data_page(released_lake, monkeypatch, "dictionary", word="WILSON")
    assert not app.exception
    assert {"share_low", "share_high"} <= set(read_table(app, 1)["column_name"])
    assert open_data_page(released_lake, monkeypatch, "dictionary", word="no such word %_'").info
    app = open_data_page(released_lake, monkeypatch, "dictionary", table="clean.publications")
    assert "published_on" in read_table(app)["column_name"].to_list()
    assert "80 rows" in read_page_text(app)


def test_dictionary_links_keep_the_release(copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch) -> None:
    lake = copy_release()
    copy_release(number=2)
    app = open_data_page(lake, monkeypatch, "dictionary", release="v1")
    assert all("release=v1" in link for link in read_table(app)["link"])


def test_lineage_leads_from_a_share_to_the_sheet(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_data_page(
        released_lake, monkeypatch, "lineage", of_table="mart.lab_share_by_year", of_column="works_share"
    )
    assert not app.exception
    origins = read_table(app, 1)
    assert origins["step"].max() > 2
    assert "raw.lab_sheet_publications" in set(origins["from_table"])


def test_every_column_has_lineage(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLE_LAKE", str(released_lake.root))
    release = get_newest_release()
    for row in search_columns(release).gather_every(7).iter_rows(named=True):  # each query takes 40 ms
        for lineage_rows in (
            list_origins(release, row["table_name"], row["column_name"]),
            list_uses(release, row["table_name"], row["column_name"]),
        ):
            assert lineage_rows.select("table_name", "column_name", "from_table", "from_column").is_unique().all()
    edges = list_lineage_edges(release, "clean.publications")
    assert ("clean.list_entries", "clean.publications") in edges
    assert ("mart.publications_by_lab_year", "mart.lab_share_by_year") in edges
    assert ("clean.episodes", "mart.episodes_by_linked_site") not in edges


def test_graph_has_each_table_once() -> None:
    graph = lineage.build_lineage_graph(
        [("raw.a", "clean.b"), ("clean.b", 'mart."c'), ("raw.a", "clean.b")], "clean.b", "#000"
    )
    assert graph.count("[fillcolor") == 3
    assert graph.count("->") == 2


def test_release_without_lineage_is_reported(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = copy_release("drop table reference.lineage")
    path = lake.releases / "aisle.v1.json"
    manifest = json.loads(path.read_text())
    del manifest["tables"]["reference.lineage"]
    path.write_text(json.dumps(manifest))
    app = open_data_page(lake, monkeypatch, "lineage")
    assert not app.exception
    assert "lacks `reference.lineage`" in read_page_text(app).replace("\\", "")


def test_record_counts_are_those_of_the_lake(released_lake: Lake, tmp_path: Path) -> None:
    release = read_current_release(released_lake)
    with release.connect() as connection:
        ((record_count,),) = connection.execute("select sum(records_read) from raw.parses").fetchall()
    assert query_sources(release, dt.date(2026, 11, 20))["records_read"].sum() == record_count
