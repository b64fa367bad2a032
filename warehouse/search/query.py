"""The words of a search: how texts become words, what a person typed, and the query that it makes.

Words are compared without case, accents and endings. What is typed is words that all must be there, ``"phrases"``
and ``-words`` or ``-"phrases"`` that must not. Anything may be typed; what cannot be understood is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import tantivy
from tantivy import Filter, Occur, Query

MOST_WORDS = 32
# the fields in which words are looked for, and how much more a word there says
FIELDS = {"title": 3.0, "authors": 2.0, "about": 1.5, "text": 1.0}
SPELLED = "spelled"  # the field that has all words with their endings, by which slips of the keyboard are told
_RARE = 20_000  # a word that is in fewer than one of so many things may be a slip of the keyboard
_SHORTEST = 4  # letters of a word that may be the beginning of another
_NEAR = 0.2  # what a word like the one typed says, beside that word itself
_PARTS = re.compile(r'(-?)"([^"]*)"?|(\S+)')


def analysers() -> dict[str, tantivy.TextAnalyzer]:
    """What makes words of a text: without endings, as they are spelled, and without those that are in every text."""

    def chain() -> tantivy.TextAnalyzerBuilder:
        words = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).filter(Filter.remove_long(80))
        return words.filter(Filter.lowercase()).filter(Filter.ascii_fold())

    stemmer = Filter.stemmer("english")
    return {
        "words": chain().filter(stemmer).build(),
        "spelled": chain().build(),
        "telling": chain().filter(Filter.stopword("english")).filter(stemmer).build(),
    }


_ANALYSERS = analysers()
_words, _spelled, _telling = (_ANALYSERS[name].analyze for name in ("words", "spelled", "telling"))


def _distance(word: str) -> int:
    """How many letters may be wrong, missing, too many or swapped in a word of this length."""
    return 0 if len(word) < 5 or not word.isalpha() else 1 if len(word) < 8 else 2


def _is_near(word: str, other: str) -> bool:
    """Whether a word begins with another, or is it but for slips of the keyboard."""
    most = _distance(word)
    if len(word) >= _SHORTEST and other.startswith(word):
        return True
    if abs(len(word) - len(other)) > most:
        return False
    before, last = [], list(range(len(other) + 1))  # rows of the optimal string alignment
    for i, letter in enumerate(word, 1):
        row = [i]
        for j, another in enumerate(other, 1):
            cost = min(last[j] + 1, row[-1] + 1, last[j - 1] + (letter != another))
            if i > 1 and j > 1 and letter == other[j - 2] and word[i - 2] == another:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1] <= most


def near(loose: Iterable[str], text: str) -> set[str]:
    """The words of a text that are like one of these, without endings.

    Args:
        loose: Words as they are spelled.
        text: Any text.
    """
    wanted = list(loose)
    found = {other for other in set(_spelled(text)) if any(_is_near(word, other) for word in wanted)} if wanted else ()
    return {token for word in found for token in _words(word)}


class Words:
    """What was typed, taken apart.

    Attributes:
        exact: The words that a text is to be marked at, without endings.
        loose: Words, as they are spelled, of which those that are alike are found too, since they themselves are rare.
        said: What a reader should know of how the words were taken.
    """

    def __init__(self, searcher: tantivy.Searcher, schema: tantivy.Schema, typed: str) -> None:
        """Take apart what was typed.

        Args:
            searcher: Of the index that will be asked.
            schema: Its schema.
            typed: Any text.
        """
        self._searcher, self._schema = searcher, schema
        typed = typed.encode(errors="ignore").decode()  # half characters, which no text has
        self._wanted: list[Query] = []
        self._common: list[Query] = []
        self._unwanted: list[Query] = []
        self.exact: set[str] = set()
        self.loose: set[str] = set()
        self.said: list[str] = []
        self._is_empty = not typed.strip()
        parts = _PARTS.findall(typed)
        if len(parts) > MOST_WORDS:
            self.said.append(f"Only the first {MOST_WORDS} words are searched for.")
        for minus, phrase, word in parts[:MOST_WORDS]:
            self._take(phrase or word.lstrip("-"), is_unwanted=bool(minus) or word.startswith("-"))
        if not (self._is_empty or self._wanted or self._common or self._unwanted):
            self.said.append("There is no word in this: words are made of letters and digits.")

    def _take(self, part: str, *, is_unwanted: bool) -> None:
        tokens, spelled = _words(part)[:MOST_WORDS], _spelled(part)
        if not tokens:
            return
        if is_unwanted:
            self._unwanted.append(self._as_typed(tokens))
        elif not _telling(part):
            self._common.append(self._as_typed(tokens))
        elif len(tokens) == 1 and self._is_rare(tokens[0], spelled[0]):
            self._wanted.append(self._alike(tokens[0], spelled[0]))
            self.exact.update(tokens)
            self.loose.update(spelled)
            self.said.append(f"“{part}” is rare or nowhere here: words like it are found too.")
        else:
            self._wanted.append(self._as_typed(tokens))
            self.exact.update(tokens)

    def _is_rare(self, token: str, spelled: str) -> bool:
        seen = sum(self._searcher.doc_freq(name, token) for name in FIELDS)
        return seen * _RARE <= self._searcher.num_docs and len(spelled) >= _SHORTEST

    def _as_typed(self, tokens: list[str]) -> Query:
        """A word, or several one after the other, in any field."""
        return Query.disjunction_max_query(
            [
                Query.boost_query(
                    Query.term_query(self._schema, name, tokens[0])
                    if len(tokens) == 1
                    else Query.phrase_query(self._schema, name, list(tokens)),
                    boost,
                )
                for name, boost in FIELDS.items()
            ]
        )

    def _alike(self, token: str, spelled: str) -> Query:
        begins = Query.fuzzy_term_query(self._schema, SPELLED, spelled, distance=0, prefix=True)
        slipped = Query.fuzzy_term_query(self._schema, SPELLED, spelled, distance=_distance(spelled))
        alike = [Query.const_score_query(query, _NEAR) for query in (begins, slipped)]
        return Query.disjunction_max_query([self._as_typed([token]), *alike])

    @property
    def are_several(self) -> bool:
        """Whether there are several words of which only some could be looked for."""
        return len(self._wanted) > 1

    def all_of(self) -> Query:
        """The query for what has all the words; for everything if nothing was typed."""
        if self._is_empty:
            return Query.all_query()
        # words that are in every text only matter where there are no others
        must, may = (self._wanted, self._common) if self._wanted else (self._common, [])
        if not must and not self._unwanted:
            return Query.empty_query()
        return self._limited([(Occur.Must, query) for query in must or [Query.all_query()]], may)

    def some_of(self) -> Query:
        """The query for what has at least one of the words."""
        some = Query.boolean_query([(Occur.Should, query) for query in self._wanted])
        return self._limited([(Occur.Must, some)], self._common)

    def _limited(self, must: list[tuple[Occur, Query]], may: list[Query]) -> Query:
        return Query.boolean_query(
            [
                *must,
                *((Occur.Should, query) for query in may),
                *((Occur.MustNot, query) for query in self._unwanted),
            ]
        )
