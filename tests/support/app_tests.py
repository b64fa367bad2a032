"""Pages without a browser (Streamlit's AppTest): open a page, read its texts and tables."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from warehouse.lake import PROJECT, Lake

PAGES_WITH_CORPORA = {"trends", "labs", "categories"}


def open_page(
    lake: Lake,
    monkeypatch: pytest.MonkeyPatch,
    page: str = "trends",
    cookies: Mapping[str, str] | None = None,
    **query: str | list[str],
) -> AppTest:
    """Open a page; one with corpora counts the published mapping unless ``corpus`` names another, or is empty for none."""
    if page in PAGES_WITH_CORPORA:
        query = {"corpus": "iaps_mapping", **query}
        if not query["corpus"]:
            del query["corpus"]
    monkeypatch.setenv("AISLE_LAKE", lake.address)
    if cookies is not None:  # there is no browser to send any
        monkeypatch.setattr("streamlit.runtime.context.ContextProxy.cookies", cookies)
    app = AppTest.from_file(str(PROJECT / "dashboards" / "app.py"), default_timeout=60)
    app.switch_page(f"app_pages/{page}.py")
    app.query_params.update(query)
    return app.run()


def read_page_text(app: AppTest) -> str:
    elements = [*app.title, *app.markdown, *app.caption, *app.info, *app.error, *app.text, *app.code]
    return "\n".join(str(element.value) for element in elements)


def open_tab(app: AppTest, tab: str, figure: str = "trends") -> AppTest:
    """Open a tab of a figure."""
    app.session_state[f"{figure}_tab"] = tab
    return app.run()


def read_figure_table(app: AppTest, figure: str = "trends") -> pl.DataFrame:
    """The table of a figure; its chart is open again afterwards."""
    table = pl.from_pandas(open_tab(app, "Table", figure).dataframe[0].value)
    open_tab(app, "Chart", figure)
    return table


def read_paper_table(app: AppTest) -> pl.DataFrame:
    return pl.from_pandas(app.dataframe[-1].value)
