"""Captured forum pages: recognition, borders of comments, kinds and owner."""

import hashlib
from pathlib import Path

import pytest

from orchestration.sources.forum.page import SOURCE
from orchestration.sources.forum.segment_identity import identify_texts
from orchestration.sources.forum.segmentation import TRUNCATED_CHARACTERS, find_segments, find_truncated_blocks
from orchestration.sources.shared.document import Document
from orchestration.sources.source import NotThisSource, ParseResult
from tests.support.fetch_plans import build_table

SEEDS = Path(__file__).parents[2].parent / "shared" / "seeds"
needs_seeds = pytest.mark.skipif(not SEEDS.is_dir(), reason="the captured pages in ../shared/seeds are not here")

# lines of the comments as separated by a person, T for a truncated comment
TRUNCATED_PAGE_SPANS = """1-2T 3-5T 6-9T 10-13T 14 15-16T 17-20T 21-22 23 24 25 26-28 29 30-31 32-33 34-36T 37-39T 40-42T 43 44
    45-46 47-48 49-51T 52-53 54-55 56-57T 58 59 60-61 62-67T 68 69-71T 72 73-75T 76 77-78 79-81T 82-83 84-86 87-89T
    90-92T 93-94 95 96-99T 100-101T 102-103T 104-106 107-109T 110-112T 113-114 115-116 117-119 120-121 122-123T
    124-125T"""
WHOLE_PAGE_SPANS = """3-4 5 6 7 8 9 10 11 12-15 16-17 18 19-29 30-36 37 38-41 42-44 45 46 47 48 49 50 51 52-55 56 57 58 59 60
    61 62 63-64 65-68 69-70 71 72-73 74 75 76 77 78-80 81 82 83 84-86 87 88-90 91-94 95 96-99"""

SENTENCE = "Lanterns along the harbour were counted twice before anyone wrote the number down. "
LONG = SENTENCE * 10


def truncate(opening: str = "", length: int = TRUNCATED_CHARACTERS) -> str:
    """A text as the site truncates it: that many characters, dots included."""
    return (opening + LONG)[: length - 3] + "..."


def parse_lines(*lines: str, owner: str | None = None) -> ParseResult:
    document = Document("\n".join(lines).encode(), "page.txt", {"owner": owner} if owner else None)
    return SOURCE.parse(document)


def list_spans(result: ParseResult) -> list[tuple[int, int, bool]]:
    return [(r.values["first_line"], r.values["last_line"], r.values["is_truncated"]) for r in result.records]


def is_recognised(text: str | bytes) -> bool:
    try:
        SOURCE.recognise(Document(text if isinstance(text, bytes) else text.encode(), "any"))
    except NotThisSource:
        return False
    return True


def read_seed(number: str) -> Document:
    path = next(SEEDS.glob(f"{number}_*.txt"))
    return Document(path.read_bytes(), path.name)


def parse_spans(listing: str) -> list[tuple[int, int, bool]]:
    spans = []
    for item in listing.split():
        first, _, last = item.rstrip("T").partition("-")
        spans.append((int(first), int(last or first), item.endswith("T")))
    return spans


@needs_seeds
@pytest.mark.parametrize(
    ("number", "listing", "minimum", "maximum", "precision", "recall"),
    [("000", TRUNCATED_PAGE_SPANS, 53, 57, 0.95, 0.97), ("001", WHOLE_PAGE_SPANS, 47, 51, 0.95, 0.95)],
)
def test_borders_agree_with_those_set_by_hand(
    number: str, listing: str, minimum: int, maximum: int, precision: float, recall: float
) -> None:
    found, expected = list_spans(SOURCE.parse(read_seed(number))), parse_spans(listing)
    assert minimum <= len(found) <= maximum
    assert {span for span in found if span[2]} == {span for span in expected if span[2]}
    borders, true_borders = ({first for first, _, _ in spans[1:]} for spans in (found, expected))
    right = len(borders & true_borders)
    assert right / len(borders) >= precision
    assert right / len(true_borders) >= recall


@needs_seeds
def test_replies_by_others_and_own_replies_are_separated_on_a_captured_page() -> None:
    kinds = {
        (r.values["first_line"], r.values["last_line"]): r.values["kind"]
        for r in SOURCE.parse(read_seed("000")).records
    }
    assert {span for span, kind in kinds.items() if kind == "reply_by_other"} == {(21, 22), (76, 76)}
    assert kinds[(29, 29)] == kinds[(72, 72)] == "own_comment"
    assert {(17, 20), (26, 28), (69, 71), (73, 75)} <= {span for span, kind in kinds.items() if kind == "quick_take"}


@needs_seeds
def test_pages_of_other_sources_are_not_recognised() -> None:
    for number in ("003", "004"):
        with pytest.raises(NotThisSource, match="found 0 such headers"):
            SOURCE.recognise(read_seed(number))
    for number in ("000", "001"):
        SOURCE.recognise(read_seed(number))


def test_every_line_belongs_to_exactly_one_segment() -> None:
    lines = [
        "Yes.",
        truncate(),
        "A quoted line about ferries",
        "I agree that ferries are slow.",
        "- one",
        "- two",
        truncate("Hm. "),
    ]
    segments = find_segments(lines)
    assert [i for segment in segments for i in range(segment.first, segment.last + 1)] == list(range(len(lines)))


def test_block_of_565_characters_is_exact_and_ends_the_comment_before() -> None:
    head = "A quoted remark on harbours and what they cost"
    result = parse_lines(
        "An earlier remark of another day.",
        head,
        truncate(length=TRUNCATED_CHARACTERS - len(head)),
        "Thanks for reading.",
    )
    assert list_spans(result) == [(1, 1, False), (2, 3, True), (4, 4, False)]
    assert result.records[1].values["confidence"] == "exact"
    assert result.records[1].values["characters"] == TRUNCATED_CHARACTERS


def test_dots_moved_to_the_front_of_the_last_quotation_end_the_block() -> None:
    head = "My view of the harbour is the one I gave last week:"
    tail = "The last quoted line is short."
    quoted = "..." + LONG.replace(" ", "-")[: TRUNCATED_CHARACTERS - len(head) - 3 - len(tail)]
    assert list_spans(parse_lines(head, quoted, tail, "Thanks!"))[0] == (1, 3, True)


def test_lost_inline_maths_makes_a_block_shorter_but_not_exact() -> None:
    lines = [truncate(), "Yep, that is it.", truncate("No, ", 560)]
    blocks = find_truncated_blocks(lines)
    assert [(block.first, block.last, block.confidence) for block in blocks] == [(0, 0, "exact"), (2, 2, "high")]


def test_read_more_without_a_known_length_is_a_block_of_medium_confidence() -> None:
    result = parse_lines("Okay, a list was here and is lost:", "... (read more)")
    assert list_spans(result) == [(1, 2, True)]
    assert result.records[0].values["confidence"] == "medium"
    assert "(read more)" in result.records[0].values["text"]


def test_dots_of_the_author_are_not_a_truncation() -> None:
    assert not find_truncated_blocks(["Well, perhaps...", "And then the boat left."])
    assert [block.first for block in find_truncated_blocks([truncate(), "Well, perhaps..."])] == [0]


def test_on_a_truncated_page_no_whole_comment_is_longer_than_750_characters() -> None:
    piece = (SENTENCE * 5)[:400]
    whole = parse_lines("Posts", "Comments", piece, f"Also {piece}")
    assert list_spans(whole) == [(3, 4, False)]
    assert list_spans(parse_lines(truncate(), piece, f"Also {piece}"))[1:] == [(2, 2, False), (3, 3, False)]


def test_equal_short_texts_are_different_records() -> None:
    result = parse_lines("Posts", "Comments", "Thanks, that helps!", "Yep, the pier is closed.", "Thanks, that helps!")
    texts = [r.values["text"] for r in result.records]
    assert texts == ["Thanks, that helps!", "Yep, the pier is closed.", "Thanks, that helps!"]
    assert len({r.identity for r in result.records}) == 3


def test_copies_with_other_line_ends_and_byte_order_mark_are_the_same_page() -> None:
    lines = ["Posts", "Comments", "Oh, the tide is out.", "Thanks!"]
    plain = SOURCE.parse(Document("\n".join(lines).encode(), "a"))
    other = SOURCE.parse(Document(b"\xef\xbb\xbf" + "  \r\n".join([*lines, ""]).encode(), "b"))
    assert plain.records == other.records


PAGE = [
    "Oh, the harbour master counted the lanterns twice before the tide came in.",
    "Thanks!",
    "Yep, the ferry company published its timetable for the winter months at last.",
    "Thanks!",
    "+1",
    "Okay, the north pier is closed until the new planks arrive from the sawmill.",
    "+1",
]


def list_identities(lines: list[str]) -> list[str]:
    return [record.identity for record in parse_lines("Posts", "Comments", *lines).records]


def edit(lines: list[str], at: int, old: str, new: str) -> list[str]:
    return [line.replace(old, new) if number == at else line for number, line in enumerate(lines)]


@pytest.mark.parametrize(
    ("later", "all_comments"),
    [
        (["Ah, a new comment about gulls that nest on the roof of the fish market.", *PAGE], 8),
        (["Thanks!", *PAGE], 8),
        ([*PAGE[:2], "Oh, the lighthouse needs a new lamp before the autumn storms set in.", *PAGE[2:]], 9),
        ([*PAGE, "Thanks!"], 8),
        (PAGE[2:], 7),
        (PAGE[:4] + PAGE[5:], 7),
        ([*PAGE[:3], PAGE[4], PAGE[3], *PAGE[5:]], 7),
        ([PAGE[2], PAGE[3], PAGE[0], PAGE[1], *PAGE[4:]], 8),
        (edit(PAGE, 0, "twice", "three times"), 8),
        (edit(PAGE, 5, "planks", "boards"), 8),
        (edit(PAGE, 2, "company published", "company\u00a0 published"), 7),
        (edit(PAGE, 6, "+1", "-1"), 8),
    ],
    ids=[
        "new at the top",
        "thanks at the top",
        "new between, which separates thanks from its neighbour",
        "thanks at the end",
        "two gone",
        "one gone",
        "two short ones swapped",
        "swapped, which gives thanks another neighbour",
        "edited",
        "edited below short ones",
        "other spaces",
        "short one edited",
    ],
)
def test_two_captures_of_a_page_give_the_union_of_their_comments(later: list[str], all_comments: int) -> None:
    first, second = list_identities(PAGE), list_identities(later)
    assert (len(set(first)), len(set(second))) == (len(PAGE), len(later))
    assert len({*first, *second}) == all_comments


def test_edit_or_truncation_after_the_opening_of_a_comment_keeps_its_identity() -> None:
    whole = "Hello, " + LONG
    assert identify_texts([whole]) == identify_texts([whole[:562] + "..."]) == identify_texts([whole + "And more."])


@pytest.mark.parametrize(
    "texts", [["Согласен", "Спасибо"], ["同意します", "ありがとう"], ["🙂", "🙁"], ["…", "?"], ["+1", "-1"]]
)
def test_short_texts_in_any_script_are_distinct(texts: list[str]) -> None:
    assert len(set(identify_texts([*texts, LONG]))) == 3


def test_short_text_of_another_page_is_another_comment() -> None:
    assert identify_texts(["Thanks!", LONG])[0] != identify_texts(["Thanks!", LONG.replace("Lanterns", "Buoys")])[0]


def test_clean_segments_have_each_comment_of_two_captures_once(tmp_path: Path) -> None:
    captures = (["Posts", "Comments", *PAGE], ["Posts", "Comments", "Thanks!", *PAGE[:-1]])
    rows = build_table(tmp_path, "clean.segments", *("\n".join(lines).encode() for lines in captures)).to_dicts()
    assert sorted(row["text"] for row in rows) == sorted([*PAGE, "Thanks!"])
    ferry = next(row for row in rows if row["text"] == PAGE[2])
    assert (ferry["segment"], ferry["first_line"]) == (4, 6)


@needs_seeds
@pytest.mark.parametrize("number", ["000", "001"])
def test_capture_that_differs_by_a_line_shares_all_but_its_neighbours(number: str) -> None:
    lines = read_seed(number).lines
    known = {record.identity for record in SOURCE.parse(read_seed(number)).records}
    for at in range(2, len(lines) - 1, 7):
        for changed in (lines[:at] + lines[at + 1 :], [*lines[:at], "Okay, one more remark on gulls.", *lines[at:]]):
            found = {r.identity for r in SOURCE.parse(Document("\n".join(changed).encode(), "later")).records}
            assert len(known - found) <= 4
            assert len(found - known) <= 4


def test_headers_are_never_segments_and_lines_keep_their_numbers() -> None:
    result = parse_lines("Posts", "Comments", "", "Thanks for the map.", "", "Good question! It is the north pier.")
    assert list_spans(result) == [(4, 4, False), (6, 6, False)]
    assert [r.locator for r in result.records] == ["line 4", "line 6"]


def test_lists_code_and_connectives_stay_with_their_comment() -> None:
    lines = [
        "Yeah, three things matter here:",
        "- rope",
        "- paint",
        "Also the weather.",
        "Yep, is it harbour_depth",
        "?",
    ]
    assert list_spans(parse_lines("Posts", "Comments", *lines))[0] == (3, 6, False)
    assert list_spans(parse_lines("Posts", "Comments", *lines))[-1][1] == 8


@pytest.mark.parametrize(
    "items", [["- a chart of the bay", "- a sounding lead"], ["1. Count", "2. Count again"], ["* gulls", "• terns"]]
)
def test_paragraph_after_a_list_stays_with_its_comment(items: list[str]) -> None:
    lines = ["Yeah, bring these:", *items, "How many ropes are needed depends on the swell.", "+1", "-1", "Oh, thanks."]
    spans = [(1, 4, False), (5, 5, False), (6, 6, False), (7, 7, False)]
    assert list_spans(parse_lines("Posts", "Comments", *lines)) == [(a + 2, b + 2, c) for a, b, c in spans]


def test_quotation_and_reply_are_one_comment() -> None:
    lines = [
        "Harbours silt up within ten years",
        "I disagree, ours did not.",
        "Gulls prefer concrete roofs",
        "Hm. What makes that so?",
    ]
    assert list_spans(parse_lines("Posts", "Comments", *lines)) == [(3, 4, False), (5, 6, False)]


def test_repeated_reply_below_a_quick_take_is_by_the_owner() -> None:
    own = "My answer to this is that every harbour should publish its depth soundings each spring."
    result = parse_lines("Posts", "Comments", own, "Okay, noted.", "Nice to see this chart of the north pier.", own)
    assert [r.values["kind"] for r in result.records] == ["own_comment", "own_comment", "quick_take", "own_comment"]


def test_single_reply_with_rare_words_of_a_quick_take_is_by_another_user() -> None:
    title = "Notes on sounding the estuary with weighted ropes."
    take = title + " " + LONG[: TRUNCATED_CHARACTERS - len(title) - 4] + "..."
    answer = "Weighted ropes stretch, so sounding an estuary with ropes gives wrong numbers."
    fillers = ["Thanks, fixed.", "Yep, the ferry leaves at nine.", "Oh, a second gull."]
    kinds = [r.values["kind"] for r in parse_lines(*fillers, take, answer, *fillers).records]
    assert kinds[3:5] == ["quick_take", "reply_by_other"]
    assert set(kinds[:3] + kinds[5:]) == {"own_comment"}


def test_owner_is_the_given_hint_only() -> None:
    assert parse_lines("Posts", "Comments", "By Jo Harbour: thanks!").records[0].values["page_owner"] is None
    assert parse_lines("Posts", "Comments", "Thanks!", owner="jo").records[0].values["page_owner"] == "jo"


def test_values_are_the_declared_columns() -> None:
    record = parse_lines("Posts", "Comments", "Thanks!").records[0]
    assert list(record.values) == list(SOURCE.columns)
    assert record.values["page_sha256"] == hashlib.sha256(b"Posts\nComments\nThanks!").hexdigest()


@pytest.mark.parametrize(
    "text",
    [
        "Posts\nComments\nThanks!",
        "Posts\nComments\nQuick takes\nHello there",
        f"{truncate()}\nYep.\n{truncate('Hm. ')}",
        "Ends here\n... (read more)",
    ],
)
def test_forum_pages_are_recognised_by_content(text: str) -> None:
    assert is_recognised(text)


@pytest.mark.parametrize(
    "text",
    [
        "Comments\nThis essay has one heading and then goes on about harbours.",
        "# Pier\n\nA README about a pier.\n\n## Usage\n\nRun it... and wait.\n",
        "Posts\nComments",
        f"An essay.\n{LONG}\nIt ends in doubt...\nAnd doubt again...",
        "entry,linked_url\n1,https://example.org/a\n",
        "<!doctype html><html><title>Posts</title>Posts\nComments\nThanks!</html>",
        f"{truncate()}\nOnly one line of that length",
    ],
)
def test_other_texts_are_not_recognised(text: str) -> None:
    assert not is_recognised(text)


def test_refusal_states_what_was_looked_for_and_what_was_found() -> None:
    with pytest.raises(NotThisSource, match=r"looked for headers “Posts”.*found 0 such headers.*begins “Plain prose"):
        SOURCE.recognise(Document(b"Plain prose about a pier.", "any"))
