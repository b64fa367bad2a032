"""One fetch session: runs the fetch plan of a feed, checks and stores each response, and can be resumed.

A response becomes a snapshot only if the parser of its source accepts it; any other is refused with the reason, and
existing data stay. The watermark is written only when a session completes. A session that was killed or abandoned is
resumed by replaying the stored responses.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.fetch.config import FeedConfig
from orchestration.fetch.http import HttpClient, HttpRequestFailed, HttpResponse
from orchestration.fetch.journal import DateWindow, FeedFolder, FeedState, FetchResult, Journal, hash_request
from orchestration.fetch.pace import MAX_PAUSE_SECONDS
from orchestration.fetch.request_policy import RequestPolicy, build_policy
from orchestration.ingest.fetch_log import FetchLogLine, parse_moment
from orchestration.ingest.parser_process import detect_failure_page
from orchestration.ingest.refused import store_refused
from orchestration.ingest.snapshots import read_snapshot, store_fetched
from orchestration.ingest.table_columns import parse_response
from orchestration.sources.shared.encoding import build_charset_hint
from orchestration.sources.shared.fetch_plan import (
    FetchCursor,
    FetchPlan,
    InvalidSettings,
    Request,
    RequestFailed,
    Response,
)
from orchestration.sources.source import DocumentRefused, list_first
from warehouse.lake import Lake
from warehouse.table import utc_now

_MAX_STALLED_RUNS = 3  # runs of a session without progress before it is restarted
_MAX_VALIDATORS = 1000


class FetchStopped(Exception):
    """The fetch was stopped by the user; the session can be resumed."""


class _JournalMismatch(Exception):
    """The journal does not match the requests of the fetch plan."""


@dataclass
class FetchSession:
    """One session of one feed; the caller holds the lock of the feed's folder.

    Args:
        lake: The lake.
        feed: The feed.
        client: The HTTP client.
        result: Updated while the session runs.
        window: Days of a backfill; none to fetch what is new.
        full: Whether to fetch everything, as if for the first time.
        log: Receives messages for the user, a line at a time.
        progress: Receives the result after each request.
        environment: Environment variables with the values of secrets.
        stop: Set to stop before the next request.
    """

    lake: Lake
    feed: FeedConfig
    client: HttpClient
    result: FetchResult
    window: DateWindow | None
    full: bool
    log: Callable[[str], None]
    progress: Callable[[FetchResult], None]
    environment: Mapping[str, str]
    stop: threading.Event

    def __post_init__(self) -> None:
        self.folder = FeedFolder(self.lake, self.feed.name)
        self.journal: Journal = self.folder.open_journal(self.window.name if self.window else "running")
        self.lines, self.ordinal = list[FetchLogLine](), 0
        self.repeated_digests = set[str]()
        self.warnings: list[str] = []
        self.head: dict[str, Any] = {}
        self.validators = self.folder.validators
        self.policy = RequestPolicy(self.feed.url)
        self.moment = dt.datetime.min.replace(tzinfo=dt.UTC)

    def run(self) -> None:
        """Resume the interrupted session, or start a new one, and run it to its end.

        Raises:
            FetchStopped: It was stopped by the user.
            OSError: The lake cannot be read or written.
        """
        state, source = self.folder.state, self.feed.kind
        if source.fetch is None:
            raise OSError(f"{source.name} cannot be fetched")
        if self.window and not source.is_windowed:
            self.result.reason = f"{source.name} cannot be fetched for certain days: leave out the dates"
            return None
        now = dt.datetime.now(dt.UTC)
        if state.retry_at and now < parse_moment(state.retry_at) <= now + dt.timedelta(seconds=MAX_PAUSE_SECONDS):
            self.result.reason = f"the host requested a pause until {state.retry_at[:19].replace('T', ' ')} UTC"
            return None
        if not self._resume(state):
            self._start(state)
        for _ in range(2):
            try:
                return self._run_to_end(state)
            except _JournalMismatch as mismatch:
                self.log(f"{self.feed.name}: restarted: {mismatch}")
                self.journal.archive(self.lines)
                self._start(state)
        raise AssertionError("a session that was just started has no lines to replay")

    def _resume(self, state: FeedState) -> bool:
        """Load the interrupted session; returns whether there is one that can be resumed."""
        self.head, self.lines = self.journal.head, self.journal.lines
        if not self.head:
            return False
        if self.head["session_id"] == state.session_id and state.is_complete:
            return False  # completed, but killed before its journal was removed
        if self.head["plan_inputs"] != self._list_plan_inputs() or self.full:
            self.journal.archive(self.lines)
            return False
        if self.head.get("stuck", 0) >= _MAX_STALLED_RUNS:
            self.log(f"{self.feed.name}: restarted: no progress in {_MAX_STALLED_RUNS} runs")
            self.journal.archive(self.lines)
            return False
        self.ordinal = self.journal.find_last_ordinal(self.head["session_id"])
        failed = [line for line in self.lines if line.is_transient or (line is self.lines[-1] and not line.is_accepted)]
        self._discard_lines(failed)
        self.repeated_digests = {line.digest for line in failed}
        self.log(f"{self.feed.name}: resumed after {len(self.lines)} requests")
        return True

    def _start(self, state: FeedState) -> None:
        now = dt.datetime.now(dt.UTC)
        self.lines, self.ordinal = [], 0
        change = state.describe_changed_question(self.feed.question)
        if change and not self.full:
            self.log(f"{self.feed.name}: {change}, so it is fetched from its beginning")
        self.head = {
            "session_id": f"{self.feed.name} {now:%Y-%m-%dT%H:%M:%S.%f}",
            "now": now.replace(microsecond=0).isoformat(),
            "watermark": None if self.full or change else state.watermark,
            "plan_inputs": self._list_plan_inputs(),
        }
        self.journal.start(self.head)
        if self._build_cursor().watermark != self.head["watermark"]:
            self.warnings.append(f"the watermark {str(self.head['watermark'])[:25]} is in the future: a clock is wrong")

    def _list_plan_inputs(self) -> list[Any]:
        """Everything that decides which requests the plan makes; if it changes, a session cannot be resumed."""
        inputs = [self.feed.source, self.feed.url, self.feed.settings, self.window.name if self.window else None]
        return json.loads(json.dumps(inputs, default=str))

    def _build_plan(self) -> FetchPlan:
        fetch = self.feed.kind.fetch
        if fetch is None:
            raise OSError(f"{self.feed.source} cannot be fetched")
        return fetch(self.feed.source_feed, self._build_cursor())

    def _build_cursor(self) -> FetchCursor:
        window = self.window or DateWindow(None, None)
        return FetchCursor(self.head["watermark"], parse_moment(self.head["now"]), window.start, window.end)

    def _run_to_end(self, state: FeedState) -> None:
        before = len(self.lines)
        try:
            watermark = self._run_plan(self._build_plan())
        except RequestFailed as failure:
            self._abandon(state, str(failure), before)
        except InvalidSettings as error:
            self.journal.clear()
            self._write_state(state, is_complete=False, reason=str(error))
        except (_JournalMismatch, FetchStopped, OSError):
            raise
        except Exception as error:  # a bug in one kind of source must not stop the other feeds
            if os.environ.get("AISLE_DEBUG"):
                raise
            self._abandon(state, f"unexpected: {type(error).__name__}: {error} (AISLE_DEBUG=yes shows where)", before)
        else:
            self._complete(state, watermark)

    def _discard_lines(self, lines: list[FetchLogLine]) -> None:
        """Move lines from the journal to the log, so that their requests are made again."""
        self.journal.archive(lines)
        self.lines = [line for line in self.lines if line not in lines]
        self.journal.write_lines(self.lines)

    def _run_plan(self, plan: FetchPlan) -> str | None:
        """Run the plan to its end, replaying the requests of the journal first; returns the new watermark."""
        replayable, requested = {line.digest: line for line in self.lines}, set[str]()
        try:
            request = next(plan)
            self.policy = build_policy(request, self.environment, self.feed)
            while True:
                digest = hash_request(request)
                if digest in requested:
                    raise RequestFailed(f"{request.name}: requested before, so the server's paging runs in a loop")
                requested.add(digest)
                line = replayable.pop(digest, None)
                if line is None and replayable and digest not in self.repeated_digests:
                    raise _JournalMismatch("its requests differ from those before")
                try:
                    response = self._send(request) if line is None else self._replay(line)
                except RequestFailed as failure:
                    request = plan.throw(failure)
                else:
                    request = plan.send(response)
        except StopIteration as end:
            if replayable:
                raise _JournalMismatch("it makes fewer requests than before") from end
            return end.value
        finally:
            plan.close()

    def _replay(self, line: FetchLogLine) -> Response:
        self.result.replayed += 1
        if not line.is_accepted:
            raise RequestFailed(line.reason or line.result, line.http_status, is_permanent=True)
        content = None
        if line.content_sha256:
            content = self.journal.read_content(line.content_sha256)
        elif line.snapshot_id and (stored := read_snapshot(self.lake, line.source, line.snapshot_id)):
            content = stored[1]
        if content is None:
            raise _JournalMismatch(f"the stored response {line.request_ordinal} is missing")
        if line.snapshot_id:
            self._save_validators(line.digest, line.snapshot_id, line.records or 0, line.headers)
        return Response(content, line.answer_url or line.url, line.headers)

    def _send(self, request: Request) -> Response:
        """Send a request, check and store the response, and record the result."""
        if self.stop.is_set():
            raise FetchStopped("stopped")
        digest = hash_request(request)
        previous = self.validators.get(digest, {}) if request.is_kept else {}
        stored = read_snapshot(self.lake, self.feed.source, previous["snapshot_id"]) if previous else None
        validators = previous if stored and request.method == "GET" and not self.full else {}
        try:
            response = self.client.fetch(request, self.policy, validators)
        except HttpRequestFailed as error:
            if error.is_refusal and error.content:
                store_refused(self.lake, request.name, error.content, f"{self.feed.name}: {error}")
            result = "refused" if error.is_refusal else "failed"
            self._record(request, result, http_status=error.status, reason=str(error))
            if error.retry_at:
                self.head["retry_at"] = error.retry_at.isoformat()
            raise RequestFailed(f"{request.name}: {error}", error.status, is_permanent=error.is_refusal) from error
        if response.status == 304 and stored:
            snapshot_id, records = previous["snapshot_id"], int(previous["records"])
            self._record(request, "unchanged", response, snapshot_id=snapshot_id, records=records)
            return Response(stored[1], response.url, response.headers)
        try:
            self._accept(request, digest, response)
        except DocumentRefused as refusal:
            store_refused(self.lake, request.name, response.content, f"{self.feed.name}: {refusal}")
            self._record(request, "refused", response, reason=str(refusal))
            raise RequestFailed(f"{request.name}: refused: {refusal}", response.status, is_permanent=True) from refusal
        return Response(response.content, response.url, response.headers)

    def _accept(self, request: Request, digest: str, response: HttpResponse) -> None:
        """Store a response and record the result.

        Raises:
            DocumentRefused: The response is not what the source expects.
        """
        if not request.is_kept:
            if failure := detect_failure_page(response.content):
                raise DocumentRefused(f"found {failure}")
            self._record(request, "read", response, content_sha256=self.journal.write_content(response.content))
            return
        hints = {**request.hints, "feed": self.feed.name, "feed_url": self.feed.url, "url": response.url}
        hints |= build_charset_hint(response.headers)
        _, parsed, hints, _ = parse_response(self.lake, response.content, request.name, hints, self.feed.source)
        records = len(parsed.records)
        if faults := [item for item in parsed.rejects if item.is_fault]:
            self.warnings.append(f"{request.name}: {len(faults):,} unreadable, the first: {faults[0].reason[:200]}")
        if not parsed.items:
            sha256 = self.journal.write_content(response.content)
            self._record(request, "empty", response, content_sha256=sha256, records=0)
            return
        facts = {"hints": hints, "url": response.url, "http_status": response.status, "headers": dict(response.headers)}
        snapshot, is_new = store_fetched(
            self.lake,
            response.content,
            self.feed.source,
            parsed,
            original_name=request.name,
            fetched_at=self._read_clock(),
            **facts,
            **({"licence": self.feed.licence} if self.feed.licence else {}),
        )
        previous = self.validators.get(digest, {})
        is_same = previous.get("snapshot_id", snapshot.snapshot_id) == snapshot.snapshot_id
        result = "kept" if is_new else "unchanged" if is_same else "returned"
        before = int(previous.get("records", 0))
        if records < before / 2:
            self.warnings.append(f"{request.name}: only {records:,} records, {before:,} in the previous session")
        self._record(request, result, response, snapshot_id=snapshot.snapshot_id, records=records)
        self._save_validators(digest, snapshot.snapshot_id, records, response.headers)

    def _save_validators(self, digest: str, snapshot_id: str, records: int, headers: Mapping[str, str]) -> None:
        """Remember the response to a request, for a conditional request in the next session."""
        validators = {name: headers[name] for name in ("etag", "last-modified") if name in headers}
        self.validators.pop(digest, None)  # inserted at the end, as the newest
        self.validators[digest] = {"snapshot_id": snapshot_id, "records": str(records), **validators}

    def _read_clock(self) -> dt.datetime:
        """The present moment, strictly later than the one before even if the clock was set back."""
        self.moment = max(dt.datetime.now(dt.UTC), self.moment + dt.timedelta(microseconds=1))
        return self.moment

    def _record(self, request: Request, result: str, response: HttpResponse | None = None, **facts: Any) -> None:
        """Add a request and its result to the journal, and report the progress."""
        if response is not None:
            facts = {
                "http_status": response.status,
                "attempts": response.attempts,
                "answer_url": response.url,
                "headers": dict(response.headers),
                **facts,
            }
        self.ordinal += 1
        line = FetchLogLine(
            self.head["session_id"],
            self.ordinal,
            self.feed.name,
            self.feed.source,
            (self.moment if result == "kept" else self._read_clock()).isoformat(),
            request.name,
            self.policy.secrets.hide(request.url),
            hash_request(request),
            result,
            **facts,
        )
        self.journal.append(line)
        self.lines.append(line)
        self.result.requests += 1
        self.result.records += line.records or 0
        self.result.results[result] = self.result.results.get(result, 0) + 1
        self.progress(self.result)

    def _complete(self, state: FeedState, watermark: str | None) -> None:
        """Write the log, the validators and, last, the watermark."""
        self.result.is_complete = True
        self.journal.archive(self.lines)
        self.folder.write_validators(dict(list(self.validators.items())[-max(_MAX_VALIDATORS, len(self.lines)) :]))
        self._write_state(state, is_complete=True, reason=list_first(self.warnings) or None, watermark=watermark)
        self.journal.clear()

    def _abandon(self, state: FeedState, reason: str, before: int) -> None:
        """End this run of the session with a reason; the next fetch resumes it, unless it makes no progress."""
        if self.lines and self.lines[-1].is_accepted:  # the plan could not continue from the last response
            self._discard_lines([self.lines[-1]])
        has_progressed = any(line.is_accepted for line in self.lines[before:])
        self.head["stuck"] = 0 if has_progressed else self.head.get("stuck", 0) + 1
        retry_at = self.head.pop("retry_at", None)
        self.journal.write_head(self.head)
        self.folder.write_validators(self.validators)
        self._write_state(state, is_complete=False, reason=reason, retry_at=retry_at)

    def _write_state(
        self,
        state: FeedState,
        *,
        is_complete: bool,
        reason: str | None,
        watermark: str | None = None,
        retry_at: str | None = None,
    ) -> None:
        self.result.reason = reason
        if self.window:  # a backfill does not change the feed's state
            if retry_at:
                self.folder.write_state(dataclasses.replace(state, retry_at=retry_at))
            return
        self.folder.write_state(
            dataclasses.replace(
                state,
                watermark=watermark if is_complete else state.watermark,
                question=self.feed.question if is_complete else state.question,
                session_id=self.head["session_id"],
                begun_at=self.head["now"],
                ended_at=utc_now().isoformat(),
                is_complete=is_complete,
                reason=reason,
                requests=len(self.lines),
                kept=sum(line.result == "kept" for line in self.lines),
                records=sum(line.records or 0 for line in self.lines) if is_complete else state.records,
                failures=0 if is_complete else state.failures + 1,
                retry_at=retry_at,
            )
        )
