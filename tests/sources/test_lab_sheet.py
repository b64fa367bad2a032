"""The lab sheet in all its forms, captured page, CSV, TSV and XLSX, and the faults of each."""

from __future__ import annotations

import csv
import datetime as dt
import io
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.sources.registry import recognise_source
from orchestration.sources.shared.document import Document
from orchestration.sources.sheet import lab_sheet
from orchestration.sources.sheet.dates import parse_date
from orchestration.sources.sheet.glued_text import get_known_categories, get_known_labs
from orchestration.sources.source import DamagedDocument, DocumentRefused, ParseResult
from tests.conftest import PROJECT

HEADER = ["Company", "Title", "Date", "URL", "Safety_category", "Abstract"]
PAGE_HEADER = "ABC\n1\nCompanyTitleDateURL\nSafety_category\nAbstract\n"
GOOD = ["OpenAI", "A title", "3-Mar-24", "https://openai.com/research/a-title", "Robustness", "About it."]


def build_csv(*rows: list[str], delimiter: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows([HEADER, *rows])
    return text.getvalue().encode()


def parse_sheet(content: bytes | str) -> ParseResult:
    document = Document(content.encode() if isinstance(content, str) else content, "a file")
    assert recognise_source(document) is lab_sheet.SOURCE
    return lab_sheet.SOURCE.parse(document)


def parse_page_values(text: str) -> dict:
    (record,) = parse_sheet(PAGE_HEADER + text).records
    return dict(record.values)


def parse_page_reject(text: str) -> str:
    parsed = parse_sheet(PAGE_HEADER + "2\nOpenAIWhole3-Mar-24https://openai.com/wholeRobustnessText.\n" + text)
    assert len(parsed.records) == 1
    (reject,) = parsed.rejects
    return f"{reject.locator}: {reject.reason}"


def test_all_forms_give_the_same_records() -> None:
    bundled = (PROJECT / "warehouse" / "bundled" / "lab_publications.csv").read_bytes()
    rows = list(csv.reader(io.StringIO(bundled.decode())))
    tabs = io.StringIO()
    csv.writer(tabs, delimiter="\t").writerows(rows)
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        cells: list[str | dt.datetime] = [*row]
        if row is not rows[0]:
            cells[3] = dt.datetime.combine(parse_date(row[3]).day or dt.date.min, dt.time())  # a real date cell
        sheet.append(cells)
    workbook = io.BytesIO()
    book.save(workbook)
    forms = [
        bundled,
        tabs.getvalue().encode(),
        workbook.getvalue(),
        bundled.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + bundled,
    ]
    forms.append(bundled.decode().encode("utf-16"))
    parsed = [parse_sheet(form) for form in forms]
    assert [len(p.records) for p in parsed] == [80] * len(forms)
    for other in parsed[1:]:
        assert [(r.identity, r.values) for r in other.records] == [(r.identity, r.values) for r in parsed[0].records]


def test_captured_page_gives_the_reference_records(seeds: list[Path], truth: Path) -> None:
    parsed = parse_sheet(next(path for path in seeds if path.name.startswith("004")).read_bytes())
    with (truth / "truth_lab_publications.csv").open(encoding="utf-8", newline="") as lines:
        expected = [
            (
                int(r["row_number"]),
                r["lab"],
                r["title"],
                r["date"],
                r["url"],
                r["category"],
                r["is_duplicate"] == "1",
                r["abstract_sha256_of_whitespace_normalised_text"] or None,
            )
            for r in csv.DictReader(lines)
        ]
    columns = ("sheet_row", "lab", "title", "published_on", "url", "category", "is_duplicate", "abstract_sha256")
    got = [tuple(str(v) if isinstance(v := r.values[c], dt.date) else v for c in columns) for r in parsed.records]
    assert got == expected
    assert parsed.rejects == []
    assert [r.values["reading_note"] for r in parsed.records if r.values["reading_note"]] == []


def test_page_and_table_have_the_same_identities(seeds: list[Path]) -> None:
    page = parse_sheet(next(path for path in seeds if path.name.startswith("004")).read_bytes())
    bundled = parse_sheet((PROJECT / "warehouse" / "bundled" / "lab_publications.csv").read_bytes())
    assert [r.identity for r in page.records] == [r.identity for r in bundled.records]


@pytest.mark.parametrize(
    ("glued", "title", "day"),
    [
        ("GPT-46-Jun-24https://openai.com/gpt-4", "GPT-4", dt.date(2024, 6, 6)),
        ("GPT-32-Jun-24https://openai.com/gpt-3", "GPT-3", dt.date(2024, 6, 2)),
        ("In May 202324-May-23https://openai.com/may", "In May 2023", dt.date(2023, 5, 24)),
        ("Models17-Jun-24https://openai.com/models", "Models", dt.date(2024, 6, 17)),
        ("Llama 17-Jun-24https://openai.com/llama-1", "Llama 1", dt.date(2024, 6, 7)),
        ("Llama 217-Jun-24https://openai.com/llama-2", "Llama 2", dt.date(2024, 6, 17)),
        ("Part 131-Jan-24https://openai.com/part-1", "Part 1", dt.date(2024, 1, 31)),
        ("Wrapped title\n1-Jan-24\nhttps://openai.com/wrapped\n", "Wrapped title", dt.date(2024, 1, 1)),
    ],
)
def test_date_glued_to_a_title_is_separated_is_separated(glued: str, title: str, day: dt.date) -> None:
    values = parse_page_values(f"2\nOpenAI{glued}RobustnessAbout it.")
    assert (values["title"], values["published_on"], values["abstract"]) == (title, day, "About it.")


def test_ambiguous_day_is_noted() -> None:
    values = parse_page_values("2\nOpenAIWave 17-Jun-24https://openai.com/p/77RobustnessText.")
    assert values["published_on"] == dt.date(2024, 6, 17)
    assert "may end in 1" in values["reading_note"]


@pytest.mark.parametrize(
    ("cells", "url", "category"),
    [
        (
            "https://openai.com/gpt-4/Mechanistic interpretabilityText",
            "https://openai.com/gpt-4/",
            "Mechanistic interpretability",
        ),
        ("https://openai.com/a\nHonest AIText", "https://openai.com/a", "Honest AI"),
        ("https://openai.com/Robustness-in-AI\nHonest AIText", "https://openai.com/Robustness-in-AI", "Honest AI"),
        ("Honest AIText", None, "Honest AI"),
        ("https://openai.com/a\nScalable oversightText", "https://openai.com/a", "Scalable oversight"),
        ("https://openai.com/gluedScalable oversightText", "https://openai.com/glued", "Scalable oversight"),
    ],
)
def test_link_and_category_are_separated(cells: str, url: str | None, category: str) -> None:
    values = parse_page_values(f"2\nOpenAIA title3-Mar-24{cells} with https://example.org/second")
    assert (values["url"], values["category"]) == (url, category)
    assert ("not among the known" in (values["reading_note"] or "")) == (category not in get_known_categories())


def test_duplicate_mark_is_not_part_of_the_category() -> None:
    values = parse_page_values("2\nOpenAIA title3-Mar-24https://openai.com/a\n[Duplicate] RobustnessText")
    assert (values["category"], values["is_duplicate"]) == ("Robustness", True)
    (record,) = parse_sheet(build_csv([*GOOD[:4], "[Duplicate] Robustness", ""])).records
    assert (record.values["category"], record.values["is_duplicate"]) == ("Robustness", True)


def test_missing_abstract_is_null() -> None:
    assert (
        parse_page_values("2\nOpenAIA title3-Mar-24https://openai.com/a\nRobustnessAbstract not found")["abstract"]
        is None
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "3\nNew LabA title3-Mar-24https://openai.com/a\nRobustnessText",
            "row 3: does not begin with a known lab (“New LabA title",
        ),
        ("3\nOpenAIA title3-Mar-24https://openai.com/a", "row 3: ends before its category"),
        ("3\nOpenAIA title only", "row 3: no date"),
        ("3\nCompanyTitleDateURL\nSafety_category\nAbstract\n", "row 3: a second header"),
    ],
)
def test_unreadable_page_row_is_rejected_with_the_reason(text: str, message: str) -> None:
    assert parse_page_reject(text).startswith(message)


def test_number_alone_on_a_line_of_an_abstract_is_text() -> None:
    text = "2\nOpenAIA title3-Mar-24https://openai.com/a\nRobustnessIt was\n2023\na good year, and\n2024\n3\nOpenAIB title3-Mar-24https://openai.com/b\nHonest AIText\n4\n5\n"
    first, second = parse_sheet(PAGE_HEADER + text).records
    assert first.values["abstract"] == "It was 2023 a good year, and 2024"
    assert second.values["sheet_row"] == 3


def build_page_row(number: str, name: str, lab: str = "OpenAI") -> str:
    return f"{number}\n{lab}{name} title3-Mar-24https://example.org/{name.lower()}\nRobustnessAbout {name}.\n"


def parse_damaged_page(damaged: str, *, lab: str = "OpenAI", place: int = 2) -> ParseResult:
    rows = [
        build_page_row("2", "One"),
        build_page_row("3", "Two"),
        build_page_row("5", "Three"),
        build_page_row("8", "Four"),
        "9\n10\n",
    ]
    rows.insert(place, build_page_row(damaged, "Lost", lab) if damaged else build_page_row("", "Lost", lab)[1:])
    return parse_sheet(PAGE_HEADER + "".join(rows))


@pytest.mark.parametrize("lab", ["OpenAI", "New Lab"])
@pytest.mark.parametrize("damaged", ["1x4", "l4", "4.", "\ufffd4", "2", "3", "0", "9999", "1 4"])
def test_damaged_row_number_rejects_only_its_own_row(damaged: str, lab: str) -> None:
    parsed = parse_damaged_page(damaged, lab=lab)
    columns = ("sheet_row", "title", "abstract")
    assert [tuple(r.values[name] for name in columns) for r in parsed.records] == [
        (2, "One title", "About One."),
        (3, "Two title", "About Two."),
        (5, "Three title", "About Three."),
        (8, "Four title", "About Four."),
    ]
    (reject,) = parsed.rejects
    assert f"{reject.locator}: {reject.reason}" == f"after row 3: row 4 expected, got “{damaged}”"
    assert reject.raw_text.startswith(f"{lab}Lost title")


@pytest.mark.parametrize(
    ("damaged", "place", "message"),
    [
        ("", 2, "after row 3: row 4 expected, got no number"),
        ("??", 2, "after row 3: row 4 expected, got “??”"),
        ("l", 0, "after row 1: a row after row 1 expected, got “l”"),
        ("6x", 3, "after row 5: row 6 to 7 expected, got “6x”"),
        ("9x", 4, "after row 8: a row after row 8 expected, got “9x”"),
        ("8", 4, "after row 8: a row after row 8 expected, got “8”"),
    ],
)
def test_damaged_row_number_is_reported_at_any_position(damaged: str, place: int, message: str) -> None:
    parsed = parse_damaged_page(damaged, place=place)
    assert [r.values["sheet_row"] for r in parsed.records] == [2, 3, 5, 8]
    assert [f"{reject.locator}: {reject.reason}" for reject in parsed.rejects] == [message]


def test_damaged_row_number_glued_to_its_row_is_reported() -> None:
    parsed = parse_sheet(
        PAGE_HEADER
        + build_page_row("2", "One")
        + build_page_row("x", "Lost").replace("x\n", "3 ", 1)
        + build_page_row("4", "Two")
    )
    assert [r.values["sheet_row"] for r in parsed.records] == [2, 4]
    assert [reject.reason for reject in parsed.rejects] == ["row 3 expected, got “3”"]


def test_rows_that_run_together_in_one_line_are_rejected_together() -> None:
    parsed = parse_sheet(
        PAGE_HEADER + build_page_row("2", "One").rstrip() + build_page_row("", "Lost")[1:] + build_page_row("4", "Two")
    )
    assert [r.values["sheet_row"] for r in parsed.records] == [4]
    (reject,) = parsed.rejects
    assert (reject.locator, "another row runs into it" in reject.reason) == ("row 2", True)


def test_of_two_rows_with_one_number_the_one_that_leaves_a_gap_is_rejected() -> None:
    rows = [
        build_page_row("2", "One"),
        build_page_row("4", "Lost"),
        build_page_row("4", "Two"),
        build_page_row("5", "Three"),
    ]
    parsed = parse_sheet(PAGE_HEADER + "".join(rows))
    assert [r.values["title"] for r in parsed.records] == ["One title", "Two title", "Three title"]
    assert [reject.reason for reject in parsed.rejects] == ["row 3 expected, got “4”"]


def test_blank_lines_between_number_and_row_are_allowed() -> None:
    rows = [
        build_page_row("2", "One"),
        build_page_row("3", "Two").replace("\n", "\n\n  \n", 1),
        build_page_row("4", "Three"),
    ]
    parsed = parse_sheet(PAGE_HEADER + "".join(rows))
    assert ([r.values["sheet_row"] for r in parsed.records], parsed.rejects) == ([2, 3, 4], [])


def test_row_without_number_and_date_is_found_by_the_remains_of_its_number() -> None:
    text = build_page_row("2", "One") + "3x\nOpenAILost title\nRobustnessText.\n" + build_page_row("4", "Two")
    parsed = parse_sheet(PAGE_HEADER + text)
    assert [(r.values["sheet_row"], r.values["abstract"]) for r in parsed.records] == [
        (2, "About One."),
        (4, "About Two."),
    ]
    assert [reject.reason for reject in parsed.rejects] == ["row 3 expected, got “3x”"]


def test_abstract_that_quotes_dated_links_and_labs_is_not_split() -> None:
    quoted = (
        "It says\nOpenAI and others\n2023\nAnthropic too (see 3-Mar-24 https://example.org/there) and\n1\n2\n3\nmore."
    )
    text = (
        build_page_row("2", "One").rstrip() + f" {quoted}\n" + build_page_row("3", "Two") + build_page_row("4", "Three")
    )
    parsed = parse_sheet(PAGE_HEADER + text)
    assert parsed.rejects == []
    assert parsed.records[0].values["abstract"] == "About One. " + " ".join(quoted.split())


@pytest.mark.parametrize(
    ("change", "message", "is_fault"),
    [
        ({1: "  ", 3: ""}, "no title and no link", True),
        ({4: ""}, "no safety category", False),
        ({4: "Not in scope"}, "“Not in scope” in place of a safety category: judged not in scope", False),
    ],
)
def test_useless_table_row_is_rejected_with_the_reason(change: dict[int, str], message: str, is_fault: bool) -> None:
    row = [change.get(place, cell) for place, cell in enumerate(GOOD)]
    parsed = parse_sheet(build_csv(GOOD, row))
    assert len(parsed.records) == 1
    (reject,) = parsed.rejects
    assert (reject.locator, reject.is_fault) == ("row 3", is_fault)
    assert message in reject.reason


def test_second_header_and_too_many_cells_are_rejected() -> None:
    parsed = parse_sheet(build_csv(GOOD, HEADER, [*GOOD, "one too many"]))
    assert [r.reason for r in parsed.rejects] == [
        "a second header; the first is row 1",
        "7 cells where the header has 6",
    ]


def test_rows_above_the_header_are_rejected() -> None:
    parsed = parse_sheet(b"List of papers\n" + build_csv(GOOD))
    assert [(r.locator, r.reason) for r in parsed.rejects] == [("row 1", "above the header row")]
    assert len(parsed.records) == 1


def test_row_without_link_and_date_and_with_a_new_category_is_kept() -> None:
    parsed = parse_sheet(build_csv([*GOOD[:2], "", "", "Scalable oversight", ""]))
    (record,) = parsed.records
    assert (record.values["published_on"], record.values["url"], record.values["category"]) == (
        None,
        None,
        "Scalable oversight",
    )


def test_same_link_under_two_titles_is_two_records_in_any_order() -> None:
    other = ["Anthropic", "Another title", *GOOD[2:]]
    one = parse_sheet(build_csv(GOOD, other))
    two = parse_sheet(build_csv(other, GOOD))
    assert len({r.identity for r in one.records}) == 2
    assert {r.identity for r in one.records} == {r.identity for r in two.records}


def test_two_columns_of_one_name_are_refused() -> None:
    content = build_csv(GOOD).replace(b"Company,Title", b"Title,Title")
    with pytest.raises(DocumentRefused, match="two columns for title"):
        recognise_source(Document(content, "a file"))
    with pytest.raises(DamagedDocument):
        lab_sheet.SOURCE.parse(Document(content, "a file"))


def test_table_without_required_columns_is_refused_with_their_names() -> None:
    with pytest.raises(DocumentRefused, match=r"as lab_sheet: no header row with Category; row 1 is “Company"):
        recognise_source(Document(b"Company,Title,URL\nOpenAI,X,https://x.org\n", "a file"))


_words = st.lists(st.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=9), min_size=1, max_size=8).map(" ".join)
_rows = st.lists(
    st.tuples(
        st.sampled_from(get_known_labs()),
        _words.map(str.capitalize),
        st.dates(dt.date(2001, 1, 1), dt.date(2099, 12, 31)),
        _words.map(lambda words: "https://example.org/" + words.replace(" ", "-")),
        st.sampled_from(get_known_categories()),
        st.booleans(),
        _words.map(str.capitalize),
        st.sampled_from(["", "\n"]),
    ),
    min_size=3,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(_rows)
def test_any_glued_page_is_separated_into_its_cells(rows: list[tuple]) -> None:
    text, expected = PAGE_HEADER, []
    for number, (lab, title, day, url, category, marked, abstract, wrap) in enumerate(rows, 2):
        date = f"{day.day}-{day:%b-%y}"
        text += f"{number}\n{lab}{title}{date}{wrap}{url}{wrap}{'[Duplicate] ' if marked else ''}{category}{abstract}\n"
        expected.append((number, lab, title, day, url, category, marked, abstract))
    names = ("sheet_row", "lab", "title", "published_on", "url", "category", "is_duplicate", "abstract")
    parsed = parse_sheet(text)
    assert parsed.rejects == []
    assert [tuple(record.values[name] for name in names) for record in parsed.records] == expected
