"""Which list the rows of a document belong to: each list is a corpus of its own.

The name is given (``aisle add --list``, the setting ``list`` of a feed), or it is that of the feed or of the file. A
file whose rows all stand in the published mapping, at least half of it, is a version of the mapping.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from orchestration.sources.shared.document import Document
from orchestration.sources.shared.links import link_key
from orchestration.sources.sheet.row_cells import RowValues
from orchestration.sources.source import collapse_spaces, hash_parts
from warehouse.names import build_title_key, normalize_name
from warehouse.reference import list_names, read_rows

MAPPING = "iaps_mapping"
MAPPING_FILE = Path("warehouse", "bundled", "lab_publications.csv")
_MAX_NAME_CHARACTERS = 60
_EXTENSION = re.compile(r"\.(?:csv|tsv|txt|xlsx|xlsm|ods|json|bib|ris|rdf)(?:\.gz)?$", re.IGNORECASE)
# what tells one version of a file from another: a date, the number of a version, a second download
_VERSION = re.compile(
    r"(?:[ _.-]+(?:\(\d+\)|v\d+(?:\.\d+)*|copy|\d{4}-\d{2}(?:-\d{2})?|\d{8})| ?\(\d+\))$", re.IGNORECASE
)
_SHEET_ID = re.compile(r"/spreadsheets/(?:u/\d+/)?d/(?:e/)?([\w-]{20,})")


class ListName(NamedTuple):
    """A list by its name, which is that of its corpus, and its title for people."""

    name: str
    title: str


def find_list(document: Document, rows: Collection[RowValues]) -> ListName | None:
    """The list that the rows of a document belong to; None for the published mapping."""
    if given := document.hints.get("list"):
        found = build_list_name(given)
        return None if found.name == MAPPING else found
    if _is_mapping(rows):
        return None
    return build_list_name(document.hints.get("feed") or _find_title(document.name), is_given=False)


def describe_list(rows: Sequence[Mapping[str, Any]], hints: Mapping[str, str]) -> str:
    """In which corpus the rows of a document count; empty for rows that are those of no list.

    Args:
        rows: The values of its records.
        hints: What is known of the document from outside.
    """
    if not rows or "list" not in rows[0]:
        return ""
    if name := rows[0]["list"]:
        return f"counted as the corpus {name}"
    if hints.get("list") and not _is_mapping(rows):
        return f"its rows will count in the published mapping ({MAPPING}), whose numbers change with them"
    return f"a version of the published mapping ({MAPPING})"


def build_list_name(title: str, *, is_given: bool = True) -> ListName:
    """The name of a list from its title: small letters, digits and underscores, never that of another corpus.

    Args:
        title: The title.
        is_given: Whether somebody chose it, who can then mean the published mapping by its name.
    """
    title = collapse_spaces(title)
    plain = unicodedata.normalize("NFKD", normalize_name(title)).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")[:_MAX_NAME_CHARACTERS].strip("_")
    letters = sum(character.isalnum() for character in unicodedata.normalize("NFKD", title))
    if sum(character.isalnum() for character in plain) < letters:  # letters of another script are lost
        name = f"{name}_{hash_parts(title, length=6)}".strip("_")
    if not name or not name[0].isalpha():
        name = f"list_{name}".strip("_")
    if name in _list_reserved_names() and not (is_given and name == MAPPING):
        name = f"{name}_list"
    return ListName(name, title or name)


@cache
def _list_reserved_names() -> frozenset[str]:
    return frozenset({*list_names("corpora"), *list_names("taxonomies")})


def _find_title(name: str) -> str:
    """The name of a file or the end of an address, without what tells one version from another."""
    if re.match(r"https?://", name):
        if sheet := _SHEET_ID.search(name):
            return f"sheet {sheet[1][:8]}"
        parts = urlsplit(name)
        name = unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.netloc
    title = _EXTENSION.sub("", name)
    while (shorter := _VERSION.sub("", title)) != title and shorter:
        title = shorter
    return collapse_spaces(title.replace("_", " "))


def _is_mapping(rows: Collection[Mapping[str, Any]]) -> bool:
    """Whether all rows stand in the published mapping with their labs and categories, and at least half of it does."""
    mapping = _read_mapping()
    own = {_build_key(str(row["url"] or ""), row["title"], row["lab"], row["category"]) for row in rows}
    return 2 * len(own) >= len(mapping) and own <= mapping


@cache
def _read_mapping() -> frozenset[tuple[str, str, str]]:
    with Path(__file__).parents[3].joinpath(MAPPING_FILE).open(encoding="utf-8", newline="") as lines:
        return frozenset(
            _build_key(row["URL"], row["Title"], row["Company"], re.sub(r"^\[\w+\]\s*", "", row["Safety_category"]))
            for row in csv.DictReader(lines)
        )


def _build_key(url: str, title: object, lab: object, category: object) -> tuple[str, str, str]:
    aliases = _read_lab_aliases()
    lab_key = str(lab or "").casefold()
    return (
        link_key(url) if url else build_title_key(str(title)),
        aliases.get(lab_key, lab_key),
        str(category or "").casefold(),
    )


@cache
def _read_lab_aliases() -> dict[str, str]:
    return {row["alias"].casefold(): row["lab"].casefold() for row in read_rows("lab_aliases")}
