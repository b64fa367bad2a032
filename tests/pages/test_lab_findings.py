"""The finding on differences between the labs of a chart: the test that fits, with what both have left out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.queries.lab_findings import (
    LabCounts,
    count_by_lab,
    describe_rate_differences,
    describe_share_differences,
)
from dashboards.queries.release import get_newest_release
from dashboards.queries.selection import Selection
from tests.support.app_tests import open_page
from warehouse.lake import Lake


def test_clear_difference_comes_first_with_both_counts_and_its_ratio() -> None:
    counts = LabCounts({("", "A"): 42, ("", "B"): 11, ("", "C"): 25}, {})
    finding = describe_rate_differences(counts, ["A", "B", "C"])
    assert finding.sentence == (
        "Between labs: A 42 and B 11 (3.8 times as many, 95 % interval alone 1.9 to 8.2): clear difference "
        "(p < 0.0001, corrected for the 3 comparisons); 2 other comparisons without a clear difference."
    )
    assert finding.headline == "A published more than B"


@pytest.mark.parametrize(
    ("first", "second", "p_value"),
    [  # test_poisson_2indep(first, 1, second, 1, method="exact-cond") of statsmodels 0.15
        (25, 11, "p = 0.029"),  # 0.028816719655878845
        (13, 2, "p = 0.0074"),  # 0.00738525390625
        (10, 6, "p = 0.45"),  # 0.454498291015625
        (42, 11, "p < 0.0001"),  # 2.2475594023241285e-05
    ],
)
def test_rates_are_tested_as_by_statsmodels(first: int, second: int, p_value: str) -> None:
    counts = LabCounts({("", "A"): first, ("", "B"): second}, {})
    assert f"({p_value})" in describe_rate_differences(counts, ["A", "B"]).sentence


def test_publications_of_both_labs_are_left_out() -> None:
    finding = describe_rate_differences(LabCounts({("", "A"): 30, ("", "B"): 26}, {("", "A", "B"): 20}), ["B", "A"])
    assert "A 10 and B 6" in finding.sentence
    assert finding.sentence.endswith("no clear difference (p = 0.45; without 20 publications of both).")
    assert finding.headline == "No clear difference between labs"


@given(st.integers(0, 60), st.integers(0, 60))
def test_rates_are_compared_given_their_sum(first: int, second: int) -> None:
    finding = describe_rate_differences(LabCounts({("", "A"): first, ("", "B"): second}, {}), ["A", "B"])
    total, fewer = first + second, min(first, second)
    if total < 10:
        assert finding.sentence.startswith("Too few to tell whether labs differ")
        return
    tail = sum(math.comb(total, number) for number in range(fewer + 1)) / 2**total
    assert ("clear difference" in finding.sentence) == (total >= 10)
    assert finding.sentence.count("no clear difference") == (min(1.0, 2 * tail) >= 0.05)


def test_title_names_what_was_chosen() -> None:
    counts = LabCounts({("", "A"): 25, ("", "B"): 2}, {})
    finding = describe_rate_differences(counts, ["A", "B"], scope="Robustness")
    assert finding.headline == "A published more in Robustness than B"
    assert finding.sentence.startswith(
        "Between labs in Robustness: A 25 and B 2 (12 times as many, 95 % interval alone 3.1 to 109)"
    )


def test_no_events_of_one_lab_leave_the_ratio_unbounded() -> None:
    finding = describe_rate_differences(LabCounts({("", "A"): 20}, {}), ["A", "B"])
    assert "A 20 and B 0 (95 % interval alone of the ratio from 4.9): clear difference" in finding.sentence


def test_each_category_of_panels_is_a_comparison_and_too_few_are_counted() -> None:
    counts = LabCounts({("x", "A"): 30, ("x", "B"): 4, ("y", "A"): 2, ("y", "B"): 3}, {})
    finding = describe_rate_differences(counts, ["A", "B"], ["x", "y"])
    assert finding.sentence.startswith("Between labs: x: A 30 and B 4 (7.5 times as many")
    assert finding.sentence.endswith("; 1 comparison with too few publications to tell.")
    assert finding.headline == "A published more in x than B"


def test_shares_are_compared_with_newcombes_interval() -> None:
    of_lab = {("x", "A"): 13, ("y", "A"): 12, ("x", "B"): 3, ("y", "B"): 39}
    finding = describe_share_differences(LabCounts(of_lab, {}), ["A", "B"], ["x"])
    assert finding.sentence == (
        "Between labs: x: 52% of A (13 of 25) and 7% of B (3 of 42), +45 percentage points "
        "(95 % interval alone +23 to +63): clear difference (p < 0.0001)."
    )
    assert finding.headline == "A has a larger share in x than B"


def test_divided_publications_are_not_tested() -> None:
    finding = describe_rate_differences(LabCounts({("", "A"): 20.5}, {}, is_whole=False), ["A", "B"])
    assert "divides publications" in finding.sentence
    assert finding.headline == ""


def test_counts_of_labs_are_those_of_the_chart(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLE_LAKE", str(released_lake.root))
    release, labs = get_newest_release(), ["Anthropic", "OpenAI"]
    counts = count_by_lab(release, Selection(corpus="iaps_mapping"), labs, has_categories=False)
    assert counts == LabCounts({("", "Anthropic"): 25, ("", "OpenAI"): 11}, {})
    by_category = count_by_lab(release, Selection(corpus="iaps_mapping"), labs, has_categories=True)
    assert sum(by_category.of_lab.values()) == 36
    divided = Selection(rule="works", taxonomy="unsolved_problems", corpus="iaps_mapping")
    assert not count_by_lab(release, divided, labs, has_categories=True).is_whole
    repeated = Selection(rule="works_each_category", corpus="iaps_mapping")
    assert not count_by_lab(release, repeated, labs, has_categories=False).is_whole


@pytest.mark.parametrize(
    ("view", "colour", "expected"),
    [
        ("bars", "category", "Google DeepMind 42 and OpenAI 11 (3.8 times as many"),  # a panel for each lab
        ("bars", "lab", "Mechanistic interpretability: Anthropic 13 and OpenAI 2 (6.5 times as many"),
        ("share", "category", "Mechanistic interpretability: 52% of Anthropic (13 of 25) and 7% of Google DeepMind"),
    ],
)
def test_page_answers_what_the_chart_compares(
    released_lake: Lake, monkeypatch: pytest.MonkeyPatch, view: str, colour: str, expected: str
) -> None:
    app = open_page(released_lake, monkeypatch, view=view, colour=colour)
    assert not app.exception
    (finding,) = [text.value for text in app.markdown if text.value.startswith("**Finding**")]
    assert expected in finding.replace("\\", "")
