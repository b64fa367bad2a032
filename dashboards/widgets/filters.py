"""Filters whose choices are part of the URL, and the filter bar of all pages that count publications."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboards.queries import counts
from dashboards.queries.corpora import list_taxonomies
from dashboards.queries.selection import Selection, parse_span
from dashboards.text import escape_markdown
from warehouse.release import Release

ALL_FILTERS = ("labs", "categories", "count", "taxonomy", "span")


def warn_unknown_values(label: str, options: Collection[str], key: str) -> None:
    """Warn of values in the URL that are not among the options, when the page is opened.

    Not later: what was chosen on the page may no longer be among the options after another choice.
    """
    if key in st.session_state:
        return
    unknown = [value for value in st.query_params.get_all(key) if value and value not in options]
    if unknown:
        values = escape_markdown(", ".join(unknown)[:200])
        st.warning(
            f"{label}: {values} is not one of the options. This part of the address is ignored.",
            icon=":material/warning:",
        )


def select_segment(label: str, options: Sequence[str], key: str, on_change: Callable[[], None] | None = None) -> str:
    """One of a few options, as a row of buttons; the first by default."""
    warn_unknown_values(label, options, key)
    chosen = st.segmented_control(
        label,
        options,
        key=key,
        default=options[0],
        required=True,
        on_change=on_change,
        bind="query-params",
        width="content",
    )
    return str(chosen) if chosen in options else options[0]  # an empty value in the URL


def select_toggle(
    label: str, key: str, *, value: bool = False, disabled: bool = False, help_text: str | None = None
) -> bool:
    """A switch; ``true`` or ``false`` in the URL."""
    warn_unknown_values(label, ("true", "false", "True", "False"), key)
    return st.toggle(label, value=value, key=key, disabled=disabled, help=help_text, bind="query-params")


def select_one(
    label: str, options: Sequence[str], key: str, width: int, default: str | None = None, help_text: str | None = None
) -> str:
    """One of several options; the first unless there is a default."""
    warn_unknown_values(label, options, key)
    index = options.index(default) if default in options else 0
    return str(st.selectbox(label, options, index=index, key=key, width=width, help=help_text, bind="query-params"))


def select_optional(
    label: str,
    options: Sequence[str],
    key: str,
    width: int,
    placeholder: str,
    on_change: Callable[[], None] | None = None,
) -> str | None:
    """One of several options, or none for all."""
    warn_unknown_values(label, options, key)
    if st.session_state.get(key) not in (None, *options):  # no longer offered
        st.session_state[key] = None
    return st.selectbox(
        label,
        options,
        index=None,
        key=key,
        placeholder=placeholder,
        width=width,
        on_change=on_change,
        bind="query-params",
    )


def settle_month(months: Sequence[str], key: str, *, is_last: bool) -> None:
    """Write a month that was typed, or that stands in the address, as it is in the list; call before any filter.

    Args:
        months: The months to choose from.
        key: Key of the filter.
        is_last: Whether the span of time ends with the month.
    """
    written = str(st.session_state.get(key, st.query_params.get(key)) or "")
    if not written or written in months:
        return
    span = parse_span(written)
    month = f"{span[is_last]:%Y-%m}" if span else None
    if span is None:
        st.session_state[f"{key} ignored"] = written
    if key in st.session_state:
        st.session_state[key] = month
    elif month != written:  # a widget takes its first value from the address
        if month is None:
            del st.query_params[key]
        else:
            st.query_params[key] = month
        st.rerun()


def select_span_end(
    label: str, months: Sequence[str], key: str, notes: DeltaGenerator, *, is_last: bool = False
) -> dt.date | None:
    """A month, chosen or typed in one of the forms of `parse_span`: its first or last day, or None for all time.

    Args:
        label: Label of the filter.
        months: The months to choose from.
        key: Its key, also in the URL.
        notes: A container for a message, which must not move the filters: they would lose their URL parameters.
        is_last: Whether the span of time ends with the month.
    """
    if ignored := st.session_state.pop(f"{key} ignored", None):
        notes.warning(
            f"{label}: {escape_markdown(ignored[:200])} is not one of the options, nor a month such as 2023-05 or "
            "May 2023. It is ignored.",
            icon=":material/warning:",
        )
    wanted = st.session_state.get(key, st.query_params.get(key))
    month = st.selectbox(
        label,
        months if wanted in (None, *months) else [*months, wanted],
        index=None,
        key=key,
        placeholder="All time",
        width=150,
        bind="query-params",
        accept_new_options=True,
        filter_mode="contains",
        help="Choose a month, or type it: 2023-05, May 2023, 2023 Q2 or 2023.",
    )
    span = parse_span(str(month)) if month else None
    return span[is_last] if span else None


def select_many(label: str, options: Sequence[str], key: str) -> tuple[str, ...]:
    """Any number of options; none for all."""
    warn_unknown_values(label, options, key)
    return tuple(st.multiselect(label, options, key=key, placeholder=f"All {label.lower()}", bind="query-params"))


def show_filter_bar(
    release: Release,
    shown: Collection[str] = ALL_FILTERS,
    *,
    prefix: str = "",
    taxonomy: str | None = None,
    corpus: str | None = None,
) -> Selection:
    """Show the filter bar, and return what is chosen in it, counted per year.

    Args:
        release: The release whose labs, categories, counting rules and months can be chosen.
        shown: Which of `ALL_FILTERS` are shown; the others have their defaults.
        prefix: Put before the URL parameters, for the second bar of a page.
        taxonomy: The taxonomy where it cannot be chosen here; the default one if missing.
        corpus: The corpus; None in a release that has only one.
    """
    months = counts.list_months(release, corpus)
    if "span" in shown:
        settle_month(months, f"{prefix}since", is_last=False)
        settle_month(months, f"{prefix}until", is_last=True)
    rules = [rule.name for rule in counts.list_counting_rules(release, corpus)]
    taxonomies = list(list_taxonomies(release, corpus))
    # the taxonomy is chosen below the categories that depend on it
    key = f"{prefix}taxonomy"
    wanted = st.session_state.get(key) or st.query_params.get(key) if "taxonomy" in shown else taxonomy
    taxonomy = str(wanted) if wanted in taxonomies else taxonomies[0]
    labs: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    left, right = st.columns([2, 3], gap="small") if {"labs", "categories"} & set(shown) else (None, None)
    if "labs" in shown and left is not None:
        with left:
            labs = select_many("Labs", counts.list_members(release, "lab", taxonomy, corpus), f"{prefix}labs")
    if "categories" in shown and right is not None:
        with right:
            members = counts.list_members(release, "category", taxonomy, corpus)
            categories = select_many("Categories", members, f"{prefix}categories")
    rule = rules[0]
    since = until = None
    notes = st.container()
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        if "count" in shown:
            rule = select_one("Counting rule", rules, f"{prefix}count", 190)
        if "taxonomy" in shown:
            taxonomy = select_one("Taxonomy", taxonomies, key, 180)
        if "span" in shown:
            since = select_span_end("From", months, f"{prefix}since", notes)
            until = select_span_end("Until", months[::-1], f"{prefix}until", notes, is_last=True)
    return Selection(
        labs,
        categories,
        rule,
        taxonomy,
        "year",
        since=since,
        until=until,
        corpus=corpus,
    )
