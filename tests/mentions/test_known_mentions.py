"""The mentions of works of the sheet on the captured pages, which were found by eye."""

from __future__ import annotations

from warehouse.lake import Lake
from warehouse.release import read_current_release

# captured page, row of the sheet, how it is mentioned
KNOWN = {
    ("captured page of Callum McDougall", 23, "alias"),
    ("captured page of TurnTrout", 20, "exact title"),
    ("captured page of TurnTrout", 213, "quoted fragment"),
    ("captured page of BlueDot Impact", 21, "alias"),
    ("captured page of BlueDot Impact", 23, "abstract"),
}


def query_release(lake: Lake, query: str) -> list[tuple]:
    with read_current_release(lake).connect() as connection:
        return connection.execute(query).fetchall()


def test_the_known_mentions_are_found_and_no_other(seeded_lake: Lake) -> None:
    found = query_release(
        seeded_lake,
        """
        select distinct texts.published_in, publications.sheet_row, mentions.recognised_by
        from clean.mentions as mentions
        inner join clean.texts as texts using (item_kind, item_id)
        inner join clean.work_members as members on mentions.target_id = members.work_id
        inner join clean.publications as publications on members.record_id = publications.publication_id
        where mentions.target_kind = 'work' and not publications.is_duplicate
        """,
    )
    assert set(found) == KNOWN


def test_every_link_whose_target_is_in_the_lake_leads_to_it(seeded_lake: Lake) -> None:
    missing = query_release(
        seeded_lake,
        """
        select links.item_kind, links.item_id, links.linked_url
        from clean.text_links as links
        inner join clean.texts as texts using (item_kind, item_id)
        inner join clean.work_identifiers as identifiers on links.linked_key = identifiers.identifier
        left join clean.work_members as members
            on links.item_id = members.record_id and identifiers.work_id = members.work_id
        where members.record_id is null and not exists (
            from clean.mentions as mentions
            where
                mentions.item_kind = links.item_kind and mentions.item_id = links.item_id
                and mentions.target_id = identifiers.work_id and mentions.recognised_by = 'link'
        )
        """,
    )
    assert missing == []


def test_people_and_topics_of_the_captured_pages_are_found(seeded_lake: Lake) -> None:
    found = dict(
        query_release(seeded_lake, "select target_kind, count(distinct target_id) from clean.mentions group by all")
    )
    assert found["topic"] >= 15
    assert found["person"] >= 7  # those of the lines of authors alone
    assert "lab" in found
