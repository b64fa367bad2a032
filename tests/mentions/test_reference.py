"""The reference data of mentions: what anyone may extend must stay usable."""

from __future__ import annotations

import re
from pathlib import Path

from transforms.mentions.words import Words
from transforms.reader import FOLDER
from warehouse.reference import read_rows


def test_each_alias_has_words_and_stands_once() -> None:
    keys = [(" ".join(Words(row["alias"]).folded), row["kind"], row["target"]) for row in read_rows("aliases")]
    assert all(words for words, _, _ in keys)
    sensitive = [(row["alias"], row["kind"], row["target"]) for row in read_rows("aliases")]
    assert len(set(sensitive)) == len(sensitive)


def test_an_alias_means_one_lab_person_or_topic() -> None:
    targets: dict[str, set[tuple[str, str]]] = {}
    for row in read_rows("aliases"):
        if row["kind"] != "work":
            targets.setdefault(" ".join(Words(row["alias"]).folded), set()).add((row["kind"], row["target"]))
    assert {alias: meanings for alias, meanings in targets.items() if len(meanings) > 1} == {}


def test_acronyms_are_case_sensitive() -> None:
    short = [row for row in read_rows("aliases") if re.fullmatch(r"[A-Z]{2,4}s?", row["alias"])]
    assert len(short) > 5
    assert [row["alias"] for row in short if row["is_case_sensitive"] != "true" and row["alias"] != "RLHF"] == []


def test_targets_of_works_are_canonical_keys() -> None:
    for row in read_rows("aliases"):
        if row["kind"] == "work":
            assert re.fullmatch(
                r"(?:arxiv|doi|openalex|openreview|lw|eaf|openai|anthropic|tcircuits|url):\S+", row["target"]
            )


def test_boilerplate_can_be_compiled_and_matches_no_empty_text() -> None:
    for row in read_rows("boilerplate"):
        assert not re.compile(row["pattern"]).search("")


def test_every_rule_is_used_by_the_tables() -> None:
    queries = "".join(Path(file).read_text(encoding="utf-8") for file in FOLDER.glob("clean/*mentions.sql"))
    for row in read_rows("mention_rules"):
        assert f"'{row['mention_rule']}'" in queries, row["mention_rule"]
        assert 0 < float(row["certainty"]) <= 1
