"""`aisle review`: a decision is made from the command line, and holds in the tables of the next run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestration.cli.review_report import build_agreement_table
from orchestration.defs.catalog import load_transforms
from orchestration.ingest.decisions import build_decision_rows
from orchestration.ingest.raw import update_raw_tables
from orchestration.ingest.raw_tables import load_shared_tables
from orchestration.run import hash_inputs
from tests.conftest import run_aisle
from tests.support.builders import build_release
from tests.support.decisions import make_decision
from tests.support.two_lists import LIST_SEEN_AT, OWN_LIST, make_list_snapshot, make_record, make_row, make_sighting
from transforms.engine import make_table
from warehouse.decisions.store import add_decisions, list_decisions
from warehouse.lake import Lake
from warehouse.sql import connect_tables

NEEDED = (
    "mart.counted_works",
    "clean.work_candidates",
    "clean.reviewed_labels",
    "clean.works",
    "clean.work_identifiers",
    "clean.work_history",
    "clean.corpora",
    "mart.crosswalk_proposals",
)
REMADE = ("clean.decisions", "clean.reviewed_scopes", "clean.reviewed_labels")
WOLVES, FOXES = "A study of old wolves", "A study of young foxes"
ANIMALS = ("--taxonomy", "animals", "--as", "Ada")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with a release of two works of a list, of which one has a category."""
    lake = Lake(tmp_path_factory.mktemp("review") / "lake")
    own = {"list": "animals", "list_title": "Animals", "lab": None}
    wolves = {"title": WOLVES, "url": "https://arxiv.org/abs/2301.00001", "abstract": "Wolves grow old."}
    records = [
        make_record("wolves", OWN_LIST, 1, LIST_SEEN_AT, **own, **wolves, category="Wolves", categories="Wolves"),
        make_record("foxes", OWN_LIST, 2, LIST_SEEN_AT, **own, title=FOXES, category="(no category)"),
    ]
    build_release(
        lake,
        None,
        only=NEEDED,
        raw__snapshots=[make_list_snapshot(OWN_LIST, "animals.csv", LIST_SEEN_AT)],
        raw__lab_sheet_publications=records,
        raw__parses=[make_row("raw.parses", snapshot_id=OWN_LIST, source="lab_sheet", records_read=2)],
        raw__sightings=[make_sighting(record) for record in records],
    )
    return lake


@pytest.fixture
def lake(published: Lake, tmp_path: Path) -> Lake:
    """A copy of it."""
    shutil.copytree(published.root, tmp_path / "lake", symlinks=True)
    return Lake(tmp_path / "lake")


def rerun(lake: Lake) -> None:
    """Make the tables that decisions can change, as the next run does."""
    lake.write(load_shared_tables()["decisions"], build_decision_rows(list_decisions(lake)))
    for name in REMADE:
        make_table(load_transforms()[name], lake)


def query(lake: Lake, text: str) -> list[tuple]:
    """Rows of a query on the tables of the lake."""
    with connect_tables(lake, [*REMADE, "clean.works"]) as connection:
        return connection.execute(text).fetchall()


def list_labels(lake: Lake) -> list[tuple]:
    rerun(lake)
    return query(
        lake,
        "select title, category, basis, decided_by from clean.reviewed_labels inner join clean.works using (work_id)"
        " where taxonomy = 'animals' order by title, category_position",
    )


def decide(lake: Lake, *options: str) -> str:
    done = run_aisle(lake.root, "review", "decide", *options)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[0]


def test_a_decision_replaces_a_listed_category_until_it_is_undone(lake: Lake) -> None:
    assert list_labels(lake) == [(WOLVES, "Wolves", "listed", None)]
    event = decide(lake, "2301.00001", "-c", "Foxes", "-c", "Wolves", "--new", *ANIMALS)
    decide(lake, FOXES, "-c", "Wolves", *ANIMALS)
    ada = ("decided", "Ada")
    assert list_labels(lake) == [
        (WOLVES, "Foxes", *ada),
        (WOLVES, "Wolves", *ada),
        (FOXES, "Wolves", *ada),
    ]
    assert run_aisle(lake.root, "review", "undo", event[:8], "--as", "Bo").returncode == 0
    assert "is undone already" in run_aisle(lake.root, "review", "undo", event[:8], "--as", "Bo").stderr
    assert list_labels(lake) == [(WOLVES, "Wolves", "listed", None), (FOXES, "Wolves", *ada)]


def test_what_to_decide_next_is_shown_with_its_text_and_the_categories(lake: Lake) -> None:
    shown = run_aisle(lake.root, "review", "next", "--taxonomy", "animals")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(FOXES)
    assert "categories of animals:\n  Wolves" in shown.stdout
    assert "1 works wait" in shown.stderr
    decide(lake, FOXES, "-c", "Wolves", *ANIMALS)
    assert run_aisle(lake.root, "review", "next", "--taxonomy", "animals").stdout == ""
    blind = run_aisle(lake.root, "review", "next", "--taxonomy", "animals", "--list", "--blind", "--as", "Bo")
    assert FOXES in blind.stdout
    assert "Ada" not in blind.stdout
    assert "0 pairs" in run_aisle(lake.root, "review", "next", "--candidates").stderr


def test_a_work_that_is_not_in_scope_has_no_category(lake: Lake) -> None:
    scope = decide(lake, WOLVES, "--scope", "no", *ANIMALS)
    assert list_labels(lake) == []
    scopes = "select is_in_scope, basis, decided_by from clean.reviewed_scopes where taxonomy = 'animals'"
    assert query(lake, scopes) == [(False, "decided", "Ada")]
    again = run_aisle(lake.root, "review", "decide", WOLVES, "-c", "Wolves", *ANIMALS)
    assert again.returncode == 1
    assert f"not in scope of animals ({scope})" in again.stderr


def test_a_decision_on_a_text_that_was_changed_is_flagged(lake: Lake) -> None:
    decide(lake, WOLVES, "-c", "Foxes", "--new", *ANIMALS)
    assert list_labels(lake) == [(WOLVES, "Foxes", "decided", "Ada")]
    table = load_transforms()["clean.work_records"].table
    changed = [row | {"abstract": "It is about sheep."} for row in lake.read(table).to_dicts()]
    lake.write(table, table.frame(changed))
    assert list_labels(lake) == [(WOLVES, "Wolves", "listed", None)]
    assert query(lake, "select outcome from clean.decisions") == [("ground changed",)]


def test_blind_decisions_are_compared(lake: Lake) -> None:
    for name, category in (("Ada", "Wolves"), ("Bo", "Foxes")):
        for title in (WOLVES, FOXES):
            given = category if title == WOLVES else "Wolves"
            decide(lake, title, "-c", given, "--new", "--taxonomy", "animals", "--as", name, "--blind")
    list_labels(lake)
    with connect_tables(lake, [*REMADE, "clean.work_members"]) as connection:
        table = build_agreement_table(connection, list_decisions(lake))
    assert table is not None
    cells = [next(iter(column.cells)) for column in table.columns]
    assert cells == ["animals", "category", "Ada", "Bo", "all", "2", "1", "0.00"]
    shown = run_aisle(lake.root, "review", "stats").stdout
    assert f"to settle: {WOLVES} (wolves), category animals: Ada: Wolves · Bo: Foxes" in shown
    assert "4 of them take effect with the next `aisle run`" in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((WOLVES, "-c", "Wolfs", "--taxonomy", "animals"), "did you mean Wolves"),
        ((WOLVES, "-c", "Wolves", "--taxonomy", "plants"), "there is no taxonomy 'plants'"),
        (("A study of sheep", "-c", "Wolves"), "no work is meant by 'A study of sheep'"),
        ((WOLVES,), "nothing is decided"),
        ((WOLVES, "--field", "colour=red"), "'colour' is no field to correct"),
        ((WOLVES, "--same-as", WOLVES), "the same work as itself"),
        ((WOLVES, "--not-same-as", WOLVES), "name two of its records"),
        ((WOLVES, "--lab", "Open AI"), "did you mean OpenAI"),
    ],
)
def test_a_decision_that_cannot_be_made_is_refused(published: Lake, options: tuple[str, ...], message: str) -> None:
    done = run_aisle(published.root, "review", "decide", *options, "--as", "Ada")
    assert done.returncode == 1
    assert message in done.stderr
    assert list_decisions(published) == []


def test_a_lab_is_named_as_it_is_counted_and_a_record_stands_for_its_work(lake: Lake) -> None:
    decide(lake, "foxes", "--lab", "openai", "--as", "Ada")
    decide(lake, "wolves", "--not-same-as", "foxes", "--as", "Ada")
    lab, pair = list_decisions(lake)
    assert (lab.record_id, lab.value) == ("foxes", "OpenAI")
    assert (pair.record_id, pair.second_record_id, pair.value) == ("wolves", "foxes", "no")


def test_a_decision_needs_a_name_and_a_release(tmp_path: Path) -> None:
    unnamed = run_aisle(tmp_path, "review", "decide", WOLVES, "--scope", "no", AISLE_REVIEWER="")
    assert "a decision needs a name" in unnamed.stderr
    unreleased = run_aisle(tmp_path, "review", "decide", WOLVES, "--scope", "no", AISLE_REVIEWER="Ada")
    assert (unreleased.returncode, "aisle run" in unreleased.stderr) == (1, True)


def test_decisions_go_to_another_lake_and_come_back(tmp_path: Path) -> None:
    first, second, file = tmp_path / "first", tmp_path / "second", tmp_path / "log.csv"
    add_decisions(Lake(first), [make_decision(), make_decision("Foxes", seconds=1)])
    assert run_aisle(first, "review", "export", "-o", str(file)).returncode == 0
    assert file.read_text() == run_aisle(first, "review", "export").stdout
    for added in ("2 of 2", "0 of 2"):
        assert added in run_aisle(second, "review", "import", str(file)).stderr
    assert list_decisions(Lake(second)) == list_decisions(Lake(first))
    assert "cannot be read" in run_aisle(second, "review", "import", str(tmp_path / "none.csv")).stderr


def test_a_run_reads_the_log_and_is_needed_after_each_decision(tmp_path: Path) -> None:
    lake, lines = Lake(tmp_path), list[str]()
    before = hash_inputs(lake)
    decision = make_decision()
    add_decisions(lake, [decision])
    assert hash_inputs(lake) != before
    update_raw_tables(lake, lines.append)
    (row,) = lake.read(load_shared_tables()["decisions"]).to_dicts()
    assert (row["event_id"], row["second_record_id"]) == (decision.event_id, None)


def test_a_category_is_mapped_and_shown_by_commands(lake: Lake) -> None:
    into = ("--from", "animals", "--into", "iaps")
    shown = run_aisle(lake.root, "review", "mappings", *into)
    assert "animals: Wolves → iaps  [open]" in shown.stdout
    assert "1 mappings wait for a decision; none of them is used" in shown.stderr
    for options, message in (
        ((), "give one of --to NAME, --none and --proposed"),
        (("--proposed",), "nothing is proposed: No work has categories of both"),
        (("--to", "Robust"), "did you mean Robustness"),
        (("--to", "Robustness=0.6"), "weights that add up to 1"),
    ):
        refused = run_aisle(lake.root, "review", "map", "Wolves", *into, *options, "--as", "Ada")
        assert (refused.returncode, message in refused.stderr) == (1, True), refused.stderr
    targets = ("--to", "Robustness=0.75", "--to", "Honest AI=0.25")
    done = run_aisle(lake.root, "review", "map", "wolves", *into, *targets, "--as", "Ada", "--why", "like them")
    assert "mapping iaps: Robustness (75 %); Honest AI (25 %) · Wolves (animals) in iaps" in done.stdout
    shown = run_aisle(lake.root, "review", "mappings", *into, "--category", "Wolves")
    assert "[decided by Ada, counted in Robustness (75 %); Honest AI (25 %)]" in shown.stdout
    assert "Robustness: 0 of 0" in shown.stdout
    exported = run_aisle(lake.root, "review", "export")
    assert "Robustness=0.75; Honest AI=0.25" in exported.stdout
    (lake.root / "log.csv").write_text(exported.stdout)
    assert "0 of 1 decisions are new" in run_aisle(lake.root, "review", "import", str(lake.root / "log.csv")).stderr
