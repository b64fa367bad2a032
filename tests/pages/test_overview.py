"""The overview of a complete, a changed and a hostile lake."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable

import pytest

from dashboards.queries.counts import select_newest_years
from tests.support.app_tests import open_page, read_page_text
from warehouse.lake import Lake
from warehouse.release import read_current_release


def test_overview_has_counts_trends_checks_and_sources(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(released_lake, monkeypatch, page="overview", corpus="iaps_mapping")
    assert not app.exception
    metrics = {metric.label: metric.value for metric in app.metric}
    text = read_page_text(app)
    assert "**Published mapping**: 78 works in 80 rows" in text.replace("\\", "")
    assert metrics["Labs"] == "3"
    widest = open_page(released_lake, monkeypatch, page="overview")
    assert f"**All works**: {metrics['Works']} works" in read_page_text(widest)
    assert "Data as of release v1" in text
    assert "This is the first release" in text
    assert "78 works in 31 whole months" in text
    assert "2023, the newest whole period\\: Google DeepMind 56%" in text
    assert "Enhancing human feedback has the largest share\\: 30 of 78" in text
    assert "covered only in part" in text
    assert "checks of this release passed" in app.success[0].value
    assert "lab_sheet" in app.dataframe[-1].value["source"].tolist()


def test_history_begins_ten_years_before_the_newest_work(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    coverage = "covers_from = date '1950-03-01', holds_from = date '1950-03-01'"
    lake = copy_release(f"update mart.corpus_coverage set {coverage} where corpus = 'iaps_mapping'")
    release = read_current_release(lake)
    assert select_newest_years(release, "iaps_mapping").since == dt.date(2015, 1, 1)
    assert select_newest_years(release, "lab_publications").since is None
    app = open_page(lake, monkeypatch, page="overview", corpus="iaps_mapping")
    assert not app.exception
    assert "Of works since 2015; [Trends](trends) has earlier ones too." in read_page_text(app).replace("\\", "")


def test_a_lake_without_feeds_offers_to_follow_some(
    released_lake: Lake, copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    offer = "`aisle follow starter`"
    assert any(offer in info.value for info in open_page(released_lake, monkeypatch, page="overview").info)
    fetched = copy_release("update raw.snapshots set origin = 'fetch' where source = 'podcast_page'")
    assert not any(offer in info.value for info in open_page(fetched, monkeypatch, page="overview").info)


def test_new_works_are_those_without_a_record_in_the_release_before(
    copy_release: Callable[..., Lake],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy_release(
        "delete from clean.work_members where record_id in "
        "(select publication_id from clean.publications where lab = 'OpenAI')",
        number=1,
    )
    lake = copy_release(number=2)
    app = open_page(lake, monkeypatch, page="overview")
    assert not app.exception
    (new,) = [table.value for table in app.dataframe if "open" in table.value]
    assert set(new["lab"]) == {"OpenAI"}
    assert f"{len(new)} new works" in read_page_text(app)
    again = open_page(lake, monkeypatch, page="overview", seen="v2")
    assert "Since release v2" in read_page_text(again)
    assert "nothing new, 0 changed tables" in read_page_text(again)


def test_release_published_during_a_session_is_compared_with_the_one_seen_first(
    copy_release: Callable[..., Lake],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy_release(number=1)
    lake = copy_release("delete from clean.publications where lab = 'OpenAI'", number=2)
    app = open_page(lake, monkeypatch, page="overview")
    assert "Since release v1" in read_page_text(app)
    copy_release(number=3)
    app.run()
    assert not app.exception
    assert "release v3" in read_page_text(app)


def test_failed_checks_are_listed(copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch) -> None:
    lake = copy_release()
    manifest = lake.releases / "aisle.v1.json"
    content = json.loads(manifest.read_text())
    content["checks"][0] |= {"passed": False, "message": "**3 rows** without a [date](http://evil.example)"}
    manifest.write_text(json.dumps(content))
    app = open_page(lake, monkeypatch, page="overview")
    assert not app.exception
    assert "1 check of this release failed" in app.warning[0].value
    assert "**3 rows** without a [date](http://evil.example)" in [text.value for text in app.text]


def test_hostile_names_are_shown_as_text(copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch) -> None:
    name = "<img src=x> **x** ![](http://evil.example/x)"
    lake = copy_release(
        f"update mart.publication_counts_by_month set lab = '{name}' where lab = 'OpenAI'",
        f"update mart.publication_trends set sentence = '{name}' where member = 'OpenAI'",
        f"update clean.publications set lab = '{name}' where lab = 'OpenAI'",
        f"update mart.publication_evidence set lab = '{name}' where lab = 'OpenAI'",
    )
    for page, query in (("overview", {}), ("labs", {"lab": name}), ("trends", {"labs": name})):
        app = open_page(lake, monkeypatch, page=page, **query)
        assert not app.exception
        for element in [*app.markdown, *app.title, *app.caption, *app.info, *app.warning]:
            assert "![](" not in str(element.value)
            assert "<img" not in str(element.value).replace("\\<", "")
