"""Sheets at an address: which address gives the cells, which header holds which column, and what Google answers."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from orchestration.sources.registry import Refused, recognised
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Feed, Since, WrongSettings
from orchestration.sources.sheet.google_sheet import export_address
from orchestration.sources.sheet.lab_sheet import SOURCE
from orchestration.sources.source import Damaged, NotThisSource
from tests.support.fetch_plans import NOW, SAMPLES, converse, needs_samples, parsed

ID = "1aBcDeFgHiJkLmNoPqRsTuVwXyZ_0123456789-abcdef"
SHARED_TAB = f"https://docs.google.com/spreadsheets/d/{ID}/export?format=csv&gid=12"
COLUMNS = {"lab": "Organisation", "title": "Paper", "date": "Appeared", "category": "Area"}


@pytest.mark.parametrize(
    ("given", "export"),
    [
        (f"https://docs.google.com/spreadsheets/d/{ID}/edit#gid=12", SHARED_TAB),
        (f"https://docs.google.com/spreadsheets/d/{ID}/edit?gid=12#gid=12", SHARED_TAB),
        (f"https://docs.google.com/spreadsheets/u/1/d/{ID}/htmlview?usp=sharing#gid=12", SHARED_TAB),
        (f"https://docs.google.com/spreadsheets/d/{ID}/gviz/tq?tqx=out:json&gid=12", SHARED_TAB),
        (SHARED_TAB, SHARED_TAB),
        (
            f"https://docs.google.com/spreadsheets/d/{ID}",
            f"https://docs.google.com/spreadsheets/d/{ID}/export?format=csv",
        ),
        (
            f"https://docs.google.com/spreadsheets/d/{ID}/export?format=xlsx",
            f"https://docs.google.com/spreadsheets/d/{ID}/export?format=xlsx",
        ),
        (
            f"https://docs.google.com/spreadsheets/d/e/2PACX-{ID}/pubhtml?gid=12&single=true",
            f"https://docs.google.com/spreadsheets/d/e/2PACX-{ID}/pub?gid=12&single=true&output=csv",
        ),
        (
            f"https://docs.google.com/spreadsheets/d/e/2PACX-{ID}/pub?output=tsv",
            f"https://docs.google.com/spreadsheets/d/e/2PACX-{ID}/pub?output=tsv",
        ),
        ("https://example.org/list.csv?gid=12", "https://example.org/list.csv?gid=12"),
    ],
)
def test_every_address_of_a_tab_becomes_the_one_that_gives_its_cells(given: str, export: str) -> None:
    assert export_address(given) == export
    assert export_address(export) == export


def ask(url: str, **settings: Any) -> Any:
    assert SOURCE.fetch is not None
    requests, watermark = converse(SOURCE.fetch(Feed("s", "lab_sheet", url, settings), Since(None, NOW)), lambda _: b"")
    assert watermark == NOW.isoformat()
    return requests


def test_the_whole_tab_is_asked_for_with_the_names_of_its_columns() -> None:
    (request,) = ask(f"https://docs.google.com/spreadsheets/d/{ID}/edit#gid=12", columns=COLUMNS)
    assert request.url == SHARED_TAB
    assert json.loads(request.hints["columns"]) == COLUMNS


def test_what_cannot_be_used_is_told() -> None:
    with pytest.raises(WrongSettings, match="names among abstract, .*category, .*, not author$"):
        ask("https://example.org/list.csv", columns={"author": "Who"})
    with pytest.raises(WrongSettings, match="named by sheet=Papers; open it in a browser"):
        ask(f"https://docs.google.com/spreadsheets/d/{ID}/gviz/tq?sheet=Papers")


def test_columns_are_found_under_the_names_they_are_said_to_have() -> None:
    table = b"Paper,Area,Organisation,Appeared,Link\nA title,Robustness,OpenAI,2024-02-03,https://openai.com/index/a\n"
    (record,) = parsed(SOURCE, table, columns=json.dumps(COLUMNS)).records
    assert (record.values["lab"], record.values["category"]) == ("OpenAI", "Robustness")
    assert record.values["published_on"] == dt.date(2024, 2, 3)
    with pytest.raises(NotThisSource, match=r"no header row with lab, title, date, category; row 1 is “Paper \| Area"):
        parsed(SOURCE, table)
    with pytest.raises(NotThisSource, match=r"no header row with lab \(organisation\), title \(paper\)"):
        parsed(SOURCE, b"Company,Title,Date,Safety_category\n", columns=json.dumps(COLUMNS))


def test_rows_without_a_category_are_not_selected_and_no_fault() -> None:
    rows = "".join(
        f"OpenAI,Title {n},2024-02-03,https://openai.com/index/{n},{'Robustness' if n < 3 else ''},\n"
        for n in range(40)
    )
    found = parsed(SOURCE, f"Company,Title,Date,URL,Safety_category,Abstract\n{rows}".encode())
    assert len(found.records) == 3
    assert len(found.rejects) == 37
    assert not any(reject.is_fault for reject in found.rejects)


def gviz(told: dict[str, Any]) -> bytes:
    return f"/*O_o*/\ngoogle.visualization.Query.setResponse({json.dumps(told)});".encode()


def test_the_months_of_the_interface_for_charts_count_from_zero() -> None:
    labels = ["Company", "Title", "Date", "URL", "Safety_category"]
    cells = [
        {"v": "OpenAI"},
        {"v": "A title"},
        {"v": "Date(2024,5,17)", "f": "17-Jun-24"},
        {"v": "https://openai.com/index/a"},
    ]
    rows = [{"c": [*cells, {"v": "Robustness"}]}, {"c": [*cells[:3], None, None]}]
    found = parsed(
        SOURCE, gviz({"status": "ok", "table": {"cols": [{"label": label} for label in labels], "rows": rows}})
    )
    assert [record.values["published_on"] for record in found.records] == [dt.date(2024, 6, 17)]
    assert len(found.rejects) == 1
    with pytest.raises(Damaged, match="Google answers with an error: Access denied"):
        parsed(SOURCE, gviz({"status": "error", "errors": [{"detailed_message": "Access denied"}]}))


def test_a_page_to_sign_in_is_refused() -> None:
    page = b"<!DOCTYPE html><html><head><title>Google Sheets: Sign-in</title></head><body></body></html>"
    with pytest.raises(Refused, match="an HTML page titled “Google Sheets: Sign-in”"):
        recognised(Document(page, "export", {"columns": json.dumps(COLUMNS)}))


@needs_samples
def test_a_real_export_with_cells_of_several_lines() -> None:
    content = (SAMPLES / "gsheets" / "epoch_notable_ai_models_2025-02-24.csv").read_bytes()
    columns = {"lab": "Organization", "title": "Model", "date": "Publication date", "url": "Link", "category": "Domain"}
    found = parsed(SOURCE, content, columns=json.dumps(columns))
    assert len(found.items) == 895
    # 13 rows name no organisation, 34 hold several links in one cell
    assert (len(found.records), len(found.rejects)) == (848, 47)
    assert {reject.reason.partition(" “")[0] for reject in found.rejects} == {"no company", "link"}
    assert len({record.identity for record in found.records}) == 848
