"""How far the works of labs are known, and what is still expected: only where enough delays are known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dashboards.queries.lab_freshness import build_late_query, describe_late_works, query_lab_freshness
from dashboards.queries.selection import Selection
from orchestration.defs.catalog import load_transforms
from tests.support.builders import build_release
from transforms import engine
from warehouse.lake import Lake
from warehouse.release import Release

UTC = dt.UTC
FOLLOWED_AT = dt.datetime(2025, 1, 15, tzinfo=UTC)
CHECKED_AT = dt.datetime(2025, 12, 20, tzinfo=UTC)
TODAY = dt.date(2025, 12, 24)


def add_months(day: dt.date, months: int) -> dt.date:
    month = day.year * 12 + day.month - 1 + months
    return dt.date(month // 12, month % 12 + 1, day.day)


def make_snapshot(source: str, feed: str, fetched_at: dt.datetime, origin: str = "fetch") -> dict[str, Any]:
    return {
        "snapshot_id": feed.encode().hex().ljust(16, "0")[:16],
        "source": source,
        "origin": origin,
        "feed": feed,
        "original_name": feed,
        "url": None,
        "sha256": "0" * 64,
        "size_bytes": 1,
        "fetched_at": fetched_at,
        "last_seen_at": CHECKED_AT if origin == "fetch" else fetched_at,
        "licence": "none",
    }


def publish(lake: Lake, works: Sequence[tuple[str, dt.date, int, str]], **others: Any) -> Release:
    """A release of works: lab, day of publication, months until it was seen, and the source that saw it."""
    rows: Mapping[str, list[dict[str, Any]]] = {
        name: [] for name in ("clean__works", "clean__work_labs", "clean__work_members", "clean__work_records")
    }
    for number, (lab, published_on, delay, source) in enumerate(works):
        names = {"work_id": f"w{number}", "record_id": f"r{number}", "source": source}
        seen_at = dt.datetime.combine(add_months(published_on.replace(day=1), delay), dt.time(), UTC)
        seen_at += dt.timedelta(days=27)
        for table, facts in (
            (
                "clean__works",
                {"title": "T", "published_on": published_on, "date_precision": "day", "is_withdrawn": False},
            ),
            ("clean__work_labs", {"lab": lab, "is_primary": True, "is_followed": True}),
            ("clean__work_members", {}),
            ("clean__work_records", {"first_seen_at": seen_at}),
        ):
            table_names = load_transforms()[table.replace("__", ".", 1)].table.schema
            row = {**names, "is_excluded": False, "first_seen_at": seen_at, **facts}
            rows[table].append({name: row.get(name) for name in table_names})
    snapshots = [
        make_snapshot("lab_pages", "pages", FOLLOWED_AT),
        make_snapshot("lab_sheet", "a list", FOLLOWED_AT, origin="file"),
    ]
    return build_release(lake, None, only=("mart.lab_freshness",), **{**rows, "raw__snapshots": snapshots, **others})


def make_works(lab: str, delays: Sequence[int], source: str = "lab_pages") -> list[tuple[str, dt.date, int, str]]:
    """As many works a month from March to December 2025 as there are delays, of those that are seen by December."""
    return [
        (lab, add_months(dt.date(2025, 3, 3), month), delay, source)
        for month in range(10)
        for delay in delays
        if month + delay <= 9
    ]


def find_lab(release: Release, lab: str) -> dict[str, Any]:
    return query_lab_freshness(release, TODAY).filter(pl.col("lab") == lab).to_dicts()[0]


def test_late_works_are_expected_of_a_lab_with_enough_known_delays_alone(tmp_path: Path) -> None:
    # half of the works of a month come in its own month, a quarter in each of the next two
    release = publish(Lake(tmp_path), [*make_works("OpenAI", [0, 0, 0, 0, 1, 1, 2, 2]), *make_works("Anthropic", [0])])
    known = find_lab(release, "OpenAI")
    assert (known["work_delays"], known["median_delay_months"]) == (74, 0)
    assert (known["newest_work_on"], known["newest_check_at"]) == (dt.date(2025, 12, 3), CHECKED_AT)
    assert known["filling_from"] == dt.date(2025, 11, 1)
    with release.connect() as connection:
        months = connection.execute(
            "select seen_works, completeness, nowcast_works, nowcast_low, nowcast_high from mart.lab_nowcasts"
            " where lab = 'OpenAI' order by published_month"
        ).fetchall()
    assert [month[0] for month in months] == [8, 6, 4]
    assert [month[1] for month in months] == pytest.approx([1, 0.75, 0.5])
    assert [month[2] for month in months] == pytest.approx([8, 8, 8])
    assert all(low <= 8 <= high for *_, low, high in months)
    assert known["expected_late"] == pytest.approx(6)
    assert known["state"].startswith("months from 2025-11 on may still fill up; about 6 more expected (")
    few = find_lab(release, "Anthropic")
    assert (few["expected_late"], few["median_delay_months"], few["filling_from"]) == (None, None, dt.date(2025, 10, 1))
    assert few["state"] == "months from 2025-10 on may still fill up"
    assert find_lab(release, "Google DeepMind")["state"] == "no work of it is known"
    selection = Selection(corpus="lab_publications")
    (caution,) = describe_late_works(release, selection, TODAY)
    assert caution.startswith("**Expected since 2025-11 beside what is counted**")
    assert "OpenAI about 6 more" in caution
    assert "Anthropic" not in caution
    for others in (
        Selection(corpus="lab_publications", labs=("Anthropic",)),
        Selection(corpus="lab_publications", until=dt.date(2025, 10, 31)),
        Selection(corpus="all_works"),
    ):
        assert describe_late_works(release, others, TODAY) == []
    assert describe_late_works(release, selection, dt.date(2026, 3, 1)) == []  # not fetched since
    with release.connect() as connection:
        drawn = connection.execute(*build_late_query(selection)).fetchall()
    assert [row[:3] for row in drawn] == [("2025-10", "OpenAI", 8), ("2025-11", "OpenAI", 6), ("2025-12", "OpenAI", 4)]


def test_delays_count_once_every_feed_of_the_source_is_followed(tmp_path: Path) -> None:
    works = [
        ("OpenAI", dt.date(2025, 1, 14), 0, "lab_pages"),  # the day before the first feed
        ("OpenAI", dt.date(2025, 4, 30), 1, "lab_pages"),  # before the second
        ("OpenAI", dt.date(2025, 5, 2), 1, "lab_pages"),
        ("OpenAI", dt.date(2025, 6, 2), 1, "lab_sheet"),  # in a list that no feed brings
    ]
    snapshots = [
        make_snapshot("lab_pages", "pages", FOLLOWED_AT),
        make_snapshot("lab_pages", "more pages", dt.datetime(2025, 5, 1, tzinfo=UTC)),
        make_snapshot("lab_sheet", "a list", FOLLOWED_AT, origin="file"),
    ]
    release = publish(Lake(tmp_path), works, raw__snapshots=snapshots)
    with release.connect() as connection:
        query = "select published_month, delay_months, looked_month from clean.work_delays"
        assert connection.execute(query).fetchall() == [(dt.date(2025, 5, 1), 1, dt.date(2025, 12, 1))]


def test_nothing_is_expected_of_a_lab_that_no_feed_brings(tmp_path: Path) -> None:
    release = publish(Lake(tmp_path), make_works("OpenAI", [0] * 8, "lab_sheet"))
    lab = find_lab(release, "OpenAI")
    assert (lab["followed_sources"], lab["filling_from"], lab["expected_late"]) == (None, None, None)
    assert lab["state"] == "no feed brings its works"


def test_the_estimate_is_that_of_the_mapping_on_the_same_delays(tmp_path: Path) -> None:
    random, looked_month = np.random.default_rng(5), dt.date(2025, 12, 1)
    reports = [
        {
            "published_month": add_months(dt.date(2024, 1, 1), month),
            "delay_months": int(delay),
            "looked_month": looked_month,
        }
        for month in range(24)
        for delay in random.poisson(1.2, 6)
        if month + delay < 24
    ]
    lake, tables = Lake(tmp_path), load_transforms()
    delays, reporting = tables["clean.work_delays"].table, tables["clean.reporting_delays"].table
    lake.write(
        delays,
        delays.frame(
            {"work_id": f"w{place}", "lab": "OpenAI", "source": "s", **row} for place, row in enumerate(reports)
        ),
    )
    lake.write(
        reporting,
        reporting.frame({"publication_id": f"w{place}", "source": "s", **row} for place, row in enumerate(reports)),
    )
    for name in ("mart.lab_nowcasts", "mart.publication_nowcasts"):
        engine.make_table(tables[name], lake)
    ours = lake.read(tables["mart.lab_nowcasts"].table)
    theirs = lake.read(tables["mart.publication_nowcasts"].table).rename(
        {"reported_works": "seen_works", "reporting_delays": "work_delays"}
    )
    for lab in ("OpenAI", "all"):
        own = ours.filter(pl.col("lab") == lab).drop("lab")
        assert own.height == 3
        assert_frame_equal(own, theirs.select(own.columns), check_row_order=False)
