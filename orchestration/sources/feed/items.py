"""Feeds (RSS, Atom): entries of blogs and episodes of podcasts, as a feed shows its newest ones.

A feed is a window: what is no longer in it is not gone. An entry is known by its feed and its guid, and has a new
version when its own content changes, not when the feed was built anew or shows it in another place.
"""

from __future__ import annotations

import calendar
import contextlib
import datetime as dt
import html
import io
import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestration.sources.shared.document import Document, Unreadable
from orchestration.sources.shared.fetch_plan import Conversation, Feed, Request, Since, Unanswered
from orchestration.sources.shared.html_text import joined, plain
from orchestration.sources.shared.links import joined_address, link_key
from orchestration.sources.shared.settings import Settings
from orchestration.sources.shared.xml import closes, local_name, root_of, whole_characters
from orchestration.sources.source import Damaged, NotThisSource, Parsed, Record, Reject, Source, Value, digest

if TYPE_CHECKING:
    from lxml.etree import _Element

_ROOTS = frozenset({"rss", "feed", "rdf:RDF", "RDF", "atom:feed"})
_MOVED = ("new-feed-url", "newLocation")
# elements of an entry that are read, or that repeat what is read elsewhere
_READ = re.compile(
    "guid|id|title|link|pubDate|published|updated|modified|date|author|creator|category|subject|description|summary"
    "|encoded|content|enclosure|duration|season|episode|episodeType|person|transcript|subtitle|explicit|image"
    "|thumbnail|comments|commentRss|post-id"
)
_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "feed": {"type": "text", "required": True, "meaning": "The feed: its name here, else its own guid or address."},
    "feed_title": {"type": "text", "meaning": "Title of the feed."},
    "item_guid": {
        "type": "text",
        "required": True,
        "meaning": "What the feed knows the entry by: its guid, else its enclosure, its link, or its title and time.",
    },
    "title": {"type": "text", "meaning": "Title of the entry."},
    "url": {"type": "text", "matches": r"https?://\S+$", "meaning": "Link of the entry."},
    "published_at": {"type": "timestamp", "meaning": "When it was published; days without a time count from midnight."},
    "updated_at": {"type": "timestamp", "meaning": "When it was last changed, if the feed says so."},
    "authors": {"type": "text", "meaning": "Names of its authors, between semicolons."},
    "categories": {"type": "text", "meaning": "The feed's own categories of it, between semicolons."},
    "text": {"type": "text", "meaning": "Its text as far as the feed gives it, without markup."},
    "links": {"type": "text", "meaning": "Addresses that the text links to, between spaces, each once."},
    "audio_url": {"type": "text", "meaning": "Address of the sound (or film) that comes with it."},
    "audio_type": {"type": "text", "meaning": "Media type of that file."},
    "audio_bytes": {"type": "integer", "unit": "bytes", "minimum": 0, "meaning": "Length of that file."},
    "duration_seconds": {"type": "integer", "unit": "seconds", "minimum": 0, "meaning": "Length of the episode."},
    "season_number": {"type": "integer", "unit": "ordinal", "meaning": "Number of the season."},
    "episode_number": {"type": "text", "meaning": "Number of the episode, as the feed has it."},
    "episode_kind": {"type": "text", "meaning": "Full, trailer or bonus, as the feed has it."},
    "people": {"type": "text", "meaning": "JSON list of the people in it: name, role, group, href."},
    "transcripts": {"type": "text", "meaning": "JSON list of its transcripts: url, type, language."},
    "reading_note": {"type": "text", "meaning": "What was uncertain when the entry was read."},
}


def _moment(entry: dict[str, Any], name: str) -> dt.datetime | None:
    told = dict.get(entry, f"{name}_parsed")  # its own get gives another time where this one is missing
    try:
        return dt.datetime.fromtimestamp(calendar.timegm(told), dt.UTC) if told else None
    except (ValueError, OverflowError):
        return None


def _seconds(text: str | None) -> int | None:
    """Seconds of ``1:02:03``, ``39:27`` or ``2367``; none for anything else."""
    if not text or not re.fullmatch(r"\d{1,7}(?::\d{1,2}){0,2}(?:\.\d+)?", text.strip()):
        return None
    total = 0
    for part in text.strip().partition(".")[0].split(":"):
        total = 60 * total + int(part)
    return total


def _whole(text: object) -> int | None:
    return int(str(text)) if re.fullmatch(r"\s*\d{1,15}\s*", str(text)) else None


class _Tags:
    """What the library for feeds drops of an entry: repeated tags of podcasts, and which tags there are."""

    def __init__(self, item: _Element | None) -> None:
        self.people: list[dict[str, str]] = []
        self.transcripts: list[dict[str, str]] = []
        self.texts: dict[str, str] = {}
        self.unread: set[str] = set()
        for child in item if item is not None else ():
            name = local_name(child)
            own, text = (
                {key.rpartition("}")[2]: str(value) for key, value in child.attrib.items()},
                (child.text or "").strip(),
            )
            if name == "person" and text:
                self.people.append({"name": text, **{key: own[key] for key in ("role", "group", "href") if key in own}})
            elif name == "transcript" and own.get("url"):
                self.transcripts.append({key: own[key] for key in ("url", "type", "language") if key in own})
            elif name in ("season", "episode", "episodeType") and text:
                self.texts.setdefault(name, text)
            elif name and not _READ.fullmatch(name) and (text or own or len(child)):
                self.unread.add(name)


def _items(document: Document) -> list[_Element]:
    try:
        root = root_of(document.data, recover=True)
    except Damaged:  # the library for feeds can make something even of this
        return []
    return [element for element in root.iter() if local_name(element) in ("item", "entry")]


def _text(entry: Mapping[str, Any]) -> str | None:
    """The longest of the texts that an entry has: a feed has a summary, the whole, or both."""
    texts = [part.get("value") or "" for part in entry.get("content", [])] + [entry.get("summary") or ""]
    return max(texts, key=len) or None


def _values(feed: str, feed_title: str | None, entry: dict[str, Any], tags: _Tags) -> dict[str, Value]:
    """The columns of an entry.

    Raises:
        ValueError: There is nothing by which it could be known.
    """
    enclosures = [one for one in entry.get("enclosures", []) if one.get("href")]
    enclosure = enclosures[0] if enclosures else {}
    audio = enclosure.get("href")
    link, title = entry.get("link") or None, " ".join((entry.get("title") or "").split()) or None
    title = plain(title).text if title else None
    said, published = entry.get("published"), _moment(entry, "published")
    guid = entry.get("id") or (audio or "").partition("?")[0] or link or (title and digest(title, said, length=16))
    if not guid:
        raise ValueError("an entry without guid, enclosure, link and title, by which it could be known")
    authors = [" ".join(str(one.get("name") or "").split()) for one in entry.get("authors", [])]
    body = plain(_text(entry))
    duration = entry.get("itunes_duration")
    notes = [f"date “{said}” could not be read"] if said and published is None else []
    if duration and _seconds(duration) is None:
        notes.append(f"duration “{duration}” could not be read")
    return {
        "feed": feed,
        "feed_title": feed_title,
        "item_guid": str(guid).strip(),
        "title": title,
        "url": link.strip() if link and re.match(r"\s*https?://\S+\s*$", link) else None,
        "published_at": published or _moment(entry, "created"),
        "updated_at": _moment(entry, "updated"),
        "authors": joined([name for name in authors if name]) or (entry.get("author") or "").strip() or None,
        "categories": joined(
            [term for one in entry.get("tags", []) if (term := html.unescape(one.get("term") or "").strip())]
        ),
        "text": body.text,
        "links": joined(body.links, " "),
        "audio_url": audio,
        "audio_type": enclosure.get("type") or None,
        "audio_bytes": _whole(enclosure.get("length")),
        "duration_seconds": _seconds(duration),
        "season_number": _whole(tags.texts.get("season")),
        "episode_number": tags.texts.get("episode"),
        "episode_kind": tags.texts.get("episodeType"),
        "people": json.dumps(tags.people, ensure_ascii=False) if tags.people else None,
        "transcripts": json.dumps(tags.transcripts, ensure_ascii=False) if tags.transcripts else None,
        "reading_note": "; ".join(notes) or None,
    }


def _feed_identity(document: Document, told: Mapping[str, Any]) -> str:
    """The feed's name in the configuration; for a feed that is none of those, what it says of itself."""
    if name := document.hints.get("feed"):
        return name
    if guid := told.get("podcast_guid"):
        return str(guid)
    own = next((link.get("href") for link in told.get("links", []) if link.get("rel") == "self"), None)
    addresses = (str(address) for address in (own, told.get("link"), told.get("id")))
    address = next((address for address in addresses if address.startswith("http")), None)
    return link_key(address) if address else " ".join(str(told.get("title") or "a feed without a name").split())


def _recognise(document: Document) -> None:
    if document.xml_root not in _ROOTS:
        raise NotThisSource(f"looked for a feed (<rss>, <feed>); found {document.kind}")


def _parse(document: Document) -> Parsed:
    """The entries of a feed, in its order.

    Entries with one guid and different links or titles are different records; see `_contradiction` for the others.

    Raises:
        Damaged: The feed ends before its end.
    """
    import feedparser

    if not closes(document.data, document.xml_root or ""):
        raise Damaged(f"a feed that is cut short: it does not end with </{document.xml_root}>")
    # a file object, since the library would open a text that looks like a path or an address
    told = feedparser.parse(
        io.BytesIO(whole_characters(document.data)), sanitize_html=False, resolve_relative_uris=True
    )
    feed, items = _feed_identity(document, told.feed), _items(document)
    feed_title = " ".join((told.feed.get("title") or "").split()) or None
    parsed = Parsed(is_answer=any(_further(document.data, "")))
    read: list[tuple[str, dict[str, Value]] | Reject] = []
    for number, entry in enumerate(told.entries, 1):
        item = items[number - 1] if len(items) == len(told.entries) else None
        tags, locator = _Tags(item), f"entry {number}"
        parsed.unparsed.update(tags.unread)
        try:
            read.append((locator, _values(feed, feed_title, entry, tags)))
        except ValueError as error:
            read.append(Reject(locator, str(error), json.dumps(entry, default=str, ensure_ascii=False)[:2000]))
    entries = [one[1] for one in read if isinstance(one, tuple)]
    sharing = Counter(
        guid for guid, *_ in {tuple(one[name] for name in ("item_guid", "url", "title")) for one in entries}
    )
    taken: dict[str, Record] = {}
    for one in read:
        if isinstance(one, Reject):
            parsed.items.append(one)
            continue
        locator, values = one
        # some feeds give one guid to several entries: then link and title tell them apart
        shared = f" {values['url']} {values['title']}" if sharing[values["item_guid"]] > 1 else ""
        record = Record(f"{feed} {values['item_guid']}{shared}", values, locator)
        first = taken.setdefault(record.identity, record)
        parsed.items.append(_contradiction(first, record) or record)
    return parsed


def _contradiction(first: Record, later: Record) -> Reject | None:
    """The reject for an entry that says something else under the guid, link and title of an earlier one.

    One that is the same in everything is a repetition; one with another time of its last change is another version of
    the entry (RFC 4287, 4.1.1).
    """
    other = [name for name, value in later.values.items() if first.values[name] != value]
    if not other or ("updated_at" in other and first.values["updated_at"] and later.values["updated_at"]):
        return None
    reason = (
        f"guid “{later.values['item_guid']}”, link and title are those of {first.locator}, but not {', '.join(other)}:"
        " which of them holds cannot be told, so that the first is kept"
    )
    return Reject(later.locator, reason, json.dumps(dict(later.values), default=str, ensure_ascii=False)[:2000])


def _further(data: bytes, url: str) -> tuple[str | None, str | None]:
    """The address that a feed has moved to, and that of its next page (RFC 5005), where it names them.

    Only what the feed says of itself counts, and not what one of its entries mentions.
    """
    try:
        root = root_of(Document(data, url).data, recover=True)
    except (Damaged, Unreadable):
        return None, None
    moved, following = None, None
    for place in (root, *(child for child in root if local_name(child) == "channel")):
        for child in place:
            text = (child.text or "").strip()
            if local_name(child) in _MOVED and re.match(r"https?://\S+$", text):
                moved = moved or text
            elif local_name(child) == "link" and child.get("rel") == "next" and (href := child.get("href")):
                following = following or joined_address(url, href)
    return moved, following


def _fetch(feed: Feed, since: Since) -> Conversation:
    """Ask for the feed, for its further pages the first time, and at its new address once it names one.

    Settings: ``most_pages``, how many pages to follow the first time.

    Raises:
        WrongSettings: A setting cannot be used.
    """
    settings = Settings(feed)
    most = settings.integer("most_pages", 50)
    settings.finish()
    hints = {"feed": feed.name}
    moved = since.watermark if since.watermark and since.watermark.startswith("http") else None
    try:
        answer = yield Request(moved or feed.url, feed.name, hints=hints)
    except Unanswered:
        if moved is None:
            raise
        moved, answer = None, (yield Request(feed.url, feed.name, hints=hints))
    asked = {feed.url, moved, answer.url}
    new, following = _further(answer.content, answer.url)
    if new and new not in asked:
        asked.add(new)
        with contextlib.suppress(Unanswered):  # an address that does not answer is no reason to leave the old one
            answer = yield Request(new, feed.name, hints=hints)
            moved, following = new, _further(answer.content, answer.url)[1]
    page = 1
    while (since.watermark is None or since.start) and page < most:
        if following is None or following in asked:
            break
        asked.add(following)
        page += 1
        answer = yield Request(following, f"{feed.name}, page {page}", hints=hints)
        following = _further(answer.content, answer.url)[1]
    return moved or since.now.isoformat()


SOURCE = Source(
    name="feed_items",
    title="Feeds",
    things="items",
    row="One version of an entry of a feed: a blog's post or a podcast's episode.",
    columns=_COLUMNS,
    expected="a feed (RSS or Atom)",
    licence="titles, times and links are facts; texts belong to their authors and stay on this machine",
    recognise=_recognise,
    parse=_parse,
    newest="published_at",
    fetch=_fetch,
)
