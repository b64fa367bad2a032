"""The overview: what it says of a whole, a changed and a hostile lake."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.support.app_tests import opened, said
from warehouse.lake import Lake


def test_the_overview_is_what_opens_first(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(released_lake, monkeypatch, page="overview")
    assert not app.exception
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["Publications"] == "78"
    assert metrics["Labs"] == "3"
    told = said(app)
    assert "Data as of release v1" in told
    assert "This is the first release" in told
    assert "78 works in 31 whole months" in told
    assert "2023, the newest whole period\\: Google DeepMind 56%" in told
    assert "Enhancing human feedback is the largest part\\: 30 of 78" in told
    assert "covered only in part" in told
    assert "checks of this release passed" in app.success[0].value
    assert "lab_sheet" in app.dataframe[-1].value["source"].tolist()


def test_new_publications_are_those_that_the_release_before_did_not_have(
    copied: Callable[..., Lake],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copied("delete from clean.publications where lab = 'OpenAI'", number=1)
    lake = copied(number=2)
    app = opened(lake, monkeypatch, page="overview")
    assert not app.exception
    assert "13 new publications" in said(app)
    assert set(app.dataframe[0].value["lab"]) == {"OpenAI"}
    again = opened(lake, monkeypatch, page="overview", seen="v2")
    assert "Since release v2" in said(again)
    assert "0 new publications, 0 tables" in said(again)


def test_a_release_that_comes_meanwhile_tells_what_it_brought_since(
    copied: Callable[..., Lake],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copied(number=1)
    lake = copied("delete from clean.publications where lab = 'OpenAI'", number=2)
    app = opened(lake, monkeypatch, page="overview")
    assert "Since release v1" in said(app)
    copied(number=3)
    app.run()
    assert not app.exception
    assert "release v3" in said(app)


def test_failed_checks_are_told(copied: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch) -> None:
    lake = copied()
    manifest = lake.releases / "aisle.v1.json"
    told = json.loads(manifest.read_text())
    told["checks"][0] |= {"passed": False, "says": "**3 rows** without a [date](http://evil.example)"}
    manifest.write_text(json.dumps(told))
    app = opened(lake, monkeypatch, page="overview")
    assert not app.exception
    assert "1 check of this release did not pass" in app.warning[0].value
    assert "**3 rows** without a [date](http://evil.example)" in [text.value for text in app.text]


def test_hostile_names_are_only_texts(copied: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch) -> None:
    name = "<img src=x> **x** ![](http://evil.example/x)"
    lake = copied(
        f"update mart.publication_counts_by_month set lab = '{name}' where lab = 'OpenAI'",
        f"update mart.publication_trends set sentence = '{name}' where member = 'OpenAI'",
        f"update clean.publications set lab = '{name}' where lab = 'OpenAI'",
        f"update mart.publication_evidence set lab = '{name}' where lab = 'OpenAI'",
    )
    for page, query in (("overview", {}), ("labs", {"lab": name}), ("trends", {"labs": name})):
        app = opened(lake, monkeypatch, page=page, **query)
        assert not app.exception
        for element in [*app.markdown, *app.title, *app.caption, *app.info, *app.warning]:
            assert "![](" not in str(element.value)
            assert "<img" not in str(element.value).replace("\\<", "")
