"""Titles of feeds made from the cards of a site, where date, section, title and summary follow without a separator."""

from __future__ import annotations

import re
from typing import NamedTuple

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\.?"
_DATE = rf"(?:{_MONTH} \d{{1,2}}, 20\d\d|\d{{1,2}} {_MONTH} 20\d\d)"
# sections of the labs' sites; another word before a capital may be the beginning of a name, such as OpenAI
_SECTIONS = (
    *("Alignment", "Announcements", "Announcement", "Blog", "Case Study", "Company", "Economic Research", "Economics"),
    *("Education", "Engineering", "Event", "Frontier Red Team", "Global Affairs", "Interpretability", "Milestone"),
    *("News", "Policy", "Product", "Publication", "Release", "Research", "Safety", "Science", "Security"),
    *("Societal Impacts", "Responsibility", "Technologies"),
)
_SECTION = "|".join(sorted(_SECTIONS, key=len, reverse=True))
_GLUED = re.compile(
    rf"(?:(?P<first_section>{_SECTION}) ?)?{_DATE}(?=[^\W\d_]|[“\"‘(])"
    rf"(?:(?P<section>{_SECTION})(?=[^\Wa-z_]|[“\"‘(]))?(?P<rest>.+)"
)
# the first word of a sentence directly after a word of the title
_SUMMARY = re.compile(r"(?<=[a-z?!)’”])(?=(?:[A-Z][a-z]*|I) [^.?!]*\w.*[.?!…]$)")
_INNER_CAPITALS = re.compile(r"\b[A-Z][a-z]+[A-Z]\w*\b")  # DeepMind, LessWrong
_MAX_NAME_LETTERS = 14  # a longer word with a capital inside is two words
_MIN_SUMMARY_WORDS = 4


class SeparatedTitle(NamedTuple):
    """The parts of a glued title; the section and the summary may be missing."""

    title: str
    section: str | None
    summary: str | None


def separate_title(text: str) -> SeparatedTitle | None:
    """The parts of a title that begins with a date glued to it, with or without a section; None for other titles.

    A summary is looked for only where the section stands before the date: such cards have one.
    """
    match = _GLUED.fullmatch(text)
    if match is None:
        return None
    section, title = match["first_section"] or match["section"], match["rest"].strip()
    summary = None
    if match["first_section"]:
        for place in _SUMMARY.finditer(title):
            before = re.search(r"\S*$", title[: place.start()])
            word = (before[0] if before else "") + re.split(r"\W", title[place.start() :])[0]
            is_name = _INNER_CAPITALS.fullmatch(word) is not None and len(word) <= _MAX_NAME_LETTERS
            words = title[place.start() :].split()
            if len(words) >= _MIN_SUMMARY_WORDS and (not is_name or before is None or before[0].islower()):
                title, summary = title[: place.start()], title[place.start() :]
                break
    return SeparatedTitle(title, section, summary)
