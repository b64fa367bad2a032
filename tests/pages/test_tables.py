"""Tables of pages: what comes first, how numbers and their intervals are written, and what columns are called."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
import streamlit as st

from dashboards.queries.release import ColumnMeaning
from dashboards.widgets import tables
from dashboards.widgets.labels import format_label
from orchestration.defs.catalog import list_tables


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[pl.DataFrame, dict[str, Any]]]:
    """The frames that are handed to Streamlit, with their column settings."""
    calls: list[tuple[pl.DataFrame, dict[str, Any]]] = []

    def keep(rows: Any, *, column_config: dict[str, Any], **_: object) -> None:
        calls.append((pl.DataFrame(pl.from_arrow(rows)), column_config))

    monkeypatch.setattr(st, "dataframe", keep)
    return calls


def test_share_comes_first_in_percent_with_its_interval_beside_it(shown: list[Any]) -> None:
    frame = pl.DataFrame(
        {
            "period": ["2023", "2024"],
            "lab": ["OpenAI", "Anthropic"],
            "publications": [8.0, 0.0],
            "is_part_period": [False, True],
            "total_publications": [11.0, 0.0],
            "share": [0.7273, None],
            "share_low": [0.4344, None],
            "share_high": [0.9025, None],
        }
    )
    tables.show_table(frame)
    ((rows, config),) = shown
    assert rows.columns[:5] == ["period", "share", "share_interval", "lab", "publications"]
    assert rows["share"].to_list() == [0.73, None]
    assert config["share"]["type_config"]["format"] == "percent"
    assert rows["share_interval"].to_list() == ["43 to 90 %", None]


@pytest.mark.parametrize(
    ("columns", "value", "interval"),
    [
        ({"publications_per_year": [12.3456], "rate_low": [1.236], "rate_high": [123.6]}, 12.3, "1.24 to 124"),
        ({"rate_ratio": [1.23456], "ratio_low": [0.5], "ratio_high": [None]}, 1.23, "0.5 or more"),
        ({"works_share": [0.0044], "share_low": [0.0012], "share_high": [0.016]}, 0.004, "0.1 to 2 %"),
        ({"nowcast_works": [1816.2839], "nowcast_low": [1800.0], "nowcast_high": [1900.5]}, 1816, "1800 to 1900"),
    ],
)
def test_numbers_are_rounded_as_a_person_would_write_them(
    shown: list[Any], columns: dict[str, list[float | None]], value: float, interval: str
) -> None:
    frame = pl.DataFrame({"lab": ["OpenAI"], **columns}, schema_overrides=dict.fromkeys(columns, pl.Float64))
    tables.show_table(frame)
    ((rows, _),) = shown
    assert rows.row(0) == ("OpenAI", value, interval)


def test_table_without_settings_of_its_columns_is_shown_as_it_is(shown: list[Any]) -> None:
    frame = pl.DataFrame({"share_low": [0.123456], "share_high": [0.2], "share": [0.15]})
    tables.show_table(frame, column_config={})
    ((rows, _),) = shown
    assert rows.equals(frame)


def test_unit_of_the_declaration_decides_the_format() -> None:
    frame = pl.DataFrame({"found": [0.5], "newest_year": [2024], "works": [1200], "odds": [0.01]})
    meanings = {
        "found": ColumnMeaning("m", "share in 0 to 1"),
        "works": ColumnMeaning("m", "works"),
        "odds": ColumnMeaning("m", "probability"),
    }
    config = tables.configure_columns(frame, meanings)
    formats = {name: column["type_config"]["format"] for name, column in config.items()}
    assert formats == {"found": "percent", "newest_year": "plain", "works": "localized", "odds": "plain"}


def test_no_title_of_a_released_column_is_a_name_of_code() -> None:
    for table in list_tables():
        for column in table.columns:
            label = format_label(column.name)
            assert "_" not in label, column.name
            assert label[:1] == label[:1].upper() or label.startswith("p-value"), column.name
            assert " p value" not in label, column.name
    assert format_label("silence_p_value") == "Chance of so long a silence"
