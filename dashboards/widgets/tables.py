"""Tables on a page: how columns are titled, formatted and linked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import polars as pl
import streamlit as st

from dashboards.queries.release import ColumnMeaning
from dashboards.text import build_web_link
from dashboards.widgets.arrangement import find_intervals, order_columns, round_number, round_share, write_interval
from dashboards.widgets.labels import format_label

_SITE_PATTERN = r"^https?://(?:www\.(?=[^/?#]+\.))?([^/?#]+)"


_SHARE_NAMES = re.compile(
    r"(^|_)share(_low|_high)?$|^(completeness|jeffreys_low|jeffreys_high|growth(_per_year|_low|_high)?)$"
)
_PLAIN_NAMES = re.compile(r"(^|_)(year|number|ordinal|row|version|entry|release)$")  # numbers that are names


def configure_columns(frame: pl.DataFrame, meanings: Mapping[str, ColumnMeaning]) -> dict[str, Any]:
    """Column settings of a table: title, formats of dates and numbers, and the dictionary entry as help text."""
    column_config: dict[str, Any] = {}
    for name, kind in frame.schema.items():
        label = format_label(name)
        meaning = meanings[name].meaning if name in meanings else None
        if kind == pl.Date:
            column_config[name] = st.column_config.DateColumn(label, help=meaning, format="D MMM YYYY")
        elif isinstance(kind, pl.Datetime):
            column_config[name] = st.column_config.DatetimeColumn(
                f"{label} (UTC)", help=meaning, format="D MMM YYYY, HH:mm", timezone="UTC"
            )
        elif kind.is_numeric():
            unit = meanings[name].unit if name in meanings else None
            column_config[name] = st.column_config.NumberColumn(label, help=meaning, format=_choose_format(name, unit))
        else:
            column_config[name] = st.column_config.Column(label, help=meaning)
    return column_config


def _choose_format(name: str, unit: str | None) -> str:
    if unit == "share in 0 to 1" or _SHARE_NAMES.search(name):
        return "percent"
    if unit == "probability" or name.endswith(("p_value", "p_adjusted")):
        return "plain"
    return "plain" if _PLAIN_NAMES.search(name) else "localized"


def show_table(frame: pl.DataFrame, *, column_config: Mapping[str, Any] | None = None, **options: Any) -> None:
    """Show a table; missing values are blank, and numbers are rounded where the settings have their format.

    Where the table has intervals, each is one text beside its number, and these come right after the names.

    Args:
        frame: Its rows.
        column_config: Column settings; those of `configure_columns` by default.
        options: More arguments of ``st.dataframe``, such as ``key``.
    """
    config = configure_columns(frame, {}) if column_config is None else dict(column_config)
    sites = [name for name in frame.columns if isinstance(config.get(name), dict) and _is_site_link(config[name])]
    frame = frame.with_columns(pl.Series(name, map(build_web_link, frame[name]), pl.String) for name in sites)
    formats = {name: _get_format(config[name]) for name in frame.columns if isinstance(config.get(name), dict)}
    intervals = find_intervals(formats)
    if intervals and set(frame.columns) <= set(config):
        order = order_columns(frame)
        frame = frame.with_columns(
            **{
                name: write_interval(interval, is_share=formats[interval.low] == "percent")
                for name, interval in intervals.items()
            }
        ).select(order)
        config |= {name: st.column_config.TextColumn(interval.label) for name, interval in intervals.items()}
    frame = frame.with_columns(
        round_share(name) if formats.get(name) == "percent" else round_number(frame, name)
        for name, kind in frame.schema.items()
        if kind.is_float() and formats.get(name) in {"percent", "plain", "localized"}
    )
    # as Arrow, since Streamlit would convert with pandas
    rows = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    st.dataframe(rows, hide_index=True, placeholder="", column_config=config, **options)


def _get_format(column: Mapping[str, Any]) -> str | None:
    return (column.get("type_config") or {}).get("format")


def configure_site_link(label: str) -> Any:
    """A column of addresses from the data, shown as host names; `show_table` leaves out what is not a web address."""
    return st.column_config.LinkColumn(label, display_text=_SITE_PATTERN, width=150)


def _is_site_link(column: Mapping[str, Any]) -> bool:
    return (column.get("type_config") or {}).get("display_text") == _SITE_PATTERN


def configure_page_link(word: str) -> Any:
    """A column of links to other pages, each shown as the same word."""
    return st.column_config.LinkColumn(word.capitalize(), display_text=word, width=100)
