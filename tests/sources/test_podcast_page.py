"""Podcast pages and their table: entries, labels, names, hashes, and the reasons of rejects."""

import csv
import hashlib
from pathlib import Path

import pytest

from orchestration.sources.feed.podcast_page import SOURCE
from orchestration.sources.shared.document import Document
from orchestration.sources.source import DamagedDocument, NotThisSource, ParseResult, Record, Reject

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
TRUTH = SHARED / "reference" / "truth" / "truth_podcast_episodes.csv"
BUNDLED = ROOT / "warehouse" / "bundled" / "podcast_episodes.csv"
needs_seeds = pytest.mark.skipif(not TRUTH.is_file(), reason="the captured pages in ../shared are not here")

CLOSING = "A podcast by Pier Radio.\nLearn more on the Harbour Studies website."
HEADER = "entry,linked_url,authors,narrator,publisher,summary_sha256,summary"
HASH = hashlib.sha256(b"On ropes.").hexdigest()


def parse_page(text: str | bytes) -> ParseResult:
    document = Document(text if isinstance(text, bytes) else text.encode(), "any")
    SOURCE.recognise(document)
    return SOURCE.parse(document)


def parse_single_record(text: str) -> Record:
    (item,) = parse_page(text).items
    assert isinstance(item, Record)
    return item


def parse_single_reject(text: str) -> Reject:
    (reject,) = parse_page(text).rejects
    return reject


def parse_seed_page() -> ParseResult:
    return parse_page(next((SHARED / "seeds").glob("003_*.txt")).read_bytes())


@needs_seeds
def test_real_page_gives_the_reference_episodes() -> None:
    result = parse_seed_page()
    assert not result.rejects
    seen: set[str] = set()
    rows = []
    for record in result.records:
        value = record.values
        names = ("entry", "linked_url", "authors", "narrator", "publisher")
        row = [str(value[name] or "") for name in names]
        rows.append([*row, str(int(record.identity in seen)), str(value["summary"])[:60]])
        seen.add(record.identity)
    with TRUTH.open(encoding="utf-8", newline="") as lines:
        assert rows == list(csv.reader(lines))[1:]
    assert (len(rows), len(seen)) == (20, 19)


@needs_seeds
def test_bundled_table_has_the_facts_of_the_page_without_its_summaries() -> None:
    page, table = parse_seed_page().records, parse_page(BUNDLED.read_bytes()).records
    assert [r.identity for r in table] == [r.identity for r in page]
    assert [r.values for r in table] == [{**r.values, "summary": None} for r in page]


def test_bundled_table_has_twenty_entries_of_nineteen_episodes() -> None:
    result = parse_page(BUNDLED.read_bytes())
    assert not result.rejects
    assert [r.values["entry"] for r in result.records] == list(range(1, 21))
    assert len({r.identity for r in result.records}) == 19
    assert all(r.values["summary"] is None for r in result.records)


@pytest.mark.parametrize(
    ("top", "middle", "bottom"),
    [
        ("Эпизоды", "Пропущенные эпизоды?", "Показать больше"),
        ("Folgen", "Verpasste Folgen?", "Mehr anzeigen"),
        ("Episodes\nSort by date", "Missed episodes?\nSubscribe", "Show more"),
        ("", "", ""),
    ],
)
def test_interface_lines_are_ignored_in_any_language(top: str, middle: str, bottom: str) -> None:
    text = f"{top}\n-\nOn ropes.\n{CLOSING} -\nOn knots.\n{CLOSING} -\n{middle}\n-\nOn sails.\n{CLOSING} - {bottom}\n"
    result = parse_page(text)
    assert [r.values["summary"] for r in result.records] == ["On ropes.", "On knots.", "On sails."]
    assert [r.values["entry"] for r in result.records] == [1, 2, 3]
    assert not result.rejects


def test_labels_with_values_on_the_same_line_and_glued_publisher_are_read() -> None:
    record = parse_single_record(
        "-\nOn ropes.\nOriginal text: https://example.org/ropes\nAuthor(s): Ada Rope, Bo Ty.A podcast by Pier Radio.\n"
        "Learn more on the Harbour Studies website. -"
    )
    assert record.values == {
        "entry": 1,
        "linked_url": "https://example.org/ropes",
        "authors": "Ada Rope, Bo Ty",
        "narrator": None,
        "publisher": "Pier Radio",
        "summary": "On ropes.",
        "summary_sha256": HASH,
    }
    assert list(SOURCE.columns) == list(record.values)
    assert (record.identity, record.locator) == (HASH, "lines 2-5")


def test_label_with_its_value_on_the_next_line_and_divider_are_read_are_read() -> None:
    text = (
        f"-\nOn\n  ropes.\nSource:\nhttps://example.org/ropes\nNarrated for Harbour Talks by Cy Reader.\n---\n{CLOSING}"
    )
    values = parse_single_record(text).values
    assert (values["linked_url"], values["narrator"]) == ("https://example.org/ropes", "Cy Reader")
    assert (values["summary"], values["summary_sha256"]) == ("On ropes.", HASH)


def test_narrator_follows_the_last_by_of_a_garbled_line() -> None:
    text = f"-\nOn ropes.\nNarrated for Harbour Talks Pier Forum by Ann by Cy Reader of ROPE AUDIO.\n{CLOSING}"
    assert parse_single_record(text).values["narrator"] == "Cy Reader of ROPE AUDIO"


def test_missing_link_and_missing_publisher_are_null() -> None:
    text = f"-\nOn ropes.\nSource:\nNarrated by Cy Reader.\n{CLOSING} -\nOn knots.\nLearn more on the Pier website. -"
    first, second = parse_page(text).records
    assert (first.values["linked_url"], first.values["narrator"]) == (None, "Cy Reader")
    assert (second.values["summary"], second.values["publisher"]) == ("On knots.", None)


def test_equal_entries_are_the_same_record_again() -> None:
    result = parse_page(f"-\nOn ropes.\n{CLOSING} -\nOn  ropes.\n{CLOSING} -")
    assert [r.identity for r in result.records] == [HASH, HASH]
    assert [r.values["entry"] for r in result.records] == [1, 2]


def test_line_ends_and_byte_order_mark_make_no_difference() -> None:
    text = f"Folgen\n-\nOn ropes.\nSource:\nhttps://example.org/r\n{CLOSING} - Mehr"
    other = b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()
    assert parse_page(text).items == parse_page(other).items


def test_entry_that_is_cut_short_is_rejected_with_its_lines() -> None:
    tail = "On knots, of which there are more than anyone on this pier has ever counted in a day."
    reject = parse_single_reject(f"-\nOn ropes.\n{CLOSING} -\n{tail}\nSource:\nhttps://exam")
    assert "no closing line" in reject.reason
    assert reject.raw_text.startswith("On knots")
    assert reject.locator == "lines 5-7"


def test_entry_without_its_beginning_is_rejected() -> None:
    assert "no bullet" in parse_single_reject(f"the end of an entry.\n{CLOSING} -\nOn knots.\n{CLOSING}").reason


def test_entry_without_a_summary_is_rejected() -> None:
    assert "without a summary" in parse_single_reject(f"-\nSource: https://example.org\n{CLOSING}").reason


def test_odd_link_of_an_entry_is_left_out_with_a_note() -> None:
    record = parse_single_record(f"-\nOn ropes.\nSource: ftp://pier\n{CLOSING}")
    assert (record.identity, record.values["linked_url"]) == (HASH, None)
    assert record.values["reading_note"] == "“ftp://pier” is where a link (https://…) was expected"


def test_table_columns_are_matched_regardless_of_case_spaces_and_underscores() -> None:
    text = f"Entry,Linked URL,AUTHORS,Narrator,Publisher,Summary Sha256,Summary\n1,,Ada,,,{HASH},On  ropes.\n"
    record = parse_single_record(text)
    assert (record.identity, record.values["authors"], record.values["summary"]) == (HASH, "Ada", "On ropes.")
    assert parse_single_record(f"entry\tsummary_sha256\n1\t{HASH}\n").values["publisher"] is None


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,,,,,abc,", "summary_sha256 “abc” is not a SHA-256"),
        (f"1,,,,,{HASH.upper()},", "is not a SHA-256"),
        (f"1,,,,,{HASH},On knots.", "is not the hash of the row's summary"),
        (f"1,,,,,{HASH},,extra", "no column for “extra”"),
        ("1,,", "summary_sha256 “” is not"),
    ],
)
def test_table_row_with_an_invalid_value_is_rejected_with_that_value(row: str, reason: str) -> None:
    result = parse_page(f"{HEADER}\n{row}\n2,,,,,{HASH},On ropes.\n")
    assert reason in result.rejects[0].reason
    assert result.rejects[0].locator == "row 2"
    assert len(result.records) == 1


def test_misplaced_quote_costs_at_most_its_row() -> None:
    parsed = parse_page(f'{HEADER}\n1,,"Ada" Lovelace,,,{HASH},\n2,,"Ada,{HASH},\n3,,,,,{HASH},\n')
    assert [record.values["authors"] for record in parsed.records] == ['"Ada" Lovelace', None]
    assert [(reject.locator, reject.reason.split(":")[0]) for reject in parsed.rejects] == [("row 3", "line 3")]


def test_table_with_two_columns_of_one_name_is_damaged() -> None:
    with pytest.raises(DamagedDocument, match="two columns named entry"):
        parse_page(f"entry,Entry,summary_sha256\n1,1,{HASH}\n")


@pytest.mark.parametrize(
    "text",
    [
        "An essay on piers.\nLearn more on the Harbour website.\nIt goes on.",
        "row,title\n1,Ropes\n",
        f"<html><title>Pod</title>-\nOn ropes.\n{CLOSING}</html>",
        "Posts\nComments\nThanks!",
    ],
)
def test_other_documents_are_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(NotThisSource, match="looked for lines “A podcast by …”"):
        SOURCE.recognise(Document(text.encode(), "any"))
