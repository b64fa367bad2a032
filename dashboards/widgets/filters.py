"""The one bar of filters: the same choices, under the same names in the URL, on every page that counts publications."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import streamlit as st

from dashboards.queries import counts
from dashboards.queries.counts import Selection
from dashboards.text import text
from warehouse.release import Release

ALL = ("labs", "categories", "count", "taxonomy", "span")


def told_unknown(label: str, options: Collection[str], key: str) -> None:
    """Say what the address asks for that is not among the options, since the page is then of something else.

    Only when it is opened: what a reader chose in the page itself may well no longer fit another choice made there.
    """
    if key in st.session_state:
        return
    unknown = [asked for asked in st.query_params.get_all(key) if asked and asked not in options]
    if unknown:
        st.warning(
            f"{label}: {text(', '.join(unknown)[:200])} is not known here, so the address is read without it.",
            icon=":material/warning:",
        )


def choice(label: str, options: Sequence[str], key: str, on_change: Callable[[], None] | None = None) -> str:
    """One of a few; the first unless chosen otherwise, in the URL or here."""
    told_unknown(label, options, key)
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
    return str(chosen) if chosen in options else options[0]  # an empty word in the address is no choice


def switch(label: str, key: str, *, value: bool = False, disabled: bool = False, explained: str | None = None) -> bool:
    """Yes or no; ``true`` or ``false`` in the URL."""
    told_unknown(label, ("true", "false", "True", "False"), key)
    return st.toggle(label, value=value, key=key, disabled=disabled, help=explained, bind="query-params")


def pick(
    label: str, names: Sequence[str], key: str, width: int, first: str | None = None, explained: str | None = None
) -> str:
    """One of several, by the name that it has in SQL and in the URL too; the first unless chosen otherwise."""
    told_unknown(label, names, key)
    index = names.index(first) if first in names else 0
    return str(st.selectbox(label, names, index=index, key=key, width=width, help=explained, bind="query-params"))


def narrow(
    label: str,
    names: Sequence[str],
    key: str,
    width: int,
    placeholder: str,
    on_change: Callable[[], None] | None = None,
) -> str | None:
    """One of several or none, which means all."""
    told_unknown(label, names, key)
    if st.session_state.get(key) not in (None, *names):  # what was offered before and is no more
        st.session_state[key] = None
    return st.selectbox(
        label,
        names,
        index=None,
        key=key,
        placeholder=placeholder,
        width=width,
        on_change=on_change,
        bind="query-params",
    )


def many(label: str, options: Sequence[str], key: str) -> tuple[str, ...]:
    """Any of many; none chosen means all."""
    told_unknown(label, options, key)
    return tuple(st.multiselect(label, options, key=key, placeholder=f"All {label.lower()}", bind="query-params"))


def bar(
    release: Release,
    offered: Collection[str] = ALL,
    *,
    prefix: str = "",
    taxonomy: str | None = None,
) -> Selection:
    """The bar of filters, and what is chosen in it, per year.

    Args:
        release: The release whose labs, categories, rules and months can be chosen.
        offered: Which of `ALL` a page has; the others are at their defaults.
        prefix: Put before the names in the URL, where a page has two bars.
        taxonomy: The taxonomy where it cannot be chosen here; the first one if not given.
    """
    rules = [told.name for told in counts.rules(release)]
    taxonomies = list(counts.taxonomies(release))
    # the taxonomy is chosen below the categories that it decides about
    key = f"{prefix}taxonomy"
    asked = st.session_state.get(key) or st.query_params.get(key) if "taxonomy" in offered else taxonomy
    taxonomy = str(asked) if asked in taxonomies else taxonomies[0]
    labs: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    of_labs, of_categories = st.columns([2, 3], gap="small") if {"labs", "categories"} & set(offered) else (None, None)
    if "labs" in offered and of_labs is not None:
        with of_labs:
            labs = many("Labs", counts.names(release, "lab", taxonomy), f"{prefix}labs")
    if "categories" in offered and of_categories is not None:
        with of_categories:
            categories = many("Categories", counts.names(release, "category", taxonomy), f"{prefix}categories")
    counted = rules[0]
    since = until = None
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        if "count" in offered:
            counted = pick("Counting rule", rules, f"{prefix}count", 190)
        if "taxonomy" in offered:
            taxonomy = pick("Taxonomy", taxonomies, key, 180)
        if "span" in offered:
            months = counts.months(release)
            since = narrow("From", list(months), f"{prefix}since", 130, "All time")
            until = narrow("Until", list(months)[::-1], f"{prefix}until", 130, "All time")
    return Selection(
        labs,
        categories,
        counted,
        taxonomy,
        "year",
        since=months[since][0] if since else None,
        until=months[until][1] if until else None,
    )
