"""arXiv: every form it tells of papers in, ids, first days, and harvests that must begin again."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from orchestration.sources.arxiv.papers import SOURCE
from orchestration.sources.registry import recognised
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Feed, Request, Since, Unanswered, WrongSettings
from orchestration.sources.source import Damaged
from tests.support.fetch_plans import NOW, SAMPLES, converse, needs_samples, parsed

OAI, QUERY = "https://oaipmh.arxiv.org/oai", "https://export.arxiv.org/api/query"


def oai(*records: str, next_page: str | None = None, error: str | None = None) -> bytes:
    inner = f"<ListRecords>{''.join(records)}<resumptionToken>{next_page or ''}</resumptionToken></ListRecords>"
    told = f'<error code="{error}">words</error>' if error else inner
    return (
        '<?xml version="1.0"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
        f"<responseDate>2026-11-20T09:00:00Z</responseDate><request>http://oaipmh.arxiv.org/oai</request>{told}</OAI-PMH>"
    ).encode()


def record(arxiv_id: str = "2401.00001", inner: str = "") -> str:
    return (
        f"<record><header><identifier>oai:arXiv.org:{arxiv_id}</identifier><datestamp>2026-11-19</datestamp></header><metadata>"
        f'<arXiv xmlns="http://arxiv.org/OAI/arXiv/"><id>{arxiv_id}</id><created>2024-01-01</created><updated>2024-02-01</updated>'
        "<authors><author><keyname>Ann</keyname><forenames>A. B.</forenames><affiliation>A Lab</affiliation></author></authors>"
        "<title>A\n  title</title><categories>cs.LG cs.AI</categories><abstract> Some\nwords </abstract>"
        f"<doi>10.1/ABC</doi>{inner}</arXiv></metadata></record>"
    )


def bulk(**changes: Any) -> dict[str, Any]:
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
    found = parsed(SOURCE, oai(record(inner="<mood>good</mood>")))
    values = found.records[0].values
    assert found.records[0].identity == "arxiv:2401.00001"
    assert (values["title"], values["abstract"], values["authors"]) == ("A title", "Some words", "A. B. Ann")
    assert (values["submitted_on"], values["revised_on"]) == (dt.date(2024, 1, 1), dt.date(2024, 2, 1))
    assert (values["primary_category"], values["categories"], values["doi"]) == ("cs.LG", "cs.LG; cs.AI", "10.1/abc")
    assert json.loads(str(values["affiliations"])) == [{"author": "A. B. Ann", "affiliation": "A Lab"}]
    assert found.unparsed == {"metadata[].arXiv[].mood": 1}


def test_values_of_the_raw_form_and_of_a_deleted_record() -> None:
    raw = (
        "<record><header><identifier>oai:arXiv.org:cs/0501001</identifier><datestamp>2026-11-19</datestamp></header><metadata>"
        '<arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/"><id>cs/0501001</id><submitter>x</submitter>'
        '<version version="v1"><date>Sat, 1 Jan 2005 10:00:00 GMT</date><size>1kb</size></version>'
        '<version version="v10"><date>Sun, 2 Jan 2005 10:00:00 GMT</date></version>'
        "<version version='v9'><date>Sun, 2 Jan 2005 09:00:00 GMT</date></version><title>T</title>"
        "<authors>A. Ann (1), B. Ben (2 (and 1)) and C. Cem ((1) Here, (2) There)</authors><categories>cs.AI</categories>"
        "<abstract>w</abstract></arXivRaw></metadata></record>"
    )
    gone = '<record><header status="deleted"><identifier>oai:arXiv.org:2401.00009</identifier><datestamp>2026-11-19</datestamp></header></record>'
    first, second = parsed(SOURCE, oai(raw, gone)).records
    assert (first.values["version_number"], first.values["submitted_on"]) == (10, dt.date(2005, 1, 1))
    assert first.values["authors"] == "A. Ann; B. Ben; C. Cem"
    assert (second.identity, second.values["is_deleted"]) == ("arxiv:2401.00009", True)


def test_values_of_a_bulk_line_and_a_damaged_line_costs_only_itself() -> None:
    lines = [
        json.dumps(bulk()),
        '{"id": "0704.0002", ',
        json.dumps(bulk(id="x")),
        json.dumps(bulk(id="0704.0003", versions=[])),
    ]
    found = parsed(SOURCE, "\n".join(lines).encode())
    (paper,) = found.records
    assert (paper.values["submitted_on"], paper.values["version_number"]) == (dt.date(2007, 4, 2), 2)
    assert (paper.values["authors"], paper.values["title"]) == ("A. Ann; B. Ben Jr.", "A title")
    assert [reject.locator for reject in found.rejects] == ["line 2", "line 3", "line 4"]
    assert "no whole JSON" in found.rejects[0].reason
    assert found.rejects[2].reason == "no version"


def test_a_packed_bulk_file_is_read_too() -> None:
    assert recognised(Document(gzip.compress(json.dumps(bulk()).encode()), "bulk.json.gz")) is SOURCE


@pytest.mark.parametrize("error", ["noRecordsMatch", "badResumptionToken"])
def test_an_empty_window_is_none_to_complain_of(error: str) -> None:
    found = parsed(SOURCE, oai(error=error))
    assert (found.is_answer, found.items) == (True, [])


def test_an_error_is_told() -> None:
    with pytest.raises(Damaged, match="badArgument: words"):
        parsed(SOURCE, oai(error="badArgument"))


def harvest(answers: list[bytes], since: Since, **settings: Any) -> tuple[list[dict[str, list[str]]], str | None]:
    assert SOURCE.fetch is not None
    given = iter(answers)
    requests, watermark = converse(SOURCE.fetch(Feed("a", "arxiv_papers", OAI, settings), since), lambda _: next(given))
    return [parse_qs(urlsplit(request.url).query) for request in requests], watermark


def test_a_harvest_follows_tokens_and_ends_at_the_time_of_its_first_answer() -> None:
    asked, watermark = harvest(
        [oai(record(), next_page="t&amp;1|2"), oai(record("2401.00002"))],
        Since("2026-11-10T08:00:00+00:00", NOW),
        sets=["cs:cs:LG"],
    )
    assert asked[0] == {
        "verb": ["ListRecords"],
        "metadataPrefix": ["arXiv"],
        "set": ["cs:cs:LG"],
        "from": ["2026-11-09"],
    }
    assert asked[1] == {"verb": ["ListRecords"], "resumptionToken": ["t&1|2"]}
    assert watermark == "2026-11-20T09:00:00+00:00"


def test_a_forgotten_token_begins_the_window_again_but_not_forever() -> None:
    bad = oai(error="badResumptionToken")
    asked, _ = harvest(
        [oai(record(), next_page="t1"), bad, oai(record(), next_page="t2"), oai(record("2401.00002"))], Since(None, NOW)
    )
    assert ["from" in terms for terms in asked] == [True, False, True, False]
    with pytest.raises(Unanswered, match="arXiv forgot 4 times where it was"):
        harvest([oai(record(), next_page="t"), bad] * 4, Since(None, NOW))


def test_a_backfill_asks_for_its_days() -> None:
    asked, watermark = harvest([oai(record())], Since("w", NOW, dt.date(2024, 1, 1), dt.date(2024, 1, 31)))
    assert (asked[0]["from"], asked[0]["until"], watermark) == (["2024-01-01"], ["2024-01-31"], "w")


def atom(total: int, start: int, *ids: str, asked: str = "") -> bytes:
    entries = "".join(
        f"<entry><id>http://arxiv.org/abs/{i}</id><title>T</title><published>2024-01-01T00:00:00Z</published></entry>"
        for i in ids
    )
    return (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">'
        f"<id>https://arxiv.org/api/x</id><title>arXiv Query: search_query=&amp;id_list={asked}&amp;start={start}</title>"
        f"<opensearch:totalResults>{total}</opensearch:totalResults><opensearch:startIndex>{start}</opensearch:startIndex>{entries}</feed>"
    ).encode()


def test_a_search_asks_page_by_page_since_the_last_time() -> None:
    assert SOURCE.fetch is not None

    def place(request: Request) -> bytes:
        start = int(parse_qs(urlsplit(request.url).query)["start"][0])
        return atom(5, start, *(f"2401.0000{n}v2" for n in range(start, min(start + 2, 5))))

    feed = Feed("a", "arxiv_papers", QUERY, {"search": "cat:cs.LG", "page": 2})
    requests, watermark = converse(SOURCE.fetch(feed, Since("2026-11-10T08:00:00+00:00", NOW)), place)
    assert [parse_qs(urlsplit(request.url).query)["start"] for request in requests] == [["0"], ["2"], ["4"]]
    assert (
        "(cat:cs.LG) AND submittedDate:[202611080000 TO 202611201200]"
        in parse_qs(urlsplit(requests[0].url).query)["search_query"]
    )
    assert watermark == NOW.isoformat()
    with pytest.raises(Unanswered, match="finds 40,000 papers"):
        converse(SOURCE.fetch(feed, Since(None, NOW)), lambda _: atom(40_000, 0, "2401.00001"))


def searched(place: Callable[[int], bytes], page: int = 3) -> list[int]:
    assert SOURCE.fetch is not None
    starts: list[int] = []

    def answering(request: Request) -> bytes:
        starts.append(int(parse_qs(urlsplit(request.url).query)["start"][0]))
        return place(starts[-1])

    converse(
        SOURCE.fetch(Feed("a", "arxiv_papers", QUERY, {"search": "cat:cs.LG", "page": page}), Since(None, NOW)),
        answering,
    )
    return starts


def test_a_search_goes_on_from_what_came_of_a_short_page() -> None:
    def short(start: int) -> bytes:
        return atom(5, start, *(f"2401.0000{n}" for n in range(start, min(start + (2 if start == 0 else 3), 5))))

    assert searched(short) == [0, 2]
    with pytest.raises(Unanswered, match="an empty page of 5 papers from 0"):
        searched(lambda start: atom(5, start))


def test_the_total_of_a_long_search_is_found_and_one_without_is_refused() -> None:
    long = "x" * 6000
    assert searched(lambda start: atom(2, start, f"2401.0000{start}", asked=long), page=1) == [0, 1]
    with pytest.raises(Damaged, match="an empty page of 9 results"):
        parsed(SOURCE, atom(9, 0, asked=long))
    with pytest.raises(Unanswered, match="does not tell how many"):
        searched(lambda start: atom(2, start, "2401.00001").replace(b"totalResults>2<", b"totalResults><"))


def test_a_token_is_seen_in_any_form() -> None:
    prefixed = oai(record(), next_page="t1").replace(b"resumptionToken", b"o:resumptionToken")
    prefixed = prefixed.replace(b"<OAI-PMH ", b'<OAI-PMH xmlns:o="http://www.openarchives.org/OAI/2.0/" ')
    trailing = oai(record("2401.00002"), next_page="t2") + b" " * 5000
    asked, _ = harvest([prefixed, trailing, oai(record("2401.00003"))], Since(None, NOW))
    assert [terms.get("resumptionToken") for terms in asked] == [None, ["t1"], ["t2"]]


def test_a_watermark_to_come_counts_as_now() -> None:
    asked, _ = harvest([oai(record())], Since("2027-06-01T00:00:00+00:00", NOW))
    assert asked[0]["from"] == ["2026-11-19"]


def test_a_search_and_ids_are_not_for_one_feed() -> None:
    assert SOURCE.fetch is not None
    with pytest.raises(WrongSettings, match="either a search or a list of ids"):
        next(SOURCE.fetch(Feed("a", "arxiv_papers", QUERY, {}), Since(None, NOW)))


def test_an_id_that_arxiv_does_not_know_is_no_fault_but_told() -> None:
    found = parsed(SOURCE, atom(1, 0, "2401.00001v3", asked="2401.00001,2401.99999v2"))
    assert [record.values["version_number"] for record in found.records] == [3]
    assert [(reject.raw_text, reject.is_fault) for reject in found.rejects] == [("2401.99999v2", False)]


def test_an_empty_page_that_should_not_be_empty_is_refused() -> None:
    with pytest.raises(Damaged, match="an empty page of 7432 results from 200"):
        parsed(SOURCE, atom(7432, 200))


@needs_samples
def test_real_records_as_expected() -> None:
    folder = SAMPLES / "arxiv" / "oai_pmh"
    compared = 0
    held = {
        record.values["arxiv_id"]: record.values
        for path in folder.glob("arxiv-*.xml")
        for record in parsed(SOURCE, path.read_bytes()).records
    }
    expected = [
        *json.loads((folder / "arxiv_expected.json").read_text()),
        *json.loads((folder / "arxiv_expected_single.json").read_text()),
    ]
    for paper in expected:
        eprint = paper["arxiv_eprints"][0]
        values = held[eprint["value"]]
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
def test_real_searches(name: str, records: int, unknown: int) -> None:
    found = parsed(SOURCE, (SAMPLES / "arxiv" / "atom" / f"{name}.xml").read_bytes())
    assert (len(found.records), len(found.rejects)) == (records, unknown)


@needs_samples
def test_real_harvests_and_pages() -> None:
    counts = {
        path.name: len(parsed(SOURCE, path.read_bytes()).records)
        for path in (SAMPLES / "arxiv" / "oai_pmh").glob("*.xml")
    }
    assert counts["sample_arxiv_record.xml"] == 12
    assert sum(counts.values()) == 12 + 3 + 3 + 1 + 11
    for path in (SAMPLES / "lab_pages_html" / "arxiv_abs").glob("*.gz"):
        (paper,) = parsed(SOURCE, gzip.decompress(path.read_bytes())).records
        assert str(paper.values["arxiv_id"]).replace(".", "-") == path.name.partition(".")[0]
        assert all(paper.values[name] for name in ("title", "abstract", "authors", "submitted_on"))
