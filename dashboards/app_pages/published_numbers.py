"""Numbers that others published, compared with the same counts here."""

import polars as pl
import streamlit as st

from dashboards.queries.release import query_column_meanings, query_release, select_release
from dashboards.text import escape_markdown, format_release
from dashboards.widgets import filters
from dashboards.widgets.parts import needs
from dashboards.widgets.tables import configure_columns, show_table
from warehouse.release import Release

_CLAIMS = """
    select outcome, claim, statement, published_value, counted_value, tolerance, counting_rule, why, source
    from mart.published_counts
    order by outcome != 'differs', outcome, source, claim
"""
_DIFFERENCES = "select * from mart.published_count_differences order by claim, difference desc, title"
_SCORES = "select * from mart.lab_watch_scores order by lab_watch_score desc"


@needs("Published numbers", "mart.published_counts")
def show_claims(release: Release) -> None:
    """Show each published number beside the same count here."""
    claims = query_release(release, _CLAIMS)
    numbers = dict(claims.group_by("outcome").len().iter_rows())
    metrics = st.columns(3)
    for metric, outcome in zip(metrics, ("agrees", "differs", "not comparable"), strict=True):
        metric.metric(outcome.capitalize(), numbers.get(outcome, 0))
    st.caption(
        "Each claim is recounted at every run, by its own counting rule and over its own span of time. A claim "
        f"that differs is a failed check. Data as of {format_release(release)}."
    )
    shown = filters.select_segment("Show", ["all", "agrees", "differs", "not comparable"], "outcome")
    selected = claims if shown == "all" else claims.filter(pl.col("outcome") == shown)
    if selected.is_empty():
        st.success("No claim differs." if shown == "differs" else "No claim.")
    else:
        column_config = configure_columns(selected, query_column_meanings(release, "mart.published_counts"))
        column_config["statement"] = st.column_config.TextColumn("As published")
        show_table(selected, column_config=column_config, key="claims")


@needs("Publications behind the differences", "mart.published_count_differences")
def show_differences(release: Release) -> None:
    """Show the publications behind the differences, if there are any."""
    differences = query_release(release, _DIFFERENCES)
    if not differences.is_empty():
        st.header("Publications behind the differences", anchor=False)
        column_config = configure_columns(
            differences, query_column_meanings(release, "mart.published_count_differences")
        )
        show_table(differences, column_config=column_config, key="differences")


@needs("The AI Lab Watch score", "mart.lab_watch_scores")
def show_scores(release: Release) -> None:
    """Show the score of each lab with its formula."""
    # one below the other, since a phone would cut off a line of both
    st.latex(r"r = \frac{3\,n_1 + 2\,n_2 + n_3}{3f + 3}")
    st.latex(r"\mathrm{score} = \min\left(1, \left(\frac{r}{20}\right)^{0.75}\right)")
    st.write(
        "n are the works of the newest covered year and the two before it, f is the covered fraction of the newest "
        "year. The formula is from AI Lab Watch; the works are those of this lake, so the scores differ from theirs."
    )
    scores = query_release(release, _SCORES)
    show_table(
        scores,
        column_config=configure_columns(scores, query_column_meanings(release, "mart.lab_watch_scores")),
        key="scores",
    )
    for row in scores.head(1).iter_rows(named=True):
        terms = f"3 · {row['newest_year_works']} + 2 · {row['second_year_works']} + {row['third_year_works']}"
        st.markdown(
            f"{escape_markdown(row['lab'])}: ({terms}) / (3 · {row['newest_year_elapsed']:.3f} + 3) = "
            f"{row['weighted_works_per_year']:.2f} works a year, score {row['lab_watch_score']:.2f}."
        )


release = select_release()
st.title("Published numbers compared", anchor=False)
show_claims(release)
show_differences(release)
st.header("The AI Lab Watch score", anchor=False)
show_scores(release)
