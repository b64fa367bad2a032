"""A podcast's page of episode notes: one record per entry, with the links and names that its notes give.

It comes as the captured text of the page, or as a CSV table of the same facts in which the notes may be
left out and only their hash kept. Both forms give the same records. An entry has no title, date, guid or
audio link, so an episode is known by the hash of its notes: an entry that stands twice is one episode.

On the page an entry stands between a bullet (``-``) and its closing line. Whatever stands outside of that
is wording of the interface, in whatever language: it is recognised by its place, not by its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from orchestration.sources.shared.document import Document, Row, Unreadable
from orchestration.sources.source import Damaged, NotThisSource, Parsed, Record, Reject, Source, digest, squeeze_spaces

_CLOSING = re.compile(
    r"(?:A podcast by (?P<publisher>[^\n]{1,120}?)\.?\s+)?"
    r"Learn more on the [^\n]{1,120}? website\.?(?=[ \t]*(?:[-–•]|$))",
    re.MULTILINE,
)
# a bullet stands alone on its line, or directly after the closing line of the entry before it
_BULLET = re.compile(r"(?:^[ \t]*[-–•][ \t]*$|\A[ \t]*[-–•](?=\s|\Z))", re.MULTILINE)
_LINK = re.compile(r"https?://\S+")
_LABELS = {
    "linked_url": re.compile(r"(?:Original text|Source):\s*(.*)", re.IGNORECASE),
    "authors": re.compile(r"Author(?:s|\(s\))?:\s*(.*)", re.IGNORECASE),
    # the name follows the last " by ": names of other sites can stand between, where links were lost
    "narrator": re.compile(r"Narrated (?:for .+ )?by (.*)", re.IGNORECASE),
}
_DIVIDER = re.compile(r"[-–—_*]{2,}")
_MAX_INTERFACE_LINE = 60
_HASH = re.compile(r"[0-9a-f]{64}")
_TABLE_COLUMNS = ("entry", "linked_url", "authors", "narrator", "publisher", "summary_sha256", "summary")
_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "entry": {
        "type": "integer",
        "unit": "ordinal",
        "required": True,
        "minimum": 1,
        "meaning": "Place of the entry on the page, from 1; not stable between snapshots.",
    },
    "linked_url": {
        "type": "text",
        "matches": "^https?://",
        "meaning": "Link to the text that the episode reads or discusses; empty where the notes give none.",
    },
    "authors": {"type": "text", "meaning": "Authors of that text as the notes name them, without the final dot."},
    "narrator": {"type": "text", "meaning": "Who reads the episode, as the notes name them."},
    "publisher": {"type": "text", "meaning": "Publisher of the podcast, from the closing line of the entry."},
    "summary": {
        "type": "text",
        "meaning": "The notes without labels, links and names, every run of white space as one space; empty"
        " where the table ships only the hash.",
    },
    "summary_sha256": {
        "type": "text",
        "required": True,
        "matches": "^[0-9a-f]{64}$",
        "meaning": "SHA-256 of that summary in UTF-8, as hex; equal for equal entries.",
    },
}


def _is_interface(text: str) -> bool:
    """Whether text outside any closed entry can be the interface's: short lines, no label, no link."""
    lines = [line.strip() for line in text.split("\n")]
    return not _LINK.search(text) and all(
        len(line) <= _MAX_INTERFACE_LINE and not any(label.match(line) for label in _LABELS.values()) for line in lines
    )


def _page_entry(number: int, text: str, publisher: str | None, locator: str) -> Record | Reject:
    """The record of one closed entry; text is what stands between its bullet and its closing line."""
    values: dict[str, str | int | None] = {"entry": number, **dict.fromkeys(_LABELS), "publisher": publisher}
    summary: list[str] = []
    waiting: str | None = None  # the label whose value must be on the next line
    for line in (line.strip() for line in text.split("\n")):
        if not line or _DIVIDER.fullmatch(line):
            continue
        found = next(((name, match[1]) for name, label in _LABELS.items() if (match := label.fullmatch(line))), None)
        if found is None and waiting is None:
            summary.append(line)
            continue
        name, value = found or (waiting or "", line)
        waiting = None if value else name
        values[name] = values[name] or value.removesuffix(".") or None
    link = values["linked_url"]
    if link is not None and not _LINK.fullmatch(str(link)):
        return Reject(locator, f"“{str(link)[:60]}” stands where a link (https://…) was expected", text.strip())
    if not summary:
        return Reject(locator, "an entry without a summary, by which it would be known", text.strip())
    values["summary"] = squeeze_spaces(" ".join(summary))
    values["summary_sha256"] = digest(values["summary"])
    return Record(str(values["summary_sha256"]), values, locator)


class _Part(NamedTuple):
    """What stands between two bullets or closing lines, with the closing line that ends it, if one does."""

    text: str
    locator: str
    has_bullet: bool
    closing: re.Match[str] | None


def _parts(text: str) -> Iterator[_Part]:
    """The parts of a captured page, in its order, without the blank ones that nothing closes."""
    begin = 0
    for closing in [*_CLOSING.finditer(text), None]:
        end = closing.start() if closing else len(text)
        bullets = list(_BULLET.finditer(text[begin:end]))
        starts = [begin, *(begin + bullet.end() for bullet in bullets)]
        stops = [*(begin + bullet.start() for bullet in bullets), end]
        for place, (start, stop) in enumerate(zip(starts, stops, strict=True)):
            part, own_closing = text[start:stop], closing if place == len(bullets) else None
            if part.strip() or own_closing:
                first = text.count("\n", 0, stop - len(part.lstrip())) + 1
                last = text.count("\n", 0, own_closing.end() if own_closing else start + len(part.rstrip())) + 1
                yield _Part(part, f"lines {first}-{last}" if last > first else f"line {first}", place > 0, own_closing)
        begin = closing.end() if closing else end


def _page_items(text: str) -> Iterator[Record | Reject]:
    """Records and rejects of a captured page, in its order."""
    number = 0
    is_top = True
    for part in _parts(text):
        is_head, is_top = is_top and not part.has_bullet, False
        if part.closing is None and (is_head or _is_interface(part.text)):
            continue
        number += 1
        if part.closing is None:
            reason = "no closing line “Learn more on the … website.”: the page is cut short or the entry is damaged"
            yield Reject(part.locator, reason, part.text.strip())
        elif not part.has_bullet:
            reason = "no bullet (-) before this entry, so its beginning is not known"
            yield Reject(part.locator, reason, part.text.strip())
        else:
            yield _page_entry(number, part.text, part.closing["publisher"], part.locator)


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name).casefold()


def _header(row: Row) -> dict[str, int]:
    """Positions of the known columns in a header row; empty for a row that is no header of this table.

    Raises:
        Damaged: Two cells of the header name the same column.
    """
    plain = [_plain(cell) for cell in row.cells]
    places = {name: plain.index(_plain(name)) for name in _TABLE_COLUMNS if _plain(name) in plain}
    if not {"entry", "summary_sha256"} <= places.keys():
        return {}
    if twice := [name for name in places if plain.count(_plain(name)) > 1]:
        raise Damaged(f"row {row.number}: two columns named {twice[0]}")
    return places


def _table(document: Document) -> list[Row]:
    """The rows, header first, of the first sheet that has this table's header; none without such a sheet."""
    if not document.is_workbook:
        opening = next((line for line in document.lines if line.strip()), "")
        if "summarysha256" not in _plain(opening):  # a page is not to be read as a table
            return []
    return next((rows for rows in document.sheets if rows and _header(rows[0])), [])


def _table_record(row: Row, places: Mapping[str, int], width: int) -> Record | Reject:
    """The record of one row of the table."""

    def reject(reason: str) -> Reject:
        return Reject(f"row {row.number}", reason, ",".join(row.cells))

    if extra := [cell.strip() for cell in row.cells[width:] if cell.strip()]:
        return reject(f"{len(row.cells)} cells where the header has {width}: nothing is known about “{extra[0][:60]}”")
    cells = [*row.cells, *[""] * (width - len(row.cells))]
    values: dict[str, str | int | None] = dict.fromkeys(_COLUMNS)
    values.update({name: squeeze_spaces(cells[place]) or None for name, place in places.items()})
    names = ("entry", "linked_url", "summary_sha256", "summary")
    entry, link, key, summary = (str(values[name] or "") for name in names)
    if not re.fullmatch(r"[1-9][0-9]{0,8}", entry):
        return reject(f"entry “{entry[:60]}” is not a whole number from 1")
    if link and not _LINK.fullmatch(link):
        return reject(f"linked_url “{link[:60]}” is not a link (https://…)")
    if not _HASH.fullmatch(key):
        return reject(f"summary_sha256 “{key[:80]}” is not a SHA-256 of 64 hex digits in lower case")
    if summary and digest(summary) != key:
        return reject(f"summary_sha256 “{key}” is not the hash of the row's summary")
    return Record(key, {**values, "entry": int(entry)}, f"row {row.number}")


def _recognise(document: Document) -> None:
    """Returns for a page of episode notes or its table.

    Raises:
        NotThisSource: Neither closing lines of entries nor the header of the table.
    """
    looked_for = "lines “A podcast by …” and “Learn more on the … website.”, or a header " + ",".join(
        _TABLE_COLUMNS[:6]
    )
    if document.is_workbook:
        if not _table(document):
            raise NotThisSource(f"looked for {looked_for}; found {document.kind} without that header")
        return
    opening = next((line for line in document.lines if line.strip()), "")
    if {"entry", "summarysha256"} <= {_plain(cell.strip('"')) for cell in re.split(r"[,;\t]", opening)}:
        return
    if document.html_title is None and any(match["publisher"] for match in _CLOSING.finditer(document.text)):
        return
    raise NotThisSource(f"looked for {looked_for}; found {document.kind}")


def _parse(document: Document) -> Parsed:
    """The entries of a page or table.

    Raises:
        Damaged: The table's cells cannot be told apart, or two columns have the same name.
    """
    try:
        rows = _table(document)
    except Unreadable as error:
        raise Damaged(str(error)) from error
    if not rows:
        return Parsed(list(_page_items(document.text)))
    places = _header(rows[0])
    return Parsed([_table_record(row, places, len(rows[0].cells)) for row in rows[1:]])


SOURCE = Source(
    name="podcast_page",
    title="Podcast page",
    things="episodes",
    row="One entry of a podcast page: the notes of one episode, with the text that it reads or discusses.",
    columns=_COLUMNS,
    expected="a captured podcast page (entries that end with “A podcast by …” and “Learn more on the … website.”)",
    licence="links, names and hashes are facts, free to use; the notes are their publishers' and stay on this machine",
    recognise=_recognise,
    parse=_parse,
    positional=("entry",),
)
