"""Feeds (RSS, Atom): entries of blogs and episodes of podcasts.

A feed shows only its newest entries: one that is no longer in it is not deleted. An entry is identified by its feed and
its guid. It has a new version when its own content changes, not when the feed is rebuilt or reordered.
"""

from __future__ import annotations

import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestration.sources.feed.entry import FeedContext, PodcastTags, read_entry
from orchestration.sources.feed.query import fetch_feed
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.html_tree import MAX_ATTRIBUTES, count_most_attributes
from orchestration.sources.shared.links import complete_address, link_key
from orchestration.sources.shared.xml import get_local_name, has_closing_tag, parse_xml, replace_surrogate_references
from orchestration.sources.sheet.zotero_rdf import is_zotero_rdf
from orchestration.sources.source import (
    DamagedDocument,
    NotThisSource,
    ParseResult,
    Record,
    Reject,
    Source,
    Value,
    collapse_spaces,
)

if TYPE_CHECKING:
    from lxml.etree import _Element

_MAX_ENTRIES = 50_000
_MAX_CATEGORIES = 2_000  # of an entry
_ENTRY_START = re.compile(rb"<(?:[\w.-]+:)?(?:item|entry)[\s>/]", re.IGNORECASE)
_CATEGORY_START = re.compile(rb"<(?:[\w.-]+:)?(?:category|subject|keywords|tags?)[\s>/]", re.IGNORECASE)
_ROOT_TAGS = frozenset({"rss", "feed", "rdf:RDF", "RDF", "atom:feed"})
_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "feed": {
        "type": "text",
        "required": True,
        "meaning": "Name of the configured feed, else its own guid or address.",
    },
    "feed_title": {"type": "text", "meaning": "Title of the feed."},
    "item_guid": {
        "type": "text",
        "required": True,
        "meaning": "Identifier of the entry in its feed: guid, else enclosure, link, or hash of title and time.",
    },
    "title": {"type": "text", "meaning": "Title of the entry."},
    "url": {"type": "text", "matches": r"https?://\S+$", "meaning": "Link of the entry."},
    "published_at": {"type": "timestamp", "meaning": "Time of publication; midnight if the feed gives only the day."},
    "updated_at": {"type": "timestamp", "meaning": "Time of the last change, if the feed gives it."},
    "authors": {"type": "text", "meaning": "Names of the authors, separated by semicolons."},
    "categories": {"type": "text", "meaning": "Categories that the feed gives the entry, separated by semicolons."},
    "text": {"type": "text", "meaning": "Text of the entry as far as the feed has it, without markup."},
    "links": {"type": "text", "meaning": "Distinct addresses that the text links to, separated by spaces."},
    "audio_url": {"type": "text", "meaning": "Address of the audio or video file of the entry."},
    "audio_type": {"type": "text", "meaning": "Media type of that file."},
    "audio_bytes": {"type": "integer", "unit": "bytes", "minimum": 0, "meaning": "Length of that file."},
    "duration_seconds": {"type": "integer", "unit": "seconds", "minimum": 0, "meaning": "Length of the episode."},
    "season_number": {"type": "integer", "unit": "ordinal", "meaning": "Number of the season."},
    "episode_number": {"type": "text", "meaning": "Number of the episode, as given in the feed."},
    "episode_kind": {"type": "text", "meaning": "Full, trailer or bonus, as given in the feed."},
    "people": {"type": "text", "meaning": "JSON list of the people in the episode: name, role, group, href."},
    "transcripts": {"type": "text", "meaning": "JSON list of the transcripts: url, type, language."},
    "reading_note": {"type": "text", "meaning": "What was uncertain when the entry was read."},
}


def _recognise(document: Document) -> None:
    if document.xml_root not in _ROOT_TAGS or is_zotero_rdf(document):
        raise NotThisSource(f"looked for a feed (<rss>, <feed>); found {document.description}")


def _parse(document: Document) -> ParseResult:
    """The entries of a feed, in its order.

    Entries that share a guid but not link and title are different records; see `_reject_contradiction` for the others.

    Raises:
        DamagedDocument: The feed is cut short.
    """
    import feedparser

    if not has_closing_tag(document.data, document.xml_root or ""):
        raise DamagedDocument(f"a feed that is cut short: it does not end with </{document.xml_root}>")
    _check_size(document.data)
    # a file object, because feedparser would open a text that looks like a path or an address
    parsed = feedparser.parse(
        io.BytesIO(replace_surrogate_references(document.data)), sanitize_html=False, resolve_relative_uris=True
    )
    feed_name, elements = _identify_feed(document, parsed.feed), _find_entry_elements(document)
    title = collapse_spaces(parsed.feed.get("title") or "") or None
    is_atom = (parsed.get("version") or "").startswith("atom")
    feed = FeedContext(feed_name, title, _find_base(document, parsed.feed), is_atom)
    # a feed without entries is valid: some list only the entries of a day, and have none at the weekend
    result = ParseResult(is_empty_valid=True)
    entries: list[tuple[str, dict[str, Value]] | Reject] = []
    for number, entry in enumerate(parsed.entries, 1):
        locator = f"entry {number}"
        tags = PodcastTags(elements[number - 1] if len(elements) == len(parsed.entries) else None)
        result.unparsed_fields.update(tags.unread)
        try:
            entries.append((locator, read_entry(feed, entry, tags)))
        except ValueError as error:
            entries.append(Reject(locator, str(error), json.dumps(entry, default=str, ensure_ascii=False)[:2000]))
    shared_guids = _find_shared_guids([values for entry in entries if isinstance(entry, tuple) for values in entry[1:]])
    first_records: dict[str, Record] = {}
    for entry in entries:
        if isinstance(entry, Reject):
            result.items.append(entry)
            continue
        locator, values = entry
        identity = f"{feed_name} {values['item_guid']}"
        if values["item_guid"] in shared_guids:
            identity += f" {values['url']} {values['title']}"
        record = Record(identity, values, locator)
        first_record = first_records.setdefault(identity, record)
        result.items.append(_reject_contradiction(first_record, record) or record)
    return result


def _check_size(data: bytes) -> None:
    """Refuse what no feed has and feedparser, which compares each with each, would read for hours.

    Raises:
        DamagedDocument: There are too many entries, categories of one entry, or attributes of one tag.
    """
    starts = [match.start() for match in _ENTRY_START.finditer(data)]
    if len(starts) > _MAX_ENTRIES:
        raise DamagedDocument(f"a feed of {len(starts):,} entries (at most {_MAX_ENTRIES:,} are read)")
    ends = [*starts, len(data)]
    for number, (start, end) in enumerate(itertools.pairwise([0, *ends])):
        if (categories := len(_CATEGORY_START.findall(data, start, end))) > _MAX_CATEGORIES:
            place = f"entry {number}" if number else "the feed itself"
            raise DamagedDocument(f"{place} has {categories:,} categories (at most {_MAX_CATEGORIES:,} are read)")
    if (attributes := count_most_attributes(data)) > MAX_ATTRIBUTES:
        raise DamagedDocument(f"a tag of {attributes:,} or more attributes (at most {MAX_ATTRIBUTES:,} are read)")


def _identify_feed(document: Document, feed: Mapping[str, Any]) -> str:
    """The name of the feed in the configuration; for other feeds their own guid, address or title."""
    if name := document.hints.get("feed"):
        return name
    if guid := feed.get("podcast_guid"):
        return str(guid)
    own_address = next((link.get("href") for link in feed.get("links", []) if link.get("rel") == "self"), None)
    addresses = (str(address) for address in (own_address, feed.get("link"), feed.get("id")))
    address = next((address for address in addresses if address.startswith("http")), None)
    return link_key(address) if address else collapse_spaces(str(feed.get("title") or "a feed without a name"))


def _find_base(document: Document, feed: Mapping[str, Any]) -> str | None:
    """The address that relative links are resolved against: the feed's link, else its own address."""
    own_address = next((link.get("href") for link in feed.get("links", []) if link.get("rel") == "self"), None)
    requested = document.hints.get("url") or document.hints.get("feed_url")
    address = complete_address(requested, own_address) if own_address else requested
    link = complete_address(address or requested, str(feed.get("link") or "")) if feed.get("link") else None
    return link or address or requested


def _find_entry_elements(document: Document) -> list[_Element]:
    """The XML elements of the entries; none where the XML cannot be read, although feedparser may still read it."""
    try:
        root = parse_xml(document.data, recover=True)
    except DamagedDocument:
        return []
    return [element for element in root.iter() if get_local_name(element) in ("item", "entry")]


def _find_shared_guids(entries: list[dict[str, Value]]) -> set[Value]:
    """The guids that the feed gives to entries with different links or titles."""
    distinct = {(values["item_guid"], values["url"], values["title"]) for values in entries}
    counts = Counter(guid for guid, *_ in distinct)
    return {guid for guid, count in counts.items() if count > 1}


def _reject_contradiction(first: Record, later: Record) -> Reject | None:
    """A reject for an entry that has the guid, link and title of an earlier entry but other values.

    None for a repetition with equal values, and for another version, which has another time of its last change
    (RFC 4287, 4.1.1).
    """
    different = [name for name, value in later.values.items() if first.values[name] != value]
    is_version = "updated_at" in different and first.values["updated_at"] and later.values["updated_at"]
    if not different or is_version:
        return None
    reason = (
        f"guid “{later.values['item_guid']}”, link and title are those of {first.locator}, but {', '.join(different)}"
        " differ: the first is kept, because it is unknown which one is right"
    )
    return Reject(later.locator, reason, json.dumps(dict(later.values), default=str, ensure_ascii=False)[:2000])


SOURCE = Source(
    name="feed_items",
    title="Feeds",
    record_noun="items",
    row="One version of an entry of a feed: a blog post or a podcast episode.",
    columns=_COLUMNS,
    expected="a feed (RSS or Atom)",
    licence="titles, times and links are facts; texts belong to their authors and stay on this machine",
    recognise=_recognise,
    parse=_parse,
    recency_column="published_at",
    fetch=fetch_feed,
)
