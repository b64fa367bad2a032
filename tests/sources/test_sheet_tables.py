"""Tables as people keep them: several tabs, hyperlinks, other headers, misplaced quotes, other encodings."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest
from openpyxl.chart import BarChart
from openpyxl.workbook import Workbook

from orchestration.sources.feed import podcast_page
from orchestration.sources.registry import recognise_source
from orchestration.sources.shared.document import Document, UnreadableDocument
from orchestration.sources.shared.encoding import build_charset_hint
from orchestration.sources.sheet.lab_sheet import SOURCE
from orchestration.sources.source import DocumentRefused, NotThisSource, ParseResult
from tests.conftest import SHARED

HEADER = ["Company", "Title", "Date", "URL", "Safety_category"]
ROWS = [["OpenAI", f"Title {n}", f"2024-05-0{n}", f"https://example.org/{n}", "Robustness"] for n in range(1, 6)]


def build_workbook(change: Callable[[Workbook], None], **tabs: list[list[Any]]) -> bytes:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.remove(book.active)
    for name, rows in tabs.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    change(book)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def parse(content: bytes | str, **hints: str) -> ParseResult:
    document = Document(content.encode() if isinstance(content, str) else content, "list.csv", hints)
    SOURCE.recognise(document)
    return SOURCE.parse(document)


def list_items(parsed: ParseResult) -> tuple[list[str], list[str]]:
    """Locator and title of each record, locator and reason of each reject."""
    return (
        [f"{record.locator}: {record.values['title']}" for record in parsed.records],
        [f"{reject.locator}: {reject.reason}" for reject in parsed.rejects],
    )


def keep(_: Workbook) -> None:
    """Change nothing."""


def test_every_tab_is_read_or_named_in_the_account() -> None:
    def change(book: Workbook) -> None:
        book["Old"].sheet_state = "hidden"
        book.create_chartsheet("Chart").add_chart(BarChart())

    content = build_workbook(
        change,
        **{
            "2023": [HEADER, ROWS[0]],
            "Empty": [],
            "2024": [
                ["Publications"],
                [],
                ["Lab", "Paper title", "Category", "Link"],
                ["OpenAI", "B", "Honest AI", ""],
            ],
            "Notes": [["Whom to write to"], ["Nobody"]],
            "Old": [HEADER, ROWS[1]],
        },
    )
    records, rejects = list_items(parse(content))
    assert records == ["tab “2023”, row 2: Title 1", "tab “2024”, row 4: B"]
    assert rejects == [
        "tab “2024”, row 1: above the header row",
        "tab “Notes”: not read, 2 rows: none of its first rows is a header with company, title and category",
        "tab “Old”: not read, 2 rows: it is hidden; unhide it to have it read",
        "tab “Chart”: not read: it is not a table",
    ]


def test_workbook_whose_only_table_is_hidden_is_refused_with_the_remedy() -> None:
    def hide(book: Workbook) -> None:
        book["Papers"].sheet_state = "hidden"

    content = build_workbook(hide, Papers=[HEADER, ROWS[0]], Notes=[["Some notes"]])
    with pytest.raises(NotThisSource, match="the tab “Papers” is hidden; unhide it"):
        parse(content)


def test_second_table_below_the_first_is_read_by_its_own_header() -> None:
    below = [["Title", "Category", "Lab", "Year"], ["B", "Unlearning", "Anthropic", 2023]]
    records, rejects = list_items(parse(build_workbook(keep, Papers=[HEADER, ROWS[0], [], *below, HEADER, ROWS[1]])))
    assert records == ["row 2: Title 1", "row 5: B", "row 7: Title 2"]
    assert rejects == [f"row {row}: another header: the rows below it are read by it" for row in (4, 6)]
    text = "\n".join(",".join(map(str, row)) for row in [HEADER, ROWS[0], *below])
    parsed = parse(text)
    assert [record.values["lab"] for record in parsed.records] == ["OpenAI", "Anthropic"]
    assert [record.values["date_precision"] for record in parsed.records] == ["day", "year"]


def test_rows_are_numbered_as_in_the_workbook() -> None:
    def move(book: Workbook) -> None:
        book["Papers"].move_range("A1:E2", rows=3, cols=2)

    records, _ = list_items(parse(build_workbook(move, Papers=[HEADER, ROWS[0]])))
    assert records == ["row 5: Title 1"]


def test_link_of_a_cell_is_its_hyperlink_or_formula() -> None:
    rows = [list(row) for row in ROWS]
    rows[0][3], rows[1][3], rows[2][3] = "paper", '=HYPERLINK("https://example.org/formula","paper")', ""
    rows[3][3] = '=HYPERLINK("https://arxiv.org/abs/"&$G5,"paper")'
    rows[3] += ["", "2401.00001"]
    rows[4][3] = "=IF(TRUE,HYPERLINK(Other!A1))"

    def add_links(book: Workbook) -> None:
        book["Papers"]["D2"].hyperlink = "https://example.org/cell"
        book["Papers"]["D2"].value = "paper"
        book["Papers"]["B4"].hyperlink = "https://example.org/title"
        book["Papers"]["B4"].value = "Title 3"

    parsed = parse(build_workbook(add_links, Papers=[[*HEADER, "", ""], *rows]))
    assert parsed.rejects == []
    assert [record.values["url"] for record in parsed.records] == [
        "https://example.org/cell",
        "https://example.org/formula",
        "https://example.org/title",
        "https://arxiv.org/abs/2401.00001",
        None,
    ]
    assert "the link behind the cell, “=IF(TRUE,HYPERLINK(Other!A1))”" in str(parsed.records[4].values["reading_note"])


def test_shared_formula_moves_its_references_with_the_cell() -> None:
    content = build_workbook(
        keep, Papers=[[*HEADER, "Id"], *([*row[:3], "x", row[4], f"2401.0000{n}"] for n, row in enumerate(ROWS))]
    )
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"].decode()
    for row in range(2, 7):
        shared = f'HYPERLINK("https://arxiv.org/abs/"&amp;F{row})' if row == 2 else ""
        start = sheet.index(f'<c r="D{row}"')
        end = sheet.index("</c>", start)
        cell = f'<c r="D{row}"><f t="shared" si="0">{shared}</f><v></v>'
        sheet = sheet[:start] + cell + sheet[end:]
    parts["xl/worksheets/sheet1.xml"] = sheet.encode()
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    urls = [record.values["url"] for record in parse(changed.getvalue()).records]
    assert urls == [f"https://arxiv.org/abs/2401.0000{n}" for n in range(5)]


def test_cell_merged_over_several_rows_holds_for_each_of_them() -> None:
    def merge(book: Workbook) -> None:
        book["Papers"].merge_cells("A2:A4")

    rows = [ROWS[0], ["", *ROWS[1][1:]], ["", *ROWS[2][1:]], ["", *ROWS[3][1:]]]
    parsed = parse(build_workbook(merge, Papers=[HEADER, *rows]))
    assert [record.values["lab"] for record in parsed.records] == ["OpenAI", "OpenAI", "OpenAI", None]


def test_cell_beside_the_table_of_a_workbook_is_noted() -> None:
    (record,) = parse(build_workbook(keep, Papers=[HEADER, [*ROWS[0], "check this"]])).records
    assert record.values["reading_note"] == "no column for “check this”"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared cases are missing: no folder ../shared")
def test_workbook_with_the_epoch_of_1904_has_the_right_day() -> None:
    content = (SHARED / "cases" / "sheets" / "epoch_1904.xlsx").read_bytes()
    assert [str(record.values["published_on"]) for record in parse(content).records] == ["2024-05-01"]


def test_table_of_episodes_reads_every_tab() -> None:
    header = ["entry", "linked_url", "authors", "narrator", "publisher", "summary_sha256"]
    tabs = {"One": [header, [1, "", "", "", "", "a" * 64]], "Two": [header, [2, "", "", "", "", "b" * 64]]}
    parsed = podcast_page.SOURCE.parse(Document(build_workbook(keep, **tabs, Notes=[["A note"]]), "book"))
    assert [record.locator for record in parsed.records] == ["tab “One”, row 2", "tab “Two”, row 2"]
    assert [reject.locator for reject in parsed.rejects] == ["tab “Notes”"]


@pytest.mark.parametrize(
    ("row", "title", "reason"),
    [
        ('OpenAI,"Constitutional" AI,2024-05-01,,Robustness', '"Constitutional" AI', None),
        ('OpenAI,"Constitutional" AI,"May 5, 2024",,Robustness', '"Constitutional" AI', None),
        ('OpenAI,"On ""this"" and "that"",2024-05-01,,Robustness', '"On ""this"" and "that""', None),
        ('OpenAI,"never closed,2024-05-01,,Robustness', '"never closed', None),
        ('OpenAI,"two\nlines" of it,2024-05-01,,Robustness', '"two lines" of it', None),
        ('OpenAI,"Safe, "sound", and short",2024-05-01,,Robustness', None, "row 3: line 3: a misplaced quote"),
        ('OpenAI,"never closed', None, "row 3: line 3: a misplaced quote"),
    ],
)
def test_misplaced_quote_costs_at_most_its_row(row: str, title: str | None, reason: str | None) -> None:
    lines = [",".join(HEADER), ",".join(ROWS[0]), row, ",".join(ROWS[1])]
    records, rejects = list_items(parse("\n".join(lines)))
    assert [record.split(": ")[1] for record in records] == ["Title 1", *([title] if title else []), "Title 2"]
    assert [reject.partition(", so")[0] for reject in rejects] == ([reason] if reason else [])


def test_text_of_nothing_but_misplaced_quotes_is_refused() -> None:
    text = "\n".join([",".join(HEADER), *['OpenAI,"x', ",".join(ROWS[0])] * 600])
    with pytest.raises(UnreadableDocument, match="over 500 rows with misplaced quotes, the last in line 1002"):
        parse(text)


TEXT = ",".join(HEADER) + "\nUniversität Zürich,Über Modelle – “kurz”,2024-05-01,https://example.org/1,Robustness\n"


@pytest.mark.parametrize(
    ("encoding", "hints"),
    [
        ("utf-8", {}),
        ("utf-8-sig", {}),
        ("utf-16", {}),
        ("utf-32", {}),
        ("windows-1252", {"charset": "cp1252"}),
        ("windows-1252", {"charset": "iso-8859-1"}),  # as browsers read it
        ("utf-16-le", {"charset": "utf-16-le"}),
        ("utf-8", {"charset": "cp1252"}),  # hosts declare an encoding that the file does not have
        ("gb18030", {"charset": "gbk"}),
    ],
)
def test_text_is_read_in_its_declared_encoding(encoding: str, hints: dict[str, str]) -> None:
    (record,) = parse(TEXT.encode(encoding), **hints).records
    assert (record.values["lab"], record.values["title"]) == ("Universität Zürich", "Über Modelle – “kurz”")


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        ("text/csv; charset=windows-1252", {"charset": "cp1252"}),
        ('text/csv; header=present; charset="Shift_JIS"', {"charset": "cp932"}),
        ("text/csv; charset=utf-8", {}),
        ("text/csv; charset=klingon", {}),
        ("text/csv; charset=hex", {}),
        ("text/csv", {}),
    ],
)
def test_charset_of_a_response_is_a_hint(header: str, hint: dict[str, str]) -> None:
    assert build_charset_hint({"content-type": header}) == hint


def test_undeclared_encoding_is_refused_with_byte_place_and_remedy() -> None:
    message = r"not valid UTF-8: byte 0xe4 at offset 48, line 2; save the file as UTF-8, or .* --encoding windows-1252"
    with pytest.raises(UnreadableDocument, match=message):
        parse(TEXT.encode("windows-1252"))


def test_page_in_another_encoding_is_read_by_its_own_declaration() -> None:
    page = '<html><head><meta charset="windows-1252"><title>Über</title></head></html>'
    assert Document(page.encode("windows-1252"), "page").html_title == "Über"
    assert Document(page.encode(), "page").html_title == "Über"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), r"an old \(\.xls\) or encrypted workbook; save it as XLSX"),
        ({"mimetype": b"x", "content.xml": b"<x/>"}, "an OpenDocument file that is no spreadsheet"),
        ({"xl/workbook.bin": b"x"}, r"a binary workbook \(\.xlsb\); save it as XLSX or CSV"),
        ({"word/document.xml": b"<x/>"}, "a Word document"),
    ],
)
def test_other_kinds_of_spreadsheets_are_refused_with_the_remedy(content: Any, message: str) -> None:
    if isinstance(content, dict):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            for name, data in content.items():
                file.writestr(name, data)
        content = archive.getvalue()
    with pytest.raises(DocumentRefused, match=message):
        recognise_source(Document(content, "list"))


def test_table_without_dates_has_missing_dates() -> None:
    text = "Company,Title,URL,Safety_category,Abstract\nOpenAI,A,https://example.org/1,Robustness,Text\n"
    (record,) = parse(text).records
    assert (record.values["title"], record.values["published_on"], record.values["abstract"]) == ("A", None, "Text")


OTHER = "Paper title,Author(s),Date published,Link to paper\nA title,A. Person,Jun 2025,https://example.org/x\n"


def test_table_with_other_headers_is_read_with_the_columns_that_were_guessed() -> None:
    with pytest.raises(DocumentRefused) as refused:
        recognise_source(Document(OTHER.encode(), "list.csv"))
    proposal = refused.value.proposal
    assert proposal is not None
    columns = dict(proposal.columns)
    assert columns == {
        "title": "Paper title",
        "authors": "Author(s)",
        "date": "Date published",
        "url": "Link to paper",
    }
    (record,) = parse(OTHER, columns=json.dumps(columns)).records
    values = {name: record.values[name] for name in ("lab", "title", "category", "url", "authors", "date_precision")}
    assert values == {
        "lab": None,
        "title": "A title",
        "category": None,
        "url": "https://example.org/x",
        "authors": "A. Person",
        "date_precision": "month",
    }


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("Name of paper;Year;Who\nA study of wolves;2024;Ada", {"title": "Name of paper", "date": "Year"}),
        (
            "Paper;Organisation;Year;Agenda\nA study of wolves;OpenAI;2024;Probes",
            {"title": "Paper", "lab": "Organisation", "date": "Year", "category": "Agenda"},
        ),
        ("ARTICLE;doi\nA study of wolves;10.1234/abc", {"title": "ARTICLE", "url": "doi"}),
        ("Amount;Donor\n3;Ada", {}),
    ],
)
def test_only_a_title_or_a_link_is_indispensable_for_a_guess(table: str, columns: dict[str, str]) -> None:
    with pytest.raises(NotThisSource) as reason:
        parse(f"{table}\n")
    assert reason.value.proposal is not None
    assert reason.value.proposal.columns == columns


def test_given_columns_hold_and_can_leave_a_column_out() -> None:
    text = "Company,Title,Date,URL,Category,Kind\nOpenAI,A,2024,https://example.org/1,Paper,Robustness\n"
    (record,) = parse(text, columns=json.dumps({"category": "Kind", "date": ""})).records
    assert (record.values["category"], record.values["published_on"]) == ("Robustness", None)
    with pytest.raises(NotThisSource, match="no row has the headers “Area” for category"):
        parse("Paper,Kind\nA,B\n", columns=json.dumps({"category": "Area"}))


def test_feed_with_other_headers_names_the_setting() -> None:
    with pytest.raises(NotThisSource, match=r'set columns = \{ title = "Paper title", .* in the settings of the feed'):
        parse(OTHER, feed="our_sheet")
