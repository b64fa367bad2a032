"""The polite HTTP client of all feeds: pacing, robots.txt, retries, redirects, size limits and secrets.

It retries transient failures with exponential backoff, checks each redirect before following it, and stops reading
a response at the size limit. Any other outcome than a usable response is an `HttpRequestFailed` with the reason.
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
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx

from orchestration.fetch.config import FetchLimits, HostConfig, check_web_address
from orchestration.fetch.credentials import MissingSecret
from orchestration.fetch.network import (
    ForbiddenAddress,
    NameNotFound,
    Transport,
    limit_total_time,
    normalize_allowed_hosts,
    normalize_host_and_port,
)
from orchestration.fetch.pace import MAX_PAUSE_SECONDS, HostPaused, Pacer, parse_retry_after
from orchestration.fetch.request_policy import RequestPolicy
from orchestration.fetch.robots import Robots
from orchestration.sources.shared.fetch_plan import Request

AGENT = f"aisle/{version('aisle')}"
MAX_REDIRECTS = 5
_MAX_ERROR_PAGE_BYTES = 2**20
_REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
_RETRYABLE_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_KEPT_HEADERS = ("content-type", "etag", "last-modified", "date", "link", "content-disposition", "retry-after")
# at level DEBUG httpcore would log whole requests, secrets included
logging.getLogger("httpcore").setLevel(logging.WARNING)


@dataclass(frozen=True)
class HttpResponse:
    """A complete response.

    Args:
        status: 200 to 299, or 304 if the stored response is still current.
        content: The decompressed bytes; none for 304.
        url: The address after all redirects.
        headers: Selected headers, names in lower case.
        attempts: How often the request was sent.
    """

    status: int
    content: bytes
    url: str
    headers: Mapping[str, str]
    attempts: int = 1


class HttpRequestFailed(Exception):
    """A request got no usable response; the text states the reason.

    Args:
        reason: The text.
        status: The HTTP status, if there was one.
        content: The page that was received instead, if any.
        is_refusal: Whether a response was received and refused, rather than none received.
        retry_at: Earliest time for another attempt, if the host named one.
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


class _RetryableFailure(Exception):
    """An attempt failed in a way that the next may not; ``host`` requests ``pause`` seconds before it."""

    def __init__(
        self,
        reason: str,
        *,
        status: int | None = None,
        pause: float | None = None,
        host: str = "",
        max_attempts: int = 99,
    ) -> None:
        super().__init__(reason)
        self.status, self.pause, self.host, self.max_attempts = status, pause, host, max_attempts


class HttpClient:
    """The HTTP client, shared by all feeds and threads.

    Args:
        limits: Limits of all fetches.
        hosts: Hosts with their own pace.
        folder: Folder in which paces and robots.txt are stored between fetches.
        sleep: Waits the given number of seconds.
    """

    def __init__(
        self,
        limits: FetchLimits,
        hosts: Iterable[HostConfig],
        folder: Path,
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._limits, self._sleep = limits, sleep
        self._allowed = normalize_allowed_hosts(limits.allow_private)
        self._transport = Transport(limits.allow_private)
        self._pacer = Pacer(folder / "pace", limits, tuple(hosts), sleep)
        self._robots = Robots(folder / "robots", AGENT.partition("/")[0], self._fetch_robots_txt)
        contact = f"+{limits.contact}" if limits.contact else "no contact configured"
        self._agent = f"{AGENT} (AI Safety Literature Explorer; {contact})"

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def fetch(
        self, request: Request, policy: RequestPolicy, validators: Mapping[str, str] | None = None
    ) -> HttpResponse:
        """Send a request, with retries, and return the response.

        Args:
            request: The request.
            policy: How the requests of its feed are made.
            validators: ``etag`` and ``last-modified`` of the stored response; the status may then be 304.

        Raises:
            HttpRequestFailed: There was no usable response.
        """
        hide = policy.secrets.hide
        reasons: list[str] = []
        for attempt in range(1, self._limits.attempts + 1):
            try:
                self._check_address(request, policy)
                response = self._send_following(request, policy, validators or {})
            except _RetryableFailure as failure:
                reasons.append(hide(str(failure)))
                pause = self._limits.backoff_seconds * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311
                pause = min(pause, self._limits.longest_wait_seconds)
                if failure.pause:
                    pause = failure.pause
                    self._pacer.pause_host(failure.host, pause)
                if pause > self._limits.longest_wait_seconds:
                    raise self._build_error(reasons, failure, pause) from failure
                if attempt == min(self._limits.attempts, failure.max_attempts):
                    raise self._build_error(reasons, failure, None) from failure
                self._sleep(pause)
            except (ForbiddenAddress, MissingSecret) as error:
                raise HttpRequestFailed(hide(str(error))) from error
            except HostPaused as paused:
                raise HttpRequestFailed(
                    str(paused), retry_at=dt.datetime.fromtimestamp(paused.until, dt.UTC)
                ) from paused
            except HttpRequestFailed as error:
                error.args = (hide(str(error)),)
                error.content = policy.secrets.hide_bytes(error.content)
                raise
            else:
                content = policy.secrets.hide_bytes(response.content)
                headers = {name: hide(value) for name, value in response.headers.items()}
                return HttpResponse(response.status, content, hide(response.url), headers, attempt)
        raise AssertionError("at least one attempt is made")

    def _build_error(self, reasons: list[str], last: _RetryableFailure, pause: float | None) -> HttpRequestFailed:
        """The error for a request without further attempts, with the reasons of all of them."""
        if pause is not None:
            until = dt.datetime.fromtimestamp(time.time() + pause, dt.UTC).replace(microsecond=0)
            reason = f"{reasons[-1]}; the host requests a pause until {until:%Y-%m-%d %H:%M:%S} UTC"
            return HttpRequestFailed(reason, last.status, retry_at=until)
        times = f" ({len(reasons)} attempts)" if len(reasons) > 1 else ""
        others = [reason for reason in dict.fromkeys(reasons) if reason != reasons[-1]]
        before = f"; before that: {'; '.join(others[:3])}" if others else ""
        return HttpRequestFailed(f"{reasons[-1]}{times}{before}", last.status)

    def _send_following(self, request: Request, policy: RequestPolicy, validators: Mapping[str, str]) -> HttpResponse:
        """Make one attempt, following redirects."""
        url, seen = policy.fill_address(request.url), set[str]()
        for _ in range(MAX_REDIRECTS + 1):
            if url in seen:
                raise HttpRequestFailed(f"redirected in a loop, back to {url}", is_refusal=True)
            seen.add(url)
            crawl_delay = self._check_robots(url) if policy.respects_robots else 0.0
            headers = self._build_headers(request) | policy.build_headers(request, url, validators)
            response = self._send(request, url, headers, crawl_delay, policy.detect_failure)
            if response.status not in _REDIRECT_STATUSES:
                return response
            url = self._resolve_redirect(request, url, response)
        raise HttpRequestFailed(f"redirected more than {MAX_REDIRECTS} times, last to {url}", is_refusal=True)

    def _build_headers(self, request: Request) -> dict[str, str]:
        headers = {"User-Agent": self._agent, "Accept": "*/*", "Accept-Encoding": "gzip"}
        if self._limits.contact and "@" in self._limits.contact:
            headers["From"] = self._limits.contact
        if request.method == "POST":
            headers["Content-Type"] = "application/json"
        return headers

    def _resolve_redirect(self, request: Request, url: str, response: HttpResponse) -> str:
        """Target of a redirect, if it may be followed."""
        status = response.status
        try:
            target = check_web_address(urljoin(url, response.headers["location"]).partition("#")[0])
        except (KeyError, ValueError) as error:
            location = response.headers.get("location", "nowhere")
            raise HttpRequestFailed(f"redirected to {location[:200]}: {error}", status, is_refusal=True) from error
        if urlsplit(url).scheme == "https" and urlsplit(target).scheme == "http":
            raise HttpRequestFailed(f"redirected from https to {target}", status, is_refusal=True)
        self._check_network(url, target)
        if request.method == "POST" and status in {301, 302, 303}:
            raise HttpRequestFailed(f"redirected to {target}, which a POST cannot follow: correct the address", status)
        return target

    def _check_address(self, request: Request, policy: RequestPolicy) -> None:
        """Refuse an invalid or forbidden address: it may come from a response, and so be anything."""
        try:
            self._check_network(policy.home, request.url)
        except ValueError as error:
            raise HttpRequestFailed(f"cannot be requested: {request.url[:200]}: {error}", is_refusal=True) from error

    def _check_network(self, source: str, target: str) -> None:
        """Refuse an address in the user's own network that a public host redirects or links to."""
        if normalize_host_and_port(target) in self._allowed and normalize_host_and_port(source) not in self._allowed:
            raise HttpRequestFailed(f"a public host led into your own network, to {target}", is_refusal=True)

    def _check_robots(self, url: str) -> float:
        """Seconds between requests by the host's robots.txt, if it allows the address."""
        rules = self._robots.get_rules(url)
        if not rules.is_allowed:
            raise HttpRequestFailed(f"{urlsplit(url).hostname} disallows {url} in its robots.txt")
        return rules.crawl_delay_seconds

    def _fetch_robots_txt(self, url: str) -> tuple[int, bytes]:
        """Status and text of a robots.txt, in a single attempt: the request that needs it is retried."""
        request, policy = Request(url, "robots.txt"), RequestPolicy(url, respects_robots=False)
        try:
            response = self._send_following(request, policy, {})
        except HttpRequestFailed as error:
            if error.status is not None and 400 <= error.status < 500 and error.status != 429:
                return error.status, b""
            raise HttpRequestFailed(f"robots.txt could not be read: {error}", error.status) from error
        return response.status, response.content

    def _send(
        self,
        request: Request,
        url: str,
        headers: dict[str, str],
        crawl_delay: float,
        detect_failure: Callable[[bytes], str | None],
    ) -> HttpResponse:
        """Send one request and read its response, without following redirects."""
        limits = self._limits
        timeout = {"connect": limits.connect_seconds, "read": limits.read_seconds, "write": limits.read_seconds}
        body = json.dumps(request.body).encode() if request.body is not None else None
        try:
            outgoing = httpx.Request(
                request.method, url, headers=headers, content=body, extensions={"timeout": timeout}
            )
            host = urlsplit(url).hostname or ""
            turn = self._pacer.wait_turn(host, crawl_delay, limits.longest_wait_seconds)
            with turn, limit_total_time(limits.total_seconds):
                incoming = self._transport.handle_request(outgoing)
                try:
                    return self._read_response(incoming, url, detect_failure)
                finally:
                    incoming.close()
        except httpx.TimeoutException as error:
            raise _RetryableFailure(f"no complete response in time ({error or type(error).__name__})") from error
        except httpx.ConnectError as error:
            causes = _list_causes(error)
            if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
                raise HttpRequestFailed(f"its certificate is invalid ({error})") from error
            max_attempts = 2 if any(isinstance(cause, NameNotFound) for cause in causes) else 99
            raise _RetryableFailure(f"cannot be reached: {error}", max_attempts=max_attempts) from error
        except (httpx.RemoteProtocolError, httpx.NetworkError) as error:
            raise _RetryableFailure(f"an incomplete or malformed response ({error or type(error).__name__})") from error
        except httpx.LocalProtocolError as error:  # its text would quote a header, which may be a secret
            raise HttpRequestFailed("cannot be requested: a header has a character that is not allowed") from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:
            raise HttpRequestFailed(f"cannot be requested: {error}") from error

    def _read_response(
        self, incoming: httpx.Response, url: str, detect_failure: Callable[[bytes], str | None]
    ) -> HttpResponse:
        status = incoming.status_code
        headers = {name: incoming.headers[name] for name in _KEPT_HEADERS if name in incoming.headers}
        if status == 304:
            return HttpResponse(status, b"", url, headers)
        if status in _REDIRECT_STATUSES:
            location = incoming.headers.get("location")
            return HttpResponse(status, b"", url, {} if location is None else {"location": location})
        if 200 <= status < 300 and status != 206:
            return HttpResponse(status, _read_body(incoming, int(self._limits.largest_megabytes * 2**20)), url, headers)
        try:
            content = _read_body(incoming, _MAX_ERROR_PAGE_BYTES)
        except HttpRequestFailed:
            content = b""
        failure = detect_failure(content) if content else None
        reason = f"HTTP status {status}" + (f": {failure}" if failure else "")
        if status in _RETRYABLE_STATUSES and not (failure and "bot wall" in failure):
            pause = parse_retry_after(incoming.headers.get("retry-after"))
            if pause and pause > MAX_PAUSE_SECONDS:
                reason += f"; the host requests a pause of {pause / 86400:,.0f} days, limited to 1 day"
                pause = MAX_PAUSE_SECONDS
            raise _RetryableFailure(reason, status=status, pause=pause, host=urlsplit(url).hostname or "")
        raise HttpRequestFailed(reason, status, content=content, is_refusal=bool(failure))


def _list_causes(error: BaseException) -> list[BaseException]:
    """An error and its chain of causes."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and cause not in causes:
        causes.append(cause)
    return causes


def _read_body(incoming: httpx.Response, max_bytes: int) -> bytes:
    """The decompressed body of a response; both the received and the decompressed bytes are limited while reading.

    Raises:
        HttpRequestFailed: It is too large, or compressed in an unsupported way.
        _RetryableFailure: It is damaged or incomplete.
    """
    encoding = incoming.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "", "gzip", "x-gzip"}:
        raise HttpRequestFailed(f"unsupported content encoding {encoding[:40]!r}", incoming.status_code)
    if (length := incoming.headers.get("content-length", "")).isdigit() and int(length) > max_bytes:
        raise HttpRequestFailed(f"a response of {int(length):,} bytes (at most {max_bytes:,})", is_refusal=True)
    decompressor = zlib.decompressobj(wbits=31) if encoding in {"gzip", "x-gzip"} else None
    parts, received_bytes, decompressed_bytes = [], 0, 0
    try:
        for chunk in incoming.iter_raw():
            received_bytes += len(chunk)
            rest = chunk
            while rest:
                if decompressor is None:
                    part, rest = rest, b""
                else:
                    if decompressor.eof:  # gzip data may have several members
                        decompressor = zlib.decompressobj(wbits=31)
                    part = decompressor.decompress(rest, max_bytes + 1 - decompressed_bytes)
                    rest = decompressor.unconsumed_tail or decompressor.unused_data
                parts.append(part)
                decompressed_bytes += len(part)
                if decompressed_bytes > max_bytes or received_bytes > max_bytes:
                    compressed = f" ({received_bytes:,} compressed)" if decompressor else ""
                    raise HttpRequestFailed(f"a response of over {max_bytes:,} bytes{compressed}", is_refusal=True)
    except zlib.error as error:
        raise _RetryableFailure(f"the response is damaged ({error})") from error
    if decompressor is not None and received_bytes and not decompressor.eof:
        raise _RetryableFailure("the response ended within its gzip data")
    return b"".join(parts)
