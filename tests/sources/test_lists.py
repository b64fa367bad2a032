"""Lists as people keep them, in small and with made-up content: what is taken of each, and what is rejected and why."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import openpyxl
import pytest

from orchestration.sources.registry import recognise_source
from orchestration.sources.shared.column_proposal import ColumnProposal
from orchestration.sources.shared.document import Document
from orchestration.sources.sheet.lab_sheet import SOURCE
from orchestration.sources.source import DamagedDocument, DocumentRefused, ParseResult


def propose(content: str | bytes, name: str = "list.csv", **hints: str) -> ColumnProposal:
    """The columns that a refused table probably has."""
    data = content.encode() if isinstance(content, str) else content
    with pytest.raises(DocumentRefused) as refused:
        recognise_source(Document(data, name, hints))
    assert refused.value.proposal is not None
    return refused.value.proposal


def take(content: str | bytes, name: str = "list.csv", **hints: str) -> ParseResult:
    """What a table holds, with the columns that it probably has where its headers are unusual."""
    data = content.encode() if isinstance(content, str) else content
    try:
        source = recognise_source(Document(data, name, hints))
    except DocumentRefused as refusal:
        columns = {**(refusal.proposal.columns if refusal.proposal else {}), **json.loads(hints.get("columns", "{}"))}
        hints |= {"columns": json.dumps(columns)}
        source = recognise_source(Document(data, name, hints))
    assert source is SOURCE
    return source.parse(Document(data, name, hints))


def list_values(parsed: ParseResult, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(record.values[name] for name in names) for record in parsed.records]


def list_reasons(parsed: ParseResult) -> list[str]:
    return [f"{reject.locator}: {reject.reason}" for reject in parsed.rejects]


def save(book: openpyxl.Workbook) -> bytes:
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def build_newsletter() -> bytes:
    """A workbook of a newsletter: notes above the header, titles with hyperlinks, a tab of notes, a category once a group."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Summaries"
    sheet.append(["All summaries of the newsletter"])
    sheet.append(["Write to the editor", "for corrections"])
    sheet.append(["Category", "Highlight?", "Title", "Authors", "Year", "Summarizer", "Summary"])
    sheet.append(["Probes", "Yes", "How wolves hide", "Ada Byron, Bo Berg, Cy Dahl", 2019, "Eve", "They hide."])
    sheet.append([None, "", "How wolves seek", "Ada Byron", 2020, "Eve", "They seek."])
    sheet.append(["Other", "", "What wolves are", "", "2021?", "", ""])
    sheet.merge_cells("A4:A5")
    sheet["C4"].hyperlink = "https://example.org/hide"
    sheet["C5"].hyperlink = "https://arxiv.org/abs/1901.00001"
    book.create_sheet("Contact").append(["Nobody", "to", "write to"])
    return save(book)


def test_newsletter_workbook() -> None:
    content = build_newsletter()
    proposal = propose(content, "newsletter.xlsx")
    assert proposal.columns == {
        "category": "Category",
        "title": "Title",
        "authors": "Authors",
        "date": "Year",
        "abstract": "Summary",
    }
    assert proposal.is_confident
    assert proposal.samples["title"][:2] == ["How wolves hide", "How wolves seek"]
    parsed = take(content, "newsletter.xlsx")
    assert list_values(parsed, "title", "url", "category", "authors", "date_precision") == [
        ("How wolves hide", "https://example.org/hide", "Probes", "Ada Byron; Bo Berg; Cy Dahl", "year"),
        ("How wolves seek", "https://arxiv.org/abs/1901.00001", "Probes", "Ada Byron", "year"),
        ("What wolves are", None, None, None, None),
    ]
    assert "“Other” is no safety category" in str(parsed.records[2].values["reading_note"])
    assert "date “2021?”" in str(parsed.records[2].values["reading_note"])
    assert list_reasons(parsed)[:2] == [
        "tab “Summaries”, row 1: above the header row",
        "tab “Summaries”, row 2: above the header row",
    ]
    assert list_reasons(parsed)[2].startswith("tab “Contact”: not read, 1 rows")


def test_chosen_tab_is_read_and_the_others_are_counted() -> None:
    book = openpyxl.Workbook()
    for name in ("Old", "New"):
        book.create_sheet(name).append(["Title", "Link", "Year"])
        book[name].append([f"A study of {name}", f"https://example.org/{name}", 2024])
    book.remove(book.worksheets[0])
    book["Old"].sheet_state = "hidden"
    parsed = take(save(book), tabs=json.dumps(["old"]))
    assert list_values(parsed, "title") == [("A study of Old",)]
    assert list_reasons(parsed) == ["tab “New”: not read, 2 rows: other tabs are chosen"]
    columns = json.dumps({"title": "Title"})
    with pytest.raises(DamagedDocument, match="it has no tab Missing; its tabs are Old, New"):
        SOURCE.recognise(Document(save(book), "list.xlsx", {"tabs": json.dumps(["Missing"]), "columns": columns}))


def test_sheet_in_which_little_is_filled() -> None:
    """Missing labs, dates and categories are missing; several links, dates of one order, labs and categories in one cell."""
    text = (
        "Paper;Organization(s);Published;Where;Agendas\n"
        'A study of foxes;OpenAI, Anthropic;13/4/2024;"https://example.org/1\nhttps://example.org/1b";Probes\n'
        "A study of hares;;2/5/2024;10.1234/abc;\n"
        "A study of toads;Foo Institute;Jun\u00a02025;-;Probes / Red teams\n"
        ";;;;\n"
        ";OpenAI;2024;;Probes\n"
    )
    columns = {"lab": "Organization(s)", "url": "Where"}
    parsed = take(text, columns=json.dumps({"title": "Paper", "date": "Published", "category": "Agendas", **columns}))
    assert list_values(parsed, "title", "lab", "category") == [
        ("A study of foxes", "OpenAI", "Probes"),
        ("A study of hares", None, None),
        ("A study of toads", "Foo Institute", "Probes / Red teams"),
    ]
    assert [str(value[0]) for value in list_values(parsed, "published_on")] == [
        "2024-04-13",
        "2024-05-02",
        "2025-06-01",
    ]
    assert list_values(parsed, "url", "other_links") == [
        ("https://example.org/1", "https://example.org/1b"),
        ("https://doi.org/10.1234/abc", None),
        (None, None),
    ]
    assert list_reasons(parsed) == ["row 6: no title and no link"]
    (separated,) = list_values(
        take(
            text.replace("-;Probes", ";Probes"),
            columns=json.dumps({"title": "Paper", "category": "Agendas"}),
            separator="/",
        ),
        "categories",
    )[2:3]
    assert separated == ("Probes; Red teams",)


def test_day_order_is_decided_for_each_table() -> None:
    book = openpyxl.Workbook()
    for name, dates in (("Europe", ["13/4/2024", "2/5/2024"]), ("America", ["4/13/2024", "2/5/2024"])):
        book.create_sheet(name).append(["Title", "Date", "Link"])
        for number, date in enumerate(dates):
            book[name].append([f"A study of {name} {number}", date, f"https://example.org/{name}/{number}"])
    days = [str(day) for (day,) in list_values(take(save(book)), "published_on")]
    assert days == ["2024-04-13", "2024-05-02", "2024-04-13", "2024-02-05"]


def test_review_of_papers_as_json() -> None:
    papers = [
        {
            "title": "A study of owls",
            "url": "https://example.org/owls",
            "authors": ["Ada Byron", "Bo Berg"],
            "agenda": "Probes",
        },
        {
            "title": "A study of mice",
            "link": {"url": "https://example.org/mice"},
            "published": "2025-03",
            "agenda": None,
        },
    ]
    proposal = propose(json.dumps({"papers": papers}), "review.json")
    assert proposal.columns["title"] == "title"
    assert not proposal.is_confident  # JSON can be of any kind
    parsed = take(json.dumps({"papers": papers}), "review.json", columns=json.dumps({"date": "published"}))
    assert list_values(parsed, "title", "authors", "category", "date_precision") == [
        ("A study of owls", "Ada Byron; Bo Berg", "Probes", None),
        ("A study of mice", None, None, "month"),
    ]
    csl = [
        {
            "title": "A study of newts",
            "author": [{"family": "Byron", "given": "Ada"}],
            "issued": {"date-parts": [[2023, 5]]},
            "DOI": "10.1/x",
        }
    ]
    assert list_values(take(json.dumps(csl), "csl.json"), "authors", "date_precision") == [("Ada Byron", "month")]


def test_review_of_agendas_has_names_in_place_of_titles() -> None:
    text = (
        "Agenda,What it is,Some outputs,Who\nWatching wolves,In short,https://example.org/1 https://example.org/2,Ada\n"
    )
    proposal = propose(text)
    assert proposal.columns["url"] == "Some outputs"
    assert proposal.basis["url"] == "content"
    assert not proposal.is_confident
    parsed = take(text, columns=json.dumps({"title": "Agenda", "url": "Some outputs", "category": ""}))
    assert list_values(parsed, "title", "other_links", "category") == [
        ("Watching wolves", "https://example.org/2", None)
    ]


def test_labelled_rows_with_judgements() -> None:
    text = (
        "Company,Title,Date,URL,Safety_category\n"
        "OpenAI,A,2024-01-02,https://example.org/a,No\n"
        "OpenAI,B,2024-01-02,https://example.org/b,n/a\n"
        "OpenAI,C,2024-01-02,https://example.org/c,Other\n"
        "OpenAI,D,2024-01-02,https://example.org/d,\n"
        "OpenAI,E,2024-01-02,https://example.org/e,Robustness; Honest AI\n"
    )
    parsed = take(text)
    assert list_values(parsed, "title", "categories") == [("C", None), ("E", "Robustness; Honest AI")]
    assert [reject.is_fault for reject in parsed.rejects] == [False] * 3
    # the sheet of the mapping leaves out what has no category; in any other list it is missing
    other = take(text.replace("Safety_category", "Category"))
    assert list_values(other, "title", "categories") == [("C", None), ("D", None), ("E", "Robustness; Honest AI")]


def test_export_of_zotero() -> None:
    text = (
        '"Key","Item Type","Publication Year","Author","Title","Publication Title","DOI","Url","Abstract Note","Date","Date Added","Manual Tags"\n'
        '"A1","journalArticle","2020","Byron, Ada; van der Berg, Bo","A study of eels","Eel News","10.1/eels","","Eels.","2020-03-30","2022-01-30 1:53:10","TechSafety"\n'
        '"A2","blogPost","2021","Byron, Ada","A study of cods","","","https://example.org/cods","","2021-05","2022-01-30 1:53:10",""\n'
    )
    proposal = propose(text, "Zotero.csv")
    assert proposal.is_confident
    parsed = take(text, "Zotero.csv")
    assert list_values(parsed, "title", "authors", "category", "date_precision") == [
        ("A study of eels", "Byron, Ada; van der Berg, Bo", "TechSafety", "day"),
        ("A study of cods", "Byron, Ada", None, "month"),
    ]


def test_table_of_models_with_references() -> None:
    text = (
        "Model,Domain,Organization,Authors,Publication date,Reference,Link,Parameters\n"
        'Wolf-1,Language,"DeepMind,Google","Ada Byron, Bo Berg, Cy Dahl",2023-05-01,How wolves howl,https://example.org/w1,1e9\n'
        "Wolf-2,Vision,Foo Institute,,2024-06-01,How wolves see,https://example.org/w2,\n"
    )
    parsed = take(text, "models.csv")
    assert list_values(parsed, "title", "lab", "authors") == [
        ("How wolves howl", "DeepMind", "Ada Byron; Bo Berg; Cy Dahl"),
        ("How wolves see", "Foo Institute", None),
    ]
    assert "2 labs: DeepMind; Google; the first is used" in str(parsed.records[0].values["reading_note"])


BIBTEX = r"""% exported
@article{eels, title={A {S}tudy of \"Uber-Eels}, author={Byron, Ada and van der Berg, Bo}, year=2023, month=may,
  url={https://example.org/eels}, doi={10.1234/eels}}
@misc{cods, title={A study of cods}, eprint={2301.00001}, archivePrefix={arXiv}, year={2022}}
@article{cods, title={The same key again}}
"""
RIS = "TY  - JOUR\nTI  - A study of eels\nAU  - Byron, Ada\nAU  - Berg, Bo\nPY  - 2023\nUR  - https://example.org/eels\nER  - \n"


def test_files_of_reference_managers_need_no_question() -> None:
    parsed = take(BIBTEX, "eels.bib")
    assert list_values(parsed, "title", "authors", "url", "date_precision") == [
        ("A Study of Über-Eels", "Ada Byron; Bo van der Berg", "https://example.org/eels", "month"),
        ("A study of cods", None, "https://arxiv.org/abs/2301.00001", "year"),
    ]
    assert list_values(parsed, "other_links")[0] == ("https://doi.org/10.1234/eels",)
    (reason,) = list_reasons(parsed)
    assert "repeated bibliography entry: cods" in reason
    parsed = take(RIS, "eels.ris")
    assert list_values(parsed, "title", "authors", "url") == [
        ("A study of eels", "Byron, Ada; Berg, Bo", "https://example.org/eels")
    ]


def build_ods() -> bytes:
    """An OpenDocument spreadsheet with a hyperlink in a cell."""
    office, table, text = (f"urn:oasis:names:tc:opendocument:xmlns:{name}:1.0" for name in ("office", "table", "text"))
    rows = [["Title", "Link", "Year"], ["A study of bats", "here", "2024"]]
    cells = [
        [f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>' for cell in row]
        for row in rows
    ]
    cells[1][1] = cells[1][1].replace(">here<", '><text:a xlink:href="https://example.org/bats">here</text:a><')
    body = "".join(f"<table:table-row>{''.join(row)}</table:table-row>" for row in cells)
    content = (
        f'<office:document-content xmlns:office="{office}" xmlns:table="{table}" xmlns:text="{text}"'
        ' xmlns:xlink="http://www.w3.org/1999/xlink"><office:body><office:spreadsheet>'
        f'<table:table table:name="Papers">{body}</table:table></office:spreadsheet></office:body></office:document-content>'
    )
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
    return data.getvalue()


def test_open_document_spreadsheet() -> None:
    parsed = take(build_ods(), "papers.ods")
    assert list_values(parsed, "title", "url", "date_precision") == [
        ("A study of bats", "https://example.org/bats", "year")
    ]


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("Überschrift,Autoren,Jahr,Kategorie", {"title", "authors", "date", "category"}),
        ("Título,Autores,Año,Enlace", {"title", "authors", "date", "url"}),
        ("标题,作者,日期,机构", {"title", "authors", "date", "lab"}),
        ("Название,Авторы,Год,Ссылка", {"title", "authors", "date", "url"}),
    ],
)
def test_headers_in_other_languages(header: str, columns: set[str]) -> None:
    values = {"date": "2024", "url": "https://example.org/1"}
    known = [
        {"Jahr": "date", "Año": "date", "日期": "date", "Год": "date", "Enlace": "url", "Ссылка": "url"}.get(name, "")
        for name in header.split(",")
    ]
    row = ",".join(values.get(name, "Some words of it") for name in known)
    proposal = propose(f"{header}\n{row}\n")
    assert set(proposal.columns) == columns
    assert proposal.is_confident


def test_similar_names_and_content_are_shown_and_not_sure() -> None:
    text = "Titles of paper,Organisaton,Wann?,Verweise\nA study of old wolves,OpenAI,2024-05-01,https://example.org/1\n"
    proposal = propose(text)
    assert {name: proposal.basis[name] for name in ("title", "lab", "date", "url")} == {
        "title": "similar name",
        "lab": "similar name",
        "date": "content",
        "url": "similar name",
    }
    assert not proposal.is_confident
    # a name whose values do not fit is doubted
    doubted = propose("Title,Link,Year\nA study of wolves,see above,2024\n")
    assert "url" not in doubted.columns
    assert not doubted.is_confident


def test_lab_of_all_rows_and_no_categories() -> None:
    text = "Title,Link,Year,Category\nA,https://example.org/a,2024,Robustness\n"
    columns = json.dumps({"lab": "", "category": ""})
    assert "category" not in propose(text, columns=columns).columns
    assert list_values(take(text, columns=columns, lab="OpenAI"), "lab", "category") == [("OpenAI", None)]


def test_table_of_one_column_is_refused_with_the_command_that_takes_it() -> None:
    for header, name in (("Title", "title"), ("Link", "url")):
        text = f"{header}\nhttps://example.org/1\nhttps://example.org/2\n"
        with pytest.raises(DocumentRefused, match=f"aisle add --map {name}={header} list.csv"):
            recognise_source(Document(text.encode(), "list.csv", {"lab": "OpenAI"}))
        assert len(take(text, columns=json.dumps({name: header})).records) == 2


@pytest.mark.parametrize(
    ("labs", "first"),
    [
        # most cells with commas have a part that stands alone: all of them are lists
        (["Foo Lab", "Bar University", "Foo Lab,Baz", "Baz,Bar University", "Qux Centre,Quux College"], "Qux Centre"),
        # few do, or there are too few to say
        (["Foo Lab", "Foo Lab, Inc.", "Baz, Ltd.", "Bar, Town", "Qux, City"], "Qux, City"),
        (["Foo Lab", "Bar", "Foo Lab,Bar", "Qux, City"], "Qux, City"),
    ],
)
def test_commas_separate_labs_where_the_column_shows_it(labs: list[str], first: str) -> None:
    rows = [f'Paper {place},https://example.org/{place},2024-05-0{place},"{lab}"' for place, lab in enumerate(labs, 1)]
    parsed = take("\n".join(["Title,URL,Date,Lab", *rows]))
    assert parsed.records[-1].values["lab"] == first
    is_list = first != labs[-1]
    assert ("2 labs: Qux Centre; Quux College" in str(parsed.records[-1].values["reading_note"])) is is_list
