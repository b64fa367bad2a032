"""Sources in tests: run a fetch plan against a fake server, parse a document, build a table from documents."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from orchestration.defs.catalog import load_transforms
from orchestration.ingest.snapshots import add_file
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import FetchPlan, Request, Response
from orchestration.sources.source import ParseResult, Source
from tests.conftest import SHARED
from tests.support.raw_tables import update_and_read
from transforms import engine
from warehouse import reference
from warehouse.lake import Lake

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
SAMPLES = SHARED / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="no captured payloads: ../shared/samples is missing")


def encode_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def run_fetch_plan(
    plan: FetchPlan, respond: Callable[[Request], bytes | Response], max_requests: int = 5000
) -> tuple[list[Request], str | None]:
    """Run a plan to its end; returns the requests and the watermark."""
    requests: list[Request] = []
    try:
        request = next(plan)
        while len(requests) < max_requests:
            requests.append(request)
            content = respond(request)
            request = plan.send(content if isinstance(content, Response) else Response(content, request.url, {}))
    except StopIteration as end:
        return requests, end.value
    raise AssertionError(f"no end after {max_requests} requests")


def parse_document(source: Source, content: bytes, **hints: str) -> ParseResult:
    """Recognise and parse a document."""
    document = Document(content, "made-up", hints)
    source.recognise(document)
    return source.parse(document)


def build_table(tmp_path: Path, name: str, *documents: bytes) -> pl.DataFrame:
    """A clean table built in a new lake from documents that are added in this order."""
    lake = Lake(tmp_path / "lake")
    for declared in reference.list_reference_tables():
        lake.write(declared, reference.read_table(declared))
    for number, content in enumerate(documents):
        path = tmp_path / f"{number}.txt"
        path.write_bytes(content)
        add_file(lake, path)
    update_and_read(lake)
    for transform in load_transforms().values():
        if transform.table.name in (name, *find_upstream_tables(name)):
            engine.make_table(transform, lake)
            if transform.table.name == name:
                return lake.read(transform.table)
    raise AssertionError(f"no table {name}")


def find_upstream_tables(name: str) -> set[str]:
    """Names of all transforms upstream of a table."""
    direct = {source for source in load_transforms()[name].source_tables if source in load_transforms()}
    return direct.union(*(find_upstream_tables(source) for source in direct))
