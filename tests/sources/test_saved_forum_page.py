"""Saved pages of posts on forums: what each block gives, pages without some blocks, and the comments on them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestration.ingest.snapshots import add_file
from orchestration.sources.forum import comments, posts, saved_page
from orchestration.sources.registry import recognise_source
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.html_tree import parse_html
from orchestration.sources.source import DocumentRefused, ParseResult, Source
from tests.support.fetch_plans import build_table
from warehouse.lake import Lake

ADDRESS = "https://www.lesswrong.com/posts/aBcDeFgHiJkLmNoPq/lanterns-of-the-harbour"
POSTED_AT = "2024-05-06T07:08:09.010Z"
TEXT = "<p>Every lantern was counted twice.</p><ul><li>Once at dusk</li></ul>"
FILLER = "What the page shows to people besides. " * 30  # a page of a few words would be refused as a failure page


def build_comment(number: int, inner: str = "", **changes: str) -> str:
    """The element of a comment, with the same parts as on the forums' pages."""
    parts = {
        "author": f'<span class="CommentUserName-author"><a href="/users/gull-{number}">Gull {number}</a></span>',
        "link": f'<a href="/posts/aBcDeFgHiJkLmNoPq/lanterns-of-the-harbour?commentId=comment{number}">'
        f'<time datetime="2024-05-07T0{number}:00:00.000Z">7mo</time></a>',
        "score": f'<span class="OverallVoteAxis-voteScore">{number - 2}</span>',
        "agreement": '<span class="AgreementVoteAxis-agreementScore"><span>1</span></span>',
        "body": f'<div class="CommentBody-root ContentStyles-commentBody"><p>Remark {number}, see '
        '<a href="https://arxiv.org/abs/2401.00001">this</a> by <a href="/users/someone-else">@someone</a></p></div>',
    }
    return (
        f'<div class="comments-node CommentFrame-node" id="comment{number}"><div><div class="CommentsItem-root">'
        f'{"".join((parts | changes).values())}</div></div><div class="CommentsNode-children">{inner}</div></div>'
    )


def build_blocks() -> dict[str, str]:
    """The blocks of a page that each state some facts of the post."""
    posting = {
        "@type": "DiscussionForumPosting",
        "url": ADDRESS,
        "headline": "Lanterns of the harbour",
        "datePublished": POSTED_AT,
        "author": [{"@type": "Person", "name": "Ann Pier", "url": "https://www.lesswrong.com/users/ann-pier"}],
        "text": TEXT,
        "interactionStatistic": [
            {"interactionType": {"@type": "http://schema.org/CommentAction"}, "userInteractionCount": 3}
        ],
        "comment": [{"@type": "Comment", "text": "<p>Remark 1</p>", "datePublished": "2024-05-07T01:00:00.000Z"}],
    }
    return {
        "title": "<title>Lanterns of the harbour — LessWrong</title>",
        "canonical": f'<link rel="canonical" href="{ADDRESS}">',
        "citation": '<meta name="citation_title" content="Lanterns of the harbour"><meta name="citation_author"'
        ' content="Ann Pier"><meta name="citation_publication_date" content="2024/05/06">',
        "og": f'<meta property="og:title" content="Lanterns of the harbour — LessWrong"><meta property="og:url" content="{ADDRESS}">',
        "posting": f'<script type="application/ld+json">{json.dumps(posting)}</script>',
        "heading": '<h1 class="Typography-root PostsPageTitle-root"><a href="/posts/aBcDeFgHiJkLmNoPq/lanterns-of-the-harbour">'
        'Lanterns of the<!-- --> <span class="PostsPageTitle-lastWord">harbour</span></a></h1>',
        "authors": '<span class="PostsAuthors-root">by <a href="/users/ann-pier?from=post_header">Ann Pier</a></span>',
        "date": f'<span class="PostsPageDate-date"><time datetime="{POSTED_AT}">6th May 2024</time></span>',
        "text": f'<div id="postContent">{TEXT}</div>',
        "filler": f"<p>{FILLER}</p>",
        "comments": f'<div id="comments"></div>{build_comment(1, build_comment(2))}{build_comment(3)}',
    }


def join_page(blocks: Mapping[str, str]) -> bytes:
    return f"<!doctype html><html><head>{''.join(blocks.values())}</html>".encode()


def parse(source: Source, content: bytes, **hints: str) -> ParseResult:
    document = Document(content, "page.html", hints)
    source.recognise(document)
    return source.parse(document)


def read_post(content: bytes, **hints: str) -> dict[str, Any]:
    return dict(parse(posts.SOURCE, content, **hints).records[0].values)


def test_all_blocks_give_all_facts_of_the_post() -> None:
    (record,) = parse(posts.SOURCE, join_page(build_blocks())).records
    assert record.identity == "lw aBcDeFgHiJkLmNoPq"
    values = {name: str(value) for name, value in record.values.items() if value is not None}
    assert values == {
        "site": "lw",
        "forum_id": "aBcDeFgHiJkLmNoPq",
        "slug": "lanterns-of-the-harbour",
        "title": "Lanterns of the harbour",
        "url": ADDRESS,
        "posted_at": "2024-05-06 07:08:09.010000+00:00",
        "author": "Ann Pier",
        "author_slug": "ann-pier",
        "comments": "3",
        "text": "Every lantern was counted twice.\nOnce at dusk",
    }


@pytest.mark.parametrize("lost", build_blocks())
def test_no_single_block_is_necessary(lost: str) -> None:
    whole = read_post(join_page(build_blocks()))
    rest = read_post(join_page({name: block for name, block in build_blocks().items() if name != lost}))
    assert {name for name in rest if rest[name] != whole[name]} == ({"comments"} if lost == "posting" else set())


@pytest.mark.parametrize("kept", ["canonical", "og", "posting"])
def test_address_and_title_are_enough(kept: str) -> None:
    blocks = {name: block for name, block in build_blocks().items() if name in (kept, "title", "filler")}
    values = read_post(join_page(blocks))
    assert (values["forum_id"], values["title"]) == ("aBcDeFgHiJkLmNoPq", "Lanterns of the harbour")
    expected = None if kept == "posting" else "the page does not state posted_at, author, text"
    assert values.get("reading_note") == expected


@pytest.mark.parametrize(
    ("start", "hints"),
    [
        ("<!DOCTYPE html>\n<!-- saved from url=(0075){} -->\n<html>", {}),
        ("<!DOCTYPE html> <html lang=en><!--\n Page saved with SingleFile \n url: {} \n-->", {}),
        ("<html>", {"url": "{}"}),
        ('<html><meta property="og:url" content="https://web.archive.org/web/20240601000000/{}">', {}),
    ],
)
def test_address_is_found_where_browsers_and_people_leave_it(start: str, hints: dict[str, str]) -> None:
    page = start.format(ADDRESS) + f"<title>Lanterns of the harbour — LessWrong</title><p>{FILLER}</p>"
    values = read_post(page.encode(), **{name: hint.format(ADDRESS) for name, hint in hints.items()})
    assert (values["forum_id"], values["url"]) == ("aBcDeFgHiJkLmNoPq", ADDRESS)


def test_heading_and_name_of_the_forum_give_the_address() -> None:
    blocks = {name: block for name, block in build_blocks().items() if name in ("title", "heading", "filler")}
    assert read_post(join_page(blocks))["url"] == ADDRESS


@pytest.mark.parametrize(
    ("path", "forum_id"),
    [
        ("/s/sEqUeNcE/p/aBcDeFgH", "aBcDeFgH"),
        ("/events/aBcDeFgH/meeting", "aBcDeFgH"),
        ("/g/gRoUp/p/aBcDeFgH", "aBcDeFgH"),
    ],
)
def test_post_in_a_sequence_event_and_post_of_a_group_are_posts(path: str, forum_id: str) -> None:
    page = (
        f'<html><link rel="canonical" href="https://forum.effectivealtruism.org{path}"><title>A post — EA Forum</title>'
    )
    (record,) = parse(posts.SOURCE, f"{page}<p>{FILLER}</p>".encode()).records
    assert (record.identity, record.values["title"]) == (f"eaf {forum_id}", "A post")


def test_day_of_the_metadata_is_the_time_where_nothing_better_is_there() -> None:
    blocks = {name: block for name, block in build_blocks().items() if name not in ("posting", "date")}
    assert str(read_post(join_page(blocks))["posted_at"]) == "2024-05-06 00:00:00+00:00"


@pytest.mark.parametrize(
    "posting",
    [
        {"author": {"name": "Ann Pier"}},
        {"author": "Ann Pier"},
        {"author": [None, 7, {"name": None}, {"name": "Ann Pier", "url": 3}]},
        {"datePublished": "yesterday"},
        {"datePublished": 1714979289},
        {"headline": None},
        {"headline": ["Lanterns"]},
        {"text": {"@value": "no"}},
        {"url": None},
        {"mainEntityOfPage": ADDRESS},
        {"interactionStatistic": {"interactionType": None, "userInteractionCount": -1}},
        {"interactionStatistic": [{"interactionType": "CommentAction", "userInteractionCount": 10**400}]},
        {"comment": {"@type": "Comment"}},
        {"@type": ["DiscussionForumPosting", "Article"]},
        {"@type": "Article"},
    ],
)
def test_odd_field_of_the_structured_data_costs_that_field_alone(posting: dict[str, Any]) -> None:
    blocks = build_blocks()
    start, end = '<script type="application/ld+json">', "</script>"
    data = json.loads(blocks["posting"].removeprefix(start).removesuffix(end))
    blocks["posting"] = f"{start}{json.dumps({**data, **posting})}{end}"
    whole, odd = read_post(join_page(build_blocks())), read_post(join_page(blocks))
    assert {name for name in odd if odd[name] != whole[name]} <= {"comments", "author_slug"}


@pytest.mark.parametrize("wrap", ["[{}]", '{{"@context": "x", "@graph": [{{"@type": "Person"}}, {}]}}'])
def test_structured_data_in_a_list_or_graph_are_read(wrap: str) -> None:
    block = re.sub(r"\{.*\}", lambda found: wrap.format(found[0]), build_blocks()["posting"])
    assert read_post(join_page({"posting": block, "filler": FILLER}))["author"] == "Ann Pier"


def test_page_cut_at_any_tag_gives_the_post_or_names_what_is_missing() -> None:
    page = join_page(build_blocks())
    taken, reasons = 0, set()
    for cut in [found.start() for found in re.finditer(rb"<", page)][3:]:
        try:
            source = recognise_source(document := Document(page[:cut], "page.html"))
            result = source.parse(document)
        except DocumentRefused as refusal:
            reasons.add(re.sub(r"; expected one of.*", "", str(refusal)))
        else:
            assert (source.name, result.rejects) == ("forum_posts", [])
            taken += 1
    assert taken > 50
    assert all("address" in reason for reason in reasons)


def test_page_without_title_and_page_of_a_user_are_refused_with_what_is_missing() -> None:
    page = f'<html><link rel="canonical" href="{ADDRESS}"><p>{FILLER}</p>'.encode()
    assert "no title (looked in structured data" in parse(posts.SOURCE, page).rejects[0].reason
    page = f'<html><link rel="canonical" href="https://www.lesswrong.com/users/ann-pier"><p>{FILLER}</p>'.encode()
    with pytest.raises(DocumentRefused, match=r"the address https://www.lesswrong.com/users/ann-pier, which is not of"):
        recognise_source(Document(page, "user.html"))


def test_page_of_another_site_that_links_to_a_forum_is_not_a_post() -> None:
    page = (
        f'<html><link rel="canonical" href="https://example.org/posts/aBcDeFgHiJkLmNoPq"><title>On — LessWrong</title>'
        f'<h1><a href="/posts/aBcDeFgHiJkLmNoPq/x">On</a></h1><a href="{ADDRESS}">a post</a><p>{FILLER}</p>'
    )
    with pytest.raises(DocumentRefused):
        recognise_source(Document(page.encode(), "page.html"))


def test_comments_of_a_page_are_read_with_their_place_in_the_thread() -> None:
    result = parse(comments.SOURCE, join_page(build_blocks()))
    assert not result.rejects
    assert [record.identity for record in result.records] == [f"lw comment{number}" for number in (1, 2, 3)]
    values = {name: str(value) for name, value in result.records[1].values.items() if value is not None}
    assert values == {
        "site": "lw",
        "forum_id": "comment2",
        "post_forum_id": "aBcDeFgHiJkLmNoPq",
        "parent_forum_id": "comment1",
        "thread_forum_id": "comment1",
        "post_title": "Lanterns of the harbour",
        "url": f"{ADDRESS}?commentId=comment2",
        "posted_at": "2024-05-07 02:00:00+00:00",
        "author": "Gull 2",
        "author_slug": "gull-2",
        "score": "0",
        "agreement_score": "1",
        "text": "Remark 2, see this by @someone",
        "links": "https://arxiv.org/abs/2401.00001",
    }


def test_comments_are_read_without_the_structured_data() -> None:
    blocks = build_blocks()
    assert parse(comments.SOURCE, join_page(blocks)) == parse(comments.SOURCE, join_page({**blocks, "posting": ""}))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"body": ""}, "no text"),
        ({"link": ""}, "no time"),
        ({"body": "", "link": ""}, "no time and no text"),
        ({"author": "", "score": "many"}, None),
        ({"score": '<span class="OverallVoteAxis-voteScore">\u22123</span>'}, None),
    ],
)
def test_comment_without_time_or_text_is_counted_as_not_read(changes: dict[str, str], reason: str | None) -> None:
    page = join_page({**build_blocks(), "comments": build_comment(1, build_comment(2), **changes) + build_comment(3)})
    result = parse(comments.SOURCE, page)
    assert len(result.records) + len(result.rejects) == 3
    assert (reason or "") in "".join(reject.reason for reject in result.rejects)
    assert all(not reject.is_fault for reject in result.rejects)
    if reason is None:
        assert result.records[0].values["author"] == (None if "author" in changes else "Gull 1")


def test_comments_in_the_structured_data_alone_are_counted_as_not_read() -> None:
    replies = [
        {"@type": "Comment", "text": "<p>A reply</p>", "datePublished": f"2024-06-0{day}T00:00:00Z"} for day in (1, 2)
    ]
    posting = build_blocks()["posting"].replace('"text": "<p>Remark 1</p>"', f'"comment": {json.dumps(replies)}')
    result = parse(comments.SOURCE, join_page({**build_blocks(), "posting": posting, "comments": build_comment(1)}))
    assert (len(result.records), len(result.rejects)) == (1, 2)
    assert "which has no ids" in result.rejects[0].reason


def test_adding_a_page_takes_its_post_and_its_comments(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(join_page(build_blocks()))
    added = add_file(Lake(tmp_path / "added"), path)
    assert (added.snapshot.source, added.records, added.remark) == (
        "forum_posts",
        1,
        "also 3 records of forum_comments",
    )
    api = {
        "_id": "comment1",
        "postId": "aBcDeFgHiJkLmNoPq",
        "pageUrl": f"{ADDRESS}?commentId=comment1",
        "postedAt": "2024-05-07T01:00:00.000Z",
        "contents": {"html": "<p>The text of the API.</p>"},
    }
    response = json.dumps({"data": {"comments": {"results": [api]}}}).encode()
    rows = build_table(tmp_path, "clean.forum_comments", response, path.read_bytes()).sort("forum_id").to_dicts()
    assert [row["text"][:12] for row in rows] == ["The text of ", "Remark 2, se", "Remark 3, se"]
    assert len({row["forum_post_id"] for row in rows} - {None}) == 1
    assert not any(row["is_withdrawn"] for row in rows)


class CountingTree:
    """The tree of a page, which counts the searches through the whole page."""

    searches = 0

    def __init__(self, html: bytes) -> None:
        self.tree = parse_html(html)

    def __getattr__(self, name: str) -> Any:
        CountingTree.searches += 1
        return getattr(self.tree, name)


def test_searches_through_the_page_do_not_grow_with_its_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_page, "parse_html", CountingTree)
    searches = []
    for count in (3, 300):
        CountingTree.searches = 0
        page = join_page({**build_blocks(), "comments": "".join(build_comment(1) for _ in range(count))})
        assert len(parse(comments.SOURCE, page).records) == count
        searches.append(CountingTree.searches)
    assert searches[0] == searches[1]
