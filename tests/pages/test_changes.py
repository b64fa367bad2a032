"""The page of changes: which table it opens on, and what it names."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.support.app_tests import open_page
from warehouse.lake import Lake

MOST_DETAILED = "Rows and works by lab, category and month"


@pytest.fixture
def two_releases(copy_release: Callable[..., Lake]) -> Lake:
    """A lake whose second release has another category for the publications of a lab, so that no lab's number changed."""
    copy_release(number=1)
    lake = copy_release(
        "update clean.publications set category = 'Robustness' where lab = 'OpenAI'",
        "update mart.publications_by_lab_category_month set works = works + 1 where lab = 'OpenAI'",
        number=2,
    )
    manifest = lake.releases / "aisle.v2.json"
    content = json.loads(manifest.read_text())
    content["tables"]["mart.publications_by_lab_category_month"]["content_sha256"] = "another"
    manifest.write_text(json.dumps(content))
    return lake


def test_changes_open_on_the_changed_table_with_the_most_detail(
    two_releases: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(two_releases, monkeypatch, page="changes")
    assert not app.exception
    box = app.selectbox(key="counts")
    assert box.value == MOST_DETAILED
    assert not [option for option in box.options if "mart." in option or "_" in option]
    assert len(set(box.options)) == len(box.options) >= 7
    assert not app.warning


def test_name_of_a_table_in_an_address_is_accepted(two_releases: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(two_releases, monkeypatch, page="changes", counts="mart.publications_by_lab_year")
    assert app.selectbox(key="counts").value == "Rows and works by lab and year"
    assert not app.warning
    unknown = open_page(two_releases, monkeypatch, page="changes", counts="mart.nothing")
    assert "mart.nothing is not one of the options" in unknown.warning[0].value.replace("\\", "")
