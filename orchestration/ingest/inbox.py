"""Adding the files that wait for a run: the bundled facts and the inbox folder."""

from __future__ import annotations

import os
from collections.abc import Callable

from orchestration.ingest.snapshots import add_bundled, add_file, list_visible_files
from orchestration.sources.source import DocumentRefused
from warehouse.lake import Lake


def add_waiting_files(lake: Lake, log: Callable[[str], None]) -> None:
    """Add the bundled facts (unless ``AISLE_BUNDLED=no``) and the files of the inbox to the lake.

    A file of the inbox is deleted once its bytes are kept, as a snapshot or among the refused files.
    """
    if os.environ.get("AISLE_BUNDLED", "yes").lower() not in {"no", "0", "false"}:
        for snapshot in add_bundled(lake):
            log(f"added the bundled {snapshot.original_name}")
    lake.inbox.mkdir(parents=True, exist_ok=True)
    for path in list_visible_files(lake.inbox):
        try:
            added = add_file(lake, path, origin="inbox")
        except DocumentRefused as refusal:
            log(f"refused {path.name}: {refusal}")
        else:
            log(f"added {path.name}: {added.records} records of {added.snapshot.source}")
        path.unlink(missing_ok=True)
