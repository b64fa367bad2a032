"""Sheets at an address: export addresses, configured headers, and answers of the chart API."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from orchestration.sources.registry import recognise_source
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, InvalidSettings
from orchestration.sources.sheet.google_sheet import build_export_address
from orchestration.sources.sheet.lab_sheet import SOURCE
from orchestration.sources.source import DamagedDocument, DocumentRefused, NotThisSource
from tests.support.fetch_plans import NOW, SAMPLES, needs_samples, parse_document, run_fetch_plan

ID = "1aBcDeFgHiJkLmNoPqRsTuVwXyZ_0123456789-abcdef"
SHARED_TAB = f"https://docs.google.com/spreadsheets/d/{ID}/export?format=csv&gid=12"
COLUMNS = {"lab": "Organisation", "title": "Paper", "date": "Appeared", "category": "Area"}


@pytest.mark.parametrize(
    ("address", "export"),
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
def test_every_address_of_a_tab_becomes_its_export_address(address: str, export: str) -> None:
    assert build_export_address(address) == export
    assert build_export_address(export) == export


def run_fetch(url: str, **settings: Any) -> Any:
    assert SOURCE.fetch is not None
    requests, watermark = run_fetch_plan(
        SOURCE.fetch(Feed("s", "lab_sheet", url, settings), FetchCursor(None, NOW)), lambda _: b""
    )
    assert watermark == NOW.isoformat()
    return requests


def test_whole_tab_is_requested_with_its_column_mapping() -> None:
    (request,) = run_fetch(f"https://docs.google.com/spreadsheets/d/{ID}/edit#gid=12", columns=COLUMNS)
    assert request.url == SHARED_TAB
    assert json.loads(request.hints["columns"]) == COLUMNS


def test_unusable_setting_or_address_is_reported() -> None:
    with pytest.raises(InvalidSettings, match="names among abstract, .*category, .*, not author$"):
        run_fetch("https://example.org/list.csv", columns={"author": "Who"})
    with pytest.raises(InvalidSettings, match="named by sheet=Papers; open it in a browser"):
        run_fetch(f"https://docs.google.com/spreadsheets/d/{ID}/gviz/tq?sheet=Papers")


def test_columns_are_found_by_their_configured_headers() -> None:
    table = b"Paper,Area,Organisation,Appeared,Link\nA title,Robustness,OpenAI,2024-02-03,https://openai.com/index/a\n"
    (record,) = parse_document(SOURCE, table, columns=json.dumps(COLUMNS)).records
    assert (record.values["lab"], record.values["category"]) == ("OpenAI", "Robustness")
    assert record.values["published_on"] == dt.date(2024, 2, 3)
    with pytest.raises(NotThisSource, match=r"no header row with the usual headers; row 1 is “Paper \| Area"):
        parse_document(SOURCE, table)
    with pytest.raises(NotThisSource, match=r"no row has the headers “Organisation” for lab, “Paper” for title"):
        parse_document(SOURCE, b"Company,Title,Date,Safety_category\n", columns=json.dumps(COLUMNS))


def test_rows_without_a_category_are_rejected_without_fault() -> None:
    rows = "".join(
        f"OpenAI,Title {n},2024-02-03,https://openai.com/index/{n},{'Robustness' if n < 3 else ''},\n"
        for n in range(40)
    )
    found = parse_document(SOURCE, f"Company,Title,Date,URL,Safety_category,Abstract\n{rows}".encode())
    assert len(found.records) == 3
    assert len(found.rejects) == 37
    assert not any(reject.is_fault for reject in found.rejects)


def build_gviz_answer(answer: dict[str, Any]) -> bytes:
    return f"/*O_o*/\ngoogle.visualization.Query.setResponse({json.dumps(answer)});".encode()


def test_months_of_the_chart_api_count_from_zero() -> None:
    labels = ["Company", "Title", "Date", "URL", "Safety_category"]
    cells = [
        {"v": "OpenAI"},
        {"v": "A title"},
        {"v": "Date(2024,5,17)", "f": "17-Jun-24"},
        {"v": "https://openai.com/index/a"},
    ]
    rows = [{"c": [*cells, {"v": "Robustness"}]}, {"c": [*cells[:3], None, None]}]
    found = parse_document(
        SOURCE,
        build_gviz_answer({"status": "ok", "table": {"cols": [{"label": label} for label in labels], "rows": rows}}),
    )
    assert [record.values["published_on"] for record in found.records] == [dt.date(2024, 6, 17)]
    assert len(found.rejects) == 1
    with pytest.raises(DamagedDocument, match="Google answers with an error: Access denied"):
        parse_document(
            SOURCE, build_gviz_answer({"status": "error", "errors": [{"detailed_message": "Access denied"}]})
        )


def test_sign_in_page_is_refused() -> None:
    page = b"<!DOCTYPE html><html><head><title>Google Sheets: Sign-in</title></head><body></body></html>"
    with pytest.raises(DocumentRefused, match="an HTML page titled “Google Sheets: Sign-in”"):
        recognise_source(Document(page, "export", {"columns": json.dumps(COLUMNS)}))


@needs_samples
def test_real_export_with_multiline_cells() -> None:
    content = (SAMPLES / "gsheets" / "epoch_notable_ai_models_2025-02-24.csv").read_bytes()
    columns = {"lab": "Organization", "title": "Model", "date": "Publication date", "url": "Link", "category": "Domain"}
    found = parse_document(SOURCE, content, columns=json.dumps(columns))
    assert len(found.items) == 895
    assert (len(found.records), found.rejects) == (895, [])
    assert sum(record.values["lab"] is None for record in found.records) == 13
    assert sum(record.values["other_links"] is not None for record in found.records) >= 30
    assert sum("links; the first is used" in str(record.values["reading_note"]) for record in found.records) >= 30
