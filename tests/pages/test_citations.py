"""Citations in each format can be parsed by other programs, whatever texts they contain."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

import pytest
import rispy
from hypothesis import given, settings
from hypothesis import strategies as st
from pybtex.database import parse_string

from dashboards.exports.citations import format_bibtex, format_csl_json, format_ris

WORK: dict[str, Any] = {
    "kind": "publication",
    "item_id": "c07b8212e5d2a3cd",
    "title": "The 100% {honest} model: a_b & c#d, $5 ~ x^2 \\o/",
    "text": "First line.\n\nER  - \n@misc{evil, title={x}}",
    "source": "lab_sheet",
    "lab": "Café & Sons",
    "category": "Honest AI",
    "authors": "Ada Example; Björn Ünicode and Sons; {Group}",
    "published_on": dt.date(2024, 6, 17),
    "url": "https://arxiv.org/abs/2406.10162?a={b}&c=d e",
}
BARE = {
    **dict.fromkeys(WORK),
    "kind": "segment",
    "item_id": "s-1",
    "title": "Comment",
    "text": "A reply.",
    "source": "forum_page",
}
_SIGNS = {
    r"\textbackslash{}": "\\",
    r"\textbraceleft{}": "{",
    r"\textbraceright{}": "}",
    r"\textasciitilde{}": "~",
    r"\textasciicircum{}": "^",
}


def decode_latex(text: str) -> str:
    pattern = "|".join([*map(re.escape, _SIGNS), r"\\[$&#%_]"])
    return re.sub(pattern, lambda found: _SIGNS.get(found[0], found[0][1:]), text)


def test_bibtex_can_be_parsed() -> None:
    entries = parse_string(format_bibtex([WORK, BARE]), "bibtex").entries
    assert len(entries) == 2
    work = entries["example2024100_c07b8212e5d2"]
    assert decode_latex(work.fields["title"][1:-1]) == WORK["title"]
    authors = [decode_latex(str(person)[1:-1]) for person in work.persons["author"]]
    assert authors == ["Ada Example", "Björn Ünicode and Sons", "{Group}"]
    assert (work.fields["year"], work.fields["month"], work.fields["day"]) == ("2024", "June", "17")
    assert (work.fields["eprint"], work.fields["archiveprefix"]) == ("2406.10162", "arXiv")
    assert work.fields["url"] == "https://arxiv.org/abs/2406.10162?a=%7Bb%7D&c=d%20e"
    assert decode_latex(work.fields["abstract"]) == "First line. ER - @misc{evil, title={x}}"
    bare = next(entry for key, entry in entries.items() if key.endswith("_s1"))
    assert set(bare.fields) == {"title"}


def test_lab_is_the_author_where_none_is_known() -> None:
    (entry,) = parse_string(format_bibtex([{**WORK, "authors": None}]), "bibtex").entries.values()
    assert [decode_latex(str(person)[1:-1]) for person in entry.persons["author"]] == ["Café & Sons"]
    assert json.loads(format_csl_json([{**WORK, "authors": None}]))[0]["author"] == [{"literal": "Café & Sons"}]


def test_ris_can_be_parsed() -> None:
    work, bare = rispy.loads(format_ris([WORK, BARE]))
    assert work["title"] == WORK["title"]
    assert work["authors"] == ["Ada Example", "Björn Ünicode and Sons", "{Group}"]
    assert (work["year"], work["date"]) == ("2024", "2024/06/17/")
    assert work["urls"] == ["https://arxiv.org/abs/2406.10162?a=%7Bb%7D&c=d%20e"]
    assert work["abstract"] == "First line. ER - @misc{evil, title={x}}"
    assert (bare["type_of_reference"], bare["title"]) == ("BLOG", "Comment")
    assert "abstract" not in bare


def test_csl_json_can_be_parsed() -> None:
    work, bare = json.loads(format_csl_json([WORK, BARE]))
    assert work["title"] == WORK["title"]
    assert work["issued"] == {"date-parts": [[2024, 6, 17]]}
    assert [author["literal"] for author in work["author"]] == ["Ada Example", "Björn Ünicode and Sons", "{Group}"]
    assert set(bare) == {"id", "type", "title"}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=4), st.text(max_size=60), st.text(max_size=40))
def test_any_text_can_be_parsed(authors: list[str], title: str, lab: str) -> None:
    row = {**WORK, "authors": "; ".join(authors), "title": title, "lab": lab, "text": title}
    expected = " ".join("".join(sign if sign.isprintable() else " " for sign in title).split())
    (entry,) = parse_string(format_bibtex([row]), "bibtex").entries.values()
    assert decode_latex(entry.fields["title"][1:-1]) == expected
    (item,) = json.loads(format_csl_json([row]))
    assert item.get("title", "") == expected
    (record,) = rispy.loads(format_ris([row]))
    assert record.get("title", "").strip() == expected


@pytest.mark.parametrize("url", ["javascript:alert(1)", "", None, "ftp://example.org"])
def test_only_web_links_are_exported(url: str | None) -> None:
    row = {**WORK, "url": url}
    assert "javascript" not in format_bibtex([row]) + format_ris([row]) + format_csl_json([row])
    assert "url" not in next(iter(parse_string(format_bibtex([row]), "bibtex").entries.values())).fields


def test_no_items_give_empty_files() -> None:
    assert (format_bibtex([]), format_ris([]), json.loads(format_csl_json([]))) == ("", "", [])
