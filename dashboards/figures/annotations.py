"""Events and corrections of a chart in words."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import polars as pl

from dashboards.queries.annotations import CHANGES_PAGE, CORRECTION_KINDS
from dashboards.text import escape_markdown, format_date, show_link

_MAX_CORRECTIONS = 5  # listed under a chart; the marks in the chart have all


def describe_annotations(annotations: pl.DataFrame) -> list[str]:
    """A sentence that lists the events, and one that lists the newest corrections, in Markdown.

    Args:
        annotations: Rows of `dashboards.queries.annotations.find_annotations`.
    """
    is_correction = pl.col("kind").is_in(CORRECTION_KINDS)
    events = annotations.filter(~is_correction)
    corrections = annotations.filter(is_correction).sort("happened_on", descending=True, maintain_order=True)
    sentences = [f"Events (triangles; not necessarily causes): {_format_list(events) or 'none noted'}."]
    if corrections.height:
        hidden = corrections.height - _MAX_CORRECTIONS
        more = f"; and {hidden} more in the chart" if hidden > 0 else ""
        listed = _format_list(corrections.head(_MAX_CORRECTIONS))
        sentences.append(f"**Corrected in a later release** (diamonds): {listed}{more}.")
    return sentences


def _format_list(annotations: pl.DataFrame) -> str:
    parts = (f"{format_date(row['happened_on'])}: {row['annotation']}" for row in annotations.iter_rows(named=True))
    return escape_markdown("; ".join(parts))


def show_causes_link(annotations: pl.DataFrame) -> None:
    """Show a link to all changes of the newest release with a correction, if there is one."""
    corrections = annotations.filter(pl.col("source").str.starts_with(CHANGES_PAGE)).sort(
        "happened_on", maintain_order=True
    )
    if corrections.height:
        parameters = dict(parse_qsl(urlsplit(corrections["source"][-1]).query))
        show_link("changes", "Why numbers were corrected", parameters)
