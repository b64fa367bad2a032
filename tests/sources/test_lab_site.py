"""Pages of labs' sites: where each fact is found, indexes by month, and sitemaps that are read once."""

from __future__ import annotations

import datetime as dt
import gzip
from pathlib import Path
from typing import Any

import pytest

from orchestration.sources.lab_site.pages import SOURCE, dated
from orchestration.sources.registry import Refused, recognised
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Answer, Feed, Request, Since, Unanswered
from tests.support.fetch_plans import NOW, SAMPLES, converse, needs_samples, parsed, table

MAP = "https://www.anthropic.com/sitemap.xml"


def page(body: str = "", head: str = "", url: str = "https://openai.com/index/a-work/") -> bytes:
    canonical = f'<link rel="canonical" href="{url}">' if url else ""
    return f"<!doctype html><html><head><title>A work</title>{canonical}{head}</head><body><main>{body}</main></body></html>".encode()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("September 17, 2025", (dt.date(2025, 9, 17), "day")),
        ("on 2 April 2025 in", (dt.date(2025, 4, 2), "day")),
        ("Sept. 3rd, 2024", (dt.date(2024, 9, 3), "day")),
        ("2025/03/19", (dt.date(2025, 3, 19), "day")),
        ("2025-03-19T00:00:00-07:00", (dt.date(2025, 3, 19), "day")),
        ("July 2025", (dt.date(2025, 7, 1), "month")),
        ("31 June 2025, then 1 July 2025", (dt.date(2025, 7, 1), "day")),
        ("maybe 2025", None),
        ("version 12025-03-190", None),
    ],
)
def test_days_and_months_in_texts(text: str, found: Any) -> None:
    assert dated(text) == found


@pytest.mark.parametrize(
    ("body", "head", "day", "basis"),
    [
        (
            "",
            '<script type="application/ld+json">{"@graph":[{"@type":"BlogPosting","datePublished":"2025-01-02T23:00:00-07:00"}]}</script>',
            dt.date(2025, 1, 2),
            "structured data",
        ),
        (
            "",
            '<meta property="article:published_time" content="2025-01-03T00:00:00Z">',
            dt.date(2025, 1, 3),
            "metadata",
        ),
        (
            r'<script>self.f("{\"publishedOn\":\"2025-01-04T16:00:00.000Z\"} {\"publishedOn\":\"2020-01-01\"}")</script>',
            "",
            dt.date(2025, 1, 4),
            "page data",
        ),
        (
            "<p>January 5, 2025</p><h1>A work</h1><time datetime='2020-01-01'>old</time>",
            "",
            dt.date(2025, 1, 5),
            "text near the title",
        ),
        (
            "<h1>A work</h1><time datetime='2025-01-06'>this week</time><time datetime='2020-01-01'>old</time>",
            "",
            dt.date(2025, 1, 6),
            "time element",
        ),
    ],
)
def test_a_day_is_taken_from_the_surest_place(body: str, head: str, day: dt.date, basis: str) -> None:
    values = parsed(SOURCE, page(body if "h1" in body else f"<h1>A work</h1>{body}", head)).records[0].values
    assert (values["published_on"], values["date_basis"], values["date_precision"]) == (day, basis, "day")


def test_a_date_far_from_the_title_is_not_the_articles() -> None:
    values = parsed(SOURCE, page("<h1>A work</h1><p>" + "word " * 400 + "January 5, 2020</p>")).records[0].values
    assert (values["published_on"], values["reading_note"]) == (None, "no date was found")


def test_values_of_an_article() -> None:
    head = '<meta name="description" content="What it says."><meta property="og:title" content="A work: of a lab">'
    (record,) = parsed(
        SOURCE, page('<h1>A work</h1><p>See <a href="https://arxiv.org/abs/2401.00001">it</a></p>', head)
    ).records
    assert record.identity == "openai:a-work"
    assert (record.values["lab"], record.values["title"]) == ("OpenAI", "A work: of a lab")
    assert record.values["links"] == "https://arxiv.org/abs/2401.00001"


def test_a_page_is_taken_from_known_sites_or_where_it_was_asked_for() -> None:
    unknown = page("<h1>A work</h1>", url="https://example.org/a")
    with pytest.raises(Refused, match="an HTML page titled “A work”"):
        recognised(Document(unknown, "page"))
    (record,) = parsed(SOURCE, unknown, page_url="https://example.org/a", lab="A Lab").records
    assert record.values["lab"] == "A Lab"
    (reject,) = parsed(SOURCE, unknown, page_url="https://example.org/a").rejects
    assert "example.org is no known lab's site" in reject.reason


INDEX = b"""<!doctype html><title>Transformer Circuits Thread</title><div class="toc">
<div class="date">October 2025</div>
<a class="paper" href="2025/one/index.html"><h3>One</h3><div class="byline">Ann et al., 2025</div><div class="description">About one.</div></a>
<a class="note" href="https://example.org/two"><h3>Two</h3></a>
<div class="date">September 2025</div><a class="paper with-following" href="2025/three/"><h3>Three</h3></a><a class="note" href="x"></a></div>"""


def test_an_index_gives_months_and_addresses() -> None:
    found = parsed(SOURCE, INDEX)
    assert [(str(r.values["published_on"]), r.values["date_precision"], r.identity) for r in found.records] == [
        ("2025-10-01", "month", "tcircuits:2025/one"),
        ("2025-10-01", "month", "url:example.org/two"),
        ("2025-09-01", "month", "tcircuits:2025/three"),
    ]
    assert [reject.reason for reject in found.rejects] == ["no title"]


def test_a_page_tells_the_day_that_its_index_does_not(tmp_path: Path) -> None:
    # a page of a few words would be refused as none
    own = page(
        f"<p>October 23, 2025</p><h1>One</h1><p>{'Several words of text. ' * 50}</p>",
        url="https://transformer-circuits.pub/2025/one/index.html",
    )
    rows = {
        row["title"]: row
        for row in table(
            tmp_path, "clean.papers", own, INDEX.replace(b"About one.", b"About one." + b" More of it." * 50)
        ).to_dicts()
    }
    assert (rows["One"]["published_on"], rows["One"]["date_precision"]) == (dt.date(2025, 10, 23), "day")
    assert (rows["One"]["labs"], rows["One"]["authors"]) == ("Anthropic", "Ann et al., 2025")
    assert rows["One"]["abstract"].startswith("About one.")
    assert (rows["Three"]["published_on"], rows["Three"]["date_precision"]) == (dt.date(2025, 9, 1), "month")


def sitemap(*paths: str, day: str = "2026-01-01") -> bytes:
    entries = "".join(
        f"<url><loc>https://www.anthropic.com{path}</loc><lastmod>{day}</lastmod></url>" for path in paths
    )
    return (
        f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>'.encode()
    )


def ask(answers: dict[str, bytes], watermark: str | None = None, **settings: Any) -> tuple[list[Request], str | None]:
    assert SOURCE.fetch is not None
    feed = Feed("anthropic", "lab_pages", MAP, {"door": "sitemap", "paths": ["/research/"], **settings})
    return converse(SOURCE.fetch(feed, Since(watermark, NOW)), lambda request: answers.get(request.url, b""))


def test_pages_of_a_sitemap_are_asked_for_once() -> None:
    answers = {MAP: sitemap("/research", "/research/a", "/research/b", "/news/c")}
    requests, watermark = ask(answers)
    assert [(request.url.removeprefix("https://www.anthropic.com"), request.is_kept) for request in requests] == [
        ("/sitemap.xml", False),
        ("/research/a", True),
        ("/research/b", True),
    ]
    rebuilt = {MAP: sitemap("/research/a", "/research/b", "/research/d", day="2026-02-02")}
    assert [request.url[-2:] for request in ask(rebuilt, watermark)[0][1:]] == ["/d"]


def test_changed_pages_are_asked_for_again_where_that_is_wished_and_never_too_many_at_once() -> None:
    first = {MAP: sitemap("/research/a", "/research/b")}
    requests, watermark = ask(first, again_when_changed="yes", most=1)
    assert len(requests) == 2
    requests, watermark = ask(first, watermark, again_when_changed="yes")
    assert [request.url[-2:] for request in requests[1:]] == ["/b"]
    again = {MAP: sitemap("/research/a", "/research/b", day="2026-02-02")}
    assert len(ask(again, watermark, again_when_changed="yes")[0]) == 3


def test_a_page_that_does_not_answer_is_asked_for_the_next_time() -> None:
    assert SOURCE.fetch is not None
    feed = Feed("anthropic", "lab_pages", MAP, {"door": "sitemap", "paths": ["/research/"]})
    conversation = SOURCE.fetch(feed, Since(None, NOW))
    next(conversation)
    conversation.send(Answer(sitemap("/research/a", "/research/b"), MAP, {}))
    assert conversation.throw(Unanswered("not found", 404)).url.endswith("/b")
    with pytest.raises(StopIteration) as end:
        conversation.send(Answer(b"", "", {}))
    requests, _ = ask({MAP: sitemap("/research/a", "/research/b")}, end.value.value)
    assert [request.url[-2:] for request in requests[1:]] == ["/a"]


def test_pages_that_fail_for_a_while_leave_the_conversation_without_end() -> None:
    assert SOURCE.fetch is not None
    conversation = SOURCE.fetch(
        Feed("anthropic", "lab_pages", MAP, {"door": "sitemap", "paths": ["/research/"]}), Since(None, NOW)
    )
    next(conversation)
    conversation.send(Answer(sitemap("/research/a", "/research/b"), MAP, {}))
    assert conversation.throw(Unanswered("busy", 503)).url.endswith("/b")
    with pytest.raises(Unanswered, match="1 of 2 pages did not answer: busy"):
        conversation.send(Answer(b"", "", {}))


def test_an_address_in_a_sitemap_that_is_none_is_asked_like_any_other() -> None:
    listed = sitemap("/research/a").replace(b"</urlset>", b"<url><loc>http://[bad</loc></url></urlset>")
    assert b"[bad" in listed
    assert [request.url for request in ask({MAP: listed})[0]][-1] == "http://[bad"


def test_sitemaps_of_sitemaps_and_what_is_no_sitemap() -> None:
    inner = "https://www.anthropic.com/inner.xml.gz"
    outer = f"<sitemapindex><sitemap><loc>{inner}</loc></sitemap></sitemapindex>".encode()
    requests, _ = ask({MAP: outer, inner: gzip.compress(sitemap("/research/a"))})
    assert [request.is_kept for request in requests] == [False, False, True]
    with pytest.raises(Unanswered, match="something else where a sitemap was expected"):
        ask({MAP: b"<!doctype html>"})
    with pytest.raises(Unanswered, match="the sitemap lists 1 pages, none of them below /research/"):
        ask({MAP: sitemap("/news/a")})


@needs_samples
@pytest.mark.parametrize(
    ("name", "lab", "day"),
    [
        ("anthropic/auditing-language-models-for-hidden-objectives-anthropic", "Anthropic", "2025-03-13"),
        ("anthropic/project-vend-can-claude", "Anthropic", "2025-06-27"),
        ("anthropic/petri-an-open-source-auditing-tool", "Anthropic", "2025-10-06"),
        ("deepmind/blog-discovering-new", "Google DeepMind", "2025-09-18"),
        ("deepmind/discover-blog-how-undesired-goals", "Google DeepMind", "2022-10-07"),
        ("deepmind/discover-blog-specification-gaming", "Google DeepMind", "2020-04-21"),
        ("deepmind/discover-blog-strengthening-our-frontier", "Google DeepMind", "2025-09-22"),
        ("openai/deliberative-alignment", "OpenAI", "2024-12-20"),
        ("openai/detecting-and-reducing-scheming", "OpenAI", "2025-09-17"),
        ("openai/paperbench", "OpenAI", "2025-04-02"),
        ("openai/updating-our-preparedness", "OpenAI", "2025-04-15"),
        ("other_orgs/measuring-ai-ability-to-complete-long-tasks-metr", "METR", "2025-03-19"),
        ("other_orgs/replibench-measuring", "UK AI Security Institute", "2025-04-22"),
    ],
)
def test_real_articles(name: str, lab: str, day: str) -> None:
    document = Document(gzip.decompress((SAMPLES / "lab_pages_html" / f"{name}.html.gz").read_bytes()), name)
    assert recognised(document) is SOURCE
    (record,) = SOURCE.parse(document).records
    assert (record.values["lab"], str(record.values["published_on"])) == (lab, day)
    assert len(str(record.values["text"])) > 1500


@needs_samples
@pytest.mark.parametrize(
    ("name", "entries", "months"),
    [
        ("transformer_circuits/transformer-circuits-thread", 45, 29),
        ("alignment_anthropic/alignment-science-blog", 48, 21),
    ],
)
def test_real_indexes(name: str, entries: int, months: int) -> None:
    found = parsed(SOURCE, gzip.decompress((SAMPLES / "lab_pages_html" / f"{name}.html.gz").read_bytes()))
    assert (len(found.records), found.rejects) == (entries, [])
    assert len({record.values["published_on"] for record in found.records}) == months
    assert all(record.values["lab"] == "Anthropic" for record in found.records)
