"""One publication: where it is counted, by which label or rule, and the snapshots in which that is written."""

import streamlit as st

from dashboards import text as frames
from dashboards.charts import palette
from dashboards.queries import discussion, search
from dashboards.queries import release as read
from dashboards.widgets import evidence, listing

release = read.chosen()
asked = st.query_params.get("id", "")
_WORK = "select * from clean.publications where publication_id = $id"
_COUNTED = """
    select
        rules.counting_rule,
        rules.meaning,
        case when counted.weight is null then '(authors not known)' else counted.lab end as lab,
        coalesce(counted.weight, counted.whole_weight) as weight
    from reference.counting_rules as rules
    cross join lateral (
        select
            lab,
            whole_weight,
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

_ALIKE = """
    select
        'publication' as kind,
        others.publication_id as item_id,
        publications.title,
        string_agg(others.basis, ', ' order by others.basis desc) as why
    from mart.alike_publications as this
    inner join mart.alike_publications as others
        on
            this.basis = others.basis
            and this.group_sha256 = others.group_sha256
            and this.publication_id != others.publication_id
    inner join clean.publications as publications on others.publication_id = publications.publication_id
    where this.publication_id = $id
    group by all
    order by publications.title, item_id
    limit 50
"""

found = read.ask(release, _WORK, {"id": asked})
if found.is_empty():
    st.title("Work", anchor=False)
    st.info(
        f"No work of this identity is in {frames.dated(release)}. Search for it.",
        icon=":material/search:",
    )
    st.page_link("app_pages/works.py", label="Search", icon=":material/search:")
    st.stop()

work = found.row(0, named=True)
st.title(frames.text(work["title"]), anchor=False)
day = frames.written(work["published_on"]) if work["published_on"] else "no date known"
st.markdown(f"**{frames.text(work['lab'])}** · {frames.text(work['category'])} · {day}")
alike = read.ask(release, _ALIKE, {"id": asked})
if work["is_duplicate"]:
    st.warning(
        "The source marks this row as a duplicate of another: rules that count works leave it out.",
        icon=":material/group:",
    )
if palette.is_link(work["url"]):
    st.link_button("Open the publication", work["url"], icon=":material/open_in_new:")
st.caption(f"Data as of {frames.dated(release)} · identity `{work['publication_id']}`")

if work["abstract"]:
    with st.expander("Abstract"):
        st.text(work["abstract"])

st.subheader("Also seen as", anchor=False)
if alike.is_empty():
    said = "which one it duplicates, the source does not say" if work["is_duplicate"] else "none is a duplicate of it"
    st.caption(f"No other publication has its title, its abstract or its link; {said}.")
for row in alike.iter_rows(named=True):
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        listing.link(row)
        st.caption(row["why"])

mentions = discussion.linked_from(release, asked)
if not mentions.is_empty():
    st.subheader("Discussed in", anchor=False)
    spoken = [(kind, item) for kind, item in mentions.select("kind", "item_id").head(50).iter_rows()]
    for row in search.told(release, spoken).iter_rows(named=True):
        listing.link(row)

st.subheader("Where it is counted", anchor=False)
counted = read.ask(release, _COUNTED, {"id": asked})
palette.table(counted, key="counted")
st.caption("Where its authors are not known, a rule by authors cannot tell its lab, and counts it apart.")
labels = read.ask(release, _IN_TAXONOMIES, {"id": asked})
palette.table(labels, key="taxonomies")

st.subheader("Cite", anchor=False)
listing.downloads(f"aisle_{release.name}_work_{asked}", "work", lambda: search.told(release, [("publication", asked)]))

places = read.ask(release, _EVIDENCE, {"id": asked})
st.caption("The version marked as newest is the one that is counted.")
evidence.panel(release, places, "mart.publication_evidence")
