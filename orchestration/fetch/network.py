"""Connections to the outside that are checked where they are made: which addresses, and how long in all.

The check is on the address that is connected to, not on the name in a URL: a name is resolved once, every address
it has must be a public one, and the connection goes to just that address. So neither another spelling of this
machine (``127.1``, ``0x7f000001``, ``[::ffff:127.0.0.1]``) nor a name whose address changes between check and
use leads into a private network.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import httpcore
import httpx

_ends_at: ContextVar[float | None] = ContextVar("ends_at", default=None)
_NEVER_PUBLIC = tuple(
    ipaddress.ip_network(network)
    # translated to IPv4, of one site by an older rule, and relays to 6to4 that are no more
    for network in ("64:ff9b::/96", "64:ff9b:1::/48", "fec0::/10", "192.88.99.0/24")
)
_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class ForbiddenAddress(Exception):
    """A name leads to an address that is not a public one; the text says which."""


class NameNotFound(httpcore.ConnectError):
    """The name of a host cannot be resolved."""


def is_public(address: _Address) -> bool:
    """Whether an address lies in the public internet, also by the IPv4 address within an IPv6 one."""
    if any(address in network for network in _NEVER_PUBLIC):
        return False
    if isinstance(address, ipaddress.IPv6Address):
        within = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if within is not None:
            return is_public(within)
    return address.is_global and not address.is_multicast and not address.is_reserved


def place_of(url: str) -> str:
    """Host and port of an address in the one spelling in which the transport connects to them: ``[::1]:80``.

    Raises:
        ValueError: It is no address of a host.
    """
    try:
        parts, _ = httpx.URL(url), urlsplit(url).port  # the second refuses brackets and ports that the first lets pass
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ValueError(f"no address that can be asked ({error})") from error
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    if not parts.host or port is None:
        raise ValueError("no address of a host")
    return _spelled(parts.raw_host.decode("ascii"), port)


def _spelled(host: str, port: int | str) -> str:
    host = host.lower().strip("[]").rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"{host}:{port}"
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def allowed_places(allowed: Iterable[str]) -> frozenset[str]:
    """Hosts and ports as the configuration names them, in the one spelling of `place_of`."""
    return frozenset(_spelled(*place.rpartition(":")[::2]) for place in allowed)


@contextmanager
def within(seconds: float) -> Generator[None]:
    """Let everything that is sent and received in this block end within so many seconds, or raise a timeout."""
    token = _ends_at.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(token)


def _left(timeout: float | None) -> float | None:
    """Seconds for the next step: those it may take itself, and no more than are left in all."""
    ends_at = _ends_at.get()
    if ends_at is None:
        return timeout
    left = ends_at - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time for the whole answer is over")
    return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    """A stream whose every step heeds the time that is left; a server that drips bytes cannot stretch it."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.SyncBackend):
    """Resolves names itself and connects only to addresses that were checked."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NameNotFound(f"the name {host} cannot be resolved ({error})") from error
        addresses = list(dict.fromkeys(str(place[4][0]) for place in found))
        if _spelled(host, port) not in self._allowed:
            for address in addresses:
                if not is_public(ipaddress.ip_address(address.partition("%")[0])):
                    raise ForbiddenAddress(
                        f"{host} leads to {address}, which is not a public address; a place in your own network"
                        f' must be named in the configuration: allow_private = ["{host}:{port}"]'
                    )
        for address in addresses[:-1]:
            try:
                return _Stream(super().connect_tcp(address, port, _left(timeout), local_address, socket_options))
            except httpcore.ConnectError:
                continue  # the next address of the same name may answer
        return _Stream(super().connect_tcp(addresses[-1], port, _left(timeout), local_address, socket_options))

    def connect_unix_socket(self, path: str, *_: Any, **__: Any) -> httpcore.NetworkStream:
        raise ForbiddenAddress(f"{path} is a socket of this machine")


class Transport(httpx.HTTPTransport):
    """httpx's own transport with checked connections; it keeps no cookies and heeds no proxy of the environment.

    Args:
        allowed: Each ``host:port`` that may be connected to although its address is not a public one.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        super().__init__()
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            keepalive_expiry=30.0,
            network_backend=_Backend(allowed_places(allowed)),
        )
