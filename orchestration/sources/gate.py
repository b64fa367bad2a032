"""The gate of bulk files: which of their works belong to the field, by topic, keyword or lab, as plain SQL.

The rules are reference data (``gate_topics.csv``, ``gate_keywords.csv``, ``lab_institutions.csv``). A cheap test of the
unparsed line, by the signs of the rules, finds every line that can pass; only these are read, and tested exactly.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from warehouse.reference import read_rows

# an escaped letter, digit or blank of ASCII hides a word from the cheap test
_ESCAPED_ASCII = r"\\u00[2-7]"


@dataclass(frozen=True)
class Gate:
    """The rules of the gate.

    Args:
        keywords: Regular expressions of which one finds a keyword in a title or abstract; where one has a context, that
            must be found too.
        keyword_signs: Regular expression that finds something in every line of JSON in which a keyword can be.
        topics: Ids of the topics in OpenAlex.
        institutions: Ids of the labs as institutions in OpenAlex.
        affiliations: Regular expressions that match printed affiliations of labs.
        affiliation_signs: Like ``keyword_signs``, for printed affiliations; empty if a lab has none.
    """

    keywords: tuple[tuple[str, str], ...]
    keyword_signs: str
    topics: tuple[str, ...]
    institutions: tuple[str, ...]
    affiliations: tuple[str, ...]
    affiliation_signs: str


def load_gate() -> Gate:
    """The gate with the rules of the reference data."""
    keywords, labs = read_rows("gate_keywords"), read_rows("lab_institutions")
    patterns: dict[str, list[str]] = {}
    for row in keywords:
        pattern = row["pattern"] or _build_phrase(row["keyword"])
        patterns.setdefault(row["context"], []).append(pattern)
    signs = [row["sign"] or _find_longest_word(row["keyword"], row["pattern"]) for row in keywords]
    lab_signs = [row["affiliation_sign"] for row in labs]
    return Gate(
        keywords=tuple(
            (_match_words("|".join(group)), _match_words(context) if context else "")
            for context, group in patterns.items()
        ),
        keyword_signs="|".join(dict.fromkeys(signs)),
        topics=tuple(row["openalex_topic_id"] for row in read_rows("gate_topics")),
        institutions=tuple(row["openalex_institution_id"] for row in labs),
        affiliations=tuple(row["affiliation_pattern"] for row in labs),
        affiliation_signs="|".join(lab_signs) if all(lab_signs) else "",
    )


def build_line_test(*signs: str) -> str:
    """Regular expression that finds something in every line with one of the signs; empty if a sign is missing."""
    return f"(?i){'|'.join([*signs, _ESCAPED_ASCII])}" if all(signs) else ""


def _match_words(pattern: str) -> str:
    return rf"(?i)\b(?:{pattern})\b"


def _build_phrase(phrase: str) -> str:
    return r"[\s-]+".join(re.escape(word) for word in re.split(r"[\s-]+", phrase))


def _find_longest_word(phrase: str, pattern: str) -> str:
    return "" if pattern else max(re.split(r"[\s-]+", phrase), key=len)
