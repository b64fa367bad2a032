"""A small lake in which works wait for decisions."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from tests.support.builders import build_release
from tests.support.two_lists import LIST_SEEN_AT, OWN_LIST, make_list_snapshot, make_record, make_row, make_sighting
from warehouse.lake import Lake

NEEDED = (
    *("mart.counted_works", "clean.reviewed_labels", "clean.work_candidates", "clean.work_history", "clean.corpora"),
    *("clean.works", "clean.work_identifiers", "mart.crosswalk_proposals"),
)
TITLES = {
    "wolves": "A study of old wolves",
    "foxes": "How foxes learn to hide from hunters",
    "sheep": "Sheep that count one another at night",
    "copy": "Sheep that count one another at night again",
}


def build_review_lake(root: Path) -> Lake:
    """A lake with a list of a labelled work and three others, of which two may be one; the copy is the newest."""
    lake = Lake(root)
    records = [
        make_record(
            key,
            OWN_LIST,
            number,
            LIST_SEEN_AT,
            title=title,
            list="animals",
            list_title="Animals",
            published_on=dt.date(2025, number, 1),
            category="Wolves" if key == "wolves" else "(no category)",
            categories="Wolves" if key == "wolves" else None,
        )
        for number, (key, title) in enumerate(TITLES.items(), 1)
    ]
    build_release(
        lake,
        None,
        only=NEEDED,
        raw__snapshots=[make_list_snapshot(OWN_LIST, "animals.csv", LIST_SEEN_AT)],
        raw__lab_sheet_publications=records,
        raw__parses=[make_row("raw.parses", snapshot_id=OWN_LIST, source="lab_sheet", records_read=4)],
        raw__sightings=[make_sighting(record) for record in records],
    )
    return lake
