"""Secrets: named in the configuration, held by the environment, filled in when a request is sent, and nowhere else.

Whatever is written or said passes through `Secrets.hidden`, which puts the name back in the place of the value,
also where a server repeats it in an address or an answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.entities import html5
from urllib.parse import quote

_PLACE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
SHORTEST = 8
# what secrets are called, in headers, parameters and settings; but not the marks by which lists are read on
_SECRET_NAME = re.compile(
    r"authori[sz]ation|cookie|(?<!page)(?<!page[-_])(?<!resumption)(?<!continuation)token|secret|passw|credential|session"
    r"|signature|bearer|jwt|api[-_]?key|(^|[-_])(o?auth|key|pwd|pass|sig|sid)$",
    re.IGNORECASE,
)
# how secrets of well-known services begin, wherever they stand
_SECRET_VALUE = re.compile(
    r"\b(?:sk-(?=\S*\d)[\w-]{20,}|gh[opsur]_\w{12,}|github_pat_\w{12,}|glpat-[\w-]{12,}|hf_\w{12,}|xox[abeprs]-[\w-]{8,}"
    r"|AKIA[A-Z0-9]{12,}|AIza[\w-]{20,}|eyJ[\w-]{8,}\.[\w-]{8,})"
)
_SECRET_HEADER = re.compile(r"\b(?:bearer|basic|token)\s+\w", re.IGNORECASE)
_HARMLESS_HEADER = re.compile(r"accept(-\w+)?|user-agent|referer|content-type", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z-]{0,12}")
_DOUBLED = {" ": [r"\+"], "\\": [r"\\\\"]}


class MissingSecret(Exception):
    """A secret that a feed needs is not to be had; the text names the variable and says what to do."""


def names_in(*texts: str) -> frozenset[str]:
    """The names of the environment variables that texts ask for."""
    return frozenset(name for text in texts for name in _PLACE.findall(text))


def literal_secret(name: str, value: str, *, is_header: bool = False) -> str | None:
    """What is wrong with a value of the configuration that holds a secret itself, or names one wrongly, if anything is.

    The text never repeats the value.

    Args:
        name: The header, parameter or setting.
        value: Its value, in which secrets may stand as ``${NAME}``.
        is_header: Whether it is a header, in which a long word of letters and digits is a secret too.
    """
    rest = _PLACE.sub(" ", value)
    if "${" in rest:
        return f"{name}: expected a secret as ${{NAME}}, with a name of letters, digits and _ alone"
    words = re.split(r"[\s;:,()/=\"']+", rest)
    is_named = _SECRET_NAME.search(name) is not None
    # beside ${NAME} may stand how it is used (“Bearer”) and what the parts of a cookie are called
    is_beside = rest != value and all(_SCHEME.fullmatch(word) for word in words)
    has_key = is_header and (
        _SECRET_HEADER.search(rest) is not None
        or (
            not _HARMLESS_HEADER.fullmatch(name)
            and any(re.fullmatch(r"(?=.*\d)(?=.*[A-Za-z])[\w.~+-]{20,}", word) for word in words)
        )
    )
    if (is_named and value and not is_beside) or _SECRET_VALUE.search(rest) or has_key:
        return f"{name}: expected a secret as ${{NAME}} of an environment variable, never itself"
    return None


class Secrets:
    """The secrets that one feed may use.

    Args:
        names: Their names: those that the configuration or the kind of source itself asks for. Text that comes from
            outside and looks like a name is left as it is.
        environment: Where their values are.
    """

    def __init__(self, names: frozenset[str], environment: Mapping[str, str]) -> None:
        self._names = names
        self._values = {name: environment.get(name, "").strip() for name in names}
        forms = {name: _any_form(value) for name, value in self._values.items() if len(value) >= SHORTEST}
        self._patterns = {name: re.compile(form) for name, form in forms.items()}
        self._bytes_patterns = {name: re.compile(form.encode()) for name, form in forms.items()}

    def filled(self, text: str, *, is_address: bool = False) -> str:
        """The text with the values in the place of the names.

        Args:
            text: The text.
            is_address: Whether it is an address, in which a value must be percent-encoded.

        Raises:
            MissingSecret: A variable is not set, or too short to be recognised and hidden wherever it turns up.
        """

        def value(found: re.Match[str]) -> str:
            name = found[1]
            if name not in self._names:
                return found[0]
            if not self._values[name]:
                raise MissingSecret(f"the environment variable {name} is not set: set it, or disable the feed")
            if len(self._values[name]) < SHORTEST:
                raise MissingSecret(f"the environment variable {name} has fewer than {SHORTEST} characters")
            if not self._values[name].isprintable():
                raise MissingSecret(f"the environment variable {name} holds a line break or another control character")
            return quote(self._values[name], safe="") if is_address else self._values[name]

        return _PLACE.sub(value, text)

    def hidden(self, text: str) -> str:
        """The text with the names in the place of the values, however each of their characters is encoded."""
        for name, pattern in self._patterns.items():
            text = pattern.sub(f"${{{name}}}", text)
        return text

    def hidden_bytes(self, content: bytes) -> bytes:
        """The bytes of an answer with the names in the place of the values, should the server repeat them."""
        for name, pattern in self._bytes_patterns.items():
            content = pattern.sub(f"${{{name}}}".encode(), content)
        return content


def _any_form(value: str) -> str:
    """A pattern of a value as it is, or with any of its characters percent-encoded, or escaped as in JSON or HTML."""
    return "".join(f"(?:{'|'.join(_forms(character))})" for character in value)


def _forms(character: str) -> list[str]:
    code = ord(character)
    octets = "".join(f"%{octet:02x}" for octet in character.encode())
    units = character.encode("utf-16-be").hex()
    escaped = "".join(rf"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
    named = [rf"&{name[:-1]};" for name, told in html5.items() if told == character and name.endswith(";")]
    coded = [f"(?i:{form})" for form in (octets, escaped, f"&#0*{code};", f"&#x0*{code:x};")]
    return [
        re.escape(character),
        *coded,
        *(rf"\\{mark}" for mark in '/"' if mark == character),
        *named,
        *_DOUBLED.get(character, []),
    ]
