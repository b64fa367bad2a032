"""Every page on every kind of lake: whole, empty, nothing released, and broken in each way that a release can be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import duckdb
import pytest
from streamlit.testing.v1 import AppTest

from tests.support.app_tests import opened, said
from tests.support.dashboard_server import addresses, pages
from warehouse.lake import Lake

PAGES = pages()
# what a page says where there is nothing for it to show; the others have something to show of any release
EMPTY = {
    "overview": "This release holds no publication. Add a sheet",
    "trends": "This release holds no dated publication. Add a sheet",
    "labs": "This release holds no publication of Anthropic",
    "categories": "This release holds no publication of Controlling untrusted AIs",
    "works": "This release holds nothing yet. Add a file",
    "work": "No work of this identity is in release v1",
    "discussion": "This release holds nothing said on a forum. Add",
    "curriculum": "This release holds no entry of a podcast or a course. Add",
    "item": "Nothing of this identity is in release v1",
    "coverage": "No snapshot yet",
    "checks": "There is one release so far",
    "published_numbers": "Each claim is counted anew at every run",
    "rejects": "Every record of every snapshot could be used",
    "changes": "There is one release so far",
    "dictionary": "Made from the declarations",
    "lineage": "Choose a column to follow",
    "sql": "Type a query, or start from an example",
}
NEED_FACTS = {"overview", "trends", "labs", "categories", "works", "work", "curriculum", "item"}


def told(app: AppTest) -> str:
    return "\n".join([said(app), *(str(element.value) for element in [*app.success, *app.warning])])


def test_no_page_is_left_out() -> None:
    assert set(PAGES) == set(EMPTY)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_a_whole_lake(released_lake: Lake, monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    asked = parse_qs(urlsplit(addresses(released_lake)[page]).query)
    app = opened(released_lake, monkeypatch, page=page, **asked)
    assert not app.exception
    assert not app.error
    assert app.title
    if page in NEED_FACTS:
        assert EMPTY[page] not in told(app)
    if page != "changes":  # which needs two
        assert "release v1" in told(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_to_do_on_an_empty_lake(empty_lake: Lake, monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    app = opened(empty_lake, monkeypatch, page=page)
    assert not app.exception
    assert not app.error
    assert app.title
    assert EMPTY[page] in told(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_to_do_where_nothing_is_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    app = opened(Lake(tmp_path), monkeypatch, page=page)
    assert not app.exception
    assert "Nothing is released yet" in said(app)
    assert "make run" in said(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_what_is_broken(copied: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    copied()
    lake = copied(number=2)
    file = lake.releases / "aisle.v2.duckdb"

    def drop_all() -> None:
        with duckdb.connect(file) as connection:
            for schema in ("raw", "clean", "mart", "reference"):
                connection.execute(f"drop schema {schema} cascade")

    # the page of checks reads manifests only, so that it tells of a broken release too
    for spoil, is_only_of_manifests in (
        (drop_all, False),
        (lambda: file.write_bytes(b"not a database" * 1000), False),
        (file.unlink, False),
        (lambda: file.with_suffix(".json").write_text("{"), True),
        (file.with_suffix(".json").unlink, True),
    ):
        spoil()
        app = opened(lake, monkeypatch, page=page, kind="episode", id="x")
        assert not app.exception
        if page != "checks" or is_only_of_manifests:
            assert "The release cannot be read" in said(app)
            assert str(lake.releases / "aisle.v2.") in said(app) or str(lake.root / "aisle.duckdb") in said(app)
