"""Comments and quick takes on LessWrong, the Alignment Forum and the EA Forum, as their interface gives them.

A deleted comment keeps its place in the thread without its text; of a deleted account nothing is known but that
there was one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from orchestration.sources.forum.posts import person
from orchestration.sources.forum.query import Thing, answered, fetch, is_answer, site_in
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Conversation, Feed, Since
from orchestration.sources.shared.fields import Fields, tally
from orchestration.sources.shared.html_text import joined, plain
from orchestration.sources.source import NotThisSource, Parsed, Record, Reject, Source, Value

COMMENTS = Thing(
    name="comments",
    fields="""
        _id postId parentCommentId topLevelCommentId pageUrl postedAt lastEditedAt
        baseScore voteCount extendedScore af afBaseScore deleted rejected retracted
        shortform answer descendentCount hideAuthor
        user { _id slug displayName } post { _id title slug pageUrl } contents { html wordCount version }
    """,
    everything="allRecentComments",
    of_user="allRecentComments",
    edited_by="lastEditedAt",
)
_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "site": {
        "type": "text",
        "required": True,
        "one_of": ["lw", "eaf"],
        "meaning": "The forum: lw for LessWrong with the Alignment Forum, which share ids; eaf for the EA Forum.",
    },
    "forum_id": {"type": "text", "required": True, "matches": r"\w+$", "meaning": "The forum's id of it."},
    "post_forum_id": {"type": "text", "meaning": "The forum's id of the post it is on; none on a tag's page."},
    "parent_forum_id": {"type": "text", "meaning": "The forum's id of the comment it answers, if it answers one."},
    "thread_forum_id": {"type": "text", "meaning": "The forum's id of the comment at the top of its thread."},
    "post_title": {"type": "text", "meaning": "Title of the post it is on."},
    "url": {"type": "text", "matches": r"https?://\S+$", "meaning": "Address of the comment."},
    "posted_at": {"type": "timestamp", "required": True, "meaning": "When it was posted."},
    "edited_at": {"type": "timestamp", "meaning": "When it was last edited; votes do not count."},
    "author_forum_id": {
        "type": "text",
        "meaning": "The forum's id of the author; none for deleted or hidden accounts.",
    },
    "author_slug": {"type": "text", "meaning": "The author in addresses of the forum."},
    "author": {"type": "text", "meaning": "The author's name as shown."},
    "score": {"type": "integer", "unit": "points", "meaning": "Karma: the sum of weighted votes when last seen."},
    "alignment_score": {"type": "integer", "unit": "points", "meaning": "Karma from members of the Alignment Forum."},
    "agreement_score": {"type": "integer", "unit": "points", "meaning": "Sum of weighted votes of agreement."},
    "votes": {"type": "integer", "unit": "votes", "minimum": 0, "meaning": "Number of votes when last seen."},
    "replies": {"type": "integer", "unit": "comments", "minimum": 0, "meaning": "Comments below it, at any depth."},
    "words": {"type": "integer", "unit": "words", "minimum": 0, "meaning": "Length, as the forum counts it."},
    "is_on_alignment_forum": {"type": "boolean", "meaning": "Whether it is on the Alignment Forum too."},
    "is_withdrawn": {"type": "boolean", "meaning": "Whether it was deleted or rejected."},
    "is_retracted": {"type": "boolean", "meaning": "Whether its author struck it through; the text still stands."},
    "is_shortform": {"type": "boolean", "meaning": "Whether it is a quick take or stands below one."},
    "is_answer": {"type": "boolean", "meaning": "Whether it answers a question's post."},
    "text": {"type": "text", "meaning": "Its text without markup, one line for each block; none if withdrawn."},
    "links": {"type": "text", "meaning": "Addresses that the text links to, between spaces, each once."},
}


def _comment(document: Document, comment: Fields) -> tuple[str, dict[str, Value]]:
    """Identity and columns of a comment.

    Raises:
        ValueError: A field holds what its column cannot.
    """
    comment.pass_over("__typename", "userId", "score")
    forum_id, page_url = comment.text("_id"), comment.text("pageUrl")
    if not forum_id:
        raise ValueError("no _id, by which it would be known")
    post, contents, extended = (comment.within(name) for name in ("post", "contents", "extendedScore"))
    post.pass_over("_id", "slug", "__typename")
    contents.pass_over("_id", "version", "__typename", "plaintextMainText")
    extended.pass_over("reacts", "approvalVoteCount", "agreementVoteCount")
    post_url = post.text("pageUrl")
    site = site_in(document, page_url or post_url)
    is_hidden = comment.flag("hideAuthor") is True
    author = person(comment.within("user"))
    is_withdrawn = any([comment.flag("deleted"), comment.flag("rejected")])
    body = plain(contents.text("html"))
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
        "links": None if is_withdrawn else joined(body.links, " "),
    }
    return f"{site} {forum_id}", values


def _recognise(document: Document) -> None:
    if not is_answer(document, "comments"):
        raise NotThisSource(f"looked for comments of a forum; found {document.kind}")


def _parse(document: Document) -> Parsed:
    parsed = Parsed(is_answer=True)
    for locator, comment in answered(document, "comments"):
        if isinstance(comment, Reject):
            parsed.items.append(comment)
            continue
        try:
            parsed.items.append(Record(*_comment(document, comment), locator))
        except ValueError as error:
            parsed.items.append(Reject(locator, str(error), json.dumps(comment.data, ensure_ascii=False)))
        tally(parsed.unparsed, [comment])
    return parsed


def _fetch(feed: Feed, since: Since) -> Conversation:
    return fetch(COMMENTS, feed, since)


SOURCE = Source(
    name="forum_comments",
    title="Forum comments",
    things="comments",
    row="One version of a comment or quick take on LessWrong, the Alignment Forum or the EA Forum.",
    columns=_COLUMNS,
    expected="comments on LessWrong, the Alignment Forum or the EA Forum (an answer of their interface)",
    licence="facts are free; texts belong to their authors and stay on this machine",
    recognise=_recognise,
    parse=_parse,
    newest="posted_at",
    positional=("score", "alignment_score", "agreement_score", "votes", "replies"),
    fetch=_fetch,
    by_window=True,
)
