"""A list with foreign headers beside the bundled mapping: a corpus of its own, and no number of the mapping changes."""

from __future__ import annotations

import shutil
import tomllib

import pytest

from tests.conftest import run_aisle
from tests.support.builders import fetch_rows
from warehouse.lake import Lake
from warehouse.release import Release, read_current_release

# the first row is a work of the mapping, here with another category
TEXT = """Paper title;Who;When;Where;Agenda
Sycophancy to subterfuge: Investigating reward tampering in language models;Anthropic;2024;https://www.anthropic.com/research/reward-tampering;Watching wolves
A study of old wolves;;3/2024;https://example.org/wolves;Watching wolves; Feeding wolves
A study of young foxes;Foo Institute;;https://example.org/foxes;
;;;;
;Foo Institute;2024;;Watching wolves
""".replace("Watching wolves; Feeding", '"Watching wolves\nFeeding').replace("Feeding wolves\n", 'Feeding wolves"\n')
OF_MAPPING = (
    "from clean.publications",
    "from clean.publication_categories",
    "from mart.publications_by_lab_category_month",
    "from mart.publication_trends",
    "from mart.published_counts",
    "from mart.publication_evidence",
    "from mart.corpus_coverage where corpus = 'iaps_mapping'",
    "from mart.work_counts_by_month where corpus = 'iaps_mapping'",
    "select * exclude (work_id) from mart.counted_works where corpus = 'iaps_mapping'",
    "from publication_counts(grain := 'month')",
)


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory, released_lake: Lake) -> tuple[Release, Release]:
    """A release of the bundled mapping, and one with the list too, whose columns are named once and then remembered."""
    folder = tmp_path_factory.mktemp("lists")
    lake = Lake(folder / "lake")
    shutil.copytree(released_lake.root, lake.root, symlinks=True)
    before = read_current_release(lake)
    first, second = folder / "Agendas.csv", folder / "Agendas (1).csv"
    first.write_text(TEXT, encoding="utf-8")
    refused = run_aisle(lake.root, "add", str(first))
    assert refused.returncode == 1
    assert "aisle add --map 'title=Paper title'" in refused.stderr
    named = ("--map", "title=Paper title", "--map", "lab=Who", "--map", "date=When", "--map", "url=Where")
    added = run_aisle(lake.root, "add", *named, "--map", "category=Agenda", str(first))
    assert added.returncode == 0, added.stderr
    assert "3 records, 1 rejected" in added.stderr
    second.write_text(TEXT.replace("Foo Institute", "Bar Institute", 1), encoding="utf-8")
    again = run_aisle(lake.root, "add", str(second))
    assert "read as mappings.toml has it" in again.stderr
    done = run_aisle(lake.root, "run")
    assert done.returncode == 0, done.stderr
    return before, read_current_release(lake)


def test_the_mapping_stays_as_it_is(releases: tuple[Release, Release]) -> None:
    before, after = releases
    for query in OF_MAPPING:
        assert fetch_rows(before, f"{query} order by all") == fetch_rows(after, f"{query} order by all"), query


def test_the_list_is_a_corpus_with_its_own_taxonomy(releases: tuple[Release, Release]) -> None:
    _, after = releases
    corpora = "select corpus, title, kind, taxonomy from clean.corpora where corpus = 'agendas'"
    assert fetch_rows(after, corpora) == [("agendas", "Agendas", "list", "agendas")]
    # of the two versions of the list the newer one holds
    entries = "select title, lab, category, categories from clean.list_entries where list = 'agendas' order by title"
    assert [row[1:] for row in fetch_rows(after, entries)] == [
        ("(no lab)", "Watching wolves", "Watching wolves; Feeding wolves"),
        ("Bar Institute", "(no category)", "(no category)"),
        ("Anthropic", "Watching wolves", "Watching wolves"),
    ]
    counts = """
        select category, sum(weight)
        from publications_behind(rule := 'works_shared_categories', in_corpus := 'agendas')
        group by category
        order by category
    """
    assert fetch_rows(after, counts) == [("(no category)", 1), ("Feeding wolves", 0.5), ("Watching wolves", 1.5)]
    coverage = "select works, unlabelled_works, works_without_lab, covers_from from mart.corpus_coverage where corpus = 'agendas'"
    ((works, unlabelled, without_lab, covers_from),) = fetch_rows(after, coverage)
    assert (works, unlabelled, without_lab, str(covers_from)) == (3, 1, 1, "2024-01-01")


def test_a_work_has_the_labels_of_both_lists(releases: tuple[Release, Release]) -> None:
    _, after = releases
    query = """
        select labels.list, labels.taxonomy, labels.category
        from clean.work_labels as labels
        inner join clean.works as works on labels.work_id = works.work_id
        where works.title like 'Sycophancy to subterfuge%'
        order by labels.list
    """
    assert fetch_rows(after, query) == [
        ("agendas", "agendas", "Watching wolves"),
        ("iaps_mapping", "iaps", "Power-seeking tendencies"),
    ]
    works = "select count(*) from clean.works"
    assert fetch_rows(after, works) == [(80,)]


def test_what_was_named_is_written_down(releases: tuple[Release, Release]) -> None:
    _, after = releases
    written = tomllib.loads((after.path.parents[1] / "mappings.toml").read_text(encoding="utf-8"))
    (entry,) = written["list"]
    assert entry["headers"] == ["Paper title", "Who", "When", "Where", "Agenda"]
    assert entry["columns"]["lab"] == "Who"
