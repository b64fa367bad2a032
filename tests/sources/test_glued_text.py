"""Text of cards and cells that follow each other without a separator: titles of feeds, blocks and cells of HTML."""

from __future__ import annotations

import re

import pytest

from orchestration.sources.feed.glued_title import SeparatedTitle, separate_title
from orchestration.sources.feed.items import SOURCE
from orchestration.sources.lab_site.pages import SOURCE as LAB_PAGES
from orchestration.sources.shared.html_text import html_to_text
from tests.sources.test_feed import build_item, build_rss
from tests.support.fetch_plans import SAMPLES, needs_samples, parse_document


@pytest.mark.parametrize(
    ("glued", "parts"),
    [
        ("Aug 18, 2026ScienceHow proteins fold", ("How proteins fold", "Science", None)),
        ("Jul 9, 2026Frontier Red TeamA robot walks", ("A robot walks", "Frontier Red Team", None)),
        ("3 May 2026Safety“Safe” is a word", ("“Safe” is a word", "Safety", None)),
        (
            "PolicyMay 8, 2026A plan for testsWe list what to test.",
            ("A plan for tests", "Policy", "We list what to test."),
        ),
        ("PolicyMay 8, 2026DeepMind and OpenAI agree on tests", ("DeepMind and OpenAI agree on tests", "Policy", None)),
        ("Aug 1, 2026OpenAI opens an office", ("OpenAI opens an office", None, None)),
        ("September 1, 2026Models that write back", ("Models that write back", None, None)),
    ],
)
def test_glued_title_is_separated(glued: str, parts: tuple[str, str | None, str | None]) -> None:
    assert separate_title(glued) == SeparatedTitle(*parts)


@pytest.mark.parametrize(
    "title",
    [
        "How proteins fold",
        "Aug 18, 2026",
        "Aug 18, 2026 update of the plan",
        "Aug 18, 2026: how",
        "PolicyBench: tests",
        "In May 2026A",
    ],
)
def test_other_titles_stay_as_they_are(title: str) -> None:
    assert separate_title(title) is None


def test_entry_keeps_the_section_and_the_summary_of_its_card() -> None:
    glued = "AlignmentMay 8, 2026A switch for modelsThis note shows how to turn them off."
    (record,) = parse_document(SOURCE, build_rss(build_item(title=glued, description=glued))).records
    assert record.identity.endswith(" g1")
    assert record.values["title"] == "A switch for models"
    assert record.values["text"] == "This note shows how to turn them off."
    assert record.values["categories"] == "Alignment"
    assert record.values["reading_note"] == "the title was separated from the date before it"


@needs_samples
def test_no_title_of_real_feeds_begins_with_a_glued_date() -> None:
    titles = [
        str(record.values["title"])
        for path in sorted((SAMPLES / "feeds_lab_blogs").rglob("feed_anthropic_research*.xml"))
        for record in parse_document(SOURCE, path.read_bytes()).records
    ]
    assert len(titles) > 20
    assert not [title for title in titles if re.search(r"\d{4}[A-Z]", title[:40])]
    assert "How Claude is accelerating protein design and analytical chemistry" in titles


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (
            "<table><tr><td>Aug 18</td><td>Science</td></tr><tr><th>a</th><th>b</th></tr></table>",
            "Aug 18\nScience\na\nb",
        ),
        ("<nav>Home</nav><main>Title<aside>Note</aside></main>", "Home\nTitle\nNote"),
        ("<details><summary>More</summary>Less</details>", "More\nLess"),
        ("<p>bo<b>ld</b></p>", "bold"),
    ],
)
def test_blocks_and_cells_separate_words(html: str, text: str) -> None:
    assert html_to_text(html).text == text


def test_blocks_in_an_entry_of_an_index_separate_words() -> None:
    index = (
        b"<html><head><title>Transformer Circuits Thread</title></head><body><div class='toc'>"
        b"<div class='date'>May 2026</div><a class='paper' href='2026/x/index.html'>"
        b"<h3>Circuits<br>of a model</h3><div class='byline'><div>Ann</div><div>Bo</div></div></a></div></body></html>"
    )
    (record,) = parse_document(LAB_PAGES, index).records
    assert (record.values["title"], record.values["authors"]) == ("Circuits of a model", "Ann Bo")
