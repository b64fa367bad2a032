"""Words of a text with their places, and parts of a text that are left out before words are looked for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from warehouse.names import build_title_key

# marks belong to their letters, and invisible characters to their word
_MARKS = "".join(chr(point) for point in range(0x300, 0x10000) if unicodedata.category(chr(point))[0] == "M")
_WORD = re.compile(rf"[^\W_](?:[^\W_]|[{_MARKS}\u00ad\u200b-\u200d\u2060\ufeff])*")
_LINK = re.compile(r"(?i)\b(?:https?://|www\.|mailto:)[^\s<>\"“”]+|\b(?:doi|arxiv):\s?\d[^\s<>\"“”]+")
_BARE_HOST = re.compile(r"(?i)\b(?:[a-z0-9-]+\.)+[a-z]{2,}/[^\s<>\"“”]*")


@dataclass(frozen=True)
class Words:
    """The words of a text.

    Args:
        folded: Each word without regard to case and form.
        spans: First and last position of each word in the text, from 0, the last one exclusive.
        text: The text.
    """

    folded: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    text: str

    def get_written(self, first: int, last: int) -> str:
        """The text from the first to the last of some words, as written."""
        return self.text[self.spans[first][0] : self.spans[last][1]]


def fold_word(word: str) -> str:
    """A word without regard to case and form, as in the key of a title."""
    return word.lower() if word.isascii() else build_title_key(word)


def split_words(text: str) -> Words:
    """The words of a text: runs of letters, marks and digits of any script."""
    matches = list(_WORD.finditer(text))
    if text.isascii():
        lower = text.lower()
        folded = tuple(lower[match.start() : match.end()] for match in matches)
    else:
        folded = tuple(fold_word(match[0]) for match in matches)
    return Words(folded, tuple(match.span() for match in matches), text)


def blank_links(text: str, boilerplate: Sequence[str] = ()) -> str:
    """The text with links, and what the patterns of boilerplate match, replaced by as many blanks.

    Args:
        text: The text.
        boilerplate: Regular expressions of passages that stand in many texts and are about none of them.
    """
    for pattern in (_LINK, _BARE_HOST, *_compile_patterns(tuple(boilerplate))):
        text = pattern.sub(lambda match: " " * len(match[0]), text)
    return text


@lru_cache(maxsize=16)
def _compile_patterns(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)
