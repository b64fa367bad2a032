"""``aisle add`` of a web address: one request, made as the feed with that address, if there is one."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from orchestration.fetch.config import Configuration, FeedConfig, check_web_address, read_configuration
from orchestration.fetch.http import HttpClient
from orchestration.fetch.request_policy import build_policy
from orchestration.ingest.snapshots import AddedFile, add_response
from orchestration.ingest.table_columns import ConfirmColumns
from orchestration.sources.shared.fetch_plan import FetchCursor, Request
from orchestration.sources.sheet.google_sheet import build_export_address
from warehouse.lake import Lake

_PORTS = {"http": 80, "https": 443}


def add_address(
    lake: Lake,
    address: str,
    hints: Mapping[str, str],
    environment: Mapping[str, str] = os.environ,
    *,
    confirm_columns: ConfirmColumns | None = None,
) -> AddedFile:
    """Fetch one address and add the response to the lake as a snapshot.

    If a feed of the configuration has this address, its headers, settings and name are used, so that the records are
    the same as those of `aisle fetch`; the state of the feed does not change.

    Args:
        lake: The lake.
        address: The address, with secrets as ``${NAME}``; any address of a Google sheet.
        hints: Further hints for the parser.
        environment: Environment variables with the values of secrets.
        confirm_columns: Confirms the columns that a table probably has; without it only sure ones are taken.

    Raises:
        HttpRequestFailed: There was no usable response, or a secret is not set.
        DocumentRefused: No source can read the response, or not the source of the feed.
        ValueError: The address or the configuration is invalid, or the address needs `aisle fetch`.
    """
    configuration = read_configuration(lake)
    url = build_export_address(
        check_web_address(address.partition("#")[0] if "docs.google.com" not in address else address)
    )
    request, feed = _find_feed_request(configuration, url) or (Request(url, url), None)
    client = HttpClient(configuration.fetch, configuration.hosts, lake.root / "fetch")
    try:
        response = client.fetch(request, build_policy(request, environment, feed))
    finally:
        client.close()
    facts: dict[str, Any] = {"http_status": response.status, "headers": dict(response.headers), "hints": dict(hints)}
    if feed:
        facts["hints"] = {**request.hints, **hints, "feed": feed.name, "feed_url": feed.url}
        facts |= {"source": feed.source, **({"licence": feed.licence} if feed.licence else {})}
    return add_response(lake, response.content, request.name, response.url, confirm_columns=confirm_columns, **facts)


def _find_feed_request(configuration: Configuration, url: str) -> tuple[Request, FeedConfig] | None:
    """The feed with an address, and its request for it; none if no feed has the address.

    Raises:
        ValueError: Several feeds have it, or the feed needs further requests; the text names the command to use.
    """
    feeds = [feed for feed in configuration.feeds.values() if _is_address_of(url, feed.url)]
    direct = []
    for feed in feeds:
        fetch = feed.kind.fetch
        plan = fetch(feed.source_feed, FetchCursor(None, dt.datetime.now(dt.UTC))) if fetch else None
        request = next(plan) if plan else None
        if request and request.is_kept and request.method == "GET" and _is_address_of(url, request.url):
            direct.append((request, feed))
        if plan:
            plan.close()
    if feeds and len(direct) != 1:
        names = [feed.name for feed in feeds]
        why = f"of the feeds {', '.join(names)}" if len(names) > 1 else f"of the feed {names[0]}, which needs more"
        raise ValueError(f"this is the address {why}: use aisle fetch {' or '.join(names)}")
    return direct[0] if direct else None


def _is_address_of(url: str, feed_url: str) -> bool:
    """Whether a URL is that of a feed, with or without the feed's secret parameters."""
    try:
        feed_url = build_export_address(feed_url)
    except ValueError:
        return False
    return _normalize_address(url) in (_normalize_address(feed_url), _normalize_address(feed_url, without_secrets=True))


def _normalize_address(url: str, *, without_secrets: bool = False) -> tuple[object, ...]:
    parts = urlsplit(url)
    query = parts.query
    if without_secrets:
        parameters = parse_qsl(query, keep_blank_values=True)
        query = urlencode([(name, value) for name, value in parameters if not re.search(r"\$\{", value)])
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme), parts.path or "/", query
