"""Parts of a page, each with the tables it needs: a part whose table a release lacks names it, and the others show."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Concatenate, ParamSpec

import streamlit as st

from dashboards.queries.release import MissingData, declared_tables, get_newest_release, require_tables
from dashboards.text import escape_markdown
from warehouse.release import Release

Arguments = ParamSpec("Arguments")
Part = Callable[Concatenate[Release, Arguments], None]
PARTS: dict[str, tuple[str, ...]] = {}
"""The tables that each part needs, by its title."""


def needs(title: str, *tables: str, optional: Sequence[str] = ()) -> Callable[[Part[Arguments]], Part[Arguments]]:
    """Declare the tables that a part of a page needs; without one of them a message is shown in its place.

    Args:
        title: What the part shows, for the message.
        tables: The tables.
        optional: Tables that it reads if the release has them.
    """

    def decorate(show: Part[Arguments]) -> Part[Arguments]:
        PARTS[title] = tables

        @functools.wraps(show)
        def show_part(release: Release, *arguments: Arguments.args, **options: Arguments.kwargs) -> None:
            declared = declared_tables.set(declared_tables.get() | {*tables, *optional})
            try:
                require_tables(release, tables)
                show(release, *arguments, **options)
            except MissingData as error:
                show_missing_data(release, error, title)
            finally:
                declared_tables.reset(declared)

        return show_part

    return decorate


def show_missing_data(release: Release, error: MissingData, subject: str = "This page") -> None:
    """Show which tables a release lacks, and how to get one that has them."""
    names = ", ".join(f"`{name}`" if re.fullmatch(r"\w+\.\w+", name) else escape_markdown(name) for name in error.names)
    if set(error.names) <= set(release.lake_tables):
        st.info(
            f"**{escape_markdown(subject)}** cannot be shown: {names} "
            f"{'is' if len(error.names) == 1 else 'are'} too large for the release file and in the lake only.",
            icon=":material/database:",
        )
        return
    remedy = "Run `aisle run` to publish a release that has it, then reload this page."
    if get_newest_release().number > release.number:
        remedy = "A newer release may have it. Otherwise run `aisle run` to publish one, then reload this page."
    st.info(
        f"**{escape_markdown(subject)}** cannot be shown: release {release.name}, published by an older version, lacks "
        f"{names}. {remedy}",
        icon=":material/history:",
    )
