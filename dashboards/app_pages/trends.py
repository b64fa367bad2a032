"""Publications per lab and category over time, two selections compared, and the papers behind each number."""

from dataclasses import replace
from functools import partial

import polars as pl
import streamlit as st

from dashboards.exports.figure_files import query_figure_data
from dashboards.figures.annotations import show_causes_link
from dashboards.figures.comparison import show_comparison
from dashboards.figures.figure import show_figure
from dashboards.figures.late_works import show_late_works
from dashboards.figures.suggested import show_suggested
from dashboards.figures.trend_options import PaperQuery, select_clicked_papers, select_papers, select_trend_options
from dashboards.figures.trends import build_panels, build_trend_figure, draw_panels, show_totals
from dashboards.queries import counts, search, trends
from dashboards.queries.corpora import CORPUS_TABLES, find_corpus
from dashboards.queries.lab_freshness import LAB_TABLES
from dashboards.queries.release import select_release
from dashboards.queries.selection import Selection
from dashboards.queries.suggested import SUGGESTED_TABLES, count_suggested_works
from dashboards.text import build_page_addresses, escape_markdown, format_count, format_number
from dashboards.widgets import filters
from dashboards.widgets.corpora import select_corpus
from dashboards.widgets.listing import show_item_downloads
from dashboards.widgets.tables import configure_page_link, configure_site_link, show_table
from warehouse.release import Release

# on a phone the figure comes first, and what can be chosen follows it
NARROW_STYLE = """<style>
.trends-hint { display: none; font-size: 0.875rem; opacity: 0.75; }
@media (max-width: 640px) {
    .trends-hint { display: block; }
    [data-testid="stLayoutWrapper"]:has(.st-key-trends_options), [data-testid="stVerticalBlock"].st-key-trends_figure,
    .st-key-trends_figure [data-testid="stVerticalBlock"]:has(.st-key-trends_options) { display: contents; }
    [data-testid="stLayoutWrapper"]:has(> .st-key-trends_options) { display: flex; }
    [data-testid="stLayoutWrapper"]:has(> .st-key-trends_options),
    [data-testid="stLayoutWrapper"]:has(> .st-key-trends_filters) { order: 1; }
    [data-testid="stLayoutWrapper"]:has(> .st-key-trends_paper_choices) { order: 2; }
    [data-testid="stLayoutWrapper"]:has(> .st-key-trends_papers) { order: 3; }
}
</style><div class="trends-hint">Filters and options are below the chart.</div>"""


@st.fragment
def show_charts(release: Release, selection: Selection, paper_queries: list[PaperQuery | None]) -> None:
    """Show the charts of a selection and the choices of how they are drawn and which papers are listed.

    A fragment: a choice within it does not send the filters above and the papers below again. If another list of papers
    is wanted, it reruns the whole page.

    Args:
        release: The release.
        selection: What is counted; grain and dimensions are chosen here.
        paper_queries: Empty when the whole page runs; receives the papers to list, or none if nothing can be drawn.
    """
    with st.container(key="trends_options"):
        options = select_trend_options(has_suggestions=has_suggestions(release, selection))
    # each message has a container: a widget that moves down because a message appears loses its URL parameter
    notice, totals = st.container(), st.container()
    if options.view == "cumulative" and options.grain == "rolling_12_months":
        notice.info(
            "Rolling windows overlap and cannot be added up: the cumulative counts are per month.",
            icon=":material/search:",
        )
        options = replace(options, grain="month")
    selection = replace(selection, grain=options.grain, dimensions=options.dimensions)
    with totals:
        can_draw = show_totals(release, selection)
    if not can_draw:
        set_paper_query(paper_queries, None)
        return
    drawn, left_out = counts.limit_members(release, selection)
    query, parameters = trends.build_query(
        release, drawn, options.view, options.series, is_ranged=options.has_rule_range
    )
    data = query_figure_data(release, query, parameters)
    charts = st.container()
    with st.container(key="trends_paper_choices"):
        st.subheader("Papers", anchor=False)
        picked, paper_query = select_papers(release, selection, options.view, data.frame)
    set_paper_query(paper_queries, paper_query)
    panels = build_panels(release, selection, options, data.frame, picked, left_out)
    with charts:
        on_click = partial(select_clicked_papers, options.series, options.panel_dimension)
        show_figure(build_trend_figure(panels, data), draw_chart=partial(draw_panels, panels, on_click))
        if panels.look.annotations is not None:
            show_causes_link(panels.look.annotations)
        if options.has_suggested:
            show_suggested(release, selection, options.series)
        show_late_works(release, selection)
        if options.is_compared:
            show_comparison(release, selection)


def has_suggestions(release: Release, selection: Selection) -> bool:
    """Whether works of a living corpus have suggested categories, in this release."""
    corpus = find_corpus(release, selection.corpus)
    tables = release.manifest["tables"]
    return (
        bool(corpus and corpus.is_living)
        and all(name in tables for name in SUGGESTED_TABLES)
        and count_suggested_works(release, str(selection.corpus)) > 0
    )


def set_paper_query(paper_queries: list[PaperQuery | None], query: PaperQuery | None) -> None:
    """Pass the papers to list to the page; rerun the whole page if it lists others."""
    if not paper_queries:
        paper_queries.append(query)
    elif paper_queries != [query]:
        st.rerun()


def show_papers(release: Release, query: PaperQuery) -> None:
    """Show the papers behind the charts."""
    papers = counts.list_papers(release, query.selection, query.span)
    total = int(papers["in_all"][0]) if papers.height else 0
    corpus = find_corpus(release, query.selection.corpus)
    kind = "work" if corpus and corpus.is_living else "publication"
    papers = papers.drop("in_all").with_columns(
        evidence=pl.Series(build_page_addresses("work", release, {"work": papers["publication_id"]}), dtype=pl.String)
    )
    listed = f"{format_count(total, kind)} listed"
    if papers.height != total:
        listed = f"{listed}, of which the newest {papers.height:,} are shown and downloaded"
    if query.span == "dated" and (undated := counts.query_totals(release, query.selection).undated):
        listed = f"{listed}; {format_number(undated)} more have no date: choose the period “undated”"
    of_corpus = f" Corpus: {escape_markdown(corpus.label)}." if corpus else ""
    st.caption(f"{listed}.{of_corpus} Click a bar or a point above to list the papers behind it, or choose here.")
    show_table(
        papers.drop("publication_id", *([] if papers["counted"].n_unique() > 1 else ["counted"])),
        height="auto",
        column_config={
            "counted": st.column_config.NumberColumn(
                "Counted", format="%.2f", help="The fraction of the paper that is counted here."
            ),
            "evidence": configure_page_link("evidence"),
            "title": st.column_config.TextColumn("Title", width="large"),
            "lab": st.column_config.TextColumn("Lab", width=140),
            "category": st.column_config.TextColumn("Category", width=220),
            "published_on": st.column_config.DateColumn("Published on", format="D MMM YYYY", width=110),
            "is_duplicate": st.column_config.CheckboxColumn("Marked duplicate", width=130),
            "url": configure_site_link("Link"),
        },
        key="papers",
    )
    show_item_downloads(
        f"aisle_{release.name}_papers_{query.selection.counted_by}",
        "papers",
        lambda: search.get_items(release, [(kind, item_id) for item_id in papers["publication_id"]]),
    )


release = select_release(
    [*counts.COUNTED_TABLES, "mart.publication_trends"],
    ["reference.annotations", *SUGGESTED_TABLES, *counts.MACRO_TABLES, *CORPUS_TABLES, *LAB_TABLES],
)
st.title("Publications per lab per category over time", anchor=False)
st.html(NARROW_STYLE)
corpus = select_corpus(release, needs_lab=True)
with st.container(key="trends_filters"):
    selection = filters.show_filter_bar(release, corpus=corpus.name if corpus else None)
paper_queries: list[PaperQuery | None] = []
with st.container(key="trends_figure"):
    show_charts(release, selection, paper_queries)
if paper_queries[0] is not None:
    with st.container(key="trends_papers"):
        show_papers(release, paper_queries[0])
