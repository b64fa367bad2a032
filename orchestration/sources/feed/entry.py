"""One entry of a feed: the values of its raw table, and the podcast tags that feedparser drops."""

from __future__ import annotations

import calendar
import datetime as dt
import html
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestration.sources.shared.html_text import html_to_text, join_texts
from orchestration.sources.shared.xml import get_local_name
from orchestration.sources.source import Value, collapse_spaces, hash_parts

if TYPE_CHECKING:
    from lxml.etree import _Element

# elements of an entry that are read, or that repeat what is read elsewhere
_READ_TAGS = re.compile(
    "guid|id|title|link|pubDate|published|updated|modified|date|author|creator|category|subject|description|summary"
    "|encoded|content|enclosure|duration|season|episode|episodeType|person|transcript|subtitle|explicit|image"
    "|thumbnail|comments|commentRss|post-id"
)


class PodcastTags:
    """The podcast tags of an entry's XML element.

    Attributes:
        people: Name, role, group and href of each person.
        transcripts: Address, type and language of each transcript.
        texts: Season, episode and episode type, as texts.
        unread: Names of the filled tags that are not read.
    """

    def __init__(self, element: _Element | None) -> None:
        self.people: list[dict[str, str]] = []
        self.transcripts: list[dict[str, str]] = []
        self.texts: dict[str, str] = {}
        self.unread: set[str] = set()
        for child in element if element is not None else ():
            self._read_tag(child)

    def _read_tag(self, child: _Element) -> None:
        name, text = get_local_name(child), (child.text or "").strip()
        attributes = {key.rpartition("}")[2]: str(value) for key, value in child.attrib.items()}
        if name == "person" and text:
            kept = {key: attributes[key] for key in ("role", "group", "href") if key in attributes}
            self.people.append({"name": text, **kept})
        elif name == "transcript" and attributes.get("url"):
            self.transcripts.append({key: attributes[key] for key in ("url", "type", "language") if key in attributes})
        elif name in ("season", "episode", "episodeType") and text:
            self.texts.setdefault(name, text)
        elif name and not _READ_TAGS.fullmatch(name) and (text or attributes or len(child)):
            self.unread.add(name)


def read_entry(feed_name: str, feed_title: str | None, entry: dict[str, Any], tags: PodcastTags) -> dict[str, Value]:
    """The values of an entry as feedparser gives it, by column.

    Raises:
        ValueError: The entry has no guid, enclosure, link or title to identify it.
    """
    enclosures = [enclosure for enclosure in entry.get("enclosures", []) if enclosure.get("href")]
    enclosure = enclosures[0] if enclosures else {}
    audio_url = enclosure.get("href")
    link = entry.get("link") or None
    title = html_to_text(collapse_spaces(entry.get("title") or "")).text
    date_text, published_at = entry.get("published"), _get_time(entry, "published")
    title_hash = title and hash_parts(title, date_text, length=16)
    guid = entry.get("id") or (audio_url or "").partition("?")[0] or link or title_hash
    if not guid:
        raise ValueError("an entry without guid, enclosure, link and title, so that nothing identifies it")
    authors = [collapse_spaces(str(author.get("name") or "")) for author in entry.get("authors", [])]
    categories = [html.unescape(tag.get("term") or "").strip() for tag in entry.get("tags", [])]
    body = html_to_text(_get_longest_text(entry))
    duration_text = entry.get("itunes_duration")
    duration_seconds = _parse_duration(duration_text)
    notes = []
    if date_text and published_at is None:
        notes.append(f"date “{date_text}” could not be read")
    if duration_text and duration_seconds is None:
        notes.append(f"duration “{duration_text}” could not be read")
    return {
        "feed": feed_name,
        "feed_title": feed_title,
        "item_guid": str(guid).strip(),
        "title": title,
        "url": link.strip() if link and re.match(r"\s*https?://\S+\s*$", link) else None,
        "published_at": published_at or _get_time(entry, "created"),
        "updated_at": _get_time(entry, "updated"),
        "authors": join_texts([name for name in authors if name]) or (entry.get("author") or "").strip() or None,
        "categories": join_texts([category for category in categories if category]),
        "text": body.text,
        "links": join_texts(body.links, " "),
        "audio_url": audio_url,
        "audio_type": enclosure.get("type") or None,
        "audio_bytes": _parse_integer(enclosure.get("length")),
        "duration_seconds": duration_seconds,
        "season_number": _parse_integer(tags.texts.get("season")),
        "episode_number": tags.texts.get("episode"),
        "episode_kind": tags.texts.get("episodeType"),
        "people": json.dumps(tags.people, ensure_ascii=False) if tags.people else None,
        "transcripts": json.dumps(tags.transcripts, ensure_ascii=False) if tags.transcripts else None,
        "reading_note": "; ".join(notes) or None,
    }


def _get_time(entry: dict[str, Any], name: str) -> dt.datetime | None:
    """The UTC time that feedparser parsed of an element; None if there is none or it is out of range."""
    parsed = dict.get(entry, f"{name}_parsed")  # feedparser's own get falls back to another time
    try:
        return dt.datetime.fromtimestamp(calendar.timegm(parsed), dt.UTC) if parsed else None
    except (ValueError, OverflowError):
        return None


def _get_longest_text(entry: Mapping[str, Any]) -> str | None:
    """The longest of the texts of an entry: a feed gives a summary, the whole text, or both."""
    texts = [part.get("value") or "" for part in entry.get("content", [])] + [entry.get("summary") or ""]
    return max(texts, key=len) or None


def _parse_duration(text: str | None) -> int | None:
    """Seconds of ``1:02:03``, ``39:27`` or ``2367``; None for anything else."""
    if not text or not re.fullmatch(r"\d{1,7}(?::\d{1,2}){0,2}(?:\.\d+)?", text.strip()):
        return None
    seconds = 0
    for part in text.strip().partition(".")[0].split(":"):
        seconds = 60 * seconds + int(part)
    return seconds


def _parse_integer(text: object) -> int | None:
    return int(str(text)) if re.fullmatch(r"\s*\d{1,15}\s*", str(text)) else None
