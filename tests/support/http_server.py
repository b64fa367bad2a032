"""A local HTTP server for tests, which can misbehave on purpose (faults)."""

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
class ServerRequest:
    """A received request; names of headers are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class ServerResponse:
    """A response to send; ``fault`` is one of `TRANSIENT_FAULTS` or `LASTING_FAULTS`."""

    content: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    fault: str | None = None


Responder = Callable[[ServerRequest], ServerResponse]


class HttpServer:
    """A running server; `requests` has what it received.

    Args:
        respond: Gives the response to each request except for robots.txt.
        robots: Text of robots.txt; none for 404.
    """

    def __init__(self, respond: Responder, robots: str | None = None) -> None:
        self.respond, self.robots = respond, robots
        self.requests: list[ServerRequest] = []
        self.max_concurrent = 0
        self._concurrent = 0
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                with suppress(OSError):
                    server._handle(self)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # clients may close connections at any time
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        request = ServerRequest(handler.command, parts.path, dict(parse_qsl(parts.query)), headers, body)
        with self._lock:
            self.requests.append(request)
            self._concurrent += 1
            self.max_concurrent = max(self.max_concurrent, self._concurrent)
        try:
            if parts.path == "/robots.txt":
                is_missing = self.robots is None
                response = ServerResponse((self.robots or "").encode(), 404 if is_missing else 200)
            else:
                response = self.respond(request)
            _send(handler, response, self.url)
        finally:
            with self._lock:
                self._concurrent -= 1

    def count(self, path: str) -> int:
        """Number of requests for a path."""
        return sum(request.path == path for request in self.requests)


@contextmanager
def serve_http(respond: Responder, robots: str | None = None) -> Iterator[HttpServer]:
    """Run a server in this block."""
    server = HttpServer(respond, robots)
    server._thread.start()
    try:
        yield server
    finally:
        server._server.shutdown()
        server._server.server_close()


def _apply_fault(response: ServerResponse, url: str) -> ServerResponse:
    """The response, or the one that replaces it for a fault that is a response itself."""
    now = formatdate(time.time(), usegmt=True)
    return {
        "error": ServerResponse(b"broken", 500),
        "busy": ServerResponse(b"", 429, {"Retry-After": "0"}),
        "busy_until": ServerResponse(b"", 503, {"Retry-After": now}),
        "redirect_loop": ServerResponse(b"", 302, {"Location": url}),
        "page": ServerResponse(HTML_PAGE, response.status, {"Content-Type": "text/html"}),
        "bomb": ServerResponse(BOMB, 200, {"Content-Encoding": "gzip"}),
    }.get(response.fault or "", response)


def _send_slowly(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    for number in range(len(content)):
        handler.wfile.write(content[number : number + 1])
        handler.wfile.flush()
        time.sleep(0.05)


def _send(handler: BaseHTTPRequestHandler, response: ServerResponse, url: str) -> None:
    fault, response = response.fault, _apply_fault(response, f"{url}{handler.path}")
    content = response.content
    handler.close_connection = fault in {"silence", "hang_up", "slow_head", "cut", "cut_chunks"}
    if fault in {"silence", "hang_up"}:
        time.sleep(1.2 if fault == "silence" else 0)
        return
    if fault == "slow_head":
        _send_slowly(handler, b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 200)
        return
    handler.send_response(response.status)
    for name, value in response.headers.items():
        handler.send_header(name, value)
    if fault == "cut_chunks":
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(f"{len(content):x}\r\n".encode() + content[: len(content) // 2])
        return
    has_body = response.status not in {204, 304}
    if has_body:
        handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    if fault == "drip":
        _send_slowly(handler, content)
    elif has_body:
        handler.wfile.write(content[: len(content) // 2] if fault == "cut" else content)


# faults that a retry overcomes, and faults that end a session until the next fetch
TRANSIENT_FAULTS = ("error", "busy", "busy_until", "silence", "hang_up", "cut", "cut_chunks", "drip", "slow_head")
LASTING_FAULTS = ("redirect_loop", "page", "bomb")
