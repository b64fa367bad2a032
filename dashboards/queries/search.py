"""What the pages of works and things ask: search by the index of a release, or by plain SQL where it has none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import polars as pl
import streamlit as st

from dashboards.figures import figure
from dashboards.queries import release as read
from warehouse.release import Release
from warehouse.search.items import NONE, UNDATED, held, things

if TYPE_CHECKING:
    from warehouse.search.index import Found, Index

Order = Literal["relevance", "newest", "oldest", "title"]
ORDERS: tuple[str, ...] = get_args(Order)
FACETS = ("kind", "lab", "category", "source", "year")
ON_A_PAGE = 20
MOST = 10_000  # results that can be paged through and taken along
_SHOWN = 280  # characters of a text in a list

Facets = Mapping[str, Sequence[str]]
Pieces = list[tuple[str, bool]]
_VALUES = {
    "kind": "[kind]",
    "lab": f"string_split(coalesce(lab, '{NONE}'), '; ')",
    "category": f"[coalesce(category, '{NONE}')]",
    "source": f"[coalesce(source, '{NONE}')]",
    "year": f"[coalesce(strftime(published_on, '%Y'), '{UNDATED}')]",
}
_ORDER_BY = {
    "newest": "published_on desc nulls last, lower(title)",
    "oldest": "published_on nulls last, lower(title)",
    "title": "lower(title)",
}


@dataclass(frozen=True)
class Summary:
    """What was found, in numbers.

    Args:
        total: How many things.
        facets: Things by value for each facet, as if nothing were chosen in that facet itself.
        said: What a reader should know of how the words were taken.
        sql: The same search in plain SQL, with the words as they are spelled.
    """

    total: int
    facets: Mapping[str, Mapping[str, int]]
    said: tuple[str, ...]
    sql: str


def _search() -> ModuleType:
    """The module that needs tantivy, which may be missing.

    Raises:
        ImportError: It is.
    """
    from warehouse.search import index as search

    return search


@st.cache_resource(max_entries=4, ttl=600, show_spinner="Making this release ready for search, once")
def _index(key: tuple[int, str, str], _release: Release) -> Index | str:  # noqa: ARG001  it is remembered by its key
    """The index of a release, made if it is missing; why there is none, if there can be none for now."""
    try:
        search = _search()
    except ImportError as error:
        return f"the package tantivy cannot be loaded ({error}); `make .venv/ready` installs it"
    try:
        search.build(_release)
        try:
            return search.Index(_release)
        except search.NoIndex:
            search.build(_release, is_damaged=True)
            return search.Index(_release)
    except search.NoIndex as error:
        return str(error)


def _index_of(release: Release) -> Index | str:
    with read.reading(release.path):
        return _index(read.key(release), release)


def summary(release: Release, words: str, facets: Facets, order: str = ORDERS[0]) -> Summary:
    """How much fits; whatever the words are, they raise nothing.

    Args:
        release: Where to look.
        words: What was typed.
        facets: The values that are let through, by facet; all of those that have none.
        order: One of ``ORDERS``, for the SQL.

    Raises:
        UnreadableRelease: The release cannot be read.
    """
    index = _index_of(release)
    sql, parameters = _query(release, words, facets, order)
    written = figure.written_out(sql, parameters)
    if isinstance(index, str):
        said = (f"Found by plain SQL, which knows neither endings nor slips of the keyboard: {index}.",)
        total = read.ask(release, f"select count(*) from ({sql})", parameters).item()
        return Summary(total, _counted(release, words, facets), said, written)
    found = _found(read.key(release), index, words, _plain(facets), "relevance", 0, 1)
    return Summary(found.total, _facets(read.key(release), index, words, _plain(facets)), found.said, written)


def page(release: Release, words: str, facets: Facets, order: str, number: int) -> tuple[pl.DataFrame, list[Pieces]]:
    """A page of the things that fit, from 1; arguments and errors as `summary` has them.

    Returns:
        Rows of ``kind``, ``item_id``, ``record_id``, ``title``, ``text``, ``source``, ``lab``, ``category``,
        ``authors``, ``published_on`` and ``url``, and for each the part of its text that says most, in pieces, each
        with whether it was asked for.
    """
    index = _index_of(release)
    offset = (max(number, 1) - 1) * ON_A_PAGE
    if isinstance(index, str):
        sql, parameters = _query(release, words, facets, order)
        rows = read.ask(release, f"{sql}\nlimit {ON_A_PAGE} offset {offset}", parameters)
        return rows, [[(_cut(text), False)] for text in rows["text"]]
    found = _found(read.key(release), index, words, _plain(facets), order, offset, ON_A_PAGE)
    rows = told(release, found.items)
    return rows, [index.snippet(text, found, _SHOWN) if text else [] for text in rows["text"]]


def all_found(release: Release, words: str, facets: Facets, order: str) -> pl.DataFrame:
    """All that fits, up to ``MOST`` things, to be taken along; see `page`."""
    index = _index_of(release)
    if isinstance(index, str):
        sql, parameters = _query(release, words, facets, order)
        return _asked(release, f"{sql}\nlimit {MOST}", parameters)
    return told(release, index.find(_search().Asked(words, _plain(facets)), cast("Any", order), MOST).items)


def _plain(facets: Facets) -> dict[str, list[str]]:
    return {name: list(facets[name]) for name in FACETS if facets.get(name)}


@st.cache_data(max_entries=256, show_spinner=False)
def _found(
    key: tuple[int, str, str],  # noqa: ARG001
    _index: Index,
    words: str,
    facets: dict[str, list[str]],
    order: Any,
    offset: int,
    size: int,
) -> Found:
    return _index.find(_search().Asked(words, facets), order, size, offset)


@st.cache_data(max_entries=256, show_spinner=False)
def _facets(
    key: tuple[int, str, str],  # noqa: ARG001
    _index: Index,
    words: str,
    facets: dict[str, list[str]],
) -> dict[str, dict[str, int]]:
    return _index.facets(_search().Asked(words, facets))


def _cut(text: str | None) -> str:
    return (text or "")[:_SHOWN] + ("…" if len(text or "") > _SHOWN else "")


def told(release: Release, items: Sequence[tuple[str, str]]) -> pl.DataFrame:
    """What is known of these things, in their order; see `page`.

    Args:
        release: Where they are.
        items: Kind and identity of each; those that the release does not have are left out.
    """
    kinds = {kind for kind, _ in items}
    asked = [thing for thing in held(release.manifest["tables"]) if thing.kind in kinds]
    ids = {f"id_{place}": identity for place, (_, identity) in enumerate(items)}
    # the identities are written out, one parameter each, so that DuckDB looks for them before it does anything else
    query = f"""
        select things.*
        from ({things(asked)}) as things
        inner join (
            select
                unnest($kinds::varchar[]) as kind,
                unnest($ids::varchar[]) as item_id,
                unnest(range(len($ids::varchar[]))) as place
        ) as wanted using (kind, item_id)
        where things.item_id in ({", ".join(f"${name}" for name in ids) or "null"})
        order by place
    """
    return _asked(release, query, {"kinds": [kind for kind, _ in items], "ids": list(ids.values()), **ids})


def _asked(release: Release, query: str, parameters: Mapping[str, Any]) -> pl.DataFrame:
    """The rows of a query; not remembered, since pages of results are many and each is asked for once or twice."""
    with read.reading(release.path), release.connect() as connection:
        return connection.sql(query, params=dict(parameters)).pl()


def _query(release: Release, words: str, facets: Facets, order: str) -> tuple[str, dict[str, Any]]:
    """The search in plain SQL: the words as they are spelled, anywhere."""
    parameters: dict[str, Any] = {}
    limits, titled = [], []
    for place, word in enumerate(re.findall(r"\w+", words.lower())[:32]):
        parameters[f"word_{place}"] = word
        limits.append(f"contains(lower(concat_ws(' ', title, authors, lab, category, source, text)), $word_{place})")
        titled.append(f"contains(lower(title), $word_{place})")
    if words.strip() and not limits:
        limits.append("false")  # no word in it
    for name in FACETS:
        if facets.get(name):
            parameters[name] = list(facets[name])
            limits.append(f"list_has_any({_VALUES[name]}, ${name})")
    told = things(held(release.manifest["tables"]))
    where = "\nwhere\n    " + "\n    and ".join(limits) if limits else ""
    in_title = f"({' and '.join(titled)}) desc, " if titled and order == "relevance" else ""
    order_by = _ORDER_BY.get(order, _ORDER_BY["newest"])
    return f"select *\nfrom (\n{told}\n){where}\norder by {in_title}{order_by}, kind, item_id", parameters


def _counted(release: Release, words: str, facets: Facets) -> dict[str, dict[str, int]]:
    counted = {}
    for name in FACETS:
        sql, parameters = _query(release, words, {key: value for key, value in facets.items() if key != name}, "title")
        values = f"select unnest({_VALUES[name]}) as value from ({sql})"
        query = f"select value, count(*) as things from ({values}) group by value order by things desc, value"
        counted[name] = dict(read.ask(release, query, parameters).iter_rows())
    return counted
