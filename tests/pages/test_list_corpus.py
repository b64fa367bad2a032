"""A list that somebody added, on the pages: it can be chosen, is counted in its own categories, and is no default."""

from __future__ import annotations

import pytest

from dashboards.queries.corpora import MAPPING, find_widest, list_corpora, list_taxonomies
from dashboards.queries.counts import list_papers
from dashboards.queries.selection import Selection
from orchestration.defs.catalog import load_transforms
from tests.conftest import publish_copy
from tests.pages.test_corpora import MARTS
from tests.support.app_tests import open_page, read_page_text
from warehouse.lake import Lake
from warehouse.release import read_current_release

# 90 entries from 2020 on, more than any other corpus has; every third without a lab, every fifth without a category
ADDED = [
    """
    insert into clean.list_entries by name
    select
        'agendas' as list,
        'a' || n as publication_id,
        case when n % 3 > 0 then 'Foo Institute' else '(no lab)' end as lab,
        'Entry ' || n as title,
        date '2020-01-10' + cast(n * 20 as integer) as published_on,
        'day' as date_precision,
        cast(date_trunc('year', published_on) as date) as published_year,
        case when n % 5 > 0 then 'Watching wolves' else '(no category)' end as category,
        category as categories,
        false as is_duplicate,
        1 as snapshots,
        timestamptz '2026-01-01' as first_seen_at,
        timestamptz '2026-01-01' as last_seen_at
    from range(1, 91) as numbers (n)
    """,
    """
    insert into clean.lists by name
    select
        'agendas' as list, 'Our agendas' as list_title, 'agendas' as taxonomy, 90 as entries, 72 as labelled_entries,
        0 as undated_entries, 90 as entries_without_link, timestamptz '2026-01-01' as first_seen_at,
        timestamptz '2026-01-01' as newest_snapshot_at
    """,
]
MADE_AGAIN = ("clean.list_categories", "clean.corpora", "clean.corpus_taxonomies", "mart.counted_list_entries", *MARTS)


@pytest.fixture(scope="module")
def lake(released_lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The bundled release with a list."""
    made = [f"create or replace table {name} as {load_transforms()[name].query}" for name in MADE_AGAIN]
    return publish_copy(released_lake, tmp_path_factory.mktemp("agendas"), *ADDED, *made)


@pytest.mark.parametrize("page", ["overview", "trends", "labs", "categories"])
def test_every_page_counts_a_chosen_list(lake: Lake, monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    app = open_page(lake, monkeypatch, page, corpus="agendas")
    assert not app.exception
    text = read_page_text(app)
    assert "**Our agendas**: 90 works of Foo Institute and others, from lab\\_sheet, 30 Jan 2020 to 14 Dec 2024" in text
    assert "18 without a category, 30 without a lab" in text


def test_a_list_is_counted_in_its_own_categories(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    release = read_current_release(lake)
    assert list_taxonomies(release, "agendas") == {"agendas": "Our agendas"}
    assert list(list_taxonomies(release, MAPPING)) == ["iaps", "unsolved_problems"]
    app = open_page(lake, monkeypatch, "trends", corpus="agendas")
    (choice,) = [box for box in app.selectbox if box.label == "Taxonomy"]
    assert choice.options == ["agendas"]
    selection = Selection(categories=("Watching wolves",), taxonomy="agendas", corpus="agendas")
    papers = list_papers(release, selection, "dated")
    assert (papers.height, set(papers["category"])) == (72, {"Watching wolves"})


def test_a_list_is_the_default_only_where_nothing_else_answers(lake: Lake) -> None:
    corpora = list_corpora(read_current_release(lake))
    assert corpora[0].name == "agendas"
    assert find_widest(corpora) == "all_works"
    assert find_widest(corpora, needs_lab=True) == "lab_publications"
    assert find_widest(corpora, needs_category=True) != "agendas"
    assert find_widest([corpus for corpus in corpora if corpus.name == "agendas"]) == "agendas"
