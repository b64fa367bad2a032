"""The robots.txt of hosts (RFC 9309), cached for a day."""

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

_CACHE_SECONDS = 24 * 3600
_MAX_BYTES = 500 * 1024
_MAX_DELAY_SECONDS = 60.0


@dataclass(frozen=True)
class HostRules:
    """The rules for one address."""

    is_allowed: bool
    crawl_delay_seconds: float


class Robots:
    """The robots.txt of all hosts.

    Args:
        folder: Folder of the cache.
        agent: User agent that a robots.txt may name.
        fetch_text: Fetches a robots.txt: status and bytes; a status of 400 to 499 means that there is none.
    """

    def __init__(self, folder: Path, agent: str, fetch_text: Callable[[str], tuple[int, bytes]]) -> None:
        self._folder, self._agent, self._fetch_text = folder, agent, fetch_text
        self._cache: dict[str, tuple[float, Protego]] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def get_rules(self, url: str) -> HostRules:
        """The rules of a host for an address; without a robots.txt everything is allowed."""
        parts = urlsplit(url)
        host = f"{parts.scheme}://{parts.netloc}"
        with self._locks[host]:
            cached = self._cache.get(host)
            if cached is None or cached[0] < time.time() - _CACHE_SECONDS:
                cached = self._cache[host] = self._load_robots(host)
        _, robots = cached
        delay_seconds = min(float(robots.crawl_delay(self._agent) or 0.0), _MAX_DELAY_SECONDS)
        return HostRules(robots.can_fetch(url, self._agent), delay_seconds)

    def _load_robots(self, host: str) -> tuple[float, Protego]:
        """When the robots.txt of a host was fetched, in seconds since 1970, and its rules."""
        path = self._folder / f"{re.sub(r'[^a-z0-9.-]', '_', host.lower())[:150]}.json"
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            stored = json.loads(path.read_text(encoding="utf-8"))
            if time.time() - _CACHE_SECONDS <= stored["fetched_at"] <= time.time():
                return stored["fetched_at"], Protego.parse(stored["text"])
        status, content = self._fetch_text(f"{host}/robots.txt")
        text = content[:_MAX_BYTES].decode("utf-8", "replace") if status < 400 else ""
        fetched_at = time.time()
        replace_file(path, json.dumps({"fetched_at": fetched_at, "status": status, "text": text}).encode())
        return fetched_at, Protego.parse(text)
