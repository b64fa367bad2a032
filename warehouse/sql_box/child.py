"""The process inside the closed box: it opens the release, locks itself in, and only then reads the query.

It takes one line of JSON with the release and the limits, then the query, from standard input, and gives one line
of JSON (an error, or whether rows were left out) and, if the query succeeded, its rows as an Arrow stream.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa

from warehouse.sql_box import confine, gate

_BATCH_ROWS = 2048  # DuckDB's own unit of work; small, so that a huge answer is cut early
_TREE_DEPTH = 5000  # of JSON; an expression of DuckDB's greatest depth, 1000, takes up to four levels each
_MESSAGE_CHARACTERS = 2000


def main() -> None:
    """Answer one query, and end."""
    sys.setrecursionlimit(_TREE_DEPTH)
    request: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what DuckDB may print by itself, such as a progress bar, must not mix with the answer
    try:
        connection, known = _closed(request)
    except (duckdb.Error, OSError) as error:
        _tell(answer, {"error": "broken", "text": f"the box cannot be closed: {error}"}, request)
    else:
        query = sys.stdin.buffer.read().decode()
        _answer(connection, known, query, request, answer)
    answer.flush()
    os._exit(0)  # ends even while DuckDB still works, and frees nothing that the system frees faster


def _closed(request: dict[str, Any]) -> tuple[duckdb.DuckDBPyConnection, gate.Known]:
    """Open the release and close everything else, in the order that leaves no gap."""
    limits, layers = request["limits"], set(request["layers"])
    if "alarm" in layers:
        confine.end_after(limits["wall_seconds"])
    config: dict[str, Any] = {  # nothing of this is in reach of this process anyway, but it need not be tried
        "threads": 1,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "python_enable_replacements": False,
    }
    if "engine_memory" in layers:
        config["memory_limit"] = f"{limits['memory_bytes'] // 10 * 8}B"
    if "no_spill" in layers:
        config["temp_directory"] = ""
    connection = duckdb.connect(request["path"], read_only=True, config=config)
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set enable_progress_bar = false")
    known = gate.Known.of(connection)
    # what is loaded on first use must be loaded now, while files can still be opened
    connection.sql("select json_serialize_sql('select 1')").to_arrow_reader(_BATCH_ROWS).read_all()
    if "external_access" in layers:
        connection.execute("set enable_external_access = false")
    if "filesystems" in layers:
        connection.execute("set disabled_filesystems = 'LocalFileSystem'")
    if "lock" in layers:
        connection.execute("set lock_configuration = true")
    if "resources" in layers:
        confine.limit_resources(confine.address_bytes_held() + limits["memory_bytes"], limits["cpu_seconds"])
    if "calls" in layers:
        confine.forbid_calls()
    return connection, known


def _answer(
    connection: duckdb.DuckDBPyConnection, known: gate.Known, query: str, request: dict[str, Any], answer: BinaryIO
) -> None:
    try:
        if "gate" in request["layers"]:
            gate.admit(connection, query, known)
        schema, batches, is_truncated = _rows(connection, query, request["limits"])
    except gate.Refused as error:
        _tell(answer, {"error": "refused", "text": str(error)}, request)
    except (MemoryError, duckdb.OutOfMemoryException, pa.ArrowMemoryError):
        _tell(answer, {"error": "limit", "text": "memory"}, request)
    except (duckdb.Error, pa.ArrowException, OSError) as error:  # the last is how Arrow tells what DuckDB told it
        is_memory = str(error).startswith("Out of Memory Error")
        told = {"error": "limit", "text": "memory"} if is_memory else {"error": "failed", "text": str(error)}
        _tell(answer, told, request)
    else:
        _tell(answer, {"is_truncated": is_truncated}, request)
        with pa.ipc.new_stream(answer, schema) as stream:
            for batch in batches:
                stream.write_batch(batch)


def _rows(
    connection: duckdb.DuckDBPyConnection, query: str, limits: dict[str, Any]
) -> tuple[pa.Schema, list[pa.RecordBatch], bool]:
    """The first rows of a query within the limits, and whether there are more."""
    relation = connection.sql(query)
    if relation is None:
        return pa.schema([]), [], False
    reader = relation.to_arrow_reader(_BATCH_ROWS)
    batches: list[pa.RecordBatch] = []
    rows, room = limits["rows"], limits["answer_bytes"]
    for batch in reader:
        taken = min(batch.num_rows, rows)
        while taken and batch.slice(0, taken).nbytes > room:
            taken //= 2
        batches.append(batch.slice(0, taken))
        rows, room = rows - taken, room - batches[-1].nbytes
        if taken < batch.num_rows:
            return reader.schema, batches, True
    return reader.schema, batches, False


def _tell(answer: BinaryIO, told: dict[str, Any], request: dict[str, Any]) -> None:
    """Write the line that says how it went, without the paths of this machine."""
    if "text" in told:
        text = told["text"].replace(request["path"], request["name"])
        told["text"] = text.replace(str(Path(request["path"]).parent), "…")[:_MESSAGE_CHARACTERS]
    answer.write(json.dumps(told).encode() + b"\n")
