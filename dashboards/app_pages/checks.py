"""What was checked when each release was made, what failed, and how that ran over the releases."""

from functools import partial

import polars as pl
import streamlit as st

from dashboards import text
from dashboards.charts import drawing, lineage, palette
from dashboards.exports import downloads
from dashboards.queries import data
from dashboards.queries import release as read
from dashboards.widgets import filters

release = read.chosen()
st.title("Checks", anchor=False)
st.caption(
    "Every table is checked for its declared limits, and tables are checked against each other. A critical check that "
    f"fails holds back the release; others warn. Data as of {text.dated(release)}."
)

last = data.last_run_checks()
if last is not None and any(check.is_critical for check in last[1]):
    st.error(
        f"The last run, which ended {text.moment(last[0])}, published nothing: a critical check failed. "
        "What is shown is the release before it.",
        icon=":material/block:",
    )
    for check in last[1]:
        if check.is_critical:
            st.markdown(f"`{check.table}` · {text.text(check.check)} · {text.text(check.says)}")

told = data.checks(release)
failed = [check for check in told if not check.passed]
counted = st.columns(3)
counted[0].metric("Checks passed", sum(check.passed for check in told))
counted[1].metric("Warnings", sum(not check.is_critical for check in failed))
counted[2].metric("Critical failures", sum(check.is_critical for check in failed))

if not told:
    st.info("The manifest of this release tells of no checks.", icon=":material/search:")
    st.stop()
shown = filters.choice("Show", ["all", "failed", "passed"], "outcome")
kept = [check for check in told if shown == "all" or check.passed == (shown == "passed")]
if not kept:
    st.success("No check failed." if shown == "failed" else "No check passed.", icon=":material/check_circle:")
else:
    rows = pl.DataFrame(kept).select(
        pl.when("passed").then(pl.lit("passed")).when("is_critical").then(pl.lit("failed")).otherwise(
            pl.lit("warns")
        ).alias("outcome"),
        "table",
        "check",
        pl.when("is_critical").then(pl.lit("holds back the release")).otherwise(pl.lit("warns")).alias("if it fails"),
        "says",
    )  # fmt: skip
    palette.table(rows, key="checks")
    downloads.offer(f"checks_{release.name}", downloads.of_table(lambda: rows))

st.header("Over the releases", anchor=False)
# up to this one: another may be published at any moment
over = data.checks_over([other for other in read.all_releases() if other.number <= release.number])
if over["release"].n_unique() < 2:
    st.info(
        "There is one release so far; after the next one its checks are shown here beside these.",
        icon=":material/history:",
    )
else:
    st.caption("Unit: checks · one bar for each release · source: the manifests of the releases")
    told = "Checks by outcome for each release. The table below has the numbers."
    drawing.show(partial(lineage.outcomes_over_releases, over), key="over", told=told)
    palette.table(over, key="outcomes")
    with st.expander("The SQL behind it"):
        st.code(data.CHECKS_OVER_RELEASES.replace("$manifests", "'data/releases/aisle.v*.json'"), language="sql")
        st.caption("It reads the manifests, so ask DuckDB itself in the project’s folder; `aisle sql` reads no files.")
