"""From a list that somebody keeps to a picture for a memo: what is added, fetched, decided, trained and drawn, in a browser."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.browser.actions import download_file
from tests.conftest import copy_lake, run_aisle
from tests.sources.test_feed import build_item, build_rss
from tests.support.builders import fetch_rows
from tests.support.dashboard_server import CHROMIUM, serve_dashboard, wait_until_idle
from tests.support.http_server import ServerRequest, ServerResponse, serve_http
from tests.support.trials import trials_only
from warehouse.lake import Lake
from warehouse.release import read_current_release

pytest.importorskip("playwright", reason="playwright is not installed")
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

LIST = """Título;Enlace;Empresa;Fecha;Tema
Circuits that count words in models;https://example.org/a1;Anthropic;03.02.2025;Circuitos
Features of large language models;https://example.org/a2;Anthropic;17.03.2025;Circuitos
Models that notice when they are evaluated;https://example.org/a4;Google DeepMind;02.05.2025;Pruebas
Evaluations of agents without gaps;https://example.org/a6;OpenAI;30.06.2025;Pruebas
"""
NEW = {
    "Circuits that add numbers inside a language model": "Mechanistic interpretability",
    "Red teaming a model against adversarial prompts": "Robustness",
    "Measuring whether agents seek power": "Power-seeking tendencies",
}
DISPUTED, OTHER = "Measuring whether agents seek power", "Safety evaluations"
PUBLIC = "https://example.org/aisle"
COUNTED = "mart.works_by_lab_category_month"
EXPECTED = "mart.suggested_counts_by_month"
TREND = "trends?corpus=lab_publications&categories=Robustness&colour=lab&panels=false&suggested=false"


def answer_with_new_works(_: ServerRequest) -> ServerResponse:
    """A feed of the research section of a lab's site, with three new works."""
    items = [
        build_item(
            title=title,
            link=f"https://www.anthropic.com/research/new-{number}",
            guid=f"new {number}",
            pubDate=f"Tue, {7 + 7 * number} Jul 2026 10:00:00 +0000"
            if number < 2
            else "Tue, 18 Aug 2026 10:00:00 +0000",
            description="",
        )
        for number, title in enumerate(NEW)
    ]
    return ServerResponse(build_rss(*items))


def add_list(lake: Lake, folder: Path) -> None:
    """Add a list with headers of another language, which needs no question since their names are known."""
    file = folder / "lista.csv"
    file.write_text(LIST, encoding="utf-8")
    done = run_aisle(lake.root, "add", str(file))
    assert done.returncode == 0, done.stderr
    assert "category from “Tema”" in done.stdout + done.stderr


def follow_feed(lake: Lake) -> None:
    """Follow a feed, which is fetched at once and counted."""
    with serve_http(answer_with_new_works) as server:
        lines = ["[fetch]", f'allow_private = ["{server.host}"]', "[feeds.lab_research]", 'source = "feed_items"']
        (lake.root / "feeds.toml").write_text("\n".join([*lines, f'url = "{server.url}/research"']))
        done = run_aisle(lake.root, "follow", "lab_research", "--yes", "--contact", "me@example.org")
    assert done.returncode == 0, done.stderr
    assert "lab_publications: 85 works" in done.stdout


def open_review(browser: Browser, address: str, name: str, *, is_second: bool = False) -> Page:
    page = browser.new_context(viewport={"width": 1400, "height": 1400}).new_page()
    page.goto(f"{address}review")
    box = page.get_by_role("textbox", name="Your name")
    box.fill(name)
    box.press("Enter")
    wait_until_idle(page)
    if is_second:
        page.get_by_text("Second coder", exact=True).click()
        wait_until_idle(page)
    return page


def decide(page: Page, categories: dict[str, str]) -> list[str]:
    """Decide on the works that are shown, as many as there are categories; returns their titles in order."""
    seen: list[str] = []
    waiting = set(categories)
    while waiting:
        heading = page.get_by_role("heading", name=re.compile("|".join(re.escape(title) for title in waiting)))
        expect(heading).to_be_visible()
        title = heading.inner_text()
        wait_until_idle(page)
        page.get_by_role("button", name=re.compile(rf"^{re.escape(categories[title])}")).click()
        waiting.remove(title)
        seen.append(title)
        expect(page.get_by_role("heading", name=title, exact=True)).to_have_count(0)
        wait_until_idle(page)
    return seen


def settle(page: Page, category: str) -> None:
    page.get_by_role("radiogroup", name="Show").get_by_role("radio").filter(has_text="Disagreements").click()
    expect(page.get_by_text(f"Ada: category {NEW[DISPUTED]}")).to_be_visible()
    expect(page.get_by_text(f"Bo: category {OTHER}")).to_be_visible()
    wait_until_idle(page)
    page.get_by_role("button", name=f"Settle as {category}").click()
    expect(page.get_by_text("Nobody disagrees.")).to_be_visible()


def review_as_two(browser: Browser, address: str) -> None:
    """Two people decide on the three new works, which come first, and disagree on one until it is settled."""
    first = open_review(browser, address, "Ada")
    assert set(decide(first, NEW)) == set(NEW)  # nothing else came up before them
    second = open_review(browser, address, "Bo", is_second=True)
    decide(second, NEW | {DISPUTED: OTHER})
    wait_until_idle(first)
    settle(first, OTHER)
    for page in (first, second):
        page.context.close()


def read_trend(page: Page, address: str) -> str:
    """The finding of the trend of a category in the corpus of what labs publish."""
    page.goto(address + TREND)
    finding = page.get_by_text("Finding (Publications of labs")
    expect(finding).to_be_visible()
    return finding.inner_text()


def read_picture(page: Page, address: str) -> str:
    """The words of the picture, whose title somebody wrote, without spaces."""
    page.goto(f"{address}{TREND}&trends_tab=Download")
    box = page.get_by_role("textbox", name="Title of the picture")
    box.fill("Robustness goes on")
    box.press("Enter")
    page.wait_for_url(re.compile(r"trends_title=Robustness"))
    wait_until_idle(page)
    name, content = download_file(page, "SVG")
    assert name.endswith(".svg")
    png = download_file(page, "PNG")[1]
    assert png.startswith(b"\x89PNG")
    html = download_file(page, "HTML")[1].decode()
    assert "Robustness goes on" in html
    nodes = ET.fromstring(content).iter("{http://www.w3.org/2000/svg}text")  # noqa: S314 - our own
    return "".join("".join(node.itertext()) for node in nodes).replace(" ", "")  # lines end without one


@trials_only
@pytest.mark.trials("a list, a feed, two people, a model and a memo in one lake")
def test_a_list_grows_is_decided_on_and_ends_in_a_memo(released_lake: Lake, browser: Browser, tmp_path: Path) -> None:
    lake = copy_lake(released_lake, tmp_path / "lake")
    add_list(lake, tmp_path)
    follow_feed(lake)
    before = read_current_release(lake)
    suggested = "select title from clean.works where work_id in (select work_id from clean.suggestions)"
    assert set(NEW) <= {title for (title,) in fetch_rows(before, suggested)}
    options = ["--edit", "--as", "Ada", "--public-address", PUBLIC]
    with serve_dashboard(lake, tmp_path / "log.txt", options=options) as address:
        context = browser.new_context(viewport={"width": 1400, "height": 1400}, accept_downloads=True)
        page = context.new_page()
        assert "10 works" in read_trend(page, address)
        review_as_two(browser, address)
        done = run_aisle(lake.root, "train")
        assert done.returncode == 0, done.stderr
        after = read_current_release(lake)
        assert after.number == before.number + 1

        assert "11 works" in read_trend(page, address)
        words = read_picture(page, address)
        for text in ("Robustness goes on", "11 works in", after.content_sha256, f"{PUBLIC}/trends?", "Anthropic"):
            assert text.replace(" ", "") in words

        page.goto(f"{address}changes?counts={COUNTED}")
        expect(page.get_by_text("label decided").first).to_be_visible()
        context.close()

    assert explain(lake, before.name, after.name, COUNTED) == {"label decided": set(NEW)}
    causes = explain(lake, before.name, after.name, EXPECTED)
    assert causes["label decided"] == set(NEW)
    assert "Features of large language models" in causes["suggestion changed"]


def explain(lake: Lake, old: str, new: str, table: str) -> dict[str, set[str]]:
    """The works behind each cause of the changes between two releases."""
    done = run_aisle(lake.root, "diff", old, new, table, "--format", "json")
    assert done.returncode == 0, done.stderr
    causes: dict[str, set[str]] = {}
    for row in json.loads(done.stdout):
        causes.setdefault(row["cause"], set()).update((row["publications"] or "").split("; "))
    return causes
