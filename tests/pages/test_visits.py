"""The memory of the last visit: a cookie that the server sets with a page, and what the overview makes of it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from dashboards.queries.visits import (
    VISIT_GAP,
    Visits,
    find_release_at,
    name_cookie,
    parse_visits,
    renew_visits,
    write_visits,
)
from dashboards.server import build_routes
from tests.support.app_tests import open_page, read_page_text
from warehouse.lake import Lake
from warehouse.release import Release

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def make_release(number: int, day: int) -> Release:
    return Release(number, Path(f"aisle.v{number}.duckdb"), {"published_at": NOW.replace(day=day).isoformat()})


RELEASES = [make_release(4, 18), make_release(3, 10), make_release(1, 2)]  # newest first; v2 is not kept


def test_a_visit_ends_when_no_page_was_opened_for_half_an_hour() -> None:
    first = renew_visits(None, NOW)
    assert first == Visits(NOW)
    same = renew_visits(first, NOW + VISIT_GAP)
    assert same == Visits(NOW + VISIT_GAP)
    second = renew_visits(same, same.opened_at + VISIT_GAP + MINUTE)
    assert second.last_at == same.opened_at
    assert renew_visits(second, second.opened_at + MINUTE).last_at == same.opened_at


@pytest.mark.parametrize("visits", [Visits(NOW), Visits(NOW, NOW - dt.timedelta(days=9))])
def test_visits_are_read_as_they_were_written(visits: Visits) -> None:
    assert parse_visits(write_visits(visits), NOW) == visits


@pytest.mark.parametrize(
    "cookie", [None, "", "x", "1-2-3", "-5", "99999999999", "100-200", "5-", "١٢", "5\n", "9" * 400, "1" * 11 + "-1"]
)
def test_a_cookie_that_nobody_wrote_is_no_visit(cookie: str | None) -> None:
    assert parse_visits(cookie, NOW) is None


@pytest.mark.parametrize(
    ("days", "number"),
    [(0, 4), (-2, 4), (-3, 3), (-10, 3), (-11, None), (-18, None), (-19, None)],
)
def test_the_release_of_a_visit_is_the_newest_of_that_moment_if_it_is_kept(days: int, number: int | None) -> None:
    release = find_release_at(RELEASES, NOW + dt.timedelta(days=days))
    assert (release and release.number) == number


def test_server_sets_the_cookie_with_a_page_and_not_for_a_prefetch() -> None:
    client = TestClient(Starlette(routes=build_routes("<p>page</p>")), base_url="http://localhost:8501")
    prefetched = client.get("/trends", headers={"Sec-Purpose": "prefetch;prerender"})
    assert "set-cookie" not in prefetched.headers
    header = client.get("/").headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(header.split("; "))
    assert "Secure" not in header
    first = parse_visits(client.cookies[name_cookie()], dt.datetime.now(dt.UTC))
    assert first is not None
    assert first.last_at is None
    earlier = Visits(first.opened_at - dt.timedelta(days=3))
    client.cookies.clear()
    client.cookies.set(name_cookie(), write_visits(earlier))
    renewed = client.get("/works")
    assert parse_visits(renewed.cookies[name_cookie()], dt.datetime.now(dt.UTC)).last_at == earlier.opened_at  # type: ignore[union-attr]


def test_each_lake_has_a_cookie_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    names = set()
    for address in ("/lakes/one", "/lakes/two", "s3://lake"):
        monkeypatch.setenv("AISLE_LAKE", address)
        names.add(name_cookie())
    assert len(names) == 3


def open_overview(lake: Lake, monkeypatch: pytest.MonkeyPatch, last_at: dt.datetime | None, **query: str) -> AppTest:
    """Open the overview in a visit after one at a moment."""
    monkeypatch.setenv("AISLE_LAKE", lake.address)
    cookies = {name_cookie(): write_visits(Visits(dt.datetime.now(dt.UTC), last_at))}
    return open_page(lake, monkeypatch, page="overview", cookies=cookies, **query)


def test_overview_lists_what_is_new_since_the_last_visit(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    of_openai = "select publication_id from clean.publications where lab = 'OpenAI'"
    copy_release(number=1)
    copy_release(f"delete from clean.work_members where record_id in ({of_openai})", number=2)
    lake = copy_release(number=3)
    now = dt.datetime.now(dt.UTC)
    for number, days in ((1, 9), (2, 6), (3, 1)):
        path = lake.releases / f"aisle.v{number}.json"
        published_at = (now - dt.timedelta(days)).isoformat()
        path.write_text(json.dumps({**json.loads(path.read_text()), "published_at": published_at}))
    app = open_overview(lake, monkeypatch, now - dt.timedelta(days=3))
    assert not app.exception
    assert app.selectbox(key="seen").value == "last visit"
    assert "Since your last visit" in read_page_text(app)
    (new,) = [table.value for table in app.dataframe if "open" in table.value]
    assert set(new["lab"]) == {"OpenAI"}
    assert "nothing new, 0 changed tables" in read_page_text(open_overview(lake, monkeypatch, now))
    # before the first release
    assert "new works" in read_page_text(open_overview(lake, monkeypatch, now - dt.timedelta(days=30)))
    assert "Since release v1" in read_page_text(open_overview(lake, monkeypatch, now, seen="v1"))
    app = open_overview(lake, monkeypatch, None, seen="last visit")
    assert not app.exception
    assert not app.warning
    assert "no cookie of an earlier visit" in app.info[0].value
