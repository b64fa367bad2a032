"""The SQL sandbox against resource exhaustion: every query ends within its limits, and the message names the limit."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

import pytest

from tests.sql_box.test_sql import release
from tests.support.trials import pick_trials
from warehouse.release import Release
from warehouse.sql_box import client
from warehouse.sql_box.client import FailureReason, QueryFailed, QueryLimits

__all__ = ["release"]

# memory of an idle process with DuckDB and Arrow, measured at 100 MB
EMPTY_PROCESS_BYTES = 128 * 2**20
LIMIT_MESSAGE = re.compile(
    r"the query (was ended after [12] s|needs more than the 192 MB|crashed its sandbox process)|Out of Range Error: Cannot create"
)

SMALL_LIMITS = QueryLimits(wall_seconds=2, cpu_seconds=1, memory_bytes=192 * 2**20, rows=1000, answer_bytes=2**20)
CHAIN = ", ".join(f"t{n} as (select * from t{n - 1} a, t{n - 1} b)" for n in range(1, 12))
BOMBS = {
    "cross join": "select count(*) from range(1000000) a, range(1000000) b, range(1000000) c",
    "cross join of tables": "select count(*) from clean.publications a, clean.publications b, clean.publications c, clean.publications d, clean.publications e, clean.publications f",
    "join on nearly everything": "select count(*) from range(1000000) a(i) join range(1000000) b(i) on a.i <> b.i",
    "range": "select sum(range) from range(1000000000000)",
    "series": "select sum(n) from generate_series(1, 1000000000000) t(n)",
    "list of a range": "select range(1000000000)",
    "list of a range, summed": "select list_sum(range(2000000000))",
    "endless recursion": "with recursive r(n) as (select 1 union all select n + 1 from r) select count(*) from r",
    "doubling recursion": "with recursive r(n) as (select 1 union all select n from r, range(2)) select count(*) from r",
    "growing string": "with recursive r(s) as (select 'x' union all select s || s from r) select max(length(s)) from r",
    "repeat": "select length(repeat('x', 4000000000))",
    "repeat of repeats": "select length(repeat(repeat('x', 100000), 100000))",
    "padding": "select length(lpad('x', 2000000000, 'y'))",
    "replacing": "select length(replace(repeat('x', 10000000), 'x', repeat('y', 1000)))",
    "list of lists": "select list_transform(range(100000), lambda x: range(100000))",
    "list resized": "select len(list_resize([1], 4000000000))",
    "flattened lists": "select len(flatten([range(100000000), range(100000000), range(100000000)]))",
    "sorted list": "select list_sort(list(random())) from range(100000000)",
    "regular expression": "select count(*) from range(1000000) t(i) where regexp_matches(repeat('a', 100000) || i, '(a|a)*(a|aa)*(a*)*b')",
    "counted regular expression": "select max(length(regexp_replace(repeat('ab', 100000) || i, '((a{0,30}){0,30})', 'x', 'g'))) from range(1000000) t(i)",
    "levenshtein": "select levenshtein(repeat('a', 1000000), repeat('b', 1000000))",
    "sort": "select * from (select md5(range::varchar) as h from range(100000000)) order by h desc",
    "distinct": "select count(*) from (select distinct md5(range::varchar) from range(100000000))",
    "groups": "select count(*) from (select random() as r, list(range) as l from range(100000000) group by r)",
    "unnest": "select count(*) from (select unnest(range(100000)) from range(1000000))",
    "unnest of unnest": "select count(*) from (select unnest(range(1000000)) as a), (select unnest(range(1000000)) as b)",
    "string aggregate": "select length(string_agg(repeat('x', 1000), '')) from range(10000000)",
    "list aggregate": "select list_aggregate(list_transform(range(3000000), lambda x: x::varchar || repeat('y', 100)), 'string_agg', ',')",
    "window": "select sum(s) from (select sum(range) over (order by hash(range) rows between 100000 preceding and current row) as s from range(100000000))",
    "quantiles in windows": "select max(m) from (select median(range) over (order by range rows between 50000 preceding and 50000 following exclude current row) as m from range(10000000))",
    "json": "select json_array_length(to_json(range(100000000)))",
    "json unfolded": "select count(*) from range(100000000) a, lateral (select unnest(json_keys(to_json({'a': a.range, 'b': 2})::json)))",
    "histogram": "select map_keys(histogram(range)) from range(50000000)",
    "many columns": f"select {', '.join(f'a.range + {n}' for n in range(900))} from range(1000000) a, range(1000000) b order by all",
    "chain of doubling": f"with t0 as (select 1 as x from range(100)), {CHAIN} select count(*) from t11",
    "pivot": "pivot (select i, i % 100 as p from range(100000000) t(i)) on p in (1, 2, 3) using list(i)",
    "correlated": "select (select count(*) from range(1000000) b where b.range * a.range % 7 = 1) from range(1000000) a order by 1",
    "cube": "select count(*) from (select count(*) from range(10000000) t(i) group by cube (i, i + 1, i + 2, i + 3, i + 4, i + 5, i + 6, i + 7))",
    "factorials": "select sum(s) from (select length(format('{:d}', (range % 33)::int!)) as s from range(10000000000))",
    "bits": "select bit_count(repeat('1', 1000000000)::bit)",
    "recursive CTE with key": "with recursive r(n, s) using key (n) as (select 0, 'x' union select (n + 1) % 1000, s || s from r) select count(*) from r",
}
# refused before they run: DuckDB or the gate finds them too deep or too long
OVERSIZED_QUERIES = {
    "deep parentheses": "select " + "(" * 9000 + "1" + ")" * 9000,
    "deep lists": "select " + "[" * 9000 + "1" + "]" * 9000,
    "deep subqueries": "select * from " + "(select * from " * 1200 + "range(1)" + ")" * 1200,
    "deep calls": "select " + "abs(" * 3500 + "1" + ")" * 3500,
    "long chain of not": "select " + "not " * 4500 + "true",
    "long sum": "select " + "1+" * 9000 + "1",
    "long text": "select '" + "x" * 100_000 + "'",
}


class MemoryWatch:
    """Records the peak memory of another process."""

    def __init__(self, process: int) -> None:
        self.peak_bytes = 0
        self._status = Path(f"/proc/{process}/status")
        self._has_stopped = threading.Event()
        self._thread = threading.Thread(target=self._poll)
        self._thread.start()

    def _poll(self) -> None:
        while not self._has_stopped.wait(0.02):
            try:
                lines = self._status.read_text(encoding="ascii").splitlines()
            except OSError:
                return
            peaks = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]
            self.peak_bytes = max(self.peak_bytes, *peaks, 0)

    def stop(self) -> int:
        self._has_stopped.set()
        self._thread.join()
        return self.peak_bytes


def run_and_measure(
    release: Release, query: str, limits: QueryLimits, *without: str
) -> tuple[QueryFailed | None, float, int]:
    """The failure of a query (if it failed), the seconds it took, and the peak memory of its process."""
    started = time.monotonic()
    running = client._start_query(release, query, limits, client._LAYERS - set(without))
    watch = MemoryWatch(running._process.pid)
    try:
        running.wait()
    except QueryFailed as failure:
        return failure, time.monotonic() - started, watch.stop()
    else:
        return None, time.monotonic() - started, watch.stop()


def read_own_memory_bytes() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


@pytest.mark.trials("SQL queries that use up time or memory")
@pytest.mark.parametrize("name", pick_trials(list(BOMBS), 8))
def test_bomb_ends_within_its_limits(release: Release, name: str) -> None:
    files, memory_bytes = sorted(release.path.parent.rglob("*")), read_own_memory_bytes()
    failure, seconds, peak_bytes = run_and_measure(release, BOMBS[name], SMALL_LIMITS)
    assert failure is not None
    assert failure.reason in (FailureReason.limit, FailureReason.failed)
    assert LIMIT_MESSAGE.match(str(failure)), str(failure)
    assert seconds < SMALL_LIMITS.wall_seconds + client._KILL_AFTER_SECONDS + 30  # without a limit it has no end
    assert peak_bytes < SMALL_LIMITS.memory_bytes + EMPTY_PROCESS_BYTES
    assert read_own_memory_bytes() - memory_bytes < 2 * SMALL_LIMITS.answer_bytes + 2**24
    assert sorted(release.path.parent.rglob("*")) == files


@pytest.mark.parametrize("name", OVERSIZED_QUERIES)
def test_oversized_query_is_refused(release: Release, name: str) -> None:
    with pytest.raises(QueryFailed, match="depth limit|nested too deeply|bytes, more than the 20,000"):
        client.run_query(release, OVERSIZED_QUERIES[name])


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("from range(1000000000000)", SMALL_LIMITS.rows),
        ("select repeat('x', 10000) as x from range(1000000)", 104),
        ("select range(1000) as many from range(10000)", 100),
        ("from range(1000)", 1000),
    ],
)
def test_long_result_is_truncated(release: Release, query: str, rows: int) -> None:
    result = client.run_query(release, query, SMALL_LIMITS)
    assert result.is_truncated == (query != "from range(1000)")
    assert rows / 2 <= result.table.num_rows <= rows * 1.5
    assert result.table.num_rows <= SMALL_LIMITS.rows
    assert 0 < result.table.nbytes <= SMALL_LIMITS.answer_bytes
