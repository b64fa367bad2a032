"""Asking a ForumMagnum site (LessWrong, the Alignment Forum, the EA Forum) for posts or comments by windows of time.

The sites refuse offsets above 2,000 and give at most some hundreds of things at once, so a window that is full is
asked again in halves. Neighbouring windows share no moment (``after`` is inclusive, ``before`` is not), and each
conversation begins some days before the last one ended: things come twice and are known by their ids, none is missed.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.sources.shared.document import Document, Unreadable, strict_json
from orchestration.sources.shared.fetch_plan import Answer, Conversation, Feed, Request, Since, Unanswered
from orchestration.sources.shared.fields import Fields
from orchestration.sources.shared.settings import Settings
from orchestration.sources.source import Damaged, NotThisSource, Reject

_SITES = {
    "lesswrong.com": "lw",
    "alignmentforum.org": "lw",  # its posts and comments are LessWrong's, with the same ids
    "effectivealtruism.org": "eaf",
}
_SHORTEST = dt.timedelta(seconds=1)
_LONGEST = dt.timedelta(days=3650)
_LARGEST_OFFSET = 2000


@dataclass(frozen=True)
class Thing:
    """What differs between asking for posts and for comments.

    Args:
        name: Plural: ``posts``.
        fields: What is asked of each, as GraphQL.
        everything: The view that holds all of them.
        of_user: The view of one user's.
        edited_by: The time that moves when one is edited.
    """

    name: str
    fields: str
    everything: str
    of_user: str
    edited_by: str

    @property
    def one(self) -> str:
        """Singular: ``post``."""
        return self.name.removesuffix("s")

    def each_field(self) -> list[str]:
        """The fields one by one, each with what is asked within it."""
        return re.findall(r"\w+(?: \{[^}]*\})?", self.fields)


def fetch(thing: Thing, feed: Feed, since: Since) -> Conversation:
    """Ask for everything posted, and after the first time also for everything edited, since the last conversation.

    Settings: ``user`` (a slug) or ``tag`` (an id, posts only) to follow less than everything; ``syntax`` (``selector``,
    or ``terms`` for a site with the older interface); ``limit``, ``window_days``, ``overlap_days``; ``from`` (the
    first day ever asked for); ``omit`` (fields that a site does not know).

    Raises:
        WrongSettings: A setting cannot be used.
        Unanswered: The answer is none that a forum gives, or more things bear one second than the site gives out.
    """
    settings = Settings(feed)
    user, tag = settings.text("user"), settings.text("tag")
    syntax = settings.choice("syntax", ("selector", "terms"))
    limit = settings.integer("limit", 500, minimum=1, maximum=5000)
    width = settings.days("window_days", 30, minimum=1)
    overlap = settings.days("overlap_days", 2)
    earliest = settings.day("from", dt.date(2005, 1, 1))
    omitted = settings.texts("omit")
    settings.finish()
    if tag and (user or thing.name != "posts"):
        raise settings.wrong("tag", "no tag together with a user, and none for comments")
    asker = _Asker(
        thing, feed, syntax, limit, [field for field in thing.each_field() if field.split()[0] not in omitted]
    )
    terms: dict[str, Any] = {"tagId": tag} if tag else {}
    if user:
        terms["userId"] = yield from asker.user_id(user)
    view = "tagRelevance" if tag else thing.of_user if user else thing.everything
    is_first = since.watermark is None or since.start is not None
    if since.start is not None:
        begin = _midnight(since.start)
    elif since.watermark is not None:
        begin = dt.datetime.fromisoformat(since.watermark) - overlap
    else:
        begin = _midnight(earliest)
    end = min(_midnight(since.end) + dt.timedelta(days=1), since.now) if since.end else since.now
    for time in ("postedAt",) if is_first else ("postedAt", thing.edited_by):
        yield from asker.windows(view, {**terms, "timeField": time}, begin, end, width)
    return since.watermark if since.start or since.end else since.now.isoformat()


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)


def _iso(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class _Asker:
    thing: Thing
    feed: Feed
    syntax: str
    limit: int
    fields: list[str]

    def windows(
        self, view: str, terms: Mapping[str, Any], begin: dt.datetime, end: dt.datetime, width: dt.timedelta
    ) -> Generator[Request, Answer, None]:
        """Everything from begin to end; windows shrink where much was written and grow where little was."""
        while begin < end:
            stop = min(begin + width, end)
            window = {**terms, "after": _iso(begin), "before": _iso(stop)}
            found, is_full = self._found((yield self._request(view, window, 0)), 0)
            if is_full and stop - begin > _SHORTEST:
                width = max((stop - begin) / 2, _SHORTEST)
                continue
            offset = found
            while is_full:  # many things bear the same second, after an import: only offsets can part them
                if offset > _LARGEST_OFFSET:
                    raise Unanswered(f"over {_LARGEST_OFFSET:,} {self.thing.name} within a second from {_iso(begin)}")
                found, is_full = self._found((yield self._request(view, window, offset)), offset)
                offset += found
            begin = stop
            if found < self.limit / 4:
                width = min(2 * width, _LONGEST)

    def user_id(self, slug: str) -> Generator[Request, Answer, str]:
        """The id of a user."""
        if self.syntax == "selector":
            query = (
                "query($slug: String) { users(selector: {usersProfile: {slug: $slug}}, limit: 1) { results { _id } } }"
            )
            variables: dict[str, Any] = {"slug": slug}
        else:
            query = "query($input: MultiUserInput) { users(input: $input) { results { _id } } }"
            variables = {"input": {"terms": {"view": "usersProfile", "slug": slug, "limit": 1}}}
        body = {"query": query, "variables": variables}
        answer = yield Request(self.feed.url, f"user {slug}", method="POST", body=body, is_kept=False)
        users = _results(_json(answer), "users")
        if not users or not isinstance(users[0].get("_id"), str):
            raise Unanswered(f"the site knows no user {slug!r}")
        return users[0]["_id"]

    def _request(self, view: str, terms: Mapping[str, Any], offset: int) -> Request:
        name, kind = self.thing.name, self.thing.one.capitalize()
        results = "{ results { " + " ".join(self.fields) + " } totalCount }"
        if self.syntax == "selector":
            query = (
                f"query($selector: {kind}Selector, $limit: Int, $offset: Int) {{ {name}(selector: $selector,"
                f" limit: $limit, offset: $offset, enableTotal: true) {results} }}"
            )
            order = {"sortBy": "oldest"} if name == "comments" else {"sortedBy": "old"}
            variables = {"selector": {view: {**terms, **order}}, "limit": self.limit, "offset": offset}
        else:
            query = f"query($input: Multi{kind}Input) {{ {name}(input: $input) {results} }}"
            page = {"limit": self.limit, "offset": offset}
            variables = {"input": {"terms": {"view": view, **terms, **page}, "enableTotal": True}}
        span = f"{terms['timeField']} {terms['after']} to {terms['before']}" + (f" from {offset}" if offset else "")
        site = site_of(self.feed.url)
        return Request(
            self.feed.url,
            f"{name} {span}",
            method="POST",
            body={"query": query, "variables": variables},
            hints={"site": site} if site else {},
        )

    def _found(self, answer: Answer, offset: int) -> tuple[int, bool]:
        """How many things the answer holds, and whether the window holds more; a site can give fewer than asked for."""
        told = _json(answer)
        found = len(_results(told, self.thing.name))
        total = told["data"][self.thing.name].get("totalCount")
        if not found and isinstance(total, int) and total > offset:
            raise Unanswered(f"the site tells of {total:,} {self.thing.name} and gives none from {offset:,} on")
        return found, found > 0 and (found >= self.limit or (isinstance(total, int) and total > found))


def _json(answer: Answer) -> Any:
    try:
        return strict_json(answer.content)
    except Unreadable as error:
        raise Unanswered(f"found {error} where a forum's answer was expected") from error


def _results(told: Any, name: str) -> list[Any]:
    try:
        results = told["data"][name]["results"]
    except (TypeError, KeyError):
        results = None
    if not isinstance(results, list):
        raise Unanswered(f"found {str(told)[:200]} where a list of {name} was expected")
    return results


def site_of(url: str | None) -> str | None:
    """``lw`` or ``eaf``, whichever forum an address is of."""
    host = (url or "").partition("//")[2].partition("/")[0].partition(":")[0].lower()
    return next((site for name, site in _SITES.items() if host == name or host.endswith(f".{name}")), None)


def is_answer(document: Document, name: str) -> bool:
    """Whether the document is a forum's answer with things of that plural name, or one of them.

    Raises:
        NotThisSource: It is an answer of a forum that holds an error instead.
    """
    told = document.json
    if isinstance(told, dict) and isinstance(told.get("response"), dict):
        told = told["response"]
    if not isinstance(told, dict):
        return False
    data = told.get("data")
    has = isinstance(data, dict) and (isinstance(data.get(name), dict) or isinstance(data.get(name[:-1]), dict))
    if not has and isinstance(told.get("errors"), list):
        raise NotThisSource(f"the forum answers with errors: {_told_errors(told)}", is_close=True)
    return has


def answered(document: Document, name: str) -> Iterator[tuple[str, Fields | Reject]]:
    """Place of each thing, and its fields or what is wrong; one that is null is passed over, as the site hides it so.

    Raises:
        Damaged: The answer holds errors, or something else where things were expected.
    """
    told = document.json
    told = told.get("response", told)
    if told.get("errors"):
        raise Damaged(f"the forum answers with errors: {_told_errors(told)}")
    data = told["data"]
    things = data[name].get("results") if name in data else [data[name[:-1]].get("result")]
    if not isinstance(things, list):
        raise Damaged(f"{name} has no list of results")
    for number, thing in enumerate(things, 1):
        if isinstance(thing, dict):
            yield f"{name} {number} ({thing.get('_id')})", Fields(thing)
        elif thing is not None:
            yield f"{name} {number}", Reject(f"{name} {number}", "no JSON object", str(thing)[:1000])


def site_in(document: Document, page_url: str | None) -> str:
    """The forum that an answer is of: by the thing's own address, where it was asked, or where it was captured.

    Raises:
        ValueError: None of them tells.
    """
    captured = document.json.get("captured_from") if isinstance(document.json, dict) else None
    site = site_of(page_url) or document.hints.get("site") or site_of(captured)
    if not site:
        raise ValueError("which forum it is of cannot be told: it has no pageUrl; add it with the feed that asked")
    return site


def _told_errors(told: Mapping[str, Any]) -> str:
    errors = [str(error.get("message") if isinstance(error, dict) else error) for error in told["errors"]]
    return "; ".join(errors)[:300]
