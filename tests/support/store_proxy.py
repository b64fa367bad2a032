"""A proxy in front of an object store, which refuses or delays requests, to see what a lake does then."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# the status to answer with instead of passing a request on, given its method and its path with the query
Interference = Callable[[str, str], int | None]
_OF_ONE_CONNECTION = {"connection", "transfer-encoding", "keep-alive"}


@contextlib.contextmanager
def serve_proxy(endpoint: str, interfere: Interference, lose: Interference | None = None) -> Generator[str]:
    """Pass requests on to an endpoint, as signed for the address of the proxy; yields that address.

    Args:
        endpoint: The endpoint.
        interfere: What is not passed on.
        lose: What is passed on, but has its answer replaced by a status.
    """
    target = urlsplit(endpoint).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_request(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status = interfere(self.command, self.path)
            if status is not None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            connection = http.client.HTTPConnection(target, timeout=60)
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(content)
            response = connection.getresponse()
            answer = response.read()
            lost = lose(self.command, self.path) if lose else None
            if lost is not None:
                connection.close()
                self.send_response(lost)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() not in {*_OF_ONE_CONNECTION, "content-length"}:
                    self.send_header(name, value)
            length = response.getheader("Content-Length") if self.command == "HEAD" else str(len(answer))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            self.wfile.write(answer)
            connection.close()

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_request  # noqa: N815 - names of the library

        def log_message(self, *_: object) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None: ...  # a client that was killed

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
