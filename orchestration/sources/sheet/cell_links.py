"""The links of a cell: addresses in its text, complete or not, and the address behind it."""

from __future__ import annotations

import re
from typing import NamedTuple

from orchestration.sources.shared.links import link_key
from orchestration.sources.source import collapse_spaces

_LINK = re.compile(r"https?://[^\s<>\"]+\.[^\s<>\"]+")
_FORMULA = re.compile(r'=\s*HYPERLINK\(\s*"([^"]*)"', re.IGNORECASE)
_MARKUP = re.compile(r"""\[[^\]]*\]\((?=\S)|\bhref\s*=\s*["']?|[<>]""", re.IGNORECASE)
_SEPARATOR = re.compile(r"[;,|]+(?=https?://)|[;,|]*\s+[;,|]*", re.IGNORECASE)
_ARXIV = re.compile(r"(?:arxiv:)?(\d{4}\.\d{4,5}(?:v\d+)?)|arxiv:([a-z-]+(?:\.[a-z]{2})?/\d{7})", re.IGNORECASE)
_DOI = re.compile(r"(?:doi:)?(10\.\d{4,9}/\S+)", re.IGNORECASE)
_BARE = re.compile(
    r"(?:www\.(?:[\w-]+\.)+|(?:[\w-]+\.)+(?=[a-z]{2,24}[:/]))[a-z]{2,24}(?::\d+)?(?:/\S*)?", re.IGNORECASE
)


class CellLinks(NamedTuple):
    """The addresses of a cell in order, without repetitions, and a note on what is uncertain."""

    addresses: list[str]
    note: str = ""


def parse_links(text: str, behind: str = "") -> CellLinks:
    """The links of a cell.

    Args:
        text: Its text: one address or several, with or without their scheme, arXiv ids, DOIs, or any words.
        behind: The address of its hyperlink or formula, if it has one.
    """
    text, notes = collapse_spaces(text), []
    if formula := _FORMULA.match(text):
        text, behind = "", behind or formula[1]
    shown = _find_addresses(text)
    hidden = _find_addresses(collapse_spaces(behind))
    if behind and not hidden:
        notes.append(f"the link behind the cell, “{behind[:80]}”, is not an http(s) address")
    if text and not shown and not hidden:
        notes.append(f"link “{text[:80]}” is not an http(s) address")
    addresses: dict[str, str] = {}
    for address in [*shown, *hidden]:
        addresses.setdefault(link_key(address), address)
    if shown and any(link_key(address) not in {link_key(other) for other in shown} for address in hidden):
        notes.append(f"the cell shows {shown[0][:80]}, the link behind it leads to {hidden[0][:80]}")
    elif len(addresses) > 1:
        notes.append(f"{len(addresses)} links; the first is used")
    return CellLinks(list(addresses.values()), "; ".join(notes))


def _find_addresses(text: str) -> list[str]:
    if _LINK.fullmatch(text) and not re.search(r"[;,|]https?://", text):
        return [text]
    text = re.sub(r"\b(arxiv|doi):\s+", r"\1:", _MARKUP.sub(" ", text), flags=re.IGNORECASE)
    return [address for part in _SEPARATOR.split(text) if (address := _complete_address(part))]


def _complete_address(part: str) -> str | None:
    """The http(s) address that a word stands for, or none."""
    part = part.strip("\"'“”‘’[]{},;|").removeprefix("(").rstrip(".")
    if part.endswith(")") and part.count("(") < part.count(")"):
        part = part[:-1]
    if scheme := re.match(r"https?://", part, re.IGNORECASE):
        part = scheme[0].lower() + part[scheme.end() :]
        return part if _LINK.fullmatch(part) else None
    if arxiv := _ARXIV.fullmatch(part):
        return f"https://arxiv.org/abs/{arxiv[1] or arxiv[2]}"
    if doi := _DOI.fullmatch(part):
        return f"https://doi.org/{doi[1]}"
    return f"https://{part}" if _BARE.fullmatch(part) else None
