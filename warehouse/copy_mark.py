"""The mark of a folder to which a lake is or was copied: from where, with which files, and whether it is complete."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

MARK = ".copied_from.json"


def build_mark(source: str, files: Iterable[str], *, is_complete: bool) -> bytes:
    """The content of the mark of a copy of the lake at an address or in a folder."""
    return json.dumps({"source": source, "is_complete": is_complete, "files": sorted(files)}).encode()


def read_mark(root: Path) -> dict[str, Any]:
    """The mark of a folder; empty if it has none, or a damaged one."""
    try:
        return dict(json.loads((root / MARK).read_bytes()))
    except (OSError, ValueError):
        return {}


def describe_unfinished_copy(root: Path) -> str | None:
    """Why a folder is no lake yet, if a copy to it was interrupted; marks of earlier versions are of whole copies."""
    mark = read_mark(root)
    if mark.get("is_complete", True):
        return None
    source = mark.get("source")
    return (
        f"{root} is an unfinished copy of {source}: repeat `aisle lake copy {source} {root}` to complete it, or, if"
        f" {source} is lost, remove {root / MARK} to use what was copied"
    )
