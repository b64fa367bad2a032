"""The pages about the data themselves, on whole, old and hostile lakes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from dashboards.charts import lineage
from dashboards.queries import data
from dashboards.queries import release as read
from tests.support.app_tests import opened, said
from warehouse.lake import Lake
from warehouse.release import current

REJECT = "insert into raw.rejects values ('s', {n}, 'lab_sheet', 'sheet.csv', 'row {n}', '{reason}', true, '{text}')"


def page(lake: Lake, monkeypatch: pytest.MonkeyPatch, name: str, **query: str) -> AppTest:
    return opened(lake, monkeypatch, **query).switch_page(f"app_pages/{name}.py").run()


def rows(app: AppTest, place: int = 0) -> pl.DataFrame:
    return pl.from_pandas(app.dataframe[place].value)


def test_sources_tell_freshness_licence_and_the_account(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(released_lake, monkeypatch, "coverage")
    assert not app.exception
    told = {row["source"]: row for row in rows(app).iter_rows(named=True)}
    assert told["lab_sheet"]["records_read"] == 80
    for row in told.values():
        assert row["records_read"] == row["records_kept"] + row["records_repeated"] + row["records_rejected"]
        assert row["days_since"] >= 0
        assert row["licence"]
    assert "80 dated records" in said(app)


def test_checks_that_failed_come_first_and_can_be_shown_alone(
    copied: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = copied()
    copied(number=2)
    path = lake.releases / "aisle.v2.json"
    told = json.loads(path.read_text())
    told["checks"] += [
        {"table": "mart.x", "check": "c", "passed": False, "is_critical": False, "says": "<b>odd</b>"},
    ]
    path.write_text(json.dumps(told))
    app = page(lake, monkeypatch, "checks")
    assert not app.exception
    assert rows(app).row(0)[:3] == ("warns", "mart.x", "c")
    assert [metric.value for metric in app.metric][1:] == ["1", "0"]
    over = data.checks_over(read.all_releases())
    passed = sum(check["passed"] for check in told["checks"])
    assert over.select("release", "outcome", "checks").rows() == [
        ("v1", "passed", passed),
        ("v2", "failed, warns", 1),
        ("v2", "passed", passed),
    ]
    app.segmented_control(key="outcome").set_value("failed").run()
    assert rows(app).height == 1


def test_a_run_that_published_nothing_is_told(copied: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch) -> None:
    lake = copied()
    failed = {"table": "clean.x", "check": "limits", "passed": False, "is_critical": True, "says": "2 rows"}
    account = {"ended_at": "2026-11-20T10:00:00+00:00", "checks": [failed]}
    (lake.root / "last_run.json").write_text(json.dumps(account))
    app = page(lake, monkeypatch, "checks")
    assert "published nothing" in app.error[0].value
    assert "clean.x" in said(app)
    for spoilt in ("{", "[]", '{"ended_at": "x", "checks": [{"odd": 1}]}'):
        (lake.root / "last_run.json").write_text(spoilt)
        app = page(lake, monkeypatch, "checks")
        assert not app.exception
        assert not app.error


def test_rejects_are_shown_by_reason_as_text(copied: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch) -> None:
    lake = copied(
        REJECT.format(n=1, reason="no title", text="=1+1"),
        REJECT.format(n=2, reason="no title", text="<script>alert(1)</script>"),
        REJECT.format(n=3, reason="**no** date", text="![](http://evil.example/x)"),
        "insert into raw.refused_files values ('a', 'odd.bin', 10, 'no source takes it', now())",
    )
    app = page(lake, monkeypatch, "rejects")
    assert not app.exception
    assert app.metric[0].value == "3"
    assert rows(app, 1).height == 3
    assert rows(app, 2)["original_name"].to_list() == ["odd.bin"]
    assert "evil" not in said(app)
    app = page(lake, monkeypatch, "rejects", reason="no title")
    assert rows(app, 1)["raw_text"].to_list() == ["=1+1", "<script>alert(1)</script>"]


def test_the_dictionary_finds_columns_by_what_they_mean(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(released_lake, monkeypatch, "dictionary", word="WILSON")
    assert not app.exception
    assert {"share_low", "share_high"} <= set(rows(app, 1)["column_name"])
    assert page(released_lake, monkeypatch, "dictionary", word="no such thing %_'").info
    app = page(released_lake, monkeypatch, "dictionary", table="clean.publications")
    assert "published_on" in rows(app)["column_name"].to_list()
    assert "80 rows" in said(app)


def test_the_dictionary_keeps_the_release_in_its_links(
    copied: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = copied()
    copied(number=2)
    app = page(lake, monkeypatch, "dictionary", release="v1")
    assert all("release=v1" in link for link in rows(app)["look"])


def test_a_share_is_followed_to_what_the_sheet_says(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(released_lake, monkeypatch, "lineage", of_table="mart.lab_share_by_year", of_column="works_share")
    assert not app.exception
    followed = rows(app, 1)
    assert followed["step"].max() > 2
    assert "raw.lab_sheet_publications" in set(followed["from_table"])


def test_lineage_of_columns_everywhere_can_be_asked(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLE_LAKE", str(released_lake.root))
    release = read.newest()
    for row in data.columns(release).gather_every(7).iter_rows(named=True):  # a question each takes 40 ms
        for found in (
            data.origins(release, row["table_name"], row["column_name"]),
            data.uses(release, row["table_name"], row["column_name"]),
        ):
            assert found.select("table_name", "column_name", "from_table", "from_column").is_unique().all()
    edges = data.tables_around(release, "clean.publications")
    assert ("raw.lab_sheet_publications", "clean.publications") in edges
    assert ("mart.publications_by_lab_year", "mart.lab_share_by_year") in edges
    assert ("clean.episodes", "mart.episodes_by_linked_site") not in edges


def test_the_graph_names_each_table_once() -> None:
    graph = lineage.lineage_graph(
        [("raw.a", "clean.b"), ("clean.b", 'mart."c'), ("raw.a", "clean.b")], "clean.b", "#000"
    )
    assert graph.count("[fillcolor") == 3
    assert graph.count("->") == 2


def test_a_release_from_before_lineage_says_so(copied: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch) -> None:
    lake = copied("drop table reference.lineage")
    path = lake.releases / "aisle.v1.json"
    told = json.loads(path.read_text())
    del told["tables"]["reference.lineage"]
    path.write_text(json.dumps(told))
    app = page(lake, monkeypatch, "lineage")
    assert not app.exception
    assert "before lineage was written down" in said(app)


def test_the_account_of_the_pages_is_that_of_the_lake(released_lake: Lake, tmp_path: Path) -> None:
    release = current(released_lake)
    with duckdb.connect(release.path, read_only=True) as connection:
        ((read_records,),) = connection.execute("select sum(records_read) from raw.parses").fetchall()
    assert data.sources(release, data.dt.date(2026, 11, 20))["records_read"].sum() == read_records
