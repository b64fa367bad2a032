"""What the pages of discussion and curriculum ask, and the charts that only they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import polars as pl

from dashboards.charts.palette import FITTED
from dashboards.queries import release as read
from warehouse.release import Release

MOST = 1_000  # rows of a list
# Okabe and Ito's colours, apart from each other for colour-blind readers too
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#66707A")
_ROW = 30  # height of a row in pixels
_SAID = {
    "clean.segments": """
        select
            'segment' as thing,
            kind,
            segment_id as item_id,
            case
                when kind = 'reply_by_other' then '(someone else)'
                else coalesce(page_owner, '(owner not known)')
            end as author,
            cast(null as date) as published_on,
            page_sha256 as thread_id,
            'Page of ' || coalesce(page_owner, 'someone not known') as thread,
            is_truncated,
            "text" as said
        from clean.segments
    """,
    "clean.forum_posts": """
        select
            'post' as thing,
            'post' as kind,
            forum_post_id as item_id,
            coalesce(author, '(author not known)') as author,
            cast(posted_at as date) as published_on,
            site || ' ' || forum_id as thread_id,
            coalesce(title, '(no title)') as thread,
            false as is_truncated,
            "text" as said
        from clean.forum_posts
    """,
    "clean.forum_comments": """
        select
            'comment' as thing,
            'comment' as kind,
            forum_comment_id as item_id,
            coalesce(author, '(author not known)') as author,
            cast(posted_at as date) as published_on,
            site || ' ' || coalesce(post_forum_id, '') as thread_id,
            coalesce(post_title, '(a post not held)') as thread,
            false as is_truncated,
            "text" as said
        from clean.forum_comments
    """,
}


@dataclass(frozen=True)
class Choice:
    """Which of what is said.

    Args:
        authors: Names; all if empty.
        kinds: Kinds; all if empty.
    """

    authors: Sequence[str] = ()
    kinds: Sequence[str] = ()

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of every query on what is said."""
        return {"authors": list(self.authors), "kinds": list(self.kinds)}


def said(release: Release) -> str:
    """A query for all that is said on forums, by the tables that the release has.

    Returns:
        SQL for ``thing``, ``kind``, ``item_id``, ``author``, ``published_on``, ``thread_id``, ``thread``,
        ``is_truncated`` and ``said``, of the authors ``$authors`` and the kinds ``$kinds``, all where these are empty.
    """
    parts = [query for table, query in _SAID.items() if table in release.manifest["tables"]]
    return f"""
        select *
        from ({" union all ".join(parts)})
        where
            (len($authors::varchar[]) = 0 or list_contains($authors::varchar[], author))
            and (len($kinds::varchar[]) = 0 or list_contains($kinds::varchar[], kind))
    """


def by_author(release: Release) -> str:
    """SQL for the number of things said per author and kind, those with the most first."""
    return f"""
        select
            author,
            kind,
            count(*) as things,
            count(*) filter (where is_truncated) as cut_short,
            count(*) filter (where published_on is null) as undated
        from ({said(release)})
        group by author, kind
        order by sum(things) over (partition by author) desc, author, kind
        limit {MOST}
    """


def by_month(release: Release) -> str:
    """SQL for the number of dated things said per month and kind."""
    return f"""
        select
            cast(date_trunc('month', published_on) as date) as published_month,
            kind,
            count(*) as things
        from ({said(release)})
        where published_on is not null
        group by published_month, kind
        order by published_month, kind
    """


def threads(release: Release) -> str:
    """SQL for the threads, or captured pages, those with the most said first."""
    return f"""
        select
            any_value(thread) as thread,
            count(*) as things,
            count(distinct author) as authors,
            min(published_on) as first_on,
            max(published_on) as last_on,
            count(*) filter (where published_on is null) as undated
        from ({said(release)})
        group by thread_id
        order by things desc, thread, thread_id
        limit {MOST}
    """


def listed(release: Release, choice: Choice) -> pl.DataFrame:
    """What is said, newest first, the beginning of each: ``thing``, ``item_id``, ``author``, ``kind`` and so on."""
    query = f"""
        select
            published_on,
            author,
            kind,
            thread,
            left(regexp_replace(said, '\\s+', ' ', 'g'), 160) as begins,
            is_truncated,
            thing,
            item_id
        from ({said(release)})
        order by published_on desc nulls last, thread_id, item_id
        limit {MOST}
    """
    return read.ask(release, query, choice.parameters)


def names(release: Release, column: str) -> list[str]:
    """All authors, or all kinds, by name; ``column`` is ``author`` or ``kind``."""
    query = f"select distinct {column} from ({said(release)}) order by {column}"
    return read.ask(release, query, Choice().parameters)[column].to_list()


def totals(release: Release, choice: Choice) -> dict[str, int]:
    """``things``, ``authors`` known by name, ``threads``, ``dated`` and ``undated`` of a choice."""
    query = f"""
        select
            count(*) as things,
            count(distinct author) filter (where not starts_with(author, '(')) as authors,
            count(distinct thread_id) as threads,
            count(published_on) as dated,
            count(*) - count(published_on) as undated
        from ({said(release)})
    """
    return read.ask(release, query, choice.parameters).row(0, named=True)


def linked(release: Release, kinds: Sequence[str]) -> pl.DataFrame:
    """The publications that things of these kinds link to, with where: ready to be listed, most discussed first."""
    query = """
        select
            'publication' as kind,
            publications.publication_id as item_id,
            publications.title,
            publications.lab,
            count(*) as links
        from mart.discussed_links as links
        inner join clean.publications as publications on links.publication_id = publications.publication_id
        where list_contains($kinds::varchar[], links.kind)
        group by all
        order by links desc, publications.title
    """
    return read.ask(release, query, {"kinds": list(kinds)})


def linked_from(release: Release, publication: str) -> pl.DataFrame:
    """Where a publication is linked to: ``kind`` and ``item_id`` of each thing, and the link as it stands there."""
    query = """
        select kind, item_id, linked_url
        from mart.discussed_links
        where publication_id = $id
        order by kind, item_id
    """
    return read.ask(release, query, {"id": publication})


def _colours(kinds: Sequence[str]) -> dict[str, str]:
    return {kind: _COLOURS[place % len(_COLOURS)] for place, kind in enumerate(kinds)}


def stacked_by_author(frame: pl.DataFrame, kinds: Sequence[str], ink: str) -> Any:
    """Bars of the first authors, stacked by kind.

    Args:
        frame: Rows of `by_author`.
        kinds: All kinds, so that a colour does not depend on a choice.
        ink: Colour of text.
    """
    authors = frame["author"].unique(maintain_order=True).to_list()[:25]
    shown = frame.filter(pl.col("author").is_in(authors))
    return _stacked(
        shown,
        {"y": alt.Y("author:N", sort=authors, axis=alt.Axis(title=None, labelLimit=150, domain=False, ticks=False))},
        {"x": alt.X("things:Q", title="Segments, posts and comments", axis=_counting())},
        _colours(kinds),
        ink,
        _ROW * max(len(authors), 1),
    )


def over_months(frame: pl.DataFrame, kinds: Sequence[str], ink: str, by: str = "kind", of: str = "things") -> Any:
    """Bars of months, stacked by a column; arguments else as `stacked_by_author` has them.

    Args:
        frame: Rows with ``published_month``.
        kinds: All values of the column ``by``.
        ink: Colour of text.
        by: The column told by colour.
        of: The column of numbers.
    """
    return _stacked(
        frame,
        {"x": alt.X("yearmonth(published_month):T", title=None, axis=alt.Axis(format="%b %Y", tickCount=6))},
        {"y": alt.Y(f"{of}:Q", title=f"{of.capitalize()} per month", axis=_counting())},
        _colours(kinds),
        ink,
        220,
        by,
    )


def _counting() -> alt.Axis:
    return alt.Axis(tickMinStep=1, format="d", tickCount=5, domain=False, ticks=False)


def _stacked(
    frame: pl.DataFrame,
    of: Mapping[str, Any],
    counted: Mapping[str, Any],
    colour_of: Mapping[str, str],
    ink: str,
    height: int,
    by: str = "kind",
) -> Any:
    told = {kind: colour for kind, colour in colour_of.items() if kind in set(frame[by])}
    legend = alt.Legend(
        title=None,
        orient="top",
        labelColor=ink,
        columns=alt.ExprRef(f"max(1, floor(width / {150 if by == 'kind' else 240}))"),
    )
    bars: Any = alt.Chart(frame).mark_bar()  # mark methods lose their type
    chart = bars.encode(
        **of,
        **counted,
        color=alt.Color(f"{by}:N", scale=alt.Scale(domain=list(told), range=list(told.values())), legend=legend),
        tooltip=[alt.Tooltip(name) for name in frame.columns if name not in {"cut_short", "undated"}],
    ).properties(height=height, **FITTED)
    return chart.configure_axis(labelColor=ink, titleColor=ink).configure_view(strokeOpacity=0)
