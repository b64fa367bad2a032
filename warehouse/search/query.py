"""Parsing of search text: tokens, misspelled words, and the index query they make.

Words match without case, accents and endings (stemming). All words and ``"phrases"`` must occur; ``-words`` and
``-"phrases"`` must not. Any text is accepted; parts without a token are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import reduce

import tantivy
from tantivy import Occur, Query

from warehouse.search.documents import FIELD_BOOSTS, MAX_WORD_BYTES, SPELLING_FIELD, build_analyzers

MAX_WORDS = 32
_SHOWN_LETTERS = 20  # of such a word, in a note
_RARE_ONE_IN = 20_000  # a word in at most one of so many items may be misspelled
_MIN_PREFIX_LETTERS = 4  # shortest word that also matches as a prefix
_SIMILAR_SCORE = 0.2  # score of a similar word; exact matches score higher
_PARTS = re.compile(r'(-?)"([^"]*)"?|(\S+)')


_ANALYZERS = build_analyzers()
_stem, _tokenize, _stem_content_words = (_ANALYZERS[name].analyze for name in ("words", "spelled", "content_words"))


def _get_max_edits(word: str) -> int:
    """Largest edit distance at which a word of this length still matches; swapped letters are one edit."""
    return 0 if len(word) < 5 or not word.isalpha() else 1 if len(word) < 8 else 2


def _is_similar(word: str, other: str) -> bool:
    """Whether another word starts with this one, or is within its allowed edit distance."""
    max_edits = _get_max_edits(word)
    if len(word) >= _MIN_PREFIX_LETTERS and other.startswith(word):
        return True
    if abs(len(word) - len(other)) > max_edits:
        return False
    before, last = [], list(range(len(other) + 1))  # rows of the optimal string alignment distance
    for i, letter in enumerate(word, 1):
        row = [i]
        for j, another in enumerate(other, 1):
            cost = min(last[j] + 1, row[-1] + 1, last[j - 1] + (letter != another))
            if i > 1 and j > 1 and letter == other[j - 2] and word[i - 2] == another:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1] <= max_edits


def find_similar_stems(words: Iterable[str], text: str) -> set[str]:
    """The stems of words in a text that are similar to one of the given words.

    Args:
        words: Words as spelled.
        text: Any text.
    """
    wanted = list(words)
    tokens = set(_tokenize(text)) if wanted else set()
    similar = {token for token in tokens if any(_is_similar(word, token) for word in wanted)}
    return {stem for token in similar for stem in _stem(token)}


class ParsedQuery:
    """Search text, parsed into conditions of an index query.

    Attributes:
        stems: Stems of the words to highlight in texts.
        fuzzy_words: Rare words, as spelled, for which similar words match too.
        notes: Messages for the reader about how the text was interpreted.
    """

    def __init__(self, searcher: tantivy.Searcher, schema: tantivy.Schema, text: str) -> None:
        """Parse search text.

        Args:
            searcher: Searcher of the index.
            schema: Schema of the index.
            text: Any text.
        """
        self._searcher, self._schema = searcher, schema
        text = text.encode(errors="ignore").decode()  # without lone surrogates, which tantivy rejects
        self._required: list[Query] = []
        self._common: list[Query] = []
        self._excluded: list[Query] = []
        self.stems: set[str] = set()
        self.fuzzy_words: set[str] = set()
        self.notes: list[str] = []
        self._is_empty = not text.strip()
        parts = _PARTS.findall(text)
        if len(parts) > MAX_WORDS:
            self.notes.append(f"Only the first {MAX_WORDS} words are searched for.")
        for minus, phrase, word in parts[:MAX_WORDS]:
            self._add_part(phrase or word.lstrip("-"), is_excluded=bool(minus) or word.startswith("-"))
        if not (self._is_empty or self._required or self._common or self._excluded or self.notes):
            self.notes.append("There is no word in this text: words are made of letters and digits.")

    def _add_part(self, part: str, *, is_excluded: bool) -> None:
        for word in re.findall(r"[^\W_]+", part):
            if len(word.encode()) > MAX_WORD_BYTES:
                shown = f"“{word[:_SHOWN_LETTERS]}…”, a word of {len(word):,} letters"
                self.notes.append(f"{shown}, is ignored: words of the index have at most {MAX_WORD_BYTES}.")
        tokens, spelled = _stem(part), _tokenize(part)
        if len(tokens) > MAX_WORDS:
            self.notes.append(f"Only the first {MAX_WORDS} words of “{part[:_SHOWN_LETTERS]}…” are searched for.")
            tokens = tokens[:MAX_WORDS]
        if not tokens:
            return
        if is_excluded:
            self._excluded.append(self._match_exactly(tokens))
        elif not _stem_content_words(part):
            self._common.append(self._match_exactly(tokens))
        elif len(tokens) == 1 and self._is_rare(tokens[0], spelled[0]):
            self._required.append(self._match_similar(tokens[0], spelled[0]))
            self.stems.update(tokens)
            self.fuzzy_words.update(spelled)
            self.notes.append(f"“{part}” is rare or missing here: similar words are included.")
        else:
            self._required.append(self._match_exactly(tokens))
            self.stems.update(tokens)

    def _is_rare(self, token: str, spelled: str) -> bool:
        frequency = sum(self._searcher.doc_freq(name, token) for name in FIELD_BOOSTS)
        return frequency * _RARE_ONE_IN <= self._searcher.num_docs and len(spelled) >= _MIN_PREFIX_LETTERS

    def _match_exactly(self, tokens: list[str]) -> Query:
        """A query for a word, or for a phrase of several, in any field."""
        return Query.disjunction_max_query(
            [
                Query.boost_query(
                    Query.term_query(self._schema, name, tokens[0])
                    if len(tokens) == 1
                    else Query.phrase_query(self._schema, name, list(tokens)),
                    boost,
                )
                for name, boost in FIELD_BOOSTS.items()
            ]
        )

    def _match_similar(self, token: str, spelled: str) -> Query:
        prefix = Query.fuzzy_term_query(self._schema, SPELLING_FIELD, spelled, distance=0, prefix=True)
        misspelled = Query.fuzzy_term_query(self._schema, SPELLING_FIELD, spelled, distance=_get_max_edits(spelled))
        similar = [Query.const_score_query(query, _SIMILAR_SCORE) for query in (prefix, misspelled)]
        return Query.disjunction_max_query([self._match_exactly([token]), *similar])

    @property
    def has_several_words(self) -> bool:
        """Whether several words are required, so that a search for some of them makes sense."""
        return len(self._required) > 1

    def match_all(self) -> Query:
        """A query for items with all the words; for all items if the text is empty."""
        if self._is_empty:
            return Query.all_query()
        # stop words are required only if there are no other words
        must, may = (self._required, self._common) if self._required else (self._common, [])
        if not must and not self._excluded:
            return Query.empty_query()
        return self._combine(_join(Occur.Must, must) if must else Query.all_query(), may)

    def match_any(self) -> Query:
        """A query for items with at least one of the words."""
        return self._combine(_join(Occur.Should, self._required), self._common)

    def _combine(self, must: Query, may: list[Query]) -> Query:
        return Query.boolean_query(
            [
                (Occur.Must, must),
                *([(Occur.Should, _join(Occur.Should, may))] if may else ()),
                *((Occur.MustNot, query) for query in self._excluded),
            ]
        )


def _join(occur: Occur, queries: list[Query]) -> Query:
    """A query for all or any of some queries, joined in pairs.

    The scores of more than two would be added in another order in each segment, and rounded to other sums.
    """
    return reduce(lambda joined, query: Query.boolean_query([(occur, joined), (occur, query)]), queries)
