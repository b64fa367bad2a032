"""The finding of a chart of shares: whether they changed, with a test that fits."""

from __future__ import annotations

import polars as pl
import pytest

from dashboards.queries.share_findings import describe_share_changes
from tests.support.app_tests import open_page
from warehouse.lake import Lake


def build_frame(**shares: tuple[list[float], list[float]]) -> pl.DataFrame:
    """Rows as of a query for shares of labs: of each its publications and all, by whole year from 2020 on."""
    return pl.DataFrame(
        [
            {
                "period": str(2020 + place),
                "starts_on": place,
                "lab": lab,
                "publications": float(count),
                "total_publications": float(total),
                "is_part_period": False,
            }
            for lab, (counts, totals) in shares.items()
            for place, (count, total) in enumerate(zip(counts, totals, strict=True))
        ]
    )


def test_clear_changes_come_first_with_both_shares_and_their_difference() -> None:
    frame = build_frame(A=([3, 8, 12], [24, 32, 22]), B=([10, 12, 9], [24, 32, 22]), C=([1, 0, 1], [24, 32, 22]))
    assert describe_share_changes(frame, "lab", None).sentence == (
        "A: from 12% (3 of 24) in 2020 to 55% (12 of 22) in 2022, +42 percentage points (95 % interval +15 to +62): up "
        "(trend over 3 whole periods, p = 0.0041, corrected for the 2 shares tested); 1 other share without a clear "
        "change; 1 share with too few publications to tell."
    )


def test_no_clear_change_is_a_finding() -> None:
    frame = build_frame(A=([12, 18], [24, 32]))
    assert describe_share_changes(frame, "lab", None).sentence.endswith("(trend over 2 whole periods, p = 0.65).")
    assert ": no clear change (" in describe_share_changes(frame, "lab", None).sentence


@pytest.mark.parametrize("shares", [{"A": ([3], [10])}, {"A": ([1, 1], [30, 30])}, {"A": ([0, 0], [0, 0])}, {}])
def test_too_few_is_a_finding_with_what_is_needed(shares: dict[str, tuple[list[float], list[float]]]) -> None:
    frame = build_frame(**shares) if shares else build_frame(A=([1], [1])).clear()
    assert describe_share_changes(frame, "lab", None).sentence.startswith("Too few to tell whether a share changed")


def test_divided_publications_are_not_tested_and_part_periods_are_left_out() -> None:
    frame = build_frame(A=([1.5, 8], [24, 32]))
    assert "divides publications" in describe_share_changes(frame, "lab", None).sentence
    part = build_frame(A=([3, 8, 12], [24, 32, 22])).with_columns(is_part_period=pl.col("period") == "2022")
    assert "in 2021" in describe_share_changes(part, "lab", None).sentence
    assert "2022" not in describe_share_changes(part, "lab", None).sentence


def test_trends_as_shares_have_a_finding_about_shares(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(released_lake, monkeypatch, view="share", colour="lab", panels="false")
    assert not app.exception
    (finding,) = [text.value for text in app.markdown if text.value.startswith("**Finding**")]
    assert "percentage points" in finding
    assert "growth" not in finding
