"""Full-text search over all things of a release: an index beside the release file, made once, and what is asked of it.

``releases/aisle.vN.search/`` holds the index of ``releases/aisle.vN.duckdb``. It keeps words and no texts, so it is
small, and it can be deleted at any time: whoever needs it next makes it again. It is built aside, under a lock, and
takes its place in one step, so that a killed build leaves nothing that is read. Its stamp is the content of its
release; an index with another stamp is replaced.
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

import tantivy
from tantivy import Occur, Query

from warehouse.lake import replace_file, sync_folder
from warehouse.release import Release
from warehouse.search.items import NONE, UNDATED, held, things
from warehouse.search.query import FIELDS, SPELLED, Words, analysers, near

Order = Literal["relevance", "newest", "oldest", "title"]
FACETS = ("kind", "lab", "category", "source", "year")
_FORMAT = 1  # of the index; another one is built anew
_STAMP = "stamp.json"
_BATCH = 5_000
_HEAP_BYTES = 128_000_000
_LARGE = 100_000  # from so many things on, several threads build faster than one


class NoIndex(OSError):
    """A release has no index of its own and none can be made; the text says why."""


@dataclass(frozen=True)
class Asked:
    """What is searched for.

    Args:
        words: Words that all must be there, ``"phrases"``, and ``-words`` that must not; all things if empty.
        facets: The values that are let through, by facet; all of those that have none.
    """

    words: str = ""
    facets: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """What was found.

    Args:
        total: How many things.
        items: Kind and identity of those asked for, in order.
        marks: The words to bring out in texts, without endings.
        loose: Words, as they are spelled, of which those that are alike are brought out too.
        said: What a reader should know of how the words were taken; empty if as they stand.
    """

    total: int
    items: tuple[tuple[str, str], ...]
    marks: frozenset[str] = frozenset()
    loose: frozenset[str] = frozenset()
    said: tuple[str, ...] = ()


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    for name in FIELDS:
        builder.add_text_field(name, tokenizer_name="words")
    builder.add_text_field(SPELLED, tokenizer_name="spelled", index_option="basic")
    for name in FACETS:
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    for name in ("newest", "oldest", "alphabetic"):
        builder.add_integer_field(name, fast=True)
    builder.add_text_field("item", tokenizer_name="raw", index_option="basic", stored=True)
    return builder.build()


def folder_of(release: Release) -> Path:
    """Where the index of a release lies."""
    return release.path.with_suffix(".search")


def _stamp(release: Release) -> dict[str, Any]:
    return {"format": _FORMAT, "tantivy": version("tantivy"), "content_sha256": release.content_sha256}


def is_built(release: Release) -> bool:
    """Whether the index of just this release is there."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads((folder_of(release) / _STAMP).read_text(encoding="utf-8")) == _stamp(release)
    return False


@contextlib.contextmanager
def _building(releases: Path) -> Generator[Path]:
    """A folder to build in, by one process at a time; clears what killed builders left."""
    with (releases / ".indexing.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for draft in releases.glob(".indexing-*"):
            shutil.rmtree(draft, ignore_errors=True)
        aside = Path(tempfile.mkdtemp(prefix=".indexing-", dir=releases))
        try:
            yield aside
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def build(release: Release, *, is_damaged: bool = False) -> int | None:
    """Build the index of a release unless it is there already.

    Args:
        release: The release.
        is_damaged: Whether the one that is there cannot be used.

    Returns:
        How many things it holds, or none if it was there.

    Raises:
        NoIndex: It cannot be made, such as on a full or a read-only disk; nothing of it is left.
        duckdb.Error: The release cannot be read.
    """
    if is_built(release) and not is_damaged:
        return None
    try:
        with _building(release.path.parent) as aside:
            if is_built(release) and not is_damaged:  # by another process, while this one waited
                return None
            draft = aside / "index"
            draft.mkdir()
            count = _fill(draft, release)
            replace_file(draft / _STAMP, json.dumps(_stamp(release)).encode())
            for file in draft.iterdir():  # some are made for their owner alone, and others are to read them too
                file.chmod(draft.stat().st_mode & 0o666)
            if folder_of(release).exists():
                folder_of(release).rename(aside / "outdated")
            draft.rename(folder_of(release))
            sync_folder(release.path.parent)
    except (OSError, ValueError) as error:  # tantivy tells of the disk's faults as ValueError
        raise NoIndex(f"the search index of release {release.name} cannot be made: {error}") from error
    return count


def _fill(folder: Path, release: Release) -> int:
    with release.connect() as connection:
        query = f"""
            with things as ({things(held(release.manifest["tables"]))}),
            places as (
                select
                    kind,
                    item_id,
                    row_number() over (order by published_on desc nulls last, lower(title), kind, item_id) as newest,
                    row_number() over (order by published_on nulls last, lower(title), kind, item_id) as oldest,
                    row_number() over (order by lower(title), kind, item_id) as alphabetic
                from things
            )
            select
                kind, item_id, title, text, lab, category, source, authors,
                coalesce(strftime(published_on, '%Y'), '{UNDATED}') as year, newest, oldest, alphabetic,
                (select count(*) from places) as total
            from things inner join places using (kind, item_id)
        """
        rows = connection.execute(query)
        batch = rows.fetchmany(_BATCH)
        threads = 0 if batch and batch[0][-1] > _LARGE else 1
        index = _registered(tantivy.Index(_schema(), path=str(folder)))
        writer = index.writer(_HEAP_BYTES, threads)
        count = 0
        while batch:
            for row in batch:
                writer.add_document(_document(*row[:-1]))
            count += len(batch)
            batch = rows.fetchmany(_BATCH)
        writer.commit()
        writer.wait_merging_threads()
    return count


def _document(
    kind: str,
    item_id: str,
    title: str | None,
    text: str | None,
    lab: str | None,
    category: str | None,
    source: str | None,
    authors: str | None,
    year: str,
    newest: int,
    oldest: int,
    alphabetic: int,
) -> tantivy.Document:
    return tantivy.Document(
        title=title or "",
        text=text or "",
        authors=authors or "",
        spelled=[part for part in (title, text, authors) if part],
        about=" ".join(part for part in (lab, category, source) if part),
        kind=kind,
        lab=lab.split("; ") if lab else NONE,
        category=category or NONE,
        source=source or NONE,
        year=year,
        newest=newest,
        oldest=oldest,
        alphabetic=alphabetic,
        item=f"{kind}\n{item_id}",
    )


def _registered(index: tantivy.Index) -> tantivy.Index:
    for name, analyser in analysers().items():
        index.register_tokenizer(name, analyser)
    return index


class Index:
    """The index of a release, open; it may be asked from several threads at once."""

    def __init__(self, release: Release) -> None:
        """Open the index of a release, which was built.

        Raises:
            NoIndex: It is missing or damaged.
        """
        self._linked: tempfile.TemporaryDirectory[str] | None = None
        try:
            self._index = _registered(self._opened(folder_of(release)))
            self._schema = self._index.schema
            self._searcher = self._index.searcher()
        except (OSError, ValueError) as error:
            raise NoIndex(f"the search index of release {release.name} cannot be read: {error}") from error

    def _opened(self, folder: Path) -> tantivy.Index:
        if os.access(folder, os.W_OK):
            return tantivy.Index.open(str(folder))
        # a reader locks the folder for a moment; where it may not write, it locks one of links to the files
        self._linked = tempfile.TemporaryDirectory(prefix="aisle-search-")
        for file in folder.iterdir():
            if not file.name.endswith(".lock"):
                (Path(self._linked.name) / file.name).symlink_to(file)
        return tantivy.Index.open(self._linked.name)

    def find(self, asked: Asked, order: Order = "relevance", limit: int = 20, offset: int = 0) -> Found:
        """The things that fit, in order; whatever the words are, this raises nothing.

        Where no thing has all the words, those that have some of them are found, and it is said.

        Args:
            asked: What is searched for.
            order: How to order them; by relevance, those come first that say most of the words in their titles.
            limit: How many to name.
            offset: How many to pass over.
        """
        query, taken, said = self._understood(asked)
        found = self._search(query, asked, order, limit, offset)
        items = []
        for _, address in found.hits:
            kind, _, identity = self._searcher.doc(address)["item"][0].partition("\n")
            items.append((kind, identity))
        return Found(
            total=_total(found),
            items=tuple(items),
            marks=frozenset(taken.exact),
            loose=frozenset(taken.loose),
            said=tuple(said),
        )

    def _understood(self, asked: Asked) -> tuple[Query, Words, list[str]]:
        """The query for the words, the words, and what is to be said of how they were taken."""
        taken = Words(self._searcher, self._schema, asked.words)
        query = taken.all_of()
        if taken.are_several and _total(self._searcher.search(query, 1)) == 0:
            some = taken.some_of()
            if _total(self._searcher.search(some, 1)):
                return some, taken, [*taken.said, "Nothing has all these words; these have some of them."]
        return query, taken, list(taken.said)

    def _search(self, query: Query, asked: Asked, order: Order, limit: int, offset: int) -> tantivy.SearchResult:
        within = self._within(query, asked.facets)
        if order == "relevance" and asked.words.strip():
            return self._searcher.search(within, limit, offset=offset)
        by = {"title": "alphabetic", "oldest": "oldest"}.get(order, "newest")
        return self._searcher.search(within, limit, offset=offset, order_by_field=by, order=tantivy.Order.Asc)

    def _within(self, query: Query, facets: Mapping[str, Sequence[str]]) -> Query:
        limits = [
            Query.const_score_query(Query.term_set_query(self._schema, name, list(values)), 0.0)
            for name, values in facets.items()
            if values
        ]
        return query.and_must_match(*limits) if limits else query

    def facets(self, asked: Asked) -> dict[str, dict[str, int]]:
        """Things by value of each facet, counted as if nothing were chosen in that facet itself."""
        query, _, _ = self._understood(asked)
        # one pass for all facets in which nothing is chosen
        chosen = [name for name in FACETS if asked.facets.get(name)]
        counted = self._counts(query, asked.facets, [name for name in FACETS if name not in chosen])
        for name in chosen:
            others = {other: values for other, values in asked.facets.items() if other != name}
            counted |= self._counts(query, others, [name])
        return {name: counted[name] for name in FACETS}

    def _counts(
        self, query: Query, facets: Mapping[str, Sequence[str]], names: Iterable[str]
    ) -> dict[str, dict[str, int]]:
        wanted = {name: {"terms": {"field": name, "size": 1000}} for name in names}
        told = self._searcher.aggregate(self._within(query, facets), wanted) if wanted else {}
        return {name: {bucket["key"]: bucket["doc_count"] for bucket in told[name]["buckets"]} for name in wanted}

    def snippet(self, text: str, found: Found, length: int = 280) -> list[tuple[str, bool]]:
        """The part of a text that says most of the words that were searched for.

        Args:
            text: The text.
            found: What was found, with the words to bring out.
            length: Most characters of it.

        Returns:
            Its pieces in order, each with whether it is one of the words; the beginning of the text if it has none.
        """
        terms = sorted(found.marks | near(found.loose, text))
        if terms:
            query = Query.boolean_query([(Occur.Should, _term(self._schema, term)) for term in terms])
            generator = tantivy.SnippetGenerator.create(self._searcher, query, self._schema, "text")
            generator.set_max_num_chars(length)
            snippet = generator.snippet_from_doc(tantivy.Document(text=text))
            if places := [(place.start, place.end) for place in snippet.highlighted()]:
                return _pieces(snippet.fragment().encode(), places)
        return [(text[:length] + ("…" if len(text) > length else ""), False)]


def _total(result: tantivy.SearchResult) -> int:
    return result.count  # ty: ignore[missing-attribute]  # its stubs forget it


def _term(schema: tantivy.Schema, term: str) -> Query:
    return Query.term_query(schema, "text", term)


def _pieces(fragment: bytes, places: Sequence[tuple[int, int]]) -> list[tuple[str, bool]]:
    """A fragment cut at the places, which are counted in bytes."""
    pieces, at = [], 0
    for start, end in places:
        pieces += [(fragment[at:start].decode(), False), (fragment[start:end].decode(), True)]
        at = end
    return [(text, is_marked) for text, is_marked in [*pieces, (fragment[at:].decode(), False)] if text]
