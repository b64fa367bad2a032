"""Download buttons, and tables as CSV and Parquet files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import polars as pl
import streamlit as st

from warehouse.row_files import encode_csv, encode_parquet


class DownloadFile(NamedTuple):
    """A file that is built when its button is pressed.

    Args:
        label: Label of the button.
        extension: File name extension, without a dot.
        mime: Media type.
        build: Returns the content.
        help_text: Tooltip of the button.
        build_with_formulas: Returns the content in which formulas in texts still run, if it would differ.
    """

    label: str
    extension: str
    mime: str
    build: Callable[[], bytes | str]
    help_text: str | None = None
    build_with_formulas: Callable[[], bytes | str] | None = None


def build_table_files(read_rows: Callable[[], pl.DataFrame]) -> tuple[DownloadFile, ...]:
    """A table as CSV and Parquet files.

    Args:
        read_rows: Returns the rows.
    """
    return (
        DownloadFile(
            "CSV",
            "csv",
            "text/csv",
            lambda: encode_csv(read_rows()),
            "For spreadsheets. Text that looks like a formula gets an apostrophe in front.",
            lambda: encode_csv(read_rows(), leave_formulas=True),
        ),
        DownloadFile(
            "Parquet",
            "parquet",
            "application/vnd.apache.parquet",
            lambda: encode_parquet(read_rows()),
            "The exact table, with types.",
        ),
    )


def show_download_buttons(name: str, files: Iterable[DownloadFile], key: str = "file") -> None:
    """Show download buttons side by side, with a switch for formulas where a file has any.

    Args:
        name: File name without extension.
        files: The files.
        key: Identifies the buttons on the page.
    """
    files = tuple(files)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        buttons = st.container(horizontal=True, gap="small", width="content")
        leaves_formulas = any(file.build_with_formulas for file in files) and st.checkbox(
            "Leave formulas as they are",
            key=f"{key} formulas",
            help="In CSV: no apostrophe before text such as “=1+1”, which a spreadsheet then runs. For other programs.",
        )
        for file in files:
            buttons.download_button(
                file.label,
                # not built in advance: Streamlit may delete it before the browser requests it
                (leaves_formulas and file.build_with_formulas) or file.build,
                f"{name}.{file.extension}",
                file.mime,
                key=f"{key} {file.label}",
                on_click="ignore",
                icon=":material/download:",
                help=file.help_text,
            )
