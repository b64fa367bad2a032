"""What was parsed when a document was added, kept until a run has it in the raw tables, so that it is parsed once.

The files are a cache: one that is missing, damaged or of another parser is not used.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import shutil
from pathlib import Path

from orchestration.ingest.document_parser import decode_result, encode_result, encode_value
from orchestration.ingest.parser_version import compute_parser_version
from orchestration.sources.registry import get_source
from orchestration.sources.source import ParseResult
from warehouse.lake import Lake


def keep_parsed(lake: Lake, source: str, snapshot_id: str, hints: dict[str, str], result: ParseResult) -> None:
    """Keep what a snapshot holds; an error of the disk is passed over, since the snapshot can be parsed again."""
    path = _locate(lake, source, snapshot_id, hints)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_bytes(gzip.compress(_encode(source, result), compresslevel=1, mtime=0))
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def read_parsed(lake: Lake, source: str, snapshot_id: str, hints: dict[str, str]) -> ParseResult | None:
    """What a snapshot holds, if it was kept and the parser and its hints are the same."""
    try:
        return decode_result(json.loads(gzip.decompress(_locate(lake, source, snapshot_id, hints).read_bytes())))[1]
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None


def forget_parsed(lake: Lake, source: str) -> None:
    """Remove what is kept of a source, all of which the raw tables have."""
    shutil.rmtree(lake.root / "parsed" / source, ignore_errors=True)


def _encode(source: str, result: ParseResult) -> bytes:
    return json.dumps(encode_result(source, result), default=encode_value).encode()


def _locate(lake: Lake, source: str, snapshot_id: str, hints: dict[str, str]) -> Path:
    version = compute_parser_version(get_source(source), hints)
    return lake.root / "parsed" / source / f"{snapshot_id}-{version}.json.gz"
