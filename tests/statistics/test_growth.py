"""Tables and statistics grow with the publications, not with labs times categories times periods."""

from __future__ import annotations

import datetime as dt
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from dashboards.queries import counts
from dashboards.queries.selection import Selection
from orchestration.defs.catalog import load_transforms
from tests.support.builders import build_release, fetch_rows, make_publication
from warehouse.lake import Lake
from warehouse.release import Release
from warehouse.statistics import trends

PUBLICATIONS = 120


def build_spread_release(path: Path, members: int, first_year: int = 2022) -> Release:
    """A release of `PUBLICATIONS` publications of so many labs and categories, spread over the years until 2024."""
    days = (dt.date(2024, 6, 1) - dt.date(first_year, 1, 1)).days
    return build_release(
        Lake(path),
        [
            make_publication(
                n,
                lab=f"Lab {n % members}",
                category=f"Category {n * 7 % members}",
                published_on=dt.date(first_year, 1, 1) + dt.timedelta(days=n * days // PUBLICATIONS),
            )
            for n in range(PUBLICATIONS)
        ],
        only=list_tables_of_publications(),
    )


def list_tables_of_publications() -> list[str]:
    """The tables that are made from publications, directly or not."""
    found = ["clean.publications"]
    for name, transform in load_transforms().items():  # each after those it reads
        if set(found) & set(transform.source_tables):
            found.append(name)
    return found


@pytest.fixture(scope="module")
def spread_releases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Release]:
    folder = tmp_path_factory.mktemp("spread")
    return {
        "few": build_spread_release(folder / "few", 30),
        "twice": build_spread_release(folder / "twice", 60),
        "old": build_spread_release(folder / "old", 30, first_year=1900),
    }


def test_no_table_grows_with_the_product_of_its_dimensions(spread_releases: dict[str, Release]) -> None:
    few, twice, old = (
        {name: facts["rows"] for name, facts in spread_releases[key].manifest["tables"].items()}
        for key in ("few", "twice", "old")
    )
    assert few["mart.publications_by_lab_category_month"] > PUBLICATIONS
    for name, rows in few.items():
        # twice the labs and twice the categories are four times the pairs
        assert twice[name] <= 2 * rows + 20, name
        # 125 years are forty times the periods; a publication has a row in at most twelve months
        assert old[name] <= max(2 * rows, 12 * PUBLICATIONS) + 20, name


def test_zeros_are_filled_in_for_what_is_selected(spread_releases: dict[str, Release]) -> None:
    release = spread_releases["old"]
    chosen = Selection(labs=("Lab 1",), categories=("Category 7", "Robustness"), rule="works", grain="month")
    frame = counts.query_counts(release, chosen)
    months = 1 + (2024 - 1900) * 12 + 7 - 1
    assert frame.height == 2 * months
    assert frame["publications"].sum() == 4  # one in thirty
    assert frame.filter(frame["category"] == "Robustness")["publications"].sum() == 0


def test_a_chart_of_many_members_has_the_largest_and_a_remainder(spread_releases: dict[str, Release]) -> None:
    release = spread_releases["twice"]
    selection, notes = counts.limit_members(release, Selection(rule="works", dimensions=("lab", "category")))
    assert (len(selection.labs), len(selection.categories), len(notes)) == (24, 24, 2)
    frame = counts.query_counts(release, selection)
    assert frame.height == 24 * 24 * 3
    assert f"the other {60 - 24} labs have {(60 - 24) * 2} publications together, not drawn" in notes[0]
    chosen = Selection(rule="works", labs=("Lab 1", "Lab 59"), dimensions=("lab",))
    assert counts.limit_members(release, chosen) == (chosen, [])


def test_counts_without_zeros_are_those_above_zero(spread_releases: dict[str, Release]) -> None:
    for grain in ("month", "quarter", "year", "rolling_12_months"):
        columns = "lab, category, starts_on, ends_on, publications"
        sparse = f"select {columns} from publication_cells(grain := '{grain}') order by all"
        dense = f"select {columns} from publication_counts(grain := '{grain}') where publications > 0 order by all"
        rows = fetch_rows(spread_releases["few"], sparse)
        assert rows
        assert rows == fetch_rows(spread_releases["few"], dense)


def test_association_of_many_labs_and_categories_needs_little_memory() -> None:
    """240 labs and categories with one publication each: all random tables at once would be 14 GB."""
    places = [float(n) for n in range(240)]
    tracemalloc.start()
    p_value = trends.association_p_value(places, places, [1.0] * 240)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert p_value == 1  # one event in each row and column: every table has the same χ²
    assert peak_bytes < 50_000_000


def test_permuted_events_have_the_distribution_of_random_tables() -> None:
    """The p-value of a sparse table equals that of the same table drawn whole."""
    rows, columns = np.nonzero(np.eye(9) + np.eye(9, k=1))
    table = np.zeros((9, 9), dtype=int)
    table[rows, columns] = 1
    events = table[rows, columns].astype(float)
    assert table.size > events.sum()  # so events are permuted
    margins = stats.random_table(table.sum(axis=1), table.sum(axis=0), seed=1)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    drawn = ((margins.rvs(size=20_000) - expected) ** 2 / expected).sum(axis=(1, 2))
    share = (drawn >= ((table - expected) ** 2 / expected).sum() - 1e-9).mean()
    p_value = trends.association_p_value(list(map(float, rows)), list(map(float, columns)), list(events))
    assert p_value == pytest.approx(share, abs=0.02)  # five standard errors


@pytest.mark.parametrize("counts_by_month", [[3.0], [1.0, 2.0, 2.0, 5.0, 0.0], [0.0] * 4])
def test_mann_kendall_and_theil_sen_compare_all_pairs(counts_by_month: list[float]) -> None:
    pairs = [
        (later - earlier, j - i)
        for i, earlier in enumerate(counts_by_month)
        for j, later in enumerate(counts_by_month)
        if j > i
    ]
    slope, s = trends.theil_sen_slope(counts_by_month), trends.mann_kendall_s(counts_by_month)
    if not pairs:
        assert (slope, s) == (None, None)
        return
    assert s == sum(np.sign(rise) for rise, _ in pairs)
    assert slope == pytest.approx(float(np.median([rise / run for rise, run in pairs])))
