"""Papers of arXiv, from its harvesting interface, its search interface, its bulk file, or a paper's page.

A paper is known by its id without version. Its day is that of the first version: later versions and changes of the
record (which the harvesting interface dates) move no paper in time. Each change of what is told is a new row in raw.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from orchestration.sources.arxiv.query import fetch
from orchestration.sources.shared.document import Document, Unreadable
from orchestration.sources.shared.fields import Fields, tally
from orchestration.sources.shared.html_text import joined
from orchestration.sources.shared.links import link_key
from orchestration.sources.shared.xml import as_fields, local_name, root_of, texts_of
from orchestration.sources.source import Damaged, NotThisSource, Parsed, Record, Reject, Source, Value

_ID = re.compile(
    r"(?:https?://arxiv\.org/abs/|oai:arXiv\.org:)?(?P<id>\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Za-z]{2})?/\d{7})(?:v(?P<version>\d+))?"
)
_BULK = {"id", "authors_parsed", "categories", "versions", "update_date"}
_EMPTY = {"noRecordsMatch", "badResumptionToken"}  # a window without change, and one that must be asked for again
_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "arxiv_id": {
        "type": "text",
        "required": True,
        "matches": r"(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Za-z]{2})?/\d{7})$",
        "meaning": "arXiv's id of the paper, without version.",
    },
    "version_number": {"type": "integer", "unit": "ordinal", "minimum": 1, "meaning": "The version that is told of."},
    "title": {"type": "text", "meaning": "Title of that version."},
    "abstract": {"type": "text", "meaning": "Abstract, with white space normalised."},
    "authors": {"type": "text", "meaning": "Names of the authors, between semicolons."},
    "affiliations": {"type": "text", "meaning": "JSON list of author and affiliation, where arXiv was told of one."},
    "primary_category": {"type": "text", "meaning": "arXiv's main category of it: cs.LG."},
    "categories": {"type": "text", "meaning": "All of arXiv's categories of it, between semicolons."},
    "submitted_on": {
        "type": "date",
        "minimum": dt.date(1986, 1, 1),
        "maximum": dt.date(2100, 1, 1),
        "meaning": "Day of the first version.",
    },
    "revised_on": {"type": "date", "meaning": "Day of the version that is told of."},
    "record_changed_on": {"type": "date", "meaning": "Day on which arXiv last changed its record."},
    "version_history": {"type": "text", "meaning": "JSON list of versions with their times, where they are told."},
    "doi": {"type": "text", "meaning": "DOI of the published form, in lower case."},
    "journal_reference": {"type": "text", "meaning": "Where it was published, in the authors' words."},
    "author_note": {"type": "text", "meaning": "The authors' comment: pages, venue, what a version changed."},
    "report_number": {"type": "text", "meaning": "Number of a report of the authors' institution."},
    "text_licence": {"type": "text", "meaning": "Address of the licence of the paper itself."},
    "is_deleted": {"type": "boolean", "required": True, "meaning": "Whether arXiv has withdrawn the record."},
}


def _identified(text: str | None) -> tuple[str, int | None]:
    found = _ID.fullmatch((text or "").strip())
    if found is None:
        raise ValueError(f"“{(text or '')[:60]}” is no id of an arXiv paper")
    return found["id"], int(found["version"]) if found["version"] else None


def _record(values: Mapping[str, Value], locator: str) -> Record:
    """A record of what is told of a paper; columns that are not told stay empty."""
    whole = {**dict.fromkeys(_COLUMNS), "is_deleted": False, **values}
    return Record(link_key(f"arxiv:{whole['arxiv_id']}"), whole, locator)


def _one(fields: Fields, name: str) -> str | None:
    """The text of the first element of that name."""
    return next(iter(fields.texts(name)), None)


def _doi(text: str | None) -> str | None:
    return re.split(r"[,;\s]+", text)[0].lower() if text else None


def _day(text: str | None, name: str) -> dt.date | None:
    return Fields({name: text}).day(name) if text else None


def _semicolons(text: str | None) -> str | None:
    return joined((text or "").split())


def _from_oai(record: Fields, locator: str) -> Record:
    """A record of the harvesting interface, in the forms ``arXiv`` and ``arXivRaw``.

    Raises:
        ValueError: Something in it is not what it should be.
    """
    header = record.each("header")[0]
    header.pass_over("setSpec")
    arxiv_id, _ = _identified(_one(header, "identifier"))
    values: dict[str, Value] = {"arxiv_id": arxiv_id, "record_changed_on": _day(_one(header, "datestamp"), "datestamp")}
    if header.text("@status") == "deleted":
        return _record({**values, "is_deleted": True}, locator)
    metadata = record.each("metadata")
    forms = metadata[0].each("arXiv") or metadata[0].each("arXivRaw") if metadata else []
    if not forms:
        raise ValueError("neither arXiv nor arXivRaw metadata: ask with one of these as metadataPrefix")
    paper = forms[0]
    paper.pass_over("@schemaLocation", "id", "submitter", "msc-class", "acm-class", "proxy")
    categories = _one(paper, "categories")
    values |= {
        "title": _one(paper, "title"),
        "abstract": _one(paper, "abstract"),
        "primary_category": categories.split()[0] if categories else None,
        "categories": _semicolons(categories),
        "doi": _doi(_one(paper, "doi")),
        "journal_reference": _one(paper, "journal-ref"),
        "author_note": _one(paper, "comments"),
        "report_number": _one(paper, "report-no"),
        "text_licence": _one(paper, "license"),
    }
    if versions := paper.each("version"):
        values["authors"] = _names(_one(paper, "authors"))
        return _record({**values, **_versions(_raw_versions(versions))}, locator)
    created, updated = _one(paper, "created"), _one(paper, "updated")
    people, affiliations = [], []
    for author in (author for group in paper.each("authors") for author in group.each("author")):
        parts = (_one(author, "forenames"), _one(author, "keyname"), _one(author, "suffix"))
        people.append(" ".join(part for part in parts if part))
        affiliations += [{"author": people[-1], "affiliation": place} for place in author.texts("affiliation")]
    values |= {
        "authors": joined([name for name in people if name.strip(" :")]),
        "affiliations": json.dumps(affiliations, ensure_ascii=False) if affiliations else None,
        "submitted_on": _day(created, "created"),
        "revised_on": _day(updated or created, "updated"),
    }
    return _record(values, locator)


def _raw_versions(versions: Iterable[Fields]) -> Iterator[tuple[str, str]]:
    for version in versions:
        version.pass_over("size", "source_type")
        yield version.text("@version") or "", _one(version, "date") or ""


def _versions(told: Iterable[tuple[str, str]]) -> dict[str, Value]:
    """The columns that follow from a paper's versions, as (``v1``, ``Mon, 2 Apr 2007 19:18:42 GMT``).

    Raises:
        ValueError: A version or its time cannot be read.
    """
    versions: list[tuple[int, dt.datetime]] = []
    for name, time in told:
        if not re.fullmatch(r"v\d+", name):
            raise ValueError(f"version “{name[:20]}” is not of the form v1")
        versions.append((int(name[1:]), parsedate_to_datetime(time).astimezone(dt.UTC)))
    if not versions:
        raise ValueError("no version")
    versions.sort()
    return {
        "version_number": versions[-1][0],
        "submitted_on": versions[0][1].date() if versions[0][0] == 1 else None,
        "revised_on": versions[-1][1].date(),
        "version_history": json.dumps([{"version": number, "at": time.isoformat()} for number, time in versions]),
    }


def _names(text: str | None) -> str | None:
    """Authors told as one text: ``A. Ann, B. Ben and C. Cem (Some Place)``; what stands in brackets is left out."""
    if not text:
        return None
    while text != (shorter := re.sub(r"\s*\([^()]*\)", "", text)):
        text = shorter
    return joined([name for part in re.split(r",\s+and\s+|,\s*|\s+and\s+", text) if (name := part.strip(" :"))])


def _from_atom(entry: Fields, locator: str) -> Record:
    """An entry of the search interface.

    Raises:
        ValueError: Something in it is not what it should be.
    """
    arxiv_id, version = _identified(_one(entry, "id"))
    authors = entry.each("author")
    names = [_one(author, "name") for author in authors]
    affiliations = [
        {"author": name, "affiliation": place}
        for name, author in zip(names, authors, strict=True)
        for place in author.texts("affiliation")
    ]
    entry.pass_over("link")
    subjects = entry.each("category")
    for subject in subjects:
        subject.pass_over("@scheme")
    categories = [term for subject in subjects if (term := subject.text("@term"))]
    primary = [term for one in entry.each("primary_category") if (term := one.text("@term"))]
    values: dict[str, Value] = {
        "arxiv_id": arxiv_id,
        "version_number": version,
        "title": _one(entry, "title"),
        "abstract": _one(entry, "summary"),
        "authors": joined([name for name in names if name]),
        "affiliations": json.dumps(affiliations, ensure_ascii=False) if affiliations else None,
        "primary_category": primary[0] if primary else None,
        "categories": joined(categories),
        "submitted_on": _day(_one(entry, "published"), "published"),
        "revised_on": _day(_one(entry, "updated"), "updated"),
        "doi": _doi(_one(entry, "doi")),
        "journal_reference": _one(entry, "journal_ref"),
        "author_note": _one(entry, "comment"),
    }
    return _record(values, locator)


def _from_bulk(paper: Fields, locator: str) -> Record:
    """A line of the bulk file.

    Raises:
        ValueError: Something in it is not what it should be.
    """
    paper.pass_over("submitter", "authors")
    people = [" ".join(filter(None, (*parts[1:2], parts[0], *parts[2:3]))) for parts in paper.whole("authors_parsed")]
    versions = paper.each("versions")
    categories = paper.line("categories")
    values: dict[str, Value] = {
        "arxiv_id": _identified(paper.text("id"))[0],
        "title": paper.line("title"),
        "abstract": paper.line("abstract"),
        "authors": joined(people),
        "primary_category": categories.split()[0] if categories else None,
        "categories": _semicolons(categories),
        "record_changed_on": paper.day("update_date"),
        "doi": _doi(paper.line("doi")),
        "journal_reference": paper.line("journal-ref"),
        "author_note": paper.line("comments"),
        "report_number": paper.line("report-no"),
        "text_licence": paper.line("license"),
        **_versions((version.text("version") or "", version.text("created") or "") for version in versions),
    }
    return _record(values, locator)


def _from_page(document: Document) -> Record:
    """A paper's page, by what it tells machines.

    Raises:
        ValueError: Something in it is not what it should be.
    """
    from selectolax.lexbor import LexborHTMLParser

    told: dict[str, list[str]] = {}
    for node in LexborHTMLParser(document.data).css('meta[name^="citation_"]'):
        name, content = node.attributes.get("name") or "", " ".join((node.attributes.get("content") or "").split())
        told.setdefault(name.removeprefix("citation_"), []).append(content)
    first = {name: texts[0] for name, texts in told.items() if texts[0]}
    people = [" ".join(reversed(name.split(", ", 1))) for name in told.get("author", [])]
    values: dict[str, Value] = {
        "arxiv_id": _identified(first.get("arxiv_id"))[0],
        "title": first.get("title"),
        "abstract": first.get("abstract"),
        "authors": joined(people),
        "submitted_on": _day(first.get("date", "").replace("/", "-"), "citation_date"),
        "revised_on": _day(first.get("online_date", first.get("date", "")).replace("/", "-"), "citation_online_date"),
        "doi": _doi(first.get("doi")),
    }
    return _record(values, "the page")


def _is_page(document: Document) -> bool:
    return document.html_title is not None and b'name="citation_arxiv_id"' in document.data


def _recognise(document: Document) -> None:
    if document.xml_root == "OAI-PMH" and b"arxiv" in document.data[:2000].lower():
        return
    if document.xml_root == "feed" and b"://arxiv.org/api" in document.data[:2000]:
        return
    if not _is_page(document):
        lines = document.json_lines
        if not (lines and isinstance(lines[0][1], dict) and lines[0][1].keys() >= _BULK):
            raise NotThisSource(f"looked for papers of arXiv; found {document.kind}")


def _told(document: Document) -> Iterator[tuple[str, Fields | Exception, Any]]:
    """Place, fields and reader of each paper of a document."""
    if document.json_lines:
        for number, value in document.json_lines:
            wrong = value if isinstance(value, Unreadable) else ValueError("no JSON object")
            yield f"line {number}", Fields(value) if isinstance(value, dict) else wrong, _from_bulk
        return
    root = root_of(document.data)
    wanted, reader = ("record", _from_oai) if document.xml_root == "OAI-PMH" else ("entry", _from_atom)
    for number, element in enumerate((each for each in root.iter() if local_name(each) == wanted), 1):
        yield f"{wanted} {number}", Fields(as_fields(element)), reader


def _parse(document: Document) -> Parsed:
    """The papers of a document, in its order.

    Raises:
        Damaged: It is not well formed, arXiv answers with an error, or with an empty page that should not be empty.
    """
    if _is_page(document):
        return Parsed([_guarded(lambda: _from_page(document), "the page", document.html_title or "")])
    parsed = Parsed(is_answer=not document.json_lines)
    for locator, told, reader in _told(document):
        if isinstance(told, Exception):
            parsed.items.append(Reject(locator, str(told), ""))
            continue
        raw_text = json.dumps(told.data, ensure_ascii=False, default=str)
        parsed.items.append(_guarded(lambda t=told, r=reader, at=locator: r(t, at), locator, raw_text))
        tally(parsed.unparsed, [told])
    if document.xml_root == "OAI-PMH":
        for error in root_of(document.data).iter("{*}error"):
            if (code := error.get("code")) not in _EMPTY:
                raise Damaged(f"arXiv answers with an error: {code}: {(error.text or '').strip()[:200]}")
    elif document.xml_root == "feed":
        parsed.items += _missing(document, parsed)
    return parsed


def _guarded(read: Any, locator: str, raw_text: str) -> Record | Reject:
    try:
        return read()
    except (ValueError, TypeError, IndexError) as error:
        return Reject(locator, str(error), raw_text)


def _missing(document: Document, parsed: Parsed) -> Iterator[Reject]:
    """The ids that were asked for and not answered: arXiv leaves out unknown ones without a word.

    Raises:
        Damaged: The page is empty though there should be more, as arXiv sometimes answers when it is busy.
    """
    root = root_of(document.data)
    total, start = (
        int(told[0]) if (told := texts_of(root, name)) and told[0].isdigit() else 0
        for name in ("totalResults", "startIndex")
    )
    if total > start and not parsed.items:
        raise Damaged(f"an empty page of {total} results from {start}")
    asked = re.search(r"[?&;: ]id_list=([^&<]+)", next(iter(texts_of(root, "title")), ""))
    held = {record.identity for record in parsed.records}
    for number, asked_id in enumerate(filter(None, re.split(r"[,\s]+", asked[1])) if asked and not start else (), 1):
        if link_key(f"arxiv:{re.sub(r'v[0-9]+$', '', asked_id)}") not in held and total <= len(parsed.items):
            reason = f"{asked_id} was asked for, and arXiv knows no such paper"
            yield Reject(f"asked id {number}", reason, asked_id, is_fault=False)


SOURCE = Source(
    name="arxiv_papers",
    title="arXiv",
    things="papers",
    row="One version of what arXiv tells of a paper.",
    columns=_COLUMNS,
    expected="papers of arXiv (an answer of its OAI-PMH or query interface, lines of its bulk file, or a paper's page)",
    licence="CC0 1.0 for arXiv's metadata; papers under their own licences",
    recognise=_recognise,
    parse=_parse,
    newest="submitted_on",
    positional=("record_changed_on",),
    fetch=fetch,
    by_window=True,
)
