"""Finds quoted fragments in a text, and how much of an abstract stands in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from transforms.mentions.phrases import shorten
from transforms.mentions.words import Words, list_skipped_spans, overlaps

_MIN_WORDS, _MAX_WORDS = 4, 40
# an opening mark is not before a blank, a closing one not behind one; straight marks open and close alike, so that
# each of them is tried as an opening one
_QUOTED = re.compile(
    r"[“„«](\S[^“”„«»\n]{6,300}?\S)[”“»]"
    r"|\"(?=(\S[^\"\n]{6,300}?\S)\")"
    r"|(?<!\w)[‘'](?=(\S[^\n\"“”‘]{6,300}?\S)[’'](?!\w))"
)


class QuotedFragment(NamedTuple):
    """A fragment between quotation marks, and its position in the text from 1."""

    place: int
    fragment: str


def list_quotes(text: str, boilerplate: Sequence[str] = ()) -> list[QuotedFragment]:
    """The fragments of 4 to 40 words between quotation marks on one line, outside of links and boilerplate."""
    found = []
    for match in _QUOTED.finditer(text):
        group = next(number for number in (1, 2, 3) if match[number] is not None)
        if _MIN_WORDS <= len(Words(match[group]).folded) <= _MAX_WORDS:
            found.append((match.span(group), match[group]))
    skipped = list_skipped_spans(text, boilerplate) if found else []
    return [
        QuotedFragment(start + 1, shorten(fragment))
        for (start, end), fragment in found
        if not overlaps(start, end, skipped)
    ]


def abstract_similarity(abstract: str, passage: str) -> float:
    """How much of an abstract stands in a passage: the best ratio of it to a part of the passage, from 0 to 100."""
    from rapidfuzz import fuzz

    return float(fuzz.partial_ratio(abstract, passage))
