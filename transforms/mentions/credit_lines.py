"""Finds the people that lines of authors and narrators name."""

from __future__ import annotations

import re
from typing import NamedTuple

_LABELS = {
    "author": re.compile(r"(?im)^[ \t]*(?:original )?authors?(?:\(s\))?[ \t]*:[ \t]*(?P<names>[^\n]{3,400})"),
    "narrator": re.compile(r"(?im)\bnarrated (?:for [^\n.]{1,120}? )?by (?P<names>[^\n]{3,120})"),
}
_SEPARATOR = re.compile(r"\s*(?:[;,&\n]|\band\b)\s*")
# a credit ends where a sentence ends, or what the person belongs to begins
_END = re.compile(r"\.(?:\s|$)|\s+(?:of|from|for|at|with|on)\s|\s*[(\[|]|A podcast by")
_NAME = re.compile(
    r"[^\W\d_]\S*(?:\s(?:[^\W\d_]\.|(?:van|von|der|den|de|la|le|al|bin|ibn|da|dos|di|el|ter)|[^\W\d_]\S*)){1,4}"
)
_PARTICLES = frozenset(
    ("van", "von", "der", "den", "de", "la", "le", "al", "bin", "ibn", "da", "dos", "di", "el", "ter")
)
# words of organisations and sites
_NOT_PEOPLE = re.compile(
    r"(?i)\b(?:ai|audio|blog|center|centre|company|editors?|forum|foundation|group|inc|institute|lab|labs|media|network|news"
    r"|newsletter|office|openai|deepmind|anthropic|podcast|project|research|safety|school|society|staff|studio|team"
    r"|university|various|others?|al)\b\.?"
)


class Credit(NamedTuple):
    """A person that a line names, with the role and the position of the name in the text from 1."""

    place: int
    person: str
    role: str


def list_people(names: str) -> list[str]:
    """The people in a list of names; organisations and sites are left out."""
    return [name for _, name in _place_people(names)]


def _place_people(names: str) -> list[tuple[int, str]]:
    """The people in a list of names, each with its position from 0."""
    people, start = [], 0
    for part in [*_SEPARATOR.finditer(names), None]:
        written = names[start : part.start() if part else len(names)]
        name = written.strip(" \t.·*_")
        if _is_person(name):
            people.append((start + written.index(name), " ".join(name.split())))
        start = part.end() if part else start
    return people


def _is_person(name: str) -> bool:
    """Whether it is written like the name of a person: two to five words with capitals, none of an organisation."""
    if not _NAME.fullmatch(name) or _NOT_PEOPLE.search(name):
        return False
    return all(word in _PARTICLES or word[0].upper() == word[0] for word in name.split())


def list_credits(text: str) -> list[Credit]:
    """The people that lines such as “Author(s): …” and “Narrated by …” of a text name."""
    found = []
    for role, label in _LABELS.items():
        for match in label.finditer(text):
            names = match["names"]
            end = _END.search(names) if role == "narrator" else re.search(r"\.\s*$|\.(?=[A-Z])|A podcast by", names)
            shown = names[: end.start()] if end else names
            found += [Credit(match.start("names") + place + 1, name, role) for place, name in _place_people(shown)]
    return sorted(found)
