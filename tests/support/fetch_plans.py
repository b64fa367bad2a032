"""Talking to sources in tests: a conversation is held with a made-up place, and documents go into a lake of one test."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from orchestration.defs.tables import transforms
from orchestration.ingest import raw
from orchestration.ingest.snapshots import add_file
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Answer, Conversation, Request
from orchestration.sources.source import Parsed, Source
from tests.conftest import SHARED
from transforms import engine
from warehouse import reference
from warehouse.lake import Lake

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
SAMPLES = SHARED / "samples"
needs_samples = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the captured payloads are not here: no ../shared/samples"
)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def converse(
    conversation: Conversation, place: Callable[[Request], bytes | Answer], most: int = 5000
) -> tuple[list[Request], str | None]:
    """Hold a conversation to its end: the requests made, and the watermark."""
    requests: list[Request] = []
    try:
        request = next(conversation)
        while len(requests) < most:
            requests.append(request)
            answer = place(request)
            request = conversation.send(answer if isinstance(answer, Answer) else Answer(answer, request.url, {}))
    except StopIteration as end:
        return requests, end.value
    raise AssertionError(f"no end after {most} requests")


def parsed(source: Source, content: bytes, **hints: str) -> Parsed:
    """What a document holds, once it is recognised."""
    document = Document(content, "made-up", hints)
    source.recognise(document)
    return source.parse(document)


def table(tmp_path: Path, name: str, *documents: bytes) -> pl.DataFrame:
    """A clean table made from documents that come one after the other, each in a run of its own."""
    lake = Lake(tmp_path / "lake")
    for declared in reference.tables():
        lake.write(declared, reference.frame_of(declared))
    for number, content in enumerate(documents):
        path = tmp_path / f"{number}.txt"
        path.write_bytes(content)
        add_file(lake, path)
    frames = raw.ingest(lake, lambda _: None)
    for declared in raw.raw_tables():
        lake.write(declared, frames.get(declared.name, declared.frame()))
    made = None
    for transform in transforms().values():
        if transform.table.name in (name, *needed(name)):
            made = engine.run(transform, lake)
            lake.write(transform.table, made)
            if transform.table.name == name:
                return made
    raise AssertionError(f"no table {name}")


def needed(name: str) -> set[str]:
    """The tables made by SQL that a table is made from."""
    direct = {source for source in transforms()[name].sources if source in transforms()}
    return direct.union(*(needed(source) for source in direct))
