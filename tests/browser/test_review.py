"""Two people decide in two browsers: by keys, at once, without a loss."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dashboard_server import CHROMIUM, serve_dashboard, wait_until_idle
from tests.support.review import TITLES, build_review_lake
from warehouse.decisions.store import list_decisions
from warehouse.lake import Lake

pytest.importorskip("playwright", reason="playwright is not installed")
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture
def edited(tmp_path: Path) -> Iterator[tuple[Lake, str]]:
    """A lake in which works wait, and the address of its dashboards, which were started to edit."""
    lake = build_review_lake(tmp_path / "lake")
    with serve_dashboard(lake, tmp_path / "log.txt", options=["--edit", "--as", "Ada"]) as address:
        yield lake, address


def open_review(browser: Browser, address: str, name: str) -> Page:
    page = browser.new_context(viewport={"width": 1400, "height": 1200}).new_page()
    page.goto(f"{address}review")
    box = page.get_by_role("textbox", name="Your name")
    box.fill(name)
    box.press("Enter")
    wait_until_idle(page)
    taxonomy = page.get_by_role("combobox", name="Taxonomy")
    taxonomy.click()
    page.get_by_role("option", name="Animals").click()
    expect(page.get_by_role("heading", name=TITLES["copy"], exact=True)).to_be_visible()
    page.get_by_role("heading", name="Review").click()  # keys are for choices where no field has the focus
    wait_until_idle(page)
    return page


def test_two_people_decide_by_keys_at_once(edited: tuple[Lake, str], browser: Browser) -> None:
    lake, address = edited
    first, second = (open_review(browser, address, name) for name in ("Ada", "Bo"))
    first.keyboard.press("1")
    expect(first.get_by_role("heading", name=TITLES["sheep"], exact=True)).to_be_visible()
    second.keyboard.press("n")  # what Ada decided is not on this screen
    expect(second.get_by_role("heading", name=TITLES["sheep"], exact=True)).to_be_visible()
    wait_until_idle(second)
    second.keyboard.press("s")
    expect(second.get_by_role("heading", name=TITLES["foxes"], exact=True)).to_be_visible()
    decisions = list_decisions(lake)
    assert [(one.decided_by, one.kind, one.value, one.seen) for one in decisions] == [
        ("Ada", "category", "Wolves", ()),
        ("Bo", "scope", "no", ()),
    ]
    wait_until_idle(first)
    first.keyboard.press("u")
    expect(first.get_by_role("button", name="Undo")).to_have_count(0)
    assert [one.kind for one in list_decisions(lake)] == ["category", "scope", "undo"]
    for page in (first, second):
        page.context.close()


def test_a_category_is_mapped_by_keys_on_a_phone(edited: tuple[Lake, str], browser: Browser) -> None:
    lake, address = edited
    page = browser.new_context(viewport={"width": 390, "height": 1200}).new_page()
    page.goto(f"{address}review?view=Mappings")
    wait_until_idle(page)
    page.get_by_role("combobox", name="Taxonomy").click()
    page.get_by_role("option", name="Animals").click()
    expect(page.get_by_role("heading", name="Wolves", exact=True)).to_be_visible()
    page.get_by_role("heading", name="Review").click()
    wait_until_idle(page)
    page.keyboard.press("n")
    expect(page.get_by_text("No category waits for a decision.")).to_be_visible()
    wait_until_idle(page)
    page.keyboard.press("u")
    expect(page.get_by_role("heading", name="Wolves", exact=True)).to_be_visible()
    assert [(one.kind, one.from_category) for one in list_decisions(lake)] == [
        ("mapping", "Wolves"),
        ("undo", "Wolves"),
    ]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.context.close()
