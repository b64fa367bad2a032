"""The sandbox process: it opens the release, gives up every privilege, and only then reads the query.

Standard input: one line of JSON with the release, the limits, the layers and the length of the query, then the query;
its end is that of the parent, and ends this process too. Standard output: one line
of JSON with the status (an error, or whether rows were left out) and, without an error, the rows as an Arrow stream.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa

from warehouse.sql_box import answer, confine, gate

_BATCH_ROWS = 2048  # DuckDB's vector size; small, so that a huge result is truncated early
_RECURSION_LIMIT = 5000  # for parsing JSON: DuckDB nests expressions 1000 deep, each up to four levels of its JSON
_MAX_MESSAGE_CHARACTERS = 2000


def main() -> None:
    """Run one query and exit."""
    sys.setrecursionlimit(_RECURSION_LIMIT)
    request: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what DuckDB itself prints, such as a progress bar, must not mix with the result
    has_query = threading.Event()
    threading.Thread(target=_exit_with_parent, args=(has_query,), daemon=True).start()  # none can be started later
    try:
        connection, catalog = _open_release(request)
    except (duckdb.Error, OSError) as error:
        _write_status(output, {"error": "broken", "message": f"the sandbox cannot be set up: {error}"}, request)
    else:
        query = sys.stdin.buffer.read(request["query_bytes"]).decode()
        has_query.set()
        _run_query(connection, catalog, query, request, output)
    output.flush()
    os._exit(0)  # exits even while DuckDB still works, and skips cleanup that the system does faster


def _exit_with_parent(has_query: threading.Event) -> None:
    """Exit when standard input ends, after the query was read from it."""
    has_query.wait()
    os.read(0, 1)
    os._exit(1)


def _open_release(request: dict[str, Any]) -> tuple[duckdb.DuckDBPyConnection, gate.ReleaseCatalog]:
    """Open the release, then apply the layers in an order that leaves no gap."""
    limits, layers = request["limits"], set(request["layers"])
    if "alarm" in layers:
        confine.set_alarm(limits["wall_seconds"])
    config: dict[str, Any] = {  # the other layers prevent all of this already
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
    connection.execute("set disabled_optimizers = 'statistics_propagation'")  # see warehouse/sql.py
    connection.execute("set enable_progress_bar = false")
    catalog = gate.ReleaseCatalog.read(connection)
    # load now what DuckDB and Arrow load on first use, while files can still be opened
    connection.sql("select json_serialize_sql('select 1')").to_arrow_reader(_BATCH_ROWS).read_all()
    if "external_access" in layers:
        connection.execute("set enable_external_access = false")
    if "filesystems" in layers:
        connection.execute("set disabled_filesystems = 'LocalFileSystem'")
    if "lock" in layers:
        connection.execute("set lock_configuration = true")
    if "resources" in layers:
        confine.limit_resources(confine.read_address_space_bytes() + limits["memory_bytes"], limits["cpu_seconds"])
    if "calls" in layers:
        confine.forbid_system_calls()
    return connection, catalog


def _run_query(
    connection: duckdb.DuckDBPyConnection,
    catalog: gate.ReleaseCatalog,
    query: str,
    request: dict[str, Any],
    output: BinaryIO,
) -> None:
    try:
        if "gate" in request["layers"]:
            gate.check_query(connection, query, catalog)
        rows = _fetch_rows(connection, query, request["limits"])
    except (gate.ForbiddenQuery, answer.UnfitAnswer) as error:
        _write_status(output, {"error": "refused", "message": str(error)}, request)
    except (MemoryError, duckdb.OutOfMemoryException, pa.ArrowMemoryError) as error:
        _write_status(output, {"error": "limit", "memory": True, "message": str(error)}, request)
    except (duckdb.Error, pa.ArrowException, OSError) as error:  # Arrow raises OSError for DuckDB's errors
        is_memory = str(error).startswith("Out of Memory Error")
        kind = {"error": "limit", "memory": True} if is_memory else {"error": "failed"}
        _write_status(output, {**kind, "message": str(error)}, request)
    else:
        _write_status(output, {"is_truncated": rows.is_truncated}, request)
        with pa.ipc.new_stream(output, rows.schema) as stream:
            for batch in rows.batches:
                stream.write_batch(batch)


def _fetch_rows(connection: duckdb.DuckDBPyConnection, query: str, limits: dict[str, Any]) -> answer.Rows:
    """The first rows of a query within the limits."""
    relation = connection.sql(query)
    if relation is None:
        return answer.Rows(pa.schema([]), [], is_truncated=False)

    def read(portable: duckdb.DuckDBPyRelation) -> answer.Rows:
        reader = portable.to_arrow_reader(_BATCH_ROWS)
        batches: list[pa.RecordBatch] = []
        rows_left, bytes_left = limits["rows"], limits["answer_bytes"]
        for batch in reader:
            count = min(batch.num_rows, rows_left)
            while count and batch.slice(0, count).nbytes > bytes_left:
                count //= 2
            batches.append(batch.slice(0, count))
            rows_left, bytes_left = rows_left - count, bytes_left - batches[-1].nbytes
            if count < batch.num_rows:
                return answer.Rows(reader.schema, batches, is_truncated=True)
        return answer.Rows(reader.schema, batches, is_truncated=False)

    return answer.read_portably(relation, read)


def _write_status(output: BinaryIO, status: dict[str, Any], request: dict[str, Any]) -> None:
    """Write the status line, without paths of this machine."""
    if "message" in status:
        message = status["message"].replace(request["path"], request["name"])
        status["message"] = message.replace(str(Path(request["path"]).parent), "…")[:_MAX_MESSAGE_CHARACTERS]
    output.write(json.dumps(status).encode() + b"\n")
