"""Every page on a normal and an empty lake, without a release, and with a release damaged in different ways."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import duckdb
import pytest
from streamlit.testing.v1 import AppTest

from tests.support.app_tests import open_page, read_page_text
from tests.support.dashboard_server import list_page_addresses, list_pages
from warehouse.lake import Lake

PAGES = list_pages()
# message of a page on an empty lake
EMPTY = {
    "overview": "This release has no works. Add a file",
    "trends": "This release has no dated publication. Add a sheet",
    "labs": "This release has no publications of Anthropic",
    "categories": "This release has no publications of Controlling untrusted AIs",
    "works": "This release has no items yet. Add a file",
    "work": "No work with this identifier in release v1",
    "discussion": "This release has no forum posts or comments. Add",
    "curriculum": "This release has no episodes of podcasts or courses. Add",
    "item": "No item with this identifier in release v1",
    "review": "These dashboards are read only",
    "coverage": "No snapshot yet",
    "checks": "There is only one release",
    "published_numbers": "Each claim is recounted at every run",
    "models": "No labelled work",
    "rejects": "No record was rejected",
    "changes": "There is only one release",
    "dictionary": "Generated from the declarations",
    "lineage": "Choose a column to trace",
    "sql": "Type a query, or start from an example",
}
NEED_FACTS = {"overview", "trends", "labs", "categories", "works", "work", "curriculum", "item"}


def read_all_text(app: AppTest) -> str:
    return "\n".join([read_page_text(app), *(str(element.value) for element in [*app.success, *app.warning])])


def test_every_page_has_an_expected_message() -> None:
    assert set(PAGES) == set(EMPTY)


@pytest.mark.parametrize("page", PAGES)
def test_page_shows_a_normal_lake(released_lake: Lake, monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    parameters = parse_qs(urlsplit(list_page_addresses(released_lake)[page]).query)
    app = open_page(released_lake, monkeypatch, page=page, **parameters)
    assert not app.exception
    assert not app.error
    assert app.title
    if page in NEED_FACTS:
        assert EMPTY[page] not in read_all_text(app)
    if page != "changes":  # which needs two
        assert "release v1" in read_all_text(app)


@pytest.mark.parametrize("page", PAGES)
def test_page_explains_an_empty_lake(empty_lake: Lake, monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    app = open_page(empty_lake, monkeypatch, page=page)
    assert not app.exception
    assert not app.error
    assert app.title
    assert EMPTY[page] in read_all_text(app)


@pytest.mark.parametrize("page", PAGES)
def test_page_explains_a_missing_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    app = open_page(Lake(tmp_path), monkeypatch, page=page)
    assert not app.exception
    assert "No release yet" in read_page_text(app)
    assert "make run" in read_page_text(app)


@pytest.mark.parametrize("page", PAGES)
def test_page_names_the_damaged_file(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    copy_release()
    lake = copy_release(number=2)
    file = lake.releases / "aisle.v2.duckdb"

    def drop_all() -> None:
        with duckdb.connect(file) as connection:
            for schema in ("raw", "clean", "mart", "reference"):
                connection.execute(f"drop schema {schema} cascade")

    # the page of checks reads manifests only, so that it describes a broken release too; that of decisions nothing at all
    for damage, is_manifest_damage in (
        (drop_all, False),
        (lambda: file.write_bytes(b"not a database" * 1000), False),
        (file.unlink, False),
        (lambda: file.with_suffix(".json").write_text("{"), True),
        (file.with_suffix(".json").unlink, True),
    ):
        damage()
        app = open_page(lake, monkeypatch, page=page, kind="episode", id="x")
        assert not app.exception
        if page not in {"checks", "review"} or is_manifest_damage:
            assert "The release cannot be read" in read_page_text(app)
            assert str(lake.releases / "aisle.v2.") in read_page_text(app) or str(
                lake.root / "aisle.duckdb"
            ) in read_page_text(app)
