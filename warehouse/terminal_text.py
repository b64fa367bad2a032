"""Text from outside as it may be printed to a terminal: no character in it can move the cursor or reorder the line."""

from __future__ import annotations

import re

# controls of ASCII and Latin-1 (with ESC, BEL, CR), separators and marks of Unicode that break or reorder a line, and
# halves of surrogate pairs, which stand for bytes of file names that are no UTF-8 and cannot be printed at all
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def escape_controls(text: str) -> str:
    r"""The text with control characters written out, such as ``\u001b``; tabs and line ends stay."""
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
