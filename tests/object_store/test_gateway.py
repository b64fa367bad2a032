"""A lake at a real object store: writers at once, killed writers, readers at the same time, throttling, other tools."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.fs
import pytest

from tests.support.object_stores import read_files
from tests.support.store_proxy import serve_proxy
from tests.support.store_writer import FILES, write_number
from warehouse.delta import hash_frame
from warehouse.lake import PROJECT, Lake
from warehouse.object_store.client import ObjectChanged, open_store
from warehouse.object_store.copying import copy_lake
from warehouse.object_store.reading import ReadableCopy
from warehouse.object_store.versions import read_version
from warehouse.object_store.writing import WritableCopy
from warehouse.release import publish_release, read_current_release
from warehouse.table import Column, Table

NUMBERS = Table("mart.numbers", "A number.", ("number",), (Column("number", "integer", "The number.", required=True),))


def start_writer(address: str, folder: Path, number: int, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.store_writer", str(folder), str(number)],
        cwd=PROJECT,
        env={**os.environ, **environment, "AISLE_LAKE": address},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_numbers(address: str, folder: Path) -> tuple[set[str], set[str]]:
    """The numbers in the tables of the newest version, all of which one writer has written, and of its documents."""
    files = read_files(open_store(address), folder)
    tables = Counter(text for name, text in files.items() if name.startswith("tables/"))
    assert set(tables.values()) <= {FILES}
    return set(tables), {text for name, text in files.items() if name.startswith("snapshots/")}


def test_of_writers_of_one_object_at_once_one_wins(address: str) -> None:
    store = open_store(address)
    for attempt in range(10):
        base = store.read("x")
        wins = list[int]()

        def write(number: int, base=base, wins=wins, attempt=attempt) -> None:
            try:
                store.replace("x", f"{attempt} {number}".encode(), None if base is None else base.tag)
            except ObjectChanged:
                return
            wins.append(number)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(wins) == 1


def test_two_writers_at_once_commit_one_after_the_other(address: str, tmp_path: Path) -> None:
    writers = [start_writer(address, tmp_path / str(number), number) for number in (1, 2)]
    outputs = [writer.communicate(timeout=200)[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], outputs
    tables, documents = read_numbers(address, tmp_path / "read")
    assert len(tables) == 1
    assert documents == {"1", "2"}
    assert read_version(open_store(address))[0].number == 2


@pytest.mark.parametrize("request_of_kill", ["/tables/mart/x/3", "/versions/", "/lake.json", "/_delta_log/"])
def test_a_writer_killed_in_mid_commit_leaves_the_last_version(
    address: str, tmp_path: Path, gateway: dict[str, str], request_of_kill: str
) -> None:
    with WritableCopy(address, tmp_path / "first").hold(lambda _: True, print):
        write_number(WritableCopy(address, tmp_path / "first"), 1)
    is_there = threading.Event()

    def hold_request(method: str, path: str) -> int | None:
        if method == "PUT" and request_of_kill in path:
            is_there.set()
            threading.Event().wait(2)  # until the writer is dead
            return 500
        return None

    with serve_proxy(gateway["AWS_ENDPOINT_URL"], hold_request) as endpoint:
        writer = start_writer(address, tmp_path / "killed", 2, AWS_ENDPOINT_URL=endpoint)
        assert is_there.wait(60)
        writer.kill()
        writer.wait()
    is_committed = request_of_kill == "/_delta_log/"  # other tools see the commit when the next writer ends
    assert read_numbers(address, tmp_path / "read")[0] == {"2" if is_committed else "1"}
    # the next writer in that folder does not wait for the lease, and commits what the killed one had made
    with WritableCopy(address, tmp_path / "killed").hold(lambda _: True, print):
        pass
    assert read_numbers(address, tmp_path / "read2") == ({"2"}, {"1", "2"})
    log = open_store(address).read("tables/mart/x/_delta_log/0.json")
    assert log is not None
    assert log.content == b"2"


def test_readers_see_whole_versions_while_others_are_committed(address: str, tmp_path: Path) -> None:
    writer = WritableCopy(address, tmp_path / "work")
    with writer.hold(lambda _: True, print):
        write_number(writer, 0)
    seen, has_ended = set[str](), threading.Event()

    def read() -> None:
        for attempt in range(100):
            tables, _ = read_numbers(address, tmp_path / f"read{attempt}")
            seen.update(tables)
            if has_ended.is_set():
                return

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 9):
        with writer.hold(lambda _: True, print):
            write_number(writer, number)
    has_ended.set()
    reader.join(100)
    assert "8" in seen
    assert len(seen) > 1


def test_throttled_requests_are_repeated(address: str, tmp_path: Path, gateway: dict[str, str], monkeypatch) -> None:
    chance, refused = random.Random(1), Counter[str]()

    def throttle(method: str, _: str) -> int | None:
        if chance.random() < 0.3:
            refused[method] += 1
            return 503
        return None

    def lose(method: str, _: str) -> int | None:
        return 503 if method == "PUT" and chance.random() < 0.2 else None  # it was written nevertheless

    with serve_proxy(gateway["AWS_ENDPOINT_URL"], throttle, lose) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        writer = WritableCopy(address, tmp_path / "work")
        for number in range(3):
            with writer.hold(lambda _: True, print):
                write_number(writer, number)
        assert read_numbers(address, tmp_path / "read") == ({"2"}, {"0", "1", "2"})
        result = copy_lake(address, str(tmp_path / "copy"), print)
    assert result.files == FILES + 3
    assert refused["GET"] > 3
    assert refused["PUT"] > 3


def test_a_store_that_lists_late_is_no_matter(
    address: str, tmp_path: Path, gateway: dict[str, str], monkeypatch
) -> None:
    listed = list[str]()

    def refuse_lists(_: str, path: str) -> int | None:
        if "list-type" in path or "prefix=" in path:
            listed.append(path)
            return 400
        return None

    with serve_proxy(gateway["AWS_ENDPOINT_URL"], refuse_lists) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        writer = WritableCopy(address, tmp_path / "work")
        for number in range(2):
            with writer.hold(lambda _: True, print):
                write_number(writer, number)
        assert read_numbers(address, tmp_path / "read") == ({"1"}, {"0", "1"})
        copy_lake(address, f"{address}-copy", print)
        copy_lake(f"{address}-copy", str(tmp_path / "copy"), print)
    assert listed == []


def test_other_tools_read_the_tables_and_the_release(address: str, tmp_path: Path, gateway: dict[str, str]) -> None:
    lake = Lake(tmp_path / "lake")
    frame = pl.DataFrame({"number": [1, 2, 3]})
    lake.write(NUMBERS, frame.head(2))
    lake.write(NUMBERS, frame)
    publish_release(lake, [NUMBERS], {})
    copy_lake(str(lake.root), address, print)
    options = {**gateway, "AWS_ALLOW_HTTP": "true"}
    from deltalake import DeltaTable

    delta = DeltaTable(f"{address}/tables/mart/numbers", storage_options=options)
    assert delta.version() == 1
    assert pl.scan_delta(delta).collect().sort("number").equals(frame)
    dataset = delta.to_pyarrow_dataset()
    with duckdb.connect() as connection:
        connection.register("numbers", dataset)
        assert connection.execute("select sum(number) from numbers").fetchall() == [(6,)]

    # the release, by plain requests
    release = read_current_release(lake)
    files = pyarrow.fs.S3FileSystem(
        access_key=gateway["AWS_ACCESS_KEY_ID"],
        secret_key=gateway["AWS_SECRET_ACCESS_KEY"],
        endpoint_override=gateway["AWS_ENDPOINT_URL"].removeprefix("http://"),
        scheme="http",
        region="us-east-1",
    )
    key = pl.read_json(files.open_input_file(f"{address[5:]}/lake.json").read())["release_key"][0]
    (tmp_path / "release.duckdb").write_bytes(files.open_input_file(f"{address[5:]}/{key}").read())
    with duckdb.connect(tmp_path / "release.duckdb", read_only=True) as connection:
        assert connection.execute("select sum(number) from mart.numbers").fetchall() == [(6,)]

    # and the backup has every table as it was
    copy_lake(address, str(tmp_path / "restored"), print)
    restored = Lake(tmp_path / "restored")
    assert restored.read_state("mart.numbers") == lake.read_state("mart.numbers")
    assert read_current_release(restored).content_sha256 == release.content_sha256
    read_current_release(restored).check()
    assert hash_frame(restored.read(NUMBERS).sort("number")) == hash_frame(frame)


def test_a_reader_keeps_what_a_writer_removes(address: str, tmp_path: Path) -> None:
    writer = WritableCopy(address, tmp_path / "work")
    with writer.hold(lambda _: True, print):
        write_number(writer, 1)
    reader = ReadableCopy(address, tmp_path / "read")
    lake = reader.open_for_reading(lambda _: False)
    with writer.hold(lambda _: True, print):
        write_number(writer, 2)
        (writer.root / "snapshots/s/1/content").unlink()
    assert lake.bring(lake.root / "snapshots/s/1/content").read_text() == "1"
    assert lake.bring(lake.root / "tables/mart/x/0").read_text() == "1"
