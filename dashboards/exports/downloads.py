"""Files to take along: buttons that make them only when asked for, alike on every page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import polars as pl
import streamlit as st

from dashboards.charts import palette


class File(NamedTuple):
    """A file that can be taken along.

    Args:
        label: What its button says.
        ending: Ending of its name, without a dot.
        mime: What kind of content it is.
        made: Makes it.
        told: What the button tells on hovering.
    """

    label: str
    ending: str
    mime: str
    made: Callable[[], bytes | str]
    told: str | None = None


def of_table(rows: Callable[[], pl.DataFrame], text: Callable[[], pl.DataFrame] | None = None) -> tuple[File, ...]:
    """A table as CSV and as Parquet.

    Args:
        rows: Gives it.
        text: Gives it for CSV, where that cannot hold it as it is.
    """
    flat = text or rows
    return (
        File(
            "CSV", "csv", "text/csv", lambda: palette.csv(flat()), "For spreadsheets; formulas in texts are disarmed."
        ),
        File(
            "Parquet",
            "parquet",
            "application/vnd.apache.parquet",
            lambda: palette.parquet(rows()),
            "Exactly the table.",
        ),
    )


def offer(name: str, files: Iterable[File], key: str = "file") -> None:
    """Buttons side by side; a file made in advance could be gone again before the browser has looked for it.

    Args:
        name: Name of the files, without an ending.
        files: What is offered.
        key: Tells the buttons from others on the page.
    """
    with st.container(horizontal=True, gap="small"):
        for file in files:
            st.download_button(
                file.label,
                file.made,
                f"{name}.{file.ending}",
                file.mime,
                key=f"{key} {file.label}",
                on_click="ignore",
                icon=":material/download:",
                help=file.told,
            )
