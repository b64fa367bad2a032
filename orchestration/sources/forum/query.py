"""Fetch plan and responses of a ForumMagnum site (LessWrong, the Alignment Forum, the EA Forum), over its GraphQL API.

The sites refuse offsets above 2,000 and return at most some hundred results, so posts and comments are requested by
time windows, and a full window is halved. Adjacent windows do not overlap (``after`` is inclusive, ``before`` is not).
Each fetch starts some days before the last one ended, so that nothing is missed; repeated records have equal ids.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.sources.shared.document import Document, UnreadableDocument, parse_json
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, FetchPlan, Request, RequestFailed, Response
from orchestration.sources.shared.fields import Fields
from orchestration.sources.shared.settings import Settings
from orchestration.sources.source import DamagedDocument, NotThisSource, Reject

_SITES = {
    "lesswrong.com": "lw",
    "alignmentforum.org": "lw",  # its posts and comments are LessWrong's, with the same ids
    "effectivealtruism.org": "eaf",
}
_MIN_WINDOW = dt.timedelta(seconds=1)
_MAX_WINDOW = dt.timedelta(days=3650)
_MAX_OFFSET = 2000


@dataclass(frozen=True)
class ForumEndpoint:
    """A GraphQL collection of a forum: posts or comments.

    Args:
        name: Name of the collection, a plural: ``posts``.
        fields: Fields to request, as GraphQL.
        all_view: View of all records.
        user_view: View of the records of one user.
        edited_field: Field with the time of the last edit.
    """

    name: str
    fields: str
    all_view: str
    user_view: str
    edited_field: str

    @property
    def singular(self) -> str:
        """Singular of the name: ``post``."""
        return self.name.removesuffix("s")

    def split_fields(self) -> list[str]:
        """The requested fields as a list, each with its inner fields."""
        return re.findall(r"\w+(?: \{[^}]*\})?", self.fields)


def fetch_endpoint(endpoint: ForumEndpoint, feed: Feed, cursor: FetchCursor) -> FetchPlan:
    """Fetch plan for all records posted since the last fetch and, except at the first fetch, all edited since.

    Settings: ``user`` (a slug) or ``tag`` (an id, posts only) to restrict the records; ``syntax`` (``selector``, or
    ``terms`` for a site with the older API); ``limit``, ``window_days``, ``overlap_days``; ``from`` (first day of the
    first fetch); ``omit`` (fields that the site does not have).

    Raises:
        InvalidSettings: A setting cannot be used.
        RequestFailed: The response is not a forum's, or more records share one second than the site returns.
    """
    settings = Settings(feed)
    user, tag = settings.text("user"), settings.text("tag")
    syntax = settings.choice("syntax", ("selector", "terms"))
    limit = settings.integer("limit", 500, minimum=1, maximum=5000)
    width = settings.days("window_days", 30, minimum=1)
    overlap = settings.days("overlap_days", 2)
    earliest = settings.day("from", dt.date(2005, 1, 1))
    omitted = settings.texts("omit")
    settings.reject_unknown()
    if tag and (user or endpoint.name != "posts"):
        raise settings.build_error("tag", "no tag together with a user, and none for comments")
    fields = [field for field in endpoint.split_fields() if field.split()[0] not in omitted]
    query = _WindowedQuery(endpoint, feed, syntax, limit, fields)
    terms: dict[str, Any] = {"tagId": tag} if tag else {}
    if user:
        terms["userId"] = yield from query.find_user_id(user)
    view = "tagRelevance" if tag else endpoint.user_view if user else endpoint.all_view
    is_first = cursor.watermark is None or cursor.start is not None
    if cursor.start is not None:
        begin = _start_of_day(cursor.start)
    elif cursor.watermark is not None:
        begin = dt.datetime.fromisoformat(cursor.watermark) - overlap
    else:
        begin = _start_of_day(earliest)
    end = min(_start_of_day(cursor.end) + dt.timedelta(days=1), cursor.now) if cursor.end else cursor.now
    received = 0
    for time_field in ("postedAt",) if is_first else ("postedAt", endpoint.edited_field):
        received += yield from query.fetch_windows(view, {**terms, "timeField": time_field}, begin, end, width)
    return cursor.advance(cursor.now if received else None)


def _start_of_day(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)


def _format_time(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class _WindowedQuery:
    """Builds the requests of one feed and reads the counts of their responses."""

    endpoint: ForumEndpoint
    feed: Feed
    syntax: str
    limit: int
    fields: list[str]

    def fetch_windows(
        self, view: str, terms: Mapping[str, Any], begin: dt.datetime, end: dt.datetime, width: dt.timedelta
    ) -> Generator[Request, Response, int]:
        """Request all records from begin to end; full windows are halved, sparse ones doubled.

        Returns the number of records, some of them more than once.
        """
        received = 0
        while begin < end:
            stop = min(begin + width, end)
            window = {**terms, "after": _format_time(begin), "before": _format_time(stop)}
            count, is_full = self._count_results((yield self._build_request(view, window, 0)), 0)
            received += count
            if is_full and stop - begin > _MIN_WINDOW:
                width = max((stop - begin) / 2, _MIN_WINDOW)
                continue
            offset = count
            while is_full:  # after an import, many records share one second: only offsets separate them
                if offset > _MAX_OFFSET:
                    raise RequestFailed(
                        f"over {_MAX_OFFSET:,} {self.endpoint.name} within a second from {_format_time(begin)}"
                    )
                count, is_full = self._count_results((yield self._build_request(view, window, offset)), offset)
                offset += count
            begin = stop
            if count < self.limit / 4:
                width = min(2 * width, _MAX_WINDOW)
        return received

    def find_user_id(self, slug: str) -> Generator[Request, Response, str]:
        """Request the id of a user.

        Raises:
            RequestFailed: The site has no such user.
        """
        if self.syntax == "selector":
            query = (
                "query($slug: String) { users(selector: {usersProfile: {slug: $slug}}, limit: 1) { results { _id } } }"
            )
            variables: dict[str, Any] = {"slug": slug}
        else:
            query = "query($input: MultiUserInput) { users(input: $input) { results { _id } } }"
            variables = {"input": {"terms": {"view": "usersProfile", "slug": slug, "limit": 1}}}
        body = {"query": query, "variables": variables}
        response = yield Request(self.feed.url, f"user {slug}", method="POST", body=body, is_kept=False)
        users = _get_results(_parse_response(response), "users")
        if not users or not isinstance(users[0].get("_id"), str):
            raise RequestFailed(f"the site knows no user {slug!r}")
        return users[0]["_id"]

    def _build_request(self, view: str, terms: Mapping[str, Any], offset: int) -> Request:
        name, type_name = self.endpoint.name, self.endpoint.singular.capitalize()
        results = "{ results { " + " ".join(self.fields) + " } totalCount }"
        if self.syntax == "selector":
            query = (
                f"query($selector: {type_name}Selector, $limit: Int, $offset: Int) {{ {name}(selector: $selector,"
                f" limit: $limit, offset: $offset, enableTotal: true) {results} }}"
            )
            order = {"sortBy": "oldest"} if name == "comments" else {"sortedBy": "old"}
            variables = {"selector": {view: {**terms, **order}}, "limit": self.limit, "offset": offset}
        else:
            query = f"query($input: Multi{type_name}Input) {{ {name}(input: $input) {results} }}"
            page = {"limit": self.limit, "offset": offset}
            variables = {"input": {"terms": {"view": view, **terms, **page}, "enableTotal": True}}
        span = f"{terms['timeField']} {terms['after']} to {terms['before']}" + (f" from {offset}" if offset else "")
        site = get_site(self.feed.url)
        return Request(
            self.feed.url,
            f"{name} {span}",
            method="POST",
            body={"query": query, "variables": variables},
            hints={"site": site} if site else {},
        )

    def _count_results(self, response: Response, offset: int) -> tuple[int, bool]:
        """Number of results of a response, and whether the window has more; a site may return fewer than the limit.

        Raises:
            RequestFailed: The response is not a forum's, or is empty although it has errors or a positive total.
        """
        name, value = self.endpoint.name, _parse_response(response)
        count = len(_get_results(value, name))
        if not count and value.get("errors"):
            raise RequestFailed(f"the forum responds with errors: {_join_errors(value)}")
        total = value["data"][name].get("totalCount")
        if not count and isinstance(total, int) and total > offset:
            raise RequestFailed(f"the site reports {total:,} {name} and returns none from {offset:,} on")
        return count, count > 0 and (count >= self.limit or (isinstance(total, int) and total > count))


def _parse_response(response: Response) -> Any:
    try:
        return parse_json(response.content)
    except UnreadableDocument as error:
        raise RequestFailed(f"found {error} where a forum's response was expected") from error


def _get_results(value: Any, name: str) -> list[Any]:
    try:
        results = value["data"][name]["results"]
    except (TypeError, KeyError):
        results = None
    if not isinstance(results, list):
        raise RequestFailed(f"found {str(value)[:200]} where a list of {name} was expected")
    return results


def get_site(url: str | None) -> str | None:
    """The forum of an address: ``lw``, ``eaf`` or None."""
    host = (url or "").partition("//")[2].partition("/")[0].partition(":")[0].lower()
    return next((site for name, site in _SITES.items() if host == name or host.endswith(f".{name}")), None)


def is_forum_response(document: Document, name: str) -> bool:
    """Whether the document is a forum's response with records of a collection, or with one of them.

    Args:
        document: The document.
        name: Name of the collection: ``posts``.

    Raises:
        NotThisSource: It is a forum's response with errors instead.
    """
    value = document.json
    if isinstance(value, dict) and isinstance(value.get("response"), dict):
        value = value["response"]
    if not isinstance(value, dict):
        return False
    data = value.get("data")
    has_data = isinstance(data, dict) and (isinstance(data.get(name), dict) or isinstance(data.get(name[:-1]), dict))
    if not has_data and isinstance(value.get("errors"), list):
        raise NotThisSource(f"the forum responds with errors: {_join_errors(value)}", is_near_match=True)
    return has_data


def iterate_results(document: Document, name: str) -> Iterator[tuple[str, Fields | Reject]]:
    """Locator of each result with its fields, or a reject if it is not an object; hidden results (null) are left out.

    A response with results may have errors too, as GraphQL allows: for fields that are null then, or for results. Each
    error is a reject, so that it is counted; it is a fault if it cost a whole result.

    Raises:
        DamagedDocument: The response has no list of results, or has errors and no result.
    """
    value = document.json
    value = value.get("response", value)
    data = value["data"]
    results = data[name].get("results") if name in data else [data[name[:-1]].get("result")]
    has_results = isinstance(results, list) and any(result is not None for result in results)
    if value.get("errors") and not has_results:
        raise DamagedDocument(f"the forum responds with errors: {_join_errors(value)}")
    if not isinstance(results, list):
        raise DamagedDocument(f"{name} has no list of results")
    for number, result in enumerate(results, 1):
        if isinstance(result, dict):
            yield f"{name} {number} ({str(result.get('_id'))[:40]})", Fields(result)
        elif result is not None:
            yield f"{name} {number}", Reject(f"{name} {number}", "no JSON object", str(result)[:1000])
    for number, error in enumerate(_list_errors(value), 1):
        locator = f"error {number} of the response"
        path = error.get("path") if isinstance(error, dict) else None
        indexes = [step for step in path if isinstance(step, int)] if isinstance(path, list) else []
        is_lost = bool(indexes) and 0 <= indexes[0] < len(results) and results[indexes[0]] is None
        place = f" at {'.'.join(map(str, path))[:100]}" if isinstance(path, list) else ""
        reason = f"the forum reports an error{place}: {_describe_error(error)}"
        yield locator, Reject(locator, reason, str(error)[:1000], is_fault=is_lost)


def find_site(document: Document, page_url: str | None) -> str:
    """The forum of a record, by its own address, the address of the request or that of the capture.

    Raises:
        ValueError: None of them identifies a forum.
    """
    captured = document.json.get("captured_from") if isinstance(document.json, dict) else None
    site = get_site(page_url) or document.hints.get("site") or get_site(captured if isinstance(captured, str) else None)
    if not site:
        raise ValueError("its forum is unknown: it has no pageUrl; add it through the feed that requested it")
    return site


def _list_errors(value: Mapping[str, Any]) -> list[Any]:
    errors = value.get("errors") or []
    return errors if isinstance(errors, list) else [errors]


def _describe_error(error: object) -> str:
    return str(error.get("message") if isinstance(error, dict) else error)[:300]


def _join_errors(value: Mapping[str, Any]) -> str:
    return "; ".join(map(_describe_error, _list_errors(value)))[:300]
