"""Answers of any type and any depth: shown in every form, or refused with a reason; never a crash."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest

from dashboards.exports.query_rows import simplify_types
from orchestration.cli.query import RowOutput, print_query_result
from tests.conftest import PROJECT
from tests.sql_box.test_sql import release
from warehouse.release import Release
from warehouse.row_files import encode_csv, encode_json, encode_parquet
from warehouse.sql_box import client
from warehouse.sql_box.answer import MAX_NESTING
from warehouse.sql_box.client import FailureReason, QueryFailed
from warehouse.sql_box.functions import REFUSED_FUNCTIONS, REFUSED_NAMES

__all__ = ["release"]

NINES = "9" * 400
# the text of each value in CSV, where that is certain
VALUES = {
    "interval 3 days": "3 days",
    "[interval 1 day]": '"[""1 day""]"',
    "map {'a': interval 1 day}": '"{""a"": ""1 day""}"',
    "{'a b': {'c': interval 1 day}}": '"{""a b"": {""c"": ""1 day""}}"',
    "row(1, interval 1 day)": '"(1, 1 day)"',
    "[interval 1 day]::interval[1]": '"[""1 day""]"',
    "170141183460469231731687303715884105727::hugeint": "170141183460469231731687303715884105727",
    "340282366920938463463374607431768211455::uhugeint": "340282366920938463463374607431768211455",
    f"{NINES}": NINES,
    f"'-{NINES}'::bignum": f"-{NINES}",
    f"[{NINES}]": f'"[""{NINES}""]"',
    "1e400": "inf",
    "'nan'::double": "NaN",
    "['-inf'::double]": "[null]",
    "-1.50::decimal(38, 10)": "-1.5000000000",
    "'infinity'::timestamp": "infinity",
    "'-infinity'::date": "-infinity",
    "'infinity'::timestamptz": "infinity",
    "'infinity'::timestamp_s": "infinity",
    "[timestamp 'infinity']": "[infinity]",
    "{'t': date 'infinity'}": "{'t': infinity}",
    "map {'t': date '290000-01-01'}": "{t=290000-01-01}",
    "date '10000-01-01'": "10000-01-01",
    "date '9999-12-31'": "9999-12-31",
    "date '0044-03-15 (BC)'": "0044-03-15 (BC)",
    "timestamp '290000-01-01'": "290000-01-01 00:00:00",
    "time '24:00:00'": "24:00:00",
    "timetz '10:00:00+05'": "10:00:00+05",
    "'0101'::bit": "0101",
    "'ab'::blob": "6162",
    "['\\xFF'::blob]": '"[""\\\\xFF""]"',
    "union_value(a := 1)": "1",
    "map {[1]: {'x': 2}}": '"{""[1]"": {""x"": 2}}"',
    "map {7: 2}": '"{""7"": 2}"',
    "map {date '2024-01-02': 2}": '"{""2024-01-02"": 2}"',
    "1::variant": "1",
    "uuid()": "",
    "null": "",
    "[]": "[]",
    "'a'::enum('a', 'b')": "a",
    "18446744073709551615::ubigint": "18446744073709551615",
    "timestamp_ns '2020-01-01 00:00:00.123456789'": "2020-01-01T00:00:00.123456789",
}


def nest(opening: str, closing: str, value: str = "1") -> dict[str, tuple[str, int]]:
    """Queries nested to several depths, by a name; those beyond the limit of values end in a refusal."""
    return {
        f"{opening}{depth}": (f"select {opening * depth}{value}{closing * depth} as x", depth) for depth in (70, 400)
    }


NESTED_VALUES = {
    **nest("[", "]"),
    **nest("{'a': ", "}"),
    **nest("map {'a': ", "}"),
    **nest("list_value(", ")"),
    **nest("row(", ")"),
    **{f"type{depth}": (f"select null::integer{'[]' * depth} as x", depth) for depth in (70, 900)},
    **{
        f"cast{depth}": (f"select cast(null as {'struct(a ' * depth}int{')' * depth}) as x", depth)
        for depth in (70, 400)
    },
    **{
        f"chain{depth}": (
            "with a0 as (select [1] as x), "
            + ", ".join(f"a{n} as (select [x] as x from a{n - 1})" for n in range(1, depth))
            + f" from a{depth - 1}",
            depth,
        )
        for depth in (70, 200)
    },
    "map50": (f"select {'map {1: ' * 50}1{'}' * 50} as x", 100),
}
# long or deep, but not in their values: an answer, or an error that names the reason
LONG_QUERIES = {
    "parentheses": "select " + "(" * 300 + "1" + ")" * 300,
    "case": "select " + "case when true then " * 200 + "1" + " end" * 200,
    "subqueries": "select * from " + "(select * from " * 200 + "range(1)" + ")" * 200,
    "scalar subqueries": "select " + "(select " * 200 + "1" + ")" * 200,
    "sum": "select 1" + "+1" * 2000,
    "negation": "select " + "- " * 900 + "1",
    "casts": "select 1" + "::int" * 900,
    "concatenation": "select 'a'" + "||'a'" * 900,
    "conditions": "select true" + " and true" * 900,
    "alternatives": "select random() > 2" + " or random() > 2" * 400,
    "union": "select 1" + " union all select 1" * 300,
    "coalesce": "select " + "coalesce(null, " * 400 + "1" + ")" * 400,
    "lambdas": "select " + "list_transform([1], lambda x: " * 100 + "1" + ")" * 100,
    "common tables": "with " * 1 + ", ".join(f"a{n} as (select 1 as x)" for n in range(400)) + " from a399",
    "time zones": "select timestamp '2020-01-01'" + " at time zone 'UTC'" * 400,
    "text of lists": "select '" + "[" * 9000 + "'::json",
}


@pytest.fixture(scope="module")
def frame(release: Release) -> pl.DataFrame:
    """All values in one answer, since each query takes a process."""
    columns = ", ".join(f'{value} as "c{place}"' for place, value in enumerate(VALUES))
    return client.run_query(release, f"select {columns}").frame


@pytest.mark.parametrize("value", VALUES)
def test_value_of_any_type_is_written_in_every_form(frame: pl.DataFrame, value: str) -> None:
    column = frame.select(f"c{list(VALUES).index(value)}")
    text = encode_csv(column).decode().partition("\n")[2].removesuffix("\n")
    assert text.strip('"') if value == "uuid()" else text == VALUES[value]
    assert len(json.loads(encode_json(column))) == 1
    assert pl.read_parquet(io.BytesIO(encode_parquet(column))).height == 1
    shown = simplify_types(column).to_arrow(compat_level=pl.CompatLevel.oldest())
    assert shown.num_rows == 1


@pytest.mark.parametrize("form", ["table", "csv", "json", "parquet", "markdown"])
@pytest.mark.parametrize("is_sandboxed", [True, False])
def test_command_line_shows_every_value(
    release: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, is_sandboxed: bool
) -> None:
    from orchestration.cli.console import PlainConsole

    query = f"select {', '.join(VALUES)}"
    path = tmp_path / "rows" if form == "parquet" else None
    print_query_result(release, query, RowOutput(form, path), PlainConsole(), is_sandboxed=is_sandboxed)
    shown = capsys.readouterr().out if path is None else str(pl.read_parquet(path).rows())
    assert "3 days" in shown
    assert "infinity" in shown or form == "table"  # which leaves out columns that do not fit


def test_sums_stay_exact_numbers_in_json(release: Release) -> None:
    rows = client.run_query(
        release, "select sum(i) as n, 0.1::decimal(3, 1) as d, 9999999999999999999999 as h from range(5) t(i)"
    )
    assert json.loads(encode_json(rows.frame)) == [{"n": 10, "d": 0.1, "h": 9999999999999999999999}]


@pytest.mark.parametrize("name", NESTED_VALUES)
def test_values_nested_too_deeply_are_refused(release: Release, name: str) -> None:
    query, depth = NESTED_VALUES[name]
    assert depth > MAX_NESTING
    with pytest.raises(QueryFailed, match="nested|bytes, more than") as error:
        client.run_query(release, query)
    assert error.value.reason is FailureReason.refused


def test_values_nested_up_to_the_limit_are_shown(release: Release) -> None:
    query = f"select {'[' * MAX_NESTING}1{']' * MAX_NESTING} as x, {'map {1: ' * 29}1{'}' * 29} as y"
    frame = client.run_query(release, query).frame
    assert encode_csv(frame).decode().startswith("x,y\n" + "[" * MAX_NESTING + "1")


@pytest.mark.parametrize("name", LONG_QUERIES)
def test_long_query_ends_in_an_answer_or_a_reason(release: Release, name: str) -> None:
    try:
        outcome = client.run_query(release, LONG_QUERIES[name]).frame.width
    except QueryFailed as error:
        outcome = f"{error.reason}: {error}"
    assert outcome
    assert not re.search(r"^broken|SIG", str(outcome))


def test_plain_form_refuses_values_nested_too_deeply(release: Release) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom orchestration.cli.query import RowOutput, print_query_result\n"
        "from orchestration.cli.console import out\nfrom warehouse.release import Release\n"
        "print_query_result(Release(1, Path(sys.argv[1]), {}), sys.argv[2], RowOutput(), out)"
    )
    for query in ("select " + "[" * 900 + "1" + "]" * 900, "select " + "{'a': " * 500 + "1" + "}" * 500):
        command = [sys.executable, "-c", script, str(release.path), query]
        finished = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
        assert finished.returncode == 1
        assert "nested more than 60 levels deep" in finished.stderr


@pytest.mark.parametrize(
    "query",
    [
        "select {}",
        "select {} as x from clean.publications",
        "select lab from clean.publications where {} = 'duckdb'",
        "select lab from clean.publications order by {}",
        "select count(*) from clean.publications group by {}",
        "select upper({})",
        "select list_transform([1], lambda x: {})",
        "with t as (select {} as x) from t",
        "select (select {})",
        'select "{}"',
        "values ({})",
        "select 1 limit (select length({}))",
    ],
)
def test_names_that_are_functions_are_refused(release: Release, query: str) -> None:
    names = sorted(REFUSED_NAMES) if query == "select {}" else ["current_user", "SESSION_USER"]
    for name in names:
        with pytest.raises(QueryFailed, match=rf"{name.lower()} is not allowed: it reveals") as error:
            client.run_query(release, query.format(name))
        assert error.value.reason is FailureReason.refused


def test_columns_may_be_named_like_functions(release: Release) -> None:
    query = 'select t."user" as who, t.current_role as r, now() is not null and current_date is not null as n from (select 1 as "user", 2 as current_role) as t'
    assert client.run_query(release, query).frame.rows() == [(1, 2, True)]


def test_every_refused_name_is_known() -> None:
    """A name that is no column and that DuckDB still answers is a function; a new version may add some."""
    with duckdb.connect() as connection:
        names = {name for (name,) in connection.execute("select function_name from duckdb_functions()").fetchall()}
        names |= {name for (name,) in connection.execute("select keyword_name from duckdb_keywords()").fetchall()}
        found = set()
        for name in sorted(names | set(REFUSED_FUNCTIONS) | {"system_user", "current_path", "localuser"}):
            try:
                connection.execute(f"select {name}").fetchall()
                found.add(name.lower())
            except (duckdb.Error, UnicodeDecodeError):
                continue
    harmless = {
        "current_date",
        "current_time",
        "current_timestamp",
        "localtime",
        "localtimestamp",
        "true",
        "false",
        "null",
    }
    assert found - harmless == REFUSED_NAMES
