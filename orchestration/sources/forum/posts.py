"""Posts of LessWrong, the Alignment Forum and the EA Forum, as their interface or one of their pages gives them.

A post of the Alignment Forum is a post of LessWrong with the same id and so one record; the EA Forum's ids are its
own. A captured page tells less than the interface (no score, no time of editing).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from orchestration.sources.forum.query import Thing, answered, fetch, is_answer, site_in, site_of
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Conversation, Feed, Since
from orchestration.sources.shared.fields import Fields, tally
from orchestration.sources.shared.html_text import joined, plain
from orchestration.sources.source import NotThisSource, Parsed, Record, Reject, Source, Value

POSTS = Thing(
    name="posts",
    fields="""
        _id slug title pageUrl url postedAt modifiedAt curatedDate frontpageDate afDate
        baseScore voteCount afBaseScore commentCount af draft deletedDraft rejected unlisted
        shortform question isEvent hideAuthor
        user { _id slug displayName } coauthors { _id slug displayName } tags { _id name slug }
        fmCrosspost { isCrosspost hostedHere foreignPostId } contents { html wordCount version }
    """,
    everything="new",
    of_user="userPosts",
    edited_by="modifiedAt",
)
_POST_PATH = re.compile(r"/posts/(\w+)(?:/([\w.-]+))?")
_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "site": {
        "type": "text",
        "required": True,
        "one_of": ["lw", "eaf"],
        "meaning": "The forum: lw for LessWrong with the Alignment Forum, which share ids; eaf for the EA Forum.",
    },
    "forum_id": {"type": "text", "required": True, "matches": r"\w+$", "meaning": "The forum's id of it."},
    "slug": {"type": "text", "meaning": "The readable part of its address."},
    "title": {"type": "text", "required": True, "meaning": "Title of the post."},
    "url": {"type": "text", "matches": r"https?://\S+$", "meaning": "Address of the post."},
    "linked_url": {
        "type": "text",
        "meaning": "What a link post links to.",
    },
    "posted_at": {"type": "timestamp", "required": True, "meaning": "When it was posted."},
    "modified_at": {"type": "timestamp", "meaning": "When it was last changed; votes do not count."},
    "curated_at": {"type": "timestamp", "meaning": "When the site's editors recommended it."},
    "promoted_at": {"type": "timestamp", "meaning": "When it was moved to the front page."},
    "author_forum_id": {
        "type": "text",
        "meaning": "The forum's id of the author; none for deleted or hidden accounts.",
    },
    "author_slug": {"type": "text", "meaning": "The author in addresses of the forum."},
    "author": {"type": "text", "meaning": "The author's name as shown."},
    "coauthors": {"type": "text", "meaning": "Names of the other authors, between semicolons."},
    "tags": {"type": "text", "meaning": "Slugs of its tags, between semicolons."},
    "score": {"type": "integer", "unit": "points", "meaning": "Karma: the sum of weighted votes when last seen."},
    "alignment_score": {"type": "integer", "unit": "points", "meaning": "Karma from members of the Alignment Forum."},
    "votes": {"type": "integer", "unit": "votes", "minimum": 0, "meaning": "Number of votes when last seen."},
    "comments": {"type": "integer", "unit": "comments", "minimum": 0, "meaning": "Comments on it when last seen."},
    "words": {"type": "integer", "unit": "words", "minimum": 0, "meaning": "Length, as the forum counts it."},
    "is_on_alignment_forum": {"type": "boolean", "meaning": "Whether it is on the Alignment Forum too."},
    "is_withdrawn": {"type": "boolean", "meaning": "Whether it was deleted, made a draft again, or rejected."},
    "is_shortform": {"type": "boolean", "meaning": "Whether it holds a person's quick takes."},
    "is_question": {"type": "boolean", "meaning": "Whether it asks a question, with comments as answers."},
    "is_event": {"type": "boolean", "meaning": "Whether it announces an event."},
    "crosspost_forum_id": {"type": "text", "meaning": "The other forum's id of the same post, if it stands on both."},
    "content_version": {"type": "text", "meaning": "The forum's number of this version of the text."},
    "text": {"type": "text", "meaning": "Its text without markup, one line for each block; none if withdrawn."},
    "links": {"type": "text", "meaning": "Addresses that the text links to, between spaces, each once."},
}


def person(fields: Fields) -> tuple[str | None, str | None, str | None]:
    """Id, slug and shown name of a user."""
    fields.pass_over("__typename")
    return fields.text("_id"), fields.text("slug"), fields.line("displayName")


def _post(document: Document, post: Fields) -> tuple[str, dict[str, Value]]:
    """Identity and columns of a post.

    Raises:
        ValueError: A field holds what its column cannot.
    """
    post.pass_over("__typename", "userId", "coauthorUserIds", "tagRelevance", "contents_latest", "readTimeMinutes")
    forum_id, page_url = post.text("_id"), post.text("pageUrl")
    if not forum_id:
        raise ValueError("no _id, by which it would be known")
    site = site_in(document, page_url)
    is_hidden = post.flag("hideAuthor") is True
    author = person(post.within("user"))
    crosspost, contents = post.within("fmCrosspost"), post.within("contents")
    crosspost.pass_over("isCrosspost", "hostedHere", "__typename")
    contents.pass_over("_id", "__typename", "htmlHighlight", "plaintextDescription")
    tags = post.each("tags")
    for tag in tags:
        tag.pass_over("_id", "name", "__typename")
    body = plain(contents.text("html"))
    withdrawn = [post.flag(name) for name in ("draft", "deletedDraft", "rejected")]
    values: dict[str, Value] = {
        "site": site,
        "forum_id": forum_id,
        "slug": post.text("slug"),
        "title": post.line("title"),
        "url": page_url or _address(document, site, forum_id),
        "linked_url": post.text("url"),
        "posted_at": post.moment("postedAt"),
        "modified_at": post.moment("modifiedAt"),
        "curated_at": post.moment("curatedDate"),
        "promoted_at": post.moment("frontpageDate"),
        "author_forum_id": None if is_hidden else author[0],
        "author_slug": None if is_hidden else author[1],
        "author": None if is_hidden else author[2],
        "coauthors": joined([name for one in post.each("coauthors") if (name := person(one)[2])]),
        "tags": joined([slug for tag in tags if (slug := tag.text("slug"))]),
        "score": post.integer("baseScore"),
        "alignment_score": post.integer("afBaseScore"),
        "votes": post.integer("voteCount"),
        "comments": post.integer("commentCount"),
        "words": contents.integer("wordCount"),
        "is_on_alignment_forum": post.flag("af"),
        "is_withdrawn": any(withdrawn),
        "is_shortform": post.flag("shortform"),
        "is_question": post.flag("question"),
        "is_event": post.flag("isEvent"),
        "crosspost_forum_id": crosspost.text("foreignPostId"),
        "content_version": contents.text("version"),
        "text": None if any(withdrawn) else body.text,
        "links": None if any(withdrawn) else joined(body.links, " "),
    }
    post.pass_over("afDate", "unlisted")
    return f"{site} {forum_id}", values


def _address(document: Document, site: str, forum_id: str) -> str | None:
    captured = document.json.get("captured_from")
    if isinstance(captured, str) and f"/posts/{forum_id}" in captured:
        return captured
    host = "forum.effectivealtruism.org" if site == "eaf" else "www.lesswrong.com"
    return f"https://{host}/posts/{forum_id}"


def _page(document: Document) -> Fields | None:
    """What a captured page of a post tells machines of it (schema.org's DiscussionForumPosting)."""
    if document.html_title is None or b"DiscussionForumPosting" not in document.data:
        return None
    from selectolax.lexbor import LexborHTMLParser

    for node in LexborHTMLParser(document.data).css('script[type="application/ld+json"]'):
        try:
            told = json.loads(node.text())
        except ValueError:
            continue
        if isinstance(told, dict) and told.get("@type") == "DiscussionForumPosting" and site_of(str(told.get("url"))):
            return Fields(told)
    return None


def _page_post(page: Fields) -> tuple[str, dict[str, Value]]:
    page.pass_over("@context", "@type", "mainEntityOfPage", "description", "comment", "interactionStatistic", "about")
    url = page.text("url") or ""
    path, site = _POST_PATH.search(url), site_of(url)
    if path is None or site is None:
        raise ValueError(f"the address “{url[:80]}” is not one of a post of these forums")
    names, slugs = [], []
    for author in page.each("author"):
        author.pass_over("@type", "interactionStatistic")
        names.append(author.line("name") or "")
        slugs.append((author.text("url") or "").rpartition("/users/")[2])
    body = plain(page.text("text"))
    values: dict[str, Value] = dict.fromkeys(_COLUMNS)
    values |= {
        "site": site,
        "forum_id": path[1],
        "slug": path[2],
        "title": page.line("headline"),
        "url": url,
        "posted_at": page.moment("datePublished"),
        "author_slug": slugs[0] or None if slugs else None,
        "author": names[0] or None if names else None,
        "coauthors": joined(names[1:]),
        "text": body.text,
        "links": joined(body.links, " "),
    }
    return f"{site} {path[1]}", values


def _recognise(document: Document) -> None:
    if not is_answer(document, "posts") and _page(document) is None:
        raise NotThisSource(f"looked for posts of a forum; found {document.kind}")


def _parse(document: Document) -> Parsed:
    if (page := _page(document)) is not None:
        try:
            parsed = Parsed([Record(*_page_post(page), "the page")])
        except ValueError as error:
            return Parsed([Reject("the page", str(error), json.dumps(page.data, ensure_ascii=False)[:2000])])
        tally(parsed.unparsed, [page])
        return parsed
    parsed = Parsed(is_answer=True)
    for locator, post in answered(document, "posts"):
        if isinstance(post, Reject):
            parsed.items.append(post)
            continue
        try:
            parsed.items.append(Record(*_post(document, post), locator))
        except ValueError as error:
            parsed.items.append(Reject(locator, str(error), json.dumps(post.data, ensure_ascii=False)))
        tally(parsed.unparsed, [post])
    return parsed


def _fetch(feed: Feed, since: Since) -> Conversation:
    return fetch(POSTS, feed, since)


SOURCE = Source(
    name="forum_posts",
    title="Forum posts",
    things="posts",
    row="One version of a post of LessWrong, the Alignment Forum or the EA Forum.",
    columns=_COLUMNS,
    expected="posts of LessWrong, the Alignment Forum or the EA Forum (an answer of their interface, or a post's page)",
    licence="facts are free; texts belong to their authors and stay on this machine",
    recognise=_recognise,
    parse=_parse,
    newest="posted_at",
    positional=("score", "alignment_score", "votes", "comments"),
    fetch=_fetch,
    by_window=True,
)
