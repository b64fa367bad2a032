"""Publications per lab per category over time, any two selections compared, and the papers behind each number."""

import datetime as dt
from dataclasses import replace

import polars as pl
import streamlit as st

from dashboards import charts, counts, explorer, filters, frames, read

release = read.chosen()
st.title("Publications per lab per category over time", anchor=False)

rules = {rule.name: rule for rule in counts.rules(release)}
taxonomies = counts.taxonomies(release)
selection = filters.bar(release)
rule, taxonomy, labs, categories = rules[selection.rule], selection.taxonomy, selection.labs, selection.categories
totals = counts.totals(release, selection)

in_all = f" of {frames.number(totals.dated)}" if totals.selected != totals.dated else ""
st.markdown(f"##### {frames.number(totals.selected)}{in_all} {frames.plain(rule.name)}")
if totals.unattributed:
    st.warning(
        f"The authors of {frames.number(totals.unattributed)} of {frames.number(totals.dated)} publications are not "
        "known, so this rule cannot say which lab they are of. They are counted as “(authors not known)” rather "
        "than guessed.",
        icon=":material/warning:",
    )
newest = f"newest record {frames.written(totals.newest_on)}" if totals.newest_on else "no dated record"
facts = [
    newest,
    f"covers {frames.written(totals.covers_from)} to {frames.written(totals.covers_until)}",
]
if totals.undated:
    facts.append(f"**{frames.number(totals.undated)} more without a date, not drawn**")
st.caption(f"{rule.meaning} Categories of {taxonomies[taxonomy]} · {' · '.join(facts)}")

if selection.since and selection.until and selection.since > selection.until:
    st.warning("“From” is after “Until”: no month is in this span of time.", icon=":material/search:")
    st.stop()
if totals.dated == 0:
    st.info(
        "This release holds no dated publication. Add a sheet with `aisle add`, then run `aisle run`.",
        icon=":material/search:",
    )
    st.stop()
if totals.selected == 0:
    if totals.unattributed:
        st.info(
            "By this rule nothing can be counted here: choose another counting rule above.", icon=":material/search:"
        )
        st.stop()
    st.info("No publication fits this choice; what is drawn are its zeros.", icon=":material/search:")

# the view is chosen in a part of the page that is run alone
is_so_far = (st.session_state.get("view") or st.query_params.get("view")) == "cumulative"
is_by_month = is_so_far and selection.grain == "rolling_12_months"  # windows that overlap cannot be added up
told = replace(selection, dimensions=(), grain="month" if is_by_month else selection.grain)
spans = counts.publications_over_time(release, told)
periods = {row["period"]: row for row in spans.iter_rows(named=True)}
options = {"period": [*periods, *(["undated"] if totals.undated else [])]}
options["of_lab"] = list(labs) or counts.names(release, "lab", taxonomy)
options["of_category"] = list(categories) or counts.names(release, "category", taxonomy)
for key, values in options.items():
    filters.told_unknown(key.removeprefix("of_").capitalize(), values, key)
    # a choice that the filters no longer offer would be an error
    if st.session_state.get(key) not in (None, *values):
        st.session_state[key] = None

chart_area = st.container()

st.subheader("Papers", anchor=False)
with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
    chosen = {
        key: st.selectbox(
            label,
            options[key],
            index=None,
            key=key,
            placeholder=f"All {placeholder}",
            on_change=explorer.listed_anew,
            bind="query-params",
            width=width,
        )
        for key, label, placeholder, width in (
            ("period", "Period", "periods", 160),
            ("of_lab", "Lab", "labs", 220),
            ("of_category", "Category", "categories", 300),
        )
    }

picked = {"period": chosen["period"], "lab": chosen["of_lab"], "category": chosen["of_category"]}
with chart_area:
    explorer.explored(release, selection, picked)

span: tuple[dt.date, dt.date] | str = "dated"
if chosen["period"] == "undated":
    span = "undated"
elif chosen["period"]:
    span = (periods[chosen["period"]]["starts_on"], periods[chosen["period"]]["ends_on"])
    if is_so_far:  # what is so far, from the first period on
        span = (min(row["starts_on"] for row in periods.values()), span[1])
narrowed = replace(
    selection,
    labs=(chosen["of_lab"],) if chosen["of_lab"] else labs,
    categories=(chosen["of_category"],) if chosen["of_category"] else categories,
)
behind = counts.papers(release, narrowed, span)
of_all = int(behind["in_all"][0]) if behind.height else 0
listed = behind.drop("in_all").with_columns(
    evidence=pl.format("/work?id={}&release={}", "publication_id", pl.lit(release.name))
)
listed_in_words = f"{frames.counted(of_all, 'publication')} listed"
if behind.height != of_all:
    listed_in_words = f"{listed_in_words}, of which the newest {behind.height:,} are shown"
st.caption(f"{listed_in_words}. Click on a bar or a point above to list the papers behind it, or choose here.")
charts.table(
    listed.drop("publication_id", *([] if listed["counted"].n_unique() > 1 else ["counted"])),
    height="auto",
    column_config={
        "counted": st.column_config.NumberColumn("Counted", format="%.2f", help="The part of it that is counted here."),
        "evidence": charts.to_page("evidence"),
        "title": st.column_config.TextColumn("Title", width="large"),
        "lab": st.column_config.TextColumn("Lab", width=140),
        "category": st.column_config.TextColumn("Category", width=220),
        "published_on": st.column_config.DateColumn("Published on", format="D MMM YYYY", width=110),
        "is_duplicate": st.column_config.CheckboxColumn("Marked duplicate", width=130),
        "url": charts.to_site("Link"),
    },
    key="papers",
)
