"""Corpora: what each counts, that nothing is lost, and that an unrelated source changes nothing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.corpora import LISTED, count_works, make_entry, make_work
from tests.support.trials import scale_trials
from warehouse import reference

RULES = [row["counting_rule"] for row in reference.read_rows("counting_rules")]
LIVING = ("lab_publications", "all_works")
LABS = ("Anthropic", "Google DeepMind", "OpenAI")
KNOWN, UNKNOWN = "affiliation by text", None

# a work of two labs, one without a lab, one that was withdrawn, one without a date
WORKS = [
    make_work(
        "two labs",
        dt.date(2024, 2, 3),
        labs=["Anthropic", "OpenAI"],
        authors=[("OpenAI", KNOWN), ("Anthropic", KNOWN), (None, KNOWN), (None, UNKNOWN)],
        labels=[("iaps_mapping", "Robustness"), ("iaps_mapping", "Honest AI"), ("second", "Unlearning")],
        sources=["lab_sheet", "arxiv_papers"],
    ),
    make_work("no lab", dt.date(2025, 4, 5), authors=[(None, UNKNOWN)]),
    make_work("withdrawn", dt.date(2025, 5, 5), labs=["OpenAI"], is_withdrawn=True),
    make_work("no date", labs=["OpenAI"], labels=[("iaps_mapping", "(no category)")]),
    make_work("year only", dt.date(2023, 1, 1), labs=["OpenAI"], date_precision="year"),
]


EACH = "works_each_category"


@pytest.fixture(scope="module")
def counted() -> duckdb.DuckDBPyConnection:
    return count_works(WORKS)


def fetch_counts(connection: duckdb.DuckDBPyConnection, corpus: str, by: str, rule: str = "works") -> dict[Any, float]:
    """Weights of all publications behind a rule, by lab or category."""
    query = f"""
        select {by}, round(sum(weight), 6)
        from publications_behind(rule := $rule, in_corpus := $corpus)
        group by all
    """
    return dict(connection.execute(query, {"rule": rule, "corpus": corpus}).fetchall())


def test_each_corpus_counts_what_belongs_to_it(counted: duckdb.DuckDBPyConnection) -> None:
    assert fetch_counts(counted, "iaps_mapping", "lab") == {"Anthropic": 1, "OpenAI": 1}
    assert fetch_counts(counted, "iaps_mapping", "lab", "rows") == {"Anthropic": 1, "OpenAI": 2}
    assert fetch_counts(counted, "lab_publications", "lab") == {"Anthropic": 1, "OpenAI": 2}
    assert fetch_counts(counted, "all_works", "lab") == {"Anthropic": 1, "OpenAI": 2, "(no followed lab)": 1}
    assert fetch_counts(counted, "all_works", "lab", "rows") == fetch_counts(counted, "all_works", "lab")


def test_authors_divide_a_work_and_unknown_ones_are_counted_apart(counted: duckdb.DuckDBPyConnection) -> None:
    assert fetch_counts(counted, "all_works", "lab", "works_fractional") == {
        "OpenAI": 0.25,
        "Anthropic": 0.25,
        "(no followed lab)": 0.25,
        "(authors not known)": 3.25,
    }
    assert fetch_counts(counted, "all_works", "lab", "works_first_author") == {"OpenAI": 1, "(authors not known)": 3}


def test_works_without_a_category_are_unlabelled(counted: duckdb.DuckDBPyConnection) -> None:
    assert fetch_counts(counted, "all_works", "category") == {"Robustness": 1, "(unlabelled)": 3}
    shared = fetch_counts(counted, "all_works", "category", "works_shared_categories")
    assert shared == {"Robustness": 0.5, "Honest AI": 0.5, "(unlabelled)": 3}
    assert fetch_counts(counted, "all_works", "category", EACH) == {"Robustness": 1, "Honest AI": 1, "(unlabelled)": 3}
    query = """
        select category, sum(publications)
        from publication_cells(in_taxonomy := 'unsolved_problems', in_corpus := 'all_works')
        group by category
    """
    assert dict(counted.execute(query).fetchall()) == {"Robustness": 1, "(unlabelled)": 2}


def test_a_work_of_marked_duplicates_counts_as_they_do() -> None:
    marked = make_work("marked", labs=["OpenAI"], sources=[], rows=["sheet 3"])
    counts = [
        [fetch_counts(count_works([work]), corpus, "lab", rule).get("OpenAI", 0) for rule in ("works", "rows")]
        for corpus in LIVING
        for work in (marked, make_work("known elsewhere too", labs=["OpenAI"], rows=["sheet 3"]))
    ]
    assert counts == [[0, 1], [1, 1]] * 2


def test_coverage_counts_each_remainder(counted: duckdb.DuckDBPyConnection) -> None:
    query = """
        select
            works, items, undated_works, year_only_works, unlabelled_works, works_without_lab, withdrawn_works, source_names,
            labs, covers_from, covers_until, stale_since
        from mart.corpus_coverage
        where corpus = ?
    """
    assert counted.execute(query, ["iaps_mapping"]).fetchone()[:8] == (2, 3, 0, 0, 0, 0, 0, "lab_sheet")
    assert counted.execute(query, ["lab_publications"]).fetchone() == (
        *(3, 3, 2, 1, 2, 0, 1, "arxiv_papers; lab_sheet", "Anthropic; OpenAI"),
        *(dt.date(2022, 1, 1), dt.date(2024, 7, 31), dt.date(2024, 11, 1)),
    )
    # an unclaimed source covers the time of its works, and is stale a month after its newest snapshot
    assert counted.execute(query, ["all_works"]).fetchone()[5:] == (
        *(1, 1, "arxiv_papers; lab_sheet", "Anthropic; OpenAI"),
        *(dt.date(2022, 1, 1), dt.date(2025, 4, 5), dt.date(2025, 7, 7)),
    )


def test_a_year_without_a_month_counts_in_its_year_only(counted: duckdb.DuckDBPyConnection) -> None:
    query = "select sum(publications) from publication_cells(grain := $grain, in_corpus := 'lab_publications')"
    assert [counted.execute(query, {"grain": grain}).fetchone()[0] for grain in ("year", "month")] == [2, 1]


@pytest.mark.parametrize(
    "macro",
    ["publications_behind", "publication_periods", "publication_cells", "publication_counts", "publication_shares"],
)
@pytest.mark.parametrize("corpus", ["'no_such'", "null"])
def test_an_unknown_corpus_is_an_error(counted: duckdb.DuckDBPyConnection, macro: str, corpus: str) -> None:
    with pytest.raises(duckdb.Error, match="no corpus (no_such|null); see clean.corpora"):
        counted.execute(f"from {macro}(in_corpus := {corpus})").fetchall()


def test_a_query_without_a_corpus_is_about_the_mapping(counted: duckdb.DuckDBPyConnection) -> None:
    for macro in ("publications_behind", "publication_periods", "publication_counts", "publication_shares"):
        plain, named = (
            counted.execute(f"select * from {macro}({argument}) order by all").fetchall()
            for argument in ("", "in_corpus := 'iaps_mapping'")
        )
        assert plain == named


def test_monthly_works_add_up_per_corpus(counted: duckdb.DuckDBPyConnection) -> None:
    query = "select corpus, sum(works) from mart.works_by_lab_category_month group by corpus"
    dated = "select corpus, works - undated_works from mart.corpus_coverage"
    assert dict(counted.execute(query).fetchall()) == dict(counted.execute(dated).fetchall())


DATES = st.dates(dt.date(2021, 1, 1), dt.date(2025, 12, 31))


@st.composite
def make_works(draw: st.DrawFn, prefix: str = "work", labs: st.SearchStrategy[list[str]] | None = None) -> list[Any]:
    """Some works with any labs, authors, labels and dates."""
    some_labs = labs if labs is not None else st.lists(st.sampled_from(LABS), unique=True, max_size=3)
    author = st.tuples(st.sampled_from((*LABS, None)), st.sampled_from((KNOWN, UNKNOWN)))
    label = st.tuples(
        st.sampled_from(("iaps_mapping", "other")), st.sampled_from(("Robustness", "Honest AI", "Unlearning"))
    )
    return [
        make_work(
            f"{prefix} {number}",
            draw(st.none() | DATES),
            labs=draw(some_labs),
            authors=draw(st.lists(author, max_size=4)),
            labels=draw(st.lists(label, max_size=3, unique=True)),
            sources=draw(
                st.lists(st.sampled_from(("arxiv_papers", "feed_items", "lab_pages")), min_size=1, unique=True)
            ),
            is_withdrawn=draw(st.sampled_from((False, False, False, True))),
        )
        for number in range(draw(st.integers(0, 6)))
    ]


def fetch_rows(connection: duckdb.DuckDBPyConnection, condition: str) -> dict[str, list[Any]]:
    """The rows of all marts of corpora that meet a condition."""
    tables = ("work_counts_by_month", "counted_works", "corpus_coverage", "works_by_lab_category_month")
    return {
        table: connection.execute(f"select * from mart.{table} where {condition} order by all").fetchall()
        for table in tables
    }


@pytest.fixture(scope="module")
def frozen() -> dict[str, list[Any]]:
    """The mapping in a lake without any work."""
    return fetch_rows(count_works([]), "corpus = 'iaps_mapping'")


# two databases per example, which cost a second
@settings(max_examples=scale_trials(6, 100))
@given(works=make_works(), unrelated=make_works("unrelated", labs=st.just([])))
def test_works_are_counted_once_and_an_unrelated_source_changes_no_other_corpus(
    frozen: dict[str, list[Any]], works: list[Any], unrelated: list[Any]
) -> None:
    before, after = count_works(works), count_works([*works, *unrelated])
    assert fetch_rows(after, "corpus = 'iaps_mapping'") == frozen
    assert fetch_rows(after, "corpus != 'all_works'") == fetch_rows(before, "corpus != 'all_works'")
    kept = [work["clean.works"][0] for work in [*works, *unrelated] if not work["clean.works"][0]["is_withdrawn"]]
    held = {"all_works": len(kept), "lab_publications": sum(work["labs"] is not None for work in kept)}
    coverage = dict(after.execute("select corpus, works from mart.corpus_coverage").fetchall())
    assert coverage == {**held, "iaps_mapping": len(LISTED) - 1}
    query = """
        select counting_rule, taxonomy, sum(publications)
        from mart.work_counts_by_month
        where corpus = ?
        group by all
    """
    for corpus in LIVING:
        totals = after.execute(query, [corpus]).fetchall()
        once = [total for rule, _, total in totals if rule != EACH]
        assert once == pytest.approx([held[corpus]] * len(once))
        assert all(total >= held[corpus] - 1e-6 for rule, _, total in totals if rule == EACH)
        assert len(totals) == (2 * len(RULES) if held[corpus] else 0)
        behind = sum(fetch_counts(after, corpus, "lab", "works_fractional").values())
        assert behind == pytest.approx(held[corpus])


def test_the_mapping_is_counted_as_before(counted: duckdb.DuckDBPyConnection) -> None:
    listed = "select * exclude (corpus) from mart.work_counts_by_month where corpus = 'iaps_mapping' order by all"
    counts = "select * from mart.publication_counts_by_month order by all"
    assert counted.execute(listed).fetchall() == counted.execute(counts).fetchall()


def make_entries() -> list[dict[str, Any]]:
    """Two lists: one in its own taxonomy, that has a row of the mapping too, and one in the default taxonomy."""
    return [
        make_entry("agendas", "sheet 1", lab="(no lab)", category="Probes", categories="Probes; Red teams"),
        make_entry("agendas", "a 2", lab="Anthropic", category="red teams", published_on=dt.date(2024, 2, 3)),
        make_entry("agendas", "a 3", lab="(no lab)", category="(no category)", published_on=None),
        make_entry("agendas", "a 4", lab="Anthropic", category="Red teams", is_duplicate=True),
        make_entry("second", "b 1", lab="OpenAI", author_labs="Anthropic; -", category="robustness"),
    ]


@pytest.fixture(scope="module")
def listed() -> duckdb.DuckDBPyConnection:
    return count_works(WORKS, entries=make_entries(), taxonomies={"agendas": "agendas", "second": "iaps"})


def test_each_list_is_a_corpus_of_its_own(listed: duckdb.DuckDBPyConnection) -> None:
    query = "select corpus, kind, taxonomy from clean.corpora where not is_frozen order by corpus"
    assert listed.execute(query).fetchall() == [
        ("agendas", "list", "agendas"),
        ("all_works", "living", "iaps"),
        ("lab_publications", "living", "iaps"),
        ("second", "list", "iaps"),
    ]
    assert fetch_counts(listed, "agendas", "lab") == {"(no lab)": 2, "Anthropic": 1}
    assert fetch_counts(listed, "agendas", "lab", "rows") == {"(no lab)": 2, "Anthropic": 2}
    assert fetch_counts(listed, "second", "lab") == {"OpenAI": 1}
    assert fetch_counts(listed, "second", "lab", "works_fractional") == {"Anthropic": 0.5, "(no followed lab)": 0.5}


def test_a_list_is_counted_in_its_own_categories(listed: duckdb.DuckDBPyConnection) -> None:
    assert fetch_counts(listed, "agendas", "category") == {"Probes": 1, "Red teams": 1, "(no category)": 1}
    shared = fetch_counts(listed, "agendas", "category", "works_shared_categories")
    assert shared == {"Probes": 0.5, "Red teams": 1.5, "(no category)": 1}
    query = "select distinct taxonomy from mart.work_counts_by_month where corpus = ? order by all"
    assert listed.execute(query, ["agendas"]).fetchall() == [("agendas",)]
    assert listed.execute(query, ["second"]).fetchall() == [("iaps",), ("unsolved_problems",)]
    cells = "select category, publications from publication_cells(in_corpus := $corpus, in_taxonomy := $taxonomy)"
    known = {"corpus": "second", "taxonomy": "unsolved_problems"}
    assert listed.execute(cells, known).fetchall() == [("Robustness", 1)]
    assert dict(listed.execute(cells, {"corpus": "agendas", "taxonomy": None}).fetchall()) == {
        "Probes": 1,
        "Red teams": 1,
    }
    with pytest.raises(duckdb.Error, match="no taxonomy agendas"):
        listed.execute(cells, {"corpus": "second", "taxonomy": "agendas"}).fetchall()


def test_a_list_covers_the_time_of_its_entries(listed: duckdb.DuckDBPyConnection) -> None:
    query = """
        select works, items, undated_works, unlabelled_works, works_without_lab, covers_from, covers_until, newest_seen_at
        from mart.corpus_coverage
        where corpus = 'agendas'
    """
    *counts, seen_at = listed.execute(query).fetchone()
    assert counts == [3, 4, 1, 1, 2, dt.date(2023, 5, 1), dt.date(2024, 2, 3)]
    assert seen_at.date() == dt.date(2025, 8, 1)


def test_entries_of_one_work_count_once_in_a_list() -> None:
    entries = [
        make_entry("agendas", "a 1", lab="OpenAI", category="(no category)"),
        make_entry("agendas", "a 2", lab="OpenAI", category="Probes", author_labs="OpenAI; Anthropic"),
        make_entry("agendas", "a 3", lab="OpenAI", category="Red teams"),
        make_entry("agendas", "a 4", lab="OpenAI", category="Audits", is_duplicate=True),
        make_entry("second", "b 1", lab="OpenAI", category="Audits"),
    ]
    works = [make_work("one", rows=["a 1", "a 2", "b 1"]), make_work("other", rows=["a 3", "a 4"])]
    counted = count_works(works, entries=entries, taxonomies={"agendas": "agendas", "second": "agendas"})
    query = "select works, items from mart.corpus_coverage where corpus = ?"
    assert [counted.execute(query, [corpus]).fetchone() for corpus in ("agendas", "second")] == [(2, 4), (1, 1)]
    assert fetch_counts(counted, "agendas", "category") == {"Probes": 1, "Red teams": 1}
    assert sum(fetch_counts(counted, "agendas", "lab", "works_fractional").values()) == 2
    assert fetch_counts(counted, "agendas", "lab", "rows") == {"OpenAI": 4}


def test_a_further_list_changes_no_other_corpus(
    counted: duckdb.DuckDBPyConnection, listed: duckdb.DuckDBPyConnection
) -> None:
    others = "corpus not in ('agendas', 'second')"
    assert fetch_rows(listed, others) == fetch_rows(counted, others)
    for macro in ("publications_behind", "publication_counts", "publication_shares"):
        query = f"select * from {macro}() order by all"
        assert listed.execute(query).fetchall() == counted.execute(query).fetchall()
