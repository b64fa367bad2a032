"""A figure on a page: title, facts, and tabs with chart, table, downloads, SQL and citation."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import streamlit as st

from dashboards.charts import drawing
from dashboards.exports import downloads, figure_files
from dashboards.exports.downloads import DownloadFile
from dashboards.exports.figure_files import Figure
from dashboards.exports.pictures import render_html, render_png, render_preview, render_svg
from dashboards.queries.sql_text import fill_parameters
from dashboards.text import build_permanent_link, clean_line, escape_markdown, format_count
from dashboards.widgets import filters
from dashboards.widgets.tables import configure_columns, show_table

NO_PUBLIC_ADDRESS = (
    "Without a link, since only this machine can open these pages. Set `AISLE_PUBLIC_ADDRESS`, or start them with "
    "`aisle dashboard --public-address`, if others can."
)

_MAX_HEADLINE_LETTERS = 200


def show_figure(figure: Figure, draw_chart: Callable[[], None] | None = None) -> None:
    """Show a figure with its tabs.

    Args:
        figure: The figure.
        draw_chart: Draws the chart on the page where ``figure.draw`` does not fit: several panels, or clicks.
    """
    st.markdown(f"##### {escape_markdown(figure.title)}")
    st.caption(escape_markdown(figure.facts))
    # the open tab is part of the URL; the others are built when they are opened
    key = re.sub(r"\W+", "_", f"{figure.key} tab")
    tabs: dict[str, Callable[[Figure], None]] = {
        "Chart": partial(_show_chart, draw_chart=draw_chart),
        "Table": _show_table,
        "Download": _show_downloads,
        "SQL": _show_sql,
        "Cite": _show_citation,
    }
    filters.warn_unknown_values("Tab", tabs, key)
    for tab, show in zip(st.tabs(list(tabs), key=key, bind="query-params"), tabs.values(), strict=True):
        if tab.open:
            with tab:
                show(figure)


def _show_chart(figure: Figure, draw_chart: Callable[[], None] | None) -> None:
    if draw_chart is not None:
        draw_chart()
    else:
        description = f"{figure.alt} The tab Table has the numbers."
        drawing.show_chart(figure.draw, key=f"{figure.key} chart", description=description)
    for caution in figure.cautions:
        st.caption(caution)
    if figure.finding:
        of_corpus = f" ({escape_markdown(figure.corpus)})" if figure.corpus else ""
        st.markdown(f"**Finding**{of_corpus} · {escape_markdown(figure.finding)}")


def _show_table(figure: Figure) -> None:
    frame = figure.data.frame
    columns = configure_columns(frame, figure.meanings or {})
    show_table(frame, column_config=columns, key=f"{figure.key} numbers")
    of_corpus = f", of the corpus {escape_markdown(figure.corpus)}" if figure.corpus else ""
    st.caption(f"{format_count(frame.height, 'row')} drawn in the chart{of_corpus}")


def _show_downloads(figure: Figure) -> None:
    figure = replace(figure, headline=_edit_headline(figure))
    link = figure_files.build_address(figure.data.release)  # the buttons run when the page has ended
    pictures = (
        DownloadFile("PNG", "png", "image/png", partial(render_png, figure, link), "The picture below, for a memo."),
        DownloadFile("SVG", "svg", "image/svg+xml", partial(render_svg, figure, link), "It as a vector graphic."),
        DownloadFile(
            "HTML",
            "html",
            "text/html",
            partial(render_html, figure, link),
            "It as a page with tooltips, to embed in another one; it loads nothing over the network.",
        ),
    )
    downloads.show_download_buttons(
        figure.file_name, (*downloads.build_table_files(lambda: figure.data.frame), *pictures), figure.key
    )
    with st.container(border=True):
        st.image(render_preview(figure, link))


def _edit_headline(figure: Figure) -> str | None:
    """The title of the pictures as the reader wrote it, which the address keeps; else that of the figure."""
    name = re.sub(r"\W+", "_", f"{figure.key} title")
    # not bound to the address: it would forget the title with each change to another tab
    written = st.text_input(
        "Title of the picture",
        value=st.query_params.get(name, ""),
        key=f"{name} written",
        placeholder=figure.headline or figure.title,
        max_chars=_MAX_HEADLINE_LETTERS,
        help="What the picture says. Leave it empty for the finding; the address of this page keeps what you write.",
    )
    title = clean_line(written or "")[:_MAX_HEADLINE_LETTERS]
    if title:
        st.query_params[name] = title
    elif name in st.query_params:
        del st.query_params[name]
    return title or figure.headline


def _show_sql(figure: Figure) -> None:
    st.code(fill_parameters(figure.data.sql, figure.data.parameters), language="sql", wrap_lines=True)
    st.caption(f'Run it on the command line: `aisle sql --release {figure.data.release.name} "…"`')


def _show_citation(figure: Figure) -> None:
    link = figure_files.build_address(figure.data.release)
    st.code(figure_files.build_citation(figure, link), language=None, wrap_lines=True)
    st.code(figure_files.build_bibtex(figure, link), language="latex", wrap_lines=True)
    if link is None:
        st.caption(NO_PUBLIC_ADDRESS)
    st.markdown(f"[Permanent link to this figure]({build_permanent_link(figure.data.release)})")
