"""A writer of a lake on an object store in a process of its own, which tests run beside others and kill.

Arguments: the folder to work in, and a number; it replaces all files of a table by some that hold the number, and adds
one document.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from warehouse.object_store.writing import WritableCopy

FILES = 6


def write_number(copy: WritableCopy, number: int) -> None:
    """Write what a writer with this number writes; a lock of the lake is held."""
    for name in (*map(str, range(FILES - 1)), "_delta_log/0.json"):
        path = copy.root / "tables/mart/x" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(number))
    document = copy.root / f"snapshots/s/{number}/content"
    document.parent.mkdir(parents=True, exist_ok=True)
    document.write_text(str(number))


if __name__ == "__main__":
    copy = WritableCopy(os.environ["AISLE_LAKE"], Path(sys.argv[1]))
    with copy.hold(lambda _: True, lambda text: print(text, flush=True)):
        write_number(copy, int(sys.argv[2]))
