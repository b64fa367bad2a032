"""Sentences about differences between the labs of a chart, each pair with the test that fits what is drawn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from dashboards.queries.counting_rules import list_repeating_rules
from dashboards.queries.finding import Finding, list_names
from dashboards.queries.release import query_release
from dashboards.queries.selection import Selection
from dashboards.text import format_count, format_number, format_p_value
from warehouse.release import Release
from warehouse.statistics import functions
from warehouse.statistics.shares import compute_share_difference_interval, compute_share_p_value, correct_by_holm

_FEWEST_OF_PAIR = 10  # publications of both labs together
_FEWEST = 5  # with, and without, what a share is of, at both labs together
_MOST_DESCRIBED = 3
_LEVEL = 0.05


@dataclass(frozen=True)
class LabCounts:
    """Publications of labs, and those that two labs have in common.

    Args:
        of_lab: Publications by category and lab; the category is empty where all are counted together.
        of_both: Publications of two labs, by category and both labs in the order of the alphabet.
        is_whole: Whether each publication counts once, and is not divided among labs or categories.
    """

    of_lab: dict[tuple[str, str], float]
    of_both: dict[tuple[str, str, str], float]
    is_whole: bool = True

    def count_pair(self, category: str, first: str, second: str) -> tuple[float, float, float]:
        """Publications of the first lab alone, of the second alone, and of both."""
        both = self.of_both.get((category, *sorted((first, second))), 0)
        return self.of_lab.get((category, first), 0) - both, self.of_lab.get((category, second), 0) - both, both


@dataclass(frozen=True)
class _Difference:
    """A tested difference: the lab with more, the other, where, and the numbers in words."""

    more: str
    less: str
    where: str
    numbers: str
    p_value: float
    size: float
    both: float


def count_by_lab(release: Release, selection: Selection, labs: Sequence[str], *, has_categories: bool) -> LabCounts:
    """The publications with a date of labs in a selection, and those of each two of them.

    Args:
        release: The release.
        selection: What is counted.
        labs: The labs that are compared.
        has_categories: Whether each category is counted by itself.
    """
    chosen = selection.by_month.choose("lab", labs)
    conditions, filters = chosen.build_conditions("published_on")
    category = "category" if has_categories else "''"
    query = f"""
        with behind as materialized (
            select publication_id, lab, {category} as part, sum(weight) as weight
            from publications_behind({chosen.macro_arguments})
            where published_on is not null and {conditions}
            group by all
        )

        select part, lab as first, null as second, sum(weight) as publications, bool_and(weight % 1 = 0) as is_whole
        from behind
        group by all
        union all
        select part, one.lab as first, other.lab as second, sum(least(one.weight, other.weight)), true
        from behind as one
        inner join behind as other using (publication_id, part)
        where one.lab < other.lab
        group by all
        order by all
    """
    rows = query_release(release, query, {**chosen.counting_parameters, **filters}).rows()
    return LabCounts(
        {(part, lab): count for part, lab, other, count, _ in rows if other is None},
        {(part, lab, other): count for part, lab, other, count, _ in rows if other is not None},
        all(is_whole for *_, is_whole in rows) and selection.rule not in list_repeating_rules(release),
    )


def describe_rate_differences(
    counts: LabCounts,
    labs: Sequence[str],
    categories: Sequence[str] = ("",),
    *,
    scope: str = "",
    is_of_sources: bool = False,
) -> Finding:
    """Which of the labs have more publications in the same time, overall or in each category of a chart.

    What two labs publish together adds as much to one as to the other, so it is left out; what is left of each is
    compared given their sum (exact conditional test of two Poisson rates).

    Args:
        counts: The publications, by category unless all are counted together.
        labs: The labs.
        categories: The categories.
        scope: The chosen categories in words, where those are counted together.
        is_of_sources: Whether the sources of the labs begin and end at different times.
    """
    found = _list_rate_differences(counts, labs, categories)
    pairs = len(categories) * len(labs) * (len(labs) - 1) // 2
    return _describe(counts, found, pairs, "published more", scope=scope, is_of_sources=is_of_sources)


def describe_share_differences(
    counts: LabCounts, labs: Sequence[str], categories: Sequence[str], *, is_of_sources: bool = False
) -> Finding:
    """Which of the labs have a larger share of their publications in a category, by Fisher's exact test.

    Publications of both labs are left out of both shares.

    Args:
        counts: The publications by category, of all categories, since they are what a share is of.
        labs: The labs.
        categories: The categories of the chart.
        is_of_sources: Whether the sources of the labs begin and end at different times.
    """
    found = _list_share_differences(counts, labs, categories)
    pairs = len(categories) * len(labs) * (len(labs) - 1) // 2
    return _describe(counts, found, pairs, "has a larger share", is_of_sources=is_of_sources)


def _list_rate_differences(counts: LabCounts, labs: Sequence[str], categories: Sequence[str]) -> Iterator[_Difference]:
    for category in categories:
        for pair in combinations(labs, 2):
            *numbers, both = counts.count_pair(category, *pair)
            if sum(numbers) < _FEWEST_OF_PAIR:
                continue
            (more, high), (less, low) = sorted(zip(pair, numbers, strict=True), key=lambda row: -row[1])
            least, most = functions.rate_ratio_low(low, 1, high, 1), functions.rate_ratio_high(low, 1, high, 1)
            ratio = (
                f"{_format_ratio(high / low)} times as many, 95 % interval alone "
                if low
                else "95 % interval alone of the ratio "
            )
            text = f"{more} {format_number(high)} and {less} {format_number(low)} ({ratio}"
            text += (
                f"{_format_ratio(least)} to {_format_ratio(most)})"
                if most is not None
                else f"from {_format_ratio(least)})"
            )
            p_value = functions.rate_ratio_p_value(low, 1, high, 1)
            yield _Difference(more, less, category, text, p_value, high - low, both)


def _format_ratio(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"


def _list_share_differences(counts: LabCounts, labs: Sequence[str], categories: Sequence[str]) -> Iterator[_Difference]:
    parts = {category for category, _ in counts.of_lab}
    for pair in combinations(labs, 2):
        by_part = {part: counts.count_pair(part, *pair) for part in parts}
        totals = [sum(row[place] for row in by_part.values()) for place in (0, 1)]
        both = sum(row[2] for row in by_part.values())
        for category in categories:
            hits = by_part.get(category, (0, 0, 0))[:2]
            if not all(totals) or min(sum(hits), sum(totals) - sum(hits)) < _FEWEST:
                continue
            rows = sorted(zip(pair, hits, totals, strict=True), key=lambda row: -row[1] / row[2])
            (more, high, of_high), (less, low, of_low) = rows
            least, most = compute_share_difference_interval(low, of_low, high, of_high)
            numbers = " and ".join(
                f"{hit / total:.0%} of {lab} ({format_number(hit)} of {format_number(total)})"
                for lab, hit, total in rows
            )
            difference = high / of_high - low / of_low
            text = f"{numbers}, {100 * difference:+.0f} percentage points (95 % interval alone "
            text += f"{100 * least:+.0f} to {100 * most:+.0f})"
            p_value = compute_share_p_value(low, of_low, high, of_high)
            yield _Difference(more, less, category, text, p_value, difference, both)


def _describe(
    counts: LabCounts, found: Iterator[_Difference], pairs: int, verb: str, *, scope: str = "", is_of_sources: bool
) -> Finding:
    """The tested differences among so many comparisons in words, the clear ones first."""
    if not counts.is_whole:
        return Finding(
            "No difference between labs is tested, since the counting rule or the taxonomy divides publications or "
            "counts them more than once: that needs whole ones, such as works in the categories of the source.",
            "",
        )
    tested = list(found)
    if not tested:
        return Finding(
            f"Too few to tell whether labs differ: that needs {_FEWEST_OF_PAIR} publications of two labs together. "
            "Choose more categories or a longer span of time.",
            "",
        )
    corrected = correct_by_holm([one.p_value for one in tested])
    ranked = sorted(
        zip(tested, corrected, strict=True),
        key=lambda row: (row[1], row[0].p_value, -row[0].size, row[0].where, row[0].more, row[0].less),
    )
    clear = [row for row in ranked if row[1] < _LEVEL]
    described = (clear or ranked)[:_MOST_DESCRIBED]
    among = f", corrected for the {len(tested)} comparisons" if len(tested) > 1 else ""
    sentences = []
    for one, p_value in described:
        of_both = f"; without {format_count(int(one.both), 'publication')} of both" if one.both else ""
        where = f"{one.where}: " if one.where else ""
        finding = "clear difference" if p_value < _LEVEL else "no clear difference"
        sentences.append(f"{where}{one.numbers}: {finding} ({format_p_value(p_value)}{among}{of_both})")
    more = len(clear) - len(described)
    remainder = [f"{format_count(more, 'more clear difference')}"] if more > 0 else []
    unclear = len(tested) - len(clear) - (0 if clear else len(described))
    remainder += [f"{format_count(unclear, 'other comparison')} without a clear difference"] if unclear > 0 else []
    few = pairs - len(tested)
    remainder += [f"{format_count(few, 'comparison')} with too few publications to tell"] if few else []
    in_scope = f" in {scope}" if scope else ""
    headline = f"No clear difference between labs{in_scope}"
    if clear:
        headline = _name_differences([one for one, _ in clear], f"{verb}{in_scope}")
    of_sources = ", in what the sources of the corpus hold, which begin and end at different times" * is_of_sources
    return Finding(f"Between labs{in_scope}{of_sources}: {'; '.join([*sentences, *remainder])}.", headline)


def _name_differences(clear: Sequence[_Difference], verb: str) -> str:
    """The clearest difference in a few words, with the other labs that the same one exceeds there."""
    less, first = defaultdict(list), clear[0]
    for one in clear:
        less[one.more, one.where].append(one.less)
    of_where = f" in {first.where}" if first.where else ""
    more = len(less) - 1
    others = f", and {format_count(more, 'more difference')}" if more else ""
    return f"{first.more} {verb}{of_where} than {list_names(less[first.more, first.where])}{others}"
