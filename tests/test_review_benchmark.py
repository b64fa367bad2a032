"""The benchmark of the review queue: its measures, its files, and what it does without ASReview."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import review
from benchmarks.review import BATCH, KNOWN, LabelledSet, find_asreview, judge_order, order_by_model, read_file


def make_labelled(relevant: int, others: int) -> LabelledSet:
    texts = [f"circuits features neuron number{one}" for one in range(relevant)]
    texts += [f"markets prices trade number{one}" for one in range(others)]
    return LabelledSet("made up", texts, np.arange(relevant + others) < relevant)


def test_measures_of_an_order_are_those_counted_by_hand() -> None:
    labels = np.zeros(100, dtype=bool)
    labels[[*range(19), 59]] = True  # 19 of 20, which is 95 %, after 19 records
    judged = judge_order(labels)
    assert judged.work_saved == pytest.approx(0.95 - 0.19)
    assert judged.early_recall == pytest.approx(10 / 20)
    assert judged.stopped_after in {place / 100 for place in range(BATCH, 101, BATCH)}
    assert judged.stopped_recall == labels[: round(judged.stopped_after * 100)].sum() / 20


def test_the_model_of_relevance_orders_each_record_once_and_the_relevant_ones_first() -> None:
    labelled = make_labelled(30, 60)
    known, others = labelled.draw_start(1)
    assert len(known) == 2 * KNOWN
    assert labelled.is_relevant[known].sum() == KNOWN
    order = order_by_model(labelled.build_training_set(), known, others)
    assert sorted([*known, *order]) == list(range(90))
    assert labelled.is_relevant[order[:20]].all()


@pytest.mark.parametrize(
    "text", ["title,abstract\na,b\n", "title,abstract,included\na,b,2\n", "title,abstract,included\na,b,1\n"]
)
def test_a_file_without_usable_labels_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "screened.csv"
    path.write_text(text)
    with pytest.raises(SystemExit, match=r"screened\.csv"):
        read_file(path)


def test_labels_of_a_file_are_read_as_synergy_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "screened.csv"
    rows = [f"Title {one},An abstract,{one % 2}" for one in range(3 * KNOWN)]
    path.write_text("\n".join(["title,abstract,label_included", *rows]))
    labelled = read_file(path)
    assert labelled.texts[1] == "Title 1 An abstract"
    assert labelled.is_relevant.tolist() == [one % 2 == 1 for one in range(3 * KNOWN)]


def test_contenders_are_measured_without_asreview_where_it_cannot_be_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cache").write_text("a file, where a folder is needed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert find_asreview() is None
    assert "measured without it" in capsys.readouterr().out
    rows = list(review.measure_set(make_labelled(30, 60), None))
    assert [row.contender for row in rows] == ["random order", "aisle"]
    assert rows[1].work_saved > rows[0].work_saved
