"""The checks of a release, their failures, and their outcomes over all releases."""

from functools import partial

import polars as pl
import streamlit as st

from dashboards.charts import drawing
from dashboards.charts.checks import draw_check_outcomes
from dashboards.exports import downloads
from dashboards.queries.checks import (
    CHECKS_BY_RELEASE_QUERY,
    count_checks_by_release,
    list_check_results,
    read_last_run_failures,
)
from dashboards.queries.release import list_readable_releases, select_release
from dashboards.text import escape_markdown, format_moment, format_release
from dashboards.widgets import filters
from dashboards.widgets.frame import end_page
from dashboards.widgets.tables import show_table

release = select_release()
st.title("Checks", anchor=False)
st.caption(
    "Every table is checked against its declared limits and against other tables. A failed critical check blocks the "
    f"release; other failed checks are warnings. Data as of {format_release(release)}."
)

last_run = read_last_run_failures()
if last_run is not None and any(check.is_critical for check in last_run[1]):
    st.error(
        f"The last run ({format_moment(last_run[0])}) published nothing, since a critical check failed. "
        "This page shows the release before it.",
        icon=":material/block:",
    )
    for check in last_run[1]:
        if check.is_critical:
            st.markdown(f"`{check.table}` · {escape_markdown(check.check)} · {escape_markdown(check.message)}")

checks = list_check_results(release)
failed = [check for check in checks if not check.passed]
metrics = st.columns(3)
metrics[0].metric("Checks passed", sum(check.passed for check in checks))
metrics[1].metric("Warnings", sum(not check.is_critical for check in failed))
metrics[2].metric("Critical failures", sum(check.is_critical for check in failed))

if not checks:
    st.info("The manifest of this release lists no checks.", icon=":material/search:")
    end_page()
shown = filters.select_segment("Show", ["all", "failed", "passed"], "outcome")
selected = [check for check in checks if shown == "all" or check.passed == (shown == "passed")]
if not selected:
    st.success("No check failed." if shown == "failed" else "No check passed.", icon=":material/check_circle:")
else:
    rows = pl.DataFrame(selected).select(
        pl.when("passed").then(pl.lit("passed")).when("is_critical").then(pl.lit("failed")).otherwise(
            pl.lit("warning")
        ).alias("outcome"),
        "table",
        "check",
        pl.when("is_critical").then(pl.lit("blocks the release")).otherwise(pl.lit("warning")).alias("if it fails"),
        "message",
    )  # fmt: skip
    show_table(rows, key="checks")
    downloads.show_download_buttons(f"checks_{release.name}", downloads.build_table_files(lambda: rows))

st.header("All releases", anchor=False)
# not the newer ones: another may be published during this run
outcomes = count_checks_by_release([other for other in list_readable_releases() if other.number <= release.number])
if outcomes["release"].n_unique() < 2:
    st.info(
        "There is only one release. From the second one on, outcomes are compared here.",
        icon=":material/history:",
    )
else:
    st.caption("Unit: checks · one bar per release · source: the manifests of the releases")
    description = "Checks by outcome for each release. The table below has the numbers."
    drawing.show_chart(partial(draw_check_outcomes, outcomes), key="over", description=description)
    show_table(outcomes, key="outcomes")
    with st.expander("SQL"):
        st.code(CHECKS_BY_RELEASE_QUERY.replace("$manifests", "'data/releases/aisle.v*.json'"), language="sql")
        st.caption("Run it with DuckDB in the project folder: it reads manifests, which `aisle sql` cannot.")
