"""What counts as evidence that two records are one work; measured on labelled pairs, see ``benchmarks/linking.py``."""

from __future__ import annotations

MIN_WORDS = 4  # of a title that is evidence without authors
MIN_KEY_LETTERS = 20  # the same for scripts without blanks between words
MAX_YEARS_APART = 3  # of works with the same title whose authors are not known
MAX_SAME_TITLE = 20  # works; a title of more is no evidence
MIN_COMPARED_LETTERS = 12  # of a title that is compared with similar ones
MAX_BLOCK = 40  # titles; a block with more is not compared
MIN_SAME_KEY_SIMILARITY = 60  # of titles with the same key and no author in common
MIN_LINK_SIMILARITY = 95
MIN_CANDIDATE_SIMILARITY = 85
MIN_ABSTRACT_SIMILARITY = 90
MIN_ABSTRACT_LETTERS = 200
MIN_SENTENCE_LETTERS = 40
_ROMAN = "i{1,3}|iv|v|vi{1,3}|ix|x"
_WORDS = "one|two|three|four|five|first|second|third"
_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
NUMBERS = rf"\d+|\b(?:{_ROMAN}|{_WORDS}|{_MONTHS})\b"
MAX_SAME_SENTENCE = 10  # works; a sentence in more abstracts is a set phrase


def fill_limits(statement: str) -> str:
    """A statement with the limits in place of their names in braces."""
    for name, value in globals().items():
        if name.isupper():
            statement = statement.replace(f"{{{name}}}", str(value))
    return statement
