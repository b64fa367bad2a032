"""A lake of made-up records for tables that are empty on the bundled data: two lists of works, and texts about them.

The first list is the published study: six works of 2023, ingested on 1 January 2024. The second list was last seen on
15 June 2025. It repeats four works of the study (three of them changed), adds two of 2023, and has four works for every
month since January 2024. Of these four, two are reported in the month of publication, one a month later, and one two
months later, so that 50 %, 75 % and all works of the newest three months are reported. A third list, without dates,
has lost one of its two rows in its second snapshot. A list of its own, which is no version of the study, has two of the
study's works in categories of its own. A post, a comment and three episodes link to a work of the second
list; the feed of one of the episodes does not belong to the field.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from orchestration.defs.catalog import list_tables
from tests.support.builders import build_release
from tests.support.suggestions import make_models
from warehouse.lake import Lake
from warehouse.release import Release

STUDY, SECOND_LIST, PAGE, THIRD_LIST, SHORTENED, OWN_LIST, FEED = (f"{number:016x}" for number in range(1, 8))
STUDY_SEEN_AT = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
LIST_SEEN_AT = dt.datetime(2025, 6, 15, tzinfo=dt.UTC)
DELAYS = (0, 0, 1, 2)  # months
SHARED_URL = "https://arxiv.org/abs/2301.00001"
MARTS = (
    "mart.counted_publications",
    "mart.publication_counts_by_month",
    "mart.counted_list_entries",
    "mart.counted_works",
    "mart.work_counts_by_month",
    "mart.corpus_sources",
    "mart.corpus_coverage",
    "mart.works_by_lab_category_month",
    "mart.snapshot_yields",
    "mart.alike_publications",
    "mart.author_topics",
    "mart.days_from_paper_to_discussion",
    "mart.list_overlaps",
    "mart.most_discussed_works",
    "mart.most_taught_works",
    "mart.publication_nowcasts",
    "mart.published_count_differences",
    "mart.published_counts",
    "mart.removed_publications",
    "mart.segments_by_author",
    "mart.topics_by_month",
    "mart.model_cards",
    "mart.model_card_classes",
    "mart.suggested_counts_by_month",
    "mart.suggestion_confidence_by_month",
    "mart.crosswalk_proposals",
    "mart.lab_freshness",
    "mart.lab_nowcasts",
)


def build_two_list_release(lake: Lake) -> Release:
    """Publish a release of the two lists and the page, with the tables in `MARTS` and those that they read."""
    return build_release(lake, None, only=MARTS, **make_rows(), **make_models())


def make_rows() -> dict[str, list[dict[str, Any]]]:
    """The rows of the raw and reference tables, by name with two underscores for the dot."""
    records = [*make_study(), *make_second_list(), *make_monthly_works(), *make_third_list(), *make_own_list()]
    return {
        "reference__published_counts": [
            make_claim("works of the study", published_value=6),
            make_claim("rows of the study", published_value=6, counting_rule="rows"),
            make_claim("works on Robustness", published_value=6, category="Robustness"),
            make_claim("works by Anthropic", published_value=0, lab="Anthropic"),
            make_claim("works of all companies", published_value=383, not_comparable="It counts other companies too."),
        ],
        "reference__feed_scopes": [
            make_row("reference.feed_scopes", feed="axrp", scope="field", basis="It is about AI safety."),
            make_row("reference.feed_scopes", feed="Podcast on cooking", scope="other", basis="It is about cooking."),
        ],
        "raw__snapshots": [
            make_list_snapshot(STUDY, "study.csv", STUDY_SEEN_AT, origin="bundled"),
            make_list_snapshot(SECOND_LIST, "second.csv", LIST_SEEN_AT),
            make_list_snapshot(THIRD_LIST, "third.csv", STUDY_SEEN_AT),
            make_list_snapshot(SHORTENED, "third.csv", LIST_SEEN_AT),
            make_list_snapshot(OWN_LIST, "own.csv", LIST_SEEN_AT),
            # an empty answer of a feed, since which works come late
            make_list_snapshot(FEED, "feed.csv", STUDY_SEEN_AT, origin="fetch", feed="feed", last_seen_at=LIST_SEEN_AT),
            make_list_snapshot(PAGE, "page.html", LIST_SEEN_AT, source="forum_page"),
        ],
        "raw__parses": [
            make_row("raw.parses", snapshot_id=name, source="lab_sheet", records_read=read)
            for name, read in ((THIRD_LIST, 2), (SHORTENED, 1), (OWN_LIST, 2))
        ],
        "raw__lab_sheet_publications": records,
        "raw__sightings": [make_sighting(record) for record in records],
        "raw__forum_page_segments": [
            make_segment(1, kind="own_comment", confidence="exact", text="A comment."),
            make_segment(2, kind="own_comment", confidence="exact", text="A cut comm", is_truncated=True),
            make_segment(3, kind="reply_by_other", confidence="high", text="A reply."),
            make_segment(4, kind="quick_take", confidence="high", text="A quick take.", page_sha256="e" * 64),
        ],
        "raw__forum_posts": [
            make_text(
                "raw.forum_posts",
                "post 1",
                site="lw",
                forum_id="p1",
                title="On sparse autoencoders",
                author="Ada",
                posted_at=dt.datetime(2023, 6, 1, tzinfo=dt.UTC),
                is_withdrawn=False,
                text=f"SAEs of {SHARED_URL} may help with RLHF.",
            )
        ],
        "raw__forum_comments": [
            make_text(
                "raw.forum_comments",
                "comment 1",
                site="lw",
                forum_id="c1",
                post_forum_id="p1",
                author="Bo",
                posted_at=dt.datetime(2023, 7, 2, tzinfo=dt.UTC),
                is_withdrawn=False,
                text=f"An SAE is no dictionary: {SHARED_URL}v2.",
            )
        ],
        "raw__feed_items": [
            make_episode(number, feed, text)
            for number, feed, text in (
                (1, "axrp", f"We read {SHARED_URL}."),
                (2, "axrp", f"More on {SHARED_URL}, and on reward hacking."),
                (3, "on cooking", f"See {SHARED_URL}."),
            )
        ],
    }


def make_text(table: str, record_id: str, **values: Any) -> dict[str, Any]:
    """A row of a raw table of posts, comments or items of feeds."""
    defaults = {
        "record_id": record_id,
        "version_id": record_id,
        "first_seen_at": LIST_SEEN_AT,
        "last_seen_at": LIST_SEEN_AT,
        "snapshot_id": PAGE,
        "record_ordinal": 1,
    }
    return make_row(table, **defaults | values)


def make_episode(number: int, feed: str, text: str) -> dict[str, Any]:
    """A row of ``raw.feed_items`` with a recording."""
    return make_text(
        "raw.feed_items",
        f"episode {number}",
        feed=feed,
        feed_title=f"Podcast {feed}",
        item_guid=str(number),
        title=f"Episode {number}",
        published_at=dt.datetime(2024, number, 5, tzinfo=dt.UTC),
        audio_url=f"https://example.org/{number}.mp3",
        text=text,
    )


def make_study() -> Iterator[dict[str, Any]]:
    """The six records of the study."""
    for number in range(1, 7):
        yield make_record(
            f"study {number}", STUDY, number, STUDY_SEEN_AT, published_on=dt.date(2023, 2 * number - 1, 1)
        )


def make_second_list() -> Iterator[dict[str, Any]]:
    """The records of the second list that were published in 2023: four of the study and two others."""
    shared_abstract = "The same abstract."
    yield make_record("study 3", SECOND_LIST, 1, LIST_SEEN_AT, published_on=dt.date(2023, 5, 1), category="Honest AI")
    yield make_record(
        "study 4", SECOND_LIST, 2, LIST_SEEN_AT, published_on=dt.date(2022, 7, 1), abstract=shared_abstract
    )
    yield make_record(
        "study 5", SECOND_LIST, 3, LIST_SEEN_AT, published_on=dt.date(2023, 9, 1), abstract=shared_abstract
    )
    yield make_record("study 6", SECOND_LIST, 4, LIST_SEEN_AT, published_on=dt.date(2023, 11, 1), is_duplicate=True)
    yield make_record("added 1", SECOND_LIST, 5, LIST_SEEN_AT, published_on=dt.date(2023, 3, 1), url=SHARED_URL)
    title, url = "STUDY  5", "https://www.arxiv.org/pdf/2301.00001v2"  # of a work of the study, but for case and space
    yield make_record("added 2", SECOND_LIST, 6, LIST_SEEN_AT, published_on=dt.date(2023, 4, 1), title=title, url=url)


def make_monthly_works() -> Iterator[dict[str, Any]]:
    """Four works for each month from January 2024 to June 2025, without those that are not reported yet."""
    ordinal = 6
    for month in range(18):
        for place, delay in enumerate(DELAYS):
            seen_at = dt.datetime(2024 + (month + delay) // 12, (month + delay) % 12 + 1, 15, tzinfo=dt.UTC)
            if seen_at <= LIST_SEEN_AT:
                ordinal += 1
                published_on = dt.date(2024 + month // 12, month % 12 + 1, 10)
                key = f"work {published_on:%Y-%m} {place}"
                yield make_record(key, SECOND_LIST, ordinal, seen_at, published_on=published_on)


def make_third_list() -> Iterator[dict[str, Any]]:
    """Two undated works, of which the second snapshot of the list has only the first."""
    for snapshot_id, seen_at, works in ((THIRD_LIST, STUDY_SEEN_AT, 2), (SHORTENED, LIST_SEEN_AT, 1)):
        for number in range(1, works + 1):
            yield make_record(f"third {number}", snapshot_id, number, seen_at)


def make_own_list() -> Iterator[dict[str, Any]]:
    """Two works of the study in a list of its own, with its own categories."""
    own = {"list": "own_list", "list_title": "Own list"}
    yield make_record(
        "study 3",
        OWN_LIST,
        1,
        LIST_SEEN_AT,
        **own,
        category="Probes",
        categories="Probes; Red teams",
        author_labs="OpenAI; -",
        published_on=dt.date(2023, 5, 1),
    )
    yield make_record(
        "study 5",
        OWN_LIST,
        2,
        LIST_SEEN_AT,
        **own,
        lab=None,
        category="red teams",
        date_precision="year",
        published_on=dt.date(2024, 1, 1),
    )


def make_record(key: str, snapshot_id: str, ordinal: int, first_seen_at: dt.datetime, **values: Any) -> dict[str, Any]:
    """A row of ``raw.lab_sheet_publications``; each snapshot has its own version of a record."""
    return make_row(
        "raw.lab_sheet_publications",
        **{
            "record_id": key,
            "version_id": f"{key}, {snapshot_id}",
            "lab": "OpenAI",
            "title": key.capitalize(),
            "category": "Robustness",
            "is_duplicate": False,
            "first_seen_at": first_seen_at,
            "last_seen_at": STUDY_SEEN_AT if snapshot_id == STUDY else LIST_SEEN_AT,
            "snapshot_id": snapshot_id,
            "record_ordinal": ordinal,
            **values,
        },
    )


def make_sighting(record: dict[str, Any]) -> dict[str, Any]:
    """The row of ``raw.sightings`` of a record of a list."""
    return make_row(
        "raw.sightings",
        **{name: record[name] for name in ("snapshot_id", "record_ordinal", "record_id", "version_id")},
        source="lab_sheet",
        occurrence=1,
        locator=f"row {record['record_ordinal']}",
    )


def make_claim(claim: str, **values: Any) -> dict[str, Any]:
    """A row of ``reference.published_counts`` on the works of 2023."""
    defaults = {
        "claim": claim,
        "statement": f"The number of {claim}.",
        "source": "The study",
        "counts": "publications",
        "counting_rule": "works",
        "published_from": dt.date(2023, 1, 1),
        "published_until": dt.date(2023, 12, 31),
        "tolerance": 0,
    }
    return make_row("reference.published_counts", **defaults | values)


def make_list_snapshot(snapshot_id: str, name: str, fetched_at: dt.datetime, **values: Any) -> dict[str, Any]:
    """A row of ``raw.snapshots``."""
    facts = {
        "sha256": snapshot_id * 4,
        "size_bytes": 1,
        "licence": "CC0",
        "fetched_at": fetched_at,
        "last_seen_at": fetched_at,
    }
    defaults = {"snapshot_id": snapshot_id, "source": "lab_sheet", "origin": "inbox", "original_name": name}
    return make_row("raw.snapshots", **facts | defaults | values)


def make_segment(number: int, **values: Any) -> dict[str, Any]:
    """A row of ``raw.forum_page_segments``."""
    defaults = {
        "record_id": f"segment {number}",
        "version_id": f"segment {number}",
        "page_sha256": "f" * 64,
        "page_owner": "An owner" if "page_sha256" not in values else None,
        "segment": number,
        "is_truncated": False,
        "characters": len(values["text"]),
        "first_seen_at": LIST_SEEN_AT,
        "last_seen_at": LIST_SEEN_AT,
        "snapshot_id": PAGE,
        "record_ordinal": number,
    }
    return make_row("raw.forum_page_segments", **defaults | values)


def make_row(name: str, **values: Any) -> dict[str, Any]:
    """A row of a table; columns without a value are missing values."""
    (table,) = (table for table in list_tables() if table.name == name)
    return dict.fromkeys(table.schema) | values
