"""How good suggested categories are, beside published numbers, and what training and prediction cost in CPU seconds.

Run with ``python -m benchmarks.suggestions [LABELLED WORKS]`` (default: 3000 20000). The published mapping with its
abstracts, and the TAI safety bibliography, are read from ``../shared`` and skipped where they are not there. The
labelled works of the measurement of speed are made up, with a vocabulary and lengths like those of abstracts.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.growth import measure
from benchmarks.mentions import list_words, write
from benchmarks.results import Row, keep_results
from orchestration.defs.catalog import load_transforms
from orchestration.ingest.parser_process import parse_file
from transforms.embeddings.encoder import Encoder
from transforms.embeddings.models import find_model
from transforms.embeddings.vectors import format_vector
from transforms.engine import make_table
from transforms.suggestions.training_sets import TrainingSet, build_training_sets
from transforms.suggestions.validation import cross_validate
from warehouse.lake import PROJECT, Lake
from warehouse.sql import connect_tables, select_scalar_macros

SHARED = PROJECT.parent / "shared"
MAPPING = SHARED / "seeds" / "004_65e12ee1781831be.txt"
BIBLIOGRAPHY = SHARED / "samples" / "labelled_safety" / "tai_safety_bibliography" / "ai-alignment-papers.csv"
REFERENCE = "TF-IDF and complement naive Bayes, as published: accuracy 0.755, first two 0.83, ECE 0.06"
TRAINING = ("clean.models", "clean.model_terms", "clean.cross_validations")
CATEGORIES = 9
"""Categories of the made-up works."""


def split_words(texts: Sequence[str]) -> list[list[str]]:
    """The words of each text, as transforms split them."""
    with duckdb.connect() as connection:
        connection.execute(select_scalar_macros("words_of("))
        return [connection.execute("select words_of(?)", [text]).fetchall()[0][0] for text in texts]


def build_set(
    labelled: Sequence[tuple[str, str, str]], model: str = "category", encoder: Encoder | None = None
) -> TrainingSet:
    """The training set of identifiers, categories and texts, with embeddings if there is an encoder."""
    words = split_words([text for _, _, text in labelled])
    rows = (
        ("sample", model, item, category, one, encoder and format_vector(encoder.encode(text)))
        for (item, category, text), one in zip(labelled, words, strict=True)
    )
    (training_set,) = build_training_sets(rows)
    return training_set


def read_mapping() -> list[tuple[str, str, str]]:
    """The works of the published mapping with abstracts; rows that it marks as duplicates would leak."""
    _, result = parse_file(MAPPING, MAPPING.name, {}, "lab_sheet")
    values = [record.values for record in result.records if not record.values["is_duplicate"]]
    return [
        (f"{number:03}", str(one["category"]), f"{one['title']} {one['abstract'] or ''}")
        for number, one in enumerate(values)
    ]


def read_bibliography(negatives: Iterable[str]) -> list[tuple[str, str, str]]:
    """Works that the bibliography tags as technical safety, and those with one of other tags."""
    labelled = []
    with BIBLIOGRAPHY.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            tags = {tag.strip() for tag in row["Manual Tags"].split(";")}
            is_positive, is_negative = "TechSafety" in tags, bool(tags & set(negatives))
            if row["Abstract Note"] and is_positive != is_negative:
                label = "in scope" if is_positive else "not in scope"
                labelled.append((row["Key"], label, f"{row['Title']} {row['Abstract Note']}"))
    return labelled


def judge(training_set: TrainingSet) -> dict[str, float]:
    """The measures of a card, computed by scikit-learn from nested cross-validation."""
    from sklearn import metrics

    unseen = list(cross_validate(training_set))
    right = training_set.labels[[one.work for one in unseen]]
    probabilities = np.array([one.probabilities for one in unseen])
    first, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    learnt = right >= 0
    in_first_two = (np.argsort(-probabilities, axis=1)[:, :2] == right[:, None]).any(axis=1)
    covered = np.array([one.is_in_set[label] for one, label in zip(unseen, right, strict=True) if label >= 0])
    bins = np.minimum((confidence * 10).astype(int), 9)
    gaps = [
        abs(confidence[bins == one].mean() - (first == right)[bins == one].mean()) * (bins == one).mean()
        for one in set(bins.tolist())
    ]
    judged = {
        "works": float(len(right) / len({one.repetition for one in unseen})),
        "accuracy": float((first == right).mean()),
        "macro_f1": float(metrics.f1_score(right, first, average="macro", zero_division=0)),
        "kappa": float(metrics.cohen_kappa_score(right, first)),
        "first two": float(in_first_two.mean()),
        "log_loss": float(metrics.log_loss(right[learnt], probabilities[learnt])),
        "calibration error": float(sum(gaps)),
        "coverage": float(covered.mean()),
        "set size": float(np.mean([one.is_in_set.sum() for one in unseen])),
        "confident": float((confidence >= 0.8).mean()),
        "right there": float((first == right)[confidence >= 0.8].mean()),
    }
    if probabilities.shape[1] == 2:
        judged["AUC"] = float(metrics.roc_auc_score(right == 0, probabilities[:, 0]))
    return judged


def print_quality() -> None:
    """Print the measures for each labelled sample that is there."""
    samples: list[tuple[str, Path, Callable[[], list[tuple[str, str, str]]]]] = [
        (f"published mapping, strict ({REFERENCE})", MAPPING, read_mapping),
        (
            "relevance: TechSafety or NotSafety (published: AUC 0.880)",
            BIBLIOGRAPHY,
            lambda: read_bibliography(["NotSafety"]),
        ),
        (
            "relevance: TechSafety, or MetaSafety and NotSafety (published: AUC 0.905)",
            BIBLIOGRAPHY,
            lambda: read_bibliography(["MetaSafety", "NotSafety"]),
        ),
    ]
    folder = find_model()
    encoders = {"words": None} | ({} if folder is None else {"words and embeddings": Encoder(folder)})
    for title, path, read in samples:
        if not path.exists():
            print(f"{title}: skipped, {path.name} is not there")
            continue
        print(title)
        for name, encoder in encoders.items():
            begun = time.process_time()
            judged = judge(build_set(read(), "relevance" if title.startswith("relevance") else "category", encoder))
            numbers = ", ".join(f"{measure} {value:.3f}" for measure, value in judged.items())
            print(f"    {name}: {numbers}; {time.process_time() - begun:.1f} CPU seconds", flush=True)


def write_lake(lake: Lake, labelled: int, works: int) -> None:
    """Write labelled works, and works without a label; some words of a category are its own."""
    of_category = f"'c' || number % {CATEGORIES} || 'w' || hash(number, place) % 300"
    own = f"array_to_string(list_transform(range(20), lambda place: {of_category}), ' ')"
    text = f"select 'work ' || number as item_id, number, {own} || ' ' || {list_words(180, 'abstract')} as abstract"
    labels = f"({text} from (select unnest(range({labelled})) as number))"
    label = f"'made_up' as taxonomy, 'category' as model, 'c' || number % {CATEGORIES} as category, 'listed' as basis"
    write(lake, "clean.training_labels", f"select item_id, abstract, {label} from {labels}")
    others = f"({text} from (select unnest(range({labelled}, {labelled + works})) as number))"
    write(lake, "clean.works", f"select item_id as work_id, abstract from {others}")
    write(lake, "clean.text_embeddings", None)
    write(lake, "clean.reviewed_labels", None)
    write(lake, "clean.reviewed_scopes", None)


def make(lake: Path, *names: str) -> None:
    """Make tables of a lake."""
    for name in names:
        make_table(load_transforms()[name], Lake(lake))


def measure_speed(labelled: int, works: int) -> Iterator[Row]:
    """The cost of training on made-up labelled works, and of suggestions for others.

    Raises:
        SystemExit: A work has no suggestion, or few first ones are right.
    """
    script = "import sys; from pathlib import Path; from benchmarks.suggestions import make\n"
    script += "make(Path(sys.argv[1]), *sys.argv[2:])"
    with tempfile.TemporaryDirectory() as folder:
        write_lake(Lake(Path(folder)), labelled, works)
        cost = measure(script, folder, *TRAINING)
        print(f"training on {labelled:,} works, with their cross-validation: {cost}", flush=True)
        yield cost.to_row("training, with its cross-validation", size=labelled)
        nothing = measure(script, folder)
        cost = measure(script, folder, "clean.suggestions")
        with connect_tables(Lake(Path(folder)), ["clean.suggestions"]) as connection:
            query = f"""
                select count(*), avg((category = 'c' || split_part(work_id, ' ', 2)::int % {CATEGORIES})::int)
                from clean.suggestions where category_position = 1
            """
            ((suggested, right),) = connection.execute(query).fetchall()
        if suggested != works or right < 0.9:
            raise SystemExit(f"{suggested:,} of {works:,} works have a suggestion, {right:.0%} of the first are right")
        rate = works / (cost.cpu_seconds - nothing.cpu_seconds)
        print(f"suggestions for {works:,} works: {cost}; {rate:,.0f} works per CPU second beside start-up", flush=True)
        yield cost.to_row("suggestions", size=works)


def main() -> None:
    """Print quality and cost, and keep the cost."""
    labelled, works = (int(number) for number in sys.argv[1:]) if len(sys.argv) > 1 else (3_000, 20_000)
    print_quality()
    keep_results("suggestions", sys.argv[1:], list(measure_speed(labelled, works)))


if __name__ == "__main__":
    main()
