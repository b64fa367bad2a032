"""What a chart shows, as a sentence to quote and as a title for its picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_MOST_NAMED = 3
CHANGE_HEADLINES = {
    "up": "more publications over time",
    "down": "fewer publications over time",
    "no clear change": "no clear change over time",
    "too few": "too few publications for a trend",
}
"""Findings of the SQL macro change_finding as titles."""


class Finding(NamedTuple):
    """What the numbers show.

    Args:
        sentence: With all numbers, tests and corrections; may hold texts from the data.
        headline: The same in a few words, without a full stop, as the title of a picture.
    """

    sentence: str
    headline: str


def join_findings(findings: Sequence[Finding]) -> Finding:
    """Several findings as one, those with a headline first in the title."""
    headlines = [finding.headline for finding in findings if finding.headline]
    return Finding(" ".join(finding.sentence for finding in findings), ". ".join(headlines))


def list_names(names: Sequence[str]) -> str:
    """Names in a title: A, B and C, and of more only how many there are."""
    if len(names) > _MOST_NAMED:
        return f"{', '.join(names[: _MOST_NAMED - 1])} and {len(names) - _MOST_NAMED + 1} more"
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
