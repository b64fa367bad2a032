"""Finds titles, aliases and names in a text: as whole words, and the leftmost and longest of those that overlap."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import ahocorasick  # ty: ignore[import-not-found]  # compiled, without a description of its types

from transforms.mentions.words import Words, list_skipped_spans, overlaps

_MAX_FRAGMENT_CHARACTERS = 160
_QUOTES = frozenset("\"'“‘«‹„‚_*")  # also the marks of italics in Markdown


class FoundPhrase(NamedTuple):
    """A phrase at a place of a text.

    Args:
        number: Position of the phrase among those that were looked for, from 0.
        place: Position in the text, from 1.
        fragment: The phrase as it is written there.
        is_plain: Whether it is written as any other words: in small letters, and not in quotation marks.
    """

    number: int
    place: int
    fragment: str
    is_plain: bool


class _Hit(NamedTuple):
    first: int
    last: int
    number: int


def find_phrases(
    text: str, phrases: Sequence[str], are_case_sensitive: Sequence[bool], boilerplate: Sequence[str] = ()
) -> list[FoundPhrase]:
    """The phrases that stand in a text as whole words, outside of links and boilerplate.

    Of phrases that overlap, the leftmost is found, and of those that begin at the same word the longest.

    Args:
        text: The text.
        phrases: The phrases; blanks and punctuation between their words do not matter.
        are_case_sensitive: For each phrase, whether its letters must have the same case in the text, as acronyms and
            names must.
        boilerplate: Regular expressions of passages that are left out.
    """
    words = Words(text)
    hits = list(_find_all(words, phrases, are_case_sensitive))
    skipped = list_skipped_spans(text, boilerplate) if hits else []
    kept = [hit for hit in hits if not overlaps(words.spans[hit.first][0], words.spans[hit.last][1], skipped)]
    return [_describe_hit(words, hit) for hit in _select_leftmost_longest(kept)]


def _describe_hit(words: Words, hit: _Hit) -> FoundPhrase:
    start, end = words.spans[hit.first][0], words.spans[hit.last][1]
    written = words.text[start:end]
    is_small = written.lower() == written != written.upper()
    is_plain = is_small and words.text[max(start - 1, 0) : start] not in _QUOTES
    return FoundPhrase(hit.number, start + 1, shorten(written), is_plain)


def shorten(fragment: str) -> str:
    """A fragment on one line, cut to a length that fits in a table."""
    line = " ".join(fragment.split())
    return line if len(line) <= _MAX_FRAGMENT_CHARACTERS else line[: _MAX_FRAGMENT_CHARACTERS - 1].rstrip() + "…"


def _find_all(words: Words, phrases: Sequence[str], are_case_sensitive: Sequence[bool]) -> Iterator[_Hit]:
    """All places of all phrases, also those that overlap."""
    numbers: dict[str, list[int]] = {}
    for number, phrase in enumerate(phrases):
        if key := _join(_split_phrase(phrase).folded):
            numbers.setdefault(key, []).append(number)
    if not numbers or not words.folded:
        return
    automaton = ahocorasick.Automaton()
    for key in numbers:
        automaton.add_word(key, key)
    automaton.make_automaton()
    # each word has a blank on both sides, so that a phrase matches whole words only
    ends = list(accumulate(len(word) + 2 for word in words.folded))
    for end, key in automaton.iter(_join(words.folded)):
        last = bisect_right(ends, end)
        first = last - key.count("  ")
        for number in numbers[key]:
            if not are_case_sensitive[number] or _has_same_case(words, first, phrases[number]):
                yield _Hit(first, last, number)


@lru_cache(maxsize=20_000)
def _split_phrase(phrase: str) -> Words:
    return Words(phrase)


def _join(words: Iterable[str]) -> str:
    return "".join(f" {word} " for word in words)


def _has_same_case(words: Words, first: int, phrase: str) -> bool:
    """Whether the words from the first one on are written with the same capitals as in the phrase."""
    wanted = _split_phrase(phrase)
    return all(words.get_written(first + place) == wanted.get_written(place) for place in range(len(wanted.folded)))


def _select_leftmost_longest(hits: Iterable[_Hit]) -> Iterator[_Hit]:
    """Of the hits that overlap the leftmost, then the longest; phrases with the same words are all kept."""
    end, span = -1, (-1, -1)
    for hit in sorted(hits, key=lambda hit: (hit.first, -hit.last, hit.number)):
        if hit.first > end or (hit.first, hit.last) == span:
            end, span = hit.last, (hit.first, hit.last)
            yield hit
