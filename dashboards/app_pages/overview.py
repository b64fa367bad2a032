"""The start page: contents of the lake, failed checks, news, trends and freshness."""

import streamlit as st

from dashboards.figures import shared
from dashboards.figures.figure import show_figure
from dashboards.queries import counts, overview
from dashboards.queries.checks import list_failed_checks
from dashboards.queries.release import list_readable_releases, select_release
from dashboards.queries.selection import Selection
from dashboards.text import escape_markdown, format_count, format_name, format_release
from dashboards.widgets import filters
from dashboards.widgets.tables import show_table

release = select_release()
st.title("AI safety research in numbers", anchor=False)
age = overview.count_days_since(release)
when = "today" if age == 0 else "yesterday" if age == 1 else f"{age:,} days ago"
st.caption(f"Data as of {format_release(release)}, published {when}.")

contents = overview.count_contents(release)
with st.container(horizontal=True, gap="medium"):
    for name, number in contents.items():
        st.metric(name.capitalize(), f"{number:,}", width="content")

failed = list_failed_checks(release)
if failed:
    st.warning(f"{format_count(len(failed), 'check')} of this release failed.", icon=":material/warning:")
    with st.expander("Details"):
        for check in failed:
            st.markdown(f"**{escape_markdown(check.table)}**, {escape_markdown(format_name(check.check))}")
            st.text(check.message)
elif release.manifest.get("checks"):
    st.success(
        f"All {len(release.manifest['checks']):,} checks of this release passed.", icon=":material/check_circle:"
    )

if not contents.get("publications"):
    st.info(
        "This release has no publications. Add a sheet with `aisle add`, then run `aisle run`.",
        icon=":material/search:",
    )

st.subheader("What is new", anchor=False)
releases = [each for each in list_readable_releases() if each.number <= release.number]
# the newest release at the start of the session, so that one published later shows what it added
seen_first = st.session_state.setdefault("seen_first", release.name)
names = [each.name for each in releases][::-1]
if len(releases) < 2:
    st.write("This is the first release. From the second release on, new publications are listed here.")
else:
    first = seen_first if seen_first in names[1:] else names[1]
    since = filters.select_one("Since release", names, "seen", 160, first, "The last release that you have seen.")
    older = next(each for each in releases if each.name == since)
    new = overview.list_new_publications(release, older)
    changed = overview.list_changed_tables(release, older)
    new_publications = format_count(new["in_all"].item(0) if new.height else 0, "new publication")
    changed_tables = format_count(changed.height, "changed table")
    st.caption(f"Since {format_release(older)}: {new_publications}, {changed_tables}.")
    if not new.is_empty():
        show_table(new.drop("publication_id", "in_all"), height=min(36 + 35 * new.height, 290), key="new")
    if not changed.is_empty():
        with st.expander("Changed tables"):
            show_table(changed, key="changed")
    st.page_link("app_pages/changes.py", label="Why numbers changed", icon=":material/history:")
st.markdown(f"Bookmark for your next visit: [what is new since {release.name}](?seen={release.name})")

if contents.get("publications"):
    st.subheader("Trends", anchor=False)
    rules = [rule.name for rule in counts.list_counting_rules(release)]
    works = "works" if "works" in rules else rules[0]
    sentences = {of: overview.list_trends(release, of) for of in ("all", "lab", "category")}
    whole = sentences["all"]["sentence"].to_list()
    show_figure(
        shared.build_history_figure(
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
        show_figure(
            shared.build_history_figure(
                release,
                Selection(rule=works),
                "lab",
                title="Share of publications per lab and year",
                key="lab shares",
                finding=None,
                view="share",
            )
        )
    with right:
        show_figure(
            shared.build_mix_figure(
                release, Selection(rule=works), "category", title="Publications by category", key="mix"
            )
        )
    with st.expander("Trends of each lab and category"):
        for of in ("lab", "category"):
            for row in sentences[of].iter_rows(named=True):
                st.markdown(f"- {escape_markdown(row['sentence'])}")
    with st.container(horizontal=True):
        st.page_link("app_pages/trends.py", label="Explore the trends", icon=":material/trending_up:")
        st.page_link("app_pages/labs.py", label="Labs", icon=":material/apartment:")
        st.page_link("app_pages/categories.py", label="Categories", icon=":material/sell:")

st.subheader("Freshness", anchor=False)
fresh = overview.query_freshness(release)
if fresh.is_empty():
    st.info("There are no sources yet.", icon=":material/search:")
else:
    show_table(fresh, key="fresh")
    st.caption("Sources without a newest record have no dated records.")
