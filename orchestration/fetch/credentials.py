"""Secrets of feeds: named in the configuration, read from the environment, filled in when a request is sent.

Everything that is stored or logged passes through `Secrets.hide`, which replaces values by their names, also where a
server repeats them in an address or a response.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.entities import html5
from urllib.parse import quote

_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
MIN_SECRET_LENGTH = 8
# names of headers, parameters and settings that hold secrets, without the tokens of paging
_SECRET_NAME = re.compile(
    r"authori[sz]ation|cookie|(?<!page)(?<!page[-_])(?<!resumption)(?<!continuation)token|secret|passw|credential|session"
    r"|signature|bearer|jwt|api[-_]?key|(^|[-_])(o?auth|key|pwd|pass|sig|sid)$",
    re.IGNORECASE,
)
# prefixes of the secrets of well-known services
_SECRET_VALUE = re.compile(
    r"\b(?:sk-(?=\S*\d)[\w-]{20,}|gh[opsur]_\w{12,}|github_pat_\w{12,}|glpat-[\w-]{12,}|hf_\w{12,}|xox[abeprs]-[\w-]{8,}"
    r"|AKIA[A-Z0-9]{12,}|AIza[\w-]{20,}|eyJ[\w-]{8,}\.[\w-]{8,})"
)
_SECRET_HEADER = re.compile(r"\b(?:bearer|basic|token)\s+\w", re.IGNORECASE)
_HARMLESS_HEADER = re.compile(r"accept(-\w+)?|user-agent|referer|content-type", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z-]{0,12}")
_DOUBLED = {" ": [r"\+"], "\\": [r"\\\\"]}


class MissingSecret(Exception):
    """A secret of a feed is missing or unusable; the text names the environment variable and the problem."""


def find_secret_names(*texts: str) -> frozenset[str]:
    """Names of the environment variables used in texts as ``${NAME}``."""
    return frozenset(name for text in texts for name in _PLACEHOLDER.findall(text))


def describe_literal_secret(name: str, value: str, *, is_header: bool = False) -> str | None:
    """The problem of a value that contains a secret itself instead of ``${NAME}``; none if there is no problem.

    The text never repeats the value.

    Args:
        name: The header, parameter or setting.
        value: Its value, which may use secrets as ``${NAME}``.
        is_header: Whether it is a header, in which a long word of letters and digits is taken for a secret too.
    """
    rest = _PLACEHOLDER.sub(" ", value)
    if "${" in rest:
        return f"{name}: expected a secret as ${{NAME}}, with a name of letters, digits and _ alone"
    words = re.split(r"[\s;:,()/=\"']+", rest)
    is_named = _SECRET_NAME.search(name) is not None
    # allowed besides ${NAME}: a scheme such as “Bearer”, and the names of cookies
    has_placeholder = rest != value and all(_SCHEME.fullmatch(word) for word in words)
    has_key = is_header and (
        _SECRET_HEADER.search(rest) is not None
        or (
            not _HARMLESS_HEADER.fullmatch(name)
            and any(re.fullmatch(r"(?=.*\d)(?=.*[A-Za-z])[\w.~+-]{20,}", word) for word in words)
        )
    )
    if (is_named and value and not has_placeholder) or _SECRET_VALUE.search(rest) or has_key:
        return f"{name}: expected a secret as ${{NAME}} of an environment variable, never itself"
    return None


class Secrets:
    """The secrets that one feed may use.

    Args:
        names: Names used by the configuration or the source itself; any other ``${NAME}`` is left as it is.
        environment: Environment variables with their values.
    """

    def __init__(self, names: frozenset[str], environment: Mapping[str, str]) -> None:
        self._names = names
        self._values = {name: environment.get(name, "").strip() for name in names}
        forms = {
            name: _build_secret_pattern(value)
            for name, value in self._values.items()
            if len(value) >= MIN_SECRET_LENGTH
        }
        self._patterns = {name: re.compile(form) for name, form in forms.items()}
        self._bytes_patterns = {name: re.compile(form.encode()) for name, form in forms.items()}

    def fill(self, text: str, *, is_address: bool = False) -> str:
        """The text with each ``${NAME}`` replaced by its value.

        Args:
            text: The text.
            is_address: Whether it is an address, in which values are percent-encoded.

        Raises:
            MissingSecret: A variable is not set, too short to be hidden reliably, or not printable.
        """

        def get_value(match: re.Match[str]) -> str:
            name = match[1]
            if name not in self._names:
                return match[0]
            if not self._values[name]:
                raise MissingSecret(f"the environment variable {name} is not set: set it, or disable the feed")
            if len(self._values[name]) < MIN_SECRET_LENGTH:
                raise MissingSecret(f"the environment variable {name} has fewer than {MIN_SECRET_LENGTH} characters")
            if not self._values[name].isprintable():
                raise MissingSecret(f"the environment variable {name} holds a line break or another control character")
            return quote(self._values[name], safe="") if is_address else self._values[name]

        return _PLACEHOLDER.sub(get_value, text)

    def hide(self, text: str) -> str:
        """The text with each value replaced by its ``${NAME}``, in any encoding of its characters."""
        for name, pattern in self._patterns.items():
            text = pattern.sub(f"${{{name}}}", text)
        return text

    def hide_bytes(self, content: bytes) -> bytes:
        """As `hide`, for the bytes of a response."""
        for name, pattern in self._bytes_patterns.items():
            content = pattern.sub(f"${{{name}}}".encode(), content)
        return content


def _build_secret_pattern(value: str) -> str:
    """A pattern for a value, each character plain, percent-encoded, or escaped as in JSON or HTML."""
    return "".join(f"(?:{'|'.join(_list_encodings(character))})" for character in value)


def _list_encodings(character: str) -> list[str]:
    code = ord(character)
    octets = "".join(f"%{octet:02x}" for octet in character.encode())
    units = character.encode("utf-16-be").hex()
    escaped = "".join(rf"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
    named = [rf"&{name[:-1]};" for name, value in html5.items() if value == character and name.endswith(";")]
    coded = [f"(?i:{form})" for form in (octets, escaped, f"&#0*{code};", f"&#x0*{code:x};")]
    return [
        re.escape(character),
        *coded,
        *(rf"\\{mark}" for mark in '/"' if mark == character),
        *named,
        *_DOUBLED.get(character, []),
    ]
