"""What hosts ask of programs in their robots.txt (RFC 9309), kept for a day."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from protego import Protego

from warehouse.lake import replace_file

_KEPT_SECONDS = 24 * 3600
_MOST_BYTES = 500 * 1024
_LONGEST_DELAY = 60.0


@dataclass(frozen=True)
class Rule:
    """What holds for one address: whether it may be read, and how many seconds to leave between requests."""

    allows: bool
    crawl_delay: float


class Robots:
    """The rules of all hosts.

    Args:
        folder: Where the texts are kept.
        agent: The name by which a robots.txt may call this program.
        ask: Gives status and bytes of a robots.txt; a status of 400 to 499 means that there is none.
    """

    def __init__(self, folder: Path, agent: str, ask: Callable[[str], tuple[int, bytes]]) -> None:
        self._folder, self._agent, self._ask = folder, agent, ask
        self._known: dict[str, tuple[float, Protego]] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def rule(self, url: str) -> Rule:
        """What the host of an address says about it; without a robots.txt everything may be read."""
        parts = urlsplit(url)
        place = f"{parts.scheme}://{parts.netloc}"
        with self._locks[place]:
            held = self._known.get(place)
            if held is None or held[0] < time.time() - _KEPT_SECONDS:
                held = self._known[place] = self._fresh(place)
        delay = held[1].crawl_delay(self._agent) or 0.0
        return Rule(held[1].can_fetch(url, self._agent), min(float(delay), _LONGEST_DELAY))

    def _fresh(self, place: str) -> tuple[float, Protego]:
        path = self._folder / f"{re.sub(r'[^a-z0-9.-]', '_', place.lower())[:150]}.json"
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads(path.read_text(encoding="utf-8"))
            if time.time() - _KEPT_SECONDS <= kept["asked_at"] <= time.time():
                return kept["asked_at"], Protego.parse(kept["text"])
        status, content = self._ask(f"{place}/robots.txt")
        text = content[:_MOST_BYTES].decode("utf-8", "replace") if status < 400 else ""
        asked_at = time.time()
        replace_file(path, json.dumps({"asked_at": asked_at, "status": status, "text": text}).encode())
        return asked_at, Protego.parse(text)
