"""Text from outside as it may be printed to a terminal: no character in it can move the cursor or reorder the line."""

from __future__ import annotations

import re
from pathlib import Path

# controls of ASCII and Latin-1 (with ESC, BEL, CR), separators and marks of Unicode that break or reorder a line, and
# halves of surrogate pairs, which stand for bytes of file names that are no UTF-8 and cannot be printed at all
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_UNPRINTABLE_OR_BREAK = re.compile(rf"[\t\n]|{_UNPRINTABLE.pattern}")


def escape_controls(text: str) -> str:
    r"""The text with control characters written out as JSON does, such as ``\u001b``; tabs and line ends stay."""
    return _UNPRINTABLE.sub(_escape_as_json, text)


def escape_name(name: str | Path) -> str:
    r"""A name or path in one line: what `escape_controls` writes out, tabs and line ends, such as ``\x1b`` and ``\n``.

    A byte that is not UTF-8 is written out as it is in the file system. Names are stored in this form.
    """
    return _UNPRINTABLE_OR_BREAK.sub(_escape_as_bytes, str(name))


def _escape_as_json(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))


def _escape_as_bytes(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else match[0].encode("unicode_escape").decode()
