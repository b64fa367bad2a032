"""Search over the items of a release: by its full-text index, or by plain SQL if there is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import polars as pl
import streamlit as st

from dashboards.queries.release import get_cache_key, query_release, report_unreadable
from dashboards.queries.sql_text import fill_parameters
from warehouse.release import Release
from warehouse.search.items import (
    INDEX_COLUMNS,
    NO_VALUE,
    UNDATED,
    UNLABELLED,
    list_available_kinds,
    select_items,
)

if TYPE_CHECKING:
    from warehouse.search.index import SearchIndex, SearchResult

Order = Literal["relevance", "newest", "oldest", "title"]
ORDERS: tuple[str, ...] = get_args(Order)
FACETS = ("kind", "lab", "category", "source", "corpus", "year")
PAGE_SIZE = 20
MAX_RESULTS = 10_000  # results that are listed and downloaded
_SNIPPET_CHARACTERS = 280

Facets = Mapping[str, Sequence[str]]
Pieces = list[tuple[str, bool]]
_MAX_LINK_CHARACTERS = 2_000
_OPENALEX_ID = re.compile(r"(?:https?://)?(?:(?:api\.)?openalex\.org/(?:works/)?)?(W\d{5,})", re.IGNORECASE)
# what may be typed for a link, and how to write it for the SQL macro link_key
_LINK_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (
        re.compile(r"(?:arxiv[:\s]*)?(\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?/\d{7})(?:v\d+)?", re.IGNORECASE),
        lambda match: f"arxiv:{match[1]}",
    ),
    (re.compile(r"(?:doi[:\s]*)?(10\.\d{4,9}/\S+)", re.IGNORECASE), lambda match: f"doi:{match[1]}"),
    (re.compile(r"(?:https?://|www\.)\S+|[\w-]+(?:\.[\w-]+)+/\S+", re.IGNORECASE), lambda match: match[0]),
)
_FACET_VALUES = {
    "kind": "[kind]",
    "lab": f"string_split(coalesce(lab, '{NO_VALUE}'), '; ')",
    "category": f"string_split(coalesce(category, if(kind = 'work', '{UNLABELLED}', '{NO_VALUE}')), '; ')",
    "source": f"if(kind = 'work', string_split(source, '; '), [coalesce(source, '{NO_VALUE}')])",
    "corpus": f"coalesce(corpora, ['{NO_VALUE}'])",
    "year": f"[coalesce(strftime(published_on, '%Y'), '{UNDATED}')]",
}
_WORD_COLUMNS = "title, array_to_string(other_titles, ' '), authors, lab, category, source, text"
_ORDER_BY = {
    "newest": "published_on desc nulls last, lower(title)",
    "oldest": "published_on nulls last, lower(title)",
    "title": "lower(title)",
}


@dataclass(frozen=True)
class SearchSummary:
    """The results of a search, in numbers.

    Args:
        total: Number of items.
        facets: Number of items by value for each facet, ignoring the filter on that facet.
        notes: How the words were interpreted, if not literally.
        sql: The same search in plain SQL, for the exact words.
    """

    total: int
    facets: Mapping[str, Mapping[str, int]]
    notes: tuple[str, ...]
    sql: str


def _import_search() -> ModuleType:
    """The module that needs tantivy.

    Raises:
        ImportError: Tantivy is not installed.
    """
    from warehouse.search import index as search

    return search


@st.cache_resource(max_entries=4, ttl=600, show_spinner="Building the search index of this release")
def _open_index(key: tuple[int, str, str], _release: Release) -> SearchIndex | str:  # noqa: ARG001 - the cache key
    """The index of a release, built if it is missing; the reason if it cannot be had."""
    try:
        search = _import_search()
        from warehouse.search.build import IndexUnavailable, build_index
    except ImportError as error:
        return f"the package tantivy cannot be loaded ({error}); `make .venv/ready` installs it"
    try:
        build_index(_release)
        try:
            return search.SearchIndex(_release)
        except IndexUnavailable:
            build_index(_release, is_damaged=True)
            return search.SearchIndex(_release)
    except IndexUnavailable as error:
        return str(error)


def _get_index(release: Release) -> SearchIndex | str:
    with report_unreadable(release.path):
        return _open_index(get_cache_key(release), release)


def summarise_search(release: Release, words: str, facets: Facets, order: str = ORDERS[0]) -> SearchSummary:
    """Counts of the items that match a search. Any text is valid as search words.

    Args:
        release: The release.
        words: The search words as typed.
        facets: The accepted values by facet; a facet without values is not filtered.
        order: One of `ORDERS`, for the SQL.

    Raises:
        UnreadableRelease: The release cannot be read.
    """
    index = _get_index(release)
    sql, parameters = _build_search_query(release, words, facets, order)
    plain_sql = fill_parameters(sql, parameters)
    if isinstance(index, str):
        notes = (f"Found by plain SQL, which matches exact words only, without endings or typos: {index}.",)
        total = query_release(release, f"select count(*) from ({sql})", parameters).item()
        return SearchSummary(total, _count_facets_in_sql(release, words, facets), notes, plain_sql)
    key, chosen, identifier = get_cache_key(release), _make_plain(facets), find_identifier(release, words)
    found = _search_index(key, index, words, identifier, chosen, "relevance", 0, 1)
    return SearchSummary(found.total, _count_facets(key, index, words, identifier, chosen), found.notes, plain_sql)


def find_identifier(release: Release, words: str) -> str:
    """The canonical key of a link, arXiv id, DOI or OpenAlex id that was typed as the whole search; empty if none."""
    typed = words.strip()
    if len(typed) > _MAX_LINK_CHARACTERS:
        return ""
    if match := _OPENALEX_ID.fullmatch(typed):
        return f"openalex:{match[1].upper()}"
    link = next((form(match) for pattern, form in _LINK_FORMS if (match := pattern.fullmatch(typed))), "")
    if not link:
        return ""
    return str(query_release(release, "select link_key($link)", {"link": link}).item())


def list_page(
    release: Release, words: str, facets: Facets, order: str, number: int
) -> tuple[pl.DataFrame, list[Pieces]]:
    """A page of matching items, numbered from 1; arguments and errors as for `summarise_search`.

    Returns:
        Rows of ``kind``, ``item_id``, ``record_id``, ``title``, ``text``, ``source``, ``lab``, ``category``,
        ``authors``, ``published_on``, ``url``, ``places``, ``arxiv_id`` and ``doi``; and for each the best snippet of
        its text, in pieces with whether they match the search.
    """
    index = _get_index(release)
    offset = (max(number, 1) - 1) * PAGE_SIZE
    if isinstance(index, str):
        sql, parameters = _build_search_query(release, words, facets, order)
        rows = query_release(release, f"{sql}\nlimit {PAGE_SIZE} offset {offset}", parameters).drop(INDEX_COLUMNS)
        return rows, [[(_shorten(text), False)] for text in _list_texts(rows)]
    identifier = find_identifier(release, words)
    found = _search_index(
        get_cache_key(release), index, words, identifier, _make_plain(facets), order, offset, PAGE_SIZE
    )
    rows = get_items(release, found.items)
    return rows, [index.extract_snippet(text, found, _SNIPPET_CHARACTERS) if text else [] for text in _list_texts(rows)]


def _list_texts(rows: pl.DataFrame) -> list[str]:
    """The texts of items without the title that they repeat at their beginning, since it stands above the snippet."""
    return [remove_title(text or "", title or "") for title, text in rows.select("title", "text").iter_rows()]


def remove_title(text: str, title: str) -> str:
    """The text without the title at its beginning, if it has it there as whole words."""
    pattern = r"\s+".join(re.escape(word) for word in title.split())
    repeated = re.match(rf"\s*{pattern}(?!\w)[\s.:–—-]*", text, re.IGNORECASE) if pattern else None
    return text[repeated.end() :] if repeated else text


def list_all_results(release: Release, words: str, facets: Facets, order: str) -> pl.DataFrame:
    """All matching items up to `MAX_RESULTS`, for download; columns as for `list_page`."""
    index = _get_index(release)
    if isinstance(index, str):
        sql, parameters = _build_search_query(release, words, facets, order)
        return _query_uncached(release, f"{sql}\nlimit {MAX_RESULTS}", parameters).drop(INDEX_COLUMNS)
    query = _import_search().SearchQuery(words, _make_plain(facets), find_identifier(release, words))
    return get_items(release, index.find(query, cast("Any", order), MAX_RESULTS).items)


def _make_plain(facets: Facets) -> dict[str, list[str]]:
    return {name: list(facets[name]) for name in FACETS if facets.get(name)}


@st.cache_data(max_entries=256, show_spinner=False)
def _search_index(
    key: tuple[int, str, str],  # noqa: ARG001
    _release_index: SearchIndex,
    words: str,
    identifier: str,
    facets: dict[str, list[str]],
    order: Any,
    offset: int,
    size: int,
) -> SearchResult:
    return _release_index.find(_import_search().SearchQuery(words, facets, identifier), order, size, offset)


@st.cache_data(max_entries=256, show_spinner=False)
def _count_facets(
    key: tuple[int, str, str],  # noqa: ARG001
    _release_index: SearchIndex,
    words: str,
    identifier: str,
    facets: dict[str, list[str]],
) -> dict[str, dict[str, int]]:
    return _release_index.count_facets(_import_search().SearchQuery(words, facets, identifier))


def _shorten(text: str | None) -> str:
    return (text or "")[:_SNIPPET_CHARACTERS] + ("…" if len(text or "") > _SNIPPET_CHARACTERS else "")


def get_items(release: Release, items: Sequence[tuple[str, str]]) -> pl.DataFrame:
    """These items in the given order; columns as for `list_page`.

    Args:
        release: The release.
        items: Kind and identity of each; items that the release lacks are left out.
    """
    kinds = {kind for kind, _ in items}
    tables = release.manifest["tables"]
    item_kinds = [kind for kind in list_available_kinds(tables, has_members=True) if kind.kind in kinds]
    ids = {f"id_{place}": identity for place, (_, identity) in enumerate(items)}
    # one parameter per identity, so that DuckDB filters by them first
    chosen = ", ".join(f"${name}" for name in ids) or "null"
    query = f"""
        select items.*
        from ({select_items(item_kinds, chosen=chosen)}) as items
        inner join (
            select
                unnest($kinds::varchar[]) as kind,
                unnest($ids::varchar[]) as item_id,
                unnest(range(len($ids::varchar[]))) as place
        ) as wanted using (kind, item_id)
        where items.item_id in ({chosen})
        order by place
    """
    return _query_uncached(release, query, {"kinds": [kind for kind, _ in items], "ids": list(ids.values()), **ids})


def _query_uncached(release: Release, query: str, parameters: Mapping[str, Any]) -> pl.DataFrame:
    """The rows of a query; not cached, since there are many pages of results and each is read once or twice."""
    with report_unreadable(release.path), release.connect() as connection:
        return connection.sql(query, params=dict(parameters)).pl()


def _build_search_query(release: Release, words: str, facets: Facets, order: str) -> tuple[str, dict[str, Any]]:
    """The search in plain SQL: a link or identifier, or all words, exactly, in any field."""
    parameters: dict[str, Any] = {}
    conditions, title_conditions = [], []
    if identifier := find_identifier(release, words):
        parameters["identifier"] = identifier
        conditions.append("list_contains(identifiers, $identifier)")
    else:
        for place, word in enumerate(re.findall(r"\w+", words.lower())[:32]):
            parameters[f"word_{place}"] = word
            conditions.append(f"contains(lower(concat_ws(' ', {_WORD_COLUMNS})), $word_{place})")
            title_conditions.append(f"contains(lower(title), $word_{place})")
    if words.strip() and not conditions:
        conditions.append("false")  # the text has no word
    for name in FACETS:
        if facets.get(name):
            parameters[name] = list(facets[name])
            conditions.append(f"list_has_any({_FACET_VALUES[name]}, ${name})")
    items_query = select_items(list_available_kinds(release.manifest["tables"]), is_for_index=True)
    where = "\nwhere\n    " + "\n    and ".join(conditions) if conditions else ""
    in_title = f"({' and '.join(title_conditions)}) desc, " if title_conditions and order == "relevance" else ""
    order_by = _ORDER_BY.get(order, _ORDER_BY["newest"])
    return f"select *\nfrom (\n{items_query}\n){where}\norder by {in_title}{order_by}, kind, item_id", parameters


def _count_facets_in_sql(release: Release, words: str, facets: Facets) -> dict[str, dict[str, int]]:
    facet_counts = {}
    for name in FACETS:
        sql, parameters = _build_search_query(
            release, words, {key: value for key, value in facets.items() if key != name}, "title"
        )
        values = f"select unnest({_FACET_VALUES[name]}) as value from ({sql})"
        query = f"select value, count(*) as items from ({values}) group by value order by items desc, value"
        facet_counts[name] = dict(query_release(release, query, parameters).iter_rows())
    return facet_counts
