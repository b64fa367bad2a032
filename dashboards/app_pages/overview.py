"""What the lake holds, what is new, what the trends say, how fresh it is, and what its checks warn of."""

import streamlit as st

from dashboards import text as frames
from dashboards.charts import palette
from dashboards.figures import figure, shared
from dashboards.queries import counts, overview
from dashboards.queries import release as read
from dashboards.queries.counts import Selection
from dashboards.widgets import filters

release = read.chosen()
st.title("AI safety research, counted", anchor=False)
age = overview.days_since(release)
when = "today" if age == 0 else "yesterday" if age == 1 else f"{age:,} days ago"
st.caption(f"Data as of {frames.dated(release)}, published {when}. Every number here leads to its evidence.")

held = overview.held(release)
with st.container(horizontal=True, gap="medium"):
    for name, number in held.items():
        st.metric(name.capitalize(), f"{number:,}", width="content")

failed = overview.failed_checks(release)
if failed:
    one = len(failed) == 1
    st.warning(
        f"{len(failed):,} {'check' if one else 'checks'} of this release did not pass.", icon=":material/warning:"
    )
    with st.expander("Which, and why"):
        for check in failed:
            st.markdown(f"**{frames.text(check['table'])}**, {frames.text(frames.plain(check['check']))}")
            st.text(check["says"])
elif release.manifest.get("checks"):
    st.success(
        f"All {len(release.manifest['checks']):,} checks of this release passed.", icon=":material/check_circle:"
    )

if not held.get("publications"):
    st.info(
        "This release holds no publication. Add a sheet with `aisle add`, then run `aisle run`.",
        icon=":material/search:",
    )

st.subheader("New", anchor=False)
known = [told for told in read.all_releases() if told.number <= release.number]
# what was newest when this reader came; a release published meanwhile then shows what it brought
seen_first = st.session_state.setdefault("seen_first", release.name)
names = [told.name for told in known][::-1]
if len(known) < 2:
    st.write("This is the first release. What the next one brings is told here.")
else:
    first = seen_first if seen_first in names[1:] else names[1]
    since = filters.pick("Since release", names, "seen", 160, first, "The one you saw last.")
    older = next(told for told in known if told.name == since)
    new = overview.new_publications(release, older)
    changed = overview.changed_tables(release, older)
    told = f"{new['in_all'].max() or 0:,} new publications, {changed.height:,} tables with other content"
    st.caption(f"Since {frames.dated(older)}: {told}.")
    if not new.is_empty():
        shown = new.drop("publication_id", "in_all")
        palette.table(
            shown,
            height=min(36 + 35 * shown.height, 290),
            key="new",
        )
    if not changed.is_empty():
        with st.expander("Tables that changed"):
            palette.table(changed, key="changed")
    st.page_link("app_pages/changes.py", label="Why a number changed, cause by cause", icon=":material/history:")
keep = f"[what is new since {release.name}](?seen={release.name})"
st.markdown(f"To be told of what is new at your next visit, keep this address: {keep}")

if held.get("publications"):
    st.subheader("Trends", anchor=False)
    rules = [rule.name for rule in counts.rules(release)]
    works = "works" if "works" in rules else rules[0]
    sentences = {of: overview.findings(release, of) for of in ("all", "lab", "category")}
    whole = sentences["all"]["sentence"].to_list()
    figure.show(
        shared.history(
            release,
            Selection(rule=works, grain="quarter"),
            "lab",
            title="Publications per quarter, by lab",
            key="all by lab",
            finding=whole[0] if whole else None,
        )
    )
    left, right = st.columns(2, gap="medium")
    with left:
        figure.show(
            shared.history(
                release,
                Selection(rule=works),
                "lab",
                title="Share of each lab in the publications of a year",
                key="lab shares",
                finding=None,
                view="share",
            )
        )
    with right:
        figure.show(
            shared.mix(release, Selection(rule=works), "category", title="What the publications are about", key="mix")
        )
    with st.expander("What may be said of each lab and category"):
        for of in ("lab", "category"):
            for row in sentences[of].iter_rows(named=True):
                st.markdown(f"- {frames.text(row['sentence'])}")
    with st.container(horizontal=True):
        st.page_link("app_pages/trends.py", label="Explore the trends", icon=":material/trending_up:")
        st.page_link("app_pages/labs.py", label="A lab", icon=":material/apartment:")
        st.page_link("app_pages/categories.py", label="A category", icon=":material/sell:")

st.subheader("How fresh", anchor=False)
fresh = overview.freshness(release)
if fresh.is_empty():
    st.info("No source has been taken in yet.", icon=":material/search:")
else:
    palette.table(fresh, key="fresh")
    st.caption("A missing newest record means that the records of the source have no date.")
