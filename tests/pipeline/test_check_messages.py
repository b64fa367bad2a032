"""What the checks of a table report to a person."""

from __future__ import annotations

from pathlib import Path

from orchestration.defs.catalog import list_tables
from orchestration.defs.checks import check_limits
from orchestration.run import LakeRun
from tests.pipeline.test_contracts import make_rows, make_sighting, make_snapshot
from tests.support.builders import build_release, make_publication
from transforms.engine import LocalEngine
from warehouse.lake import Lake


def test_warning_names_the_file_and_the_row(tmp_path: Path) -> None:
    lake, (snapshot, parse), sighting = Lake(tmp_path), make_snapshot(1, "mine.csv", 1), make_sighting(1, 7, "a")
    name = "raw.lab_sheet_publications"
    build_release(
        lake,
        [],
        only=[name, "raw.sightings"],
        raw__snapshots=[snapshot],
        raw__parses=[parse],
        raw__sightings=[sighting],
        raw__lab_sheet_publications=make_rows(name, [make_publication("a", lab=None) | sighting]),
    )
    table = next(table for table in list_tables() if table.name == name)
    run = LakeRun(lake, "a run", "2026-01-01T00:00:00+00:00", is_whole=False)
    run.set_version(name, 0)
    warning = next(result for result in check_limits(run, table, LocalEngine()) if result.check_name == "warnings")
    assert "lab is missing in 1 row (such as mine.csv, row 7)" in str(warning.description)
