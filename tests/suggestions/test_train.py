"""`aisle train` shows how good the models of a release are, and what changed in suggestions since the one before."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from orchestration.cli.train_report import build_card_table, list_training_notes
from tests.conftest import publish_copy, run_aisle
from warehouse.lake import Lake
from warehouse.release import read_current_release

ROW = "('{}', 'iaps', 'category', '{}', 1, 0.9, true, '0123456789abcdef')"


def suggest(**categories: str) -> str:
    rows = ", ".join(ROW.format(work, category) for work, category in categories.items())
    return f"insert into clean.suggestions values {rows}"


def test_train_shows_the_cards_of_models(released_lake: Lake) -> None:
    done = run_aisle(released_lake.root, "train")
    assert done.returncode == 0, done.stderr
    assert "nothing new since release v1" in done.stdout + done.stderr
    assert "Model organisms of misalignment (1); Safety by design (2); Unlearning (2)" in " ".join(done.stdout.split())
    assert "no earlier release has suggestions to compare with" in done.stdout
    done = run_aisle(released_lake.root, "train", "--taxonomy", "birds")
    assert done.returncode == 1
    assert "no taxonomy birds has labelled works; there are iaps" in done.stderr


def test_card_table_has_a_row_for_each_model(released_lake: Lake) -> None:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(build_card_table(read_current_release(released_lake), "iaps"))
    lines = captured.get().splitlines()
    assert any("category" in line and "78" in line and "0." in line for line in lines)
    assert any("relevance" in line and "too few labels" in line for line in lines)


def test_changes_of_suggestions_are_counted(released_lake: Lake, tmp_path: Path) -> None:
    old = publish_copy(released_lake, tmp_path / "old", suggest(a="Robustness", b="Robustness", c="Unlearning"))
    new = publish_copy(released_lake, tmp_path / "new", suggest(b="Unlearning", c="Unlearning", d="Honest AI"))
    notes = list_training_notes(read_current_release(new), read_current_release(old), None)
    assert notes[-1] == (
        "category in iaps, works since v1: 1 with a suggestion that had none, 1 with another first one,"
        " 1 with none any more; 3 in all"
    )
