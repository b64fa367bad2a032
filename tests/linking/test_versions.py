"""The versions of a paper on arXiv: what each kind of record has of them."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import duckdb
import pytest

from expectations.cross_table import list_checks
from tests.sources.test_arxiv import build_bulk_line, build_oai, build_oai_record, build_page
from tests.support.fetch_plans import build_table

ATOM = b"""<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><id>http://arxiv.org/api/x</id><title>q</title>
<entry><id>http://arxiv.org/abs/2401.00002v4</id><title>Features in a made-up model</title><summary>w</summary>
<published>2024-01-02T10:00:00Z</published><updated>2024-05-06T10:00:00Z</updated><author><name>A. Ann</name></author>
</entry></feed>"""
LIST = b"""Company,Date,Title,URL,Safety Category
OpenAI,2024-01-09,Features in a made-up model,https://arxiv.org/pdf/2401.00002v3.pdf,Robustness
OpenAI,2024-01-09,A paper that no register has here,https://arxiv.org/abs/2402.00009v2,Robustness
OpenAI,2024-01-09,A page about arXiv and no paper,https://example.org/arxiv-v2,Robustness
"""
HISTORY = (
    '<strong><a href="/abs/2401.00003v1">[v1]</a></strong> Fri, 5 Jan 2024 23:30:00 UTC (1 KB)<br>'
    "<strong>[v2]</strong> Tue, 6 Feb 2024 11:00:00 UTC (2 KB)"
)


def test_each_kind_of_record_gives_the_versions_that_it_has(tmp_path: Path) -> None:
    bulk = json.dumps(build_bulk_line()).encode()
    harvest = build_oai(build_oai_record("2401.00001"))
    rows = build_table(tmp_path, "clean.work_versions", bulk, harvest, ATOM, build_page(HISTORY), LIST)
    columns = ("arxiv_id", "version_number", "submitted_on", "version_basis", "source", "is_newest")
    assert sorted(rows.select(columns).rows()) == [
        ("0704.0001", 1, dt.date(2007, 4, 2), "history", "arxiv_papers", False),
        ("0704.0001", 2, dt.date(2007, 7, 24), "history", "arxiv_papers", True),
        ("2401.00001", 1, dt.date(2024, 1, 1), "first day", "arxiv_papers", True),
        ("2401.00002", 1, dt.date(2024, 1, 2), "first day", "arxiv_papers", False),
        ("2401.00002", 3, None, "address", "lab_sheet", False),
        ("2401.00002", 4, dt.date(2024, 5, 6), "record", "arxiv_papers", True),
        ("2401.00003", 1, dt.date(2024, 1, 5), "history", "arxiv_papers", False),
        ("2401.00003", 2, dt.date(2024, 2, 6), "history", "arxiv_papers", True),
        ("2402.00009", 2, None, "address", "lab_sheet", True),
    ]
    assert rows.filter(arxiv_id="2401.00003", version_number=1)["submitted_at"].to_list() == [
        dt.datetime(2024, 1, 5, 23, 30, tzinfo=dt.UTC)
    ]
    assert rows.filter(arxiv_id="2401.00002")["url"].to_list() == [
        f"https://arxiv.org/abs/2401.00002v{number}" for number in (1, 3, 4)
    ]
    assert rows.filter(arxiv_id="2401.00002")["work_id"].n_unique() == 1


@pytest.mark.parametrize(("days", "found"), [((1, 2, None, 3), 0), ((1, 3, None, 2), 1), ((2, 1, 1, 3), 2)])
def test_a_version_dated_before_an_earlier_one_is_noticed(days: tuple[int | None, ...], found: int) -> None:
    (check,) = (check for check in list_checks() if check.name == "versions_are_in_order")
    with duckdb.connect() as connection:
        connection.execute("create schema clean")
        connection.execute(
            "create table clean.work_versions (work_id text, arxiv_id text, version_number int, submitted_on date, source text)"
        )
        for number, day in enumerate(days, 1):
            submitted_on = day and dt.date(2024, 1, day)
            connection.execute("insert into clean.work_versions values ('w', 'a', ?, ?, 's')", [number, submitted_on])
        assert check.query_violations(connection).count == found
