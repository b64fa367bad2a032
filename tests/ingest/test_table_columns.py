"""Columns of tables with unusual headers: confirmed, remembered by the headers, and written in the lake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestration.ingest.parser_process import parse_bytes
from orchestration.ingest.table_columns import (
    MAPPINGS,
    ConfirmColumns,
    InvalidMappings,
    ParsedTable,
    confirm_confident,
    parse_response,
    parse_with_columns,
    read_mappings,
    remember_mapping,
)
from orchestration.sources.shared.column_proposal import ColumnProposal
from orchestration.sources.source import DocumentRefused
from warehouse.lake import Lake

SURE = "Title,Link,Year\nA study of wolves,https://example.org/1,2024\n"
UNSURE = "What,Where,Who\nA study of wolves,https://example.org/1,OpenAI\n"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def add(lake: Lake, text: str, confirm: ConfirmColumns | None = None, **hints: str) -> ParsedTable:
    return parse_with_columns(lake, lambda known: parse_bytes(text.encode(), "list.csv", known), hints, confirm)


def test_sure_columns_need_nobody_at_hand(lake: Lake) -> None:
    with pytest.raises(DocumentRefused):
        add(lake, SURE, lambda _: False)
    table = add(lake, SURE)
    assert table.remark == "columns: title from “Title”, url from “Link”, date from “Year”"
    assert table.result.records[0].values["url"] == "https://example.org/1"
    with pytest.raises(DocumentRefused, match="Probably .*url from “Where”"):
        add(lake, UNSURE)


def test_what_is_confirmed_or_given_is_remembered_by_the_headers(lake: Lake) -> None:
    shown: list[ColumnProposal] = []
    columns = {"title": "What", "url": "Where", "lab": "Who"}
    add(lake, UNSURE, lambda proposal: shown.append(proposal) or True)
    assert [proposal.columns for proposal in shown] == [columns]
    assert shown[0].samples["title"] == ["A study of wolves"]
    other_order = "WHO,what,Where\nAnthropic,A study of foxes,https://example.org/2\n"
    table = add(lake, other_order)
    assert table.remark == "read as mappings.toml has it"
    assert table.result.records[0].values["lab"] == "Anthropic"
    # what is given now comes first, and is remembered in its place
    given = add(lake, UNSURE, columns=json.dumps({"title": "What", "lab": ""}), lab="xAI", separator=",")
    assert given.result.records[0].values["lab"] == "xAI"
    (mapping,) = read_mappings(lake)
    assert json.loads(mapping.hints["columns"]) == {"title": "What", "lab": ""}
    assert (mapping.hints["lab"], mapping.hints["separator"]) == ("xAI", ",")
    assert add(lake, UNSURE).result.records[0].values["lab"] == "xAI"


def test_a_feed_is_read_as_remembered_and_changes_nothing(lake: Lake) -> None:
    with pytest.raises(DocumentRefused):
        parse_response(lake, UNSURE.encode(), "feed", {"feed": "ours"}, "lab_sheet")
    remember_mapping(lake, ["Where", "Who", "What"], {"columns": json.dumps({"title": "What"})})
    before = (lake.root / MAPPINGS).read_bytes()
    table = parse_response(lake, UNSURE.encode(), "feed", {"feed": "ours"}, "lab_sheet")
    assert table.result.records[0].values["list"] == "ours"
    assert (lake.root / MAPPINGS).read_bytes() == before


def test_any_texts_are_written_and_read_again(lake: Lake) -> None:
    headers = ['a "quoted" one', "back\\slash", "línea\n", "标题", "\x7f"]
    hints = {
        "columns": json.dumps({"title": headers[0], "url": headers[4]}),
        "tabs": json.dumps(["Tab “one”"]),
        "lab": "x",
    }
    remember_mapping(lake, headers, hints)
    remember_mapping(lake, ["Other"], {"columns": json.dumps({"title": "Other"})})
    first, second = read_mappings(lake)
    assert list(first.headers) == headers
    assert {name: json.loads(first.hints[name]) for name in ("columns", "tabs")} == {
        "columns": {"title": headers[0], "url": headers[4]},
        "tabs": ["Tab “one”"],
    }
    assert list(second.headers) == ["Other"]


@pytest.mark.parametrize(
    "text",
    [
        "[[list]\n",
        "[[list]]\ncolumns = {}\n",
        '[[list]]\nheaders = ["a"]\ncolour = "red"\n',
        'list = "a"\n',
        '[[list]]\nheaders = ["a"]\ntabs = "b"\n',
    ],
)
def test_a_file_that_cannot_be_used_is_named(lake: Lake, text: str) -> None:
    (lake.root / MAPPINGS).write_text(text, encoding="utf-8")
    with pytest.raises(InvalidMappings, match=r"mappings\.toml cannot be used: .*; correct it or remove the entry"):
        add(lake, UNSURE)
    # a table that needs no mapping is read
    assert add(lake, "Lab,Title,Category\nOpenAI,A,Robustness\n").result.records


def test_only_sure_columns_are_taken_without_a_person() -> None:
    proposal = ColumnProposal({"title": "T"}, {"title": "name"}, ["T"], {"title": []}, is_confident=False)
    assert not confirm_confident(proposal)
