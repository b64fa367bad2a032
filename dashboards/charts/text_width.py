"""Room that a text takes in a picture, as nobody lays out the lines of a picture but its maker."""

from __future__ import annotations

import unicodedata

_NARROW = frozenset("iljtfrI.,:;|!'()[]{} /·“”‘’")
_WIDEST, _WIDE = frozenset("W@%mM—→"), frozenset("wOQGDNHU&")


def estimate_width(text: str, font_pixels: float) -> float:
    """Width of a line in Helvetica or its like, in pixels; rather too much than too little."""
    return font_pixels * sum(_estimate_letter(letter) for letter in text)


def _estimate_letter(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0.0
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    if letter in _NARROW:
        return 0.34
    if letter in _WIDEST:
        return 1.02
    return 0.8 if letter in _WIDE else 0.68 if letter.isupper() else 0.56


def wrap_text(text: str, pixels: float, font_pixels: float, max_lines: int | None = None) -> list[str]:
    """A text in lines of at most so many pixels; words that are wider, such as an address, are broken.

    Args:
        text: The text.
        pixels: Width of a line.
        font_pixels: Size of the font.
        max_lines: The last of them ends with “…” where there would be more.
    """
    lines, line = [], ""
    for word in text.split(" "):  # a no-break space keeps words together
        rest = word
        while estimate_width(rest, font_pixels) > pixels:
            fitting = next(
                end for end in range(len(rest), 0, -1) if end == 1 or estimate_width(rest[:end], font_pixels) <= pixels
            )
            lines += [*([line] if line else []), rest[:fitting]]
            line, rest = "", rest[fitting:]
        joined = f"{line} {rest}" if line and rest else line or rest
        if estimate_width(joined, font_pixels) > pixels:
            lines.append(line)
            joined = rest
        line = joined
    lines += [line] if line else []
    lines = [line.replace("\u00a0", " ") for line in lines]
    if max_lines is None or len(lines) <= max_lines:
        return lines
    last = lines[max_lines - 1]
    while last and estimate_width(f"{last} …", font_pixels) > pixels:
        last = last[:-1].rstrip()
    return [*lines[: max_lines - 1], f"{last} …"]
