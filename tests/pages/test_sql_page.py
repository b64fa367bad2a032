"""The SQL page: results, refused queries, and cancelling."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from dashboards.figures.query_chart import ChartColumns, draw_query_chart
from dashboards.queries.release import query_release
from dashboards.widgets import sql_editor
from tests.support.app_tests import open_page, read_page_text
from warehouse.lake import Lake
from warehouse.release import Release, read_current_release
from warehouse.row_files import encode_csv, encode_parquet
from warehouse.sql_box import client

SLOW = "select count(*) as n from range(1000000) as a (x), range(1000000) as b (y) where hash(x, y) = 1"


def open_sql_page(lake: Lake, monkeypatch: pytest.MonkeyPatch, **query: str) -> AppTest:
    app = open_page(lake, monkeypatch, page="sql", **query)
    return app if query.get("query") == SLOW else wait_for_result(app)


def wait_for_result(app: AppTest) -> AppTest:
    """The page after its query is done, which takes long on a busy machine."""
    until = time.monotonic() + 30
    while any(button.key == "cancel" for button in app.button) and time.monotonic() < until:
        time.sleep(0.1)
        app.run()
    return app


def read_result(app: AppTest) -> pl.DataFrame:
    return pl.from_pandas(app.dataframe[0].value)  # no table is looked up in the schema, so it is the first


def read_messages(app: AppTest) -> str:
    return "\n".join(str(element.value) for element in [*app.warning, *app.info, *app.error])


def test_link_with_a_query_shows_its_result(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_sql_page(released_lake, monkeypatch, query="select 6 * 7 as result, 'x' as word")
    assert not app.exception
    assert read_result(app).to_dicts() == [{"result": 42, "word": "x"}]
    assert app.text_area(key="query").value == "select 6 * 7 as result, 'x' as word"
    assert "1 row of 2 columns" in read_page_text(app)


def test_query_can_be_typed_and_its_result_drawn(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_sql_page(released_lake, monkeypatch)
    assert "Type a query" in read_page_text(app)
    app.text_area(key="query").input("select lab, count(*) as works from clean.publications group by lab order by lab")
    wait_for_result(app.button(key="FormSubmitter:editor-Run").click().run())
    assert read_result(app)["works"].sum() == 80
    app.segmented_control(key="mark").set_value("bars").run()
    assert not app.exception
    assert app.selectbox(key="across").value == "lab"
    assert app.selectbox(key="up").value == "works"
    assert "works by lab" in read_page_text(app)


@pytest.mark.parametrize("title", sql_editor.EXAMPLES)
def test_every_example_returns_rows(released_lake: Lake, title: str) -> None:
    result = client.run_query(read_current_release(released_lake), sql_editor.EXAMPLES[title])
    assert result.table.num_rows > 0


def test_example_runs_on_click(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_sql_page(released_lake, monkeypatch)
    wait_for_result(app.button(key="Works per lab and year").click().run())
    assert not app.exception
    assert set(read_result(app)["lab"]) == {"Anthropic", "Google DeepMind", "OpenAI"}


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("drop table clean.publications", "This is not a query that may run here"),
        ("select 1; select 2", "exactly one query"),
        ("select * from read_csv('/etc/passwd')", "This is not a query that may run here"),
        ("selec 1", "The query has an error"),
        ("select * from mart.nothing_such", "The query has an error"),
        ("select repeat('x', 4000000000)", "The query exceeded a limit"),
        ("select '" + "x" * 30_000 + "'", "bytes"),
        ("-- nothing at all", "not a query"),
    ],
)
def test_refused_query_shows_the_reason(
    released_lake: Lake, monkeypatch: pytest.MonkeyPatch, query: str, why: str
) -> None:
    app = open_sql_page(released_lake, monkeypatch, query=query)
    assert not app.exception
    assert why in read_messages(app).replace("\\", "")
    assert not app.dataframe


def test_slow_query_can_be_cancelled_and_another_run(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_sql_page(released_lake, monkeypatch, query=SLOW)
    assert not app.exception
    assert "Running the query" in read_page_text(app)
    (_, running) = app.session_state["running_query"]
    app.button(key="cancel").click().run()
    assert sql_editor.wait_until_done(running, 5)
    app.run()
    assert "Cancelled" in read_messages(app)
    app.text_area(key="query").set_value("select 1 as one")
    wait_for_result(app.button(key="FormSubmitter:editor-Run").click().run())
    assert read_result(app)["one"].to_list() == [1]


def test_new_query_cancels_the_previous_one(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_sql_page(released_lake, monkeypatch, query=SLOW)
    (_, running) = app.session_state["running_query"]
    assert running.is_running
    wait_for_result(app.button(key="Newest publications").click().run())
    assert sql_editor.wait_until_done(running, 5)
    assert read_result(app).height == 50


def test_number_of_running_queries_is_limited(released_lake: Lake) -> None:
    release = read_current_release(released_lake)
    started = [sql_editor.start_query(release, SLOW) for _ in range(sql_editor.MAX_RUNNING)]
    try:
        with pytest.raises(client.QueryFailed, match="the most at once"):
            sql_editor.start_query(release, "select 1")
    finally:
        for running in started:
            running.cancel()
    assert all(sql_editor.wait_until_done(running, 5) for running in started)
    assert sql_editor.start_query(release, "select 1").wait().table.num_rows == 1


def test_result_is_of_the_release_in_the_link(
    copy_release: Callable[..., Lake],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy_release()
    lake = copy_release("delete from clean.publications", number=2)
    query = "select count(*) as n from clean.publications"
    assert read_result(open_sql_page(lake, monkeypatch, query=query))["n"].to_list() == [0]
    assert read_result(open_sql_page(lake, monkeypatch, query=query, release="v1"))["n"].to_list() == [80]


def test_unusual_types_and_hostile_texts_are_shown(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    query = """
        select '<script>alert(1)</script>' as "**bold** <b>", 'ab'::blob as bytes, [1, 2] as list, {'a': 1} as struct,
            null as nothing, 12.50::decimal(5, 2) as price, 9223372036854775807::hugeint * 4 as huge,
            time '10:00' as at, uuid() as id, 1 as again, 2 as again
    """
    app = open_sql_page(released_lake, monkeypatch, query=query)
    assert not app.exception
    assert read_result(app).height == 1
    assert "<script" not in read_page_text(app).replace(query.strip(), "")


def test_value_that_no_table_can_hold_costs_only_its_field(
    released_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = f"select interval 1 day as gap, {'9' * 400} as huge, date 'infinity' as day, 1e400 as big, [interval 1 day] as gaps, 7 as n"
    app = open_sql_page(released_lake, monkeypatch, query=query)
    assert not app.exception
    (row,) = read_result(app).to_dicts()
    assert (row["gap"], row["huge"], row["day"], row["n"]) == ("1 day", "9" * 400, "infinity", 7)


@pytest.mark.parametrize("mark", ["bars", "lines", "points"])
@pytest.mark.parametrize(
    "value", ["[1, 2]", "map {'a': 1}", "{'a': 1}", "time '10:00'", "interval 1 day", "'ab'::blob"]
)
def test_unusual_types_are_drawn(released_lake: Lake, monkeypatch: pytest.MonkeyPatch, value: str, mark: str) -> None:
    app = open_sql_page(released_lake, monkeypatch, query=f"select {value} as odd, 1 as n", mark=mark, by="odd")
    assert not app.exception
    assert app.dataframe


def test_result_files_keep_lists_and_long_numbers(released_lake: Lake) -> None:
    query = "select [1, 2] as list, {'day': date '2024-01-02'} as struct, sum(i) as total, '=1' as formula from range(5) as t (i)"
    rows = client.run_query(read_current_release(released_lake), query).frame
    read_back = pl.read_csv(io.BytesIO(encode_csv(rows)))
    assert read_back.row(0) == ("[1, 2]", '{"day": "2024-01-02"}', 10, "'=1")
    assert pl.read_parquet(io.BytesIO(encode_parquet(rows))).equals(rows)


@pytest.mark.parametrize("mark", ["bars", "lines", "points"])
@pytest.mark.parametrize("across", ["a.b[0]", "day", "number", "nothing"])
def test_columns_of_any_type_can_be_drawn(released_lake: Lake, mark: str, across: str) -> None:
    result = client.run_query(
        read_current_release(released_lake),
        "select 'x' || i as \"a.b[0]\", date '2024-01-01' + i::integer as day, i as number, null as nothing, i / 3 as up"
        " from range(30) as t (i)",
    )
    chart = draw_query_chart(result.frame, ChartColumns(mark, across, "up", "a.b[0]"), "#000000")
    assert chart.to_dict()["encoding"]["x"]["title"] == across


def test_user_query_never_runs_on_the_connections_of_pages(
    released_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries: list[str] = []
    original = query_release

    def record_query(release: Release, query: str, parameters: object = None) -> pl.DataFrame:
        queries.append(query)
        return original(release, query, parameters)  # type: ignore[arg-type]

    monkeypatch.setattr("dashboards.queries.release.query_release", record_query)
    monkeypatch.setattr("dashboards.queries.dictionary.query_release", record_query)
    app = open_sql_page(released_lake, monkeypatch, query="select 'typed by a stranger' as words")
    assert read_result(app)["words"].to_list() == ["typed by a stranger"]
    started = time.monotonic()
    while not queries and time.monotonic() - started < 30:
        time.sleep(0.01)
    assert queries
    assert not [query for query in queries if "stranger" in query]
