"""The manifest of a folder of bulk files: which parts there should be, and what is missing or cut short."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFESTS = ("manifest", "manifest.json")
_HEAD_BYTES = 4096


class InvalidManifest(ValueError):
    """A manifest is not a list of parts; the message names the file and what was found."""


@dataclass(frozen=True)
class ManifestPart:
    """A part of a manifest.

    Args:
        path: Where it lies, if it was copied.
        size_bytes: Its length, if the manifest has it.
        records: Number of its records, if the manifest has it.
    """

    path: Path
    size_bytes: int | None
    records: int | None


def read_manifest(folder: Path) -> list[ManifestPart] | None:
    """The parts that the manifest of a folder lists, in its order; None if the folder has no manifest.

    A part lies in the folder under the end of its address: its name, or ``updated_date=…/`` and its name.

    Raises:
        InvalidManifest: It cannot be read.
    """
    path = next((folder / name for name in MANIFESTS if (folder / name).is_file()), None)
    if path is None:
        return None
    try:
        manifest = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InvalidManifest(f"{path} is not a manifest: it is not JSON ({error})") from error
    entries = manifest.get("entries") if isinstance(manifest, dict) else None
    if not isinstance(entries, list):
        found = "no entries" if entries is None else f"entries that are {json.dumps(entries)[:40]}"
        raise InvalidManifest(
            f"{path} is not a manifest with a list of entries, each with url and meta: it has {found}"
        )
    try:
        return [_read_part(folder, entry) for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidManifest(f"{path} is not a manifest with entries of url and meta ({error!r})") from error


def is_manifest(path: Path) -> bool:
    """Whether a file is the manifest of its folder, by its name and its beginning."""
    try:
        if path.name not in MANIFESTS or not path.is_file():
            return False
        with path.open("rb") as file:
            return b'"entries"' in file.read(_HEAD_BYTES)
    except OSError:
        return False


def _read_part(folder: Path, entry: dict[str, Any]) -> ManifestPart:
    names = [name for name in entry["url"].split("/") if name not in {"", ".", ".."}]
    if not names:
        raise ValueError("an entry without a name in its url")
    is_dated = len(names) > 1 and "=" in names[-2]
    candidates = [folder.joinpath(*names[-2:]), folder / names[-1]] if is_dated else [folder / names[-1]]
    path = next((one for one in candidates if one.is_file()), candidates[0])
    # some releases have the numbers in the entry itself
    meta = {**entry, **entry.get("meta", {})}
    return ManifestPart(path, _read_number(meta, "content_length"), _read_number(meta, "record_count"))


def _read_number(meta: dict[str, Any], name: str) -> int | None:
    number = meta.get(name)
    if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 0):
        raise ValueError(f"{name} is {str(number)[:40]}")
    return number


def find_problem(folder: Path, part: ManifestPart) -> str | None:
    """What is wrong with a part of a folder by its manifest, as a sentence; none if it is there with its length."""
    name = part.path.relative_to(folder)
    if not part.path.is_file():
        return f"{name} is in the manifest and not in the folder"
    if part.size_bytes is not None and (size := part.path.stat().st_size) != part.size_bytes:
        return f"{name} has {size:,} bytes, {part.size_bytes:,} in the manifest: copy it again"
    return None
