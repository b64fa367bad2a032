"""Readers of arXiv's forms of a paper: OAI-PMH, the query API, the bulk file, the metadata of a page.

Each returns the identity of a paper and its values by column of the raw table.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from orchestration.sources.shared.fields import Fields, describe_value
from orchestration.sources.shared.html_text import join_texts
from orchestration.sources.shared.links import link_key
from orchestration.sources.source import Value

_ID = re.compile(
    r"(?:https?://arxiv\.org/abs/|oai:arXiv\.org:)?(?P<id>\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Za-z]{2})?/\d{7})(?:v(?P<version>\d{1,18}))?"
)
_VERSION_NAME = re.compile(r"v\d{1,9}")
COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "arxiv_id": {
        "type": "text",
        "required": True,
        "matches": r"(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Za-z]{2})?/\d{7})$",
        "meaning": "Id of the paper in arXiv, without version.",
    },
    "version_number": {
        "type": "integer",
        "unit": "ordinal",
        "minimum": 1,
        "meaning": "Version described by the record.",
    },
    "title": {"type": "text", "meaning": "Title of the version."},
    "abstract": {"type": "text", "meaning": "Abstract, with white space normalised."},
    "authors": {"type": "text", "meaning": "Names of the authors, separated by semicolons."},
    "affiliations": {"type": "text", "meaning": "JSON list of author and affiliation, where given to arXiv."},
    "primary_category": {"type": "text", "meaning": "Primary category in arXiv: cs.LG."},
    "categories": {"type": "text", "meaning": "All categories in arXiv, separated by semicolons."},
    "submitted_on": {
        "type": "date",
        "minimum": dt.date(1986, 1, 1),
        "maximum": dt.date(2100, 1, 1),
        "meaning": "Day of the first version.",
    },
    "revised_on": {"type": "date", "meaning": "Day of that version."},
    "record_changed_on": {"type": "date", "meaning": "Day on which arXiv last changed the record."},
    "version_history": {"type": "text", "meaning": "JSON list of versions with their times, where given."},
    "doi": {"type": "text", "meaning": "DOI of the published version, in lower case."},
    "journal_reference": {"type": "text", "meaning": "Where it was published, as stated by the authors."},
    "author_note": {"type": "text", "meaning": "Comment of the authors: pages, venue, changes of a version."},
    "report_number": {"type": "text", "meaning": "Report number of the authors' institution."},
    "text_licence": {"type": "text", "meaning": "Address of the paper's licence."},
    "is_deleted": {"type": "boolean", "required": True, "meaning": "Whether arXiv has withdrawn the record."},
}


def _parse_arxiv_id(text: str | None) -> tuple[str, int | None]:
    """Id and version of a paper, from an id, an address or an OAI identifier.

    Raises:
        ValueError: The text is none of these.
    """
    match = _ID.fullmatch((text or "").strip())
    if match is None:
        raise ValueError(f"“{(text or '')[:60]}” is not an id of an arXiv paper")
    return match["id"], int(match["version"]) if match["version"] else None


def _build_row(values: Mapping[str, Value]) -> tuple[str, dict[str, Value]]:
    """Identity and column values of a paper; columns without a value stay empty."""
    row = {**dict.fromkeys(COLUMNS), "is_deleted": False, **values}
    return link_key(f"arxiv:{row['arxiv_id']}"), row


def _first_text(fields: Fields, name: str) -> str | None:
    """The text of the first element of that name."""
    return next(iter(fields.texts(name)), None)


def _parse_doi(text: str | None) -> str | None:
    return re.split(r"[,;\s]+", text)[0].lower() if text else None


def _parse_day(paper: Fields, name: str, text: str | None) -> dt.date | None:
    """The day at the start of a text, read from a field of a paper; None with a note if there is none."""
    try:
        return dt.date.fromisoformat(text[:10]) if text else None
    except ValueError:
        return paper.note_odd(name, f"is {describe_value(text)}, not a day such as 2024-06-17")


def _join_words(text: str | None) -> str | None:
    return join_texts((text or "").split())


def read_oai_record(record: Fields) -> tuple[str, dict[str, Value]]:
    """The paper of an OAI-PMH record, in the formats ``arXiv`` and ``arXivRaw``.

    Raises:
        ValueError: It has no id of a paper, or its metadata are of another format.
    """
    header = next(iter(record.children("header")), Fields({}))
    header.ignore("setSpec")
    arxiv_id, _ = _parse_arxiv_id(_first_text(header, "identifier"))
    values: dict[str, Value] = {
        "arxiv_id": arxiv_id,
        "record_changed_on": _parse_day(header, "datestamp", _first_text(header, "datestamp")),
    }
    if header.text("@status") == "deleted":
        return _build_row({**values, "is_deleted": True})
    metadata = record.children("metadata")
    forms = metadata[0].children("arXiv") or metadata[0].children("arXivRaw") if metadata else []
    if not forms:
        raise ValueError("neither arXiv nor arXivRaw metadata: request one of these as metadataPrefix")
    paper = forms[0]
    paper.ignore("@schemaLocation", "id", "submitter", "msc-class", "acm-class", "proxy")
    categories = _first_text(paper, "categories")
    values |= {
        "title": _first_text(paper, "title"),
        "abstract": _first_text(paper, "abstract"),
        "primary_category": categories.split()[0] if categories else None,
        "categories": _join_words(categories),
        "doi": _parse_doi(_first_text(paper, "doi")),
        "journal_reference": _first_text(paper, "journal-ref"),
        "author_note": _first_text(paper, "comments"),
        "report_number": _first_text(paper, "report-no"),
        "text_licence": _first_text(paper, "license"),
    }
    if versions := paper.children("version"):
        values["authors"] = _split_authors(_first_text(paper, "authors"))
        return _build_row({**values, **_summarise_versions(paper, _read_raw_versions(versions))})
    created, updated = _first_text(paper, "created"), _first_text(paper, "updated")
    names, affiliations = [], []
    for author in (author for group in paper.children("authors") for author in group.children("author")):
        parts = (_first_text(author, "forenames"), _first_text(author, "keyname"), _first_text(author, "suffix"))
        names.append(" ".join(part for part in parts if part))
        affiliations += [{"author": names[-1], "affiliation": text} for text in author.texts("affiliation")]
    values |= {
        "authors": join_texts([name for name in names if name.strip(" :")]),
        "affiliations": json.dumps(affiliations, ensure_ascii=False) if affiliations else None,
        "submitted_on": _parse_day(paper, "created", created),
        "revised_on": _parse_day(paper, "updated", updated or created),
    }
    return _build_row(values)


def _read_raw_versions(versions: Iterable[Fields]) -> Iterator[tuple[str, str]]:
    for version in versions:
        version.ignore("size", "source_type")
        yield version.text("@version") or "", _first_text(version, "date") or ""


def _summarise_versions(
    paper: Fields, dated_versions: Iterable[tuple[str, str]], described: int | None = None
) -> dict[str, Value]:
    """The columns that depend on a paper's versions; a version that cannot be read is left out with a note.

    Args:
        paper: Receives the notes.
        dated_versions: Name and time of each version: ``("v1", "Mon, 2 Apr 2007 19:18:42 GMT")``.
        described: Number of the version that the record describes; by default the newest.
    """
    versions: list[tuple[int, dt.datetime]] = []
    for name, time in dated_versions:
        try:
            number = int(name[1:]) if _VERSION_NAME.fullmatch(name) else 0
            versions.append((number, parsedate_to_datetime(time).astimezone(dt.UTC)))
        except (ValueError, TypeError, OverflowError, IndexError):
            number = 0
        if not number:
            paper.note_odd("version", f"“{name[:20]}” of “{time[:40]}” is not of the form v1 with its time")
    versions = sorted(version for version in versions if version[0])
    if not versions:
        paper.note_odd("versions", "hold no version with its time, so the days of the paper are unknown")
        return {}
    number, time = next((version for version in versions if version[0] == described), versions[-1])
    return {
        "version_number": number,
        "submitted_on": versions[0][1].date() if versions[0][0] == 1 else None,
        "revised_on": time.date(),
        "version_history": json.dumps([{"version": number, "at": time.isoformat()} for number, time in versions]),
    }


def _split_authors(text: str | None) -> str | None:
    """The names in a text such as ``A. Ann, B. Ben and C. Cem (Some Place)``, without the parts in brackets."""
    parts: list[str] = []
    openings: list[int] = []  # of the brackets that are not closed so far, as positions in the parts
    for part in re.split(r"([()])", text or ""):
        if part == "(":
            openings.append(len(parts))
        if part == ")" and openings:
            del parts[openings.pop() :]
            parts[-1:] = [last.rstrip() for last in parts[-1:]]
        else:
            parts.append(part)
    names = re.split(r",\s+and\s+|,\s*|\s+and\s+", "".join(parts))
    return join_texts([name for part in names if (name := part.strip(" :"))])


def read_atom_entry(entry: Fields) -> tuple[str, dict[str, Value]]:
    """The paper of an entry of the query API.

    Raises:
        ValueError: It has no id of a paper.
    """
    arxiv_id, version = _parse_arxiv_id(_first_text(entry, "id"))
    authors = entry.children("author")
    names = [_first_text(author, "name") for author in authors]
    affiliations = [
        {"author": name, "affiliation": text}
        for name, author in zip(names, authors, strict=True)
        for text in author.texts("affiliation")
    ]
    entry.ignore("link")
    subjects = entry.children("category")
    for subject in subjects:
        subject.ignore("@scheme")
    categories = [term for subject in subjects if (term := subject.text("@term"))]
    primary = [term for subject in entry.children("primary_category") if (term := subject.text("@term"))]
    values: dict[str, Value] = {
        "arxiv_id": arxiv_id,
        "version_number": version,
        "title": _first_text(entry, "title"),
        "abstract": _first_text(entry, "summary"),
        "authors": join_texts([name for name in names if name]),
        "affiliations": json.dumps(affiliations, ensure_ascii=False) if affiliations else None,
        "primary_category": primary[0] if primary else None,
        "categories": join_texts(categories),
        "submitted_on": _parse_day(entry, "published", _first_text(entry, "published")),
        "revised_on": _parse_day(entry, "updated", _first_text(entry, "updated")),
        "doi": _parse_doi(_first_text(entry, "doi")),
        "journal_reference": _first_text(entry, "journal_ref"),
        "author_note": _first_text(entry, "comment"),
    }
    return _build_row(values)


def read_bulk_line(paper: Fields) -> tuple[str, dict[str, Value]]:
    """The paper of a line of the bulk file.

    Raises:
        ValueError: It has no id of a paper.
    """
    paper.ignore("submitter", "authors")
    versions = paper.children("versions")
    categories = paper.line("categories")
    values: dict[str, Value] = {
        "arxiv_id": _parse_arxiv_id(paper.text("id"))[0],
        "title": paper.line("title"),
        "abstract": paper.line("abstract"),
        "authors": join_texts(_read_parsed_names(paper)),
        "primary_category": categories.split()[0] if categories else None,
        "categories": _join_words(categories),
        "record_changed_on": paper.day("update_date"),
        "doi": _parse_doi(paper.line("doi")),
        "journal_reference": paper.line("journal-ref"),
        "author_note": paper.line("comments"),
        "report_number": paper.line("report-no"),
        "text_licence": paper.line("license"),
        **_summarise_versions(
            paper, ((version.text("version") or "", version.text("created") or "") for version in versions)
        ),
    }
    return _build_row(values)


def _read_parsed_names(paper: Fields) -> Iterator[str]:
    """The name of each author, from lists of family name, given names and suffix."""
    authors = paper.value("authors_parsed")
    for parts in authors if isinstance(authors, list) else [authors]:
        if isinstance(parts, list) and parts and all(isinstance(part, str) for part in parts):
            yield " ".join(filter(None, (*parts[1:2], parts[0], *parts[2:3])))
        else:
            paper.note_odd("authors_parsed", f"holds {describe_value(parts)}, not a list of names")


def read_page(page: Fields) -> tuple[str, dict[str, Value]]:
    """The paper of a captured page, from its ``citation_`` metadata and its submission history.

    The page of an earlier version has that version's title and abstract, and the history of all.

    Raises:
        ValueError: It has no id of a paper.
    """
    names = [" ".join(reversed(name.split(", ", 1))) for name in page.texts("author")]
    day, online_day = ((_first_text(page, name) or "").replace("/", "-") for name in ("date", "online_date"))
    values: dict[str, Value] = {
        "arxiv_id": _parse_arxiv_id(_first_text(page, "arxiv_id"))[0],
        "title": _first_text(page, "title"),
        "abstract": _first_text(page, "abstract"),
        "authors": join_texts(names),
        "submitted_on": _parse_day(page, "date", day),
        "revised_on": _parse_day(page, "online_date", online_day or day),
        "doi": _parse_doi(_first_text(page, "doi")),
    }
    if history := page.children("versions"):
        shown = _first_text(page, "shown_version") or ""
        versions = ((version.text("version") or "", version.text("created") or "") for version in history)
        values |= _summarise_versions(page, versions, int(shown[1:]) if _VERSION_NAME.fullmatch(shown) else None)
    return _build_row(values)
