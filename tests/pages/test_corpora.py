"""Corpora on the pages of trends, labs and categories: the default, the choice, and that everything names it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from dashboards.queries.corpora import MAPPING, find_widest, list_corpora
from orchestration.defs.catalog import load_transforms
from tests.conftest import publish_copy
from tests.support.app_tests import open_page, open_tab, read_figure_table, read_page_text, read_paper_table
from warehouse.lake import Lake
from warehouse.release import read_current_release
from warehouse.release_file import read_file_facts

MARTS = (
    *("mart.counted_works", "mart.work_counts_by_month", "mart.corpus_sources", "mart.corpus_coverage"),
    "mart.works_by_lab_category_month",
)
# 40 works of labs and 20 of none, from 2021 to 2025, all without a category; two without a date, one withdrawn
ADDED = [
    """
    insert into clean.works by name
    select
        'w' || n as work_id,
        'Work ' || n as title,
        case when n > 2 then date '2021-01-10' + cast(n * 28 as integer) end as published_on,
        cast(date_trunc('year', published_on) as date) as published_year,
        'day' as date_precision,
        case when n % 3 > 0 then 'OpenAI' end as labs,
        'https://example.org/' || n as url,
        n = 4 as is_withdrawn,
        false as is_excluded,
        1 as members,
        1 as sources,
        timestamptz '2026-01-01' as first_seen_at,
        timestamptz '2026-01-01' as last_seen_at
    from range(1, 61) as numbers (n)
    """,
    """
    insert into clean.work_labs by name
    select work_id, labs as lab, 'affiliation by text' as basis, true as is_followed, true as is_primary
    from clean.works
    where work_id like 'w%' and labs is not null and title like 'Work %'
    """,
    """
    insert into clean.work_members by name
    select
        'r' || work_id as record_id, work_id, 'arxiv_papers' as source, 'first' as step, 1 as similarity,
        'the first record' as evidence, 'rule' as decided_by
    from clean.works
    where title like 'Work %'
    """,
]


@pytest.fixture(scope="module")
def living_lake(released_lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The bundled release with works of another source."""
    counted = [f"create or replace table {name} as {load_transforms()[name].query}" for name in MARTS]
    return publish_copy(released_lake, tmp_path_factory.mktemp("living"), *ADDED, *counted)


def read_corpus_line(lake: Lake, monkeypatch: pytest.MonkeyPatch, page: str, **query: str) -> str:
    app = open_page(lake, monkeypatch, page, **{"corpus": "", **query})
    assert not app.exception
    return next(str(element.value) for element in app.markdown if str(element.value).startswith("**"))


def test_widest_corpus_that_answers_the_question_is_the_default(
    living_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = {corpus.name: corpus.works for corpus in list_corpora(read_current_release(living_lake))}
    assert list(held) == ["all_works", "lab_publications", "iaps_mapping"]
    assert held["all_works"] - held["lab_publications"] == 20
    line = read_corpus_line(living_lake, monkeypatch, "trends")
    assert line.startswith(f"**Publications of labs**: {held['lab_publications']} works of Anthropic")
    assert "from arxiv\\_papers, lab\\_sheet" in line
    assert "2 without a known day or month, 39 without a category, 1 withdrawn and not counted." in line
    assert read_corpus_line(living_lake, monkeypatch, "labs") == line
    # few works have a category, so that only the mapping shows how they spread over categories
    assert read_corpus_line(living_lake, monkeypatch, "categories").startswith(
        "**Published mapping**: 78 works in 80 rows"
    )


def test_all_works_are_the_default_where_all_have_a_category(
    released_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_corpus_line(released_lake, monkeypatch, "categories").startswith("**All works**")
    corpora = list_corpora(read_current_release(released_lake))
    assert find_widest(corpora, needs_lab=True) == "lab_publications"
    assert find_widest([], needs_lab=True) is None


def test_permanent_link_without_a_corpus_means_the_mapping(living_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for page in ("trends", "labs", "categories"):
        assert "**Published mapping**" in read_corpus_line(living_lake, monkeypatch, page, release="v1")
    # another address without a corpus has the default of the page, before and after a choice
    assert "**Publications of labs**" in read_corpus_line(living_lake, monkeypatch, "trends", labs="OpenAI")
    # and a permanent link names the corpus, also the default one
    app = open_tab(open_page(living_lake, monkeypatch, corpus=""), "Cite")
    assert "?corpus=lab_publications&release=v1" in read_page_text(app)


def test_release_without_corpora_shows_the_mapping(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = copy_release(
        "drop table clean.corpora", "drop table reference.corpora", "drop table mart.work_counts_by_month"
    )
    path = read_current_release(lake).path
    manifest = json.loads(path.with_suffix(".json").read_text())
    for name in ("clean.corpora", "reference.corpora", "mart.work_counts_by_month"):
        del manifest["tables"][name]
    path.with_suffix(".json").write_text(json.dumps({**manifest, "file": read_file_facts(path)}))
    monkeypatch.setattr("dashboards.queries.release._has_macros", lambda _: False)  # its own are of this version
    for corpus in ("", MAPPING, "all_works"):
        app = open_page(lake, monkeypatch, corpus=corpus)
        assert not app.exception
        assert "##### 78 works" in read_page_text(app)
        assert not app.get("button_group") or all(group.label != "Corpus" for group in app.get("button_group"))
        warnings = [str(warning.value) for warning in app.warning]
        assert warnings == (
            ["This release has only the published mapping, which is shown."] if corpus == "all_works" else []
        )


@pytest.mark.parametrize(("corpus", "works", "dated"), [("lab_publications", 39, 37), ("all_works", 59, 57)])
def test_everything_on_the_page_of_trends_names_the_corpus(
    living_lake: Lake, monkeypatch: pytest.MonkeyPatch, corpus: str, works: int, dated: int
) -> None:
    release = read_current_release(living_lake)
    held = next(entry.works for entry in list_corpora(release) if entry.name == corpus)
    app = open_page(living_lake, monkeypatch, corpus=corpus)
    assert not app.exception
    label = next(entry.label for entry in list_corpora(release) if entry.name == corpus)
    text = read_page_text(app).replace("\\", "")
    assert f"##### {held - works + dated} works with a date, and 2 more without a date, not drawn" in text
    assert f"counted by works · corpus: {label} · data as of" in text
    assert f"**Finding** ({label}) · " in text
    assert (
        f"{held - works + dated} works listed; 2 more have no date: choose the period “undated”. Corpus: {label}."
        in text
    )
    assert "None of the sources of this corpus is complete" in text
    table = read_figure_table(app)
    assert table["publications"].sum() == held - works + dated
    assert table.filter(table["category"] == "(unlabelled)")["publications"].sum() == dated
    assert (table["lab"] == "(no followed lab)").any() == (corpus == "all_works")
    assert f"in_corpus := '{corpus}'" in read_page_text(open_tab(app, "SQL"))
    assert f"counted by works, corpus: {label}. aisle" in read_page_text(open_tab(app, "Cite"))
    assert read_paper_table(app).filter(read_paper_table(app)["category"] == "(unlabelled)").height == dated


def test_profile_of_a_lab_in_a_living_corpus(living_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    mapping, living = (
        {
            metric.label: metric.value
            for metric in open_page(living_lake, monkeypatch, "labs", lab="OpenAI", corpus=corpus).metric
        }
        for corpus in (MAPPING, "lab_publications")
    )
    assert (mapping["Works"], mapping["Rows"], mapping["Marked duplicates"]) == ("11", "13", "2")
    assert (living["Undated"], living["Unlabelled"], living["Sources"]) == ("2", "39", "2")
    app = open_page(living_lake, monkeypatch, "labs", lab="OpenAI", corpus="lab_publications")
    text = read_page_text(app).replace("\\", "")
    assert "**Finding** (Publications of labs (lab_publications)) · OpenAI: " in text
    assert ", in what the sources of the corpus hold, which begin and end at different times." in text
    assert "without a category: 39; without a known day or month, not drawn by month: 2." in text


def test_unknown_corpus_is_reported(living_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(living_lake, monkeypatch, corpus="no_such")
    assert [str(warning.value).replace("\\", "") for warning in app.warning] == [
        "Corpus: no_such is not one of the options. This part of the address is ignored."
    ]
    assert "**Publications of labs**" in read_page_text(app)
