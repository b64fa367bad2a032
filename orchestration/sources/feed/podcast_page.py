"""A podcast's page of episode notes: one record per entry, with the links and names in its notes.

It comes as the captured text of the page, or as a CSV table of the same facts, which may have only the hash of the
notes. Both forms give the same records. An entry has no title, date, guid or audio link, so an episode is identified by
the hash of its notes: an entry that is repeated is one episode.

On the page an entry is between a bullet (``-``) and its closing line. Text outside of entries belongs to the interface,
in whatever language, and is recognised by its position.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from orchestration.sources.feed.podcast_table import (
    COLUMN_NAMES,
    LINK,
    find_episode_tables,
    has_table_header,
    read_table_records,
)
from orchestration.sources.shared.document import Document, UnreadableDocument
from orchestration.sources.shared.records import add_notes
from orchestration.sources.source import (
    DamagedDocument,
    NotThisSource,
    ParseResult,
    Record,
    Reject,
    Source,
    collapse_spaces,
    hash_parts,
)

_CLOSING_LINE = re.compile(
    r"(?:A podcast by (?P<publisher>[^\n]{1,120}?)\.?\s+)?"
    r"Learn more on the [^\n]{1,120}? website\.?(?=[ \t]*(?:[-–•]|$))",
    re.MULTILINE,
)
# a bullet is alone on its line, or directly after the closing line of the previous entry
_BULLET = re.compile(r"(?:^[ \t]*[-–•][ \t]*$|\A[ \t]*[-–•](?=\s|\Z))", re.MULTILINE)
_LABELS = {
    "linked_url": re.compile(r"(?:Original text|Source):\s*(.*)", re.IGNORECASE),
    "authors": re.compile(r"Author(?:s|\(s\))?:\s*(.*)", re.IGNORECASE),
    # the name follows the last " by ": where links were lost, names of other sites can come between
    "narrator": re.compile(r"Narrated (?:for .+ )?by (.*)", re.IGNORECASE),
}
_DIVIDER = re.compile(r"[-–—_*]{2,}")
_MAX_INTERFACE_CHARACTERS = 60  # of a line
_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "entry": {
        "type": "integer",
        "unit": "ordinal",
        "required": True,
        "minimum": 1,
        "meaning": "Position of the entry on the page, from 1; not stable between snapshots.",
    },
    "linked_url": {
        "type": "text",
        "matches": "^https?://",
        "meaning": "Link to the text that the episode reads or discusses; empty if the notes give none.",
    },
    "authors": {"type": "text", "meaning": "Authors of that text as named in the notes, without the final dot."},
    "narrator": {"type": "text", "meaning": "Narrator of the episode, as named in the notes."},
    "publisher": {"type": "text", "meaning": "Publisher of the podcast, from the closing line of the entry."},
    "summary": {
        "type": "text",
        "meaning": "Notes without labels, links and names, with white space normalised; empty if the table has only"
        " the hash.",
    },
    "summary_sha256": {
        "type": "text",
        "required": True,
        "matches": "^[0-9a-f]{64}$",
        "meaning": "SHA-256 of the summary in UTF-8, as hex; equal for equal entries.",
    },
}


class _PagePart(NamedTuple):
    """The text between two bullets or closing lines, with the closing line that ends it, if there is one."""

    text: str
    locator: str
    has_bullet: bool
    closing_line: re.Match[str] | None


def _recognise(document: Document) -> None:
    """Return for a page of episode notes or its table.

    Raises:
        NotThisSource: Neither closing lines of entries nor the header of the table.
    """
    header = ",".join(COLUMN_NAMES[:6])
    expected = f"lines “A podcast by …” and “Learn more on the … website.”, or a header {header}"
    if document.is_workbook:
        if not find_episode_tables(document):
            raise NotThisSource(f"looked for {expected}; found {document.description} without that header")
        return
    if has_table_header(document):
        return
    if document.html_title is None and any(line["publisher"] for line in _CLOSING_LINE.finditer(document.text)):
        return
    raise NotThisSource(f"looked for {expected}; found {document.description}")


def _parse(document: Document) -> ParseResult:
    """The entries of a page or table, in its order.

    Raises:
        DamagedDocument: The table's cells cannot be separated, or two of its columns have the same name.
    """
    try:
        tables = find_episode_tables(document)
    except UnreadableDocument as error:
        raise DamagedDocument(str(error)) from error
    records = read_table_records(tables) if tables else list(_read_page(document.text))
    return ParseResult(records, is_empty_valid=bool(tables) and not records)  # a header without rows is an empty list


def _read_page(text: str) -> Iterator[Record | Reject]:
    """Records and rejects of a captured page, in its order."""
    number = 0
    for index, part in enumerate(_split_page(text)):
        is_page_head = index == 0 and not part.has_bullet
        if part.closing_line is None and (is_page_head or _is_interface(part.text)):
            continue
        number += 1
        if part.closing_line is None:
            reason = "no closing line “Learn more on the … website.”: the page is cut short or the entry is damaged"
            yield Reject(part.locator, reason, part.text.strip())
        elif not part.has_bullet:
            reason = "no bullet (-) before this entry, so its beginning is unknown"
            yield Reject(part.locator, reason, part.text.strip())
        else:
            yield _read_entry(number, part.text, part.closing_line["publisher"], part.locator)


def _split_page(text: str) -> Iterator[_PagePart]:
    """The parts of a captured page, in its order; blank ones only where a closing line ends them."""
    section_start = 0
    line_breaks = [match.start() for match in re.finditer("\n", text)]
    for closing_line in [*_CLOSING_LINE.finditer(text), None]:
        section_end = closing_line.start() if closing_line else len(text)
        bullets = list(_BULLET.finditer(text[section_start:section_end]))
        starts = [section_start, *(section_start + bullet.end() for bullet in bullets)]
        ends = [*(section_start + bullet.start() for bullet in bullets), section_end]
        for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
            part, own_closing_line = text[start:end], closing_line if index == len(bullets) else None
            if part.strip() or own_closing_line:
                part_end = own_closing_line.end() if own_closing_line else start + len(part.rstrip())
                first_line = bisect_left(line_breaks, end - len(part.lstrip())) + 1
                last_line = bisect_left(line_breaks, part_end) + 1
                locator = f"lines {first_line}-{last_line}" if last_line > first_line else f"line {first_line}"
                yield _PagePart(part, locator, index > 0, own_closing_line)
        section_start = closing_line.end() if closing_line else section_end


def _is_interface(text: str) -> bool:
    """Whether text outside of entries can be the interface's: short lines without labels and links."""
    lines = [line.strip() for line in text.split("\n")]
    return not LINK.search(text) and all(
        len(line) <= _MAX_INTERFACE_CHARACTERS and not any(label.match(line) for label in _LABELS.values())
        for line in lines
    )


def _read_entry(number: int, text: str, publisher: str | None, locator: str) -> Record | Reject:
    """The record of an entry, from the text between its bullet and its closing line."""
    values: dict[str, str | int | None] = {"entry": number, **dict.fromkeys(_LABELS), "publisher": publisher}
    summary_lines: list[str] = []
    open_label: str | None = None  # a label whose value is on the next line
    for line in (line.strip() for line in text.split("\n")):
        if not line or _DIVIDER.fullmatch(line):
            continue
        labelled = next(((name, match[1]) for name, label in _LABELS.items() if (match := label.fullmatch(line))), None)
        if labelled is None and open_label is None:
            summary_lines.append(line)
            continue
        name, value = labelled or (open_label or "", line)
        open_label = None if value else name
        values[name] = values[name] or value.removesuffix(".") or None
    link = values["linked_url"]
    notes: list[str] = []
    if link is not None and not LINK.fullmatch(str(link)):
        notes.append(f"“{str(link)[:60]}” is where a link (https://…) was expected")
        values["linked_url"] = None
    if not summary_lines:
        return Reject(locator, "an entry without a summary, which identifies it", text.strip())
    values["summary"] = collapse_spaces(" ".join(summary_lines))
    values["summary_sha256"] = hash_parts(values["summary"])
    return add_notes(Record(str(values["summary_sha256"]), values, locator), notes)


SOURCE = Source(
    name="podcast_page",
    title="Podcast page",
    record_noun="episodes",
    row="One entry of a podcast page: the notes of one episode, with the text that it reads or discusses.",
    columns=_COLUMNS,
    expected="a captured podcast page (entries that end with “A podcast by …” and “Learn more on the … website.”)",
    licence="links, names and hashes are facts, free to use; the notes are their publishers' and stay on this machine",
    recognise=_recognise,
    parse=_parse,
    volatile_columns=("entry",),
)
