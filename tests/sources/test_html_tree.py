"""Trees of HTML pages: nesting without end is cut, so that the parser's work stays linear, and all else is kept."""

from __future__ import annotations

import pytest

from orchestration.sources.shared.html_text import html_to_text
from orchestration.sources.shared.html_tree import parse_html


def measure_depth(html: str) -> int:
    """The number of elements around the last word of a page."""
    node, depth = next(node for node in parse_html(html).css("*") if node.text(deep=False).strip() == "last"), 0
    while node.parent is not None:
        node, depth = node.parent, depth + 1
    return depth


# the parser looks through all open elements at many tags, so its work is at most their number times the depth
@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("<div>", ""),
        ("<div>", "</div>"),
        ("<ul><li>", ""),
        ("<b><div>", ""),
        ("<dl><dd>", ""),
        ("<blockquote class='a'>", "</blockquote>"),
        ("<!--><section>", ""),
        ("<DIV\n>", ""),
    ],
)
def test_depth_does_not_grow_with_nested_elements(opening: str, closing: str) -> None:
    for count in (5_000, 60_000):
        assert measure_depth(f"<html><body>{opening * count}<i>last</i>{closing * count}") <= 2_100


def test_text_below_the_deepest_level_and_after_it_is_kept() -> None:
    html = "<p>first</p>" + "<div>" * 3_000 + "deep" + "</div>" * 3_000 + "<section><p>after</p></section>"
    assert html_to_text(html).text == "first\ndeep\nafter"
    tree = parse_html(html)
    section = tree.css_first("section")
    assert section is not None
    assert section.parent is not None
    assert section.parent.tag == "body"


@pytest.mark.parametrize(
    "html",
    [
        "<ul>" + "<li>one" * 3_000 + "</ul>",
        "<p>" * 3_000,
        "<table>" + "<tr><td>x" * 3_000 + "</table>",
        "<br><img src=x>" * 3_000,
        f"<script>{'<div>' * 3_000}</script><p>x</p>",
        f"<!-- {'<div>' * 3_000} --><p>x</p>",
        "<div><span>x</span></div>" * 3_000,
    ],
)
def test_flat_pages_of_any_length_stay_as_they_are(html: str) -> None:
    from selectolax.lexbor import LexborHTMLParser

    assert parse_html(html).html == LexborHTMLParser(html).html
