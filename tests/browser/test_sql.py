"""The SQL page in a real browser."""

from __future__ import annotations

import io

import polars as pl
import pytest

from tests.browser.actions import download_file, expect_parameters
from tests.support.browsing import BARS, OpenPage
from tests.support.dashboard_server import CHROMIUM, wait_until_idle

pytest.importorskip("playwright", reason="playwright is not installed")
from playwright.sync_api import expect

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
SLOW = "select count(*) as n from range(1000000) as a (x), range(1000000) as b (y) where hash(x, y) = 1"
QUERY = "select lab, count(*) as works from clean.publications group by lab order by lab"


def test_query_is_run_drawn_downloaded_and_restored_by_its_address(visit_page: OpenPage) -> None:
    page = visit_page("sql")
    box = page.get_by_role("textbox", name="Query")
    box.fill(QUERY)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("3 rows of 2 columns")).to_be_visible()
    page.get_by_role("radio", name="bars").or_(page.get_by_role("button", name="bars")).first.click()
    expect(page.locator(BARS)).to_have_count(3)
    wait_until_idle(page)
    name, content = download_file(page, "Parquet")
    assert name == "query_v1.parquet"
    assert pl.read_parquet(io.BytesIO(content))["works"].sum() == 80
    expect_parameters(page, query=QUERY, mark="bars")
    page.reload()
    expect(page.locator(BARS)).to_have_count(3)
    expect(page.get_by_role("textbox", name="Query")).to_have_value(QUERY)


def test_slow_query_can_be_cancelled(visit_page: OpenPage) -> None:
    page = visit_page("sql")
    page.get_by_role("textbox", name="Query").fill(SLOW)
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("Running the query")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("the query was cancelled")).to_be_visible()
    expect(page.get_by_text("Running the query")).to_have_count(0)
    page.get_by_role("textbox", name="Query").fill("select 1 as one")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("1 row of 1 column in")).to_be_visible()
