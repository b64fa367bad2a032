"""Pages without a browser: opened by their address, and what they say."""

from __future__ import annotations

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from warehouse.lake import PROJECT, Lake


def opened(lake: Lake, monkeypatch: pytest.MonkeyPatch, page: str = "trends", **query: str | list[str]) -> AppTest:
    monkeypatch.setenv("AISLE_LAKE", str(lake.root))
    app = AppTest.from_file(str(PROJECT / "dashboards" / "app.py"), default_timeout=60)
    app.switch_page(f"app_pages/{page}.py")
    app.query_params.update(query)
    return app.run()


def said(app: AppTest) -> str:
    elements = [*app.title, *app.markdown, *app.caption, *app.info, *app.error, *app.text, *app.code]
    return "\n".join(str(element.value) for element in elements)


def turned(app: AppTest, tab: str, of: str = "trends") -> AppTest:
    """The page with a tab of a figure open."""
    app.session_state[f"{of}_tab"] = tab
    return app.run()


def numbers(app: AppTest, of: str = "trends") -> pl.DataFrame:
    """The table of the first figure, which is left as it was."""
    shown = pl.from_pandas(turned(app, "Table", of).dataframe[0].value)
    turned(app, "Chart", of)
    return shown


def papers(app: AppTest) -> pl.DataFrame:
    return pl.from_pandas(app.dataframe[-1].value)
