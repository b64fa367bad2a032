"""No parser takes more than about linear time: a document of four times the length takes about four times as long.

Most of the work is in libraries written in C, where it cannot be counted, so CPU time is compared with itself: a
quadratic parser takes 16 times as long, a linear one 4 times, and the limit is 8 of the best of several runs. What takes
next to no time at the larger size is not quadratic at sizes that matter, and passes without a comparison.
"""

from __future__ import annotations

import csv
import gc
import html
import io
import json
import time
from collections.abc import Callable

import pytest

from orchestration.sources.registry import recognise_source
from orchestration.sources.shared.document import Document, UnreadableDocument
from orchestration.sources.shared.failure_page import describe_failure_page
from orchestration.sources.shared.html_text import html_to_text
from orchestration.sources.shared.html_tree import limit_nesting, parse_html
from orchestration.sources.source import DamagedDocument, DocumentRefused
from tests.sources import test_arxiv, test_enrichers, test_feed, test_forum, test_lab_site, test_openalex
from tests.support.trials import pick_trials, scale_trials

LENGTH = scale_trials(2500, 4000)
NEGLIGIBLE_SECONDS, LIMIT, RUNS = 0.25, 11.0, 5  # four times the length: linear 4, quadratic 16

SHAPES: dict[str, Callable[[int], str]] = {
    "nested blocks": lambda n: "<div>" * n,
    "nested lists": lambda n: "<ul><li>" * n,
    "nested tables": lambda n: "<table><tr><td>" * n,
    "formatting that stays open": lambda n: "".join(f"<font c={i}>x<p>" for i in range(n)),
    "closing tags of nothing": lambda n: "<span>" * n + "</i>" * n,
    "unknown tags": lambda n: "".join(f"<x{i}>" for i in range(n)) + "<p>x</p>" * n,
    "options": lambda n: "<select>" + "<option>x" * n,
    "references": lambda n: "&amp;" * n + "x",
    "bare ampersands": lambda n: "&" * n + "x",
    "angle brackets": lambda n: "<" * n,
    "tags that do not end": lambda n: '<a href="' * n,
    "inputs that do not end": lambda n: "<input " * n,
    "a long attribute": lambda n: f'<a href="{"x" * 5 * n}">y</a>',
    "many attributes": lambda n: "<a " + " ".join(f'a{i}="1"' for i in range(n)) + ">y</a>",
    "comments that do not end": lambda n: "<!--" * n,
    "many paragraphs": lambda n: "<p>word</p>" * n,
    "many links": lambda n: "".join(f'<a href="https://example.org/{i}">w</a> ' for i in range(n)),
    "many headings": lambda n: "<h1>w</h1>" * n,
    "spaces": lambda n: "a" + " " * 5 * n + "x",
    "line breaks": lambda n: "a" + "\n" * 5 * n + "x",
    "a long word": lambda n: "w" * 5 * n,
    "underscores": lambda n: "a" + "_" * 5 * n + "b",
    "words": lambda n: "Word " * n,
    "lines of digits": lambda n: "\n".join(map(str, range(1, n))),
    "dated links": lambda n: "12-Jun-24https://example.org/1 " * n,
    "names of labs": lambda n: "OpenAIA\n" * n,
    "bullets": lambda n: "-\n" * n,
    "brackets": lambda n: "(" * n + ")" * n,
    "deep JSON": lambda n: '{"a":' * n + "1" + "}" * n,
}


def build_csv(header: str, **cells: str) -> bytes:
    names, text = header.split(","), io.StringIO()
    csv.writer(text).writerows([names, [cells.get(name, "") for name in names]])
    return text.getvalue().encode()


KINDS: dict[str, Callable[[str], bytes]] = {
    "page": test_lab_site.build_page,
    "page with title": lambda body: test_lab_site.build_page(f"<h1>{body}</h1>", head=f"<title>{body}</title>"),
    "arXiv page": lambda body: (
        '<!doctype html><html><head><title>x</title><meta name="citation_arxiv_id" content="2401.00001"></head>'
        f"<body>{body}</body></html>"
    ).encode(),
    "feed": lambda body: test_feed.build_rss(test_feed.build_item(1, description=html.escape(body))),
    "feed title": lambda body: test_feed.build_rss(test_feed.build_item(1, title=html.escape(body))),
    "damaged feed": lambda body: test_feed.build_rss(test_feed.build_item(1, f"<x>{body}</x>")),
    "forum post": lambda body: test_forum.build_response("posts", test_forum.build_post(1, contents={"html": body})),
    "OpenAlex": lambda body: test_openalex.build_page(test_openalex.build_work(1, title=body)),
    "Crossref": lambda body: test_enrichers.build_work_list(test_enrichers.build_work(title=[body], abstract=body)),
    "Semantic Scholar": lambda body: json.dumps([test_enrichers.build_paper() | {"title": body}]).encode(),
    "Hugging Face": lambda body: json.dumps([{"paper": {"id": "2401.00001", "title": body}}]).encode(),
    "data set": lambda body: json.dumps(test_enrichers.build_text() | {"text": body, "title": body}).encode(),
    "arXiv bulk": lambda body: json.dumps(test_arxiv.build_bulk_line(title=body, authors=body)).encode(),
    "arXiv harvest": lambda body: test_arxiv.build_oai(
        test_arxiv.build_oai_record().replace("Some\nwords", html.escape(body))
    ),
    "podcast page": lambda body: f"Show\n-\n{body}\nA podcast by X.\nLearn more on the Y website.\n".encode(),
    "podcast table": lambda body: build_csv("entry,linked_url,authors,summary_sha256", entry="1", authors=f"x{body}"),
    "captured sheet": lambda body: (
        "company title date url safety_category abstract\n1\nOpenAIA title12-Jun-24https://example.org/a"
        f"RobustnessAbstract {body}\n2\nOpenAIB title12-Jun-24https://example.org/bRobustnessAbstract\n"
    ).encode(),
    "sheet": lambda body: build_csv("Company,Title,Date,URL,Safety_category,Abstract", Company="OpenAI", Abstract=body),
    "plain text": lambda body: f"Some text. {body}".encode(),
    "damaged JSON": lambda body: f'{{"a":{body}'.encode(),
}


def parse(content: bytes) -> None:
    document = Document(content, "long")
    try:
        describe_failure_page(document)
        recognise_source(document).parse(document)
    except (DocumentRefused, DamagedDocument, UnreadableDocument):
        pass


def measure_seconds(function: Callable[[bytes], object], content: bytes) -> float:
    gc.collect()
    gc.disable()  # what other tests have left in memory would be searched for garbage again and again
    begun = time.process_time()
    try:
        function(content)
        return time.process_time() - begun
    finally:
        gc.enable()


def find_growth(function: Callable[[bytes], object], build: Callable[[int], bytes]) -> float | None:
    """How many times as long the function takes for four times the length; None if it takes next to no time."""
    short, long = build(LENGTH), build(4 * LENGTH)
    times: list[tuple[float, float]] = []
    growth = LIMIT
    while len(times) < RUNS and growth >= LIMIT:  # the least of several, since other work on the machine only adds
        long_seconds = measure_seconds(function, long)
        if long_seconds < NEGLIGIBLE_SECONDS:
            return None
        times.append((long_seconds, max(measure_seconds(function, short), 0.001)))
        growth = min(one for one, _ in times) / min(other for _, other in times)
    return growth


@pytest.mark.trials("slow documents", len(SHAPES))
@pytest.mark.parametrize("kind", pick_trials(list(KINDS), 2))
def test_time_grows_no_more_than_the_document(kind: str) -> None:
    growths = {
        name: find_growth(parse, lambda length, shape=shape: KINDS[kind](shape(length)))
        for name, shape in SHAPES.items()
    }
    assert {name: growth for name, growth in growths.items() if growth is not None and growth >= LIMIT} == {}


MANY: dict[str, Callable[[int], bytes]] = {
    "entries of a podcast page": lambda n: b"Show\n" + b"A podcast by X.\nLearn more on the Y website.\n-\n" * n,
    "items": lambda n: test_feed.build_rss(*["<item><guid>x</guid></item>"] * n),
    "categories": lambda n: test_feed.build_rss(
        test_feed.build_item(1, "".join(f"<category>x{i}</category>" for i in range(n)))
    ),
    "attributes of a feed": lambda n: test_feed.build_rss(
        test_feed.build_item(1, "<x " + " ".join(f'a{i}="1"' for i in range(n)) + "/>")
    ),
    "brackets among authors": lambda n: test_arxiv.build_oai(
        test_arxiv.build_oai_record().replace("<title>", f"<comments>{'(' * n}{')' * n}</comments><title>")
    ),
    "damaged lines": lambda n: json.dumps(test_enrichers.build_text()).encode() + b"\n" + b"{\n" * n,
    "rows without a number": lambda n: (
        b"company title date url safety_category abstract\n1\n"
        + b"OpenAIA title12-Jun-24https://example.org/aRobustnessAbstract\n" * (n // 4)
    ),
}


@pytest.mark.trials("slow documents")
@pytest.mark.parametrize("name", pick_trials(list(MANY), 2))
def test_time_grows_no_more_than_the_number_of_parts(name: str) -> None:
    growth = find_growth(parse, MANY[name])
    assert growth is None or growth < LIMIT


@pytest.mark.parametrize(
    "name", ["<select>" + "<option>x", "<div><font c=1>", "<template>", "<svg><g>", "<a><div></a>"]
)
def test_html_tree_grows_linearly(name: str) -> None:
    growth = find_growth(parse_html, lambda n: name.encode() * n)
    assert growth is None or growth < LIMIT


def test_ordinary_html_is_parsed_unchanged() -> None:
    page = b"<!doctype html><body>" + b"<div><p>One <b>two</b><br/><ul><li>x<li>y</ul></div>" * 3000 + b"</body>"
    assert limit_nesting(page) == page
    data = b"<main data-x='" + b"a=1 " * 5000 + b"'><p>x</p></main>"
    assert limit_nesting(data) == data


def test_tags_beyond_the_limits_are_left_out_and_their_text_stays() -> None:
    deep = "<div>a" * 2000 + "<a href='https://example.org/1'>b</a>" + "</div>c" * 2000
    text = html_to_text(deep)
    assert "".join((text.text or "").split()) == "a" * 2000 + "b" + "c" * 2000
    assert text.links == ("https://example.org/1",)
    wide = "<p " + " ".join(f"a{i}=1" for i in range(3000)) + ">x</p><h1>y</h1>"
    assert limit_nesting(wide.encode()) == b"<p>x</p><h1>y</h1>"
    assert html_to_text(wide).text == "x\ny"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (test_feed.build_rss("<item/>" * 50_001), "a feed of 50,001 entries"),
        (MANY["categories"](2001), "entry 1 has 2,001 categories"),
        (MANY["attributes of a feed"](501), "a tag of 501 or more attributes"),
    ],
)
def test_feed_beyond_all_real_ones_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    document = Document(content, "feed")
    with pytest.raises(DamagedDocument, match=reason):
        test_feed.SOURCE.parse(document)
