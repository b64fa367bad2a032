"""The request log: one line for each request of each feed, with its result. It becomes ``raw.fetches``.

``fetch.journal`` writes the lines; ingest and the reports read them here.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from warehouse.lake import Lake

# keys of the files below fetch/feeds/ as earlier versions wrote them
_OLD_KEYS = {"conversation_id": "session_id", "kept": "content_sha256"}


@dataclass(frozen=True)
class FetchLogLine:
    """One request and its result; the columns are documented in the declaration of ``raw.fetches``.

    Args:
        digest: Hash of the request; a resumed session finds its stored response by it.
        content_sha256: Hash of a response stored beside the journal; none for one that is a snapshot.
        answer_url: Address of the response after all redirects.
        headers: Selected response headers.
    """

    session_id: str
    request_ordinal: int
    feed: str
    source: str
    fetched_at: str
    original_name: str
    url: str
    digest: str
    result: str
    http_status: int | None = None
    attempts: int | None = None
    reason: str | None = None
    snapshot_id: str | None = None
    records: int | None = None
    content_sha256: str | None = None
    answer_url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_accepted(self) -> bool:
        """Whether there was a response and it was accepted."""
        return self.result not in {"failed", "refused"}

    @property
    def is_transient(self) -> bool:
        """Whether the request failed in a way that a later attempt may not."""
        return self.result == "failed" and self.http_status not in {404, 410}


def read_fetch_log(lake: Lake) -> list[FetchLogLine]:
    """The log lines of all feeds, without duplicates, by session and request."""
    folder = lake.root / "fetch" / "feeds"
    lines = {
        (line.session_id, line.request_ordinal): line
        for pattern in ("*/log/*.jsonl", "*/*/lines.jsonl")
        for path in sorted(folder.glob(pattern))
        for line in read_log_lines(path)
    }
    return [lines[key] for key in sorted(lines)]


def read_log_lines(path: Path) -> Iterator[FetchLogLine]:
    """The lines of one log file; none if it does not exist."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    for text in content.split(b"\n"):
        with contextlib.suppress(ValueError, TypeError):  # cut off by a kill: the request will be repeated
            yield FetchLogLine(**rename_old_keys(json.loads(text)))


def rename_old_keys(values: object, old_keys: Mapping[str, str] = _OLD_KEYS) -> dict[str, Any]:
    """A JSON object of a fetch folder, with keys of earlier versions under their current names.

    Raises:
        TypeError: It is not an object.
    """
    if not isinstance(values, dict):
        raise TypeError(f"found {type(values).__name__}; expected an object")
    return {old_keys.get(key, key): value for key, value in values.items()}


def parse_moment(text: str) -> dt.datetime:
    """The UTC moment in a log line or a state file."""
    return dt.datetime.fromisoformat(text)
