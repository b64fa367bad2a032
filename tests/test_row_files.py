"""CSV files: no text in them runs as a formula in a spreadsheet, unless that is wanted; numbers and dates stay."""

from __future__ import annotations

import csv
import datetime as dt
import io

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.exports.downloads import build_table_files
from tests.conftest import run_aisle
from warehouse.lake import Lake
from warehouse.row_files import encode_csv

SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫"
FORMULAS = [
    *(f"{sign}1+1" for sign in SIGNS),
    "=cmd|' /C calc'!A0",
    "@SUM(1)",
    "\t=1",
    "\tx",
    "\rx",
    "\n=1",
    "  =1",
    "\xa0=1",
    "\u3000＝1",
    "\u200b=1",
    "\ufeff=1",
    "\u00ad=1",
    "\x00=1",
    "'=1",
    '"=1',
    "“=1",
    "' \u200b\"=1",
    "+49 170 1",
    "-1",
    "+1",
    "-1+1",
    "- a list item",
    "-5e",
]
HARMLESS = ["a=1", "a", "", "1=1", "'a", "2024-01-02", "1", "-" + "9" * 400, "-infinity", " a", "\u200bword", "(=1)"]


def read_cells(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


@pytest.mark.parametrize("text", FORMULAS)
def test_formula_gets_an_apostrophe_in_cells_and_names(text: str) -> None:
    frame = pl.DataFrame({text: [text, "plain"]})
    assert read_cells(encode_csv(frame)) == [["'" + text], ["'" + text], ["plain"]]
    assert read_cells(encode_csv(frame, leave_formulas=True)) == [[text], [text], ["plain"]]


@pytest.mark.parametrize("text", HARMLESS)
def test_other_text_stays(text: str) -> None:
    assert read_cells(encode_csv(pl.DataFrame({"a": [text], "b": [1]})))[1] == [text, "1"]


@given(
    st.text(" \t\n\u200b\ufeff\xa0\u3000\u00ad'\"“«"), st.sampled_from(SIGNS), st.text("0123456789+-=@aA( ", max_size=5)
)
def test_no_cell_begins_with_a_sign(before: str, sign: str, after: str) -> None:
    text = before + sign + after
    ((cell,),) = read_cells(encode_csv(pl.DataFrame({"a": [text]})))[1:]
    assert cell == "'" + text


def test_numbers_and_dates_are_not_text() -> None:
    frame = pl.DataFrame(
        {
            "number": [-1, 2],
            "real": [-1.5, float("-inf")],
            "day": [dt.date(2024, 1, 2), None],
            "kind": pl.Series(["=1", "b"], dtype=pl.Categorical),
            "choice": pl.Series(["@a", "b"], dtype=pl.Enum(["@a", "b"])),
            "list": [["=1"], []],
            "bytes": [b"=1", b""],
        }
    )
    assert read_cells(encode_csv(frame))[1:] == [
        ["-1", "-1.5", "2024-01-02", "'=1", "'@a", '["=1"]', "3d31"],
        ["2", "-inf", "", "b", "b", "[]", ""],
    ]


def test_names_that_become_alike_stay_apart() -> None:
    assert read_cells(encode_csv(pl.DataFrame({"=a": [1], "'=a": [2]})))[0] == ["'=a", "''=a"]
    assert len(set(read_cells(encode_csv(pl.DataFrame({"=a": [1], "\t=a": [2], "'=a": [3]})))[0])) == 3


def test_files_of_pages_have_both_forms() -> None:
    file, parquet = build_table_files(lambda: pl.DataFrame({"title": ["=1+1"]}))
    assert file.build() == b"title\n'=1+1\n"
    assert file.build_with_formulas is not None
    assert file.build_with_formulas() == b"title\n=1+1\n"
    assert parquet.build_with_formulas is None


def test_command_line_has_a_switch(released_lake: Lake) -> None:
    query = "select '＝1+1' as title, -1 as n"
    assert run_aisle(released_lake.root, "sql", query, "-f", "csv").stdout == "title,n\n'＝1+1,-1\n"
    with_formulas = run_aisle(released_lake.root, "sql", query, "-f", "csv", "--leave-formulas")
    assert with_formulas.stdout == "title,n\n＝1+1,-1\n"
    assert run_aisle(released_lake.root, "sql", query, "-f", "json").stdout == '[{"title":"＝1+1","n":-1}]\n'
