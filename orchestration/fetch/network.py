"""The network transport of the HTTP client: connects to public addresses only, within a total time limit.

The check is on the address that is connected to, not on the name in a URL: a name is resolved once, each of its
addresses must be public, and the connection is made to exactly that address. So neither another spelling of
localhost (``127.1``, ``0x7f000001``, ``[::ffff:127.0.0.1]``) nor a name whose address changes between check and
use (DNS rebinding) leads into a private network.
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
_NON_PUBLIC_NETWORKS = tuple(
    ipaddress.ip_network(network)
    # NAT64, the deprecated site-local addresses, and the retired 6to4 relays
    for network in ("64:ff9b::/96", "64:ff9b:1::/48", "fec0::/10", "192.88.99.0/24")
)
_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class ForbiddenAddress(Exception):
    """A host name resolves to an address that is not public; the text names both."""


class NameNotFound(httpcore.ConnectError):
    """A host name cannot be resolved."""


def is_public(address: _Address) -> bool:
    """Whether an address is in the public internet; an IPv6 address with an embedded IPv4 one is judged by that."""
    if any(address in network for network in _NON_PUBLIC_NETWORKS):
        return False
    if isinstance(address, ipaddress.IPv6Address):
        embedded = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if embedded is not None:
            return is_public(embedded)
    return address.is_global and not address.is_multicast and not address.is_reserved


def normalize_host_and_port(url: str) -> str:
    """Host and port of a URL in the spelling in which the transport connects to them: ``[::1]:80``.

    Raises:
        ValueError: The URL is invalid or has no host.
    """
    try:
        parts, _ = httpx.URL(url), urlsplit(url).port  # urlsplit rejects brackets and ports that httpx accepts
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ValueError(f"an invalid address ({error})") from error
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    if not parts.host or port is None:
        raise ValueError("an address without a host")
    return _format_host_and_port(parts.raw_host.decode("ascii"), port)


def _format_host_and_port(host: str, port: int | str) -> str:
    host = host.lower().strip("[]").rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"{host}:{port}"
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def normalize_allowed_hosts(allowed: Iterable[str]) -> frozenset[str]:
    """``host:port`` entries of the configuration in the spelling of `normalize_host_and_port`."""
    return frozenset(_format_host_and_port(*entry.rpartition(":")[::2]) for entry in allowed)


@contextmanager
def limit_total_time(seconds: float) -> Generator[None]:
    """Raise a timeout when sending and receiving in this block takes longer than this in total."""
    token = _ends_at.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(token)


def _limit_timeout(timeout: float | None) -> float | None:
    """Timeout of the next operation in seconds: its own, or less if less of the total time is left."""
    ends_at = _ends_at.get()
    if ends_at is None:
        return timeout
    left = ends_at - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the total time is over")
    return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    """A network stream under `limit_total_time`, so that a server cannot stretch it by sending slowly."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _limit_timeout(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _limit_timeout(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _limit_timeout(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.SyncBackend):
    """Resolves names itself and connects only to checked addresses."""

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
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NameNotFound(f"the name {host} cannot be resolved ({error})") from error
        addresses = list(dict.fromkeys(str(info[4][0]) for info in infos))
        if _format_host_and_port(host, port) not in self._allowed:
            for address in addresses:
                if not is_public(ipaddress.ip_address(address.partition("%")[0])):
                    raise ForbiddenAddress(
                        f"{host} leads to {address}, which is not a public address; a host in your own network"
                        f' must be named in the configuration: allow_private = ["{host}:{port}"]'
                    )
        for address in addresses[:-1]:
            try:
                return self._connect(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError:
                continue  # another address of the same name may work
        return self._connect(addresses[-1], port, timeout, local_address, socket_options)

    def _connect(self, address: str, port: int, timeout: float | None, *options: Any) -> httpcore.NetworkStream:
        return _Stream(super().connect_tcp(address, port, _limit_timeout(timeout), *options))

    def connect_unix_socket(self, path: str, *_: Any, **__: Any) -> httpcore.NetworkStream:
        raise ForbiddenAddress(f"{path} is a local socket")


class Transport(httpx.HTTPTransport):
    """The transport of httpx with checked connections, without cookies and environment proxies.

    Args:
        allowed: Each ``host:port`` that may be connected to although its address is not public.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        super().__init__()
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            keepalive_expiry=30.0,
            network_backend=_Backend(normalize_allowed_hosts(allowed)),
        )
