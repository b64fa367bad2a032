"""Feeds: identity and versions of entries, further pages, moved feeds, and faults of real feeds."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from orchestration.ingest.parser_process import parse_bytes
from orchestration.ingest.snapshots import add_file
from orchestration.sources.feed.items import SOURCE
from orchestration.sources.registry import recognise_source
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, Request, RequestFailed, Response
from orchestration.sources.source import DamagedDocument, DocumentRefused
from tests.support.fetch_plans import NOW, SAMPLES, build_table, needs_samples, parse_document, run_fetch_plan
from tests.support.raw_tables import update_and_read
from warehouse.lake import Lake

URL = "https://example.org/feed.xml"
NAMESPACES = (
    'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:podcast="https://podcastindex.org/namespace/1.0"'
    ' xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:atom="http://www.w3.org/2005/Atom"'
)


def build_item(number: int = 1, inner: str = "", **changes: str) -> str:
    parts = {
        "title": f"Entry {number}",
        "link": f"https://example.org/{number}",
        "guid": f"g{number}",
        "pubDate": "Tue, 18 Aug 2026 10:00:00 +0200",
        "description": "&lt;p&gt;See &lt;a href='https://arxiv.org/abs/2401.00001'&gt;this&lt;/a&gt;.&lt;/p&gt;",
        **changes,
    }
    return "<item>" + "".join(f"<{name}>{text}</{name}>" for name, text in parts.items() if text) + inner + "</item>"


def build_rss(*items: str, head: str = "") -> bytes:
    return f'<?xml version="1.0"?><rss version="2.0" {NAMESPACES}><channel><title>A feed</title>{head}{"".join(items)}</channel></rss>'.encode()


def test_entry_values() -> None:
    (record,) = parse_document(SOURCE, build_rss(build_item()), feed="a_feed").records
    assert record.identity == "a_feed g1"
    assert record.values["published_at"] == dt.datetime(2026, 8, 18, 8, tzinfo=dt.UTC)
    assert record.values["updated_at"] is None
    assert record.values["text"] == "See this."
    assert record.values["links"] == "https://arxiv.org/abs/2401.00001"


def test_atom_entry_values() -> None:
    atom = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><link rel="self" href="https://www.example.org/a.atom/"/>
    <entry><id>tag:1</id><title type="html">T &amp;lt; U</title><link href="https://example.org/1"/>
    <published>2026-01-02T03:04:05Z</published><updated>2026-02-02T03:04:05Z</updated><author><name>Ann</name></author>
    <content type="html">&lt;p&gt;long&lt;/p&gt;</content></entry></feed>"""
    (record,) = parse_document(SOURCE, atom).records
    assert record.identity == "url:example.org/a.atom tag:1"
    assert (record.values["title"], record.values["authors"], record.values["text"]) == ("T < U", "Ann", "long")
    assert record.values["updated_at"] == dt.datetime(2026, 2, 2, 3, 4, 5, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("changes", "inner", "guid"),
    [
        (
            {"guid": ""},
            '<enclosure url="https://cdn.example.org/a.mp3?token=5" length="9" type="audio/mpeg"/>',
            "https://cdn.example.org/a.mp3",
        ),
        ({"guid": ""}, "", "https://example.org/1"),
    ],
)
def test_entry_without_guid_is_identified_by_enclosure_or_link(changes: dict[str, str], inner: str, guid: str) -> None:
    (record,) = parse_document(SOURCE, build_rss(build_item(1, inner, **changes))).records
    assert record.values["item_guid"] == guid


def test_entry_without_any_identifier_is_rejected() -> None:
    found = parse_document(SOURCE, build_rss(build_item(1, title="", link="", guid=""), build_item(2)))
    assert [record.values["item_guid"] for record in found.records] == ["g2"]
    assert "without guid, enclosure, link and title" in found.rejects[0].reason


def test_entries_that_share_a_guid_are_identified_by_link_and_title() -> None:
    found = parse_document(
        SOURCE, build_rss(build_item(1, guid="same"), build_item(2, guid="same"), build_item(2, guid="same")), feed="f"
    )
    assert [record.identity for record in found.records] == [
        "f same https://example.org/1 Entry 1",
        "f same https://example.org/2 Entry 2",
        "f same https://example.org/2 Entry 2",
    ]


def test_entries_that_share_a_guid_are_all_kept(tmp_path: Path) -> None:
    found = build_rss(
        build_item(1, guid="same"),
        build_item(2, guid="same"),
        build_item(2, guid="same", link="https://example.org/else"),
    )
    rows = build_table(tmp_path, "clean.feed_items", found)
    assert sorted(zip(rows["url"], rows["title"], strict=True)) == [
        ("https://example.org/1", "Entry 1"),
        ("https://example.org/2", "Entry 2"),
        ("https://example.org/else", "Entry 2"),
    ]


def test_entry_that_contradicts_an_earlier_one_is_rejected(tmp_path: Path) -> None:
    content = build_rss(
        build_item(1),
        build_item(2),
        build_item(1, description="Something else", pubDate="Wed, 19 Aug 2026 10:00:00 +0200"),
    )
    found = parse_document(SOURCE, content, feed="f")
    assert [record.values["text"] for record in found.records] == ["See this.", "See this."]
    (reject,) = found.rejects
    assert (reject.locator, reject.reason) == (
        "entry 3",
        "guid “g1”, link and title are those of entry 1, but published_at, text, links differ:"
        " the first is kept, because it is unknown which one is right",
    )
    assert "Something else" in reject.raw_text
    lake = Lake(tmp_path / "lake")
    (tmp_path / "feed.xml").write_bytes(content)
    add_file(lake, tmp_path / "feed.xml")
    account = update_and_read(lake)["raw.parses"].row(0, named=True)
    assert [account[f"records_{what}"] for what in ("read", "kept", "repeated", "rejected")] == [3, 2, 0, 1]


def test_versions_of_an_atom_entry_in_one_document_are_kept() -> None:
    entries = [
        f"<entry><id>tag:1</id><title>T</title><updated>2026-0{month}-02T03:04:05Z</updated>"
        f"<content>Of month {month}</content></entry>"
        for month in (2, 1, 1)
    ]
    atom = f'<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title>{"".join(entries)}</feed>'.encode()
    found = parse_document(SOURCE, atom)
    assert [record.values["text"] for record in found.records] == ["Of month 2", "Of month 1", "Of month 1"]
    assert (len({record.identity for record in found.records}), found.rejects) == (1, [])


def test_repeated_podcast_tags_are_kept_and_unread_tags_are_counted() -> None:
    inner = (
        '<podcast:person role="guest" href="https://example.org/a">Ann</podcast:person><podcast:person>Ben</podcast:person>'
        '<podcast:transcript url="https://example.org/1.vtt" type="text/vtt"/><podcast:transcript url="https://example.org/1.txt"/>'
        '<podcast:season name="S">2</podcast:season><podcast:episode>3.5</podcast:episode><itunes:duration>1:02:03</itunes:duration>'
        "<podcast:mood>good</podcast:mood>"
    )
    found = parse_document(SOURCE, build_rss(build_item(1, inner)))
    values = found.records[0].values
    assert [person["name"] for person in json.loads(str(values["people"]))] == ["Ann", "Ben"]
    assert len(json.loads(str(values["transcripts"]))) == 2
    assert (values["season_number"], values["episode_number"], values["duration_seconds"]) == (2, "3.5", 3723)
    assert found.unparsed_fields == {"mood": 1}


def test_unreadable_dates_and_durations_are_noted() -> None:
    (record,) = parse_document(
        SOURCE, build_rss(build_item(1, "<itunes:duration>long</itunes:duration>", pubDate="in spring"))
    ).records
    assert record.values["published_at"] is None
    assert record.values["reading_note"] == "date “in spring” could not be read; duration “long” could not be read"


def test_feed_that_is_cut_short_is_refused() -> None:
    whole = build_rss(build_item(1), build_item(2))
    with pytest.raises(DamagedDocument, match="cut short: it does not end with </rss>"):
        parse_document(SOURCE, whole[: len(whole) // 2])


UTF16 = {
    "mark, declared": ("utf-16", ' encoding="UTF-16"'),
    "mark, not declared": ("utf-16", ""),
    "no mark, declared": ("utf-16-le", ' encoding="utf-16"'),
    "no mark, big-endian": ("utf-16-be", " encoding='UTF-16BE'"),
    "declared, but none": ("utf-8", ' encoding="utf-16"'),
    "declared, but none, with a mark": ("utf-8-sig", ' encoding="utf-16"'),
}


@pytest.mark.parametrize("form", UTF16)
def test_feed_in_utf_16_is_read(form: str, tmp_path: Path) -> None:
    codec, declared = UTF16[form]
    head = '<atom:link rel="next" href="https://example.org/2"/>'
    plain = build_rss(build_item(1, title="Überblick “1” 😀"), build_item(2), head=head)
    content = plain.decode().replace('version="1.0"', f'version="1.0"{declared}', 1).encode(codec)
    document = Document(content, "feed")
    assert recognise_source(document) is SOURCE
    assert SOURCE.parse(document).records == parse_document(SOURCE, plain).records
    assert run_fetch({URL: content, "https://example.org/2": content})[0] == [URL, "https://example.org/2"]
    (tmp_path / "feed.xml").write_bytes(content)
    assert add_file(Lake(tmp_path / "lake"), tmp_path / "feed.xml").records == 2


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le"])
def test_feed_in_utf_16_that_is_cut_short_is_refused(codec: str) -> None:
    content = build_rss(build_item(1), build_item(2)).decode().encode(codec)
    with pytest.raises(DocumentRefused, match="not valid UTF-16"):
        parse_bytes(content[:-1], "feed", {})
    with pytest.raises(DocumentRefused, match="cut short"):
        parse_bytes(content[:-200], "feed", {})


def test_external_entity_is_not_resolved(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hidden words")
    document = build_rss(build_item(1, title="&x;")).replace(
        b"<rss", f'<!DOCTYPE rss [<!ENTITY x SYSTEM "file://{secret}">]><rss'.encode()
    )
    found = parse_document(SOURCE, document)
    assert "hidden" not in str([record.values for record in found.records])


def serve(answers: dict[str, Any]) -> Any:
    def respond(request: Request) -> bytes | Response:
        return answers[request.url]

    return respond


def run_fetch(answers: dict[str, Any], watermark: str | None = None) -> tuple[list[str], str | None]:
    assert SOURCE.fetch is not None
    plan = SOURCE.fetch(Feed("f", "feed_items", URL), FetchCursor(watermark, NOW))
    requests, end = run_fetch_plan(plan, serve(answers))
    return [request.url for request in requests], end


def test_further_pages_are_requested_once_and_only_the_first_time() -> None:
    first = build_rss(build_item(1), head='<atom:link rel="next" href="feed.xml?page=2&amp;a=b"/>')
    second = build_rss(build_item(2), head=f'<atom:link href="{URL}" rel="next"/>')
    answers = {URL: first, f"{URL}?page=2&a=b": second}
    assert run_fetch(answers) == ([URL, f"{URL}?page=2&a=b"], NOW.isoformat())
    assert run_fetch(answers, NOW.isoformat())[0] == [URL]


def test_moved_feed_is_requested_at_its_new_address_from_then_on() -> None:
    new = "https://new.example.org/feed"
    old = build_rss(build_item(1), head=f"<itunes:new-feed-url>{new}</itunes:new-feed-url>")
    assert run_fetch({URL: old, new: build_rss(build_item(1))}) == ([URL, new], new)
    assert run_fetch({new: build_rss(build_item(1))}, new) == ([new], new)


def test_old_address_is_requested_if_the_new_one_fails() -> None:
    assert SOURCE.fetch is not None
    plan = SOURCE.fetch(Feed("f", "feed_items", URL), FetchCursor("https://new.example.org/feed", NOW))
    assert next(plan).url == "https://new.example.org/feed"
    assert plan.throw(RequestFailed("not found", 404)).url == URL


def test_new_address_in_an_entry_or_description_is_ignored() -> None:
    assert SOURCE.fetch is not None
    mention = "<![CDATA[<itunes:new-feed-url>https://elsewhere.example/</itunes:new-feed-url>]]>"
    within = "<itunes:new-feed-url>https://elsewhere.example/</itunes:new-feed-url>"
    content = build_rss(build_item(inner=within), head=f"<description>{mention}</description>")
    requests, watermark = run_fetch_plan(
        SOURCE.fetch(Feed("a", "feed_items", URL, {}), FetchCursor(None, NOW)), lambda _: content
    )
    assert ([request.url for request in requests], watermark) == ([URL], NOW.isoformat())


def test_old_address_is_kept_if_the_new_one_does_not_answer() -> None:
    assert SOURCE.fetch is not None
    head = "<itunes:new-feed-url>http://[bad/</itunes:new-feed-url>"
    plan = SOURCE.fetch(Feed("a", "feed_items", URL, {}), FetchCursor(None, NOW))
    next(plan)
    assert plan.send(Response(build_rss(build_item(), head=head), URL, {})).url == "http://[bad/"
    with pytest.raises(StopIteration) as end:
        plan.throw(RequestFailed("gone", 410))
    assert end.value.value == NOW.isoformat()


@pytest.mark.parametrize("half", ["&#xD800;", "&#57343;", "&#x0dfff;"])
def test_surrogate_reference_is_replaced(half: str) -> None:
    _, found = parse_bytes(
        build_rss(build_item(title=f"Half {half}"), build_item(2)), "feed", {"feed": "a"}, "feed_items"
    )
    assert [record.values["title"] for record in found.records] == ["Half \ufffd", "Entry 2"]


def test_rebuilt_and_reordered_feed_makes_no_new_versions(tmp_path: Path) -> None:
    one = build_rss(
        build_item(1),
        build_item(2),
        build_item(3),
        head="<lastBuildDate>Sat, 22 Aug 2026 16:40:30 +0000</lastBuildDate>",
    )
    two = build_rss(
        build_item(3),
        build_item(1, title="Entry 1, edited"),
        head="<lastBuildDate>Sun, 23 Aug 2026 16:40:30 +0000</lastBuildDate>",
    )
    rows = build_table(tmp_path, "clean.feed_items", one, two).sort("item_guid").to_dicts()
    assert [(row["item_guid"], row["title"], row["versions"]) for row in rows] == [
        ("g1", "Entry 1, edited", 2),
        ("g2", "Entry 2", 1),
        ("g3", "Entry 3", 1),
    ]


def test_xml_of_another_kind_is_refused() -> None:
    with pytest.raises(DocumentRefused, match="found an XML document of <urlset>"):
        recognise_source(Document(b"<urlset><url/></urlset>", "sitemap"))


@needs_samples
@pytest.mark.parametrize(
    ("name", "entries"),
    [
        ("feeds_lab_blogs/feed_aisi.xml", 95),
        ("feeds_lab_blogs/feed_anthropic_news.xml", 255),
        ("feeds_lab_blogs/feed_anthropic_research.xml", 17),
        ("feeds_lab_blogs/feed_eleuther_papers.xml", 5),
        ("feeds_lab_blogs/feed_far_ai.xml", 58),
        ("feeds_lab_blogs/feed_openai_research.xml", 194),
        ("feeds_lab_blogs/feed_transluce.xml", 13),
        ("podcast/feeds/giantbomb-podcast.rss", 730),
        ("podcast/feeds/itunes-missing-image.rss", 131),
        ("podcast/feeds/encoding.rss", 40),
        ("podcast/feeds/content-encoded.rss", 7),
        ("podcast/podcast_namespace_example.xml", 3),
    ],
)
def test_real_feeds_are_read_completely_are_read_completely(name: str, entries: int) -> None:
    document = Document((SAMPLES / name).read_bytes(), name)
    assert recognise_source(document) is SOURCE
    found = SOURCE.parse(document)
    assert (len(found.records), found.rejects) == (entries, [])
    assert len({record.identity for record in found.records}) == entries
    assert all(record.values["title"] for record in found.records)


@needs_samples
def test_real_versions_of_one_feed_have_the_same_identities() -> None:
    folder = SAMPLES / "feeds_lab_blogs" / "history"
    seen = {
        path.name.split("__")[1]: {
            r.identity: r.values for r in parse_document(SOURCE, path.read_bytes(), feed="anthropic").records
        }
        for path in folder.glob("*.xml")
    }
    latest = parse_document(
        SOURCE, (SAMPLES / "feeds_lab_blogs" / "feed_anthropic_research.xml").read_bytes(), feed="anthropic"
    )
    # the two newest versions differ only in build time and order
    assert {r.identity: r.values for r in latest.records} == seen["latest"]
    assert {len(entries) for entries in seen.values()} == {68, 16, 17}


@needs_samples
@pytest.mark.parametrize("path", sorted((SAMPLES / "podcast" / "pairs").glob("*.rss")), ids=lambda path: path.stem)
def test_real_feeds_are_read_completely_give_the_expected_episodes(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text())
    found = parse_document(SOURCE, path.read_bytes()).records
    # the expected episodes omit entries without audio
    by_audio_url = {record.values["audio_url"]: record.values for record in found}
    for episode in expected["episodes"]:
        audio_url = episode["enclosures"][0]["url"] if episode["enclosures"] else None
        if audio_url is None or audio_url.startswith("file:"):  # a path of the reader that made the expected episodes
            continue
        values = by_audio_url[audio_url]
        assert (values["duration_seconds"] or 0) == episode["total_time"]
        if episode["published"]:
            assert values["published_at"] == dt.datetime.fromtimestamp(episode["published"], dt.UTC)
        if "number" in episode:
            assert values["episode_number"] == str(episode["number"])
        assert len(json.loads(str(values["people"] or "[]"))) == len(episode.get("persons", []))
