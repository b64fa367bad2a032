"""Decisions and training on a lake at a real object store: from several machines, in commands and on the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboards.queries.review import VARIABLE
from tests.object_store.test_commands import run_at, succeed_at
from tests.sources.test_lab_sheet import GOOD, build_csv
from tests.support.app_tests import open_page
from warehouse.decisions.store import list_decisions
from warehouse.lake import Lake
from warehouse.origin import need_state


def list_values(address: str) -> list[tuple[str, str, str]]:
    lake = Lake.at(address).open_for_reading(need_state)
    return [(one.decided_by, one.kind, one.value) for one in list_decisions(lake)]


def test_people_decide_on_a_lake_at_a_store_and_a_run_applies_it(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_bytes(build_csv(GOOD))
    succeed_at(address, "add", str(sheet))
    assert "release v1" in succeed_at(address, "train")
    title = GOOD[1]
    ada, other = {"AISLE_REVIEWER": "Ada"}, {"AISLE_REVIEWER": "Bo", "AISLE_CACHE": str(tmp_path / "other machine")}
    assert "stored in" in succeed_at(address, "review", "decide", title, "--excluded", "yes", **ada)
    assert "1 decisions in sqlite" in succeed_at(address, "review", "stats", **other)
    into = ("--from", "iaps", "--into", "unsolved_problems")
    succeed_at(address, "review", "map", "Robustness", *into, "--to", "Alignment", **other)
    assert list_values(address) == [("Ada", "excluded", "yes"), ("Bo", "mapping", "Alignment=1")]
    assert "release v2" in succeed_at(address, "train", **other)
    excluded = "select count(*) as n from clean.works where is_excluded"
    assert succeed_at(address, "sql", excluded, "--format", "csv") == "n\n1\n"
    exported = tmp_path / "log.csv"
    succeed_at(address, "review", "export", "-o", str(exported))
    assert "0 of 2 decisions are new" in succeed_at(address, "review", "import", str(exported), **ada)
    monkeypatch.setenv(VARIABLE, "Cy")
    page = open_page(Lake.at(address), monkeypatch, "review", view="Mappings")
    assert not page.exception
    page = page.selectbox(key="again").set_value("Robustness").run()
    page = page.button(key="no counterpart").click().run()
    assert not page.error
    assert list_values(address)[-1] == ("Cy", "mapping", "(no counterpart)=1")
    assert "nothing new" not in succeed_at(address, "run")
    refused = run_at("s3://no-such-bucket/lake", "review", "stats")
    assert (refused.returncode, "no-such-bucket" in refused.stderr) == (1, True)
