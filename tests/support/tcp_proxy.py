"""A proxy of connections in front of a server, to cut them and refuse new ones."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Generator
from contextlib import suppress


class TcpProxy:
    """Passes bytes on in both directions.

    Args:
        target: Host and port of the server.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target, self._listener = target, socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.cuts = 0
        self._open: list[socket.socket] = []
        self._is_refusing = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, *, is_refusing: bool = False) -> None:
        """Cut all connections, and refuse new ones from now on, or take them again."""
        self._is_refusing = is_refusing
        opened, self._open = self._open, []
        for connection in opened:
            self.cuts += 1
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def close(self) -> None:
        """Cut all connections and end."""
        self.cut(is_refusing=True)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._is_refusing:
                    client.close()
                    continue
                server = socket.create_connection(self._target)
                self._open += [client, server]
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while content := source.recv(65536):
                sink.sendall(content)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def serve_tcp_proxy(host: str, port: int) -> Generator[TcpProxy]:
    """A proxy in front of a server, ended afterwards."""
    proxy = TcpProxy((host, port))
    try:
        yield proxy
    finally:
        proxy.close()
