"""One form of names and titles, wherever they enter: characters that nobody sees are not part of them.

`clean_line` is for texts that are shown, such as titles; `normalize_name` for names that are compared, such as labs,
categories and authors; `build_title_key` for recognising a title in any script.
"""

from __future__ import annotations

import re
import unicodedata

# format characters and fillers without a glyph: soft hyphen, zero-width space, marks of direction, tags
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f\x80-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
    # joiners have a meaning only between letters of other scripts, and between the parts of an emoji
    "|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
)
_LOOKALIKES = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\ufe58\ufe63\uff0d", "-")
    | dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u02b9\u00b4`\uff07", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb\uff02", '"')
    | {"\u2800": " "}
)
_VARIATION_SELECTOR = re.compile("[\ufe00-\ufe0f]")  # of one character, such as an emoji in colour
_NOT_IN_ASCII_KEY = re.compile(r"[^a-z0-9+*]")


def clean_line(text: str) -> str:
    """The text without invisible characters, composed (NFC), with each run of white space as one space."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    return " ".join(unicodedata.normalize("NFC", _INVISIBLE.sub("", text)).split())


def normalize_name(text: str) -> str:
    """The name with one spelling for characters that look alike: hyphens, quotes, full-width letters, ligatures."""
    if text.isascii() and text.isprintable() and "`" not in text:
        return " ".join(text.split())
    text = _VARIATION_SELECTOR.sub("", clean_line(text)).translate(_LOOKALIKES)
    return clean_line(unicodedata.normalize("NFKC", text))


def build_title_key(title: str) -> str:
    """The letters, digits and symbols of a title in any script, without case, blanks and punctuation.

    A title of ASCII has the key that earlier versions gave it: of its symbols only ``+`` and ``*`` count. A title of
    punctuation alone is its own key, so that no title has an empty one.
    """
    text = normalize_name(title).casefold()
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    key = "".join(character for character in text if _is_in_key(character))
    return key or "".join(text.split())


def _is_in_key(character: str) -> bool:
    if character.isascii():
        return not _NOT_IN_ASCII_KEY.match(character)
    category = unicodedata.category(character)
    # a character that this Python does not know (Cn) may be a letter of a newer script
    return category[0] not in "PZ" and category not in {"Cc", "Cf", "Cs"}
