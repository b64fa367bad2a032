"""Sentences about the trend of a choice, the age of the data and what is left out, for releases of given publications."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import polars as pl
import pytest
from rich.console import Console
from rich.table import Table as RichTable

from dashboards.figures.shared import build_history_figure, build_mix_figure
from dashboards.queries import counts
from dashboards.queries.data_age import DataAge, query_data_age, settle_periods
from dashboards.queries.findings import describe_trends
from dashboards.queries.lineage import list_steps
from dashboards.queries.selection import Selection, parse_span
from orchestration.cli.report import build_findings_table
from tests.support.builders import CORPORA, build_release, make_publication
from warehouse.lake import Lake
from warehouse.release import Release, read_current_release

ROBUST = Selection(labs=("OpenAI",), categories=("Robustness",))


# what pages of trends read
MADE = [
    "mart.publication_trends",
    "mart.publications_by_lab_category_month",
    "mart.publication_rate_ratios",
    *CORPORA,
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Publications of OpenAI on robustness that grow; 3 on honesty, some undated, and some of 1950."""
    lake = Lake(tmp_path_factory.mktemp("findings"))
    days = [dt.date(2022 + month // 12, month % 12 + 1, 3) for month in range(31) for _ in range(1 + month // 6)]
    papers = [make_publication(key, published_on=day) for key, day in enumerate(days)]
    papers += [make_publication(f"honest {n}", category="Honest AI", published_on=days[n]) for n in range(3)]
    papers += [make_publication(f"undated {n}", published_on=None) for n in range(219)]
    papers += [make_publication(f"old {n}", lab=f"[lab {n}]", published_on=dt.date(1950 + n, 7, 2)) for n in range(25)]
    build_release(lake, papers, only=MADE)
    return lake


@pytest.fixture
def release(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Release:
    monkeypatch.setenv("AISLE_LAKE", str(lake.root))
    return read_current_release(lake)


def test_trend_of_one_lab_in_one_category_is_tested(release: Release) -> None:
    ((sentence, _),) = describe_trends(release, ROBUST)
    assert sentence.startswith("OpenAI, Robustness: ")
    assert "whole months, growth +" in sentence
    assert "corrected for this and the" in sentence
    assert sentence.endswith(": up.")


@pytest.mark.parametrize(
    ("selection", "needed"),
    [
        (Selection(labs=("OpenAI",), categories=("Honest AI",)), "It needs at least 5 in each half"),
        (
            Selection(labs=("OpenAI",), categories=("Robustness",), grain="month", since=dt.date(2024, 7, 1)),
            "a longer span of time",
        ),
        (Selection(taxonomy="unsolved_problems", categories=("Monitoring",)), "It needs at least 5 in each half"),
    ],
)
def test_choice_without_a_trend_has_what_would_be_needed(release: Release, selection: Selection, needed: str) -> None:
    ((sentence, _),) = describe_trends(release, selection)
    assert "too few for a trend" in sentence
    assert needed in sentence


def test_divided_publications_have_no_trend_but_a_reason(tmp_path: Path) -> None:
    papers = [make_publication(n, published_on=dt.date(2022 + n % 2, 5, 1)) for n in range(30)]
    release = build_release(
        Lake(tmp_path),
        papers,
        [(n, place, lab) for n in range(30) for place, lab in ((1, "OpenAI"), (2, None))],
        only=MADE,
    )
    ((sentence, _),) = describe_trends(release, Selection(("OpenAI",), ("Robustness",), rule="works_fractional"))
    assert "that needs whole ones" in sentence


def test_series_of_the_release_have_its_own_sentence(release: Release) -> None:
    with release.connect() as connection:
        expected = connection.sql("select sentence from mart.publication_trends where member = 'OpenAI'").fetchall()
    assert [found.sentence for found in describe_trends(release, Selection(labs=("OpenAI",)))] == [expected[0][0]]


def test_figures_have_the_undated_remainder(release: Release) -> None:
    for figure in (
        build_history_figure(release, Selection(), "lab", title="t", key="k", finding=None),
        build_mix_figure(release, Selection(), "lab", title="t", key="k"),
    ):
        assert "**219 more without a date** are not drawn." in figure.cautions


def test_figure_of_old_data_is_stale_and_no_period_of_it_is_filling_up(release: Release) -> None:
    figure = build_history_figure(release, Selection(grain="quarter"), "lab", title="t", key="k", finding=None)
    assert query_data_age(release).is_stale
    assert "stale: they end on 31 Jul 2024" in figure.facts
    assert not any("filling up" in caution for caution in figure.cautions)


@pytest.mark.parametrize(
    ("ends_on", "today", "is_stale"),
    [
        (dt.date(2024, 7, 31), dt.date(2026, 11, 28), True),
        (dt.date(2024, 7, 31), dt.date(2024, 11, 1), True),
        (dt.date(2024, 7, 31), dt.date(2024, 9, 30), False),
        (None, dt.date(2026, 1, 1), False),
    ],
)
def test_newest_months_fill_up_only_while_the_data_are_new(
    ends_on: dt.date | None, today: dt.date, is_stale: bool
) -> None:
    age = DataAge(ends_on, today)
    assert age.is_stale == is_stale
    frame = pl.DataFrame({"is_provisional": [True, False]})
    assert settle_periods(frame, age)["is_provisional"].any() != is_stale


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2023-05", (2023, 5, 1), (2023, 5, 31)),
        ("May 2023", (2023, 5, 1), (2023, 5, 31)),
        ("2/2024", (2024, 2, 1), (2024, 2, 29)),
        ("2023 Q4", (2023, 10, 1), (2023, 12, 31)),
        ("  2023 ", (2023, 1, 1), (2023, 12, 31)),
        ("2023-12-24", (2023, 12, 1), (2023, 12, 31)),
        ("1904", (1904, 1, 1), (1904, 12, 31)),
    ],
)
def test_month_can_be_typed(text: str, first: tuple[int, int, int], last: tuple[int, int, int]) -> None:
    assert parse_span(text) == (dt.date(*first), dt.date(*last))


@pytest.mark.parametrize("text", ["", "x", "13/2023", "9999", "0000", "May", "2023 Q5", "20235"])
def test_what_is_no_month_is_none(text: str) -> None:
    assert parse_span(text) is None


def test_findings_table_fits_a_terminal_and_its_totals_are_whole(lake: Lake) -> None:
    table = build_findings_table(lake)
    assert isinstance(table, RichTable)
    console = Console(width=100, record=True, markup=False)
    console.print(table)
    text = console.export_text()
    lines = [line for line in text.splitlines() if line.strip()]
    assert max(map(len, lines)) <= 100
    assert len(lines) < 30
    header, last = lines[1], lines[-1].split("│")
    assert "before" in header
    assert "undated" in header
    assert "[lab 0]" in text
    with_publications = counts.query_totals(read_current_release(lake), Selection(rule="rows"))
    assert int(last[-1]) == with_publications.dated + with_publications.undated
    assert int(last[-2]) == with_publications.undated == 219


def test_release_without_the_present_macros_is_still_drawn(tmp_path: Path) -> None:
    release = build_release(Lake(tmp_path), [make_publication(1)], only=MADE)
    with duckdb.connect(release.path) as connection:
        for name in ("publication_counts", "publication_cells", "publication_periods", "publication_shares"):
            connection.execute(f"drop macro table {name}")
    frame = counts.query_counts(release, Selection(dimensions=("lab",)))
    assert frame["publications"].sum() == 1
    assert frame["period"].unique().sort().to_list() == ["2022", "2023", "2024"]


def test_lineage_is_listed_by_the_number_of_steps() -> None:
    edges = [
        ("raw.a", "clean.b"),
        ("clean.b", "mart.c"),
        ("raw.a", "mart.c"),
        ("mart.c", "mart.d"),
        ("mart.d", "mart.e"),
    ]
    assert list_steps(edges, "mart.c") == {"upstream": [["clean.b", "raw.a"]], "downstream": [["mart.d"], ["mart.e"]]}
    assert list_steps(edges, "raw.a")["upstream"] == []
