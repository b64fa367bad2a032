"""Words of a text with their places, and the passages of a text in which nothing is mentioned."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache

from warehouse.names import build_title_key

# marks belong to their letters, and invisible characters to their word
_MARKS = "".join(chr(point) for point in range(0x300, 0x10000) if unicodedata.category(chr(point))[0] == "M")
_WORD = re.compile(rf"[^\W_](?:[^\W_]|[{_MARKS}\u00ad\u200b-\u200d\u2060\ufeff])*")
_ASCII_WORD = re.compile(r"[A-Za-z0-9]+")
_ASCII_BLANKS = str.maketrans({chr(point): " " for point in range(128) if not chr(point).isalnum()})
_LINK_SIGN = re.compile(r"(?i)://|www\.|doi:|arxiv:|mailto:|[a-z]/")
_LINK = re.compile(
    r"(?i)\b(?:https?://|www\.|mailto:)[^\s<>\"“”]+|\b(?:doi|arxiv):\s?\d[^\s<>\"“”]+"
    r"|\b(?:[a-z0-9-]+\.)+[a-z]{2,}/[^\s<>\"“”]*"
)


class Words:
    """The words of a text: runs of letters, marks and digits of any script.

    Attributes:
        text: The text.
        folded: Each word without regard to case and form.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        if text.isascii():
            self.folded = text.lower().translate(_ASCII_BLANKS).split()
        else:
            self.folded = [fold_word(word) for word in _WORD.findall(text)]

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """First and last position of each word in the text, from 0, the last one exclusive."""
        pattern = _ASCII_WORD if self.text.isascii() else _WORD
        return [match.span() for match in pattern.finditer(self.text)]

    def get_written(self, number: int) -> str:
        """A word as written."""
        return self.text[slice(*self.spans[number])]


def fold_word(word: str) -> str:
    """A word without regard to case and form, as in the key of a title."""
    return word.lower() if word.isascii() else build_title_key(word)


def list_skipped_spans(text: str, boilerplate: Sequence[str] = ()) -> list[tuple[int, int]]:
    """The passages of a text in which nothing is mentioned: links, and what the patterns of boilerplate match.

    Args:
        text: The text.
        boilerplate: Regular expressions of passages that stand in many texts and are about none of them.
    """
    return [span for pattern in _list_patterns(text, tuple(boilerplate)) for span in _find_spans(pattern, text)]


def _list_patterns(text: str, boilerplate: tuple[str, ...]) -> Iterator[re.Pattern[str]]:
    if _LINK_SIGN.search(text):
        yield _LINK
    yield from _compile_patterns(boilerplate)


def _find_spans(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in pattern.finditer(text) if match.end() > match.start())


@lru_cache(maxsize=16)
def _compile_patterns(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)


def overlaps(start: int, end: int, spans: Iterable[tuple[int, int]]) -> bool:
    """Whether a passage overlaps one of some others."""
    return any(start < last and first < end for first, last in spans)
