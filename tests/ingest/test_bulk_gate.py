"""The gate of bulk files: the cheap test of a line loses nothing that the exact test finds; ordinary characters."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pytest

from orchestration.ingest.bulk import compute_bulk_version, find_bulk_source
from orchestration.sources.gate import load_gate
from orchestration.sources.registry import get_source
from orchestration.sources.shared.bulk_sql import ORDINARY
from tests.ingest.test_bulk import OPENALEX, PAPER, TEXT, WORK, read, read_rows
from warehouse.names import clean_line
from warehouse.reference import read_rows as read_reference_rows

PLAIN = [row["keyword"] for row in read_reference_rows("gate_keywords") if not row["pattern"]]
# what the keywords with a pattern stand for
PHRASES = [
    *PLAIN,
    "jailbreaks of LLMs",
    "deceptive behaviour of large language models",
    "a model that is sycophantic, as chatbots are",
    "alignment of language models",
    "red-teaming of AI",
    "robustness of neural networks",
    "provably robust training",
    "oversight of AI",
]
OTHERS = [
    *(
        "sequence alignment of proteins",
        "the safety of patients",
        "an air index of distribution",
        "robustness of bridges",
    ),
    *("team sports", "honest accounts of history", "an open air market", "aid and AIDS", "generally explained"),
]


def build_index(text: str) -> dict[str, list[int]]:
    index: dict[str, list[int]] = {}
    for place, word in enumerate(text.split()):
        index.setdefault(word, []).append(place)
    return index


def list_passing(tmp_path: Path, lines: list[dict]) -> list[str]:
    data = "\n".join(json.dumps({**WORK, **line}) for line in lines).encode()
    return [row["locator"] for row in read_rows(read(tmp_path, data, is_gated=True).records_path)]


@pytest.mark.parametrize("form", [str, str.upper, lambda text: text.replace(" ", "-"), lambda text: f"of {text}, of"])
def test_every_keyword_passes_in_title_and_abstract(tmp_path: Path, form) -> None:
    texts = [form(phrase) for phrase in PHRASES]
    titles = [{"title": text, "abstract_inverted_index": None} for text in texts]
    abstracts = [
        {"title": "A title", "abstract_inverted_index": build_index(f"We study the {text} here.")} for text in texts
    ]
    passing = list_passing(tmp_path, [*titles, *abstracts])
    missing = [line for number, line in enumerate([*titles, *abstracts], 1) if f"line {number}" not in passing]
    if form(" ") == "-":  # the patterns have blanks in their contexts, keywords do not
        missing = [
            one for one in missing if not any(text.replace(" ", "-") in str(one) for text in PHRASES[len(PLAIN) :])
        ]
    assert missing == []


def test_other_texts_do_not_pass(tmp_path: Path) -> None:
    assert list_passing(tmp_path, [{"title": text, "abstract_inverted_index": None} for text in OTHERS]) == []


def test_topics_and_labs_pass_without_a_keyword(tmp_path: Path) -> None:
    gate = load_gate()

    def at(lineage: list[str], printed: list[str]) -> dict:
        institution = {"id": "https://openalex.org/I5", "lineage": [f"https://openalex.org/{one}" for one in lineage]}
        return {
            "authorships": [
                {**WORK["authorships"][0], "raw_affiliation_strings": printed, "institutions": [institution]}
            ]
        }

    lines = [
        *({"primary_topic": {"id": f"https://openalex.org/{topic}", "display_name": "T"}} for topic in gate.topics),
        *(at(["I5", lab], []) for lab in gate.institutions),
        *(
            at([], [text])
            for text in ("Anthropic, San Francisco", "Google Deep Mind, London", "Open AI", "OpenAI Inc.")
        ),
        at(["I42101614600"], ["an anthropic principle", "DeepMindful Ltd."]),
        {"primary_topic": {"id": "https://openalex.org/T108830", "display_name": "T"}},
    ]
    assert list_passing(tmp_path, lines) == [f"line {number}" for number in range(1, len(lines) - 1)]


def test_escaped_letters_are_found(tmp_path: Path) -> None:
    line = json.dumps({**WORK, "title": "On reward hacking"}).replace("hacking", "h\\u0061cking")
    assert read(tmp_path, line.encode(), is_gated=True).records_kept_rows == 1


def test_ordinary_characters_stay_as_they_are_and_do_not_compose() -> None:
    ranges = re.sub(r"\\x\{([0-9a-f]+)\}", lambda match: re.escape(chr(int(match[1], 16))), ORDINARY)
    pattern = re.compile(f"[{ranges}&<]")
    ordinary = [chr(code) for code in range(0x10000) if not 0xD800 <= code < 0xE000 and pattern.fullmatch(chr(code))]
    assert len(ordinary) > 30_000
    for character in ordinary:
        assert clean_line(f"a{character}b") == f"a{character}b"
        assert unicodedata.combining(character) == 0
    for first in ("a", "가", "か", "ا"):
        assert all(unicodedata.is_normalized("NFC", first + character) for character in ordinary)


def test_version_of_a_part_changes_with_the_gate_and_with_its_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    gated = compute_bulk_version(OPENALEX, is_gated=True)
    assert gated == compute_bulk_version(OPENALEX, is_gated=True) != compute_bulk_version(OPENALEX, is_gated=False)
    rows = read_reference_rows("gate_topics")
    monkeypatch.setattr(
        "orchestration.sources.gate.read_rows",
        lambda name: rows[1:] if name == "gate_topics" else read_reference_rows(name),
    )
    assert compute_bulk_version(OPENALEX, is_gated=True) != gated


@pytest.mark.parametrize(("name", "record"), [("arxiv_papers", PAPER), ("alignment_dataset", TEXT)])
def test_other_bulk_files_are_recognised_and_read(tmp_path: Path, name: str, record: dict) -> None:
    source = get_source(name)
    data = "\n".join(json.dumps({**record, "id": identifier}) for identifier in ("2401.00001", "2401.00002")).encode()
    part = read(tmp_path, data, source, is_gated=True)
    assert find_bulk_source(tmp_path / "part") is source
    assert (part.records_kept_rows, part.records_out_of_scope) == (2, 0)


def test_gate_of_papers_is_their_title_and_abstract(tmp_path: Path) -> None:
    papers = [PAPER, {**PAPER, "id": "2401.00002", "abstract": "We study stars.", "title": "Stars"}]
    part = read(tmp_path, "\n".join(map(json.dumps, papers)).encode(), get_source("arxiv_papers"), is_gated=True)
    assert [row["arxiv_id"] for row in read_rows(part.records_path)] == ["2401.00001"]
    assert part.out_of_scope_reasons == {"no keyword of the gate in title or abstract": 1}
