"""What a feed keeps of its conversations, in ``fetch/<feed>/`` of the lake, so that a killed one is taken up again.

``state.json`` says up to where the feed was read (its watermark) and how the last conversation ended. While one goes
on, each request with what came of it is a line of its journal; answers that become no snapshot lie beside it. When it
ends, the lines move to ``log/<month>.jsonl``, which is only ever added to.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from orchestration.sources.shared.fetch_plan import Request
from warehouse.lake import Lake, replace_file, sync_folder


class FeedBusy(Exception):
    """Another process is fetching this feed."""


@dataclass(frozen=True)
class Line:
    """One request and what came of it; see the declaration of ``raw.fetches``.

    Args:
        digest: Hash of the request, by which it is known when a conversation is replayed.
        kept: Hash of an answer that lies beside the journal; none for one that is a snapshot.
        answer_url: The address the answer came from at last.
        headers: Some headers of the answer.
    """

    conversation_id: str
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
    kept: str | None = None
    answer_url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """Whether an answer came and was accepted."""
        return self.result not in {"failed", "refused"}

    @property
    def is_passing(self) -> bool:
        """Whether the request failed in a way that need not last."""
        return self.result == "failed" and self.http_status not in {404, 410}


@dataclass(frozen=True)
class State:
    """How a feed stands.

    Args:
        watermark: Up to where it was read, in the words of its kind.
        conversation_id: The last conversation that ended.
        begun_at: When that began.
        ended_at: When it ended.
        is_complete: Whether it came to its end, rather than being given up.
        reason: Why it was given up, or what is to be careful about.
        requests: Requests it made.
        kept: New snapshots it made.
        records: Records in its answers.
        failures: Conversations that were given up since the last complete one.
        retry_at: From when on its host may be asked again, where the host said so.
    """

    watermark: str | None = None
    conversation_id: str | None = None
    begun_at: str | None = None
    ended_at: str | None = None
    is_complete: bool = False
    reason: str | None = None
    requests: int = 0
    kept: int = 0
    records: int = 0
    failures: int = 0
    retry_at: str | None = None


@dataclass(frozen=True)
class Window:
    """The days that a backfill asks for, both included; none for an open end."""

    start: dt.date | None
    end: dt.date | None

    @property
    def name(self) -> str:
        """Name of its journal."""
        return f"window-{self.start or 'open'}-{self.end or 'open'}"


@dataclass
class Outcome:
    """What came of fetching one feed.

    Args:
        feed: Its name.
        is_complete: Whether the conversation came to its end.
        reason: Why not, or what is to be careful about.
        requests: Requests that were made now.
        replayed: Requests of a conversation broken off before, whose answers were at hand.
        records: Records in the answers of now.
        results: How many requests of now had which result.
    """

    feed: str
    is_complete: bool = False
    reason: str | None = None
    requests: int = 0
    replayed: int = 0
    records: int = 0
    results: dict[str, int] = field(default_factory=dict)

    @property
    def is_news(self) -> bool:
        """Whether the lake has learned anything."""
        return bool(self.results.get("kept") or self.results.get("returned"))


def request_digest(request: Request) -> str:
    """Hash of everything that makes it the same request; secrets are only names in it."""
    told: list[Any] = [request.method, request.url, request.body, sorted(request.headers.items()), request.is_kept]
    told += [request.attempt] if request.attempt else []
    text = json.dumps([*told, sorted(request.hints.items())], sort_keys=True, ensure_ascii=True)
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
        """Hold the feed for one conversation at a time, across processes.

        Raises:
            FeedBusy: Another process holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise FeedBusy("another process is fetching it just now") from error
            yield

    @property
    def state(self) -> State:
        """How the feed stands; as if never fetched where nothing was written.

        Raises:
            OSError: What was written cannot be read.
        """
        path = self.path / "state.json"
        try:
            state = State(**_read_json(path))
            for moment in (state.begun_at, state.ended_at, state.retry_at):
                moment_of(moment or "2000-01-01")
        except (TypeError, ValueError) as error:
            raise OSError(
                f"{path} is damaged ({error}); remove it to let the feed be read from its beginning"
            ) from error
        return state

    def write_state(self, state: State) -> None:
        """Write how the feed stands, in one step."""
        replace_file(self.path / "state.json", json.dumps(asdict(state), indent=1).encode())

    @property
    def held(self) -> dict[str, dict[str, str]]:
        """For the requests that were made last: the snapshot of the answer, and what tells whether it is still good."""
        return _read_json(self.path / "held.json")

    def write_held(self, held: Mapping[str, Mapping[str, str]]) -> None:
        """Write what is held, in one step."""
        replace_file(self.path / "held.json", json.dumps(held).encode())

    def journal(self, name: str) -> Journal:
        """The journal of a conversation: of the running one, or of a window of time that was asked for."""
        return Journal(self.path / name, self.path / "log")


class Journal:
    """The journal of one conversation that goes on, or was broken off.

    Args:
        folder: Where it lies.
        log: Where its lines go when it has ended.
    """

    def __init__(self, folder: Path, log: Path) -> None:
        self._folder, self._log = folder, log

    @property
    def head(self) -> dict[str, Any]:
        """What the conversation began with; empty if there is none."""
        return _read_json(self._folder / "head.json")

    def begin(self, head: Mapping[str, Any]) -> None:
        """Begin a conversation; whatever is left of another is gone."""
        self.clear()
        self.rewrite_head(head)

    def rewrite_head(self, head: Mapping[str, Any]) -> None:
        """Replace what the conversation began with by the same and more."""
        replace_file(self._folder / "head.json", json.dumps(head).encode())

    @property
    def lines(self) -> list[Line]:
        """The lines so far; one that was being written when the process was killed does not count."""
        return list(_lines(self._folder / "lines.jsonl"))

    def last_ordinal(self, conversation_id: str) -> int:
        """The number of a conversation's last request, also if its line has moved to the log already."""
        paths = [self._folder / "lines.jsonl", *self._log.glob("*.jsonl")]
        lines = (line for path in paths for line in _lines(path) if line.conversation_id == conversation_id)
        return max((line.request_ordinal for line in lines), default=0)

    def keep_lines(self, lines: list[Line]) -> None:
        """Replace the lines, where some of them can no longer be replayed."""
        replace_file(self._folder / "lines.jsonl", b"".join(_as_json(line) for line in lines))

    def append(self, line: Line) -> None:
        """Add a line, for good."""
        with (self._folder / "lines.jsonl").open("ab") as file:
            file.write(_as_json(line))
            file.flush()
            os.fsync(file.fileno())

    def keep(self, content: bytes) -> str:
        """Keep an answer that becomes no snapshot, until the conversation ends; returns its hash."""
        name = hashlib.sha256(content).hexdigest()
        replace_file(self._folder / name, content)
        return name

    def kept(self, name: str) -> bytes | None:
        """Such an answer, if it is there undamaged."""
        try:
            content = (self._folder / name).read_bytes()
        except OSError:
            return None
        return content if hashlib.sha256(content).hexdigest() == name else None

    def archive(self, lines: list[Line]) -> None:
        """Add the lines to the log; a process killed after this adds them again, so readers take each line once."""
        for month in sorted({line.fetched_at[:7] for line in lines}):
            path = self._log / f"{month}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(b"\n" if _is_torn(path) else b"")
                file.write(b"".join(_as_json(line) for line in lines if line.fetched_at.startswith(month)))
                file.flush()
                os.fsync(file.fileno())
            sync_folder(path.parent)

    def clear(self) -> None:
        """Forget the conversation."""
        (self._folder / "head.json").unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)


def followed_feeds(lake: Lake) -> list[str]:
    """Names of the feeds that were ever fetched."""
    return sorted(path.parent.name for path in (lake.root / "fetch" / "feeds").glob("*/state.json"))


def all_lines(lake: Lake) -> list[Line]:
    """The lines of all feeds, each once."""
    folder = lake.root / "fetch" / "feeds"
    found = {
        (line.conversation_id, line.request_ordinal): line
        for pattern in ("*/log/*.jsonl", "*/*/lines.jsonl")
        for path in sorted(folder.glob(pattern))
        for line in _lines(path)
    }
    return [found[key] for key in sorted(found)]


def moment_of(text: str) -> dt.datetime:
    """The moment that a line or state tells."""
    return dt.datetime.fromisoformat(text)


def _as_json(line: Line) -> bytes:
    return json.dumps(asdict(line), ensure_ascii=False).encode() + b"\n"


def _is_torn(path: Path) -> bool:
    """Whether a file ends within a line, because a process was killed while it wrote."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        if file.tell() == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _lines(path: Path) -> Iterator[Line]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    for text in content.split(b"\n"):
        with contextlib.suppress(ValueError, TypeError):  # torn by a kill: its request will be made again
            yield Line(**json.loads(text))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise OSError(f"{path} is damaged ({error}); remove it to let the feed be read from its beginning") from error
