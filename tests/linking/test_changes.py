"""Linking of what has changed alone: the same links as when all records are linked."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path
from typing import Any

import pytest

from tests.support.builders import NOW, build_release, fetch_rows, make_publication
from tests.support.linking import link_records, make_record
from transforms.linking import changes, limits, links
from warehouse.lake import Lake
from warehouse.release import read_current_release

WORDS = ["agents", "habits", "games", "rules", "rewards", "models", "circuits", "oversight", "preferences", "maps"]
SENTENCES = [
    "we study how agents that were trained on one game behave in others",
    "three of four agents keep the habits that the first game has rewarded",
    "a small change of the reward removes the effect in all of the agents",
    "the code and the results of all of the games are published with this",
    "the circuits that decide are found by taking out one part at a time",
]
SMALL_LIMITS = {"MAX_BLOCK": 3, "MAX_SAME_TEXT": 3, "MAX_SENTENCE_ABSTRACTS": 2, "MAX_SAME_TITLE": 2}


def make_chance_record(chance: random.Random, number: int) -> dict[str, Any]:
    """A record that has much in common with others."""
    words = chance.sample(WORDS, chance.randint(3, 6))
    if chance.random() < 0.5:  # a title that many have, or nearly
        words = [*WORDS[:5], chance.choice(WORDS), *chance.sample(["one", "small", "larger"], chance.randint(0, 1))]
    sentences = chance.sample(SENTENCES, chance.randint(3, 5)) if chance.random() < 0.5 else []
    return make_record(
        f"r{number:03}",
        " ".join(words),
        *sorted(chance.sample(["arxiv:1", "doi:1", "openalex:W1", "openalex:W2"], chance.choice([0, 0, 0, 1]))),
        surnames=chance.choice([None, "ada", "byron", "ada; byron", "curie"]),
        published_year=chance.choice([None, 2020, 2021, 2024]),
        lab=chance.choice([None, None, "a lab"]),
        abstract=". ".join(sentences) or None,
        abstract_sha256=chance.choice([None, None, None, None, "0" * 64]),
        day=chance.randint(0, 3),
    )


def change_records(chance: random.Random, records: dict[str, dict[str, Any]], next_number: int) -> None:
    """Add, change and remove a few records."""
    for _ in range(chance.randint(1, 3)):
        kind = chance.choice(["add", "add", "change", "remove"])
        if kind == "add" or not records:
            number = next_number = next_number + 1
        else:
            number = int(chance.choice(sorted(records))[1:])
        records.pop(f"r{number:03}", None)
        if kind != "remove":
            records[f"r{number:03}"] = make_chance_record(chance, number)


@pytest.mark.parametrize("seed", range(3))
def test_linking_what_has_changed_has_the_result_of_linking_all(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(changes, "MAX_SHARE", 1.0)
    for name, value in SMALL_LIMITS.items():
        monkeypatch.setattr(limits, name, value)
    records = {f"r{n:03}": make_chance_record(chance, n) for n in range(chance.choice([5, 15, 30]))}
    last, links = list(records.values()), list(link_records(records.values()).values())
    for step in range(3):
        change_records(chance, records, 100 * (step + 1))
        found = link_records(records.values(), last, links)
        assert found == link_records(records.values())
        last, links = list(records.values()), list(found.values())


FIRST = make_publication("a", title="Agents that keep their habits", url="https://arxiv.org/abs/2301.00001")
OTHERS = [make_publication(f"o{n}", title=f"Games with rule number {n}", url=f"https://x.org/{n}") for n in range(9)]
PREPRINT = make_publication(
    "b",
    title="Habits of agents",
    url="https://arxiv.org/abs/2301.00001v2",
    first_seen_at=NOW + dt.timedelta(days=1),
)


@pytest.mark.parametrize("damage", [False, True])
def test_a_run_links_what_has_changed_since_the_last_release_if_that_can_be_read(
    damage: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, only = Lake(tmp_path), ["clean.record_links"]
    build_release(lake, [FIRST, *OTHERS], only=only)
    if damage:  # in the middle of the file, which keeps its size
        path = read_current_release(lake).path
        path.chmod(0o644)
        content = path.read_bytes()
        path.write_bytes(content[:16_384] + bytes(len(content) - 16_384))
    linked = list[bool]()

    def find_affected(connection: Any) -> bool:
        linked.append(changes.find_affected(connection))
        return linked[-1]

    monkeypatch.setattr(links, "find_affected", find_affected)
    release = build_release(lake, [FIRST, PREPRINT, *OTHERS], only=only)
    found = fetch_rows(release, "select first_record_id, second_record_id from clean.record_links where is_accepted")
    assert found == [("a", "b")]
    assert linked[-1] is not damage
