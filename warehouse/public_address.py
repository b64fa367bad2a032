"""The public address of the dashboards: where other people open them, set by ``AISLE_PUBLIC_ADDRESS``."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

VARIABLE = "AISLE_PUBLIC_ADDRESS"


def parse_public_address(text: str) -> str:
    """An address such as ``https://example.org/aisle``, without the slash at its end.

    Raises:
        ValueError: It is not an http(s) address, or has a user name, a query or a fragment.
    """
    address = text.strip()
    try:
        parts = urlsplit(address)
        is_valid = bool(
            parts.scheme in {"http", "https"}
            and parts.hostname
            and not (parts.query or parts.fragment or parts.username or parts.password)
            and (parts.port is None or parts.port > 0)
            and not re.search(r"[\s\\<>\"?#]", address)
        )
    except ValueError:  # brackets that are not an IPv6 host, or a port that is not a number
        is_valid = False
    if not is_valid:
        raise ValueError(
            f"{text!r} is not a public address: write it as https://example.org or https://example.org/aisle"
        )
    return address.rstrip("/")


def read_public_address() -> str | None:
    """The configured public address; None if there is none.

    Raises:
        ValueError: The variable holds something else; the message names it.
    """
    text = os.environ.get(VARIABLE, "")
    if not text.strip():
        return None
    try:
        return parse_public_address(text)
    except ValueError as error:
        raise ValueError(f"{VARIABLE}: {error}") from error
