"""Things as entries for BibTeX, RIS and CSL-JSON, so that what was found can be cited from any program."""

from __future__ import annotations

import datetime as dt
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

import polars as pl

# kinds of things as the three forms call them
_RIS = {"episode": "SOUND", "segment": "BLOG", "post": "BLOG", "comment": "BLOG", "feed item": "BLOG"}
_CSL = {"episode": "broadcast", "segment": "post", "post": "post-weblog", "comment": "post", "feed item": "post-weblog"}
_ABSTRACTED = {"publication", "paper"}  # of the others the text is the thing itself
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "$&#%_"},
}
_PASSED_OVER = {"a", "an", "the", "on", "of", "in", "to", "for", "and"}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ARXIV = re.compile(r"arxiv\.org/(?:abs|pdf|html)/(\d{4}\.\d{4,5}|[a-z-]+/\d{7})", re.IGNORECASE)


def _line(text: str) -> str:
    """A text in one line, without what no program could read."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _authors(row: Mapping[str, Any]) -> list[str]:
    return [name for part in (row["authors"] or "").split(";") if (name := _line(part))]


def _url(row: Mapping[str, Any]) -> str | None:
    url = row["url"]
    return quote(url, safe="/:?#[]@!$&'()*+,;=%~") if url and re.match(r"https?://", url, re.IGNORECASE) else None


def _key(row: Mapping[str, Any]) -> str:
    """A key that stays the same, such as ``anthropic2024sycophancy_1a2b3c4d``."""

    def plain(text: str) -> list[str]:
        folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
        return re.findall(r"[a-z0-9]+", folded)

    who = plain((_authors(row) or [row["lab"] or row["source"] or ""])[0])
    words = [word for word in plain(row["title"] or "") if word not in _PASSED_OVER]
    year = str(row["published_on"].year) if row["published_on"] else ""
    identity = re.sub(r"[^A-Za-z0-9]", "", row["item_id"])[:12]
    return f"{''.join(who[-1:])}{year}{''.join(words[:1])}_{identity}"


def _latex(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in _line(text))


def _entry(row: Mapping[str, Any]) -> str:
    # double braces: a name that is not to be taken apart, a title whose capitals are to stay
    who = [f"{{{_latex(name)}}}" for name in _authors(row)]
    if not who and row["lab"]:
        who = [f"{{{_latex(row['lab'])}}}"]
    day: dt.date | None = row["published_on"]
    found = _ARXIV.search(row["url"] or "")
    fields = {
        "author": " and ".join(who),
        "title": f"{{{_latex(row['title'] or '')}}}",
        "year": str(day.year) if day else "",
        "month": _MONTHS[day.month - 1] if day else "",
        "day": str(day.day) if day else "",
        "institution": _latex(row["lab"] or ""),
        "eprint": found[1] if found else "",
        "archiveprefix": "arXiv" if found else "",
        "url": _url(row) or "",
        "keywords": _latex(row["category"] or ""),
        "abstract": _latex(row["text"] or "") if row["kind"] in _ABSTRACTED else "",
    }
    told = "".join(
        f"  {name} = {value},\n" if name == "month" else f"  {name} = {{{value}}},\n"
        for name, value in fields.items()
        if value
    )
    return f"@misc{{{_key(row)},\n{told}}}\n"


def _record(row: Mapping[str, Any]) -> str:
    day: dt.date | None = row["published_on"]
    tags: list[tuple[str, str | None]] = [
        ("TY", _RIS.get(row["kind"], "RPRT")),
        ("ID", _key(row)),
        *(("AU", name) for name in _authors(row) or ([row["lab"]] if row["lab"] else [])),
        ("TI", row["title"]),
        ("PY", str(day.year) if day else None),
        ("DA", f"{day:%Y/%m/%d}/" if day else None),
        ("PB", row["lab"]),
        ("UR", _url(row)),
        ("KW", row["category"]),
        ("AB", row["text"] if row["kind"] in _ABSTRACTED else None),
    ]
    return "".join(f"{tag}  - {_line(value)}\r\n" for tag, value in tags if value) + "ER  - \r\n"


def _item(row: Mapping[str, Any]) -> dict[str, Any]:
    day: dt.date | None = row["published_on"]
    told = {
        "id": _key(row),
        "type": _CSL.get(row["kind"], "article"),
        "title": _line(row["title"] or ""),
        "author": [{"literal": name} for name in _authors(row) or ([row["lab"]] if row["lab"] else [])],
        "issued": {"date-parts": [[day.year, day.month, day.day]]} if day else None,
        "publisher": row["lab"],
        "URL": _url(row),
        "keyword": row["category"],
        "abstract": _line(row["text"]) if row["text"] and row["kind"] in _ABSTRACTED else None,
    }
    return {name: value for name, value in told.items() if value}


def bibtex(rows: Iterable[Mapping[str, Any]]) -> str:
    """Things as BibTeX, each of the kind ``misc``.

    Args:
        rows: Rows with the columns of `dashboards.queries.search.page`.
    """
    return "\n".join(_entry(row) for row in rows)


def ris(rows: Iterable[Mapping[str, Any]]) -> str:
    """Things as RIS, for EndNote, Zotero and others; see `bibtex`."""
    return "\r\n".join(_record(row) for row in rows)


def csl_json(rows: Iterable[Mapping[str, Any]]) -> str:
    """Things as CSL-JSON, for Zotero, pandoc and others; see `bibtex`."""
    return json.dumps([_item(row) for row in rows], ensure_ascii=False, indent=1)


FORMS: tuple[tuple[str, str, str, Callable[[Iterable[Mapping[str, Any]]], str]], ...] = (
    ("BibTeX", "bib", "application/x-bibtex", bibtex),
    ("RIS", "ris", "application/x-research-info-systems", ris),
    ("CSL-JSON", "json", "application/vnd.citationstyles.csl+json", csl_json),
)


def file(frame: pl.DataFrame, form: Callable[[Iterable[Mapping[str, Any]]], str]) -> bytes:
    """A file of these things in one of the ``FORMS``."""
    return form(frame.iter_rows(named=True)).encode()
