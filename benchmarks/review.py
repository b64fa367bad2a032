"""How much work the order of the review queue saves, beside ASReview LAB's default and a random order.

Run with ``python -m benchmarks.review [FILE.csv ...]`` (or ``make bench-review``). Labelled records are replayed as if
they were unlabelled: some of both sides are known first, then the model of relevance is trained on what is known, the
records that it finds most probably in scope are labelled, and so on. Contenders start from the same known records, and
no measure counts these. Sets are the TAI safety bibliography in ``../shared``, skipped where it is not there, and the
files that are named: CSV with ``title``, ``abstract`` and ``included`` or ``label_included`` (1 or 0), such as those
that ``synergy_dataset get`` writes where dataverse.nl can be reached.

ASReview runs in an environment of its own, which is made at the first run, in ``~/.cache/aisle`` or
``XDG_CACHE_HOME``. Where that fails, the others are measured without it.
"""

from __future__ import annotations

import csv
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.results import Row, keep_results
from benchmarks.suggestions import BIBLIOGRAPHY, build_set, read_bibliography
from transforms.embeddings.encoder import Encoder, load_encoder
from transforms.embeddings.models import find_model
from transforms.review.stopping import MAX_ERROR, RECALL, compute_missed_probability
from transforms.suggestions.classifier import Array, count_frequencies
from transforms.suggestions.prototypes import compute_similarities
from transforms.suggestions.training_sets import IN_SCOPE, LEAST_CLASS_WORKS, LEAST_WORKS, TrainingSet
from transforms.suggestions.validation import choose_settings

ASREVIEW = "asreview==3.0.8"
SEEDS = (1, 2, 3)
KNOWN = 10
"""So many records of each side are known first: with fewer labels there is no model."""
BATCH = 20
"""So many records are labelled between two runs."""
EARLY = 0.1
"""The share of the records after which recall is measured."""
_LABELS = ("included", "label_included")
_OUT = "not in scope"


@dataclass(frozen=True)
class LabelledSet:
    """Labelled records.

    Args:
        title: What they are, and what is looked for.
        texts: Title and abstract of each.
        is_relevant: Whether each is looked for.
    """

    title: str
    texts: Sequence[str]
    is_relevant: Array

    def draw_start(self, seed: int) -> tuple[list[int], list[int]]:
        """The records that are known first, and the others in a random order."""
        random = np.random.default_rng(seed)
        sides = (np.flatnonzero(self.is_relevant), np.flatnonzero(~self.is_relevant))
        known = [int(one) for side in sides for one in random.choice(side, KNOWN, replace=False)]
        others = [one for one in random.permutation(len(self.texts)).tolist() if one not in set(known)]
        return known, others

    def build_training_set(self, encoder: Encoder | None = None) -> TrainingSet:
        """All of them, as a model reads them; with their embeddings if there is an encoder."""
        labels = np.where(self.is_relevant, IN_SCOPE, _OUT).tolist()
        return build_set(
            [
                (f"{number:09}", label, text)
                for number, (label, text) in enumerate(zip(labels, self.texts, strict=True))
            ],
            "relevance",
            encoder,
        )


@dataclass(frozen=True)
class Judged:
    """What an order is worth, of the records that were not known first.

    Args:
        work_saved: Share of the records that is not read when 95 % of the relevant ones are found, less the 5 % that a
            random order saves.
        early_recall: Share of the relevant ones among the first tenth.
        stopped_after: Share of the records after which the rule for stopping holds first.
        stopped_recall: Share of the relevant ones found by then.
    """

    work_saved: float
    early_recall: float
    stopped_after: float
    stopped_recall: float


def judge_order(labels: Array) -> Judged:
    """The measures of an order, from whether each record in it is relevant."""
    records, found = len(labels), np.cumsum(labels)
    read = int(np.searchsorted(found, np.ceil(RECALL * found[-1]))) + 1
    stopped = records
    for place in range(BATCH, records, BATCH):
        error = compute_missed_probability(labels[:place].tolist(), records)
        if error is not None and error < MAX_ERROR:
            stopped = place
            break
    early = int(np.ceil(EARLY * records))
    return Judged(
        RECALL - read / records,
        float(found[early - 1] / found[-1]),
        stopped / records,
        float(found[stopped - 1] / found[-1]),
    )


def order_by_model(training_set: TrainingSet, known: Sequence[int], others: Sequence[int]) -> list[int]:
    """The records in the order of the queue by relevance, with the model trained again for each batch."""
    counts, labels, groups = training_set.counts, training_set.labels, training_set.groups
    embeddings, relevant = training_set.embeddings, training_set.categories.index(IN_SCOPE)
    order, left = [*known], [*others]
    while left:
        seen = np.array(order)
        probabilities = np.full(len(left), 0.5)
        is_trainable = np.bincount(labels[seen]).min() >= LEAST_CLASS_WORKS
        if is_trainable and len(np.unique(groups[seen])) >= LEAST_WORKS:
            settings = choose_settings(
                counts[seen], labels[seen], groups[seen], 2, training_set.relevant, embeddings[seen]
            )
            frequencies = count_frequencies(counts[seen], labels[seen], 2, training_set.relevant)
            scores = frequencies.build_classifier(settings.smoothing).score(frequencies.weigh_terms(counts[left]))
            similarities = compute_similarities(embeddings, labels, seen, np.array(left), 2)
            by_category = settings.calibration.compute_probabilities(scores, similarities, frequencies.shares)
            probabilities = by_category[:, relevant].round(6)  # as in clean.suggestions
        batch = [left[place] for place in np.argsort(-probabilities, kind="stable")[:BATCH]]
        order += batch
        left = [one for one in left if one not in set(batch)]
    return order[len(known) :]


def order_by_asreview(
    program: Path, labelled: LabelledSet, known: Sequence[int], others: Sequence[int], seed: int
) -> list[int]:
    """The records in the order of ASReview's simulation with its default; those after the last relevant one follow.

    Raises:
        SystemExit: It failed, or has other labels.
    """
    with tempfile.TemporaryDirectory() as folder:
        records, project = Path(folder, "records.csv"), Path(folder, "simulated.asreview")
        with records.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("title", "abstract", "included"))
            rows.writerows((text, "", int(one)) for text, one in zip(labelled.texts, labelled.is_relevant, strict=True))
        places = [str(one) for one in known]
        command = [str(program), "simulate", str(records), "--seed", str(seed), "-o", str(project)]
        done = subprocess.run(
            [*command, "--prior-idx", *places], capture_output=True, text=True, check=False, cwd=folder
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
        with zipfile.ZipFile(project) as archive:
            results = archive.extract("results.db", folder)
        connection = sqlite3.connect(results)
        rows = connection.execute("select record_id, label from results order by rowid").fetchall()
        connection.close()
    order = [number for number, _ in rows]
    if order[: len(known)] != [*known] or any(labelled.is_relevant[number] != bool(label) for number, label in rows):
        raise SystemExit("ASReview has replayed other records or labels")
    return order[len(known) :] + [one for one in others if one not in set(order)]


def find_asreview() -> Path | None:
    """ASReview's program, in an environment of its own that is made if it is missing; None if that fails."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aisle"
    folder = cache / ASREVIEW.replace("==", "-")
    program = folder / "bin" / "asreview"
    if program.exists():
        return program
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        print(f"no uv to install {ASREVIEW} with: measured without it")
        return None
    commands = (
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), ASREVIEW],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            print(f"{ASREVIEW} cannot be installed, measured without it: {done.stderr.strip()[-500:]}")
            return None
    return program


def list_sets(files: Sequence[str]) -> Iterator[LabelledSet]:
    """The sets of the bibliography, and those of files."""
    if BIBLIOGRAPHY.exists():
        for title, negatives, wanted in (
            ("TAI: TechSafety among TechSafety and NotSafety", ["NotSafety"], IN_SCOPE),
            ("TAI: NotSafety among TechSafety and NotSafety", ["NotSafety"], _OUT),
            ("TAI: TechSafety among TechSafety, MetaSafety and NotSafety", ["MetaSafety", "NotSafety"], IN_SCOPE),
        ):
            rows = read_bibliography(negatives)
            yield LabelledSet(title, [text for _, _, text in rows], np.array([label == wanted for _, label, _ in rows]))
    else:
        print(f"{BIBLIOGRAPHY} is not there: left out")
    yield from (read_file(Path(file)) for file in files)


def read_file(path: Path) -> LabelledSet:
    """The labelled records of a CSV file that have a title or an abstract.

    Raises:
        SystemExit: It has no column of labels, or too few records of a side.
    """
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    label = next((name for name in _LABELS if rows and name in rows[0]), None)
    if label is None or not {"title", "abstract"} <= set(rows[0]):
        raise SystemExit(f"{path}: columns title, abstract and {' or '.join(_LABELS)} are needed")
    labels, texts = [], []
    for number, row in enumerate(rows, 2):
        if row[label] not in {"0", "1"}:
            raise SystemExit(f"{path}: record {number} has the label {row[label]!r}, not 0 or 1")
        text = f"{row['title']} {row['abstract']}".strip()
        if text:
            labels.append(row[label] == "1")
            texts.append(text)
    if min(sum(labels), len(labels) - sum(labels)) <= KNOWN:
        raise SystemExit(f"{path}: more than {KNOWN} records of each side are needed")
    return LabelledSet(path.stem, texts, np.array(labels))


def measure_set(labelled: LabelledSet, asreview: Path | None) -> Iterator[Row]:
    """The measures of each contender on a set, of each seed and their mean."""
    relevant, records = int(labelled.is_relevant.sum()), len(labelled.texts)
    left, found = records - 2 * KNOWN, relevant - KNOWN
    work_saved, early_recall = RECALL - np.ceil(RECALL * found) / left, min(1, EARLY * left / found)
    print(
        f"{labelled.title}: {records:,} records, {relevant:,} of them relevant. At best, work saved is {work_saved:.3f}"
        f" and recall after {EARLY:.0%} is {early_recall:.3f}",
        flush=True,
    )
    training_set = labelled.build_training_set()
    folder = find_model()
    embedded = None if folder is None else labelled.build_training_set(load_encoder(folder))
    contenders: dict[str, Callable[[list[int], list[int], int], list[int]]] = {
        "random order": lambda _known, others, _seed: others,
        "aisle": lambda known, others, _seed: order_by_model(training_set, known, others),
    }
    if embedded is not None:
        contenders["aisle, embeddings"] = lambda known, others, _seed: order_by_model(embedded, known, others)
    if asreview is not None:
        contenders[f"ASReview LAB {ASREVIEW.partition('==')[2]}"] = lambda known, others, seed: order_by_asreview(
            asreview, labelled, known, others, seed
        )
    for name, order in contenders.items():
        judged = []
        for seed in SEEDS:
            known, others = labelled.draw_start(seed)
            ordered = order(known, others, seed)
            if sorted([*known, *ordered]) != list(range(records)):
                raise SystemExit(f"{name} has not ordered each record once")
            judged.append(judge_order(labelled.is_relevant[ordered]))
        measures = {
            measure: [getattr(one, measure) for one in judged]
            for measure in ("work_saved", "early_recall", "stopped_after", "stopped_recall")
        }
        means = {measure: float(np.mean(values)) for measure, values in measures.items()}
        cells = (
            f"{measure} {means[measure]:6.3f} ({' '.join(f'{value:.3f}' for value in values)})"
            for measure, values in measures.items()
        )
        print(f"  {name:20} {'  '.join(cells)}", flush=True)
        yield Row(labelled.title, name, records, **{measure: round(mean, 4) for measure, mean in means.items()})


def main() -> None:
    """Print the measures, and keep their means."""
    asreview = find_asreview()
    rows = [row for one in list_sets(sys.argv[1:]) for row in measure_set(one, asreview)]
    keep_results("review", [Path(file).name for file in sys.argv[1:]], rows)


if __name__ == "__main__":
    main()
