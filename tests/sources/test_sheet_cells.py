"""What people write into the cells of a sheet: names, titles in any script, dates, links, categories."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fields import Fields
from orchestration.sources.sheet.cell_links import parse_links
from orchestration.sources.sheet.dates import find_day_order, parse_date
from orchestration.sources.sheet.lab_sheet import SOURCE
from orchestration.sources.source import ParseResult
from warehouse.names import build_title_key, clean_line, normalize_name

HEADER = ["Company", "Title", "Date", "URL", "Safety_category"]


def parse_rows(*rows: list[str], header: list[str] = HEADER) -> ParseResult:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    document = Document(text.getvalue().encode(), "list.csv")
    SOURCE.recognise(document)
    return SOURCE.parse(document)


def parse_cell(**cells: str) -> dict[str, Any]:
    row = {"Company": "OpenAI", "Title": "A title", "Date": "2024-05-01", "URL": "", "Safety_category": "Robustness"}
    (record,) = parse_rows([{**row, **cells}[name] for name in HEADER]).records
    return dict(record.values)


@pytest.mark.parametrize(
    "titles",
    [
        ["对齐的代价", "可解释性综述", "红队测试方法"],
        ["Устойчивость моделей", "Надзор за агентами"],
        ["GPT 的对齐", "GPT 的审计", "GPT"],
        ["Περί ασφάλειας", "Περί ελέγχου"],
        ["∀∃", "→←", "≠", "😀", "😀😀"],
        ["???", "!!!", "…"],
        ["P ≠ NP", "P ∈ NP", "P NP"],
        ["कृत्रिम", "कृत्रिमता"],
        ["C", "C++"],
    ],
)
@pytest.mark.parametrize("url", ["", "https://example.org/shared"])
def test_different_titles_in_any_script_are_different_records(titles: list[str], url: str) -> None:
    rows = [["Example Lab", title, "2024-05-01", url, "Robustness"] for title in titles]
    records = parse_rows(*rows).records
    assert [record.values["title"] for record in records] == titles
    assert len({record.identity for record in records}) == len(titles)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Über Modelle", unicodedata.normalize("NFD", "ÜBER  modelle")),
        ("ＡＩ の安全性", "AI の安全性"),
        ("Self‑play: “agents”", 'self-play "Agents"'),
        ("Straße", "STRASSE"),
        ("Zero\u200bwidth", "zerowidth"),
        ("Надзор — за агентами!", "надзор за агентами"),
    ],
)
def test_one_title_in_two_spellings_is_one_record(one: str, other: str) -> None:
    assert build_title_key(one) == build_title_key(other)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
def test_title_of_ascii_keeps_the_key_that_earlier_versions_gave_it(title: str) -> None:
    former_key = re.sub(r"[^a-z0-9+*]", "", title.lower())
    assert build_title_key(title) == (former_key or "".join(title.split()).casefold().replace("`", "'"))


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("OpenAI\u200b", "OpenAI"),
        ("Anthropic\u200e", "Anthropic"),
        ("Robust\u00adness", "Robustness"),
        ("\ufeffGoogle\u00a0DeepMind\u2060", "Google DeepMind"),
        ("Power\u2011seeking tendencies", "Power-seeking tendencies"),
        ("Power−seeking\u3000tendencies", "Power-seeking tendencies"),
        ("Ｏｐｅｎ\u202fAI", "Open AI"),
        ("Universite\u0301", "Université"),
        ("Children’s “Lab”", 'Children\'s "Lab"'),
    ],
)
def test_characters_that_look_alike_or_are_invisible_make_no_other_name(written: str, name: str) -> None:
    assert normalize_name(written) == name
    values = parse_cell(Company=written, Safety_category=written)
    assert (values["lab"], values["category"]) == (name, name)


def test_shown_titles_lose_only_what_nobody_sees() -> None:
    assert clean_line("Don’t – “x²”\u200b ﬁne  ½ ❤️") == "Don’t – “x²” ﬁne ½ ❤️"
    joined = "می\u200cخواهم 👩\u200d💻"  # joiners that have a meaning
    assert clean_line(joined) == joined
    assert clean_line("Open\u200dAI") == "OpenAI"


def test_names_of_other_sources_are_cleaned_by_the_same_function() -> None:
    fields = Fields({"name": "A\u200bda\u00a0 Lovelace\u00ad", "names": ["Gra\u2060ce", "\ufeff"]})
    assert fields.line("name") == "Ada Lovelace"
    assert fields.texts("names") == ["Grace"]


@pytest.mark.parametrize(
    ("text", "day", "precision"),
    [
        ("17-Jun-24", "2024-06-17", "day"),
        ("Jun 2025", "2025-06-01", "month"),
        ("2025", "2025-01-01", "year"),
        ("March 5, 2024", "2024-03-05", "day"),
        ("Tuesday, March 5th 2024", "2024-03-05", "day"),
        ("3/17/2024", "2024-03-17", "day"),
        ("17/3/24", "2024-03-17", "day"),
        ("2024/03/17", "2024-03-17", "day"),
        ("17.03.2024", "2024-03-17", "day"),
        ("5th of March 2024", "2024-03-05", "day"),
        ("Sept. 2024", "2024-09-01", "month"),
        ("2024-06", "2024-06-01", "month"),
        ("Jun-24", "2024-06-01", "month"),
        ("2024年3月17日", "2024-03-17", "day"),
        ("17–Jun–24", "2024-06-17", "day"),
        ("Q2 2024", "2024-01-01", "year"),
        ("3/4/2024", "2024-01-01", "year"),
    ],
)
def test_dates_are_read_with_their_precision(text: str, day: str, precision: str) -> None:
    date = parse_date(text)
    assert (str(date.day), date.precision) == (day, precision)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("31-Feb-24", "date “31-Feb-24” does not exist"),
        ("13/13/2024", "does not exist"),
        ("forthcoming", "is not of the form"),
        ("2024-05-01 to 2024-06-01", "is not of the form"),
        ("Marble 2024", "no month of the name marble"),
        ("1823", "is not between 1950 and 2099"),
    ],
)
def test_date_that_is_not_understood_costs_the_date_and_not_the_row(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_date(text)
    values = parse_cell(Date=text)
    assert (values["published_on"], values["date_precision"]) == (None, None)
    assert message in values["reading_note"]
    assert values["reading_note"].endswith("undated")


@pytest.mark.parametrize(
    ("dates", "order", "read"),
    [
        (["3/4/2024", "3/17/2024"], "month first", "2024-03-04"),
        (["3/4/2024", "17/3/2024"], "day first", "2024-04-03"),
        (["3/4/2024", "5/6/2024"], None, "2024-01-01"),
        (["3/4/2024", "17/3/2024", "3/17/2024"], None, "2024-01-01"),
    ],
)
def test_order_of_day_and_month_is_decided_by_the_sheet(dates: list[str], order: str | None, read: str) -> None:
    assert find_day_order(dates) == order
    rows = [["OpenAI", f"Title {n}", date, "", "Robustness"] for n, date in enumerate(dates)]
    first = parse_rows(*rows).records[0].values
    assert str(first["published_on"]) == read
    assert (order or "only the year is kept") in str(first["reading_note"])


@pytest.mark.parametrize(
    ("text", "behind", "addresses"),
    [
        ("https://example.org/a https://example.org/b", "", ["https://example.org/a", "https://example.org/b"]),
        ("https://example.org/a;\nhttps://example.org/b", "", ["https://example.org/a", "https://example.org/b"]),
        ("arxiv.org/abs/2401.00001", "", ["https://arxiv.org/abs/2401.00001"]),
        ("arXiv: 2401.00001v2", "", ["https://arxiv.org/abs/2401.00001v2"]),
        ("doi: 10.1000/abc(1)", "", ["https://doi.org/10.1000/abc(1)"]),
        ("[paper](https://example.org/x_(y))", "", ["https://example.org/x_(y)"]),
        ('=HYPERLINK("https://example.org/h","paper")', "", ["https://example.org/h"]),
        ("HTTPS://example.org/a", "", ["https://example.org/a"]),
        ("www.example.org", "", ["https://www.example.org"]),
        ("paper", "https://example.org/h", ["https://example.org/h"]),
        ("https://example.org/a", "https://example.org/a/", ["https://example.org/a"]),
        ("https://example.org/a", "https://example.org/h", ["https://example.org/a", "https://example.org/h"]),
        ("https://web.archive.org/web/2020/https://b.org/", "", ["https://web.archive.org/web/2020/https://b.org/"]),
        ("javascript:alert(1)", "", []),
        ("paper.pdf", "javascript:alert(1)", []),
    ],
)
def test_links_of_a_cell_are_its_addresses(text: str, behind: str, addresses: list[str]) -> None:
    links = parse_links(text, behind)
    assert links.addresses == addresses
    assert bool(links.note) == (len(addresses) != 1)


def test_first_link_is_used_and_the_others_are_kept() -> None:
    values = parse_cell(URL="https://example.org/a, https://example.org/b")
    assert (values["url"], values["other_links"]) == ("https://example.org/a", "https://example.org/b")
    assert values["reading_note"] == "2 links; the first is used"


@pytest.mark.parametrize(
    ("cells", "column", "value", "note"),
    [
        ({"URL": "to follow"}, "url", None, "link “to follow” is not an http(s) address"),
        ({"Company": ""}, "lab", None, None),
        ({"Company": "2024"}, "lab", None, "company “2024” is a reserved word"),
        ({"Title": "", "URL": "https://example.org/a"}, "title", "https://example.org/a", "no title"),
        ({"Title": "2024-05-05"}, "title", "2024-05-05", "the title “2024-05-05” is a date"),
        ({"Title": "May-24"}, "title", "May-24", "is a date"),
        ({"Title": "1984"}, "title", "1984", None),
        ({"Safety_category": "Yes"}, "category", None, "“Yes” is no safety category"),
    ],
)
def test_odd_cell_costs_its_value_and_leaves_a_note(cells: dict[str, str], column: str, value: Any, note: str) -> None:
    values = parse_cell(**cells)
    assert values[column] == value
    assert (note or "") in str(values["reading_note"] or "")
    assert note is not None or values["reading_note"] is None


@pytest.mark.parametrize("answer", ["No", "n/a", "Out of scope", "NO\u00a0", "-"])
def test_judgement_in_place_of_a_category_is_not_in_scope(answer: str) -> None:
    parsed = parse_rows(["OpenAI", "A title", "2024-05-01", "", answer], ["OpenAI", "B", "2024", "", "Robustness"])
    assert len(parsed.records) == 1
    (reject,) = parsed.rejects
    assert ("judged not in scope" in reject.reason, reject.is_fault) == (True, False)


@pytest.mark.parametrize(
    ("cell", "categories"),
    [
        ("Agenda One; Agenda Two", ["Agenda One", "Agenda Two"]),
        ("Robustness\nUnlearning", ["Robustness", "Unlearning"]),
        ("Robustness, Unlearning", ["Robustness", "Unlearning"]),
        ("Robustness and Honest AI", ["Robustness", "Honest AI"]),
        ("Robustness; robustness", ["Robustness"]),
        ("Oversight, audits and control", ["Oversight, audits and control"]),
        ("Robustness; No", ["Robustness"]),
    ],
)
def test_cell_with_several_categories_keeps_them_all(cell: str, categories: list[str]) -> None:
    values = parse_cell(Safety_category=cell)
    assert (values["category"], values["categories"]) == (categories[0], "; ".join(categories))
    assert ("categories" in str(values["reading_note"])) == (len(categories) > 1)


def test_rows_of_one_publication_with_different_categories_have_them_all() -> None:
    row = ["OpenAI", "In two agendas", "2024-03-05", "https://example.org/p", "Agenda One"]
    parsed = parse_rows(row, [*row[:4], "Agenda Two"], [*row[:4], "Agenda One"])
    assert len({record.identity for record in parsed.records}) == 1
    assert {record.values["categories"] for record in parsed.records} == {"Agenda One; Agenda Two"}
    assert [record.values["category"] for record in parsed.records] == ["Agenda One", "Agenda Two", "Agenda One"]
    assert all("its rows have several" in str(record.values["reading_note"]) for record in parsed.records)


def test_authors_without_as_many_labs_are_kept() -> None:
    header = [*HEADER, "Authors", "Author labs"]
    (record,) = parse_rows(["OpenAI", "A", "2024", "", "Robustness", "A. One; B. Two", "OpenAI"], header=header).records
    assert (record.values["authors"], record.values["author_labs"]) == ("A. One; B. Two", None)
    assert "2 authors but 1 labs" in str(record.values["reading_note"])


def test_day_of_a_captured_page_that_does_not_exist_costs_only_the_date() -> None:
    page = (
        "1\nCompanyTitleDateURL\nSafety_category\nAbstract\n2\nOpenAIA title31-Feb-24https://openai.com/a\nRobustnessX"
    )
    (record,) = SOURCE.parse(Document(page.encode(), "page")).records
    assert record.values["published_on"] is None
    assert isinstance(parse_date("1-Jan-24").day, dt.date)
