"""One conversation of one feed, carried on with its place; each answer is checked before it is kept.

An answer becomes a snapshot only if its source's reader accepts it; all that is not accepted is refused with what was
found, and what was held before stays. The watermark is written when a conversation has come to its end, so one that
was killed or given up is taken up again where it was, from the answers that were kept.
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

from orchestration.fetch.config import Followed
from orchestration.fetch.credentials import Secrets, names_in
from orchestration.fetch.http import Client, Manner, NotFetched, Reply
from orchestration.fetch.journal import FeedFolder, Journal, Line, Outcome, State, Window, moment_of, request_digest
from orchestration.fetch.pace import LONGEST_REST
from orchestration.ingest.parser_process import failure_in_bytes, parse_bytes
from orchestration.ingest.snapshots import held_snapshot, keep_fetched, keep_refused
from orchestration.sources.registry import Refused
from orchestration.sources.shared.fetch_plan import Answer, Conversation, Request, Since, Unanswered, WrongSettings
from orchestration.sources.source import first
from warehouse.lake import Lake
from warehouse.table import utc_now

Say = Callable[[str], None]
_GIVEN_UP = 3  # times without getting further, before a conversation is begun anew
_MOST_HELD = 1000


class Stopped(Exception):
    """The fetch was asked to stop; the conversation can be taken up again."""


class _Broken(Exception):
    """The journal does not fit the conversation any more."""


@dataclass
class Talk:
    """One conversation of one feed; the caller holds the feed.

    Args:
        lake: The lake.
        followed: The feed.
        client: What sends its requests.
        outcome: Told what came of it.
        window: Days to ask for instead of what is new.
        full: Whether to ask for everything, as if for the first time.
        say: Told a line at a time what is worth telling.
        progress: Told after each request how far it is.
        environment: Where secrets are.
        stop: Set when it shall stop.
    """

    lake: Lake
    followed: Followed
    client: Client
    outcome: Outcome
    window: Window | None
    full: bool
    say: Say
    progress: Callable[[Outcome], None]
    environment: Mapping[str, str]
    stop: threading.Event

    def __post_init__(self) -> None:
        self.folder = FeedFolder(self.lake, self.followed.name)
        self.journal: Journal = self.folder.journal(self.window.name if self.window else "running")
        self.lines: list[Line] = []
        self.ordinal = 0
        self.asked_again = set[str]()
        self.remarks: list[str] = []
        self.head: dict[str, Any] = {}
        self.held = self.folder.held
        self.secrets = Secrets(frozenset(), {})
        self.moment = dt.datetime.min.replace(tzinfo=dt.UTC)

    def run(self) -> None:
        """Take up the conversation that was broken off, or begin one, and carry it on to its end.

        Raises:
            Stopped: It was asked to stop.
            OSError: The lake cannot be read or written.
        """
        state, source = self.folder.state, self.followed.kind
        if source.fetch is None:
            raise OSError(f"{source.name} cannot be fetched")
        if self.window and not source.by_window:
            self.outcome.reason = f"{source.name} cannot be asked for certain days: fetch it without them"
            return None
        now = dt.datetime.now(dt.UTC)
        if state.retry_at and now < moment_of(state.retry_at) <= now + dt.timedelta(seconds=LONGEST_REST):
            self.outcome.reason = f"its host asked to be left alone until {state.retry_at[:19].replace('T', ' ')} UTC"
            return None
        if not self._taken_up(state):
            self._begin(state)
        for _ in range(2):
            try:
                return self._carried_on(state)
            except _Broken as broken:
                self.say(f"{self.followed.name}: begun anew, since {broken}")
                self.journal.archive(self.lines)
                self._begin(state)
        raise AssertionError("a conversation that was begun anew has nothing to be replayed")

    def _taken_up(self, state: State) -> bool:
        """Whether there is a conversation to be taken up again."""
        self.head, self.lines = self.journal.head, self.journal.lines
        if not self.head:
            return False
        if self.head["conversation_id"] == state.conversation_id and state.is_complete:
            return False  # it had ended, and was killed while it tidied up
        if self.head["asks"] != self._asks() or self.full:
            self.journal.archive(self.lines)
            return False
        if self.head.get("stuck", 0) >= _GIVEN_UP:
            self.say(f"{self.followed.name}: begun anew, since it got no further {_GIVEN_UP} times")
            self.journal.archive(self.lines)
            return False
        self.ordinal = self.journal.last_ordinal(self.head["conversation_id"])
        given_up = [line for line in self.lines if line.is_passing or (line is self.lines[-1] and not line.is_good)]
        self._drop(given_up)  # what was given up is asked again
        self.asked_again = {line.digest for line in given_up}
        self.say(f"{self.followed.name}: taken up again after {len(self.lines)} requests")
        return True

    def _begin(self, state: State) -> None:
        now = dt.datetime.now(dt.UTC)
        self.lines, self.ordinal = [], 0
        self.head = {
            "conversation_id": f"{self.followed.name} {now:%Y-%m-%dT%H:%M:%S.%f}",
            "now": now.replace(microsecond=0).isoformat(),
            "watermark": None if self.full else state.watermark,
            "asks": self._asks(),
        }
        self.journal.begin(self.head)
        since = self._since()
        if since.watermark != self.head["watermark"]:
            self.remarks.append(f"read up to {str(self.head['watermark'])[:25]}, which is to come: a clock is wrong")

    def _asks(self) -> list[Any]:
        """What the conversation depends on: taken up again with other settings, it would not be the same."""
        told = [self.followed.source, self.followed.url, self.followed.settings]
        return json.loads(json.dumps([*told, self.window.name if self.window else None], default=str))

    def _conversation(self) -> Conversation:
        fetch = self.followed.kind.fetch
        if fetch is None:
            raise OSError(f"{self.followed.source} cannot be fetched")
        return fetch(self.followed.feed, self._since())

    def _since(self) -> Since:
        window = self.window or Window(None, None)
        return Since(self.head["watermark"], moment_of(self.head["now"]), window.start, window.end)

    def _carried_on(self, state: State) -> None:
        before = len(self.lines)
        try:
            watermark = self._talk(self._conversation())
        except Unanswered as unanswered:
            self._given_up(state, str(unanswered), before)
        except WrongSettings as wrong:
            self.journal.clear()
            self._ended(state, is_complete=False, reason=str(wrong))
        except (_Broken, Stopped, OSError):
            raise
        except Exception as error:  # what a kind of source did not foresee is its own failure, and no other feed's
            if os.environ.get("AISLE_DEBUG"):
                raise
            self._given_up(state, f"unexpected: {type(error).__name__}: {error} (AISLE_DEBUG=yes shows where)", before)
        else:
            self._complete(state, watermark)

    def _drop(self, lines: list[Line]) -> None:
        """Move lines to the log, so that their requests are made again."""
        self.journal.archive(lines)
        self.lines = [line for line in self.lines if line not in lines]
        self.journal.keep_lines(self.lines)

    def _talk(self, conversation: Conversation) -> str | None:
        """Carry the conversation on to its end; returns its watermark."""
        replayable, made = {line.digest: line for line in self.lines}, set[str]()
        try:
            request = next(conversation)
            self._open_secrets(request)
            while True:
                digest = request_digest(request)
                if digest in made:
                    raise Unanswered(f"{request.name}: asked for already, so its place leads in a circle")
                made.add(digest)
                line = replayable.pop(digest, None)
                if line is None and replayable and digest not in self.asked_again:
                    raise _Broken("it asks for something else than before")
                try:
                    answer = self._asked(request) if line is None else self._replayed(line)
                except Unanswered as unanswered:
                    request = conversation.throw(unanswered)
                else:
                    request = conversation.send(answer)
        except StopIteration as end:
            if replayable:
                raise _Broken("it asks for less than before") from end
            return end.value
        finally:
            conversation.close()

    def _open_secrets(self, first: Request) -> None:
        """Let the feed use the secrets that its configuration or its first request names, before anyone answered."""
        told = [self.followed.url, json.dumps(self.followed.settings, default=str), *self.followed.headers.values()]
        self.secrets = Secrets(names_in(*told, first.url, *first.headers.values()), self.environment)

    def _replayed(self, line: Line) -> Answer:
        self.outcome.replayed += 1
        if not line.is_good:
            raise Unanswered(line.reason or line.result, line.http_status, is_lasting=True)
        content = None
        if line.kept:
            content = self.journal.kept(line.kept)
        elif line.snapshot_id and (found := held_snapshot(self.lake, line.source, line.snapshot_id)):
            content = found[1]
        if content is None:
            raise _Broken(f"its answer {line.request_ordinal} is no longer there")
        if line.snapshot_id:
            self._hold(line.digest, line.snapshot_id, line.records or 0, line.headers)
        return Answer(content, line.answer_url or line.url, line.headers)

    def _asked(self, request: Request) -> Answer:
        """Send a request, check the answer, keep it, note what came of it."""
        if self.stop.is_set():
            raise Stopped("stopped")
        digest = request_digest(request)
        held = self.held.get(digest, {}) if request.is_kept else {}
        before = held_snapshot(self.lake, self.followed.source, held["snapshot_id"]) if held else None
        validators = held if before and request.method == "GET" and not self.full else {}
        heeds_robots = self.followed.robots == "respect"
        manner = Manner(self.followed.url, self.followed.headers, self.secrets, heeds_robots, failure_in_bytes)
        try:
            reply = self.client.fetch(request, manner, validators)
        except NotFetched as error:
            if error.is_refusal and error.content:
                keep_refused(self.lake, request.name, error.content, f"{self.followed.name}: {error}")
            self._note(
                request, "refused" if error.is_refusal else "failed", http_status=error.status, reason=str(error)
            )
            if error.retry_at:
                self.head["retry_at"] = error.retry_at.isoformat()
            raise Unanswered(f"{request.name}: {error}", error.status, is_lasting=error.is_refusal) from error
        if reply.status == 304 and before:
            self._note(request, "unchanged", reply, snapshot_id=held["snapshot_id"], records=int(held["records"]))
            return Answer(before[1], reply.url, reply.headers)
        try:
            self._accepted(request, digest, reply)
        except Refused as refusal:
            keep_refused(self.lake, request.name, reply.content, f"{self.followed.name}: {refusal}")
            self._note(request, "refused", reply, reason=str(refusal))
            raise Unanswered(f"{request.name}: refused: {refusal}", reply.status, is_lasting=True) from refusal
        return Answer(reply.content, reply.url, reply.headers)

    def _accepted(self, request: Request, digest: str, reply: Reply) -> None:
        """Keep an answer if it is what was expected.

        Raises:
            Refused: It is not.
        """
        if not request.is_kept:
            if failure := failure_in_bytes(reply.content):
                raise Refused(f"found {failure}")
            self._note(request, "read", reply, kept=self.journal.keep(reply.content))
            return
        hints = {**request.hints, "feed": self.followed.name, "feed_url": self.followed.url, "url": reply.url}
        parsed = parse_bytes(reply.content, request.name, hints, self.followed.source)[1]
        records, faults = len(parsed.records), [item for item in parsed.rejects if item.is_fault]
        if faults:
            self.remarks.append(f"{request.name}: {len(faults):,} unreadable, the first: {faults[0].reason[:200]}")
        if not parsed.items:
            self._note(request, "empty", reply, kept=self.journal.keep(reply.content), records=0)
            return
        snapshot, is_new = keep_fetched(
            self.lake,
            reply.content,
            self.followed.source,
            original_name=request.name,
            fetched_at=self._moment(),
            hints=hints,
            url=reply.url,
            http_status=reply.status,
            headers=dict(reply.headers),
            **({"licence": self.followed.licence} if self.followed.licence else {}),
        )
        held = self.held.get(digest, {})
        is_same = held.get("snapshot_id", snapshot.snapshot_id) == snapshot.snapshot_id
        result = "kept" if is_new else "unchanged" if is_same else "returned"
        if records < int(held.get("records", 0)) / 2:
            self.remarks.append(
                f"{request.name}: only {records:,} records, after {int(held['records']):,} the time before"
            )
        self._note(request, result, reply, snapshot_id=snapshot.snapshot_id, records=records)
        self._hold(digest, snapshot.snapshot_id, records, reply.headers)

    def _hold(self, digest: str, snapshot_id: str, records: int, headers: Mapping[str, str]) -> None:
        """Remember the answer to a request, to ask the next time only for another one."""
        told = {name: headers[name] for name in ("etag", "last-modified") if name in headers}
        self.held.pop(digest, None)  # so that it comes last, as the newest
        self.held[digest] = {"snapshot_id": snapshot_id, "records": str(records), **told}

    def _moment(self) -> dt.datetime:
        """The present moment, and later than the one before even if the clock was set back."""
        self.moment = max(dt.datetime.now(dt.UTC), self.moment + dt.timedelta(microseconds=1))
        return self.moment

    def _note(self, request: Request, result: str, reply: Reply | None = None, **facts: Any) -> None:
        """Add a request and what came of it to the journal, and tell how far the conversation is."""
        if reply is not None:
            facts = {
                "http_status": reply.status,
                "attempts": reply.attempts,
                "answer_url": reply.url,
                "headers": dict(reply.headers),
                **facts,
            }
        self.ordinal += 1
        line = Line(
            self.head["conversation_id"],
            self.ordinal,
            self.followed.name,
            self.followed.source,
            (self.moment if result == "kept" else self._moment()).isoformat(),
            request.name,
            self.secrets.hidden(request.url),
            request_digest(request),
            result,
            **facts,
        )
        self.journal.append(line)
        self.lines.append(line)
        self.outcome.requests += 1
        self.outcome.records += line.records or 0
        self.outcome.results[result] = self.outcome.results.get(result, 0) + 1
        self.progress(self.outcome)

    def _complete(self, state: State, watermark: str | None) -> None:
        """The end: the log, what is held, and last of all the watermark."""
        self.outcome.is_complete = True
        self.journal.archive(self.lines)
        self.folder.write_held(dict(list(self.held.items())[-max(_MOST_HELD, len(self.lines)) :]))
        self._ended(state, is_complete=True, reason=first(self.remarks) or None, watermark=watermark)
        self.journal.clear()

    def _given_up(self, state: State, reason: str, before: int) -> None:
        """Leave the conversation to be taken up again, unless it is stuck."""
        if self.lines and self.lines[-1].is_good:  # the conversation itself could not go on from what came
            self._drop([self.lines[-1]])
        has_moved = any(line.is_good for line in self.lines[before:])
        self.head["stuck"] = 0 if has_moved else self.head.get("stuck", 0) + 1
        retry_at = self.head.pop("retry_at", None)
        self.journal.rewrite_head(self.head)
        self.folder.write_held(self.held)
        self._ended(state, is_complete=False, reason=reason, retry_at=retry_at)

    def _ended(
        self,
        state: State,
        *,
        is_complete: bool,
        reason: str | None,
        watermark: str | None = None,
        retry_at: str | None = None,
    ) -> None:
        self.outcome.reason = reason
        if self.window:  # days that were asked for by hand say nothing about where the feed stands
            if retry_at:
                self.folder.write_state(dataclasses.replace(state, retry_at=retry_at))
            return
        self.folder.write_state(
            dataclasses.replace(
                state,
                watermark=watermark if is_complete else state.watermark,
                conversation_id=self.head["conversation_id"],
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
