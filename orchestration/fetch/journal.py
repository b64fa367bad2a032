"""The files of one feed in ``fetch/feeds/<feed>/`` of the lake: its state, HTTP validators, journal and log.

``state.json`` has the feed's watermark and how its last session ended. While a session runs, its journal gets a line
for each request and its result, and stores the responses that become no snapshot, so that a killed session can be
resumed. When the session ends, the lines move to ``log/<month>.jsonl``, which is append-only.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from orchestration.ingest.fetch_log import FetchLogLine, parse_moment, read_log_lines, rename_old_keys
from orchestration.sources.shared.fetch_plan import Request
from warehouse.lake import Lake, replace_file, sync_folder

# keys of state.json and head.json as earlier versions wrote them
_OLD_KEYS = {"conversation_id": "session_id", "asks": "plan_inputs"}


class FeedBusy(Exception):
    """Another process is fetching this feed."""


@dataclass(frozen=True)
class FeedState:
    """State of a feed after its last session.

    Args:
        watermark: Position up to which the feed was read, in the format of its kind of source.
        question: What the watermark belongs to: the feed's address and the settings that decide which records are
            requested; None if an earlier version wrote the state.
        session_id: The last session that ended.
        begun_at: When it started.
        ended_at: When it ended.
        is_complete: Whether it completed, rather than being abandoned.
        reason: Why it was abandoned, or a warning.
        requests: Requests of the session.
        kept: New snapshots of the session.
        records: Records in its responses.
        failures: Sessions abandoned since the last complete one.
        retry_at: Earliest time for the next request, if the host named one.
    """

    watermark: str | None = None
    question: dict[str, Any] | None = None
    session_id: str | None = None
    begun_at: str | None = None
    ended_at: str | None = None
    is_complete: bool = False
    reason: str | None = None
    requests: int = 0
    kept: int = 0
    records: int = 0
    failures: int = 0
    retry_at: str | None = None

    def describe_changed_question(self, now: Mapping[str, Any]) -> str | None:
        """What has changed in the feed since the watermark was written, so that it no longer holds; None if it holds.

        A later ``from`` loses nothing, and a state of an earlier version, which has no question, is trusted.
        """
        if self.question is None or self.watermark is None:
            return None
        before = self.question
        changed = [name for name in {**before, **now} if name != "from" and before.get(name) != now.get(name)]
        # no first day is the earliest one that the source has
        if str(now.get("from") or "") < str(before.get("from") or ""):
            changed.append("from")
        names = " and ".join("address" if name == "url" else name for name in changed)
        return f"its {names} changed" if changed else None


@dataclass(frozen=True)
class DateWindow:
    """The days of a backfill, both included; none for an open end."""

    start: dt.date | None
    end: dt.date | None

    @property
    def name(self) -> str:
        """Name of its journal."""
        return f"window-{self.start or 'open'}-{self.end or 'open'}"


@dataclass
class FetchResult:
    """Result of fetching one feed.

    Args:
        feed: Its name.
        is_complete: Whether the session completed.
        reason: Why it did not, or a warning.
        requests: Requests made in this run.
        replayed: Requests of an earlier run of the session, answered from stored responses.
        records: Records in the responses of this run.
        results: Number of requests of this run by result.
    """

    feed: str
    is_complete: bool = False
    reason: str | None = None
    requests: int = 0
    replayed: int = 0
    records: int = 0
    results: dict[str, int] = field(default_factory=dict)

    @property
    def has_new_data(self) -> bool:
        """Whether the lake has new data."""
        return bool(self.results.get("kept") or self.results.get("returned"))


def hash_request(request: Request) -> str:
    """Hash that identifies a request; it covers the names of secrets, never their values."""
    parts: list[Any] = [request.method, request.url, request.body, sorted(request.headers.items()), request.is_kept]
    parts += [request.attempt] if request.attempt else []
    text = json.dumps([*parts, sorted(request.hints.items())], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class FeedFolder:
    """The folder of one feed.

    Args:
        lake: The lake.
        feed: Name of the feed.
    """

    def __init__(self, lake: Lake, feed: str) -> None:
        self.path = lake.root / "fetch" / "feeds" / feed

    @contextlib.contextmanager
    def lock(self) -> Generator[None]:
        """Lock the feed for one session at a time, across processes.

        Raises:
            FeedBusy: Another process has the lock.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise FeedBusy("another process is fetching it just now") from error
            yield

    @property
    def state(self) -> FeedState:
        """State of the feed; the initial one if it was never fetched.

        Raises:
            OSError: The file cannot be read.
        """
        path = self.path / "state.json"
        try:
            state = FeedState(**rename_old_keys(_read_json(path), _OLD_KEYS))
            for moment in (state.begun_at, state.ended_at, state.retry_at):
                parse_moment(moment or "2000-01-01")
        except (TypeError, ValueError) as error:
            raise OSError(f"{path} is damaged ({error}); remove it to read the feed from its beginning") from error
        return state

    def write_state(self, state: FeedState) -> None:
        """Replace the state in one step."""
        replace_file(self.path / "state.json", json.dumps(asdict(state), indent=1).encode())

    @property
    def validators(self) -> dict[str, dict[str, str]]:
        """By hash of the most recent requests: the response's snapshot, number of records, etag and last-modified."""
        path = self.path / "http_validators.json"
        return _read_json(path if path.exists() else self.path / "held.json")  # its name in earlier versions

    def write_validators(self, validators: Mapping[str, Mapping[str, str]]) -> None:
        """Replace the validators in one step."""
        replace_file(self.path / "http_validators.json", json.dumps(validators).encode())

    def open_journal(self, name: str) -> Journal:
        """The journal of the running session (``running``) or of a backfill (`DateWindow.name`)."""
        return Journal(self.path / name, self.path / "log")


class Journal:
    """The journal of a session that is running or was interrupted.

    Args:
        folder: The journal's folder.
        log: The folder its lines move to at the end of the session.
    """

    def __init__(self, folder: Path, log: Path) -> None:
        self._folder, self._log = folder, log

    @property
    def head(self) -> dict[str, Any]:
        """The inputs of the session; empty if there is none."""
        return rename_old_keys(_read_json(self._folder / "head.json"), _OLD_KEYS)

    def start(self, head: Mapping[str, Any]) -> None:
        """Start the journal of a new session; whatever is left of an earlier one is removed."""
        self.clear()
        self.write_head(head)

    def write_head(self, head: Mapping[str, Any]) -> None:
        """Replace the head in one step."""
        replace_file(self._folder / "head.json", json.dumps(head).encode())

    @property
    def lines(self) -> list[FetchLogLine]:
        """The complete lines; one cut off by a kill is ignored."""
        return list(read_log_lines(self._folder / "lines.jsonl"))

    def find_last_ordinal(self, session_id: str) -> int:
        """Number of a session's last request, including lines that moved to the log already."""
        paths = [self._folder / "lines.jsonl", *self._log.glob("*.jsonl")]
        lines = (line for path in paths for line in read_log_lines(path) if line.session_id == session_id)
        return max((line.request_ordinal for line in lines), default=0)

    def write_lines(self, lines: list[FetchLogLine]) -> None:
        """Replace all lines in one step."""
        replace_file(self._folder / "lines.jsonl", b"".join(_encode_line(line) for line in lines))

    def append(self, line: FetchLogLine) -> None:
        """Add a line durably."""
        with (self._folder / "lines.jsonl").open("ab") as file:
            file.write(_encode_line(line))
            file.flush()
            os.fsync(file.fileno())

    def write_content(self, content: bytes) -> str:
        """Store a response that becomes no snapshot until the session ends; returns its SHA-256."""
        name = hashlib.sha256(content).hexdigest()
        replace_file(self._folder / name, content)
        return name

    def read_content(self, name: str) -> bytes | None:
        """A stored response by its SHA-256; none if it is missing or damaged."""
        try:
            content = (self._folder / name).read_bytes()
        except OSError:
            return None
        return content if hashlib.sha256(content).hexdigest() == name else None

    def archive(self, lines: list[FetchLogLine]) -> None:
        """Append lines to the log; a kill may cause them to be appended twice, so readers drop duplicates."""
        for month in sorted({line.fetched_at[:7] for line in lines}):
            path = self._log / f"{month}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(b"\n" if _is_torn(path) else b"")
                file.write(b"".join(_encode_line(line) for line in lines if line.fetched_at.startswith(month)))
                file.flush()
                os.fsync(file.fileno())
            sync_folder(path.parent)

    def clear(self) -> None:
        """Remove the journal."""
        (self._folder / "head.json").unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)


def list_fetched_feeds(lake: Lake) -> list[str]:
    """Names of the feeds that were ever fetched."""
    return sorted(path.parent.name for path in (lake.root / "fetch" / "feeds").glob("*/state.json"))


def _encode_line(line: FetchLogLine) -> bytes:
    return json.dumps(asdict(line), ensure_ascii=False).encode() + b"\n"


def _is_torn(path: Path) -> bool:
    """Whether a file ends within a line because a process was killed while writing."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        if file.tell() == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise OSError(f"{path} is damaged ({error}); remove it to read the feed from its beginning") from error
