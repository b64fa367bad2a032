"""What counts as evidence that two records are one work; measured on labelled pairs, see ``benchmarks/linking.py``."""

from __future__ import annotations

MIN_WORDS = 4  # of a title that is evidence without authors
MIN_KEY_LETTERS = 20  # the same for scripts without blanks between words
MAX_YEARS_APART = 3  # of works with the same title whose authors are not known
MAX_SAME_KEY = 50  # records; of more, each is compared with one of them
MAX_SAME_TITLE = 20  # works; a title of more is no evidence
MAX_SAME_TEXT = 100  # records; nor is a title or abstract of more, of however many works
MIN_COMPARED_LETTERS = 12  # of a title that is compared with similar ones
MAX_BLOCK = 40  # titles; a block with more is not compared
MIN_SAME_KEY_SIMILARITY = 60  # of titles with the same key and no author in common
MIN_WORD_LETTERS = 4  # of a word that distinguishes titles
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
MAX_SENTENCE_ABSTRACTS = 40  # as is one in more abstracts that differ, of however many works


def fill_limits(statement: str, **values: str) -> str:
    """A statement with these values, then the limits, in place of their names in braces."""
    for name, value in [*values.items(), *globals().items()]:
        if name in values or name.isupper():
            statement = statement.replace(f"{{{name}}}", str(value))
    return statement
