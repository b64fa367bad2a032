"""How the requests of one feed are made: which headers and secrets go to which host, and whether robots.txt counts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from orchestration.fetch.config import FeedConfig
from orchestration.fetch.credentials import Secrets, find_secret_names
from orchestration.fetch.network import normalize_host_and_port
from orchestration.ingest.parser_process import detect_failure_page
from orchestration.sources.shared.fetch_plan import Request


@dataclass(frozen=True)
class RequestPolicy:
    """How the requests of one feed are made.

    Args:
        home: The address of the feed; its secrets and headers are sent to this host only.
        headers: Headers for requests to that host.
        secrets: The secrets the feed may use.
        respects_robots: Whether robots.txt is respected.
        detect_failure: Describes the failure page that a body is, if it is one.
    """

    home: str
    headers: Mapping[str, str] = field(default_factory=dict)
    secrets: Secrets = field(default_factory=lambda: Secrets(frozenset(), {}))
    respects_robots: bool = True
    detect_failure: Callable[[bytes], str | None] = lambda _: None

    def fill_address(self, url: str) -> str:
        """The address with its secrets filled in, if it is on the feed's own host.

        Raises:
            MissingSecret: A secret is missing or unusable.
        """
        return self.secrets.fill(url, is_address=True) if self._is_home(url) else url

    def build_headers(self, request: Request, url: str, validators: Mapping[str, str]) -> dict[str, str]:
        """Headers of a request to a URL, which after a redirect may be on another host.

        Args:
            request: The request.
            url: Where it is sent.
            validators: ``etag`` and ``last-modified`` of the stored response.

        Raises:
            MissingSecret: A secret is missing or unusable.
        """
        if self._is_home(url):
            own_headers = {**request.headers, **self.headers}
            headers = {name: self.secrets.fill(value) for name, value in own_headers.items()}
        else:  # secrets and the feed's headers are for its own host only
            headers = {name: value for name, value in request.headers.items() if "${" not in value}
        for name, header in (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since")):
            value = validators.get(name, "")
            if value and value.isascii() and value.isprintable():  # other values cannot be sent
                headers[header] = value
        return headers

    def _is_home(self, url: str) -> bool:
        return _get_origin(url) == _get_origin(self.home)


def build_policy(first: Request, environment: Mapping[str, str], feed: FeedConfig | None = None) -> RequestPolicy:
    """The policy of a feed, or of a single request without one.

    Only the secrets named by the configuration or the first request may be used: names in responses are not filled in.

    Args:
        first: The first request.
        environment: Environment variables with the values of secrets.
        feed: The feed.
    """
    texts = [first.url, *first.headers.values()]
    if feed is None:
        secrets = Secrets(find_secret_names(*texts), environment)
        return RequestPolicy(first.url, secrets=secrets, detect_failure=detect_failure_page)
    texts += [feed.url, json.dumps(feed.settings, default=str), *feed.headers.values()]
    secrets = Secrets(find_secret_names(*texts), environment)
    return RequestPolicy(feed.url, feed.headers, secrets, feed.robots == "respect", detect_failure_page)


def _get_origin(url: str) -> tuple[str, str]:
    return urlsplit(url).scheme, normalize_host_and_port(url)
