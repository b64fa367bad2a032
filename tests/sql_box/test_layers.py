"""The closed box layer by layer: with one of them taken out, something gets through or goes further.

Some layers stand behind others on purpose. To see one of those at work, the ones before it are taken out too, and
the same query is tried with it and without it.
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

from tests.conftest import PROJECT, aisle
from tests.sql_box.test_bombs import BOMBS, EMPTY_PROCESS_BYTES, SMALL, parent_bytes, tried
from tests.sql_box.test_sql import release
from warehouse.lake import Lake
from warehouse.release import Release
from warehouse.sql_box import client
from warehouse.sql_box.client import Limits, Reason, Unanswered
from warehouse.sql_box.functions import ALLOWED, REFUSED, REFUSED_PREFIXES

__all__ = ["release"]

PATIENT = replace(SMALL, wall_seconds=30, cpu_seconds=30)
ENDLESS = BOMBS["cross join"]


@pytest.fixture
def copied(release: Release, tmp_path: Path) -> Release:
    """A release that may be harmed, with a secret beside it."""
    path = tmp_path / "releases" / release.path.name
    path.parent.mkdir()
    shutil.copy(release.path, path)
    (tmp_path / "secret.txt").write_text("a canary sings", encoding="utf-8")
    return replace(release, path=path)


def found(release: Release, query: str, *without: str) -> str:
    """What a query finds or why it finds nothing, with these layers taken out."""
    query = query.replace("RELEASE", str(release.path)).replace("FOLDER", str(release.path.parents[1]))
    try:
        return str(client._start(release, query, PATIENT, client._LAYERS - set(without)).wait().table.to_pylist())
    except Unanswered as unanswered:
        return str(unanswered)


@pytest.mark.parametrize(
    ("layer", "others", "query", "told"),
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
def test_layer_holds_what_gets_through_without_it(
    copied: Release, layer: str, others: tuple[str, ...], query: str, told: str
) -> None:
    assert told not in found(copied, query, *others)
    assert told in found(copied, query, *others, layer)


@pytest.mark.parametrize(
    ("layer", "others", "query"),
    [
        ("filesystems", ("gate", "calls"), "copy (select 1) to 'RELEASE' (format csv, use_tmp_file false)"),
        ("calls", ("gate", "external_access", "filesystems", "resources"), "copy (select 1) to 'FOLDER/out'"),
        ("resources", ("gate", "external_access", "filesystems", "calls"), "copy (select 1) to 'FOLDER/out'"),
        ("no_spill", ("calls", "filesystems"), BOMBS["sort"]),
    ],
)
def test_layer_leaves_files_as_they_are(copied: Release, layer: str, others: tuple[str, ...], query: str) -> None:
    def files() -> dict[str, bytes]:
        return {
            str(path): path.read_bytes() if path.is_file() else b""
            for path in copied.path.parents[1].rglob("*")
            if path.is_dir() or path.stat().st_size
        }

    before = files()
    found(copied, query, *others)
    assert files() == before
    found(copied, query, *others, layer)
    assert files() != before


def test_without_its_own_limits_a_process_takes_more_memory(release: Release) -> None:
    query, limits = "select length(repeat('x', 150000000)) as n", replace(PATIENT, memory_bytes=96 * 2**20)
    unanswered, _, most_bytes = tried(release, query, limits)
    assert "more than the 96 MB of memory" in str(unanswered)
    assert most_bytes < limits.memory_bytes + EMPTY_PROCESS_BYTES
    unanswered, _, most_bytes = tried(release, query, limits, "resources")
    assert unanswered is None
    assert most_bytes > 300 * 2**20


def test_without_the_engines_limit_it_takes_more_memory(release: Release) -> None:
    query = "select count(h) as n from (select md5(range::varchar) as h from range(5000000) order by h limit 4000000)"
    unanswered, _, most_bytes = tried(release, query, PATIENT, "resources")
    assert "more than the 192 MB of memory" in str(unanswered)
    assert most_bytes < PATIENT.memory_bytes + EMPTY_PROCESS_BYTES
    unanswered, _, most_bytes = tried(release, query, PATIENT, "resources", "engine_memory")
    assert unanswered is None
    assert most_bytes > 350 * 2**20


def test_without_a_limit_of_computing_it_goes_on_to_the_end_of_its_time(release: Release) -> None:
    assert "1 s of computing" in str(tried(release, ENDLESS, replace(PATIENT, cpu_seconds=1))[0])
    assert "ended after 3 s," in str(tried(release, ENDLESS, replace(SMALL, wall_seconds=3), "resources")[0])


def test_without_the_alarm_it_goes_on_until_it_is_killed(release: Release) -> None:
    limits = replace(SMALL, cpu_seconds=60)
    with_alarm = client._start(release, ENDLESS, limits, client._LAYERS - {"kill"})
    with pytest.raises(Unanswered, match="ended after 2 s"):
        with_alarm.wait()
    assert with_alarm._process.returncode == -signal.SIGALRM
    without = client._start(release, ENDLESS, limits, client._LAYERS - {"alarm"})
    with pytest.raises(Unanswered, match="ended after 2 s"):
        without.wait()
    assert without._process.returncode == -signal.SIGKILL


def test_without_the_kill_a_halted_process_stays(release: Release) -> None:
    limits = replace(SMALL, wall_seconds=1, cpu_seconds=60)
    for layers, stays in ((client._LAYERS, False), (client._LAYERS - {"kill"}, True)):
        asked = client._start(release, ENDLESS, limits, layers)
        os.kill(asked._process.pid, signal.SIGSTOP)
        asked._watcher.join(limits.wall_seconds + client._KILL_AFTER_SECONDS + 1)
        assert asked.is_running is stays
        asked.cancel()
        with pytest.raises(Unanswered):
            asked.wait()


def test_query_ends_even_if_the_one_who_asked_is_killed(release: Release) -> None:
    script = """
import sys
from pathlib import Path
from warehouse.sql_box import client
from warehouse.release import Release
limits = client.Limits(wall_seconds=2, cpu_seconds=60)
asked = client.start(Release(1, Path(sys.argv[1]), {}), sys.argv[2], limits)
print(asked._process.pid, flush=True)
asked.wait()
"""
    command = [sys.executable, "-c", script, str(release.path), ENDLESS]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        orphan = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 30
    while _is_alive(orphan):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _is_alive(process: int) -> bool:
    """Whether it runs; one that has ended but is not collected yet by whoever inherited it does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_process_holds_nothing_of_its_parent(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "a canary sings")
    with (PROJECT / "README.md").open() as file:
        os.set_inheritable(file.fileno(), True)
        asked = client.start(release, ENDLESS, replace(SMALL, wall_seconds=10, cpu_seconds=60))
        process = Path(f"/proc/{asked._process.pid}")
        while "NoNewPrivs:\t1\nSeccomp:\t2" not in (process / "status").read_text(encoding="ascii"):
            assert asked.is_running
            time.sleep(0.01)
        held = {str(path.readlink()) for path in (process / "fd").iterdir()}
        environment, folder = (process / "environ").read_bytes(), str((process / "cwd").readlink())
    assert os.getsid(asked._process.pid) == asked._process.pid
    asked.cancel()
    assert environment.replace(b"LC_CTYPE=C.UTF-8\0", b"") == b""
    assert folder == "/"
    assert {name for name in held if not name.startswith("pipe:")} == {str(release.path)}


def test_cancelled_query_ends_at_once_and_the_parent_goes_on(release: Release) -> None:
    asked = client.start(release, ENDLESS, Limits(wall_seconds=60, cpu_seconds=60))
    other = client.start(release, "select 1 as a")
    assert asked.is_running
    threading.Timer(0.5, asked.cancel).start()
    with pytest.raises(Unanswered, match="cancelled") as told:
        asked.wait()
    assert told.value.reason is Reason.cancelled
    assert not asked.is_running
    assert other.wait().table.to_pylist() == [{"a": 1}]
    other.cancel()
    assert other.wait().table.num_rows == 1


def test_faults_of_the_asker_and_of_the_box_are_told_apart(release: Release, tmp_path: Path) -> None:
    for name, value in (("rows", 0), ("wall_seconds", float("nan")), ("memory_bytes", -1), ("query_bytes", 70_000)):
        with pytest.raises(ValueError, match=f"limit {name} is"):
            Limits(**{name: value})
    for query, reason, said in (
        ("select '\ud800'", Reason.refused, "not text"),
        ("frm x", Reason.failed, "Parser Error"),
        ("from mart.no_such_table", Reason.failed, "does not exist"),
        ("show tables", Reason.refused, "`show all tables` lists the tables"),
        ("from no_such_table", Reason.refused, "no table no_such_table here"),
        ("select case when range = 9000 then error('late') else 1 end from range(9500)", Reason.failed, "late"),
    ):
        with pytest.raises(Unanswered, match=said) as told:
            client.ask(release, query)
        assert told.value.reason is reason
    with pytest.raises(Unanswered, match="cannot be closed") as told:
        client.ask(replace(release, path=tmp_path / "gone.duckdb"), "select 1")
    assert told.value.reason is Reason.broken
    assert str(tmp_path) not in str(told.value)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("print('junk')", "cannot be read"),
        ("print(7)", "cannot be read"),
        ("import sys; sys.exit('no such library')", "could not work: no such library"),
        ("print('{\"is_truncated\": false}'); print('not an Arrow stream')", "cannot be read"),
        ("import sys\nwhile True: sys.stdout.write('x' * 65536)", "did not keep to its part"),
        ("import os, time; os.close(1); time.sleep(60)", "did not keep to its part"),
    ],
)
def test_whatever_comes_out_of_the_box_the_parent_goes_on(
    release: Release, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    monkeypatch.setattr(client, "_START", script)
    held = parent_bytes()
    with pytest.raises(Unanswered, match=said):
        client.ask(release, "select 1", SMALL)
    assert parent_bytes() - held < 2 * SMALL.answer_bytes + 2**24


def test_answer_with_repeated_names_or_intervals_is_shown_or_told(release: Release) -> None:
    answer = client.ask(release, "select 1 as a, 2 as a, 3 as a_1")
    assert answer.frame.row(0, named=True) == {"a": 1, "a_1": 2, "a_1_1": 3}
    with pytest.raises(Unanswered, match="cast it to varchar"):
        _ = client.ask(release, "select interval 3 days as i").frame


def test_every_function_of_this_duckdb_is_judged() -> None:
    """A new version brings new functions; each belongs into the allow list or among the refused ones."""
    query = "select distinct lower(function_name) from duckdb_functions() where internal and function_type in ('scalar', 'aggregate', 'macro', 'window')"
    with duckdb.connect() as connection:
        names = {name for (name,) in connection.execute(query).fetchall()}
    refused = {name for name in names if name in REFUSED or name.startswith(tuple(REFUSED_PREFIXES))}
    assert names - ALLOWED - refused == set()
    assert ALLOWED & refused == set()
    assert names >= ALLOWED


def test_command_line_asks_in_the_closed_box(released_lake: Lake) -> None:
    good = aisle(released_lake.root, "sql", "--sandbox", "select count(*) as n from clean.publications", "-f", "csv")
    assert (good.returncode, good.stdout) == (0, "n\n80\n")
    long = aisle(released_lake.root, "sql", "--sandbox", "from range(20000)", "-f", "csv")
    assert len(long.stdout.splitlines()) == 10_001
    assert "only the first 10,000 rows" in long.stderr
    bad = aisle(released_lake.root, "sql", "--sandbox", "from '/etc/passwd'")
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
TESTS = st.builds("{} {} {}".format, VALUES, st.sampled_from(["<", "=", "is distinct from", ">="]), VALUES)
FROM = "from mart.publications_by_lab_year"
QUERIES = st.one_of(
    st.builds("select lab, published_year, {} as v {} where {} order by all".format, VALUES, st.just(FROM), TESTS),
    st.builds("select lab, {} as v, {} as w {} group by lab order by all".format, SUMMARIES, SUMMARIES, st.just(FROM)),
    st.builds(
        "select {} as v {} union select {} {} order by all limit 5".format, VALUES, st.just(FROM), VALUES, st.just(FROM)
    ),
    st.builds("with t as ({} select *, {} as v) from t where {} order by all".format, st.just(FROM), VALUES, TESTS),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(QUERIES)
def test_any_query_gets_the_same_answer_or_error_as_outside(release: Release, query: str) -> None:
    with release.connect() as connection:
        connection.execute("set threads = 1")
        try:
            expected = connection.sql(query).to_arrow_table()
        except (duckdb.Error, OSError) as error:
            expected = str(error)
    answer = _table_or_text(release, query)
    if isinstance(expected, str) or isinstance(answer, str):
        assert answer == expected
    else:
        assert answer.schema == expected.schema
        assert str(answer.to_pylist()) == str(expected.to_pylist())  # as text: “not a number” does not equal itself


def _table_or_text(release: Release, query: str) -> pa.Table | str:
    try:
        return client.ask(release, query).table
    except Unanswered as unanswered:
        return str(unanswered)
