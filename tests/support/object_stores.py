"""Object stores in memory, and small lakes on them, for tests of what does not depend on a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from warehouse.object_store.client import ObjectStore
from warehouse.object_store.reading import ReadableCopy
from warehouse.object_store.writing import WritableCopy

ADDRESS = "s3://bucket/lake"


def make_store(address: str = ADDRESS) -> ObjectStore:
    """An empty store in memory; skips the test without obstore."""
    memory = pytest.importorskip("obstore.store", reason="obstore is not installed").MemoryStore()
    return ObjectStore(memory, address)


def write_files(root: Path, **contents: str) -> None:
    """Write files of a lake; in their names, two underscores are a slash and one at the end a dot with ``json``."""
    for name, content in contents.items():
        path = root / (name.replace("__", "/").removesuffix("_") + (".json" if name.endswith("_") else ""))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(content)


def hold_all(copy: WritableCopy, messages: list[str] | None = None):
    """Hold a lake with all files, which a command never needs, but a comparison does."""
    return copy.hold(lambda _: True, ([] if messages is None else messages).append)


def read_files(store: ObjectStore, folder: Path) -> dict[str, str]:
    """What a new reader finds in the newest version, by path."""
    lake = ReadableCopy(store.address, folder, store).open_for_reading(lambda _: True)
    paths = (path for path in lake.root.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(lake.root)): path.read_text() for path in sorted(paths) if not path.is_symlink()}
