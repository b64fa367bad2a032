"""Names of lists: which list the rows of a document belong to."""

from __future__ import annotations

import pytest
import typer

from orchestration.cli.columns import TableOptions, build_table_hints
from orchestration.sources.sheet.list_names import MAPPING, build_list_name, describe_list
from tests.sources.test_lists import list_values, take
from warehouse.lake import PROJECT


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Safety papers 2025", "safety_papers_2025"),
        ("Überblick: Agenten", "uberblick_agenten"),
        ("2024 list", "list_2024_list"),
        ("lab_publications", "lab_publications_list"),
        ("iaps", "iaps_list"),
        (MAPPING, MAPPING),
    ],
)
def test_name_of_a_list_is_one_for_sql(title: str, name: str) -> None:
    assert build_list_name(title).name == name


def test_names_in_other_scripts_stay_apart() -> None:
    names = {build_list_name(title).name for title in ("论文", "论文集", "статьи")}
    assert len(names) == 3
    assert all(name.isidentifier() and name.isascii() for name in names)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("Agendas.csv", "agendas"),
        ("Agendas (2).xlsx", "agendas"),
        ("agendas_2025-02-24.csv", "agendas"),
        ("agendas v3.ods", "agendas"),
        ("papers_2024.csv", "papers_2024"),
        (f"{MAPPING}.csv", f"{MAPPING}_list"),
        ("https://docs.google.com/spreadsheets/d/1aBcDeFgHiJkLmNoPqRsTuVwXyZ/export?format=csv", "sheet_1abcdefg"),
    ],
)
def test_list_has_the_name_of_its_file(file: str, name: str) -> None:
    text = "Lab,Title,Category\nOpenAI,A,Robustness\n"
    assert list_values(take(text, file), "list") == [(name,)]
    assert list_values(take(text, file, feed="our_sheet"), "list") == [("our_sheet",)]
    assert list_values(take(text, file, list="Our list", feed="our_sheet"), "list", "list_title") == [
        ("our_list", "Our list")
    ]


def test_only_a_copy_of_its_rows_is_a_version_of_the_mapping() -> None:
    text = (PROJECT / "warehouse" / "bundled" / "lab_publications.csv").read_text(encoding="utf-8")
    header, *rows = text.splitlines()
    for copied in (text, "\n".join([header, *rows[:45]])):
        assert {values[0] for values in list_values(take(copied, "copy.csv"), "list")} == {None}
    others = (
        "\n".join([header, *rows[:30]]),  # too little of it
        f"{text}99,OpenAI,One more,1-May-24,https://example.org/1,Robustness,\n",
        text.replace("Mechanistic interpretability", "Probes"),
    )
    for other in others:
        assert {values[0] for values in list_values(take(other, "copy.csv"), "list")} == {"copy"}
    assert {values[0] for values in list_values(take(others[1], "copy.csv", list=MAPPING), "list")} == {None}


def test_the_corpus_of_a_list_is_stated() -> None:
    text = "Lab,Title,Category\nOpenAI,A,Robustness\n"
    mapping = (PROJECT / "warehouse" / "bundled" / "lab_publications.csv").read_text(encoding="utf-8")
    for content, hints, stated in (
        (text, {"list": "All works"}, "counted as the corpus all_works_list"),
        (text, {"list": MAPPING}, "its rows will count in the published mapping (iaps_mapping), whose numbers change"),
        (mapping, {}, "a version of the published mapping (iaps_mapping)"),
        (mapping, {"list": MAPPING}, "a version of the published mapping (iaps_mapping)"),
    ):
        rows = [record.values for record in take(content, **hints).records]
        assert describe_list(rows, hints).startswith(stated)
    assert describe_list([], {}) == describe_list([{"title": "A post"}], {}) == ""


def test_empty_name_of_a_list_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        build_table_hints(TableOptions(list_name=" "))
    assert "--list: an empty name" in capsys.readouterr().err
