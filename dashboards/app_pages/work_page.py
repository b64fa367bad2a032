"""One work: where it was found, what is stated about it, how it is counted, and the snapshots that contain it.

Its own page shows it, and the pages of its records, whose addresses are of earlier releases.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboards.queries import discussion, listed_work, search, work
from dashboards.queries.review import get_editor
from dashboards.queries.sources import REMOVED_TABLE, find_lists_without
from dashboards.text import (
    build_permanent_link,
    escape_markdown,
    format_date,
    format_release,
    shorten_title,
    show_link,
    show_web_link,
)
from dashboards.widgets import evidence, listing, work_parts
from dashboards.widgets.filters import select_toggle
from dashboards.widgets.mentions import show_work_mentions
from dashboards.widgets.parts import needs
from dashboards.widgets.report_link import show_report_link
from dashboards.widgets.tables import show_table
from warehouse.release import Release
from warehouse.search.items import ITEM_TABLES, UNLABELLED

MAX_MENTIONS = 50


@needs("Whether a list still has it", REMOVED_TABLE)
def show_removal(release: Release, publication_id: str) -> None:
    """Show a message if the publication was removed from its lists, where it is still counted."""
    for stream, listed_at in find_lists_without(release, publication_id):
        st.info(
            f"**No longer in {escape_markdown(stream)}, but still counted.** The last snapshot that has it is of "
            f"{format_date(listed_at)}. To leave it out, mark it as a duplicate in the list, then run `aisle run`.",
            icon=":material/playlist_remove:",
        )


@needs("Similar publications", "mart.alike_publications", "clean.publications")
def show_similar(release: Release, publication_ids: list[str], *, is_duplicate: bool) -> None:
    """Show links to other publications with the same title, abstract or link."""
    similar = listed_work.list_similar_publications(release, publication_ids)
    if similar.is_empty():
        note = " The source does not name the publication that it duplicates." if is_duplicate else ""
        st.caption(f"No other publication has the same title, abstract or link.{note}")
    for row in similar.iter_rows(named=True):
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            listing.show_item_link(row)
            st.caption(escape_markdown(row["why"]))


@needs("Discussed in", "mart.discussed_links", optional=ITEM_TABLES)
def show_mentions(release: Release, publication_ids: list[str]) -> None:
    """Show links to the items that link to the publication, if there are any; for a release without works."""
    items = [
        (kind, item_id)
        for publication_id in publication_ids
        for kind, item_id, _ in discussion.list_mentions(release, publication_id).iter_rows()
    ]
    if not items:
        return
    st.subheader("Discussed in", anchor=False)
    for row in search.get_items(release, items[:MAX_MENTIONS]).iter_rows(named=True):
        listing.show_item_link(row)


@needs("How it is counted", "mart.counted_publications", "reference.counting_rules")
def show_weights(release: Release, publication_ids: list[str]) -> None:
    """Show its weight by each counting rule in the published mapping."""
    show_table(listed_work.list_weights(release, publication_ids), key="counted")
    st.caption("If its authors are not known, counting rules by author count it under “(authors not known)”.")


@needs(
    "Its categories",
    *("clean.publications", "reference.taxonomies", "reference.category_crosswalk"),
    optional=["clean.category_crosswalk"],
)
def show_categories(release: Release, publication_ids: list[str]) -> None:
    """Show its category in each taxonomy."""
    show_table(listed_work.list_categories(release, publication_ids), key="taxonomies")


@needs("Evidence", "mart.publication_evidence")
def show_publication_evidence(release: Release, publication_ids: list[str]) -> None:
    """Show the snapshots that contain the rows of lists."""
    evidence.show_evidence(
        release,
        listed_work.list_evidence(release, publication_ids),
        "mart.publication_evidence",
        note="The newest version is the one that is counted.",
    )


@needs("Evidence of its records", "raw.sightings", "raw.snapshots", *work.WORK_TABLES)
def show_record_evidence(release: Release, work_id: str) -> None:
    """Show the snapshots that contain any of its records, if they are wanted."""
    if select_toggle("Show the snapshots that contain its records", "snapshots"):
        records = work.list_members(release, work_id)["record_id"].to_list()
        evidence.show_places(release, *records)
    else:
        st.markdown(f"[Permanent link to this page]({build_permanent_link(release)})")


def show_heading(row: dict[str, Any]) -> None:
    """Show title, authors, labs, date and link."""
    title = shorten_title(row["title"])
    st.title(escape_markdown(title), anchor=False)
    facts = [row["labs"] or "(no followed lab)", row["categories"] or UNLABELLED, work_parts.describe_date(row)]
    if row["members"] > 1:
        facts.append(f"found in {row['members']} places")
    st.markdown(f"**{escape_markdown(facts[0])}** · {escape_markdown(' · '.join(facts[1:]))}")
    if row["authors"]:
        st.text(listing.shorten_authors(row["authors"]))
    if row["is_withdrawn"]:
        st.warning("A source states that it was retracted or withdrawn.", icon=":material/block:")
    if row.get("is_excluded"):
        st.warning(f"Excluded from the living corpora by {escape_markdown(row['exclusion'])}.", icon=":material/block:")
    if row.get("corrections"):
        st.caption(f"Corrected by people: {escape_markdown(row['corrections'])}.")
    if title.endswith(" …"):
        with st.expander("The whole title"):
            st.text(row["title"])


def show_work(release: Release, work_id: str) -> None:
    """Show all parts of the page of a work, or of a publication in a release without works."""
    is_work = work.has_works(release)
    item = search.get_items(release, [("work" if is_work else "publication", work_id)])
    this = {**work.query_work(release, work_id).row(0, named=True), "categories": item["category"].item()}
    show_heading(this)
    listed = listed_work.list_rows(release, work_id)
    rows, duplicates = listed["publication_id"].to_list(), int(listed["is_duplicate"].sum())
    if duplicates:
        marked = "this row" if listed.height == 1 else f"{duplicates} of its {listed.height:,} rows"
        st.warning(
            f"The source marks {marked} as a duplicate. Counting rules for works leave it out.", icon=":material/group:"
        )
    for publication_id in rows:
        show_removal(release, publication_id)
    show_web_link("Open the publication", this["url"])
    st.caption(f"Data as of {format_release(release)} · identifier `{work_id}`")
    if is_work and get_editor():
        show_link("review", "Decide on this work", {"work": work_id})
    if this["abstract"]:
        with st.expander("Abstract"):
            st.text(this["abstract"])
    if is_work:
        show_parts_of_work(release, work_id)
        show_work_mentions(release, work_id)
    else:
        show_mentions(release, rows)
    if rows:
        st.subheader("Similar publications", anchor=False)
        show_similar(release, rows, is_duplicate=duplicates == listed.height)
        st.subheader("How it is counted", anchor=False)
        show_weights(release, rows)
        show_categories(release, rows)
    st.subheader("Cite", anchor=False)
    listing.show_item_downloads(f"aisle_{release.name}_work_{work_id}", "work", lambda: item)
    if rows:
        show_publication_evidence(release, rows)
    else:
        show_record_evidence(release, work_id)
    if is_work:
        show_report_link(release, work_id, this["title"])


def show_parts_of_work(release: Release, work_id: str) -> None:
    """Show the places of a work, and what these state about it."""
    work_parts.show_places(release, work_id)
    work_parts.show_candidates(release, work_id)
    work_parts.show_conflicts(release, work_id)
    st.subheader("Dates", anchor=False)
    work_parts.show_dates(release, work_id)
    work_parts.show_versions(release, work_id)
    st.subheader("Labs and authors", anchor=False)
    work_parts.show_labs(release, work_id)
    st.subheader("Labels", anchor=False)
    work_parts.show_labels(release, work_id)
    work_parts.show_identifiers(release, work_id)
    work_parts.show_history(release, work_id)
