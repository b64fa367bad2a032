"""One publication: where it is counted, by which label or rule, and the snapshots in which that is written."""

import streamlit as st

from dashboards import charts, frames, read

release = read.chosen()
asked = st.query_params.get("id", "")
_WORK = "select * from clean.publications where publication_id = $id"
_COUNTED = """
    select rules.counting_rule, rules.meaning, counted.lab, counted.weight
    from reference.counting_rules as rules
    cross join lateral (
        select
            lab,
            case rules.attribution
                when 'whole' then whole_weight
                when 'fractional' then fractional_weight
                else first_author_weight
            end as weight
        from mart.counted_publications
        where publication_id = $id and (rules.counts_marked_duplicates or not is_duplicate)
    ) as counted
    where coalesce(counted.weight, 1) > 0
    order by rules.counting_rule, counted.lab
"""
_EVIDENCE = """
    select
        is_newest_version,
        fetched_at,
        original_name,
        locator,
        lab_as_written,
        category_as_written,
        basis,
        snapshot_url,
        sha256,
        snapshot_id,
        record_ordinal
    from mart.publication_evidence
    where publication_id = $id
    order by fetched_at desc, record_ordinal
"""
_IN_TAXONOMIES = """
    select taxonomies.title as taxonomy, coalesce(crosswalk.to_category, publications.category) as category,
        coalesce(crosswalk.weight, 1.0) as weight, coalesce(crosswalk.confidence, 'label of the source') as basis
    from clean.publications as publications
    cross join reference.taxonomies as taxonomies
    left join reference.category_crosswalk as crosswalk
        on
            publications.category = crosswalk.from_category
            and taxonomies.taxonomy = crosswalk.to_taxonomy
            and not taxonomies.is_default
    where publications.publication_id = $id and (taxonomies.is_default or crosswalk.to_category is not null)
    order by taxonomies.is_default desc, weight desc
"""

found = read.ask(release, _WORK, {"id": asked})
if found.is_empty():
    st.title("Work", anchor=False)
    st.info(
        f"{frames.dated(release).capitalize()} has no work of this identity. Open one from the list of publications.",
        icon="🔎",
    )
    st.page_link("app_pages/trends.py", label="All publications", icon="📚")
    st.stop()

work = found.row(0, named=True)
st.title(frames.text(work["title"]), anchor=False)
day = frames.written(work["published_on"]) if work["published_on"] else "no date known"
st.markdown(f"**{frames.text(work['lab'])}** · {frames.text(work['category'])} · {day}")
if work["is_duplicate"]:
    st.warning("The source marks this row as a duplicate of another: rules that count works leave it out.", icon="👥")
if charts.is_link(work["url"]):
    st.link_button("Open the publication", work["url"], icon="↗️")
st.caption(f"Data as of {frames.dated(release)} · identity `{work['publication_id']}`")

st.subheader("Where it is counted", anchor=False)
st.dataframe(read.ask(release, _COUNTED, {"id": asked}), hide_index=True, key="counted")
st.caption("A missing weight means that its authors are not known, so that the rule cannot tell its lab.")
st.dataframe(read.ask(release, _IN_TAXONOMIES, {"id": asked}), hide_index=True, key="taxonomies")

st.subheader("Evidence", anchor=False)
evidence = read.ask(release, _EVIDENCE, {"id": asked})
meanings = read.meanings(release, "mart.publication_evidence")
st.dataframe(evidence, hide_index=True, column_config=charts.columns(evidence, meanings), key="evidence")
st.caption(
    "Each row is a place in a snapshot: bytes kept unchanged, named by their SHA-256. "
    "The version marked as newest is the one that is counted."
)
st.markdown(f"[Permanent link to this work]({frames.permanent_link(release)})")
