"""Pages of labs' sites: where each fact is found, indexes by month, and fetches by sitemap."""

from __future__ import annotations

import datetime as dt
import gzip
from pathlib import Path
from typing import Any

import pytest

from orchestration.sources.lab_site.dates import find_date
from orchestration.sources.lab_site.pages import SOURCE
from orchestration.sources.registry import recognise_source
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, Request, RequestFailed, Response
from orchestration.sources.source import DocumentRefused
from tests.support.fetch_plans import NOW, SAMPLES, build_table, needs_samples, parse_document, run_fetch_plan

MAP = "https://www.anthropic.com/sitemap.xml"


def build_page(body: str = "", head: str = "", url: str = "https://openai.com/index/a-work/") -> bytes:
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
def test_first_valid_date_of_a_text_is_found(text: str, found: Any) -> None:
    assert find_date(text) == found


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
def test_date_is_read_from_the_most_reliable_place(body: str, head: str, day: dt.date, basis: str) -> None:
    values = (
        parse_document(SOURCE, build_page(body if "h1" in body else f"<h1>A work</h1>{body}", head)).records[0].values
    )
    assert (values["published_on"], values["date_basis"], values["date_precision"]) == (day, basis, "day")


def test_date_far_from_the_title_is_ignored() -> None:
    values = (
        parse_document(SOURCE, build_page("<h1>A work</h1><p>" + "word " * 400 + "January 5, 2020</p>"))
        .records[0]
        .values
    )
    assert (values["published_on"], values["reading_note"]) == (None, "no date was found")


def test_article_values() -> None:
    head = '<meta name="description" content="A description."><meta property="og:title" content="A work: of a lab">'
    (record,) = parse_document(
        SOURCE, build_page('<h1>A work</h1><p>See <a href="https://arxiv.org/abs/2401.00001">it</a></p>', head)
    ).records
    assert record.identity == "openai:a-work"
    assert (record.values["lab"], record.values["title"]) == ("OpenAI", "A work: of a lab")
    assert record.values["links"] == "https://arxiv.org/abs/2401.00001"


def test_page_is_read_from_known_sites_or_from_a_feed() -> None:
    unknown = build_page("<h1>A work</h1>", url="https://example.org/a")
    with pytest.raises(DocumentRefused, match="an HTML page titled “A work”"):
        recognise_source(Document(unknown, "page"))
    (record,) = parse_document(SOURCE, unknown, page_url="https://example.org/a", lab="A Lab").records
    assert record.values["lab"] == "A Lab"
    (reject,) = parse_document(SOURCE, unknown, page_url="https://example.org/a").rejects
    assert "example.org is not the site of a known lab" in reject.reason


INDEX = b"""<!doctype html><title>Transformer Circuits Thread</title><div class="toc">
<div class="date">October 2025</div>
<a class="paper" href="2025/one/index.html"><h3>One</h3><div class="byline">Ann et al., 2025</div><div class="description">About one.</div></a>
<a class="note" href="https://example.org/two"><h3>Two</h3></a>
<div class="date">September 2025</div><a class="paper with-following" href="2025/three/"><h3>Three</h3></a><a class="note" href="x"></a></div>"""


def test_index_gives_months_and_addresses() -> None:
    found = parse_document(SOURCE, INDEX)
    assert [(str(r.values["published_on"]), r.values["date_precision"], r.identity) for r in found.records] == [
        ("2025-10-01", "month", "tcircuits:2025/one"),
        ("2025-10-01", "month", "url:example.org/two"),
        ("2025-09-01", "month", "tcircuits:2025/three"),
    ]
    assert [reject.reason for reject in found.rejects] == ["no title"]


def test_day_of_a_page_is_preferred_to_the_month_of_its_index(tmp_path: Path) -> None:
    # a page of a few words would be refused
    own = build_page(
        f"<p>October 23, 2025</p><h1>One</h1><p>{'Several words of text. ' * 50}</p>",
        url="https://transformer-circuits.pub/2025/one/index.html",
    )
    rows = {
        row["title"]: row
        for row in build_table(
            tmp_path, "clean.papers", own, INDEX.replace(b"About one.", b"About one." + b" More of it." * 50)
        ).to_dicts()
    }
    assert (rows["One"]["published_on"], rows["One"]["date_precision"]) == (dt.date(2025, 10, 23), "day")
    assert (rows["One"]["labs"], rows["One"]["authors"]) == ("Anthropic", "Ann et al., 2025")
    assert rows["One"]["abstract"].startswith("About one.")
    assert (rows["Three"]["published_on"], rows["Three"]["date_precision"]) == (dt.date(2025, 9, 1), "month")


def build_sitemap(*paths: str, day: str = "2026-01-01") -> bytes:
    entries = "".join(
        f"<url><loc>https://www.anthropic.com{path}</loc><lastmod>{day}</lastmod></url>" for path in paths
    )
    return (
        f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>'.encode()
    )


def run_fetch(
    answers: dict[str, bytes], watermark: str | None = None, **settings: Any
) -> tuple[list[Request], str | None]:
    assert SOURCE.fetch is not None
    feed = Feed("anthropic", "lab_pages", MAP, {"door": "sitemap", "paths": ["/research/"], **settings})
    return run_fetch_plan(
        SOURCE.fetch(feed, FetchCursor(watermark, NOW)), lambda request: answers.get(request.url, b"")
    )


def test_pages_of_a_sitemap_are_requested_once() -> None:
    answers = {MAP: build_sitemap("/research", "/research/a", "/research/b", "/news/c")}
    requests, watermark = run_fetch(answers)
    assert [(request.url.removeprefix("https://www.anthropic.com"), request.is_kept) for request in requests] == [
        ("/sitemap.xml", False),
        ("/research/a", True),
        ("/research/b", True),
    ]
    rebuilt = {MAP: build_sitemap("/research/a", "/research/b", "/research/d", day="2026-02-02")}
    assert [request.url[-2:] for request in run_fetch(rebuilt, watermark)[0][1:]] == ["/d"]


def test_changed_pages_are_requested_again_if_configured_up_to_the_limit() -> None:
    first = {MAP: build_sitemap("/research/a", "/research/b")}
    requests, watermark = run_fetch(first, again_when_changed="yes", most=1)
    assert len(requests) == 2
    requests, watermark = run_fetch(first, watermark, again_when_changed="yes")
    assert [request.url[-2:] for request in requests[1:]] == ["/b"]
    again = {MAP: build_sitemap("/research/a", "/research/b", day="2026-02-02")}
    assert len(run_fetch(again, watermark, again_when_changed="yes")[0]) == 3


def test_page_that_is_not_found_is_requested_the_next_time() -> None:
    assert SOURCE.fetch is not None
    feed = Feed("anthropic", "lab_pages", MAP, {"door": "sitemap", "paths": ["/research/"]})
    plan = SOURCE.fetch(feed, FetchCursor(None, NOW))
    next(plan)
    plan.send(Response(build_sitemap("/research/a", "/research/b"), MAP, {}))
    assert plan.throw(RequestFailed("not found", 404)).url.endswith("/b")
    with pytest.raises(StopIteration) as end:
        plan.send(Response(b"", "", {}))
    requests, _ = run_fetch({MAP: build_sitemap("/research/a", "/research/b")}, end.value.value)
    assert [request.url[-2:] for request in requests[1:]] == ["/a"]


def test_page_that_fails_for_a_while_leaves_the_fetch_incomplete() -> None:
    assert SOURCE.fetch is not None
    plan = SOURCE.fetch(
        Feed("anthropic", "lab_pages", MAP, {"door": "sitemap", "paths": ["/research/"]}), FetchCursor(None, NOW)
    )
    next(plan)
    plan.send(Response(build_sitemap("/research/a", "/research/b"), MAP, {}))
    assert plan.throw(RequestFailed("busy", 503)).url.endswith("/b")
    with pytest.raises(RequestFailed, match="1 of 2 pages did not answer: busy"):
        plan.send(Response(b"", "", {}))


def test_invalid_address_in_a_sitemap_is_requested_like_any_other() -> None:
    listed = build_sitemap("/research/a").replace(b"</urlset>", b"<url><loc>http://[bad</loc></url></urlset>")
    assert b"[bad" in listed
    assert [request.url for request in run_fetch({MAP: listed})[0]][-1] == "http://[bad"


def test_nested_sitemaps_are_read_and_other_documents_are_refused() -> None:
    inner = "https://www.anthropic.com/inner.xml.gz"
    outer = f"<sitemapindex><sitemap><loc>{inner}</loc></sitemap></sitemapindex>".encode()
    requests, _ = run_fetch({MAP: outer, inner: gzip.compress(build_sitemap("/research/a"))})
    assert [request.is_kept for request in requests] == [False, False, True]
    with pytest.raises(RequestFailed, match="something else where a sitemap was expected"):
        run_fetch({MAP: b"<!doctype html>"})
    with pytest.raises(RequestFailed, match="the sitemap lists 1 pages, none of them below /research/"):
        run_fetch({MAP: build_sitemap("/news/a")})


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
def test_real_articles_give_lab_and_day_give_lab_and_day(name: str, lab: str, day: str) -> None:
    document = Document(gzip.decompress((SAMPLES / "lab_pages_html" / f"{name}.html.gz").read_bytes()), name)
    assert recognise_source(document) is SOURCE
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
def test_real_indexes_give_their_entries_give_their_entries(name: str, entries: int, months: int) -> None:
    found = parse_document(SOURCE, gzip.decompress((SAMPLES / "lab_pages_html" / f"{name}.html.gz").read_bytes()))
    assert (len(found.records), found.rejects) == (entries, [])
    assert len({record.values["published_on"] for record in found.records}) == months
    assert all(record.values["lab"] == "Anthropic" for record in found.records)
