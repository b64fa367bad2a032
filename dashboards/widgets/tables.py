"""Tables on a page: how columns are titled, formatted and linked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import streamlit as st

from dashboards.queries.release import ColumnMeaning
from dashboards.text import build_web_link

_SITE_PATTERN = r"^https?://(?:www\.(?=[^/?#]+\.))?([^/?#]+)"


def configure_columns(frame: pl.DataFrame, meanings: Mapping[str, ColumnMeaning]) -> dict[str, Any]:
    """Column settings of a table: title, date format, and the dictionary entry as help text."""
    column_config: dict[str, Any] = {}
    for name, kind in frame.schema.items():
        label = name.replace("_", " ").capitalize()
        meaning = meanings[name].meaning if name in meanings else None
        if kind == pl.Date:
            column_config[name] = st.column_config.DateColumn(label, help=meaning, format="D MMM YYYY")
        elif isinstance(kind, pl.Datetime):
            column_config[name] = st.column_config.DatetimeColumn(
                f"{label} (UTC)", help=meaning, format="D MMM YYYY, HH:mm", timezone="UTC"
            )
        else:
            column_config[name] = st.column_config.Column(label, help=meaning)
    return column_config


def show_table(frame: pl.DataFrame, *, column_config: Mapping[str, Any] | None = None, **options: Any) -> None:
    """Show a table; missing values are blank.

    Args:
        frame: Its rows.
        column_config: Column settings; those of `configure_columns` by default.
        options: More arguments of ``st.dataframe``, such as ``key``.
    """
    config = configure_columns(frame, {}) if column_config is None else dict(column_config)
    sites = [name for name in frame.columns if isinstance(config.get(name), dict) and _is_site_link(config[name])]
    frame = frame.with_columns(pl.Series(name, map(build_web_link, frame[name]), pl.String) for name in sites)
    # as Arrow, since Streamlit would convert with pandas
    rows = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    st.dataframe(rows, hide_index=True, placeholder="", column_config=config, **options)


def configure_site_link(label: str) -> Any:
    """A column of addresses from the data, shown as host names; `show_table` leaves out what is not a web address."""
    return st.column_config.LinkColumn(label, display_text=_SITE_PATTERN, width=150)


def _is_site_link(column: Mapping[str, Any]) -> bool:
    return (column.get("type_config") or {}).get("display_text") == _SITE_PATTERN


def configure_page_link(word: str) -> Any:
    """A column of links to other pages, each shown as the same word."""
    return st.column_config.LinkColumn(word.capitalize(), display_text=word, width=100)
