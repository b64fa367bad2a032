"""Clients of the dashboard server without a browser: each reads pages over its own websocket, as a browser does.

Fifty of them fit on a small machine, and what they were shown can be compared byte by byte.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

TIMEOUT_SECONDS = 60.0
_AS_OF = re.compile(r"(?:[Dd]ata as of|on) release (v\d+)")


@dataclass
class PageView:
    """One rendering of a page.

    Args:
        address: The page and its query string, such as ``trends?view=lines``.
        seconds: From the request until the page was complete.
        releases: Names of the releases that its parts were made from.
        digest: A hash of all texts, tables and charts and their positions; equal digests mean equal content.
        errors: Exceptions on the page, or why it is incomplete.
    """

    address: str
    seconds: float
    releases: frozenset[str]
    digest: str
    errors: tuple[str, ...]


@dataclass
class PageReader:
    """One session of a dashboard server.

    Args:
        server: Address of the server.
    """

    server: str
    views: list[PageView] = field(default_factory=list)
    _socket: ClientConnection | None = None
    _context: Any = None

    def read_page(self, address: str) -> PageView:
        """Open a page by its address in this session, and read it completely."""
        started = time.monotonic()
        if self._socket is None:
            url = urlsplit(self.server)
            self._socket = connect(
                f"ws://{url.netloc}/_stcore/stream", subprotocols=["streamlit"], max_size=None, open_timeout=60
            )
        page, _, query = address.partition("?")
        request = BackMsg()
        request.rerun_script.query_string = query
        request.rerun_script.page_name = page
        request.rerun_script.context_info.url = f"{self.server}{address}"
        request.rerun_script.context_info.timezone = "UTC"
        self._socket.send(request.SerializeToString())
        elements: dict[tuple[int, ...], str] = {}
        errors: list[str] = []
        try:
            while True:
                message = ForwardMsg.FromString(self._socket.recv(timeout=TIMEOUT_SECONDS, decode=False))
                kind = message.WhichOneof("type")
                if kind == "delta":
                    self._read_element(message, elements, errors)
                elif kind == "page_not_found":
                    errors.append(f"no page {page}")
                elif kind == "script_finished":
                    if message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                        break
                    errors.append(f"ended with {message.script_finished}")
                    break
        except TimeoutError:
            errors.append("timed out before the page was complete")
        texts = "\n".join(f"{place} {text}" for place, text in sorted(elements.items()))
        digest = hashlib.sha256(texts.encode()).hexdigest()
        view = PageView(address, time.monotonic() - started, frozenset(_AS_OF.findall(texts)), digest, tuple(errors))
        self.views.append(view)
        return view

    def close(self) -> None:
        """End the session."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _read_element(self, message: ForwardMsg, elements: dict[tuple[int, ...], str], errors: list[str]) -> None:
        """Record the content of an element by its position."""
        if message.delta.WhichOneof("type") != "new_element":
            return
        element = message.delta.new_element
        kind = element.WhichOneof("type")
        place = tuple(message.metadata.delta_path)
        content = getattr(element, kind) if kind else None
        if kind == "exception":
            errors.append(f"{content.type}: {content.message}")
        elif kind in ("markdown", "heading", "text", "alert"):
            elements[place] = content.body
        elif kind == "code":
            elements[place] = content.code_text
        elif kind == "dataframe":
            elements[place] = hashlib.sha256(content.arrow_data.data).hexdigest()
        elif kind == "vega_lite_chart":
            rows = b"".join(dataset.data.data for dataset in content.datasets)
            elements[place] = hashlib.sha256(content.spec.encode() + rows).hexdigest()


def read_concurrently(
    server: str, addresses: Sequence[str], sessions: int, is_stopped: threading.Event, views: list[PageView]
) -> None:
    """Read pages in several sessions at once, each starting at another page, until stopped.

    Every page view is added to ``views`` when it is complete.

    Raises:
        OSError: A session was refused or lost its connection.
    """
    readers = [PageReader(server) for _ in range(sessions)]
    failures: list[Exception] = []

    def read_pages(reader: PageReader, place: int) -> None:
        try:
            while not is_stopped.is_set():
                views.append(reader.read_page(addresses[place % len(addresses)]))
                place += 1
        except Exception as error:
            failures.append(error)
        finally:
            reader.close()

    threads = [
        threading.Thread(target=read_pages, args=(reader, place), daemon=True) for place, reader in enumerate(readers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise OSError(f"{len(failures)} of {sessions} sessions failed: {failures[0]!r}") from failures[0]


def find_inconsistent_views(views: Sequence[PageView]) -> list[str]:
    """Describe views that mix two releases, or differ from other views of the same page and release.

    The SQL page shows run times, which differ each time; the overview shows what is new since the release that the session
    saw first.
    """
    mixed = [f"{view.address} shows {sorted(view.releases)}" for view in views if len(view.releases) > 1]
    digests: dict[tuple[str, frozenset[str]], set[str]] = defaultdict(set)
    for view in views:
        if view.releases and view.address and not view.address.startswith("sql"):
            digests[view.address, view.releases].add(view.digest)
    differing = [
        f"{address}, {sorted(releases)}: {len(variants)} different"
        for (address, releases), variants in digests.items()
        if len(variants) > 1
    ]
    return [*mixed, *differing]
