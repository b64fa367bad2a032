"""One polite client for everything that is fetched: slow, honest about who asks, and careful with what comes back.

It keeps each host's pace and its robots.txt, tries again with growing pauses where that can help, follows redirects
by hand, and reads an answer only as far as the limits go. What is wrong becomes `NotFetched` with a sentence.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import random
import ssl
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx

from orchestration.fetch.config import Host, Limits, web_address
from orchestration.fetch.credentials import MissingSecret, Secrets
from orchestration.fetch.network import ForbiddenAddress, NameNotFound, Transport, allowed_places, place_of, within
from orchestration.fetch.pace import LONGEST_REST, HostRests, Pacer, retry_after_seconds
from orchestration.fetch.robots import Robots
from orchestration.sources.shared.fetch_plan import Request

AGENT = f"aisle/{version('aisle')}"
MAX_REDIRECTS = 5
_ERROR_PAGE_BYTES = 2**20
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_TOLD_HEADERS = ("content-type", "etag", "last-modified", "date", "link", "content-disposition", "retry-after")
# httpcore would log whole requests, secrets and all, if a program that uses this set its level to debug
logging.getLogger("httpcore").setLevel(logging.WARNING)


@dataclass(frozen=True)
class Reply:
    """An answer that came whole.

    Args:
        status: 200 to 299, or 304 where what is held is still what there is.
        content: The bytes, unpacked; none for 304.
        url: The address they came from at last.
        headers: Some of the headers, in lower case.
        attempts: How often it was asked.
    """

    status: int
    content: bytes
    url: str
    headers: Mapping[str, str]
    attempts: int = 1


class NotFetched(Exception):
    """A request that got no usable answer; the text says what was found.

    Args:
        reason: The text.
        status: The HTTP status, if there was one.
        content: The page that came instead, if any, to be kept aside.
        is_refusal: Whether something came that is refused, rather than nothing at all.
        retry_at: From when on it may be asked again, where the host says so.
    """

    def __init__(
        self,
        reason: str,
        status: int | None = None,
        *,
        content: bytes = b"",
        is_refusal: bool = False,
        retry_at: dt.datetime | None = None,
    ) -> None:
        super().__init__(reason)
        self.status, self.content, self.is_refusal, self.retry_at = status, content, is_refusal, retry_at


class _Again(Exception):
    """This attempt failed in a way that another may not; ``pause`` is what ``host`` asks for, in seconds."""

    def __init__(
        self, reason: str, *, status: int | None = None, pause: float | None = None, host: str = "", most: int = 99
    ) -> None:
        super().__init__(reason)
        self.status, self.pause, self.host, self.most = status, pause, host, most


@dataclass(frozen=True)
class Manner:
    """How the requests of one feed are made.

    Args:
        home: The address of the feed; secrets and its own headers go to this host only.
        headers: Headers for requests to that host.
        secrets: The secrets the feed may use.
        heeds_robots: Whether robots.txt is heeded.
        look: Says what kind of failure page some bytes are, or none; looks at them in a process of its own.
    """

    home: str
    headers: Mapping[str, str] = field(default_factory=dict)
    secrets: Secrets = field(default_factory=lambda: Secrets(frozenset(), {}))
    heeds_robots: bool = True
    look: Callable[[bytes], str | None] = lambda _: None


class Client:
    """The client; one for all feeds and threads.

    Args:
        limits: What a fetch may cost.
        hosts: Hosts with a pace of their own.
        folder: Where paces and robots.txt are kept between fetches.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        limits: Limits,
        hosts: Iterable[Host],
        folder: Path,
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._limits, self._sleep = limits, sleep
        self._allowed = allowed_places(limits.allow_private)
        self._transport = Transport(limits.allow_private)
        self._pacer = Pacer(folder / "pace", limits, tuple(hosts), sleep)
        self._robots = Robots(folder / "robots", AGENT.partition("/")[0], self._robots_txt)
        contact = f"+{limits.contact}" if limits.contact else "no contact configured"
        self._agent = f"{AGENT} (AI Safety Literature Explorer; {contact})"

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def fetch(self, request: Request, manner: Manner, validators: Mapping[str, str] | None = None) -> Reply:
        """Send a request until it is answered, the attempts are used up, or trying again cannot help.

        Args:
            request: The request.
            manner: How the requests of its feed are made.
            validators: ``etag`` and ``last-modified`` of the answer that is held; then it may be answered with 304.

        Raises:
            NotFetched: It got no usable answer.
        """
        hide = manner.secrets.hidden
        tried: list[str] = []
        for attempt in range(1, self._limits.attempts + 1):
            try:
                self._asked_of(request, manner)
                reply = self._followed(request, manner, validators or {})
            except _Again as again:
                tried.append(hide(str(again)))
                pause = self._limits.backoff_seconds * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311
                pause = min(pause, self._limits.longest_wait_seconds)
                if again.pause:
                    pause = again.pause
                    self._pacer.leave_alone(again.host, pause)
                if pause > self._limits.longest_wait_seconds:
                    raise self._given_up(tried, again, pause) from again
                if attempt == min(self._limits.attempts, again.most):
                    raise self._given_up(tried, again, None) from again
                self._sleep(pause)
            except (ForbiddenAddress, MissingSecret) as error:
                raise NotFetched(hide(str(error))) from error
            except HostRests as rests:
                raise NotFetched(str(rests), retry_at=dt.datetime.fromtimestamp(rests.until, dt.UTC)) from rests
            except NotFetched as error:
                error.args = (hide(str(error)),)
                error.content = manner.secrets.hidden_bytes(error.content)
                raise
            else:
                content = manner.secrets.hidden_bytes(reply.content)
                headers = {name: hide(value) for name, value in reply.headers.items()}
                return Reply(reply.status, content, hide(reply.url), headers, attempt)
        raise AssertionError("at least one attempt is made")

    def _given_up(self, tried: list[str], again: _Again, pause: float | None) -> NotFetched:
        if pause is not None:
            until = dt.datetime.fromtimestamp(time.time() + pause, dt.UTC).replace(microsecond=0)
            reason = f"{tried[-1]}; it asks to be left alone until {until:%Y-%m-%d %H:%M:%S} UTC"
            return NotFetched(reason, again.status, retry_at=until)
        times = f" ({len(tried)} attempts)" if len(tried) > 1 else ""
        others = [reason for reason in dict.fromkeys(tried) if reason != tried[-1]]
        before = f"; before that: {'; '.join(others[:3])}" if others else ""
        return NotFetched(f"{tried[-1]}{times}{before}", again.status)

    def _followed(self, request: Request, manner: Manner, validators: Mapping[str, str]) -> Reply:
        """One attempt, with its redirects."""
        url, seen = self._filled(request, manner), set[str]()
        for _ in range(MAX_REDIRECTS + 1):
            if url in seen:
                raise NotFetched(f"redirected in a circle, back to {url}", is_refusal=True)
            seen.add(url)
            crawl_delay = self._heeded(url) if manner.heeds_robots else 0.0
            reply = self._sent(request, url, self._headers(request, manner, url, validators), crawl_delay, manner.look)
            if reply.status not in {301, 302, 303, 307, 308}:
                return reply
            url = self._next(request, url, reply)
        raise NotFetched(f"redirected more than {MAX_REDIRECTS} times, at last to {url}", is_refusal=True)

    def _filled(self, request: Request, manner: Manner) -> str:
        if _origin(request.url) == _origin(manner.home):
            return manner.secrets.filled(request.url, is_address=True)
        return request.url

    def _headers(self, request: Request, manner: Manner, url: str, validators: Mapping[str, str]) -> dict[str, str]:
        headers = {"User-Agent": self._agent, "Accept": "*/*", "Accept-Encoding": "gzip"}
        if self._limits.contact and "@" in self._limits.contact:
            headers["From"] = self._limits.contact
        if request.method == "POST":
            headers["Content-Type"] = "application/json"
        given = {**request.headers, **manner.headers}
        if _origin(url) == _origin(manner.home):
            headers |= {name: manner.secrets.filled(value) for name, value in given.items()}
        else:  # whatever is for the feed's own host is for nobody else
            headers |= {name: value for name, value in request.headers.items() if "${" not in value}
        for name, header in (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since")):
            value = validators.get(name, "")
            if value and value.isascii() and value.isprintable():  # others cannot be sent back
                headers[header] = value
        return headers

    def _next(self, request: Request, url: str, reply: Reply) -> str:
        """Where a redirect leads, if it may be followed."""
        try:
            target = web_address(urljoin(url, reply.headers["location"]).partition("#")[0])
        except (KeyError, ValueError) as error:
            told = reply.headers.get("location", "nowhere")
            raise NotFetched(f"redirected to {told[:200]}: {error}", reply.status, is_refusal=True) from error
        if urlsplit(url).scheme == "https" and urlsplit(target).scheme == "http":
            raise NotFetched(f"redirected from https to {target}", reply.status, is_refusal=True)
        self._guard(url, target)
        if request.method == "POST" and reply.status in {301, 302, 303}:
            raise NotFetched(f"redirected to {target}, where a query cannot follow: correct the address", reply.status)
        return target

    def _asked_of(self, request: Request, manner: Manner) -> None:
        """Let only places be asked that a feed may lead to: an answer may have named any address, or none at all."""
        try:
            self._guard(manner.home, request.url)
        except ValueError as error:
            raise NotFetched(f"cannot be asked: {request.url[:200]}: {error}", is_refusal=True) from error

    def _guard(self, known: str, named: str) -> None:
        """Let no place outside lead into the own network, whether by a redirect or by what its answers name."""
        if place_of(named) in self._allowed and place_of(known) not in self._allowed:
            raise NotFetched(f"led from outside into your own network, to {named}", is_refusal=True)

    def _heeded(self, url: str) -> float:
        """Seconds between requests that robots.txt asks for, if it lets this address be asked at all."""
        rule = self._robots.rule(url)
        if not rule.allows:
            raise NotFetched(f"{urlsplit(url).hostname} asks programs not to read {url} (robots.txt)")
        return rule.crawl_delay

    def _robots_txt(self, url: str) -> tuple[int, bytes]:
        """Status and text of a robots.txt, asked once: trying again is up to the request that needs it."""
        request, home = Request(url, "robots.txt"), Manner(url, heeds_robots=False)
        try:
            reply = self._followed(request, home, {})
        except NotFetched as error:
            if error.status is not None and 400 <= error.status < 500 and error.status != 429:
                return error.status, b""
            raise NotFetched(f"robots.txt could not be read: {error}", error.status) from error
        return reply.status, reply.content

    def _sent(
        self,
        request: Request,
        url: str,
        headers: dict[str, str],
        crawl_delay: float,
        look: Callable[[bytes], str | None],
    ) -> Reply:
        """Send one request and read its answer, without following it."""
        limits = self._limits
        timeout = {"connect": limits.connect_seconds, "read": limits.read_seconds, "write": limits.read_seconds}
        body = json.dumps(request.body).encode() if request.body is not None else None
        try:
            outgoing = httpx.Request(
                request.method, url, headers=headers, content=body, extensions={"timeout": timeout}
            )
            host = urlsplit(url).hostname or ""
            with self._pacer.turn(host, crawl_delay, limits.longest_wait_seconds), within(limits.total_seconds):
                incoming = self._transport.handle_request(outgoing)
                try:
                    return self._read(incoming, url, look)
                finally:
                    incoming.close()
        except httpx.TimeoutException as error:
            raise _Again(f"no whole answer in time ({error or type(error).__name__})") from error
        except httpx.ConnectError as error:
            causes = _causes(error)
            if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
                raise NotFetched(f"its certificate is not valid ({error})") from error
            most = 2 if any(isinstance(cause, NameNotFound) for cause in causes) else 99
            raise _Again(f"cannot be reached: {error}", most=most) from error
        except (httpx.RemoteProtocolError, httpx.NetworkError) as error:
            raise _Again(f"the answer broke off or was malformed ({error or type(error).__name__})") from error
        except httpx.LocalProtocolError as error:  # its text would quote a header, which may be a secret
            raise NotFetched("cannot be asked: a header holds what no header can") from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:
            raise NotFetched(f"cannot be asked: {error}") from error

    def _read(self, incoming: httpx.Response, url: str, look: Callable[[bytes], str | None]) -> Reply:
        status = incoming.status_code
        headers = {name: incoming.headers[name] for name in _TOLD_HEADERS if name in incoming.headers}
        if status == 304:
            return Reply(status, b"", url, headers)
        if status in {301, 302, 303, 307, 308}:
            return Reply(
                status, b"", url, {"location": incoming.headers["location"]} if "location" in incoming.headers else {}
            )
        if 200 <= status < 300 and status != 206:
            return Reply(status, _body(incoming, int(self._limits.largest_megabytes * 2**20)), url, headers)
        try:
            content = _body(incoming, _ERROR_PAGE_BYTES)
        except NotFetched:
            content = b""
        found = look(content) if content else None
        told = f"HTTP status {status}" + (f": {found}" if found else "")
        if status in _TRY_AGAIN and not (found and "bot wall" in found):
            pause = retry_after_seconds(incoming.headers.get("retry-after"))
            if pause and pause > LONGEST_REST:
                told, pause = f"{told}; it asks for {pause / 86400:,.0f} days, of which one is heeded", LONGEST_REST
            raise _Again(told, status=status, pause=pause, host=urlsplit(url).hostname or "")
        raise NotFetched(told, status, content=content, is_refusal=bool(found))


def _origin(url: str) -> tuple[str, str]:
    return urlsplit(url).scheme, place_of(url)


def _causes(error: BaseException) -> list[BaseException]:
    """An error and what it came from."""
    found: list[BaseException] = [error]
    while (cause := found[-1].__cause__ or found[-1].__context__) and cause not in found:
        found.append(cause)
    return found


def _body(incoming: httpx.Response, largest: int) -> bytes:
    """The bytes of an answer, unpacked, counted on the wire and unpacked while they come.

    Raises:
        NotFetched: There are more of them than are read, or they are packed in a way that was not asked for.
        _Again: They are damaged or cut short.
    """
    packing = incoming.headers.get("content-encoding", "identity").strip().lower()
    if packing not in {"identity", "", "gzip", "x-gzip"}:
        raise NotFetched(f"an answer packed as {packing[:40]!r}, which was not asked for", incoming.status_code)
    if (length := incoming.headers.get("content-length", "")).isdigit() and int(length) > largest:
        raise NotFetched(f"an answer of {int(length):,} bytes (at most {largest:,} are read)", is_refusal=True)
    unpacker = zlib.decompressobj(wbits=31) if packing in {"gzip", "x-gzip"} else None
    parts, on_wire, unpacked = [], 0, 0
    try:
        for chunk in incoming.iter_raw():
            on_wire += len(chunk)
            rest = chunk
            while rest:
                if unpacker is None:
                    piece, rest = rest, b""
                else:
                    if unpacker.eof:  # a gzip answer may be several, one after the other
                        unpacker = zlib.decompressobj(wbits=31)
                    piece = unpacker.decompress(rest, largest + 1 - unpacked)
                    rest = unpacker.unconsumed_tail or unpacker.unused_data
                parts.append(piece)
                unpacked += len(piece)
                if unpacked > largest or on_wire > largest:
                    packed = f" that came as {on_wire:,}" if unpacker else ""
                    raise NotFetched(
                        f"an answer of over {largest:,} bytes{packed}, which are not read", is_refusal=True
                    )
    except zlib.error as error:
        raise _Again(f"the answer is damaged ({error})") from error
    if unpacker is not None and on_wire and not unpacker.eof:
        raise _Again("the answer broke off within its gzip packing")
    return b"".join(parts)
