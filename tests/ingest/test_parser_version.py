"""The version of a parser changes with what decides its rows, and with nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.ingest.parser_version import compute_parser_version, find_modules, list_parser_inputs
from orchestration.sources.registry import SOURCES, get_source
from warehouse.lake import PROJECT

ALL = {source.name for source in SOURCES}
FORUM = {"forum_posts", "forum_comments"}
ENRICHERS = {"semanticscholar_papers", "crossref_works", "huggingface_papers", "alignment_dataset"}
IN_SHEETS = "orchestration/sources/sheet"


EDITS = [
    # one source
    ("orchestration/sources/arxiv/readers.py", {"arxiv_papers"}),
    ("orchestration/sources/openalex_works.py", {"openalex_works"}),
    (f"{IN_SHEETS}/captured_cells.py", {"lab_sheet"}),
    ("orchestration/sources/feed/podcast_table.py", {"podcast_page"}),
    ("orchestration/sources/forum/segmentation.py", {"forum_page"}),
    # what some share
    ("orchestration/sources/enrichers/records.py", ENRICHERS),
    ("orchestration/sources/shared/workbook.py", ALL),  # loaded in a function of the document that all get
    ("orchestration/sources/shared/failure_page.py", ALL),  # only after a parser
    ("orchestration/sources/forum/__init__.py", {*FORUM, "forum_page"}),
    ("orchestration/sources/source.py", ALL),
    # reference data
    ("warehouse/reference/labs.csv", {"lab_sheet", "lab_pages"}),
    ("warehouse/reference/lab_aliases.csv", {"lab_sheet"}),
    ("warehouse/reference/taxonomies.csv", {"lab_sheet"}),
    ("warehouse/reference/captured_pages.csv", {"forum_page"}),
    ("warehouse/reference/coverage.csv", set()),
    ("warehouse/reference/tables.toml", set()),
    # around the parsers
    ("orchestration/ingest/document_parser.py", ALL),
    ("orchestration/ingest/identity.py", ALL),
    ("orchestration/ingest/limits.py", ALL),
    ("orchestration/ingest/parser_process.py", set()),
    ("orchestration/ingest/snapshots.py", set()),
    ("orchestration/sources/registry.py", set()),
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what versions are computed from."""
    for folder in ("orchestration/sources", "orchestration/ingest", "warehouse/reference", "warehouse/bundled"):
        shutil.copytree(PROJECT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for package in ("orchestration", "warehouse"):
        shutil.copy(PROJECT / package / "__init__.py", tmp_path / package)
    return tmp_path


def list_inputs(project: Path) -> dict[str, dict[str, str]]:
    return {source.name: list_parser_inputs(source, project) for source in SOURCES}


def find_changed(project: Path, edit: Callable[[], object]) -> set[str]:
    before = list_inputs(project)
    edit()
    after = list_inputs(project)
    return {name for name in before if before[name] != after[name]}


def append(path: Path, line: str = "# more") -> None:
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")


def test_an_edit_changes_the_version_of_exactly_the_sources_that_use_the_file(project: Path) -> None:
    before = list_inputs(project)
    for file, changed in EDITS:
        append(project / file, "" if file.endswith(".csv") else "# more")
        after = list_inputs(project)
        assert {name for name in before if before[name] != after[name]} == changed, file
        before = after


def test_a_new_source_changes_no_other(project: Path) -> None:
    def add_source() -> None:
        folder = project / "orchestration" / "sources" / "papers_list"
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        (folder / "items.py").write_text("from orchestration.sources.source import Source\n")
        append(
            project / "orchestration/sources/registry.py", "from orchestration.sources.papers_list import items as more"
        )

    assert find_changed(project, add_source) == set()


def test_a_module_counts_as_soon_as_it_is_imported(project: Path) -> None:
    new, query = project / "orchestration/sources/shared/titles.py", project / "orchestration/sources/arxiv/query.py"
    new.write_text("X = 1\n")
    line = "def late() -> None:\n    from orchestration.sources.shared import titles"
    assert find_changed(project, lambda: append(query, line)) == {"arxiv_papers"}
    assert find_changed(project, lambda: append(new)) == {"arxiv_papers"}


@pytest.mark.parametrize(
    "line",
    [
        "from warehouse import reference",
        "import warehouse.reference",
        "from warehouse.reference import FOLDER",
        "from warehouse.reference import read_rows as rows\nHANDED_ON = map(rows, ['labs'])",
        "from warehouse.reference import read_rows\nNAME = 'labs'\nROWS = read_rows(NAME)",
    ],
)
def test_a_source_of_which_cannot_be_seen_what_it_reads_depends_on_all_reference_data(project: Path, line: str) -> None:
    append(project / "orchestration/sources/arxiv/readers.py", line)
    assert find_changed(project, lambda: append(project / "warehouse/reference/coverage.csv")) == {"arxiv_papers"}


def test_reading_one_more_reference_table_is_seen(project: Path) -> None:
    line = "from warehouse.reference import read_rows as rows\nROWS = rows('coverage')"
    append(project / "orchestration/sources/arxiv/readers.py", line)
    assert find_changed(project, lambda: append(project / "warehouse/reference/coverage.csv")) == {"arxiv_papers"}
    assert find_changed(project, lambda: append(project / "warehouse/reference/lab_aliases.csv")) == {"lab_sheet"}


def test_imports_for_type_checkers_do_not_count(project: Path) -> None:
    line = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from orchestration.sources.forum import query"
    append(project / "orchestration/sources/arxiv/readers.py", line)
    assert find_changed(project, lambda: append(project / "orchestration/sources/forum/query.py")) == FORUM


def test_a_key_of_a_reference_table_counts_where_its_names_are_read(project: Path) -> None:
    path = project / "warehouse/reference/tables.toml"
    text = path.read_text()
    assert 'key = ["taxonomy", "category"]' in text
    changed = text.replace('key = ["taxonomy", "category"]', 'key = ["category", "taxonomy"]')
    assert find_changed(project, lambda: path.write_text(changed)) == {"lab_sheet"}


def test_columns_of_the_account_tables_count_but_not_what_they_mean(project: Path) -> None:
    path = project / "orchestration/ingest/raw_tables.toml"
    text = path.read_text()
    reworded = text.replace('meaning = "The snapshot."', 'meaning = "The snapshot of it."')
    assert reworded != text
    assert find_changed(project, lambda: path.write_text(reworded)) == set()
    renamed = text.replace("records_repeated = {", "records_seen_again = {")
    assert renamed != text
    assert find_changed(project, lambda: path.write_text(renamed)) == ALL


def test_declared_columns_and_hints_count() -> None:
    source = get_source("arxiv_papers")
    versions = [
        compute_parser_version(source),
        compute_parser_version(replace(source, columns={**source.columns, "more": {"type": "text", "meaning": "m"}})),
        compute_parser_version(replace(source, volatile_columns=())),
        compute_parser_version(replace(source, columns={"lab": {"type": "text", "one_of": "reference.labs"}})),
        compute_parser_version(source, {"owner": "x"}),
        compute_parser_version(source, {"owner": "y"}),
    ]
    assert len(set(versions)) == len(versions)
    by_labs = replace(source, columns={"lab": {"type": "text", "one_of": "reference.labs"}})
    assert "warehouse/reference/labs.csv" in list_parser_inputs(by_labs)


def test_an_unknown_module_is_reported() -> None:
    with pytest.raises(FileNotFoundError, match=r"orchestration\.sources\.nothing is not a module"):
        find_modules(["orchestration.sources.nothing"])
