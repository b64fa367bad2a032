"""Many small runs: what each leaves in the lake is what is new, and pruning keeps the rest bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import run_aisle
from tests.support.trials import trials_only
from warehouse.lake import Lake
from warehouse.release import find_damage, list_releases, read_current_release

RUNS = 60
SETTLED = 4  # from this run on, as many old releases and runs of Dagster go as come
SETTINGS = "[retention]\nnewest_releases = 2\ndaily_days = 0\nmonthly_months = 0\ndagster_runs = 2\n"
ENTRY = """<?xml version="1.0"?><rss version="2.0"><channel><title>Notes</title><link>https://example.org/</link>
<description>Notes on the field</description><item><title>Note {number}</title><link>https://example.org/{number}</link>
<guid>https://example.org/{number}</guid><pubDate>Mon, 01 Jan 2024 00:{minute:02}:00 GMT</pubDate>
<description>Text of note {number}</description></item></channel></rss>
"""


def measure_folders(lake: Lake) -> dict[str, int]:
    """Bytes of each folder of a lake."""
    return {
        folder.name: sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
        for folder in sorted(lake.root.iterdir())
        if folder.is_dir()
    }


@trials_only  # each step is tested in test_retention and test_release_file
@pytest.mark.trials("small runs", RUNS)
def test_lake_stays_bounded_by_its_data_and_kept_releases(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    lake.inbox.mkdir(parents=True)
    (lake.root / "feeds.toml").write_text(SETTINGS)
    measured: list[dict[str, int]] = []
    for number in range(1, RUNS + 1):
        entry = ENTRY.format(number=number, minute=number % 60)
        (lake.inbox / f"notes {number}.xml").write_text(entry, encoding="utf-8")
        finished = run_aisle(lake.root, "run", AISLE_BUNDLED="no", AISLE_INBOX_SETTLE_SECONDS="0")
        assert finished.returncode == 0, finished.stderr
        assert read_current_release(lake).number == number
        if number > 1:
            assert read_current_release(lake).manifest["file"]["tables_written"] < 20
        pruned = run_aisle(lake.root, "prune", "--yes")
        assert pruned.returncode == 0, pruned.stderr
        measured.append(measure_folders(lake))
    assert [release.number for release in list_releases(lake)] == [RUNS - 1, RUNS]
    assert find_damage(lake) is None
    with read_current_release(lake).connect() as connection:
        assert connection.execute("select count(*) from clean.feed_items").fetchall() == [(RUNS,)]
    files = [path for path in lake.root.glob("tables/*/*/*.parquet") if not path.parent.match("raw/*")]
    assert len(files) == len({path.parent for path in files})
    settled, last, more = measured[SETTLED - 1], measured[-1], RUNS - SETTLED
    growth = {name: (last[name] - settled.get(name, 0)) / more for name in last}
    print(f"\nbytes after {RUNS} small runs: {last}\nper run: {growth}")
    print(f"after 1,000: { {name: round(last[name] + (1000 - RUNS) * per_run) for name, per_run in growth.items()} }")
    # a release less than doubles its file by copies; a log has at most two checkpoints and the commits after them
    assert last["releases"] < 2 * settled["releases"]
    assert last["dagster"] < 1.5 * settled["dagster"]
    assert last["tables"] < settled["tables"] + 60_000 * more
    assert growth["snapshots"] < 20_000
