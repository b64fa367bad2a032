"""Searching the full-text index of a release (tantivy)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tantivy
from tantivy import Occur, Query

from warehouse.release import Release
from warehouse.search.build import IndexUnavailable, get_index_folder
from warehouse.search.documents import FACETS, register_tokenizers
from warehouse.search.query import ParsedQuery, find_similar_stems

SearchOrder = Literal["relevance", "newest", "oldest", "title"]
_IDENTIFIER_NOTE = "Found by its link or identifier, in whatever form it is written."


@dataclass(frozen=True)
class SearchQuery:
    """A full-text query.

    Args:
        words: Required words and ``"phrases"``, and excluded ``-words``; all items if empty.
        facets: Allowed values by facet; a facet without values allows all.
        identifier: A canonical key of a link; if items have it, they are found, and no others.
    """

    words: str = ""
    facets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    identifier: str = ""


@dataclass(frozen=True)
class SearchResult:
    """The items that match a query.

    Args:
        total: Number of matching items.
        items: Kind and identity of the items on the requested page, in order.
        stems: Stems of the words to highlight in texts.
        fuzzy_words: Words, as spelled, for which similar words are highlighted too.
        notes: Messages for the reader about how the words were interpreted.
    """

    total: int
    items: tuple[tuple[str, str], ...]
    stems: frozenset[str] = frozenset()
    fuzzy_words: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


class SearchIndex:
    """An open index of a release; thread-safe."""

    def __init__(self, release: Release) -> None:
        """Open the index that `build_index` built.

        Raises:
            IndexUnavailable: It is missing or damaged.
        """
        self._link_folder: tempfile.TemporaryDirectory[str] | None = None
        try:
            self._index = register_tokenizers(self._open_index(get_index_folder(release)))
            self._schema = self._index.schema
            self._searcher = self._index.searcher()
        except (OSError, ValueError) as error:
            raise IndexUnavailable(f"the search index of release {release.name} cannot be read: {error}") from error

    def _open_index(self, folder: Path) -> tantivy.Index:
        if os.access(folder, os.W_OK):
            return tantivy.Index.open(str(folder))
        # tantivy locks the folder for a moment; in a read-only one, it locks a temporary folder of links instead
        self._link_folder = tempfile.TemporaryDirectory(prefix="aisle-search-")
        for file in folder.iterdir():
            if not file.name.endswith(".lock"):
                (Path(self._link_folder.name) / file.name).symlink_to(file)
        return tantivy.Index.open(self._link_folder.name)

    def find(
        self, query: SearchQuery, order: SearchOrder = "relevance", limit: int = 20, offset: int = 0
    ) -> SearchResult:
        """Find the items that match a query; no text of a query raises an error.

        If no item has all the words, items with some of them are found, and a note explains it.

        Args:
            query: The query.
            order: Order of the items; by relevance, matches in titles rank first.
            limit: Most items to return.
            offset: Items to skip.
        """
        index_query, parsed, notes = self._parse(query)
        result = self._search(index_query, query, order, limit, offset)
        items = []
        for _, address in result.hits:
            kind, _, identity = self._searcher.doc(address)["item"][0].partition("\n")
            items.append((kind, identity))
        return SearchResult(
            total=_count_hits(result),
            items=tuple(items),
            stems=frozenset(parsed.stems),
            fuzzy_words=frozenset(parsed.fuzzy_words),
            notes=tuple(notes),
        )

    def _parse(self, query: SearchQuery) -> tuple[Query, ParsedQuery, list[str]]:
        """The index query for the words, the parsed words, and notes for the reader."""
        if query.identifier:
            match_link = Query.term_query(self._schema, "identifier", query.identifier)
            if _count_hits(self._searcher.search(match_link, 1)):
                return match_link, ParsedQuery(self._searcher, self._schema, ""), [_IDENTIFIER_NOTE]
        parsed = ParsedQuery(self._searcher, self._schema, query.words)
        match_all = parsed.match_all()
        if parsed.has_several_words and _count_hits(self._searcher.search(match_all, 1)) == 0:
            match_any = parsed.match_any()
            if _count_hits(self._searcher.search(match_any, 1)):
                return match_any, parsed, [*parsed.notes, "No item has all these words; these have some of them."]
        return match_all, parsed, list(parsed.notes)

    def _search(
        self, index_query: Query, query: SearchQuery, order: SearchOrder, limit: int, offset: int
    ) -> tantivy.SearchResult:
        filtered = self._filter_facets(index_query, query.facets)
        if order == "relevance" and query.words.strip():
            return self._searcher.search(filtered, limit, offset=offset)
        by = {"title": "alphabetic", "oldest": "oldest"}.get(order, "newest")
        return self._searcher.search(filtered, limit, offset=offset, order_by_field=by, order=tantivy.Order.Asc)

    def _filter_facets(self, query: Query, facets: Mapping[str, Sequence[str]]) -> Query:
        filters = [
            Query.const_score_query(Query.term_set_query(self._schema, name, list(values)), 0.0)
            for name, values in facets.items()
            if values
        ]
        return query.and_must_match(*filters) if filters else query

    def count_facets(self, query: SearchQuery) -> dict[str, dict[str, int]]:
        """Items by facet and value; the counts of a facet ignore the values chosen in it."""
        index_query, _, _ = self._parse(query)
        # one pass for all facets without chosen values
        chosen = [name for name in FACETS if query.facets.get(name)]
        counts = self._count_values(index_query, query.facets, [name for name in FACETS if name not in chosen])
        for name in chosen:
            others = {other: values for other, values in query.facets.items() if other != name}
            counts |= self._count_values(index_query, others, [name])
        return {name: counts[name] for name in FACETS}

    def _count_values(
        self, query: Query, facets: Mapping[str, Sequence[str]], names: Iterable[str]
    ) -> dict[str, dict[str, int]]:
        requests = {name: {"terms": {"field": name, "size": 1000}} for name in names}
        answer = self._searcher.aggregate(self._filter_facets(query, facets), requests) if requests else {}
        return {name: {bucket["key"]: bucket["doc_count"] for bucket in answer[name]["buckets"]} for name in requests}

    def extract_snippet(self, text: str, found: SearchResult, length: int = 280) -> list[tuple[str, bool]]:
        """Cut out the part of a text that has most of the searched words.

        Args:
            text: The text.
            found: The search result, with the words to highlight.
            length: Most characters of the part.

        Returns:
            Its pieces in order, each with whether to highlight it; the beginning of the text if it has no such word.
        """
        terms = sorted(found.stems | find_similar_stems(found.fuzzy_words, text))
        if terms:
            query = Query.boolean_query([(Occur.Should, _build_term_query(self._schema, term)) for term in terms])
            generator = tantivy.SnippetGenerator.create(self._searcher, query, self._schema, "text")
            generator.set_max_num_chars(length)
            snippet = generator.snippet_from_doc(tantivy.Document(text=text))
            if spans := [(span.start, span.end) for span in snippet.highlighted()]:
                return _split_fragment(snippet.fragment().encode(), spans)
        return [(text[:length] + ("…" if len(text) > length else ""), False)]


def _count_hits(result: tantivy.SearchResult) -> int:
    return result.count  # ty: ignore[missing-attribute]  # missing in its stubs


def _build_term_query(schema: tantivy.Schema, term: str) -> Query:
    return Query.term_query(schema, "text", term)


def _split_fragment(fragment: bytes, spans: Sequence[tuple[int, int]]) -> list[tuple[str, bool]]:
    """A fragment cut at spans, which are counted in bytes; each piece with whether it is in a span."""
    pieces, offset = [], 0
    for start, end in spans:
        pieces += [(fragment[offset:start].decode(), False), (fragment[start:end].decode(), True)]
        offset = end
    return [(text, is_highlighted) for text, is_highlighted in [*pieces, (fragment[offset:].decode(), False)] if text]
