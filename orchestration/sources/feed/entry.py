"""One entry of a feed: the values of its raw table, and the podcast tags that feedparser drops."""

from __future__ import annotations

import datetime as dt
import html
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestration.sources.feed.dates import read_date
from orchestration.sources.feed.glued_title import separate_title
from orchestration.sources.shared.fields import join_notes
from orchestration.sources.shared.html_text import (
    HtmlText,
    html_to_text,
    join_texts,
    read_plain_text,
    title_to_text,
)
from orchestration.sources.shared.links import complete_address
from orchestration.sources.shared.xml import get_local_name
from orchestration.sources.source import Value, collapse_spaces, hash_parts

if TYPE_CHECKING:
    from lxml.etree import _Element

# elements of an entry that are read, or that repeat what is read elsewhere
_READ_TAGS = re.compile(
    "guid|id|title|link|pubDate|published|issued|created|updated|modified|date|publicationDate|coverDate|author|creator|category|subject|description|summary"
    "|encoded|content|enclosure|duration|season|episode|episodeType|person|transcript|subtitle|explicit|image"
    "|thumbnail|comments|commentRss|post-id"
)
_MEDIA_TYPE = re.compile(r"(?:audio|video)/", re.IGNORECASE)
_MEDIA_PATH = re.compile(r"\.(?:mp3|m4[abv]|mp4|ogg|oga|opus|wav|aac|flac|mov|webm)(?:[?#]|$)", re.IGNORECASE)


class PodcastTags:
    """The podcast tags of an entry's XML element.

    Attributes:
        people: Name, role, group and href of each person.
        transcripts: Address, type and language of each transcript.
        texts: Season, episode, episode type and the date of Dublin Core, as texts.
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
        elif name in ("season", "episode", "episodeType", "date") and text:
            self.texts.setdefault(name, text)
        elif name and not _READ_TAGS.fullmatch(name) and (text or attributes or len(child)):
            self.unread.add(name)


class FeedContext(NamedTuple):
    """What the entries of a feed share.

    Attributes:
        name: Name of the feed, by which its entries are identified.
        title: Its title.
        base: Address that relative links of entries are resolved against, if the feed or its request gives one.
        is_atom: Whether it is an Atom feed, in which a plain text is marked as such.
    """

    name: str
    title: str | None
    base: str | None
    is_atom: bool


def read_entry(feed: FeedContext, entry: dict[str, Any], tags: PodcastTags) -> dict[str, Value]:
    """The values of an entry as feedparser gives it, by column.

    Raises:
        ValueError: The entry has no guid, enclosure, link or title to identify it.
    """
    notes: list[str | None] = []
    enclosures = [enclosure for enclosure in entry.get("enclosures", []) if enclosure.get("href")]
    title = _read_title(feed, entry)
    title_hash = title and hash_parts(title, entry.get("published"), length=16)
    enclosure_url = str(enclosures[0]["href"]) if enclosures else ""
    guid = entry.get("id") or enclosure_url.partition("?")[0] or entry.get("link") or title_hash
    audio = _find_audio(entry, enclosures)
    if not (guid := guid or audio.get("href")):
        raise ValueError("an entry without guid, enclosure, link and title, so that nothing identifies it")
    authors = [collapse_spaces(str(author.get("name") or "")) for author in entry.get("authors", [])]
    categories = [html.unescape(tag.get("term") or "").strip() for tag in entry.get("tags", [])]
    body = _read_text(feed, entry)
    published_at = _find_publication_time(entry, tags, notes)
    text = body.text
    separated = separate_title(title) if title else None
    if separated is not None:
        text = separated.summary if text == title else text
        title, categories = separated.title, [*categories, separated.section or ""]
        notes.append("the title was separated from the date before it")
    duration_text = entry.get("itunes_duration")
    duration_seconds = _parse_duration(duration_text)
    if duration_text and duration_seconds is None:
        notes.append(f"duration “{duration_text}” could not be read")
    return {
        "feed": feed.name,
        "feed_title": feed.title,
        "item_guid": str(guid).strip(),
        "title": title,
        "url": _find_url(feed, entry, notes),
        "published_at": published_at,
        "updated_at": _read_time(dict.get(entry, "updated"), notes),
        "authors": join_texts([name for name in authors if name]) or (entry.get("author") or "").strip() or None,
        "categories": join_texts([category for category in categories if category]),
        "text": text,
        "links": join_texts(body.links, " "),
        "audio_url": _complete_audio_url(feed, audio, notes),
        "audio_type": audio.get("type") or None,
        "audio_bytes": _parse_integer(audio.get("length"), "length of the audio file", notes),
        "duration_seconds": duration_seconds,
        "season_number": _parse_integer(tags.texts.get("season"), "season", notes),
        "episode_number": tags.texts.get("episode"),
        "episode_kind": tags.texts.get("episodeType"),
        "people": json.dumps(tags.people, ensure_ascii=False) if tags.people else None,
        "transcripts": json.dumps(tags.transcripts, ensure_ascii=False) if tags.transcripts else None,
        "reading_note": join_notes(notes),
    }


def _read_title(feed: FeedContext, entry: Mapping[str, Any]) -> str | None:
    """The title; only Atom states whether it is plain text, so that any other may be plain text or HTML."""
    title = collapse_spaces(entry.get("title") or "")
    kind = (entry.get("title_detail") or {}).get("type")
    return title or None if feed.is_atom and kind == "text/plain" else title_to_text(title)


def _find_url(feed: FeedContext, entry: Mapping[str, Any], notes: list[str | None]) -> str | None:
    link = entry.get("link") or ""
    # without a link of its own, an entry has its guid as link, which may be no address
    is_own = any(own.get("rel", "alternate") == "alternate" for own in entry.get("links", []))
    url = complete_address(feed.base, link) if is_own or re.match(r"\s*https?://", link) else None
    if link and is_own and url is None:
        notes.append(f"link “{link[:200]}” could not be resolved to an address")
    return url


def _find_audio(entry: Mapping[str, Any], enclosures: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Address, type and length of the audio or video file: an enclosure or ``media:content``; empty without one."""
    media = [
        {"href": content["url"], "type": content.get("type"), "length": content.get("filesize")}
        for content in entry.get("media_content", [])
        if content.get("url")
        and (
            content.get("medium") in {"audio", "video"}
            or _MEDIA_TYPE.match(content.get("type") or "")
            or (not content.get("type") and _MEDIA_PATH.search(content["url"].strip()))
        )
    ]
    files = [enclosure for enclosure in enclosures if not str(enclosure.get("type") or "").startswith("image/")]
    return next(iter([*files, *media, *enclosures]), {})


def _complete_audio_url(feed: FeedContext, audio: Mapping[str, Any], notes: list[str | None]) -> str | None:
    if not (href := str(audio.get("href") or "")):
        return None
    url = complete_address(feed.base, href)
    if url is None:
        notes.append(f"audio address “{href[:200]}” could not be resolved")
    return url


def _find_publication_time(entry: dict[str, Any], tags: PodcastTags, notes: list[str | None]) -> dt.datetime | None:
    """The time of publication by the first field that has one; by the last change, with a note, if no other has."""
    candidates = (  # feedparser's own get falls back to another time
        dict.get(entry, "published"),
        tags.texts.get("date"),
        entry.get("prism_publicationdate"),
        entry.get("prism_coverdate"),
        dict.get(entry, "created"),
    )
    for text in candidates:
        if moment := _read_time(text, notes):
            return moment
    if moment := _read_time(dict.get(entry, "updated"), []):
        notes.append("dated by its last change, since no time of publication was found")
    return moment


def _read_time(text: str | None, notes: list[str | None]) -> dt.datetime | None:
    if not text:
        return None
    date = read_date(text)
    notes.append(f"date “{text[:80]}” could not be read" if date is None else date.note)
    return date.moment if date else None


def _read_text(feed: FeedContext, entry: Mapping[str, Any]) -> HtmlText:
    """The longest of the texts of an entry: a feed gives a summary, the whole text, or both."""
    parts = [*entry.get("content", []), {**(entry.get("summary_detail") or {}), "value": entry.get("summary")}]
    longest = max(parts, key=lambda part: len(part.get("value") or ""))
    is_plain = feed.is_atom and longest.get("type") == "text/plain"
    return read_plain_text(longest.get("value")) if is_plain else html_to_text(longest.get("value"))


def _parse_duration(text: str | None) -> int | None:
    """Seconds of ``1:02:03``, ``39:27`` or ``2367``; None for anything else."""
    if not text or not re.fullmatch(r"\d{1,7}(?::\d{1,2}){0,2}(?:\.\d+)?", text.strip()):
        return None
    seconds = 0
    for part in text.strip().partition(".")[0].split(":"):
        seconds = 60 * seconds + int(part)
    return seconds


def _parse_integer(text: object, name: str, notes: list[str | None]) -> int | None:
    if text and not re.fullmatch(r"\s*\d{1,15}\s*", str(text)):
        notes.append(f"{name} “{str(text)[:40]}” is not a number")
        return None
    return int(str(text)) if text else None
