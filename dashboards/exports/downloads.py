"""Download buttons, and tables as CSV and Parquet files."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import NamedTuple

import polars as pl
import streamlit as st


class DownloadFile(NamedTuple):
    """A file that is built when its button is pressed.

    Args:
        label: Label of the button.
        extension: File name extension, without a dot.
        mime: Media type.
        build: Returns the content.
        help_text: Tooltip of the button.
    """

    label: str
    extension: str
    mime: str
    build: Callable[[], bytes | str]
    help_text: str | None = None


def build_table_files(
    read_rows: Callable[[], pl.DataFrame], read_csv_rows: Callable[[], pl.DataFrame] | None = None
) -> tuple[DownloadFile, ...]:
    """A table as CSV and Parquet files.

    Args:
        read_rows: Returns the rows.
        read_csv_rows: Returns the rows for CSV, if CSV cannot hold their types.
    """
    return (
        DownloadFile(
            "CSV",
            "csv",
            "text/csv",
            lambda: encode_csv((read_csv_rows or read_rows)()),
            "For spreadsheets. Text that looks like a formula gets an apostrophe in front.",
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
    """Show download buttons side by side.

    Args:
        name: File name without extension.
        files: The files.
        key: Identifies the buttons on the page.
    """
    with st.container(horizontal=True, gap="small"):
        for file in files:
            st.download_button(
                file.label,
                file.build,  # not built in advance: Streamlit may delete it before the browser requests it
                f"{name}.{file.extension}",
                file.mime,
                key=f"{key} {file.label}",
                on_click="ignore",
                icon=":material/download:",
                help=file.help_text,
            )


def encode_csv(frame: pl.DataFrame) -> bytes:
    """A frame as CSV; an apostrophe is put before text that a spreadsheet would run as a formula."""
    text = pl.col(pl.String)
    guarded = pl.when(text.str.contains(r"^[=+\-@\t\r]")).then(pl.lit("'") + text).otherwise(text)
    return frame.with_columns(guarded.name.keep()).write_csv().encode()


def encode_parquet(frame: pl.DataFrame) -> bytes:
    """A frame as Parquet."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()
