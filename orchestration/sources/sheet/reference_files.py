"""Lists in formats of reference managers (BibTeX, RIS, Zotero's RDF) and in JSON, as tables with a header."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

from orchestration.sources.shared.document import Document
from orchestration.sources.shared.rows import Row, Tab
from orchestration.sources.sheet.zotero_rdf import is_zotero_rdf, read_items
from orchestration.sources.source import collapse_spaces

_BIBTEX = re.compile(r"^\s*@(?!comment|preamble|string)[a-z]+\s*[{(]", re.IGNORECASE | re.MULTILINE)
_BIBTEX_START = re.compile(r"^(?=[ \t]*@[a-z]+\s*[{(])", re.IGNORECASE | re.MULTILINE)
_LINE = re.compile(r" in line \d+(?=: )")
_BETWEEN_KEYWORDS = re.compile(r"[,;]")  # as people and programs write them in BibTeX, which has no rule for them
_RIS = re.compile(r"^TY {2}- ", re.MULTILINE)
_RIS_TAG = re.compile(r"[A-Z][A-Z0-9] {2}-")
_HEADERS = ("Title", "Authors", "Date", "URL", "Abstract", "Keywords", "Type")
REFERENCE_COLUMNS: Mapping[str, str] = {
    "title": "Title",
    "authors": "Authors",
    "date": "Date",
    "url": "URL",
    "abstract": "Abstract",
}
"""The columns of a file of a reference manager, whose fields have fixed meanings."""
_MAX_NESTED = 3
_MAX_RAW_CHARACTERS = 2000


class _Reference(NamedTuple):
    """The fields of one reference, in the order of the headers; the links are joined."""

    title: str
    authors: str
    date: str
    links: str
    abstract: str
    keywords: str
    kind: str
    note: str = ""


def is_reference_file(document: Document) -> bool:
    """Whether a document is a file of a reference manager."""
    return _find_reader(document) is not None


def read_references(document: Document) -> Tab | None:
    """The references of a BibTeX, RIS or Zotero RDF file as a table; None for any other document.

    Raises:
        DamagedDocument: RDF that is not well formed.
    """
    read = _find_reader(document)
    return _build_tab(read(document)) if read else None


def _find_reader(document: Document) -> Callable[[Document], Iterator[_Reference | Row]] | None:
    if document.is_workbook:
        return None
    if document.is_markup:
        return _read_zotero if is_zotero_rdf(document) else None
    # a zero byte or a line without end is for others to judge
    if _RIS.search(document.head):
        return lambda document: _read_ris(document.text)
    if _BIBTEX.search(document.head):
        return lambda document: _read_bibtex(document.text, document.hints.get("separator", ""))
    return None


def _read_zotero(document: Document) -> Iterator[_Reference | Row]:
    for item in read_items(document):
        yield _Reference(
            item.title, item.authors, item.date, _join_links(*item.links), item.abstract, item.tags, item.kind
        )


def _build_tab(references: Iterable[_Reference | Row]) -> Tab:
    rows = [Row(1, list(_HEADERS))]
    for number, reference in enumerate(references, 2):
        if isinstance(reference, Row):
            rows.append(reference._replace(number=number))
        else:
            rows.append(Row(number, list(reference[: len(_HEADERS)]), note=reference.note))
    return Tab("", rows)


def _reject(text: str, reason: str, *, is_fault: bool = True) -> Row:
    """A row for a part of a file that is no reference, with the reason."""
    return Row(0, [text.strip()[:_MAX_RAW_CHARACTERS]], fault=reason, is_fault=is_fault)


def _read_bibtex(text: str, separator: str) -> Iterator[_Reference | Row]:
    """The entries; one that is not valid is rejected by itself, whatever it would take from the next ones."""
    from pybtex.database.input.bibtex import Parser

    entries, problems = _parse_bibtex(Parser(encoding="utf-8"), text)
    if not problems:
        yield from (_read_entry(entry, separator) for entry in entries)
        return
    parser, line = Parser(encoding="utf-8"), 1
    for part in _BIBTEX_START.split(text):
        entries, problems = _parse_bibtex(parser, part)
        # the lines of a part are not those of the file
        reasons = "; ".join(_LINE.sub("", collapse_spaces(str(problem))) for problem in problems)[:300]
        if problems and (not entries or any(_is_syntax_error(problem) for problem in problems)):
            yield _reject(part, f"BibTeX, in the entry from line {line}: {reasons}")
        else:
            note = f"BibTeX: {reasons}" if problems else ""
            yield from (_read_entry(entry, separator)._replace(note=note) for entry in entries)
        line += part.count("\n")


def _parse_bibtex(parser: Any, text: str) -> tuple[list[Any], list[Exception]]:
    """The entries that a text adds to those that a parser has, and what is wrong with it."""
    from pybtex import errors
    from pybtex.exceptions import PybtexError

    earlier = len(parser.data.entries)
    problems: list[Exception]
    with errors.capture() as problems:
        try:
            parser.parse_string(text)
        except PybtexError as error:
            problems.append(error)
    return list(parser.data.entries.values())[earlier:], problems


def _is_syntax_error(problem: Exception) -> bool:
    """Whether an entry was not understood; a name of a month that is not declared costs only its value."""
    from pybtex.database.input.bibtex import UndefinedMacro
    from pybtex.scanner import PybtexSyntaxError

    return isinstance(problem, PybtexSyntaxError) and not isinstance(problem, UndefinedMacro)


def _read_entry(entry: Any, separator: str) -> _Reference:
    fields = entry.fields
    people = chain.from_iterable(entry.persons.get(role, []) for role in ("author", "editor")[:1])
    date = fields.get("date") or "-".join(filter(None, [fields.get("year", ""), _find_month(fields.get("month"))]))
    keywords = _render(fields.get("keywords", ""))
    parts = keywords.split(separator) if separator else _BETWEEN_KEYWORDS.split(keywords)
    return _Reference(
        _render(fields.get("title", "")),
        "; ".join(_render(_name_person(person)) for person in people),
        date,
        _join_links(fields.get("url"), fields.get("doi"), _find_arxiv(fields)),
        _render(fields.get("abstract", "")),
        "; ".join(part.strip() for part in parts if part.strip()),
        entry.type,
    )


def _name_person(person: Any) -> str:
    names = (person.first_names, person.middle_names, person.prelast_names, person.last_names, person.lineage_names)
    return " ".join(chain.from_iterable(names))


def _find_arxiv(fields: Mapping[str, str]) -> str | None:
    is_arxiv = (fields.get("archiveprefix") or fields.get("eprinttype") or "").casefold() == "arxiv"
    return f"arxiv:{fields['eprint']}" if is_arxiv and fields.get("eprint") else None


def _find_month(month: str | None) -> str:
    """The number of a month by its name or number; empty for any other text."""
    names = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
    text = (month or "").strip().casefold()
    number = int(text) if text.isdecimal() else next((n for n, name in enumerate(names, 1) if text[:3] == name), 0)
    return f"{number:02}" if 1 <= number <= 12 else ""


def _render(text: str) -> str:
    """The text without TeX; as it is if it is not valid TeX."""
    from pybtex.richtext import Text

    try:
        return collapse_spaces(Text.from_latex(text).render_as("text"))
    except Exception:  # the library raises various exceptions for odd braces and commands
        return collapse_spaces(text)


def _read_ris(text: str) -> Iterator[_Reference | Row]:
    """The entries; one whose end is missing is read up to the next one, and text between entries is rejected."""
    for lines in _split_ris(text):
        if not _RIS.match(f"{lines[0]} "):
            # a tag shows an entry whose beginning is lost; other text, such as the name of a service, is none
            is_fault = any(_RIS_TAG.match(line) for line in lines)
            yield _reject("\n".join(lines), "RIS: text outside of the entries", is_fault=is_fault)
            continue
        is_ended = lines[-1].startswith("ER  -")
        yield _read_ris_entry(lines if is_ended else [*lines, "ER  - "], "" if is_ended else "RIS: no end of the entry")


def _split_ris(text: str) -> Iterator[list[str]]:
    """The lines of each entry, and those between entries."""
    lines: list[str] = []
    for line in text.split("\n"):
        if _RIS.match(f"{line} ") and lines:
            yield lines
            lines = []
        if line.strip():
            lines.append(line)
        if line.startswith("ER  -"):
            yield lines
            lines = []
    if lines:
        yield lines


def _read_ris_entry(lines: list[str], note: str) -> _Reference | Row:
    import rispy

    try:
        (reference,) = rispy.loads("\n".join(lines))
    except Exception as error:  # the library raises various exceptions for lines without a tag
        return _reject("\n".join(lines), f"RIS: an entry that cannot be read ({collapse_spaces(str(error))[:200]})")
    title = reference.get("title") or reference.get("primary_title") or reference.get("short_title") or ""
    authors = reference.get("authors") or reference.get("first_authors") or []
    date = reference.get("date") or reference.get("publication_year") or reference.get("year") or ""
    return _Reference(
        title,
        "; ".join(authors),
        str(date).strip("/"),
        _join_links(*reference.get("urls", []), reference.get("url"), reference.get("doi")),
        reference.get("abstract") or reference.get("notes_abstract") or "",
        "; ".join(reference.get("keywords", [])),
        reference.get("type_of_reference", ""),
        note,
    )


def _join_links(*links: str | None) -> str:
    """Links in one cell: addresses as they are, a DOI with its prefix."""
    known = [f"doi:{link}" if link.startswith("10.") else link for link in links if link]
    return " ".join(dict.fromkeys(known))


def read_json_table(document: Document) -> Tab | None:
    """The objects of a JSON list (also one in an object, or one object a line) as a table; None for other documents."""
    if document.is_workbook or document.html_title is not None or document.xml_root is not None:
        return None
    value = document.json
    if value is None and len(document.json_lines) > 1:
        value = [line for _, line in document.json_lines]
    if isinstance(value, dict):
        lists = [
            entry
            for entry in value.values()
            if isinstance(entry, list) and any(isinstance(element, dict) for element in entry)
        ]
        value = lists[0] if len(lists) == 1 else None
    if not isinstance(value, list) or not any(isinstance(entry, dict) for entry in value):
        return None
    headers = list(dict.fromkeys(str(name) for entry in value if isinstance(entry, dict) for name in entry))
    rows = [
        Row(number, [_show(entry.get(name)) for name in headers])
        if isinstance(entry, dict)
        else _reject_element(entry, number - 1)._replace(number=number)
        for number, entry in enumerate(value, 2)
    ]
    return Tab("", [Row(1, headers), *rows])


def _reject_element(element: object, number: int) -> Row:
    """A row for an element of a JSON list that is no object."""
    if isinstance(element, Exception):  # a line that is no JSON
        return _reject(str(element), f"element {number}: {element}")
    text = json.dumps(element, ensure_ascii=False)
    return _reject(text, f"element {number} of the JSON list is no object but {text[:60]}")


def _show(value: Any, depth: int = 0) -> str:
    """A value as the text of a cell: lists with semicolons, names of people and dates as people write them."""
    if value is None or depth > _MAX_NESTED:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "; ".join(filter(None, (_show(entry, depth + 1) for entry in value)))
    if isinstance(value, dict):
        if isinstance(parts := value.get("date-parts"), list) and parts and isinstance(parts[0], list):
            return "-".join(f"{int(part):02}" for part in parts[0] if str(part).isdecimal())
        if "family" in value:
            return f"{value.get('given') or ''} {value['family']}".strip()
        return _show(
            next((value[name] for name in ("name", "title", "label", "url") if name in value), None), depth + 1
        )
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
