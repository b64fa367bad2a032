"""The connection with a server is cut: a short cut changes nothing, a long one ends the run and names the server."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pytest

from orchestration.defs.catalog import load_transforms
from tests.support.tcp_proxy import TcpProxy, serve_tcp_proxy
from warehouse.lake import Lake

_NUMBERS = 200


@pytest.fixture
def proxy(remote: str) -> Generator[TcpProxy]:
    """A proxy in front of the server."""
    address = urlsplit(remote)
    with serve_tcp_proxy(address.hostname or "", address.port or 0) as proxy:
        yield proxy


def square_slowly(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """A task of some seconds, which leaves a file when it begins."""
    for batch in batches:
        for row in batch.to_pylist():
            Path(row["mark"]).touch()
            time.sleep(2)
            numbers = [number**2 for number in range(_NUMBERS)]
            yield pa.RecordBatch.from_pydict({"number": pa.array(numbers, pa.int64())})


def cut_when_begun(proxy: TcpProxy, mark: str, *, is_refusing: bool) -> threading.Thread:
    def wait_and_cut() -> None:
        while not Path(mark).exists():
            time.sleep(0.02)
        proxy.cut(is_refusing=is_refusing)

    thread = threading.Thread(target=wait_and_cut, daemon=True)
    thread.start()
    return thread


def test_a_job_survives_a_cut_connection(proxy: TcpProxy, tmp_path: Path) -> None:
    from transforms.spark.session import open_session, run_on_workers

    session, mark = open_session(f"sc://127.0.0.1:{proxy.port}"), str(tmp_path / "mark")
    thread = cut_when_begun(proxy, mark, is_refusing=False)
    found = run_on_workers(session, [(mark,)], ["mark"], square_slowly, "number bigint")
    thread.join()
    assert proxy.cuts >= 2
    assert [row["number"] for row in found] == [number**2 for number in range(_NUMBERS)]
    session.stop()


def test_a_lost_server_is_named_and_ends_the_run(
    proxy: TcpProxy, bulk_lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transforms.spark import patience
    from transforms.spark.engine import SparkEngine
    from transforms.spark.session import run_on_workers

    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 3.0)
    monkeypatch.setattr(patience, "_SHORT_SECONDS", 0.5)
    monkeypatch.setattr(patience, "_LONGEST_WAIT_SECONDS", 1.0)
    lines, remote = list[str](), f"sc://127.0.0.1:{proxy.port}"
    engine, mark = SparkEngine(remote, lines.append), str(tmp_path / "mark")
    thread = cut_when_begun(proxy, mark, is_refusing=True)
    with pytest.raises(patience.LostServer, match=rf"server at {remote} was lost .*the next run goes on"):
        run_on_workers(engine.session, [(mark,)], ["mark"], square_slowly, "number bigint")
    thread.join()
    assert len(lines) == 1
    assert lines[0].startswith(f"the Spark server at {remote} has not answered for ")
    with pytest.raises(patience.LostServer, match="was lost before"):  # and is not waited for again
        engine.make_table(load_transforms()["clean.work_records"], bulk_lake)
    engine.close()
