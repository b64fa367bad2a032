"""Citations of items in BibTeX, RIS and CSL-JSON."""

from __future__ import annotations

import datetime as dt
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

import polars as pl

# item kinds as RIS and CSL types
_RIS_TYPES = {"episode": "SOUND", "segment": "BLOG", "post": "BLOG", "comment": "BLOG", "feed item": "BLOG"}
_CSL_TYPES = {
    "episode": "broadcast",
    "segment": "post",
    "post": "post-weblog",
    "comment": "post",
    "feed item": "post-weblog",
}
_KINDS_WITH_ABSTRACT = {"work", "publication", "paper"}  # the text of other kinds is the item itself
_LATEX_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "$&#%_"},
}
_STOP_WORDS = {"a", "an", "the", "on", "of", "in", "to", "for", "and"}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ARXIV = re.compile(r"arxiv\.org/(?:abs|pdf|html)/(\d{4}\.\d{4,5}|[a-z-]+/\d{7})", re.IGNORECASE)


def _join_lines(text: str) -> str:
    """The text on one line, without unprintable characters."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _split_authors(row: Mapping[str, Any]) -> list[str]:
    return [name for part in (row["authors"] or "").split(";") if (name := _join_lines(part))]


def _quote_url(row: Mapping[str, Any]) -> str | None:
    url = row["url"]
    return quote(url, safe="/:?#[]@!$&'()*+,;=%~") if url and re.match(r"https?://", url, re.IGNORECASE) else None


def _find_arxiv_id(row: Mapping[str, Any]) -> str:
    """Its arXiv id, from the records of the work or from its link; empty if there is none."""
    if row.get("arxiv_id"):
        return str(row["arxiv_id"])
    linked = _ARXIV.search(row["url"] or "")
    return linked[1] if linked else ""


def _build_key(row: Mapping[str, Any]) -> str:
    """A stable citation key, such as ``anthropic2024sycophancy_1a2b3c4d``."""

    def split_words(text: str) -> list[str]:
        folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
        return re.findall(r"[a-z0-9]+", folded)

    author = split_words((_split_authors(row) or [row["lab"] or row["source"] or ""])[0])
    words = [word for word in split_words(row["title"] or "") if word not in _STOP_WORDS]
    year = str(row["published_on"].year) if row["published_on"] else ""
    item_id = re.sub(r"[^A-Za-z0-9]", "", row["item_id"])[:12]
    return f"{''.join(author[-1:])}{year}{''.join(words[:1])}_{item_id}"


def _escape_latex(text: str) -> str:
    return "".join(_LATEX_ESCAPES.get(sign, sign) for sign in _join_lines(text))


def _build_bibtex_entry(row: Mapping[str, Any]) -> str:
    # double braces keep a name whole and the capitals of a title
    authors = [f"{{{_escape_latex(name)}}}" for name in _split_authors(row)]
    if not authors and row["lab"]:
        authors = [f"{{{_escape_latex(row['lab'])}}}"]
    day: dt.date | None = row["published_on"]
    arxiv_id = _find_arxiv_id(row)
    fields = {
        "author": " and ".join(authors),
        "title": f"{{{_escape_latex(row['title'] or '')}}}",
        "year": str(day.year) if day else "",
        "month": _MONTHS[day.month - 1] if day else "",
        "day": str(day.day) if day else "",
        "institution": _escape_latex(row["lab"] or ""),
        "eprint": _escape_latex(arxiv_id),
        "archiveprefix": "arXiv" if arxiv_id else "",
        "doi": _escape_latex(row.get("doi") or ""),
        "url": _quote_url(row) or "",
        "keywords": _escape_latex(row["category"] or ""),
        "abstract": _escape_latex(row["text"] or "") if row["kind"] in _KINDS_WITH_ABSTRACT else "",
    }
    lines = "".join(
        f"  {name} = {value},\n" if name == "month" else f"  {name} = {{{value}}},\n"
        for name, value in fields.items()
        if value
    )
    return f"@misc{{{_build_key(row)},\n{lines}}}\n"


def _build_ris_record(row: Mapping[str, Any]) -> str:
    day: dt.date | None = row["published_on"]
    tags: list[tuple[str, str | None]] = [
        ("TY", _RIS_TYPES.get(row["kind"], "RPRT")),
        ("ID", _build_key(row)),
        *(("AU", name) for name in _split_authors(row) or ([row["lab"]] if row["lab"] else [])),
        ("TI", row["title"]),
        ("PY", str(day.year) if day else None),
        ("DA", f"{day:%Y/%m/%d}/" if day else None),
        ("PB", row["lab"]),
        ("DO", row.get("doi")),
        ("UR", _quote_url(row)),
        ("KW", row["category"]),
        ("AB", row["text"] if row["kind"] in _KINDS_WITH_ABSTRACT else None),
    ]
    return "".join(f"{tag}  - {_join_lines(value)}\r\n" for tag, value in tags if value) + "ER  - \r\n"


def _build_csl_item(row: Mapping[str, Any]) -> dict[str, Any]:
    day: dt.date | None = row["published_on"]
    item = {
        "id": _build_key(row),
        "type": _CSL_TYPES.get(row["kind"], "article"),
        "title": _join_lines(row["title"] or ""),
        "author": [{"literal": name} for name in _split_authors(row) or ([row["lab"]] if row["lab"] else [])],
        "issued": {"date-parts": [[day.year, day.month, day.day]]} if day else None,
        "publisher": row["lab"],
        "DOI": row.get("doi"),
        "URL": _quote_url(row),
        "keyword": row["category"],
        "abstract": _join_lines(row["text"]) if row["text"] and row["kind"] in _KINDS_WITH_ABSTRACT else None,
    }
    return {name: value for name, value in item.items() if value}


def format_bibtex(rows: Iterable[Mapping[str, Any]]) -> str:
    """Items as BibTeX entries of type ``misc``.

    Args:
        rows: Rows with the columns of `dashboards.queries.search.list_page`.
    """
    return "\n".join(_build_bibtex_entry(row) for row in rows)


def format_ris(rows: Iterable[Mapping[str, Any]]) -> str:
    """Items as RIS, for EndNote and Zotero; see `format_bibtex`."""
    return "\r\n".join(_build_ris_record(row) for row in rows)


def format_csl_json(rows: Iterable[Mapping[str, Any]]) -> str:
    """Items as CSL-JSON, for Zotero and pandoc; see `format_bibtex`."""
    return json.dumps([_build_csl_item(row) for row in rows], ensure_ascii=False, indent=1)


CITATION_FORMATS: tuple[tuple[str, str, str, Callable[[Iterable[Mapping[str, Any]]], str]], ...] = (
    ("BibTeX", "bib", "application/x-bibtex", format_bibtex),
    ("RIS", "ris", "application/x-research-info-systems", format_ris),
    ("CSL-JSON", "json", "application/vnd.citationstyles.csl+json", format_csl_json),
)


def build_citation_file(frame: pl.DataFrame, format_rows: Callable[[Iterable[Mapping[str, Any]]], str]) -> bytes:
    """The citations of items as a file, in one of `CITATION_FORMATS`."""
    return format_rows(frame.iter_rows(named=True)).encode()
