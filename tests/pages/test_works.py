"""Works on the pages: one hit and one page for all records of a work, whatever address leads to it, and what is new."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dashboards.queries import news, search, work
from orchestration.defs.catalog import load_transforms
from orchestration.ingest.raw_tables import list_raw_tables
from tests.conftest import publish_copy
from tests.support.app_tests import open_page, read_page_text
from tests.support.builders import NOW, build_release, make_publication
from transforms.linking.members import name_work
from warehouse.lake import Lake
from warehouse.release import Release, list_releases, read_current_release
from warehouse.search.build import build_index
from warehouse.search.index import SearchIndex, SearchQuery

TITLE, PAGE_TITLE = "Sparse features of a made-up model", "Sparse features"
SLUG = "https://www.anthropic.com/research/sparse-features"
NEW_AT = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)


def make_row(table: str, **facts: Any) -> dict[str, Any]:
    """A row of a clean table, with nothing where no fact is given."""
    seen = {"first_seen_at": NOW, "last_seen_at": NOW}
    return {**dict.fromkeys(load_transforms()[table].table.schema), **seen, **facts}


def make_paper(key: str, **facts: Any) -> dict[str, Any]:
    paper = {"source": "arxiv_papers", "is_withdrawn": False, "date_precision": "day"}
    return make_row("clean.papers", paper_id=key, **{**paper, **facts})


def make_feed_item(key: str, **facts: Any) -> dict[str, Any]:
    item = {"feed": "https://example.org/feed", "item_guid": key, "published_at": NOW}
    return make_row("clean.feed_items", feed_item_id=key, **{**item, **facts})


LISTED = make_publication(
    "listed", title=TITLE, url="https://arxiv.org/abs/2401.00001", lab="Anthropic", published_on=dt.date(2024, 1, 5)
)
PAPERS = [
    make_paper(
        "arxiv",
        title=TITLE,
        arxiv_id="2401.00001",
        url="https://arxiv.org/abs/2401.00001",
        abstract="We find features in a model.",
        authors="Ada Example; Bo Sample",
        published_on=dt.date(2024, 1, 3),
    ),
    make_paper(
        "page",
        source="lab_pages",
        title=TITLE,
        labs="Anthropic",
        url=SLUG,
        authors="Ada Example",
        published_on=dt.date(2024, 1, 4),
    ),
    make_paper(
        "alone",
        title="A quiet paper of nobody followed",
        arxiv_id="2402.00002",
        url="https://arxiv.org/abs/2402.00002",
        published_on=dt.date(2024, 2, 2),
        first_seen_at=NEW_AT,
    ),
]
ITEMS = [
    make_feed_item("feed", title=PAGE_TITLE, url=f"{SLUG}?utm_source=feed"),
    make_feed_item("news", title="News of the week", url="https://example.org/news/1", first_seen_at=NEW_AT),
    make_feed_item("podcast", title="An episode", url="https://example.org/2", audio_url="https://example.org/2.mp3"),
]
MADE = (
    *("clean.works", "clean.work_versions", "clean.work_labels", "clean.work_candidates", "clean.work_conflicts"),
    "clean.work_history",
    *("mart.counted_publications", "mart.alike_publications", "mart.publication_evidence", "mart.discussed_links"),
    *("reference.counting_rules", "reference.taxonomies", "reference.category_crosswalk", "clean.episodes"),
)


VERSIONS = '[{"version": 1, "at": "2024-01-03T10:00:00+00:00"}, {"version": 2, "at": "2024-03-01T09:00:00+00:00"}]'
HARVESTED = {
    **dict.fromkeys(next(table.schema for table in list_raw_tables() if table.name == "raw.arxiv_papers")),
    "record_id": "arxiv",
    "version_id": "arxiv",
    "snapshot_id": "s",
    "record_ordinal": 1,
    "is_deleted": False,
    "first_seen_at": NOW,
    "last_seen_at": NOW,
    "arxiv_id": "2401.00001",
    "version_history": VERSIONS,
}


def publish(lake: Lake, papers: list[dict[str, Any]], items: list[dict[str, Any]]) -> Release:
    rows = {"clean__papers": papers, "clean__feed_items": items, "raw__arxiv_papers": [HARVESTED] if papers else []}
    return build_release(lake, [LISTED], only=MADE, **rows)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake of two releases, of which the first has the listed publication only."""
    lake = Lake(tmp_path_factory.mktemp("works"))
    publish(lake, [], [])
    build_index(publish(lake, PAPERS, ITEMS))
    return lake


@pytest.fixture(scope="module")
def release(lake: Lake) -> Release:
    return read_current_release(lake)


@pytest.fixture(scope="module")
def work_id(release: Release) -> str:
    (found,) = work.find_works(release, "listed").work_ids
    return found


def test_records_of_a_work_are_one_item(release: Release, work_id: str) -> None:
    index = SearchIndex(release)
    assert [kind for kind, _ in index.find(SearchQuery()).items].count("work") == 2
    assert index.find(SearchQuery("sparse features")).items == (("work", work_id),)
    assert {kind for kind, _ in index.find(SearchQuery()).items} == {"work", "feed item"}
    assert index.find(SearchQuery("news")).items == (("feed item", "news"),)
    facets = index.count_facets(SearchQuery(f'"{TITLE}"'))
    assert facets["source"] == {"arxiv_papers": 1, "feed_items": 1, "lab_pages": 1, "lab_sheet": 1}
    assert facets["lab"] == {"Anthropic": 1}
    assert facets["category"] == {"Robustness": 1}
    assert index.count_facets(SearchQuery("quiet"))["category"] == {"(unlabelled)": 1}
    rows = search.get_items(release, [("work", work_id)])
    assert rows["places"].to_list() == [4]
    assert rows["authors"].to_list() == ["Ada Example; Bo Sample"]


@pytest.mark.parametrize(
    "typed",
    [
        "2401.00001",
        "arXiv 2401.00001",
        "arXiv:2401.00001v3",
        "https://arxiv.org/pdf/2401.00001v2.pdf",
        "  https://doi.org/10.48550/arXiv.2401.00001 ",
        "anthropic.com/research/sparse-features",
        f"{SLUG}/?utm_source=x",
    ],
)
def test_a_link_or_identifier_finds_the_work(release: Release, work_id: str, typed: str) -> None:
    rows, _ = search.list_page(release, typed, {}, "relevance", 1)
    assert rows["item_id"].to_list() == [work_id]
    assert "link or identifier" in search.summarise_search(release, typed, {}).notes[0]


@pytest.mark.parametrize("typed", ["https://example.org/nothing", "2499.99999", "10.1000/none", "W1234567"])
def test_an_unknown_identifier_is_searched_for_as_words(release: Release, typed: str) -> None:
    assert "link or identifier" not in " ".join(search.summarise_search(release, typed, {}).notes)


def test_search_without_an_index_finds_works_too(
    release: Release, work_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_get_index", lambda _: "there is none")
    for words in ("2401.00001", "sparse features", SLUG):
        assert search.list_page(release, words, {}, "relevance", 1)[0]["item_id"].to_list() == [work_id]
    facets = search.summarise_search(release, "", {}).facets
    assert facets["kind"] == {"work": 2, "feed item": 2}
    assert facets["corpus"]["all_works"] == 2
    assert search.summarise_search(release, "", {"source": ["feed_items"]}).total == 1
    assert "text" in search.list_all_results(release, "sparse", {}, "title").columns


@pytest.mark.parametrize("identity", ["listed", "arxiv", "page", "feed"])
def test_the_address_of_a_record_leads_to_its_work(
    lake: Lake, work_id: str, monkeypatch: pytest.MonkeyPatch, identity: str
) -> None:
    app = open_page(lake, monkeypatch, page="work", id=identity)
    assert not app.exception
    assert app.query_params["work"] == work_id
    assert "id" not in app.query_params
    assert app.title[0].value == TITLE
    assert "found in 4 places" in read_page_text(app)


def test_page_of_a_work_names_its_places_dates_and_labs(
    lake: Lake, work_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(lake, monkeypatch, page="work", work=work_id)
    assert "Found in 4 places" in [element.value for element in app.subheader]
    places = pl.from_pandas(app.dataframe[0].value)
    assert set(places["record_id"]) == {"listed", "arxiv", "page", "feed"}
    assert places.filter(pl.col("step") == "key").height >= 2
    assert places["evidence"].null_count() == 0
    dates = pl.from_pandas(app.dataframe[1].value)
    assert dates.filter("is_shown")["source"].to_list() == ["arxiv_papers"]
    versions = pl.from_pandas(app.dataframe[2].value)
    assert versions.select("version_number", "submitted_on", "is_newest").rows() == [
        (1, dt.date(2024, 1, 3), False),
        (2, dt.date(2024, 3, 1), True),
    ]
    assert "Ada Example; Bo Sample" in read_page_text(app)
    assert "3 Jan 2024 \\(first version\\)" in read_page_text(app)


@pytest.mark.parametrize(("kind", "identity"), [("paper", "arxiv"), ("publication", "listed"), ("feed item", "feed")])
def test_former_address_of_an_item_shows_its_work(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, kind: str, identity: str
) -> None:
    app = open_page(lake, monkeypatch, page="item", kind=kind, id=identity)
    assert not app.exception
    assert app.title[0].value == TITLE
    other = open_page(lake, monkeypatch, page="item", kind="feed item", id="news")
    assert other.title[0].value == "News of the week"


def test_news_since_a_release_are_works_without_a_record_in_it(lake: Lake, release: Release) -> None:
    older = list_releases(lake)[0]
    found = news.find_news_since_release(release, older)
    assert found.counts == {"works": 1, "episodes": 1, "entries of other feeds": 1}
    assert found.newest["item_id"].to_list()[0] == work.find_works(release, "alone").work_ids[0]
    assert news.find_news_since_release(release, release).counts == {}


def test_news_since_a_day_or_moment_are_what_was_first_seen_then(release: Release) -> None:
    assert news.find_news_since(release, NEW_AT.date()).counts == {"works": 1, "entries of other feeds": 1}
    assert news.find_news_since(release, NEW_AT.date() + dt.timedelta(1)).counts == {}
    counts = news.count_since(release, {"since": NEW_AT.date()})
    assert dict(counts.select("what", "since").iter_rows())["works"] == 1
    assert dict(counts.select("what", "in_all").iter_rows())["works"] == 2


def test_overview_shows_what_is_new_since_a_release_or_a_day(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    text = read_page_text(open_page(lake, monkeypatch, page="overview"))
    assert "Since release v1" in text
    assert "1 new work, 1 new episode, 1 new entry of another feed" in text
    text = read_page_text(open_page(lake, monkeypatch, page="overview", seen="2026-02-01"))
    assert "Since 1 Feb 2026: 1 new work, 1 new entry of another feed" in text
    app = open_page(lake, monkeypatch, page="overview", seen="long ago")
    assert not app.exception
    assert "long ago is neither a release nor a day" in app.warning[0].value


def test_address_of_a_work_of_an_earlier_release_leads_to_what_it_became(
    lake: Lake, release: Release, work_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = name_work("listed")
    assert former != work_id
    assert work.find_works(release, former) == work.FoundWorks((work_id,), "history")
    app = open_page(lake, monkeypatch, page="work", work=former)
    assert not app.exception
    assert app.query_params["work"] == work_id
    assert "a work of an earlier release, which is now part of this one" in app.info[0].value
    assert "History" in [element.value for element in app.subheader]


def test_parts_of_a_work_that_was_split_are_offered(
    lake: Lake, release: Release, work_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = work.find_works(release, "alone").work_ids[0]
    rows = ", ".join(f"('gone', '{part}', 'split', null, 1, now())" for part in (work_id, alone))
    copied = publish_copy(lake, tmp_path / "lake", f"insert into clean.work_history values {rows}")
    app = open_page(copied, monkeypatch, page="work", work="gone")
    assert not app.exception
    assert "is now 2 works" in app.info[0].value
    links = "".join(element.proto.body for element in app.get("html"))
    assert f'href="work?work={work_id}"' in links
    assert f'href="work?work={alone}"' in links
