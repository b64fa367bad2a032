"""arXiv: all document formats, ids, days of the first version, and restarted harvests."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from orchestration.sources.arxiv.papers import SOURCE
from orchestration.sources.registry import recognise_source
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, InvalidSettings, Request, RequestFailed
from orchestration.sources.source import DamagedDocument
from tests.support.fetch_plans import NOW, SAMPLES, needs_samples, parse_document, run_fetch_plan

OAI, QUERY = "https://oaipmh.arxiv.org/oai", "https://export.arxiv.org/api/query"


def build_oai(*records: str, next_page: str | None = None, error: str | None = None) -> bytes:
    inner = f"<ListRecords>{''.join(records)}<resumptionToken>{next_page or ''}</resumptionToken></ListRecords>"
    content = f'<error code="{error}">words</error>' if error else inner
    return (
        '<?xml version="1.0"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
        f"<responseDate>2026-11-20T09:00:00Z</responseDate><request>http://oaipmh.arxiv.org/oai</request>{content}</OAI-PMH>"
    ).encode()


def build_oai_record(arxiv_id: str = "2401.00001", inner: str = "") -> str:
    return (
        f"<record><header><identifier>oai:arXiv.org:{arxiv_id}</identifier><datestamp>2026-11-19</datestamp></header><metadata>"
        f'<arXiv xmlns="http://arxiv.org/OAI/arXiv/"><id>{arxiv_id}</id><created>2024-01-01</created><updated>2024-02-01</updated>'
        "<authors><author><keyname>Ann</keyname><forenames>A. B.</forenames><affiliation>A Lab</affiliation></author></authors>"
        "<title>A\n  title</title><categories>cs.LG cs.AI</categories><abstract> Some\nwords </abstract>"
        f"<doi>10.1/ABC</doi>{inner}</arXiv></metadata></record>"
    )


def build_bulk_line(**changes: Any) -> dict[str, Any]:
    return {
        "id": "0704.0001",
        "submitter": "A",
        "authors": "A. Ann",
        "title": "A\n  title",
        "comments": None,
        "journal-ref": None,
        "doi": None,
        "report-no": None,
        "categories": "hep-ph cs.LG",
        "license": None,
        "abstract": "  Some\nwords",
        "versions": [
            {"version": "v1", "created": "Mon, 2 Apr 2007 19:18:42 GMT"},
            {"version": "v2", "created": "Tue, 24 Jul 2007 20:10:27 GMT"},
        ],
        "update_date": "2008-11-26",
        "authors_parsed": [["Ann", "A.", ""], ["Ben", "B.", "Jr."]],
        **changes,
    }


def test_values_of_a_harvested_paper() -> None:
    result = parse_document(SOURCE, build_oai(build_oai_record(inner="<mood>good</mood>")))
    values = result.records[0].values
    assert result.records[0].identity == "arxiv:2401.00001"
    assert (values["title"], values["abstract"], values["authors"]) == ("A title", "Some words", "A. B. Ann")
    assert (values["submitted_on"], values["revised_on"]) == (dt.date(2024, 1, 1), dt.date(2024, 2, 1))
    assert (values["primary_category"], values["categories"], values["doi"]) == ("cs.LG", "cs.LG; cs.AI", "10.1/abc")
    assert json.loads(str(values["affiliations"])) == [{"author": "A. B. Ann", "affiliation": "A Lab"}]
    assert result.unparsed_fields == {"metadata[].arXiv[].mood": 1}


def test_values_of_a_raw_format_record_and_a_deleted_record() -> None:
    raw = (
        "<record><header><identifier>oai:arXiv.org:cs/0501001</identifier><datestamp>2026-11-19</datestamp></header><metadata>"
        '<arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/"><id>cs/0501001</id><submitter>x</submitter>'
        '<version version="v1"><date>Sat, 1 Jan 2005 10:00:00 GMT</date><size>1kb</size></version>'
        '<version version="v10"><date>Sun, 2 Jan 2005 10:00:00 GMT</date></version>'
        "<version version='v9'><date>Sun, 2 Jan 2005 09:00:00 GMT</date></version><title>T</title>"
        "<authors>A. Ann (1), B. Ben (2 (and 1)) and C. Cem ((1) Here, (2) There)</authors><categories>cs.AI</categories>"
        "<abstract>w</abstract></arXivRaw></metadata></record>"
    )
    deleted = '<record><header status="deleted"><identifier>oai:arXiv.org:2401.00009</identifier><datestamp>2026-11-19</datestamp></header></record>'
    first, second = parse_document(SOURCE, build_oai(raw, deleted)).records
    assert (first.values["version_number"], first.values["submitted_on"]) == (10, dt.date(2005, 1, 1))
    assert first.values["authors"] == "A. Ann; B. Ben; C. Cem"
    assert (second.identity, second.values["is_deleted"]) == ("arxiv:2401.00009", True)


def build_page(*versions: str) -> bytes:
    return (
        '<!DOCTYPE html><html><head><title>[2401.00003] A title</title><meta name="citation_title" content="A title">'
        '<meta name="citation_author" content="Ann, A."><meta name="citation_date" content="2024/01/05">'
        '<meta name="citation_online_date" content="2024/03/07"><meta name="citation_arxiv_id" content="2401.00003">'
        f'</head><body><div class="submission-history"><h2>Submission history</h2> From: A. Ann {"<br>".join(versions)}'
        "</div></body></html>"
    ).encode()


def test_page_has_the_versions_of_its_submission_history() -> None:
    first = '<strong><a href="/abs/2401.00003v1">[v1]</a></strong> Fri, 5 Jan 2024 10:00:00 UTC (1 KB)'
    second = "<strong>[v2]</strong>\n Tue, 6 Feb 2024 11:00:00 UTC (2 KB)"
    third = '<strong><a href="/abs/2401.00003v3">[v3]</a></strong> Thu, 7 Mar 2024 12:00:00 UTC (2 KB)'
    (paper,) = parse_document(SOURCE, build_page(first, second, third)).records
    assert (paper.values["version_number"], paper.values["revised_on"]) == (2, dt.date(2024, 2, 6))
    assert paper.values["submitted_on"] == dt.date(2024, 1, 5)
    history = json.loads(str(paper.values["version_history"]))
    assert [(entry["version"], entry["at"][:10]) for entry in history] == [
        (1, "2024-01-05"),
        (2, "2024-02-06"),
        (3, "2024-03-07"),
    ]
    assert "reading_note" not in paper.values


def test_page_without_a_readable_history_keeps_its_days() -> None:
    for version in ("", "<strong>[v1]</strong> Fri, 45 Jan 2024 10:00:00 UTC"):
        (paper,) = parse_document(SOURCE, build_page(version)).records
        assert (paper.values["version_number"], paper.values["version_history"]) == (None, None)
        assert paper.values["submitted_on"] == dt.date(2024, 1, 5)


def test_damaged_bulk_line_is_rejected_alone() -> None:
    lines = [
        json.dumps(build_bulk_line()),
        '{"id": "0704.0002", ',
        json.dumps(build_bulk_line(id="x")),
        json.dumps(build_bulk_line(id="0704.0003", versions=[])),
    ]
    result = parse_document(SOURCE, "\n".join(lines).encode())
    paper, undated = result.records
    assert (paper.values["submitted_on"], paper.values["version_number"]) == (dt.date(2007, 4, 2), 2)
    assert (undated.identity, undated.values["submitted_on"]) == ("arxiv:0704.0003", None)
    assert "no version with its time" in str(undated.values["reading_note"])
    assert (paper.values["authors"], paper.values["title"]) == ("A. Ann; B. Ben Jr.", "A title")
    assert [reject.locator for reject in result.rejects] == ["line 2", "line 3"]
    assert "not valid JSON" in result.rejects[0].reason


def test_gzipped_bulk_file_is_recognised() -> None:
    assert recognise_source(Document(gzip.compress(json.dumps(build_bulk_line()).encode()), "bulk.json.gz")) is SOURCE


@pytest.mark.parametrize("error", ["noRecordsMatch", "badResumptionToken"])
def test_response_without_changes_is_valid(error: str) -> None:
    result = parse_document(SOURCE, build_oai(error=error))
    assert (result.is_empty_valid, result.items) == (True, [])


def test_error_response_is_damaged() -> None:
    with pytest.raises(DamagedDocument, match="badArgument: words"):
        parse_document(SOURCE, build_oai(error="badArgument"))


def run_harvest(
    responses: list[bytes], cursor: FetchCursor, **settings: Any
) -> tuple[list[dict[str, list[str]]], str | None]:
    assert SOURCE.fetch is not None
    remaining = iter(responses)
    requests, watermark = run_fetch_plan(
        SOURCE.fetch(Feed("a", "arxiv_papers", OAI, settings), cursor), lambda _: next(remaining)
    )
    return [parse_qs(urlsplit(request.url).query) for request in requests], watermark


def test_harvest_follows_tokens_and_returns_the_time_of_the_first_response() -> None:
    queries, watermark = run_harvest(
        [build_oai(build_oai_record(), next_page="t&amp;1|2"), build_oai(build_oai_record("2401.00002"))],
        FetchCursor("2026-11-10T08:00:00+00:00", NOW),
        sets=["cs:cs:LG"],
    )
    assert queries[0] == {
        "verb": ["ListRecords"],
        "metadataPrefix": ["arXiv"],
        "set": ["cs:cs:LG"],
        "from": ["2026-11-09"],
    }
    assert queries[1] == {"verb": ["ListRecords"], "resumptionToken": ["t&1|2"]}
    assert watermark == "2026-11-20T09:00:00+00:00"


def test_expired_token_restarts_the_window_a_limited_number_of_times() -> None:
    bad = build_oai(error="badResumptionToken")
    queries, _ = run_harvest(
        [
            build_oai(build_oai_record(), next_page="t1"),
            bad,
            build_oai(build_oai_record(), next_page="t2"),
            build_oai(build_oai_record("2401.00002")),
        ],
        FetchCursor(None, NOW),
    )
    assert ["from" in terms for terms in queries] == [True, False, True, False]
    with pytest.raises(RequestFailed, match="arXiv rejected its resumption tokens in 4 attempts"):
        run_harvest([build_oai(build_oai_record(), next_page="t"), bad] * 4, FetchCursor(None, NOW))


def test_backfill_requests_its_days() -> None:
    queries, watermark = run_harvest(
        [build_oai(build_oai_record())], FetchCursor("w", NOW, dt.date(2024, 1, 1), dt.date(2024, 1, 31))
    )
    assert (queries[0]["from"], queries[0]["until"], watermark) == (["2024-01-01"], ["2024-01-31"], "w")


def build_atom(total: int, start: int, *ids: str, id_list: str = "") -> bytes:
    entries = "".join(
        f"<entry><id>http://arxiv.org/abs/{i}</id><title>T</title><published>2024-01-01T00:00:00Z</published></entry>"
        for i in ids
    )
    return (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">'
        f"<id>https://arxiv.org/api/x</id><title>arXiv Query: search_query=&amp;id_list={id_list}&amp;start={start}</title>"
        f"<opensearch:totalResults>{total}</opensearch:totalResults><opensearch:startIndex>{start}</opensearch:startIndex>{entries}</feed>"
    ).encode()


def test_search_requests_pages_since_the_last_fetch() -> None:
    assert SOURCE.fetch is not None

    def respond(request: Request) -> bytes:
        start = int(parse_qs(urlsplit(request.url).query)["start"][0])
        return build_atom(5, start, *(f"2401.0000{n}v2" for n in range(start, min(start + 2, 5))))

    feed = Feed("a", "arxiv_papers", QUERY, {"search": "cat:cs.LG", "page": 2})
    requests, watermark = run_fetch_plan(SOURCE.fetch(feed, FetchCursor("2026-11-10T08:00:00+00:00", NOW)), respond)
    assert [parse_qs(urlsplit(request.url).query)["start"] for request in requests] == [["0"], ["2"], ["4"]]
    assert (
        "(cat:cs.LG) AND submittedDate:[202611080000 TO 202611201200]"
        in parse_qs(urlsplit(requests[0].url).query)["search_query"]
    )
    assert watermark == NOW.isoformat()
    with pytest.raises(RequestFailed, match="finds 40,000 papers"):
        run_fetch_plan(SOURCE.fetch(feed, FetchCursor(None, NOW)), lambda _: build_atom(40_000, 0, "2401.00001"))


def run_search(respond: Callable[[int], bytes], page: int = 3) -> list[int]:
    assert SOURCE.fetch is not None
    starts: list[int] = []

    def record_start(request: Request) -> bytes:
        starts.append(int(parse_qs(urlsplit(request.url).query)["start"][0]))
        return respond(starts[-1])

    run_fetch_plan(
        SOURCE.fetch(Feed("a", "arxiv_papers", QUERY, {"search": "cat:cs.LG", "page": page}), FetchCursor(None, NOW)),
        record_start,
    )
    return starts


def test_search_continues_after_a_short_page() -> None:
    def short(start: int) -> bytes:
        return build_atom(5, start, *(f"2401.0000{n}" for n in range(start, min(start + (2 if start == 0 else 3), 5))))

    assert run_search(short) == [0, 2]
    with pytest.raises(RequestFailed, match="an empty page of 5 papers from 0"):
        run_search(lambda start: build_atom(5, start))


def test_total_after_a_long_title_is_found_and_a_missing_total_is_refused() -> None:
    long = "x" * 6000
    assert run_search(lambda start: build_atom(2, start, f"2401.0000{start}", id_list=long), page=1) == [0, 1]
    with pytest.raises(DamagedDocument, match="an empty page of 9 results"):
        parse_document(SOURCE, build_atom(9, 0, id_list=long))
    with pytest.raises(RequestFailed, match="has no total number"):
        run_search(lambda start: build_atom(2, start, "2401.00001").replace(b"totalResults>2<", b"totalResults><"))


def test_token_is_found_with_a_prefix_and_before_trailing_space() -> None:
    prefixed = build_oai(build_oai_record(), next_page="t1").replace(b"resumptionToken", b"o:resumptionToken")
    prefixed = prefixed.replace(b"<OAI-PMH ", b'<OAI-PMH xmlns:o="http://www.openarchives.org/OAI/2.0/" ')
    trailing = build_oai(build_oai_record("2401.00002"), next_page="t2") + b" " * 5000
    queries, _ = run_harvest([prefixed, trailing, build_oai(build_oai_record("2401.00003"))], FetchCursor(None, NOW))
    assert [terms.get("resumptionToken") for terms in queries] == [None, ["t1"], ["t2"]]


def test_watermark_in_the_future_counts_as_now() -> None:
    queries, _ = run_harvest([build_oai(build_oai_record())], FetchCursor("2027-06-01T00:00:00+00:00", NOW))
    assert queries[0]["from"] == ["2026-11-19"]


def test_feed_needs_either_a_search_or_ids() -> None:
    assert SOURCE.fetch is not None
    with pytest.raises(InvalidSettings, match="either a search or a list of ids"):
        next(SOURCE.fetch(Feed("a", "arxiv_papers", QUERY, {}), FetchCursor(None, NOW)))


def test_unknown_id_is_a_reject_without_fault() -> None:
    result = parse_document(SOURCE, build_atom(1, 0, "2401.00001v3", id_list="2401.00001,2401.99999v2"))
    assert [record.values["version_number"] for record in result.records] == [3]
    assert [(reject.raw_text, reject.is_fault) for reject in result.rejects] == [("2401.99999v2", False)]


def test_empty_page_before_the_end_is_refused() -> None:
    with pytest.raises(DamagedDocument, match="an empty page of 7432 results from 200"):
        parse_document(SOURCE, build_atom(7432, 200))


@needs_samples
def test_captured_records_match_the_reference() -> None:
    folder = SAMPLES / "arxiv" / "oai_pmh"
    compared = 0
    values_by_id = {
        record.values["arxiv_id"]: record.values
        for path in folder.glob("arxiv-*.xml")
        for record in parse_document(SOURCE, path.read_bytes()).records
    }
    expected = [
        *json.loads((folder / "arxiv_expected.json").read_text()),
        *json.loads((folder / "arxiv_expected_single.json").read_text()),
    ]
    for paper in expected:
        eprint = paper["arxiv_eprints"][0]
        values = values_by_id[eprint["value"]]
        assert values["submitted_on"] == dt.date.fromisoformat(paper["preprint_date"])
        assert sorted(str(values["categories"]).split("; ")) == sorted(eprint["categories"])
        assert values["title"] == " ".join(paper["titles"][0]["title"].split())
        assert values["abstract"] == " ".join(paper["abstracts"][0]["value"].split())
        assert len(str(values["authors"]).split("; ")) == len(paper["authors"])
        assert values["doi"] == (paper["dois"][0]["value"].lower() if paper.get("dois") else None)
        compared += 1
    assert compared == 7


@needs_samples
@pytest.mark.parametrize(
    ("name", "records", "unknown"), [("query", 10, 0), ("query_missing_id", 1, 3), ("query_empty", 0, 1)]
)
def test_captured_searches_are_parsed(name: str, records: int, unknown: int) -> None:
    result = parse_document(SOURCE, (SAMPLES / "arxiv" / "atom" / f"{name}.xml").read_bytes())
    assert (len(result.records), len(result.rejects)) == (records, unknown)


@needs_samples
def test_captured_harvests_and_pages_are_parsed() -> None:
    counts = {
        path.name: len(parse_document(SOURCE, path.read_bytes()).records)
        for path in (SAMPLES / "arxiv" / "oai_pmh").glob("*.xml")
    }
    assert counts["sample_arxiv_record.xml"] == 12
    assert sum(counts.values()) == 12 + 3 + 3 + 1 + 11
    for path in (SAMPLES / "lab_pages_html" / "arxiv_abs").glob("*.gz"):
        (paper,) = parse_document(SOURCE, gzip.decompress(path.read_bytes())).records
        assert str(paper.values["arxiv_id"]).replace(".", "-") == path.name.partition(".")[0]
        assert all(paper.values[name] for name in ("title", "abstract", "authors", "submitted_on", "version_history"))
