"""The full-text index over all items of a release: building and searching it (tantivy).

``releases/aisle.vN.search/`` is the index of ``releases/aisle.vN.duckdb``. It stores no texts, so it is small, and can
be deleted at any time: the next search builds it again. It is built in a temporary folder under a lock and renamed into
place, so that a killed build leaves no partial index. Its stamp holds the content hash of its release; an index with
another stamp is replaced.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import duckdb
import tantivy
from tantivy import Occur, Query

from warehouse.lake import replace_file, sync_folder
from warehouse.release import Release
from warehouse.scratch import open_scratch
from warehouse.search.items import NO_VALUE, UNDATED, UNLABELLED, list_available_kinds, select_items
from warehouse.search.query import FIELD_BOOSTS, SPELLING_FIELD, ParsedQuery, build_analyzers, find_similar_stems
from warehouse.sql import quote_literal

SearchOrder = Literal["relevance", "newest", "oldest", "title"]
FACETS = ("kind", "lab", "category", "source", "corpus", "year")
_FORMAT_VERSION = 2  # of the index; an index of another version is rebuilt
_STAMP_FILE = "stamp.json"
_IDENTIFIER_NOTE = "Found by its link or identifier, in whatever form it is written."
_BATCH_ROWS = 5_000
_HEAP_BYTES = 128_000_000
_MULTITHREADED_FROM_ITEMS = 100_000  # from this size on, several threads build faster than one


class IndexUnavailable(OSError):
    """A release has no usable index, or none can be built."""


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


def _build_schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    for name in FIELD_BOOSTS:
        builder.add_text_field(name, tokenizer_name="words")
    builder.add_text_field(SPELLING_FIELD, tokenizer_name="spelled", index_option="basic")
    for name in FACETS:
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    for name in ("newest", "oldest", "alphabetic"):
        builder.add_integer_field(name, fast=True)
    builder.add_text_field("identifier", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("item", tokenizer_name="raw", index_option="basic", stored=True)
    return builder.build()


def get_index_folder(release: Release) -> Path:
    """Folder of a release's index."""
    return release.path.with_suffix(".search")


def _build_stamp(release: Release) -> dict[str, Any]:
    return {"format": _FORMAT_VERSION, "tantivy": version("tantivy"), "content_sha256": release.content_sha256}


def is_built(release: Release) -> bool:
    """Whether there is an index of this release's content."""
    with contextlib.suppress(OSError, ValueError):
        stamp = json.loads((get_index_folder(release) / _STAMP_FILE).read_text(encoding="utf-8"))
        return stamp == _build_stamp(release)
    return False


@contextlib.contextmanager
def _open_build_folder(releases: Path) -> Generator[Path]:
    """A temporary build folder under a lock; removes the folders of killed builds."""
    with (releases / ".indexing.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for draft in releases.glob(".indexing-*"):
            shutil.rmtree(draft, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=".indexing-", dir=releases))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def build_index(release: Release, *, is_damaged: bool = False) -> int | None:
    """Build the index of a release unless it exists.

    Args:
        release: The release.
        is_damaged: Whether to replace an existing index.

    Returns:
        Number of items in the new index, or none if it existed.

    Raises:
        IndexUnavailable: It cannot be built, such as on a full or a read-only disk; no partial index is left.
        duckdb.Error: The release cannot be read.
    """
    if not is_damaged:
        release.bring(get_index_folder(release))
    if is_built(release) and not is_damaged:
        return None
    try:
        with _open_build_folder(release.path.parent) as folder:
            if is_built(release) and not is_damaged:  # built by another process while this one waited
                return None
            draft = folder / "index"
            draft.mkdir()
            count = _write_documents(draft, release)
            replace_file(draft / _STAMP_FILE, json.dumps(_build_stamp(release)).encode())
            for file in draft.iterdir():  # tantivy makes some files readable by their owner only
                file.chmod(draft.stat().st_mode & 0o666)
            if get_index_folder(release).exists():
                get_index_folder(release).rename(folder / "outdated")
            draft.rename(get_index_folder(release))
            sync_folder(release.path.parent)
    except (OSError, ValueError) as error:  # tantivy raises ValueError for disk errors
        raise IndexUnavailable(f"the search index of release {release.name} cannot be built: {error}") from error
    return count


def _write_documents(folder: Path, release: Release) -> int:
    items = select_items(list_available_kinds(release.manifest["tables"]), is_for_index=True)
    with _connect_within_budget(release) as connection:
        # items are read twice, since keeping their texts would fill memory
        query = f"""
            with items as not materialized ({items}),
            positions as (
                select
                    kind,
                    item_id,
                    row_number() over (order by published_on desc nulls last, lower(title), kind, item_id) as newest,
                    row_number() over (order by published_on nulls last, lower(title), kind, item_id) as oldest,
                    row_number() over (order by lower(title), kind, item_id) as alphabetic
                from items
            )
            select
                kind, item_id, title, text, lab, category, source, authors,
                coalesce(strftime(published_on, '%Y'), '{UNDATED}') as year,
                other_titles, identifiers, corpora, newest, oldest, alphabetic,
                (select count(*) from positions) as total
            from items left join positions using (kind, item_id)
        """
        rows = connection.execute(query)
        batch = rows.fetchmany(_BATCH_ROWS)
        threads = 0 if batch and batch[0][-1] > _MULTITHREADED_FROM_ITEMS else 1
        index = _register_tokenizers(tantivy.Index(_build_schema(), path=str(folder)))
        writer = index.writer(_HEAP_BYTES, threads)
        count = 0
        while batch:
            for row in batch:
                writer.add_document(_build_document(*row[:-1]))
            count += len(batch)
            batch = rows.fetchmany(_BATCH_ROWS)
        writer.commit()
        writer.wait_merging_threads()
    return count


@contextlib.contextmanager
def _connect_within_budget(release: Release) -> Generator[duckdb.DuckDBPyConnection]:
    """A connection to a release that sorts all its items within the memory budget, and spills to disk."""
    release.connect().close()  # it is checked
    with open_scratch(release.path.parents[1]) as connection:
        connection.execute(f"attach {quote_literal(str(release.path))} as release_file (read_only)")
        try:
            connection.execute("use release_file")
            yield connection
        finally:
            connection.execute("use memory")
            connection.execute("detach release_file")


def _build_document(
    kind: str,
    item_id: str,
    title: str | None,
    text: str | None,
    lab: str | None,
    category: str | None,
    source: str | None,
    authors: str | None,
    year: str,
    other_titles: list[str] | None,
    identifiers: list[str] | None,
    corpora: list[str] | None,
    newest: int,
    oldest: int,
    alphabetic: int,
) -> tantivy.Document:
    titles = [*dict.fromkeys([title or "", *(other_titles or ())])]
    return tantivy.Document(
        title=titles,
        text=text or "",
        authors=authors or "",
        spelled=[part for part in (*titles, text, authors) if part],
        about=" ".join(part for part in (lab, category, source) if part),
        kind=kind,
        lab=lab.split("; ") if lab else NO_VALUE,
        category=category.split("; ") if category else UNLABELLED if kind == "work" else NO_VALUE,
        source=(source.split("; ") if kind == "work" else source) if source else NO_VALUE,
        corpus=corpora or NO_VALUE,
        identifier=[identifier for identifier in identifiers or () if identifier],
        year=year,
        newest=newest,
        oldest=oldest,
        alphabetic=alphabetic,
        item=f"{kind}\n{item_id}",
    )


def _register_tokenizers(index: tantivy.Index) -> tantivy.Index:
    for name, analyser in build_analyzers().items():
        index.register_tokenizer(name, analyser)
    return index


class SearchIndex:
    """An open index of a release; thread-safe."""

    def __init__(self, release: Release) -> None:
        """Open the index that `build_index` built.

        Raises:
            IndexUnavailable: It is missing or damaged.
        """
        self._link_folder: tempfile.TemporaryDirectory[str] | None = None
        try:
            self._index = _register_tokenizers(self._open_index(get_index_folder(release)))
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
