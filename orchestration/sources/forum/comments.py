"""Comments and quick takes on LessWrong, the Alignment Forum and the EA Forum, from their API or a post's saved page.

A deleted comment keeps its position in the thread, without text. Comments of a deleted account have no author.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from orchestration.sources.forum.posts import read_user
from orchestration.sources.forum.query import (
    ForumEndpoint,
    fetch_endpoint,
    find_site,
    is_forum_response,
    iterate_results,
)
from orchestration.sources.forum.saved_page import (
    SavedComment,
    SavedPage,
    open_saved_page,
    parse_shown_count,
    parse_shown_time,
)
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, FetchPlan
from orchestration.sources.shared.fields import Fields, count_unread_fields
from orchestration.sources.shared.html_text import html_to_text, join_texts
from orchestration.sources.shared.records import read_record
from orchestration.sources.source import NotThisSource, ParseResult, Record, Reject, Source, Value

COMMENTS = ForumEndpoint(
    name="comments",
    fields="""
        _id postId parentCommentId topLevelCommentId pageUrl postedAt lastEditedAt
        baseScore voteCount extendedScore af afBaseScore deleted rejected retracted
        shortform answer descendentCount hideAuthor
        user { _id slug displayName } post { _id title slug pageUrl } contents { html wordCount version }
    """,
    all_view="allRecentComments",
    user_view="allRecentComments",
    edited_field="lastEditedAt",
)
_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "site": {
        "type": "text",
        "required": True,
        "one_of": ["lw", "eaf"],
        "meaning": "The forum: lw is LessWrong and the Alignment Forum, which share ids; eaf is the EA Forum.",
    },
    "forum_id": {"type": "text", "required": True, "matches": r"\w+$", "meaning": "Id of the comment in the forum."},
    "post_forum_id": {"type": "text", "meaning": "Id of its post in the forum; none for comments on a tag's page."},
    "parent_forum_id": {"type": "text", "meaning": "Id of the comment it replies to, if any."},
    "thread_forum_id": {"type": "text", "meaning": "Id of the top comment of its thread."},
    "post_title": {"type": "text", "meaning": "Title of its post."},
    "url": {"type": "text", "matches": r"https?://\S+$", "meaning": "Address of the comment."},
    "posted_at": {"type": "timestamp", "meaning": "When it was posted."},
    "edited_at": {"type": "timestamp", "meaning": "When it was last edited, apart from votes."},
    "author_forum_id": {
        "type": "text",
        "meaning": "Id of the author in the forum; none for deleted or hidden accounts.",
    },
    "author_slug": {"type": "text", "meaning": "The author's name in addresses of the forum."},
    "author": {"type": "text", "meaning": "The author's name as shown."},
    "score": {"type": "integer", "unit": "points", "meaning": "Karma: the sum of weighted votes when last seen."},
    "alignment_score": {"type": "integer", "unit": "points", "meaning": "Karma from members of the Alignment Forum."},
    "agreement_score": {"type": "integer", "unit": "points", "meaning": "Sum of weighted agreement votes."},
    "votes": {"type": "integer", "unit": "votes", "minimum": 0, "meaning": "Number of votes when last seen."},
    "replies": {"type": "integer", "unit": "comments", "minimum": 0, "meaning": "Number of replies, at any depth."},
    "words": {"type": "integer", "unit": "words", "minimum": 0, "meaning": "Number of words, as counted by the forum."},
    "is_on_alignment_forum": {"type": "boolean", "meaning": "Whether it is also on the Alignment Forum."},
    "is_withdrawn": {"type": "boolean", "meaning": "Whether it was deleted or rejected; none on pages."},
    "is_retracted": {
        "type": "boolean",
        "meaning": "Whether its author retracted it; its text stays visible.",
    },
    "is_shortform": {"type": "boolean", "meaning": "Whether it is a quick take or a reply to one."},
    "is_answer": {"type": "boolean", "meaning": "Whether it is an answer to a question."},
    "text": {"type": "text", "meaning": "Text without markup, one line per block; none if withdrawn."},
    "links": {"type": "text", "meaning": "Distinct addresses that the text links to, separated by spaces."},
}


def _read_comment(document: Document, comment: Fields) -> tuple[str, dict[str, Value]]:
    """Identity and column values of a comment.

    Raises:
        ValueError: Nothing identifies it, or its forum is unknown.
    """
    comment.ignore("__typename", "userId", "score")
    forum_id, page_url = comment.text("_id"), comment.text("pageUrl")
    if not forum_id:
        raise ValueError("no _id, which identifies it")
    post, contents, extended = (comment.child(name) for name in ("post", "contents", "extendedScore"))
    post.ignore("_id", "slug", "__typename")
    contents.ignore("_id", "version", "__typename", "plaintextMainText")
    extended.ignore("reacts", "approvalVoteCount", "agreementVoteCount")
    post_url = post.text("pageUrl")
    site = find_site(document, page_url or post_url)
    is_hidden = comment.flag("hideAuthor") is True
    author = read_user(comment.child("user"))
    is_withdrawn = any([comment.flag("deleted"), comment.flag("rejected")])
    body = html_to_text(contents.text("html"))
    values: dict[str, Value] = {
        "site": site,
        "forum_id": forum_id,
        "post_forum_id": comment.text("postId"),
        "parent_forum_id": comment.text("parentCommentId"),
        "thread_forum_id": comment.text("topLevelCommentId"),
        "post_title": post.line("title"),
        "url": page_url or (f"{post_url}?commentId={forum_id}" if post_url else None),
        "posted_at": comment.moment("postedAt"),
        "edited_at": comment.moment("lastEditedAt"),
        "author_forum_id": None if is_hidden else author[0],
        "author_slug": None if is_hidden else author[1],
        "author": None if is_hidden else author[2],
        "score": comment.integer("baseScore"),
        "alignment_score": comment.integer("afBaseScore"),
        "agreement_score": extended.integer("agreement"),
        "votes": comment.integer("voteCount"),
        "replies": comment.integer("descendentCount"),
        "words": contents.integer("wordCount"),
        "is_on_alignment_forum": comment.flag("af"),
        "is_withdrawn": is_withdrawn,
        "is_retracted": comment.flag("retracted"),
        "is_shortform": comment.flag("shortform"),
        "is_answer": comment.flag("answer"),
        "text": None if is_withdrawn else body.text,
        "links": None if is_withdrawn else join_texts(body.links, " "),
    }
    return f"{site} {forum_id}", values


def _read_saved_comment(page: SavedPage, comment: SavedComment) -> tuple[str, dict[str, Value]]:
    """Identity and column values of a comment on the saved page of a post.

    Raises:
        ValueError: The page does not show its id, its time or its text.
    """
    posted_at, body = parse_shown_time(comment.posted_at), html_to_text(comment.html)
    shown = {"id": comment.forum_id, "time": posted_at, "text": body.text}
    if missing := [name for name, value in shown.items() if not value]:
        raise ValueError(f"the page shows no {' and no '.join(missing)} of this comment, so that it was not read")
    if page.address is None:
        raise ValueError("the page states no address of a post")
    is_of_post = comment.post_forum_id in (None, page.address.forum_id)
    values: dict[str, Value] = dict.fromkeys(_COLUMNS)
    values |= {
        "site": page.address.site,
        "forum_id": comment.forum_id,
        "post_forum_id": comment.post_forum_id or page.address.forum_id,
        "parent_forum_id": comment.parent.forum_id if comment.parent else None,
        "thread_forum_id": comment.thread.forum_id if comment.parent else None,
        "post_title": page.title if is_of_post else None,
        "url": f"{page.address.url.partition('?')[0]}?commentId={comment.forum_id}" if is_of_post else None,
        "posted_at": posted_at,
        "author_slug": comment.author_slug,
        "author": comment.author,
        "score": parse_shown_count(comment.score),
        "agreement_score": parse_shown_count(comment.agreement),
        "text": body.text,
        "links": join_texts(body.links, " "),
    }
    return f"{page.address.site} {comment.forum_id}", values


def _parse_page(page: SavedPage) -> ParseResult:
    """The comments that the saved page of a post shows, and as rejects those that it has without an id."""
    result = ParseResult(is_empty_valid=True)
    for number, comment in enumerate(page.comments, 1):
        locator = f"comment {number} of the page ({comment.forum_id})"
        try:
            result.items.append(Record(*_read_saved_comment(page, comment), locator))
        except ValueError as error:
            result.items.append(Reject(locator, str(error), (comment.html or "")[:2000], is_fault=False))
    for number, entry in enumerate(page.list_hidden_comments(), 1):
        reason = "in the page's structured data only, which has no ids, so that it was not read"
        raw_text = json.dumps({**entry, "comment": None}, ensure_ascii=False)[:2000]
        result.items.append(Reject(f"comment {number} of the structured data", reason, raw_text, is_fault=False))
    return result


def _recognise(document: Document) -> None:
    if document.html_title is None and is_forum_response(document, "comments"):
        return
    page = open_saved_page(document)
    if page is None or page.address is None or not (page.comments or page.list_hidden_comments()):
        raise NotThisSource(f"looked for comments of a forum; found {document.description}")


def _parse(document: Document) -> ParseResult:
    if (page := open_saved_page(document)) is not None:
        return _parse_page(page)
    result = ParseResult(is_empty_valid=True)
    for locator, comment in iterate_results(document, "comments"):
        if isinstance(comment, Reject):
            result.items.append(comment)
            continue
        result.items.append(read_record(comment, partial(_read_comment, document), locator))
        count_unread_fields(result.unparsed_fields, [comment])
    return result


def _fetch(feed: Feed, cursor: FetchCursor) -> FetchPlan:
    return fetch_endpoint(COMMENTS, feed, cursor)


SOURCE = Source(
    name="forum_comments",
    title="Forum comments",
    record_noun="comments",
    row="One version of a comment or quick take on LessWrong, the Alignment Forum or the EA Forum.",
    columns=_COLUMNS,
    expected="comments on LessWrong, the Alignment Forum or the EA Forum (a response of their API, or a post's page)",
    licence="facts are free; texts belong to their authors and stay on this machine",
    recognise=_recognise,
    parse=_parse,
    recency_column="posted_at",
    volatile_columns=("score", "alignment_score", "agreement_score", "votes", "replies"),
    fetch=_fetch,
    question_settings=("user",),
    is_windowed=True,
)
