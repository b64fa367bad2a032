"""Numbers that others published, beside the same counts here: where they agree, where they differ, and why."""

import polars as pl
import streamlit as st

from dashboards import text
from dashboards.charts import palette
from dashboards.queries import release as read
from dashboards.widgets import filters

release = read.chosen()
_CLAIMS = """
    select outcome, claim, says, published_value, counted_value, tolerance, counting_rule, why, source
    from mart.published_counts
    order by outcome != 'differs', outcome, source, claim
"""
_DIFFERENCES = "select * from mart.published_count_differences order by claim, difference desc, title"
_SCORES = "select * from mart.lab_watch_scores order by lab_watch_score desc"

claims = read.ask(release, _CLAIMS)
numbers = dict(claims.group_by("outcome").len().iter_rows())
st.title("Published numbers: where we agree, where we differ, and why", anchor=False)
places = st.columns(3)
for place, outcome in zip(places, ("agrees", "differs", "not comparable"), strict=True):
    place.metric(outcome.capitalize(), numbers.get(outcome, 0))
st.caption(
    "Each claim is counted anew at every run, by its own counting rule and over its own span of time. One that does "
    f"not come out is a failed check. Data as of {text.dated(release)}."
)
shown = filters.choice("Show", ["all", "agrees", "differs", "not comparable"], "outcome")
kept = claims if shown == "all" else claims.filter(pl.col("outcome") == shown)
if kept.is_empty():
    st.success("No claim differs: every count that can be compared comes out." if shown == "differs" else "No claim.")
else:
    told = palette.columns(kept, read.meanings(release, "mart.published_counts"))
    palette.table(kept, column_config=told, key="claims")

differences = read.ask(release, _DIFFERENCES)
if not differences.is_empty():
    st.header("The publications that make the difference", anchor=False)
    told = palette.columns(differences, read.meanings(release, "mart.published_count_differences"))
    palette.table(differences, column_config=told, key="differences")

st.header("A derived index, worked through: the AI Lab Watch score", anchor=False)
st.latex(
    r"r = \frac{3\,n_1 + 2\,n_2 + n_3}{3f + 3} \qquad "
    r"\mathrm{score} = \min\left(1, \left(\frac{r}{20}\right)^{0.75}\right)"
)
st.write(
    "with the works n of the newest covered year and the two before it, and the part f of the newest year that is "
    "covered. The formula is that of AI Lab Watch; the works are those of this lake, so the scores are not theirs."
)
scores = read.ask(release, _SCORES)
palette.table(
    scores,
    column_config=palette.columns(scores, read.meanings(release, "mart.lab_watch_scores")),
    key="scores",
)
for row in scores.head(1).iter_rows(named=True):
    terms = f"3 · {row['newest_year_works']} + 2 · {row['second_year_works']} + {row['third_year_works']}"
    st.markdown(
        f"{text.text(row['lab'])}: ({terms}) / (3 · {row['newest_year_elapsed']:.3f} + 3) = "
        f"{row['weighted_works_per_year']:.2f} works a year, score {row['lab_watch_score']:.2f}."
    )
