"""Posts of LessWrong, the Alignment Forum and the EA Forum, from their API or from a saved page of a post.

The Alignment Forum shares posts and ids with LessWrong, so such a post is one record; the EA Forum has its own ids.
A saved page has fewer fields than the API (no score, no time of the last edit).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from orchestration.sources.forum.query import (
    ForumEndpoint,
    fetch_endpoint,
    find_site,
    is_forum_response,
    iterate_results,
)
from orchestration.sources.forum.saved_page import SavedPage, open_saved_page
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, FetchPlan
from orchestration.sources.shared.fields import Fields, count_unread_fields
from orchestration.sources.shared.html_text import html_to_text, join_texts
from orchestration.sources.shared.records import add_notes, read_record
from orchestration.sources.source import NotThisSource, ParseResult, Record, Reject, Source, Value

POSTS = ForumEndpoint(
    name="posts",
    fields="""
        _id slug title pageUrl url postedAt modifiedAt curatedDate frontpageDate afDate
        baseScore voteCount afBaseScore commentCount af draft deletedDraft rejected unlisted
        shortform question isEvent hideAuthor
        user { _id slug displayName } coauthors { _id slug displayName } tags { _id name slug }
        fmCrosspost { isCrosspost hostedHere foreignPostId } contents { html wordCount version }
    """,
    all_view="new",
    user_view="userPosts",
    edited_field="modifiedAt",
)
# fields of schema.org's DiscussionForumPosting that are read, or known and not needed; forum_comments reads comments
_POSTING_FIELDS = (
    *("@context", "@type", "url", "mainEntityOfPage", "headline", "description", "about", "datePublished", "author"),
    *("text", "comment", "interactionStatistic"),
)
_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "site": {
        "type": "text",
        "required": True,
        "one_of": ["lw", "eaf"],
        "meaning": "The forum: lw is LessWrong and the Alignment Forum, which share ids; eaf is the EA Forum.",
    },
    "forum_id": {"type": "text", "required": True, "matches": r"\w+$", "meaning": "Id of the post in the forum."},
    "slug": {"type": "text", "meaning": "Readable part of its address."},
    "title": {"type": "text", "required": True, "meaning": "Title of the post."},
    "url": {"type": "text", "matches": r"https?://\S+$", "meaning": "Address of the post."},
    "linked_url": {
        "type": "text",
        "meaning": "Address that a link post links to.",
    },
    "posted_at": {
        "type": "timestamp",
        "meaning": "When it was posted; midnight where a saved page has only the day.",
    },
    "modified_at": {"type": "timestamp", "meaning": "When it was last changed, apart from votes."},
    "curated_at": {"type": "timestamp", "meaning": "When the site's editors recommended it."},
    "promoted_at": {"type": "timestamp", "meaning": "When it was moved to the front page."},
    "author_forum_id": {
        "type": "text",
        "meaning": "Id of the author in the forum; none for deleted or hidden accounts.",
    },
    "author_slug": {"type": "text", "meaning": "The author's name in addresses of the forum."},
    "author": {"type": "text", "meaning": "The author's name as shown."},
    "coauthors": {"type": "text", "meaning": "Names of the other authors, separated by semicolons."},
    "tags": {"type": "text", "meaning": "Slugs of its tags, separated by semicolons."},
    "score": {"type": "integer", "unit": "points", "meaning": "Karma: the sum of weighted votes when last seen."},
    "alignment_score": {"type": "integer", "unit": "points", "meaning": "Karma from members of the Alignment Forum."},
    "votes": {"type": "integer", "unit": "votes", "minimum": 0, "meaning": "Number of votes when last seen."},
    "comments": {"type": "integer", "unit": "comments", "minimum": 0, "meaning": "Comments on it when last seen."},
    "words": {"type": "integer", "unit": "words", "minimum": 0, "meaning": "Number of words, as counted by the forum."},
    "is_on_alignment_forum": {"type": "boolean", "meaning": "Whether it is also on the Alignment Forum."},
    "is_withdrawn": {"type": "boolean", "meaning": "Whether it was deleted, rejected or moved back to the drafts."},
    "is_shortform": {"type": "boolean", "meaning": "Whether it is the page of a user's quick takes."},
    "is_question": {"type": "boolean", "meaning": "Whether it is a question, answered by comments."},
    "is_event": {"type": "boolean", "meaning": "Whether it announces an event."},
    "crosspost_forum_id": {
        "type": "text",
        "meaning": "Id of the same post in the other forum, if it is on both.",
    },
    "content_version": {"type": "text", "meaning": "Version of the text, as numbered by the forum."},
    "text": {"type": "text", "meaning": "Text without markup, one line per block; none if withdrawn."},
    "links": {"type": "text", "meaning": "Distinct addresses that the text links to, separated by spaces."},
}


def read_user(fields: Fields) -> tuple[str | None, str | None, str | None]:
    """Id, slug and display name of a user."""
    fields.ignore("__typename")
    return fields.text("_id"), fields.text("slug"), fields.line("displayName")


def _read_post(document: Document, post: Fields) -> tuple[str, dict[str, Value]]:
    """Identity and column values of a post.

    Raises:
        ValueError: Nothing identifies it, or its forum is unknown.
    """
    post.ignore("__typename", "userId", "coauthorUserIds", "tagRelevance", "contents_latest", "readTimeMinutes")
    forum_id, page_url = post.text("_id"), post.text("pageUrl")
    if not forum_id:
        raise ValueError("no _id, which identifies it")
    site = find_site(document, page_url)
    is_hidden = post.flag("hideAuthor") is True
    author = read_user(post.child("user"))
    crosspost, contents = post.child("fmCrosspost"), post.child("contents")
    crosspost.ignore("isCrosspost", "hostedHere", "__typename")
    contents.ignore("_id", "__typename", "htmlHighlight", "plaintextDescription")
    tags = post.children("tags")
    for tag in tags:
        tag.ignore("_id", "name", "__typename")
    body = html_to_text(contents.text("html"))
    withdrawn = [post.flag(name) for name in ("draft", "deletedDraft", "rejected")]
    values: dict[str, Value] = {
        "site": site,
        "forum_id": forum_id,
        "slug": post.text("slug"),
        "title": post.line("title"),
        "url": page_url or _build_post_url(document, site, forum_id),
        "linked_url": post.text("url"),
        "posted_at": post.moment("postedAt"),
        "modified_at": post.moment("modifiedAt"),
        "curated_at": post.moment("curatedDate"),
        "promoted_at": post.moment("frontpageDate"),
        "author_forum_id": None if is_hidden else author[0],
        "author_slug": None if is_hidden else author[1],
        "author": None if is_hidden else author[2],
        "coauthors": join_texts([name for user in post.children("coauthors") if (name := read_user(user)[2])]),
        "tags": join_texts([slug for tag in tags if (slug := tag.text("slug"))]),
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
        "links": None if any(withdrawn) else join_texts(body.links, " "),
    }
    post.ignore("afDate", "unlisted")
    return f"{site} {forum_id}", values


def _build_post_url(document: Document, site: str, forum_id: str) -> str | None:
    captured = document.json.get("captured_from")
    if isinstance(captured, str) and f"/posts/{forum_id}" in captured:
        return captured
    host = "forum.effectivealtruism.org" if site == "eaf" else "www.lesswrong.com"
    return f"https://{host}/posts/{forum_id}"


def _read_page(page: SavedPage) -> tuple[str, dict[str, Value]]:
    """Identity and column values of the post of a saved page.

    Raises:
        ValueError: The page states no address of a post, or no title.
    """
    title, address = page.title, page.address
    if address is None:
        raise ValueError(f"no address of a post, which has its id; found {page.description}")
    if title is None:
        raise ValueError("no title (looked in structured data, citation_title, og:title, the heading and <title>)")
    authors = page.find_authors()
    body = html_to_text(page.find_html())
    values: dict[str, Value] = dict.fromkeys(_COLUMNS)
    values |= {
        "site": address.site,
        "forum_id": address.forum_id,
        "slug": address.slug,
        "title": title,
        "url": address.url,
        "posted_at": page.find_posted_at(),
        "author_slug": authors[0][1] if authors else None,
        "author": authors[0][0] if authors else None,
        "coauthors": join_texts(name for name, _ in authors[1:]),
        "comments": page.count_comments(),
        "text": body.text,
        "links": join_texts(body.links, " "),
    }
    return f"{address.site} {address.forum_id}", values


def _recognise(document: Document) -> None:
    if document.html_title is None and is_forum_response(document, "posts"):
        return
    page = open_saved_page(document)
    if page is None or not (page.address or page.is_of_forum):
        raise NotThisSource(f"looked for posts of a forum; found {document.description}")
    if page.address is None:
        raise NotThisSource(
            f"a page of a forum with {page.description}, which is not of a post (…/posts/<id>/<title>)",
            is_near_match=True,
        )


def _parse(document: Document) -> ParseResult:
    if (page := open_saved_page(document)) is not None:
        try:
            identity, values = _read_page(page)
        except ValueError as error:
            return ParseResult([Reject("the page", str(error), document.head[:2000])])
        missing = [name for name in ("posted_at", "author", "text") if values[name] is None]
        notes = [f"the page does not state {', '.join(missing)}"] if missing else []
        result = ParseResult([add_notes(Record(identity, values, "the page"), notes)])
        fields = Fields(page.posting)
        fields.ignore(*_POSTING_FIELDS)
        count_unread_fields(result.unparsed_fields, [fields])
        return result
    result = ParseResult(is_empty_valid=True)
    for locator, post in iterate_results(document, "posts"):
        if isinstance(post, Reject):
            result.items.append(post)
            continue
        result.items.append(read_record(post, partial(_read_post, document), locator))
        count_unread_fields(result.unparsed_fields, [post])
    return result


def _fetch(feed: Feed, cursor: FetchCursor) -> FetchPlan:
    return fetch_endpoint(POSTS, feed, cursor)


SOURCE = Source(
    name="forum_posts",
    title="Forum posts",
    record_noun="posts",
    row="One version of a post of LessWrong, the Alignment Forum or the EA Forum.",
    columns=_COLUMNS,
    expected="posts of LessWrong, the Alignment Forum or the EA Forum (a response of their API, or a post's page)",
    licence="facts are free; texts belong to their authors and stay on this machine",
    recognise=_recognise,
    parse=_parse,
    recency_column="posted_at",
    volatile_columns=("score", "alignment_score", "votes", "comments"),
    fetch=_fetch,
    question_settings=("user", "tag"),
    is_windowed=True,
    companions=("forum_comments",),
)
