"""Entries of feeds: dates that are understood as a whole, titles in angle brackets, links and audio addresses."""

from __future__ import annotations

import datetime as dt

import pytest

from orchestration.sources.feed.dates import read_date
from orchestration.sources.feed.items import SOURCE
from orchestration.sources.shared.html_text import title_to_text
from orchestration.sources.shared.links import complete_address
from orchestration.sources.source import Value
from tests.sources.test_feed import build_item, build_rss
from tests.support.fetch_plans import parse_document


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)  # ty: ignore[invalid-argument-type]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2023/4/9 15:07:41", utc(2023, 4, 9, 15, 7, 41)),
        ("2023-04-09 10:00:00 +0000 UTC", utc(2023, 4, 9, 10)),
        ("2023-04-09T10:00:00.123+05:30", utc(2023, 4, 9, 4, 30)),
        ("20230409T100000Z", utc(2023, 4, 9, 10)),
        ("Sun, 09 Apr 2023 00:30:00 CEST", utc(2023, 4, 8, 22, 30)),
        ("Sun, 09 Apr 2023 00:30:00 CET", utc(2023, 4, 8, 23, 30)),
        ("Sun, 09 Apr 2023 00:30:00 PDT", utc(2023, 4, 9, 7, 30)),
        ("9 Apr 23 10:00 GMT", utc(2023, 4, 9, 10)),
        ("Sun, 9 April 2023 10:00:60 Z", utc(2023, 4, 9, 10, 1)),
        ("Sun, 09 Apr 2023 10:00:00 +0530 (IST)", utc(2023, 4, 9, 4, 30)),
        ("Sun Apr  9 10:00:00 UTC 2023", utc(2023, 4, 9, 10)),
        ("April 9, 2023 at 1:05 PM EDT", utc(2023, 4, 9, 17, 5)),
        ("2023-04-09", utc(2023, 4, 9)),
        ("9 April 2023", utc(2023, 4, 9)),
    ],
)
def test_date_is_read_with_its_offset(text: str, moment: dt.datetime) -> None:
    date = read_date(text)
    assert date is not None
    assert (date.moment, date.note) == (moment, None)


@pytest.mark.parametrize(
    "text",
    [
        *("1681034400", "2023-099", "09/04/2023", "4.9.23", "Mon, 01 Jan 0001 00:00:00 +0000", "9999-01-01"),
        *("Sun, 09 Apr 2023 10:00:00 IST", "Sun, 09 Apr 2023 10:00:00 XYZ", "Sun, 09 Apr 2023 10:00:00 +0200 UTC"),
        *(
            "Sun, 31 Apr 2023 10:00:00 GMT",
            "2023-04-09T25:00:00Z",
            "2023-04-09T10:00:00+25:00",
            "13:00 PM 9 April 2023",
        ),
        *("yesterday", "10:00", "9 April", "Sun, 09 Apr 2023 10:00:00 GMT or later", "2023-04-09" * 9, ""),
    ],
)
def test_date_that_is_not_understood_as_a_whole_is_left_out(text: str) -> None:
    assert read_date(text) is None


@pytest.mark.parametrize(
    ("text", "day"), [("2023-04", utc(2023, 4, 1)), ("Apr 2023", utc(2023, 4, 1)), ("2023", utc(2023, 1, 1))]
)
def test_month_and_year_are_read_as_their_first_day_with_a_note(text: str, day: dt.datetime) -> None:
    date = read_date(text)
    assert date is not None
    assert (date.moment, date.note) == (day, f"date “{text}” has no day: read as {day.date()}")


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("What <think> tokens hide", "What <think> tokens hide"),
        ("When P(x<y) fails", "When P(x<y) fails"),
        ("If a<b and c>d, <b> is bold", "If a<b and c>d, <b> is bold"),
        ("A <i>careful</i> look at C<sub>60</sub>", "A careful look at C60"),
        ("Ants &amp; bees", "Ants & bees"),
        ("On &lt;eos&gt; tokens", "On <eos> tokens"),
        ("A <mml:math><mml:mi>x</mml:mi></mml:math> and <jats:italic>y</jats:italic>", "A x and y"),
        ("One<br/>two <unk>", "One two <unk>"),
        ("List<int> and <a href='/x'>a link</a>", "List<int> and a link"),
        ("< 5 % of models", "< 5 % of models"),
        ("", None),
    ],
)
def test_title_keeps_what_is_no_tag_of_a_title(html: str, text: str | None) -> None:
    assert title_to_text(html) == text


@pytest.mark.parametrize(
    ("base", "link", "address"),
    [
        ("https://ex.org/blog/", "/posts/one", "https://ex.org/posts/one"),
        ("https://ex.org/blog/", "two", "https://ex.org/blog/two"),
        ("https://ex.org/blog/", "//cdn.ex.org/x", "https://cdn.ex.org/x"),
        ("https://ex.org/", " HTTPS://ex.org/a b\n.html ", "https://ex.org/a%20b.html"),
        (None, "www.ex.org/x", "https://www.ex.org/x"),
        (None, "/posts/one", None),
        ("https://ex.org/", "mailto:a@ex.org", None),
        ("https://ex.org/", "https://", None),
        ("https://ex.org/", "http://[bad/", "http://[bad/"),
    ],
)
def test_link_is_completed(base: str | None, link: str, address: str | None) -> None:
    assert complete_address(base, link) == address


def read_item(head: str = "", inner: str = "", hint: str = "", **changes: str) -> dict[str, Value]:
    content = build_rss(build_item(1, inner, **changes), head=head)
    (record,) = parse_document(SOURCE, content, **({"url": hint} if hint else {})).records
    return dict(record.values)


def test_relative_link_is_resolved_against_the_feed_its_own_base_or_its_address() -> None:
    relative, blog = "/posts/one", "<link>https://blog.example/</link>"
    assert read_item(blog, link=relative)["url"] == "https://blog.example/posts/one"
    assert (
        read_item("<link>/</link>", link=relative, hint="https://f.example/rss")["url"] == "https://f.example/posts/one"
    )
    assert read_item(link=relative, hint="https://f.example/rss")["url"] == "https://f.example/posts/one"
    own_base = build_rss(build_item(1, link="one")).replace(b"<item>", b'<item xml:base="https://b.example/x/">')
    assert parse_document(SOURCE, own_base).records[0].values["url"] == "https://b.example/x/one"
    alone = read_item(link=relative)
    assert (alone["url"], alone["reading_note"]) == (None, "link “/posts/one” could not be resolved to an address")


def test_guid_that_is_no_address_is_not_taken_for_a_link() -> None:
    values = read_item("<link>https://blog.example/</link>", link="", guid="g1")
    assert (values["url"], values["item_guid"], values["reading_note"]) == (None, "g1", None)


def test_audio_is_also_found_in_media_content() -> None:
    media = '<media:content xmlns:media="http://search.yahoo.com/mrss/" {}/>'
    audio = read_item(inner=media.format('url=" https://show.example/2.mp3 " type="audio/mpeg" fileSize="10"'))
    assert (audio["audio_url"], audio["audio_type"], audio["audio_bytes"]) == (
        "https://show.example/2.mp3",
        "audio/mpeg",
        10,
    )
    assert read_item(inner=media.format('url="https://show.example/v?id=3" medium="video"'))["audio_url"]
    assert read_item(inner=media.format('url="https://show.example/4.OGG?x=1"'))["audio_url"]
    assert read_item(inner=media.format('url="https://show.example/p.jpg" type="image/jpeg"'))["audio_url"] is None
    enclosure = read_item(inner='<enclosure url=" /1.mp3" type="audio/mpeg" length="1"/>', hint="https://f.example/rss")
    assert enclosure["audio_url"] == "https://f.example/1.mp3"


DATED = "<dc:date xmlns:dc='http://purl.org/dc/elements/1.1/'>2023-04-09</dc:date>"
PRISM = "<prism:publicationDate xmlns:prism='http://prismstandard.org/namespaces/basic/2.0/'>2023-04-08</prism:publicationDate>"
UPDATED = "<atom:updated>2023-04-10T08:00:00Z</atom:updated>"


def test_publication_is_dated_by_the_first_vocabulary_that_has_a_date() -> None:
    assert read_item(inner=DATED + PRISM + UPDATED, pubDate="")["published_at"] == utc(2023, 4, 9)
    assert read_item(inner=PRISM + UPDATED, pubDate="")["published_at"] == utc(2023, 4, 8)
    by_change = read_item(inner=UPDATED, pubDate="")
    assert by_change["published_at"] == by_change["updated_at"] == utc(2023, 4, 10, 8)
    assert by_change["reading_note"] == "dated by its last change, since no time of publication was found"
    odd = read_item(inner=DATED, pubDate="soon")
    assert (odd["published_at"], odd["reading_note"]) == (utc(2023, 4, 9), "date “soon” could not be read")


def test_plain_text_of_atom_is_not_read_as_html() -> None:
    atom = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><id>https://example.org/</id>
    <entry><id>tag:1</id><title>Use &lt;b&gt;bold&lt;/b&gt; and &amp;amp;</title><updated>2023-04-09T08:00:00Z</updated>
    <content type="text">Close &lt;think&gt; tags.</content></entry>
    <entry><id>tag:2</id><title type="html">Use &lt;b&gt;bold&lt;/b&gt; &amp;amp; x &lt; y</title>
    <updated>2023-04-09T08:00:00Z</updated></entry></feed>"""
    plain, html = parse_document(SOURCE, atom).records
    assert (plain.values["title"], plain.values["text"]) == ("Use <b>bold</b> and &amp;", "Close <think> tags.")
    assert html.values["title"] == "Use bold & x < y"


def test_feed_without_entries_is_empty_and_valid() -> None:
    result = parse_document(SOURCE, build_rss(head="<skipDays><day>Sunday</day></skipDays>"))
    assert (result.items, result.is_empty_valid) == ([], True)
    atom = b'<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><id>https://example.org/</id></feed>'
    assert parse_document(SOURCE, atom).is_empty_valid
