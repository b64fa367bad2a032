"""The page for queries of one's own: what it answers, what it refuses, and that it lets go when told to."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from dashboards.exports.downloads import encode_csv, encode_parquet
from dashboards.figures.query_chart import ChartColumns, draw_query_chart
from dashboards.queries import release as read
from dashboards.queries.release import query_release
from dashboards.widgets import sql_editor
from tests.support.app_tests import open_page, read_page_text
from warehouse.lake import Lake
from warehouse.release import read_current_release
from warehouse.sql_box import client

SLOW = "select count(*) as n from range(1000000) as a (x), range(1000000) as b (y) where hash(x, y) = 1"


def page(lake: Lake, monkeypatch: pytest.MonkeyPatch, **query: str) -> AppTest:
    app = open_page(lake, monkeypatch, page="sql", **query)
    return app if query.get("query") == SLOW else answered(app)


def answered(app: AppTest) -> AppTest:
    """The page once its query has ended, which takes long on a machine that does much else."""
    until = time.monotonic() + 30
    while any(button.key == "cancel" for button in app.button) and time.monotonic() < until:
        time.sleep(0.1)
        app.run()
    return app


def frame(app: AppTest) -> pl.DataFrame:
    return pl.from_pandas(app.dataframe[0].value)  # no table is looked up in the schema, so it is the first


def warned(app: AppTest) -> str:
    return "\n".join(str(element.value) for element in [*app.warning, *app.info, *app.error])


def test_a_link_with_a_query_shows_its_answer(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(released_lake, monkeypatch, query="select 6 * 7 as answer, 'x' as word")
    assert not app.exception
    assert frame(app).to_dicts() == [{"answer": 42, "word": "x"}]
    assert app.text_area(key="query").value == "select 6 * 7 as answer, 'x' as word"
    assert "1 row of 2 columns" in read_page_text(app)


def test_a_query_can_be_typed_and_its_answer_drawn(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(released_lake, monkeypatch)
    assert "Type a query" in read_page_text(app)
    app.text_area(key="query").input("select lab, count(*) as works from clean.publications group by lab order by lab")
    answered(app.button(key="FormSubmitter:editor-Run").click().run())
    assert frame(app)["works"].sum() == 80
    app.segmented_control(key="mark").set_value("bars").run()
    assert not app.exception
    assert app.selectbox(key="across").value == "lab"
    assert app.selectbox(key="up").value == "works"
    assert "works by lab" in read_page_text(app)


@pytest.mark.parametrize("told", sql_editor.EXAMPLES)
def test_every_example_answers(released_lake: Lake, told: str) -> None:
    answer = client.run_query(read_current_release(released_lake), sql_editor.EXAMPLES[told])
    assert answer.table.num_rows > 0


def test_an_example_is_run_at_a_click(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(released_lake, monkeypatch)
    app.button(key="Works per lab and year").click().run()
    assert not app.exception
    assert set(frame(app)["lab"]) == {"Anthropic", "Google DeepMind", "OpenAI"}


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
def test_what_may_not_run_says_why(released_lake: Lake, monkeypatch: pytest.MonkeyPatch, query: str, why: str) -> None:
    app = page(released_lake, monkeypatch, query=query)
    assert not app.exception
    assert why in warned(app).replace("\\", "")
    assert not app.dataframe


def test_a_slow_query_can_be_cancelled_and_another_asked(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(released_lake, monkeypatch, query=SLOW)
    assert not app.exception
    assert "Running the query" in read_page_text(app)
    (_, asked) = app.session_state["running_query"]
    app.button(key="cancel").click().run()
    assert sql_editor.wait_until_done(asked, 5)
    app.run()
    assert "Cancelled" in warned(app)
    app.text_area(key="query").set_value("select 1 as one")
    answered(app.button(key="FormSubmitter:editor-Run").click().run())
    assert frame(app)["one"].to_list() == [1]


def test_another_query_ends_the_one_before(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(released_lake, monkeypatch, query=SLOW)
    (_, asked) = app.session_state["running_query"]
    assert asked.is_running
    app.button(key="Newest publications").click().run()
    assert sql_editor.wait_until_done(asked, 5)
    assert frame(app).height == 50


def test_no_more_queries_run_at_once_than_may(released_lake: Lake) -> None:
    release = read_current_release(released_lake)
    started = [sql_editor.start_query(release, SLOW) for _ in range(sql_editor.MAX_RUNNING)]
    try:
        with pytest.raises(client.QueryFailed, match="the most at once"):
            sql_editor.start_query(release, "select 1")
    finally:
        for asked in started:
            asked.cancel()
    assert all(sql_editor.wait_until_done(asked, 5) for asked in started)
    assert sql_editor.start_query(release, "select 1").wait().table.num_rows == 1


def test_the_answer_is_of_the_release_in_the_link(
    copy_release: Callable[..., Lake],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy_release()
    lake = copy_release("delete from clean.publications", number=2)
    query = "select count(*) as n from clean.publications"
    assert frame(page(lake, monkeypatch, query=query))["n"].to_list() == [0]
    assert frame(page(lake, monkeypatch, query=query, release="v1"))["n"].to_list() == [80]


def test_answers_of_odd_types_are_shown_and_hostile_ones_are_only_texts(
    released_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = """
        select '<script>alert(1)</script>' as "**bold** <b>", 'ab'::blob as bytes, [1, 2] as list, {'a': 1} as struct,
            null as nothing, 12.50::decimal(5, 2) as price, 9223372036854775807::hugeint * 4 as huge,
            time '10:00' as at, uuid() as id, 1 as again, 2 as again
    """
    app = page(released_lake, monkeypatch, query=query)
    assert not app.exception
    assert frame(app).height == 1
    assert "<script" not in read_page_text(app).replace(query.strip(), "")
    app = page(released_lake, monkeypatch, query="select interval 1 day as gap")
    assert not app.exception
    assert "cast it to varchar" in warned(app)


@pytest.mark.parametrize("mark", ["bars", "lines", "points"])
@pytest.mark.parametrize(
    "value", ["[1, 2]", "map {'a': 1}", "{'a': 1}", "time '10:00'", "interval 1 day", "'ab'::blob"]
)
def test_odd_types_are_drawn_or_refused(
    released_lake: Lake, monkeypatch: pytest.MonkeyPatch, value: str, mark: str
) -> None:
    app = page(released_lake, monkeypatch, query=f"select {value} as odd, 1 as n", mark=mark, by="odd")
    assert not app.exception
    assert "cast it to varchar" in warned(app) or app.dataframe


def test_what_cannot_be_held_inside_of_a_list_is_refused(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(released_lake, monkeypatch, query="select [interval 1 day] as gaps")
    assert not app.exception
    assert "cast it to varchar" in warned(app)


def test_files_of_an_answer_hold_lists_and_long_numbers(released_lake: Lake) -> None:
    query = "select [1, 2] as list, {'day': date '2024-01-02'} as struct, sum(i) as total, '=1' as formula from range(5) as t (i)"
    frame = client.run_query(read_current_release(released_lake), query).frame
    told = pl.read_csv(io.BytesIO(encode_csv(sql_editor.flat(frame))))
    assert told.row(0) == ("[1, 2]", '{"day": "2024-01-02"}', 10, "'=1")
    assert pl.read_parquet(io.BytesIO(encode_parquet(frame))).equals(frame)


@pytest.mark.parametrize("mark", ["bars", "lines", "points"])
@pytest.mark.parametrize("across", ["a.b[0]", "day", "number", "nothing"])
def test_any_columns_can_be_drawn(released_lake: Lake, mark: str, across: str) -> None:
    answer = client.run_query(
        read_current_release(released_lake),
        "select 'x' || i as \"a.b[0]\", date '2024-01-01' + i::integer as day, i as number, null as nothing, i / 3 as up"
        " from range(30) as t (i)",
    )
    chart = draw_query_chart(answer.frame, ChartColumns(mark, across, "up", "a.b[0]"), "#000000")
    assert chart.to_dict()["encoding"]["x"]["title"] == across


def test_a_query_never_reaches_the_readers_of_pages(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    queries: list[str] = []
    whole = query_release

    def overheard(release: read.Release, query: str, parameters: object = None) -> pl.DataFrame:
        queries.append(query)
        return whole(release, query, parameters)  # type: ignore[arg-type]

    monkeypatch.setattr(read, "query_release", overheard)
    monkeypatch.setattr("dashboards.queries.data.query_release", overheard)
    app = page(released_lake, monkeypatch, query="select 'typed by a stranger' as words")
    assert frame(app)["words"].to_list() == ["typed by a stranger"]
    started = time.monotonic()
    while not queries and time.monotonic() - started < 1:
        time.sleep(0.01)
    assert queries
    assert not [query for query in queries if "stranger" in query]
