"""A web server of this machine for tests: it replays what it is given, and misbehaves on purpose."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

HTML_PAGE = b"<!doctype html><html><head><title>Just a moment...</title></head><body>Please wait.</body></html>"
BOMB = gzip.compress(bytes(80 * 2**20), 9)


@dataclass
class Asked:
    """A request as it came: method, path without query, query, headers in lower case, body."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Given:
    """What is answered; ``fault`` names a way of misbehaving."""

    content: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    fault: str | None = None


Answering = Callable[[Asked], Given]


class Place:
    """A server while it runs.

    Args:
        answering: Gives the answer to each request but those for robots.txt.
        robots: Text of its robots.txt; none for 404.
    """

    def __init__(self, answering: Answering, robots: str | None = None) -> None:
        self.answering, self.robots = answering, robots
        self.asked: list[Asked] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        place = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                with suppress(OSError):
                    place._handle(self)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Nothing is said."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # a client may hang up whenever it likes
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        asked = Asked(handler.command, parts.path, dict(parse_qsl(parts.query)), headers, body)
        with self._lock:
            self.asked.append(asked)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if parts.path == "/robots.txt":
                given = Given(self.robots.encode()) if self.robots is not None else Given(b"", 404)
            else:
                given = self.answering(asked)
            _send(handler, given, self.url)
        finally:
            with self._lock:
                self._at_once -= 1

    def count(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(asked.path == path for asked in self.asked)


@contextmanager
def served(answering: Answering, robots: str | None = None) -> Iterator[Place]:
    """A server for the time of a block."""
    place = Place(answering, robots)
    place._thread.start()
    try:
        yield place
    finally:
        place._server.shutdown()
        place._server.server_close()


def _instead(given: Given, here: str) -> Given:
    """What comes in the place of a good answer, for the faults that are answers themselves."""
    now = formatdate(time.time(), usegmt=True)
    return {
        "error": Given(b"broken", 500),
        "busy": Given(b"", 429, {"Retry-After": "0"}),
        "busy_until": Given(b"", 503, {"Retry-After": now}),
        "circle": Given(b"", 302, {"Location": here}),
        "page": Given(HTML_PAGE, given.status, {"Content-Type": "text/html"}),
        "bomb": Given(BOMB, 200, {"Content-Encoding": "gzip"}),
    }.get(given.fault or "", given)


def _drip(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    for number in range(len(content)):
        handler.wfile.write(content[number : number + 1])
        handler.wfile.flush()
        time.sleep(0.05)


def _send(handler: BaseHTTPRequestHandler, given: Given, url: str) -> None:
    fault, given = given.fault, _instead(given, f"{url}{handler.path}")
    content = given.content
    handler.close_connection = fault in {"silence", "hang_up", "slow_head", "cut", "cut_chunks"}
    if fault in {"silence", "hang_up"}:
        time.sleep(1.2 if fault == "silence" else 0)
        return
    if fault == "slow_head":
        _drip(handler, b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 200)
        return
    handler.send_response(given.status)
    for name, value in given.headers.items():
        handler.send_header(name, value)
    if fault == "cut_chunks":
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(f"{len(content):x}\r\n".encode() + content[: len(content) // 2])
        return
    has_body = given.status not in {204, 304}
    if has_body:
        handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    if fault == "drip":
        _drip(handler, content)
    elif has_body:
        handler.wfile.write(content[: len(content) // 2] if fault == "cut" else content)


# those that trying again helps against, and those that end a conversation until the next fetch
PASSING = ("error", "busy", "busy_until", "silence", "hang_up", "cut", "cut_chunks", "drip", "slow_head")
ENDING = ("circle", "page", "bomb")
