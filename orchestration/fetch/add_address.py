"""Adding what an address gives, once: as the feed that is followed there, if there is one, else as what it shows."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from orchestration.fetch.config import Configuration, Followed, read_configuration, web_address
from orchestration.fetch.credentials import Secrets, names_in
from orchestration.fetch.http import Client, Manner
from orchestration.ingest.parser_process import failure_in_bytes
from orchestration.ingest.snapshots import Taken, add_answer
from orchestration.sources.shared.fetch_plan import Request, Since
from orchestration.sources.sheet.google_sheet import export_address
from warehouse.lake import Lake

_PORTS = {"http": 80, "https": 443}


def add_address(
    lake: Lake, address: str, hints: Mapping[str, str], environment: Mapping[str, str] = os.environ
) -> Taken:
    """Ask an address once and take in what it gives.

    Where a feed of the configuration has this address, it is asked and read as that feed is: with its headers, its
    settings and its name, so that the records are the same as those of `aisle fetch`. Where the feed stands is not
    changed by that. Secrets may stand in the address as ``${NAME}``.

    Args:
        lake: The lake.
        address: The address; any of a Google sheet's.
        hints: What is known of the document besides.
        environment: Where secrets are.

    Raises:
        NotFetched: It gave nothing that can be used, or a variable that it needs is not set.
        Refused: No source can take it, or not the one of the feed.
        ValueError: It is no address that can be asked once, or the configuration cannot be used.
    """
    configuration = read_configuration(lake)
    url = export_address(web_address(address.partition("#")[0] if "docs.google.com" not in address else address))
    asked = _as_followed(configuration, url)
    request, followed = asked or (Request(url, url), None)
    told = [request.url, *request.headers.values()]
    facts: dict[str, Any] = {}
    home, headers, heeds_robots = url, {}, True
    if followed:
        told += [followed.url, json.dumps(followed.settings, default=str), *followed.headers.values()]
        hints = {**request.hints, **hints, "feed": followed.name, "feed_url": followed.url}
        facts = {"source": followed.source, **({"licence": followed.licence} if followed.licence else {})}
        home, headers, heeds_robots = followed.url, followed.headers, followed.robots == "respect"
    manner = Manner(home, headers, Secrets(names_in(*told), environment), heeds_robots, failure_in_bytes)
    client = Client(configuration.fetch, configuration.hosts, lake.root / "fetch")
    try:
        reply = client.fetch(request, manner)
    finally:
        client.close()
    facts |= {"http_status": reply.status, "headers": dict(reply.headers), "hints": dict(hints)}
    return add_answer(lake, reply.content, request.name, reply.url, **facts)


def _as_followed(configuration: Configuration, url: str) -> tuple[Request, Followed] | None:
    """How the feed that has this address asks it, if there is one.

    Raises:
        ValueError: The feed asks more than this address, or there are several; the text says what to do.
    """
    same = [followed for followed in configuration.feeds.values() if _is_same(url, followed.url)]
    direct = []
    for followed in same:
        fetch = followed.kind.fetch
        conversation = fetch(followed.feed, Since(None, dt.datetime.now(dt.UTC))) if fetch else None
        request = next(conversation) if conversation else None
        if request and request.is_kept and request.method == "GET" and _is_same(url, request.url):
            direct.append((request, followed))
        if conversation:
            conversation.close()
    if same and len(direct) != 1:
        names = [followed.name for followed in same]
        why = f"of the feeds {', '.join(names)}" if len(names) > 1 else f"of the feed {names[0]}, which asks for more"
        raise ValueError(f"this is the address {why}: ask with aisle fetch {' or '.join(names)}")
    return direct[0] if direct else None


def _is_same(url: str, followed: str) -> bool:
    """Whether an address is that of a feed; parameters of the feed that are secrets need not be given."""
    try:
        followed = export_address(followed)
    except ValueError:
        return False
    return _bare(url) in (_bare(followed), _bare(followed, without_secrets=True))


def _bare(url: str, *, without_secrets: bool = False) -> tuple[object, ...]:
    parts = urlsplit(url)
    query = parts.query
    if without_secrets:
        query = urlencode([one for one in parse_qsl(query, keep_blank_values=True) if not re.search(r"\$\{", one[1])])
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme), parts.path or "/", query
