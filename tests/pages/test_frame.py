"""What every page shows above its contents: stale data, and parameters of the address that mean nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.queries.freshness import FRESHNESS_TABLE, describe_staleness, query_freshness
from dashboards.queries.news import count_since
from dashboards.queries.sources import REMOVED_TABLE
from orchestration.cli.report import describe_status
from orchestration.defs.catalog import load_transforms
from tests.support.app_tests import open_page, read_page_text
from tests.support.dashboard_server import list_page_addresses
from warehouse.lake import PROJECT, Lake
from warehouse.release import read_current_release

FRESH = tuple(f"update {table} set covers_until = current_date" for table in ("clean.coverage", "mart.corpus_coverage"))


def read_warnings(lake: Lake, monkeypatch: pytest.MonkeyPatch, page: str, parameters: Mapping[str, Any]) -> str:
    monkeypatch.setenv("AISLE_LAKE", str(lake.root))
    app = AppTest.from_file(str(PROJECT / "dashboards" / "app.py"), default_timeout=60)
    app.switch_page(f"app_pages/{page}.py")
    app.query_params.update(parameters)
    app.run()
    assert not app.exception
    return "\n".join(str(warning.value) for warning in app.warning).replace("\\", "")


def test_unknown_parameters_are_named_on_every_page(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for page, address in list_page_addresses(released_lake).items():
        known = parse_qs(urlsplit(address).query)
        assert "no choice named" not in read_warnings(released_lake, monkeypatch, page, known), page
        unknown = read_warnings(released_lake, monkeypatch, page, {**known, "no_such": "1", "[x](http://y)": "2"})
        assert "This page has no choice named no_such, [x](http:\u2060//y)" in unknown, page


@pytest.mark.parametrize(
    ("page", "parameters"),
    [
        ("overview", {"seen": "v1", "all_by_lab_tab": "Table", "release": "v1"}),
        ("works", {"lab": "OpenAI", "kind": "publication", "q": "x", "sort": "newest", "page": "1"}),
        ("trends", {"labs": "OpenAI", "view": "lines", "per": "quarter", "since": "2023-01", "events": "true"}),
        ("discussion", {"author": "x", "kinds": "post"}),
        ("trends", {"since": "2024-01", "until": "2023-01"}),
        ("changes", {"old": "v1", "new": "v1"}),
    ],
)
def test_known_parameters_are_not_reported(
    released_lake: Lake, monkeypatch: pytest.MonkeyPatch, page: str, parameters: dict[str, str]
) -> None:
    assert "no choice named" not in read_warnings(released_lake, monkeypatch, page, parameters)


@pytest.mark.parametrize(
    ("page", "parameters"),
    [
        ("trends", {"since": "2024-01", "until": "2023-01"}),
        ("trends", {"labs": "Anthropic", "since": "2019-01", "until": "2019-02"}),
        ("work", {"id": "none"}),
        ("works", {"q": "no such word"}),
        ("discussion", {"author": "nobody"}),
        ("item", {"kind": "post", "id": "none"}),
    ],
)
def test_unknown_parameter_is_named_where_there_is_nothing_to_show(
    released_lake: Lake, monkeypatch: pytest.MonkeyPatch, page: str, parameters: dict[str, str]
) -> None:
    warnings = read_warnings(released_lake, monkeypatch, page, {**parameters, "no_such": "1"})
    assert "This page has no choice named no_such" in warnings


def test_unknown_parameter_is_named_in_an_empty_lake(empty_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for page in list_page_addresses(empty_lake):
        assert "no choice named no_such" in read_warnings(empty_lake, monkeypatch, page, {"no_such": "1"}), page


def test_unknown_parameter_is_reported_when_the_page_is_opened_only(
    released_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(released_lake, monkeypatch, page="rejects", colour="lab")
    assert "no choice named colour" in app.warning[0].value
    assert not app.run().warning


def test_stale_data_are_called_stale_on_every_page(
    released_lake: Lake, copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    for page, address in list_page_addresses(released_lake).items():
        text = read_page_text(open_page(released_lake, monkeypatch, page=page, **parse_qs(urlsplit(address).query)))
        assert "**Stale data.** Publications are listed up to 31 Jul 2024" in text, page
    fresh = copy_release(*FRESH)
    assert "Stale data" not in read_page_text(open_page(fresh, monkeypatch, page="overview"))


@pytest.mark.parametrize(
    ("days_after_fetch", "days_after_end", "expected"),
    [(30, 92, 0), (31, 92, 1), (30, 93, 1), (31, 93, 2), (0, 0, 0)],
)
def test_data_become_stale_after_a_month_without_a_fetch_or_a_quarter_without_records(
    copy_release: Callable[..., Lake],
    monkeypatch: pytest.MonkeyPatch,
    days_after_fetch: int,
    days_after_end: int,
    expected: int,
) -> None:
    today = dt.date(2031, 5, 1)
    fetched_on, ends_on = (today - dt.timedelta(days=days) for days in (days_after_fetch, days_after_end))
    lake = copy_release(
        f"update raw.snapshots set fetched_at = timestamptz '{fetched_on} 12:00:00+00'",
        f"update mart.corpus_coverage set covers_until = date '{ends_on}'",
    )
    monkeypatch.setenv("AISLE_LAKE", str(lake.root))
    sentences = describe_staleness(read_current_release(lake), today)
    assert len(sentences) == expected, sentences
    assert all("ago" in sentence for sentence in sentences)


def test_every_source_has_its_newest_record_or_a_reason_why_not(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = ("feed_items", "arxiv_papers", "lab_pages", "forum_posts")
    add = [
        f"insert into raw.snapshots by name (select * replace ('{name}' as snapshot_id, '{name}' as source)"
        " from raw.snapshots where source = 'lab_sheet' limit 1)"
        for name in sources
    ]
    add += [
        "insert into clean.feed_items (feed_item_id, feed, title, published_at, audio_url) values"
        " ('feed_items 1', 'f', 'An episode', '2026-01-02 03:04:05+00', 'https://example.org/1.mp3'), ('feed_items 2', 'f', 'A post', null, null)",
        "insert into clean.papers (paper_id, source, title, published_on) values"
        " ('arxiv_papers 1', 'arxiv_papers', 'A paper', '2026-02-03'), ('lab_pages 1', 'lab_pages', 'A page', null)",
        "insert into clean.forum_posts (forum_post_id, site, title, posted_at) values"
        " ('forum_posts 1', 'lw', 'A post', '2026-03-04 23:59:00+00')",
    ]
    add += [
        f"delete from {FRESHNESS_TABLE}",
        f"insert into {FRESHNESS_TABLE} by name {load_transforms()[FRESHNESS_TABLE].query}",
    ]
    lake = copy_release(*add)
    monkeypatch.setenv("AISLE_LAKE", str(lake.root))
    release = read_current_release(lake)
    rows = {row["source"]: row for row in query_freshness(release, dt.date(2026, 3, 5)).iter_rows(named=True)}
    newest = {name: rows[name]["newest_record_on"] for name in (*sources, "lab_sheet", "podcast_page")}
    assert newest == {
        "feed_items": dt.date(2026, 1, 2),
        "arxiv_papers": dt.date(2026, 2, 3),
        "lab_pages": None,
        "forum_posts": dt.date(2026, 3, 4),
        "lab_sheet": dt.date(2024, 7, 24),
        "podcast_page": None,
    }
    assert rows["forum_posts"]["state"] == "fresh"
    assert "stale: its newest record is" in rows["lab_sheet"]["state"]
    assert rows["lab_pages"]["state"] == "none of its 1 item has a date"
    assert rows["podcast_page"]["state"].startswith("none of its 19 items has a date")
    contents = dict(count_since(release, {}).iter_rows())
    assert contents["episodes"] == 20
    assert (contents["entries of other feeds"], contents["records that are no works"], contents["posts"]) == (1, 2, 1)


def test_rows_removed_from_a_list_are_reported_as_still_counted(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = copy_release(
        "insert into mart.snapshot_yields by name (select * replace ('later' as snapshot_id, true as is_newest)"
        " from mart.snapshot_yields where source = 'lab_sheet')",
        "update mart.snapshot_yields set is_newest = false where snapshot_id != 'later' and source = 'lab_sheet'",
        "insert into raw.sightings by name (select * replace ('later' as snapshot_id) from raw.sightings"
        " where source = 'lab_sheet' and record_id not in (select min(publication_id) from clean.publications))",
        f"insert into {REMOVED_TABLE} by name {load_transforms()[REMOVED_TABLE].query}",
    )
    for page in ("overview", "coverage"):
        app = open_page(lake, monkeypatch, page=page)
        assert not app.exception
        message = next(str(info.value) for info in app.info if "still counted" in str(info.value))
        assert message.startswith("**1 row of an earlier snapshot of")
        assert "mark it as a duplicate" in message
    removed, kept = read_current_release(lake), "select max(publication_id) from clean.publications"
    with removed.connect() as connection:
        ((removed_id,),) = connection.execute(f"select publication_id from {REMOVED_TABLE}").fetchall()
        ((kept_id,),) = connection.execute(kept).fetchall()
    app = open_page(lake, monkeypatch, page="work", id=removed_id)
    assert "**No longer in lab\\_publications.csv, but still counted.**" in app.info[0].value
    assert "20 Nov 2026" in app.info[0].value
    assert not open_page(lake, monkeypatch, page="work", id=kept_id).info
    assert "lab_publications.csv: 1 row of an earlier snapshot is no longer in it, but still counted" in "\n".join(
        describe_status(lake)
    )
