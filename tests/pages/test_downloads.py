"""The file that a download button gives, with and without the switch that leaves formulas."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from streamlit.runtime.media_file_manager import MediaFileManager

from tests.support.app_tests import open_page
from warehouse.lake import Lake
from warehouse.release import read_current_release

TEXTS = ("=1+1", "@SUM(A1)", "a=1")


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], bytes]]:
    """What builds each file that the page offers, by the extension of its name; the newest run of the page counts."""
    offered: dict[str, Callable[[], bytes]] = {}
    add = MediaFileManager.add_deferred

    def record(manager: MediaFileManager, build: Any, *arguments: Any, **options: Any) -> str:
        (name,) = (text for text in (*arguments, *options.values()) if str(text).startswith("aisle_"))
        offered[name.rpartition(".")[2]] = build
        return add(manager, build, *arguments, **options)

    monkeypatch.setattr(MediaFileManager, "add_deferred", record)
    return offered


@pytest.mark.parametrize("text", TEXTS)
def test_switch_decides_whether_the_downloaded_csv_file_has_formulas(
    copy_release: Callable[..., Lake],
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, Callable[[], bytes]],
    text: str,
) -> None:
    lake = copy_release(f"update clean.works set title = '{text}'")
    with read_current_release(lake).connect() as connection:
        ((work,),) = connection.execute("select min(work_id) from clean.works").fetchall()

    def read_titles() -> list[str]:
        csv, parquet = pl.read_csv(io.BytesIO(files["csv"]())), pl.read_parquet(io.BytesIO(files["parquet"]()))
        return [csv["title"].item(), parquet["title"].item()]

    app = open_page(lake, monkeypatch, page="work", work=work)
    escaped = text if text == "a=1" else f"'{text}"
    assert read_titles() == [escaped, text]
    app.checkbox(key="work formulas").check().run()
    assert read_titles() == [text, text]
    app.checkbox(key="work formulas").uncheck().run()
    assert read_titles() == [escaped, text]
