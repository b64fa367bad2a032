"""A saved page of a post on a forum: the facts of the post, and its comments as far as the page shows them.

The page states each fact in several places: structured data (schema.org's DiscussionForumPosting), metadata, and the
elements that a reader sees. Pages differ in which of them they have, so each fact is looked up in all of them, the most
reliable first. Only the address, for the post's id, and a title are necessary.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urljoin

from orchestration.sources.forum.query import get_site
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fields import parse_utc_time
from orchestration.sources.shared.html_tree import parse_html
from orchestration.sources.source import collapse_spaces

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_POST_PATH = re.compile(r"(?:/posts|/events|/[sg]/\w+/p)/(\w+)(?:/([\w.-]+))?")  # also in a sequence, of a group
_ARCHIVE = re.compile(r"https?://web\.archive\.org/web/\w+/(?=https?:)")
_SAVED_FROM = re.compile(r"saved from url=\(\d+\)(https?://\S+)|Page saved with SingleFile\s+url:\s*(https?://\S+)")
_FORUM = re.compile(rb"lesswrong|alignment ?forum|effectivealtruism\.org|EA Forum", re.IGNORECASE)
_SITE_ADDRESSES = {
    "LessWrong": "https://www.lesswrong.com",
    "LessWrong 2.0": "https://www.lesswrong.com",
    "AI Alignment Forum": "https://www.alignmentforum.org",
    "EA Forum": "https://forum.effectivealtruism.org",
    "Effective Altruism Forum": "https://forum.effectivealtruism.org",
}
_TITLE_ENDING = re.compile(rf"\s[—–|-]\s+({'|'.join(map(re.escape, _SITE_ADDRESSES))})$")
_USER_PATH = re.compile(r"/users/([^/?#]+)")
_COMMENT_LINK = re.compile(r"(?:[?&]commentId=|#)(\w+)$")
_COMMENT_PARTS = (
    '.comments-node, time[datetime], a[href*="/users/"], a[href*="ommentId="], [class*="CommentBody-root"],'
    ' [class*="commentBody"], [class*="voteScore"], [class*="agreementScore"]'
)
_MAX_LEVELS = 40  # elements between a comment's own element and its text; less than ten on today's pages


class PostAddress(NamedTuple):
    """The address of a post, with the forum, the post's id and its slug."""

    url: str
    site: str
    forum_id: str
    slug: str | None


@dataclass
class SavedComment:
    """A comment as the page shows it.

    Args:
        forum_id: Its id in the forum.
        parent: The comment that it replies to, if the page shows that.
        post_forum_id: Id of the post that its own link leads to.
        author: Name of its author.
        author_slug: The author's name in addresses of the forum.
        posted_at: When it was posted, in ISO 8601.
        score: Its karma, as shown.
        agreement: Its agreement score, as shown.
        html: Its text.
    """

    forum_id: str | None
    parent: SavedComment | None = None
    post_forum_id: str | None = None
    author: str | None = None
    author_slug: str | None = None
    posted_at: str | None = None
    score: str | None = None
    agreement: str | None = None
    html: str | None = None

    @property
    def thread(self) -> SavedComment:
        """The top comment of its thread."""
        top = self
        while top.parent is not None:
            top = top.parent
        return top


class SavedPage:
    """A saved page of a post.

    Args:
        document: An HTML document.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._tree = parse_html(document.data)
        self.posting: dict[str, Any] = next(self._iterate_postings(), {})

    def _iterate_postings(self) -> Iterator[dict[str, Any]]:
        for node in self._tree.css('script[type="application/ld+json"]'):
            try:
                data = json.loads(node.text())
            except (ValueError, RecursionError):  # cut or damaged
                continue
            entries = data.get("@graph", [data]) if isinstance(data, dict) else data
            for entry in entries if isinstance(entries, list) else []:
                types = entry.get("@type") if isinstance(entry, dict) else None
                if "DiscussionForumPosting" in (types if isinstance(types, list) else [types]):
                    yield entry

    def _get_meta(self, *names: str) -> str | None:
        return next(iter(self._list_meta(*names)), None)

    def _list_meta(self, *names: str) -> list[str]:
        """The distinct contents of the first of the meta elements that the page has."""
        return next((self._meta[name] for name in names if name in self._meta), [])

    @cached_property
    def _meta(self) -> dict[str, list[str]]:
        meta: dict[str, dict[str, None]] = {}
        for node in self._tree.css("meta[content]"):
            name = node.attributes.get("property") or node.attributes.get("name")
            content = collapse_spaces(node.attributes.get("content") or "")
            if name and content:
                meta.setdefault(name, {})[content] = None
        return {name: list(contents) for name, contents in meta.items()}

    def _find_attribute(self, selector: str, name: str) -> str | None:
        node = self._tree.css_first(selector)
        return node.attributes.get(name) if node is not None else None

    @cached_property
    def _addresses(self) -> list[str]:
        """The addresses of itself that the page states, and the one it was requested at."""
        saved_from = _SAVED_FROM.search(self._document.head)
        main_entity = self.posting.get("mainEntityOfPage")
        candidates = [
            self.posting.get("url"),
            main_entity.get("@id") if isinstance(main_entity, dict) else main_entity,
            self._find_attribute('link[rel="canonical"]', "href"),
            self._get_meta("og:url", "twitter:url", "citation_public_url"),
            saved_from[1] or saved_from[2] if saved_from else None,
            self._document.hints.get("url"),
        ]
        texts = [_ARCHIVE.sub("", text.strip()) for text in candidates if isinstance(text, str) and text.strip()]
        return list(dict.fromkeys(texts))

    @cached_property
    def address(self) -> PostAddress | None:
        """The address of the post: that of the page, or the one its heading links to; None if neither is of a forum."""
        heading = self._find_attribute('h1 a[href*="/posts/"]', "href") or ""
        ending = _TITLE_ENDING.search(self._title_element or "")
        front_pages = self._addresses or ([_SITE_ADDRESSES[ending[1]]] if ending else [])
        for url in [*self._addresses, *(urljoin(front_page, heading) for front_page in front_pages)]:
            path, site = _POST_PATH.search(url), get_site(url)
            if path and site:
                return PostAddress(url, site, path[1], path[2])
        return None

    @property
    def is_of_forum(self) -> bool:
        """Whether it is a page of one of the forums, of a post or not."""
        return any(get_site(address) for address in self._addresses)

    @property
    def description(self) -> str:
        """What the page states of its address, for messages."""
        return f"the address {self._addresses[0][:120]}" if self._addresses else "no address"

    @cached_property
    def _title_element(self) -> str | None:
        node = self._tree.css_first("title")
        return collapse_spaces(node.text()) if node is not None else None

    @cached_property
    def title(self) -> str | None:
        """The title of the post, without the name of the forum."""
        heading = self._tree.css_first('h1[class*="PostsPageTitle"]') or self._tree.css_first('h1 a[href*="/posts/"]')
        candidates = [
            self.posting.get("headline"),
            self._get_meta("citation_title"),
            _TITLE_ENDING.sub("", self._get_meta("og:title", "twitter:title") or ""),
            heading.text() if heading is not None else None,
            _TITLE_ENDING.sub("", self._title_element or ""),
        ]
        titles = (collapse_spaces(title) for title in candidates if isinstance(title, str))
        return next((title for title in titles if title), None)

    def find_posted_at(self) -> dt.datetime | None:
        """When the post was posted; midnight where the page has only the day."""
        candidates = [
            self.posting.get("datePublished"),
            self._find_attribute('[class*="PostsPageDate"] time[datetime]', "datetime"),
            self._get_meta("article:published_time"),
            (self._get_meta("citation_publication_date") or "").replace("/", "-"),
        ]
        moments = (parse_shown_time(text) for text in candidates if isinstance(text, str))
        return next((moment for moment in moments if moment is not None), None)

    def find_authors(self) -> list[tuple[str, str | None]]:
        """Names and slugs of the authors."""
        stated = self.posting.get("author")
        authors = [
            (author.get("name"), _get_user_slug(author.get("url"))) if isinstance(author, dict) else (author, None)
            for author in (stated if isinstance(stated, list) else [stated])
        ]
        authors = [(name, slug) for name, slug in authors if isinstance(name, str) and name.strip()]
        authors = authors or [_read_user(node) for node in self._tree.css('[class*="PostsAuthors"] a[href*="/users/"]')]
        authors = authors or [(name, None) for name in self._list_meta("citation_author")]
        return list(dict.fromkeys((collapse_spaces(name), slug) for name, slug in authors))

    def find_html(self) -> str | None:
        """The HTML of the post's text."""
        if isinstance(text := self.posting.get("text"), str) and text.strip():
            return text
        for selector in ("#postContent", '[class*="PostsPage-postContent"]', '[class*="postBody"]', "#postBody"):
            if (node := self._tree.css_first(selector)) is not None:
                return node.html
        return None

    def count_comments(self) -> int | None:
        """Number of comments on the post, as the page states it."""
        return next(self._iterate_comment_counts(), None)

    def _iterate_comment_counts(self) -> Iterator[int]:
        counters = self.posting.get("interactionStatistic")
        for counter in counters if isinstance(counters, list) else [counters]:
            if isinstance(counter, dict) and "CommentAction" in json.dumps(counter.get("interactionType")):
                count = counter.get("userInteractionCount")
                if isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 2**31:
                    yield count

    def list_hidden_comments(self) -> list[dict[str, Any]]:
        """The comments of the structured data, which have no ids, that are not among those that the page shows."""
        shown = {comment.posted_at for comment in self.comments}
        undated = sum(1 for comment in self.comments if comment.posted_at is None)
        hidden, pending = [], [self.posting.get("comment")]
        while pending:
            entries = pending.pop()
            for entry in entries if isinstance(entries, list) else [entries]:
                if isinstance(entry, dict):
                    pending.append(entry.get("comment"))
                    if entry.get("datePublished") not in shown:
                        hidden.append(entry)
        return hidden[undated:]

    @cached_property
    def comments(self) -> list[SavedComment]:
        """The comments that the page shows, in page order; what it does not show of them is missing."""
        shown: dict[int, SavedComment] = {}
        for node in self._tree.css(_COMMENT_PARTS):
            owner = _find_comment_node(node)
            if owner is None:
                continue
            if owner.mem_id not in shown:
                above = _find_comment_node(owner.parent) if owner.parent is not None else None
                parent = shown.get(above.mem_id) if above is not None else None
                shown[owner.mem_id] = SavedComment(_get_comment_id(owner), parent)
            if node.mem_id != owner.mem_id:
                _read_part(shown[owner.mem_id], node)
        return list(shown.values())


def open_saved_page(document: Document) -> SavedPage | None:
    """The page of an HTML document that may be of a forum; None for others."""
    if document.html_title is None or not (_FORUM.search(document.data) or get_site(document.hints.get("url"))):
        return None
    return SavedPage(document)


def parse_shown_time(text: str | None) -> dt.datetime | None:
    """The moment of an ISO 8601 text; None if it is missing or cannot be read."""
    try:
        return parse_utc_time(text or "")
    except ValueError:
        return None


def parse_shown_count(text: str | None) -> int | None:
    """The whole number of a text such as ``-3`` or ``1,204``; None for others."""
    digits = (text or "").replace("\u2212", "-").replace(",", "")
    return int(digits) if re.fullmatch(r"[+-]?\d{1,9}", digits) else None


def _find_comment_node(node: LexborNode | None) -> LexborNode | None:
    """The innermost comment that an element belongs to."""
    for _ in range(_MAX_LEVELS):
        if node is None:
            return None
        if "comments-node" in (node.attributes.get("class") or "").split():
            return node
        node = node.parent
    return None


def _get_comment_id(node: LexborNode) -> str | None:
    found = re.fullmatch(r"(?:comment-)?(\w+)", node.attributes.get("id") or "")
    return found[1] if found else None


def _get_user_slug(address: object) -> str | None:
    found = _USER_PATH.search(address) if isinstance(address, str) else None
    return found[1] if found else None


def _read_user(node: LexborNode) -> tuple[str, str | None]:
    return collapse_spaces(node.text()), _get_user_slug(node.attributes.get("href"))


def _read_part(comment: SavedComment, node: LexborNode) -> None:
    """Add what an element of a comment states; whatever follows its text does not count."""
    if comment.html is not None:
        return
    name, link = node.attributes.get("class") or "", node.attributes.get("href") or ""
    if "CommentBody" in name or "commentBody" in name:
        comment.html = node.html
    elif node.tag == "time":
        comment.posted_at = comment.posted_at or node.attributes.get("datetime")
    elif "voteScore" in name:
        comment.score = comment.score or collapse_spaces(node.text())
    elif "agreementScore" in name:
        comment.agreement = comment.agreement or collapse_spaces(node.text())
    elif found := _COMMENT_LINK.search(link):
        path = _POST_PATH.search(link)
        comment.forum_id = comment.forum_id or found[1]
        comment.post_forum_id = comment.post_forum_id or (path[1] if path else None)
    elif comment.author is None:
        author, slug = _read_user(node)
        comment.author, comment.author_slug = author or None, slug
