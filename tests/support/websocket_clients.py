"""Readers of the pages without a browser: each speaks to the server over a websocket of its own, as a browser does.

So fifty of them can read at once on a small machine, and what each was shown can be compared to the letter.
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

PATIENCE_SECONDS = 60.0
_AS_OF = re.compile(r"(?:[Dd]ata as of|on) release (v\d+)")


@dataclass
class View:
    """What one look at a page showed.

    Args:
        address: The page and what it was asked for, such as ``trends?view=lines``.
        seconds: From asking until the server had no more to say.
        releases: Names of the releases that its parts say they are of.
        digest: A hash of all texts, tables and charts in their places; two looks with one digest showed the same.
        faults: What went wrong: exceptions on the page, or that it was not read to its end.
    """

    address: str
    seconds: float
    releases: frozenset[str]
    digest: str
    faults: tuple[str, ...]


@dataclass
class Reader:
    """One session of a server.

    Args:
        server: Address of the server.
    """

    server: str
    views: list[View] = field(default_factory=list)
    _socket: ClientConnection | None = None
    _context: Any = None

    def look(self, address: str) -> View:
        """Open a page by its address, in the session that is there already, and read it to its end."""
        started = time.monotonic()
        if self._socket is None:
            url = urlsplit(self.server)
            self._socket = connect(
                f"ws://{url.netloc}/_stcore/stream", subprotocols=["streamlit"], max_size=None, open_timeout=60
            )
        page, _, query = address.partition("?")
        asked = BackMsg()
        asked.rerun_script.query_string = query
        asked.rerun_script.page_name = page
        asked.rerun_script.context_info.url = f"{self.server}{address}"
        asked.rerun_script.context_info.timezone = "UTC"
        self._socket.send(asked.SerializeToString())
        shown: dict[tuple[int, ...], str] = {}
        faults: list[str] = []
        try:
            while True:
                message = ForwardMsg.FromString(self._socket.recv(timeout=PATIENCE_SECONDS, decode=False))
                kind = message.WhichOneof("type")
                if kind == "delta":
                    self._take(message, shown, faults)
                elif kind == "page_not_found":
                    faults.append(f"no page {page}")
                elif kind == "script_finished":
                    if message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                        break
                    faults.append(f"ended with {message.script_finished}")
                    break
        except TimeoutError:
            faults.append("not read to its end")
        texts = "\n".join(f"{place} {text}" for place, text in sorted(shown.items()))
        digest = hashlib.sha256(texts.encode()).hexdigest()
        view = View(address, time.monotonic() - started, frozenset(_AS_OF.findall(texts)), digest, tuple(faults))
        self.views.append(view)
        return view

    def close(self) -> None:
        """End the session."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _take(self, message: ForwardMsg, shown: dict[tuple[int, ...], str], faults: list[str]) -> None:
        """Note what an element shows, in its place."""
        if message.delta.WhichOneof("type") != "new_element":
            return
        element = message.delta.new_element
        kind = element.WhichOneof("type")
        place = tuple(message.metadata.delta_path)
        told = getattr(element, kind) if kind else None
        if kind == "exception":
            faults.append(f"{told.type}: {told.message}")
        elif kind in ("markdown", "heading", "text", "alert"):
            shown[place] = told.body
        elif kind == "code":
            shown[place] = told.code_text
        elif kind == "dataframe":
            shown[place] = hashlib.sha256(told.arrow_data.data).hexdigest()
        elif kind == "vega_lite_chart":
            rows = b"".join(one.data.data for one in told.datasets)
            shown[place] = hashlib.sha256(told.spec.encode() + rows).hexdigest()


def read_at_once(server: str, addresses: Sequence[str], sessions: int, is_over: threading.Event) -> list[View]:
    """All that so many sessions see who go through the pages, each beginning at another one, until it is over.

    Raises:
        OSError: A session was refused or broken off; so are errors of the websocket.
    """
    readers = [Reader(server) for _ in range(sessions)]
    failures: list[Exception] = []

    def reading(reader: Reader, place: int) -> None:
        try:
            while not is_over.is_set():
                reader.look(addresses[place % len(addresses)])
                place += 1
        except Exception as error:
            failures.append(error)
        finally:
            reader.close()

    threads = [
        threading.Thread(target=reading, args=(reader, place), daemon=True) for place, reader in enumerate(readers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise OSError(f"{len(failures)} of {sessions} sessions broke off: {failures[0]!r}") from failures[0]
    return [view for reader in readers for view in reader.views]


def mixtures(views: Sequence[View]) -> list[str]:
    """Looks that showed two releases at once, or something else than others of the same page and release did.

    What a query of one's own took, or that it still runs, is another thing at each look; and the overview tells what
    is new since the release that its reader saw first.
    """
    mixed = [f"{view.address} shows {sorted(view.releases)}" for view in views if len(view.releases) > 1]
    seen: dict[tuple[str, frozenset[str]], set[str]] = defaultdict(set)
    for view in views:
        if view.releases and view.address and not view.address.startswith("sql"):
            seen[view.address, view.releases].add(view.digest)
    several = [
        f"{address}, {sorted(of)}: {len(all_)} different" for (address, of), all_ in seen.items() if len(all_) > 1
    ]
    return [*mixed, *several]
