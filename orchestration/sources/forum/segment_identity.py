"""Identities of the comments on a captured forum page, which has no ids: by what they contain, not by their place.

Two captures of one page differ: comments are added at the top, edited and deleted. So a comment is identified by the
opening of its text, which an edit further down or a truncation leaves as it is. Short texts such as thanks are on many
pages; they are identified together with the nearest longer comment below them, which is older and so stays there.
Equal ones are numbered from the bottom of the page, so that a newer one gets a new number.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

from orchestration.sources.source import collapse_spaces, hash_parts

_OPENING_CHARACTERS = 240  # without spaces and punctuation; longer than what people quote before a reply
_MIN_DISTINCTIVE_CHARACTERS = 32  # shorter texts are often equal by chance
_DROPPED_CATEGORIES = frozenset("PZC")  # punctuation, separators, control characters: captures differ in them


def _extract_opening(text: str) -> str:
    """The first letters, digits, marks and symbols of a text, in lower case."""
    text = unicodedata.normalize("NFKC", text[: 4 * _OPENING_CHARACTERS]).casefold()
    return "".join(c for c in text if unicodedata.category(c)[0] not in _DROPPED_CATEGORIES)[:_OPENING_CHARACTERS]


def identify_texts(texts: Sequence[str]) -> list[str]:
    """The identity of each comment of a page.

    Args:
        texts: The texts of the comments, in page order.
    """
    openings = [_extract_opening(text) for text in reversed(texts)]
    distinctive = [opening for opening in openings if len(opening) >= _MIN_DISTINCTIVE_CHARACTERS]
    neighbour = distinctive[0] if distinctive else ""  # for short texts at the end of the page, the one above them
    numbers = Counter[tuple[str, str]]()
    identities: list[str] = []
    for text, opening in zip(reversed(texts), openings, strict=True):
        if len(opening) >= _MIN_DISTINCTIVE_CHARACTERS:
            neighbour, key = opening, (opening, "")
        else:
            short = collapse_spaces(unicodedata.normalize("NFKC", text).casefold())
            key = (short, neighbour[:_MIN_DISTINCTIVE_CHARACTERS])
        numbers[key] += 1
        identities.append(hash_parts(*key, numbers[key]))
    return identities[::-1]
