"""The layers of the SQL sandbox, one by one: without a layer, some attack succeeds or goes further.

Some layers back up others on purpose. To test one of those, the layers before it are removed too, and the same query
runs with it and without it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import PROJECT, run_aisle
from tests.sql_box.test_bombs import BOMBS, EMPTY_PROCESS_BYTES, SMALL_LIMITS, read_own_memory_bytes, run_and_measure
from tests.sql_box.test_sql import release
from warehouse.lake import Lake
from warehouse.release import Release
from warehouse.sql_box import client
from warehouse.sql_box.client import FailureReason, QueryFailed, QueryLimits
from warehouse.sql_box.functions import ALLOWED_FUNCTIONS, REFUSED_FUNCTIONS, REFUSED_PREFIXES

__all__ = ["release"]

LONG_LIMITS = replace(SMALL_LIMITS, wall_seconds=30, cpu_seconds=30)
ENDLESS_QUERY = BOMBS["cross join"]


@pytest.fixture
def release_copy(release: Release, tmp_path: Path) -> Release:
    """A copy of the release that may be damaged, with a secret file beside it."""
    path = tmp_path / "releases" / release.path.name
    path.parent.mkdir()
    shutil.copy(release.path, path)
    (tmp_path / "secret.txt").write_text("a canary sings", encoding="utf-8")
    return replace(release, path=path)


def describe_outcome(release: Release, query: str, *without: str) -> str:
    """The rows of a query, or its error message, without these layers."""
    query = query.replace("RELEASE", str(release.path)).replace("FOLDER", str(release.path.parents[1]))
    try:
        return str(
            client._start_query(release, query, LONG_LIMITS, client._LAYERS - set(without)).wait().table.to_pylist()
        )
    except QueryFailed as failure:
        return str(failure)


@pytest.mark.parametrize(
    ("layer", "others", "query", "trace"),
    [
        ("gate", (), "select path from duckdb_databases()", "aisle.v"),
        ("gate", (), "from duckdb_settings()", "access_mode"),
        ("gate", (), "select 1; select 2 as second", "second"),
        ("lock", ("gate",), "set memory_limit = '100GB'; select 'set' as it", "'set'"),
        ("filesystems", ("gate", "calls"), "select 'read ' || size as it from read_blob('RELEASE')", "read "),
        ("external_access", ("gate", "calls", "filesystems"), "from read_text('FOLDER/secret.txt')", "a canary sings"),
        ("calls", ("gate", "external_access", "filesystems"), "from read_text('FOLDER/secret.txt')", "a canary sings"),
        ("no_spill", (), BOMBS["sort"], "LocalFileSystem"),
        ("lock", ("gate",), "set threads = 8; select current_setting('threads') as it", "8"),
    ],
)
def test_attempt_succeeds_only_without_its_layer(
    release_copy: Release, layer: str, others: tuple[str, ...], query: str, trace: str
) -> None:
    assert trace not in describe_outcome(release_copy, query, *others)
    assert trace in describe_outcome(release_copy, query, *others, layer)


@pytest.mark.parametrize(
    ("layer", "others", "query"),
    [
        ("filesystems", ("gate", "calls"), "copy (select 1) to 'RELEASE' (format csv, use_tmp_file false)"),
        ("calls", ("gate", "external_access", "filesystems", "resources"), "copy (select 1) to 'FOLDER/out'"),
        ("resources", ("gate", "external_access", "filesystems", "calls"), "copy (select 1) to 'FOLDER/out'"),
        ("no_spill", ("calls", "filesystems"), BOMBS["sort"]),
    ],
)
def test_files_change_only_without_the_layer(
    release_copy: Release, layer: str, others: tuple[str, ...], query: str
) -> None:
    def files() -> dict[str, bytes]:
        return {
            str(path): path.read_bytes() if path.is_file() else b""
            for path in release_copy.path.parents[1].rglob("*")
            if path.is_dir() or path.stat().st_size
        }

    before = files()
    describe_outcome(release_copy, query, *others)
    assert files() == before
    describe_outcome(release_copy, query, *others, layer)
    assert files() != before


def test_process_uses_more_memory_without_resource_limits(release: Release) -> None:
    query, limits = "select length(repeat('x', 150000000)) as n", replace(LONG_LIMITS, memory_bytes=96 * 2**20)
    failure, _, peak_bytes = run_and_measure(release, query, limits)
    assert "more than the 96 MB of memory" in str(failure)
    assert peak_bytes < limits.memory_bytes + EMPTY_PROCESS_BYTES
    failure, _, peak_bytes = run_and_measure(release, query, limits, "resources")
    assert failure is None
    assert peak_bytes > 300 * 2**20


def test_process_uses_more_memory_without_the_engine_limit(release: Release) -> None:
    query = "select count(h) as n from (select md5(range::varchar) as h from range(5000000) order by h limit 4000000)"
    failure, _, peak_bytes = run_and_measure(release, query, LONG_LIMITS, "resources")
    assert "more than the 192 MB of memory" in str(failure)
    assert peak_bytes < LONG_LIMITS.memory_bytes + EMPTY_PROCESS_BYTES
    failure, _, peak_bytes = run_and_measure(release, query, LONG_LIMITS, "resources", "engine_memory")
    assert failure is None
    assert peak_bytes > 350 * 2**20


def test_query_runs_to_its_time_limit_without_a_cpu_limit(release: Release) -> None:
    assert "1 s of CPU time" in str(run_and_measure(release, ENDLESS_QUERY, replace(LONG_LIMITS, cpu_seconds=1))[0])
    assert "ended after 3 s," in str(
        run_and_measure(release, ENDLESS_QUERY, replace(SMALL_LIMITS, wall_seconds=3), "resources")[0]
    )


def test_query_runs_until_killed_without_the_alarm(release: Release) -> None:
    limits = replace(SMALL_LIMITS, cpu_seconds=60)
    with_alarm = client._start_query(release, ENDLESS_QUERY, limits, client._LAYERS - {"kill"})
    with pytest.raises(QueryFailed, match="ended after 2 s"):
        with_alarm.wait()
    assert with_alarm._process.returncode == -signal.SIGALRM
    without = client._start_query(release, ENDLESS_QUERY, limits, client._LAYERS - {"alarm"})
    with pytest.raises(QueryFailed, match="ended after 2 s"):
        without.wait()
    assert without._process.returncode == -signal.SIGKILL


def test_stopped_process_stays_without_the_kill(release: Release) -> None:
    limits = replace(SMALL_LIMITS, wall_seconds=1, cpu_seconds=60)
    for layers, stays in ((client._LAYERS, False), (client._LAYERS - {"kill"}, True)):
        running = client._start_query(release, ENDLESS_QUERY, limits, layers)
        os.kill(running._process.pid, signal.SIGSTOP)
        # with the kill it ends, however late; without it nothing would end it
        running._watcher.join(limits.wall_seconds + client._KILL_AFTER_SECONDS + (1 if stays else 30))
        assert running.is_running is stays
        running.cancel()
        with pytest.raises(QueryFailed):
            running.wait()


def test_query_ends_after_its_parent_was_killed(release: Release) -> None:
    script = """
import sys
from pathlib import Path
from warehouse.sql_box import client
from warehouse.release import Release
limits = client.QueryLimits(wall_seconds=3600, cpu_seconds=3600)
query = client.start_query(Release(1, Path(sys.argv[1]), {}), sys.argv[2], limits)
print(query._process.pid, flush=True)
query.wait()
"""
    command = [sys.executable, "-c", script, str(release.path), ENDLESS_QUERY]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        orphan = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 30
    while _is_alive(orphan):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _is_alive(process: int) -> bool:
    """Whether a process runs; a zombie that is not reaped yet does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_process_inherits_nothing_from_its_parent(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "a canary sings")
    with (PROJECT / "README.md").open() as file:
        os.set_inheritable(file.fileno(), True)
        running = client.start_query(release, ENDLESS_QUERY, replace(SMALL_LIMITS, wall_seconds=10, cpu_seconds=60))
        process = Path(f"/proc/{running._process.pid}")
        while "NoNewPrivs:\t1\nSeccomp:\t2" not in (process / "status").read_text(encoding="ascii"):
            assert running.is_running
            time.sleep(0.01)
        open_files = {str(path.readlink()) for path in (process / "fd").iterdir()}
        environment, folder = (process / "environ").read_bytes(), str((process / "cwd").readlink())
    assert os.getsid(running._process.pid) == running._process.pid
    running.cancel()
    assert environment.replace(b"LC_CTYPE=C.UTF-8\0", b"") == b""
    assert folder == "/"
    assert {name for name in open_files if not name.startswith("pipe:")} == {str(release.path)}


def test_cancelled_query_ends_at_once_and_others_continue(release: Release) -> None:
    running = client.start_query(release, ENDLESS_QUERY, QueryLimits(wall_seconds=60, cpu_seconds=60))
    other = client.start_query(release, "select 1 as a")
    assert running.is_running
    threading.Timer(0.5, running.cancel).start()
    with pytest.raises(QueryFailed, match="cancelled") as error:
        running.wait()
    assert error.value.reason is FailureReason.cancelled
    assert not running.is_running
    assert other.wait().table.to_pylist() == [{"a": 1}]
    other.cancel()
    assert other.wait().table.num_rows == 1


def test_failures_have_the_right_reason(release: Release, tmp_path: Path) -> None:
    for name, value in (("rows", 0), ("wall_seconds", float("nan")), ("memory_bytes", -1), ("query_bytes", 70_000)):
        with pytest.raises(ValueError, match=f"limit {name} is"):
            QueryLimits(**{name: value})
    for query, reason, message in (
        ("select '\ud800'", FailureReason.refused, "not text"),
        ("frm x", FailureReason.failed, "Parser Error"),
        ("from mart.no_such_table", FailureReason.failed, "does not exist"),
        ("show tables", FailureReason.refused, "`show all tables` lists the tables"),
        ("from no_such_table", FailureReason.refused, "no table no_such_table here"),
        ("from range(30000000) t(i) order by hash(i)", FailureReason.limit, "512 MB of memory it may use: could not"),
        ("select case when range = 9000 then error('late') else 1 end from range(9500)", FailureReason.failed, "late"),
    ):
        with pytest.raises(QueryFailed, match=message) as error:
            client.run_query(release, query)
        assert error.value.reason is reason
    with pytest.raises(QueryFailed, match="cannot be set up") as error:
        client.run_query(replace(release, path=tmp_path / "gone.duckdb"), "select 1")
    assert error.value.reason is FailureReason.broken
    assert str(tmp_path) not in str(error.value)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("print('junk')", "cannot be read"),
        ("print(7)", "cannot be read"),
        ("import sys; sys.exit('no such library')", "could not run the query: no such library"),
        ("print('{\"is_truncated\": false}'); print('not an Arrow stream')", "cannot be read"),
        ("import sys\nwhile True: sys.stdout.write('x' * 65536)", "process misbehaved"),
        ("import os, time; os.close(1); time.sleep(60)", "process misbehaved"),
    ],
)
def test_malformed_output_does_not_harm_the_parent(
    release: Release, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    monkeypatch.setattr(client, "_STARTUP_CODE", script)
    memory_bytes = read_own_memory_bytes()
    with pytest.raises(QueryFailed, match=message):
        client.run_query(release, "select 1", SMALL_LIMITS)
    assert read_own_memory_bytes() - memory_bytes < 2 * SMALL_LIMITS.answer_bytes + 2**24


def test_repeated_column_names_get_numbers(release: Release) -> None:
    result = client.run_query(release, "select 1 as a, 2 as a, 3 as a_1")
    assert result.frame.row(0, named=True) == {"a": 1, "a_1": 2, "a_1_1": 3}


def test_every_duckdb_function_is_allowed_or_refused() -> None:
    """A new version brings new functions; add each to the allow-list or to the refused functions."""
    query = "select distinct lower(function_name) from duckdb_functions() where internal and function_type in ('scalar', 'aggregate', 'macro', 'window')"
    with duckdb.connect() as connection:
        names = {name for (name,) in connection.execute(query).fetchall()}
    refused = {name for name in names if name in REFUSED_FUNCTIONS or name.startswith(tuple(REFUSED_PREFIXES))}
    assert names - ALLOWED_FUNCTIONS - refused == set()
    assert ALLOWED_FUNCTIONS & refused == set()
    assert names >= ALLOWED_FUNCTIONS


def test_command_line_runs_queries_in_the_sandbox(released_lake: Lake) -> None:
    good = run_aisle(
        released_lake.root, "sql", "--sandbox", "select count(*) as n from clean.publications", "-f", "csv"
    )
    assert (good.returncode, good.stdout) == (0, "n\n80\n")
    long = run_aisle(released_lake.root, "sql", "--sandbox", "from range(20000)", "-f", "csv")
    assert len(long.stdout.splitlines()) == 10_001
    assert "only the first 10,000 rows" in long.stderr
    bad = run_aisle(released_lake.root, "sql", "--sandbox", "from '/etc/passwd'")
    assert bad.returncode == 1
    assert "there is no table /etc/passwd here" in bad.stderr


NUMBERS = st.sampled_from(["works", "publication_rows", "total_works", "works_share", "share_low", "0", "7", "null"])
VALUES = st.recursive(
    NUMBERS,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner),
        st.builds("{}({})".format, st.sampled_from(["abs", "round", "sqrt", "ln", "sign"]), inner),
        st.builds("coalesce({}, {})".format, inner, inner),
        st.builds("case when {} > {} then {} else {} end".format, inner, inner, inner, inner),
        st.builds("wilson_low({}, {})".format, inner, inner),
    ),
    max_leaves=6,
)
SUMMARIES = st.builds("{}({})".format, st.sampled_from(["sum", "min", "max", "count", "avg", "median", "list"]), VALUES)
CONDITIONS = st.builds("{} {} {}".format, VALUES, st.sampled_from(["<", "=", "is distinct from", ">="]), VALUES)
FROM = "from mart.publications_by_lab_year"
QUERIES = st.one_of(
    st.builds("select lab, published_year, {} as v {} where {} order by all".format, VALUES, st.just(FROM), CONDITIONS),
    st.builds("select lab, {} as v, {} as w {} group by lab order by all".format, SUMMARIES, SUMMARIES, st.just(FROM)),
    st.builds(
        "select {} as v {} union select {} {} order by all limit 5".format, VALUES, st.just(FROM), VALUES, st.just(FROM)
    ),
    st.builds(
        "with t as ({} select *, {} as v) from t where {} order by all".format, st.just(FROM), VALUES, CONDITIONS
    ),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(QUERIES)
def test_sandbox_gives_the_same_result_or_error_as_duckdb(release: Release, query: str) -> None:
    with release.connect() as connection:
        try:
            expected = connection.sql(query).to_arrow_table()
        except (duckdb.Error, OSError) as error:
            expected = str(error)
    result = _fetch_table_or_error(release, query)
    if isinstance(expected, str) or isinstance(result, str):
        assert result == expected
    else:
        assert result.schema == expected.schema
        assert str(result.to_pylist()) == str(expected.to_pylist())  # as text, since NaN does not equal itself


def _fetch_table_or_error(release: Release, query: str) -> pa.Table | str:
    try:
        return client.run_query(release, query).table
    except QueryFailed as failure:
        return str(failure)
