"""What the web servers of the dashboards and of Dagster's UI refuse, and the security headers that they send.

A page elsewhere can point its own host name to this machine (DNS rebinding), or send requests and open websockets to
it from the browser of a person who uses it. So requests are answered only under the server's own names, and only if no
page of another origin sent them.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_ANY_ADDRESS = {"", "0.0.0.0", "::"}  # noqa: S104 - compared, not bound
_ALLOWED_ANCESTOR = re.compile(r"'self'|https?://[a-zA-Z0-9.*-]+(:[0-9]+|:\*)?")

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


def list_own_names(address: str) -> list[str]:
    """The host names of a server on this machine that listens on an address; on all, the machine's names count too."""
    address = address.strip("[]")
    names = [socket.gethostname(), socket.getfqdn()] if address in _ANY_ADDRESS else [address]
    return list(dict.fromkeys([*LOCAL_NAMES, *(name.rstrip(".").lower() for name in names)]))


def read_name_list(variable: str) -> list[str]:
    """The names in an environment variable, separated by commas or blanks."""
    return [name.strip("[]").rstrip(".") for name in re.split(r"[,\s]+", os.environ.get(variable, "").lower()) if name]


def build_frame_headers(ancestors: Collection[str]) -> tuple[str, dict[str, str]]:
    """The ``frame-ancestors`` of a content security policy, and other headers for the same purpose.

    Args:
        ancestors: Origins of the pages that may show a page in a frame; by default none.

    Raises:
        ValueError: One of them is not an origin.
    """
    for ancestor in ancestors:
        if not _ALLOWED_ANCESTOR.fullmatch(ancestor):
            raise ValueError(f"{ancestor} is not an origin such as https://example.org, nor 'self'")
    if ancestors:
        return " ".join(ancestors), {}  # the older header cannot list origins
    return "'none'", {"x-frame-options": "DENY"}


def parse_host(text: str) -> str | None:
    """The host name of a ``Host`` header or of the network location of an origin; none if it is not valid."""
    try:
        parts = urlsplit(f"//{text}")
        name, _ = parts.hostname, parts.port
    except ValueError:
        return None
    if name is None or "@" in text or parts.path or parts.query or parts.fragment:
        return None
    return name.rstrip(".")


def is_own_name(name: str | None, own_names: Collection[str]) -> bool:
    """Whether a host name is among the server's own."""
    return name is not None and any(
        own in ("*", name) or (own.startswith("*.") and name.endswith(own[1:])) for own in own_names
    )


class RequestGuard:
    """An ASGI application that refuses requests from elsewhere and passes on the others.

    Args:
        app: The application to guard.
        own_names: The host names of the server, from `list_own_names`.
        added_names: Further names, such as that of a proxy, which may have replaced the host; ``*.example.org`` stands
            for all names below, ``*`` for any.
        headers: Headers of every response that does not have them already, in lower case.
    """

    def __init__(
        self, app: _App, own_names: Collection[str], added_names: Collection[str], headers: Mapping[str, str]
    ) -> None:
        self._app = app
        self._own_names = [*own_names, *added_names]
        self._other_origins = [name for name in added_names if name != "*"]
        defaults = {"x-content-type-options": "nosniff", "referrer-policy": "same-origin"}
        self._headers = [(name.encode(), value.encode()) for name, value in {**defaults, **headers}.items()]

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Answer or pass on one request or websocket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                present = {name.lower() for name, _ in message.get("headers", [])}
                added = [(name, value) for name, value in self._headers if name not in present]
                message["headers"] = [*message.get("headers", []), *added]
            await send(message)

        reason = self._find_refusal(scope)
        if reason is None:
            await self._app(scope, receive, send_with_headers)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": reason})  # before it is accepted: status 403
        else:
            body = f"{reason}\n".encode()
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
            await send_with_headers({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _find_refusal(self, scope: _Scope) -> str | None:
        hosts = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"host"]
        origins = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"origin"]
        if len(hosts) != 1 or not is_own_name(parse_host(hosts[0]), self._own_names):
            return "This server does not answer under this host name. Its other names: --host-name, or AISLE_HOSTS."
        for origin in origins:
            location = origin.partition("://")[2]
            if location != hosts[0] and not is_own_name(parse_host(location), self._other_origins):
                return "This server does not answer requests from pages of another origin."
        return None
