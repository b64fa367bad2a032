"""Which publications are counted and how: filters, counting rule, taxonomy, grain."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

Grain = Literal["month", "quarter", "year", "rolling_12_months"]
Dimension = Literal["lab", "category"]
OTHER_DIMENSION: Mapping[Dimension, Dimension] = {"lab": "category", "category": "lab"}
DEFAULT_RULE = "works"
"""The counting rule of every page where none is chosen; the statistics of a release count by it too."""
COUNTS_TABLE = "mart.publication_counts_by_month"
DIMENSION_PLURALS: Mapping[Dimension, str] = {"lab": "labs", "category": "categories"}


@dataclass(frozen=True)
class Selection:
    """Which publications are counted, and how.

    Args:
        labs: Names of the labs; all if empty.
        categories: Names of the categories; all if empty.
        rule: The counting rule.
        taxonomy: The taxonomy of the categories.
        grain: Length of a period.
        dimensions: What counts are grouped by, besides the period.
        since: A day in the first period; None for no lower bound.
        until: A day in the last period; None for no upper bound.
        corpus: The corpus; None for the only one of a release of an earlier version, the published mapping.
    """

    labs: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    rule: str = DEFAULT_RULE
    taxonomy: str = "iaps"
    grain: Grain = "year"
    dimensions: tuple[Dimension, ...] = ("lab", "category")
    since: dt.date | None = None
    until: dt.date | None = None
    corpus: str | None = None

    @property
    def span(self) -> tuple[dt.date | None, dt.date | None]:
        """``since`` and ``until`` widened to whole periods.

        A rolling window belongs to the month in which it ends.
        """
        period_months = {"quarter": 3, "year": 12}.get(self.grain, 1)
        return (
            find_period(self.since, period_months)[0] if self.since else None,
            find_period(self.until, period_months)[1] if self.until else None,
        )

    @property
    def by_month(self) -> Selection:
        """The same publications and months, counted by month."""
        since, until = self.span
        return replace(self, grain="month", since=since, until=until)

    def choose(self, dimension: Dimension, members: Sequence[str]) -> Selection:
        """The same selection with these labs or categories."""
        chosen = tuple(members)
        return replace(self, labs=chosen) if dimension == "lab" else replace(self, categories=chosen)

    @property
    def counting_parameters(self) -> dict[str, Any]:
        """The parameters of every query on publications: ``rule``, ``taxonomy`` and, if chosen, ``corpus``."""
        return {"rule": self.rule, "taxonomy": self.taxonomy, **self.corpus_parameters}

    @property
    def corpus_parameters(self) -> dict[str, Any]:
        """The parameter ``corpus``; none if there is only one."""
        return {"corpus": self.corpus} if self.corpus else {}

    @property
    def corpus_argument(self) -> str:
        """The last argument of a table macro, after another one."""
        return ", in_corpus := $corpus" if self.corpus else ""

    @property
    def counted_by(self) -> str:
        """The rule and the corpus, as part of a file name."""
        return f"{self.rule}_{self.corpus}" if self.corpus else self.rule

    @property
    def macro_arguments(self) -> str:
        """The arguments of the table macros that count."""
        return f"rule := $rule, in_taxonomy := $taxonomy{self.corpus_argument}"

    @property
    def counts(self) -> str:
        """The counts by month of the corpus, as a relation."""
        if self.corpus:
            return "(select * exclude (corpus) from mart.work_counts_by_month where corpus = $corpus)"
        return COUNTS_TABLE

    @property
    def counted(self) -> str:
        """What the corpus counts, with labs and weights, as a relation."""
        if self.corpus:
            return "(select * from mart.counted_works where corpus = $corpus)"
        return "(select *, publication_id as item_id from mart.counted_publications)"

    @property
    def dated(self) -> str:
        """The dates of what the corpus counts, as a relation."""
        return self.counted if self.corpus else "clean.publications"

    @property
    def coverage(self) -> str:
        """The row with what the corpus covers, as a relation."""
        if self.corpus:
            return "(select * from mart.corpus_coverage where corpus = $corpus)"
        return "(select * from clean.coverage where source = 'lab_sheet')"

    def build_conditions(self, day: str) -> tuple[str, dict[str, Any]]:
        """The filters as an SQL condition, and its parameters.

        Args:
            day: The date column that is compared with `span`.
        """
        since, until = self.span
        if (
            since and self.grain == "rolling_12_months" and day != "ends_on"
        ):  # the first window starts 11 months earlier
            month_number = since.year * 12 + since.month - 12
            since = dt.date(month_number // 12, month_number % 12 + 1, 1)
        conditions: list[tuple[str, str, Any]] = [
            ("list_contains($labs, lab)", "labs", list(self.labs)),
            ("list_contains($categories, category)", "categories", list(self.categories)),
            (f"{day} >= $since", "since", since),
            (f"{day} <= $until", "until", until),
        ]
        active = [condition for condition in conditions if condition[2]]
        return " and ".join(sql for sql, _, _ in active) or "true", {name: value for _, name, value in active}


def find_period(day: dt.date, month_count: int) -> tuple[dt.date, dt.date]:
    """First and last day of the month, quarter or year (1, 3 or 12 months) that contains a day."""
    first = (day.month - 1) // month_count * month_count + 1
    after = dt.date(day.year + (first + month_count > 12), (first + month_count - 1) % 12 + 1, 1)
    return dt.date(day.year, first, 1), after - dt.timedelta(days=1)


_MONTH_FORMATS = ("%Y-%m", "%Y-%m-%d", "%Y/%m", "%m/%Y", "%m.%Y", "%m-%Y", "%B %Y", "%b %Y", "%Y %B", "%Y %b")


def parse_span(text: str) -> tuple[dt.date, dt.date] | None:
    """First and last day of the month, quarter or year that a person wrote: 2023-05, May 2023, 5/2023, 2023 Q2, 2023.

    None if the text is none of these.
    """
    written = " ".join(text.replace(",", " ").split())
    if match := re.fullmatch(r"(\d{4})(?:[ -]?[Qq]([1-4]))?", written):
        year, quarter = int(match[1]), match[2]
        if not dt.MINYEAR <= year < dt.MAXYEAR:
            return None
        return find_period(dt.date(year, 3 * int(quarter or 1), 1), 3 if quarter else 12)
    for form in _MONTH_FORMATS:
        with contextlib.suppress(ValueError):
            day = dt.datetime.strptime(written, form).date()  # noqa: DTZ007 - a day has no time zone
            return find_period(day, 1) if day.year < dt.MAXYEAR else None
    return None


@dataclass(frozen=True)
class PublicationTotals:
    """Counts of publications by the rule of a selection; fractional if the rule divides publications.

    Args:
        selected: Dated publications that match the filters: the sum of all that is drawn.
        dated: Dated publications of all labs and categories.
        undated: Undated publications that match the filters; in no chart over time.
        unattributed: Dated publications without known authors, which the rule cannot attribute to a lab.
        newest_on: Date of the newest publication.
        covers_from: First day that the corpus covers; None if it has no dated publication.
        covers_until: Last day that it covers.
    """

    selected: float
    dated: float
    undated: float
    unattributed: float
    newest_on: dt.date | None
    covers_from: dt.date | None
    covers_until: dt.date | None


@dataclass(frozen=True)
class CountingRule:
    """A counting rule, and whether it can attribute publications to labs."""

    name: str
    meaning: str
    is_applicable: bool
