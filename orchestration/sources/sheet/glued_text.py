"""Patterns of glued text: on a captured page the cells of a row follow each other without a separator."""

from __future__ import annotations

import re
from functools import cache

from orchestration.sources.sheet.dates import MONTHS
from warehouse.reference import list_names, read_rows

_HEADER = "companytitledateurlsafety_categoryabstract"
# two digits only for 10 to 31, so that the 4 of "GPT-46-Jun-24" stays with the title
DATE = rf"(?P<day>3[01]|[12]\d|\d)-(?P<month>{'|'.join(MONTHS)})-(?P<year>\d\d)(?!\d)"
DATED_LINK = re.compile(rf"{DATE}\s*https?://")
# the first character of a cell glued to a lab's name; inside a sentence a lab is hardly ever followed by one
GLUED_CELL = re.compile(r"(?=[A-Z0-9“\"])")
GLUED_OR_WRAPPED_CELL = re.compile(rf"{GLUED_CELL.pattern}|\s*\n")
DUPLICATE_MARK = r"(?P<mark>\[Duplicate\]\s*)?"
# a category that is not known: up to five words, up to the capital of the abstract that is glued to it
UNKNOWN_CATEGORY = r"(?P<category>[A-Z][a-z]+(?:[ -][a-z]+){0,4}?)(?=[A-Z][a-z]*\W|\s*$)"


@cache
def get_known_labs() -> list[str]:
    """Names and aliases of the labs, longest first."""
    labs = {row["lab"] for row in read_rows("labs")}
    aliases = {row["alias"] for row in read_rows("lab_aliases")}
    return _sort_longest_first(labs | aliases)


@cache
def get_known_categories() -> list[str]:
    """Names of the categories, longest first."""
    return _sort_longest_first(set(list_names("categories")))


def _sort_longest_first(names: set[str]) -> list[str]:
    """The names in an order in which no name comes before a longer one that begins with it."""
    return sorted(names, key=lambda name: (-len(name), name))


def match_any(names: list[str]) -> str:
    """A pattern that matches any of the names, in their order."""
    return "|".join(re.escape(name) for name in names)


@cache
def compile_row_date() -> re.Pattern[str]:
    """The date of a row: directly before its link, or before its category where the row has no link."""
    return re.compile(rf"{DATE}\s*(?=https?://|(?:\[Duplicate\]\s*)?(?:{match_any(get_known_categories())}))")


@cache
def compile_row_start() -> re.Pattern[str]:
    """A line that begins with a known lab, or with the remains of a row number and then a lab."""
    return re.compile(rf"^[ \t]*(?P<number>[^A-Za-z\n]{{0,8}}?)(?P<lab>{match_any(get_known_labs())})", re.MULTILINE)


def is_header(text: str) -> bool:
    """Whether the text begins with the glued names of the columns."""
    return "".join(text.split()).lower().startswith(_HEADER)
