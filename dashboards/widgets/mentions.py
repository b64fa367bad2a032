"""Parts of pages about what texts mention: lists of works with links, the ways of recognising, scopes of feeds."""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboards.queries import mentions
from dashboards.queries.release import query_column_meanings
from dashboards.text import build_page_addresses, format_count
from dashboards.widgets.parts import needs
from dashboards.widgets.tables import configure_columns, configure_page_link, show_table
from warehouse.release import Release


def show_work_table(release: Release, rows: pl.DataFrame, table: str, key: str) -> None:
    """Show works with a link to the page of each.

    Args:
        release: The release.
        rows: The works, with ``work_id``.
        table: The table that they are from, for the meanings of its columns.
        key: Identifies the table on its page.
    """
    linked = rows.with_columns(
        open=pl.Series(build_page_addresses("work", release, {"work": rows["work_id"]}), dtype=pl.String)
    ).select("title", "open", pl.exclude("title", "open", "work_id"))
    show_table(
        linked,
        column_config={
            **configure_columns(linked, query_column_meanings(release, table)),
            "title": st.column_config.TextColumn("Title", width="large"),
            "open": configure_page_link("open"),
        },
        key=key,
    )


@needs("Mentioned in", "clean.mentions", "clean.texts")
def show_work_mentions(release: Release, work_id: str) -> None:
    """Show the texts that mention a work, how that was recognised, and how sure it is; nothing without such texts."""
    rows = mentions.list_work_mentions(release, work_id)
    if rows.is_empty():
        return
    st.subheader("Mentioned in", anchor=False)
    undated = rows["mentioned_on"].null_count()
    st.caption(
        f"{format_count(rows.height, 'text')}, the newest first"
        + (f"; {undated:,} without a date, such as those of captured pages, come last." if undated else ".")
    )
    linked = rows.with_columns(
        open=pl.Series(
            build_page_addresses("item", release, {"kind": rows["item_kind"], "id": rows["item_id"]}), dtype=pl.String
        )
    ).drop("item_kind", "item_id")
    show_table(
        linked.select("mentioned_on", "kind", "open", pl.exclude("mentioned_on", "kind", "open")),
        column_config={
            **configure_columns(linked, query_column_meanings(release, "clean.mentions")),
            "open": configure_page_link("open"),
            "fragment": st.column_config.TextColumn("Words", width="large"),
        },
        key="mentions",
    )


@needs("Most discussed works", "mart.most_discussed_works")
def show_discussed_works(release: Release) -> None:
    """Show the works that most posts, comments, segments and items of blogs mention."""
    rows = mentions.list_discussed_works(release)
    if rows.is_empty():
        st.caption("No text mentions a work of this release.")
        return
    st.caption(
        f"{format_count(rows.height, 'work')}, whatever the filters above. A text counts once for each work that it "
        "mentions by a link, title, alias, quotation or abstract; feeds of other fields are left out."
    )
    show_work_table(release, rows, "mart.most_discussed_works", "discussed")
    show_rules(release)


@needs("Most taught works", "mart.most_taught_works")
def show_taught_works(release: Release) -> None:
    """Show the works that most episodes read or mention."""
    rows = mentions.list_taught_works(release)
    if rows.is_empty():
        st.caption("No episode mentions a work of this release.")
        return
    st.caption(
        f"{format_count(rows.height, 'work')} in episodes of feeds of the field and of saved pages, each episode once."
    )
    show_work_table(release, rows, "mart.most_taught_works", "taught")
    show_rules(release)


@needs("From publication to discussion", "mart.days_from_paper_to_discussion")
def show_delays(release: Release) -> None:
    """Show how many days after their publication works were first mentioned."""
    rows = mentions.list_delays(release)
    if rows.is_empty():
        st.caption("No dated text mentions a work whose day of publication is known.")
        return
    later = rows.filter(pl.col("days") >= 0)["days"]
    finding = (
        f"Half of them were first mentioned within {later.quantile(0.5, 'higher'):,.0f} days. " if len(later) else ""
    )
    earlier = rows.height - len(later)
    st.caption(
        f"{format_count(rows.height, 'work')} with a dated text. {finding}"
        + (f"{format_count(earlier, 'text')} came before the date that is shown for the work. " if earlier else "")
        + "A work that nobody mentions is not among them, and texts without a date are not used."
    )
    show_work_table(release, rows, "mart.days_from_paper_to_discussion", "delays")


@needs("Authors and their topics", "mart.author_topics")
def show_author_topics(release: Release, authors: tuple[str, ...]) -> None:
    """Show the topics that authors write about.

    Args:
        release: The release.
        authors: Names of authors; all if empty.
    """
    rows = mentions.list_author_topics(release, authors)
    if rows.is_empty():
        st.caption("No text of a named author mentions a topic.")
        return
    show_table(
        rows,
        column_config=configure_columns(rows, query_column_meanings(release, "mart.author_topics")),
        key="author topics",
    )


@needs("How mentions are recognised", "reference.mention_rules")
def show_rules(release: Release) -> None:
    """Show how mentions are recognised, and the basis of the certainty in each way."""
    with st.expander("How mentions are recognised, and how sure that is"):
        rows = mentions.list_rules(release)
        show_table(
            rows,
            column_config={
                **configure_columns(rows, query_column_meanings(release, "reference.mention_rules")),
                "basis": st.column_config.TextColumn("Why", width="large"),
            },
        )
        st.caption("Aliases are in `warehouse/reference/aliases.csv`, to which anyone can add rows.")


@needs("Scopes of feeds", "clean.feed_scopes")
def show_feed_scopes(release: Release) -> None:
    """Show which feeds belong to the field, and why."""
    rows = mentions.list_feed_scopes(release)
    if rows.is_empty():
        return
    with st.expander("Which feeds belong to the field"):
        show_table(
            rows,
            column_config={
                **configure_columns(rows, query_column_meanings(release, "clean.feed_scopes")),
                "basis": st.column_config.TextColumn("Why", width="large"),
            },
        )
        st.caption("The scope of a feed is declared in `warehouse/reference/feed_scopes.csv`.")
