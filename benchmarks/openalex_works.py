"""Writes works in the form of OpenAlex's snapshot, made up from a seed: the same arguments give the same bytes.

Run with ``python -m benchmarks.openalex_works FOLDER [WORKS] [SEED]``. Each part is a gzipped JSON Lines file; a
``manifest`` lists them. A work has the fields, nesting and skew of the real ones in about 4 KB: few topics,
institutions and venues have most works, half of them no abstract, one in five another language than English.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

WORKS_PER_PART = 20_000
SCOPE_SHARE, DIRTY_SHARE, REPEATED_SHARE = 0.05, 0.05, 0.01
# what is wrong with a dirty line; the last three leave a work that can be used, with one odd field
UNUSABLE_KINDS = ("cut short", "not UTF-8", "no id of a work", "no object")
ODD_KINDS = ("citations as text", "authors as text", "an impossible day", "a number as title")
_SCOPE_PHRASES = (
    "AI safety",
    "AI alignment",
    "mechanistic interpretability",
    "reward hacking",
    "scalable oversight",
    "adversarial robustness",
    "reinforcement learning from human feedback",
    "machine unlearning",
)
_SCOPE_TOPICS = (
    ("T10883", "Ethics and Social Impacts of AI"),
    ("T11689", "Adversarial Robustness in Machine Learning"),
    ("T12026", "Explainable Artificial Intelligence (XAI)"),
)
_LABS = (
    ("I4210161460", "OpenAI (United States)", "OpenAI, San Francisco, CA, USA"),
    ("I4210090411", "Google DeepMind (United Kingdom)", "Google DeepMind, London, UK"),
    ("I4387930290", "Anthropic (United States)", "Anthropic, San Francisco, CA, USA"),
)
# words of abstracts of any field, some of them parts of phrases of the field
_COMMON_WORDS = (
    "the of and in to a is for with that on as by we this are from be an were was at results which study using between"
    " data can analysis model these have has based method time methods patients show system two different it or not"
    " effect high new models used during after treatment learning water cells rate control energy surface"
    " temperature human growth protein network field type source title author id feedback"
)
# of the field, and of other fields too; each is in one or two abstracts of a hundred
_AMBIGUOUS_WORDS = (
    "safety risk alignment robustness attack training distribution representation switch exploration team"
)
_SYLLABLES = "ka ri to mer lin us phi do ne va sol tra gen ic al por em ent bio cha ty ro se mi an ex po lu"


class Vocabulary(NamedTuple):
    """Texts that the works of a seed are made of; lists are drawn from by place, the first items most often."""

    words: list[str]
    people: list[str]
    institutions: list[str]
    topics: list[str]
    venues: list[str]


@dataclass
class Part:
    """One written part, with what a correct reader finds in it.

    Args:
        name: Name of the file.
        lines: Lines that are not blank.
        size_bytes: Length of the gzipped file.
        usable: Ids of the works that can be used, in order, with repetitions.
        in_scope: Ids of those that belong to the field.
        dirty: Number of lines of each kind of dirt.
    """

    name: str
    lines: int = 0
    size_bytes: int = 0
    usable: list[str] = field(default_factory=list)
    in_scope: list[str] = field(default_factory=list)
    dirty: Counter[str] = field(default_factory=Counter)


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _build_word(rng: random.Random) -> str:
    syllables = _SYLLABLES.split()
    return "".join(rng.choice(syllables) for _ in range(rng.randint(2, 4)))


def _pick(rng: random.Random, items: list[str]) -> str:
    """One of the items; the first ones are the most frequent."""
    return items[int(len(items) * rng.random() ** 3)]


def build_vocabulary(seed: int) -> Vocabulary:
    """The texts that the works of a seed are made of."""
    rng = random.Random(f"{seed}/vocabulary")
    others = [_build_word(rng) for _ in range(8000)]
    vocabulary = [*_COMMON_WORDS.split(), *others[:400], *_AMBIGUOUS_WORDS.split(), *others[400:]]
    weights = list(accumulate(1 / (rank + 3) for rank in range(len(vocabulary))))
    words = rng.choices(vocabulary, cum_weights=weights, k=400_000)
    names = [_build_word(rng).title() for _ in range(3000)]
    people = [f"{rng.choice(names)} {rng.choice('ABCDEFGHJKLM')}. {rng.choice(names)}" for _ in range(60_000)]
    institutions = [
        _build_institution(f"I{100_000_000 + number}", f"University of {rng.choice(names)}", rng)
        for number in range(4000)
    ]
    topics = [
        _build_topic(f"T{20_000 + number}", f"{rng.choice(names)} and {rng.choice(names)}", 0.9)
        for number in range(1500)
    ]
    venues = [_build_venue(number, rng) for number in range(5000)]
    return Vocabulary(words, people, institutions, topics, venues)


def _build_institution(identifier: str, name: str, rng: random.Random) -> str:
    parents = [f"https://openalex.org/I{rng.randint(10**8, 10**9)}"] if rng.random() < 0.3 else []
    return _dump(
        {
            "id": f"https://openalex.org/{identifier}",
            "display_name": name,
            "ror": f"https://ror.org/0{rng.randint(10**7, 10**8)}",
            "country_code": rng.choice(("US", "CN", "GB", "DE", "IN", "BR")),
            "type": "education",
            "lineage": [*parents, f"https://openalex.org/{identifier}"],
        }
    )


def _build_topic(identifier: str, name: str, score: float) -> str:
    return _dump(
        {
            "id": f"https://openalex.org/{identifier}",
            "display_name": name,
            "score": score,
            "subfield": {"id": "https://openalex.org/subfields/1702", "display_name": "Artificial Intelligence"},
            "field": {"id": "https://openalex.org/fields/17", "display_name": "Computer Science"},
            "domain": {"id": "https://openalex.org/domains/3", "display_name": "Physical Sciences"},
        }
    )


def _build_venue(number: int, rng: random.Random) -> str:
    return _dump(
        {
            "id": f"https://openalex.org/S{10**6 + number}",
            "display_name": f"Journal of {_build_word(rng).title()}",
            "issn_l": f"{rng.randint(1000, 9999)}-{rng.randint(1000, 9999)}",
            "issn": [f"{rng.randint(1000, 9999)}-{rng.randint(1000, 9999)}"],
            "is_oa": rng.random() < 0.4,
            "host_organization": f"https://openalex.org/P{rng.randint(10**9, 10**10)}",
            "host_organization_name": _build_word(rng).title(),
            "type": "journal",
        }
    )


def _build_authorships(rng: random.Random, vocabulary: Vocabulary, lab: tuple[str, str, str] | None) -> str:
    count = min(60, 1 + int(rng.expovariate(1 / 2.2)))
    parts = []
    for place in range(count):
        number = int(len(vocabulary.people) * rng.random())
        name = vocabulary.people[number]
        institution, printed = _pick(rng, vocabulary.institutions), f"Department of {name[-4:]}, {name} Institute, Town"
        if lab and place == 0:
            institution, printed = _build_institution(lab[0], lab[1], rng), lab[2]
        has_institution = rng.random() < 0.7 or (lab and place == 0)
        position = "first" if place == 0 else "last" if place == count - 1 else "middle"
        parts.append(
            f'{{"author_position":"{position}","author":{{"id":"https://openalex.org/A{5 * 10**9 + number}"'
            f',"display_name":"{name}","orcid":null}},"institutions":[{institution if has_institution else ""}]'
            f',"countries":["US"],"is_corresponding":{"true" if place == 0 else "false"},"raw_author_name":"{name}"'
            f',"raw_affiliation_strings":[{_dump(printed) if has_institution else ""}],"affiliations":[]}}'
        )
    return f"[{','.join(parts)}]"


def _build_index(words: list[str]) -> str:
    index: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        index.setdefault(word, []).append(place)
    return "{" + ",".join(f'"{word}":{places}'.replace(" ", "") for word, places in index.items()) + "}"


def _build_work(rng: random.Random, vocabulary: Vocabulary, number: int, is_in_scope: bool) -> str:
    words, begin = vocabulary.words, int(390_000 * rng.random())
    title_words, abstract_words = words[begin : begin + 6 + number % 9], list[str]()
    if rng.random() < 0.52:
        begin = int(390_000 * rng.random())
        abstract_words = words[begin : begin + 40 + int(rng.expovariate(1 / 80))]
    lab, topic = None, _pick(rng, vocabulary.topics) if rng.random() < 0.9 else "null"
    if is_in_scope:
        sign = rng.random()
        phrase = rng.choice(_SCOPE_PHRASES).split()
        if sign < 0.35:
            topic = _build_topic(*rng.choice(_SCOPE_TOPICS), 0.97)
        elif sign < 0.6:
            title_words = [*title_words[:3], *phrase, *title_words[3:]]
        elif sign < 0.9:
            abstract_words = [*(abstract_words or words[begin : begin + 90])]
            abstract_words[10:10] = phrase
        else:
            lab = rng.choice(_LABS)
    title, day = (
        " ".join(title_words).capitalize(),
        dt.date(1990, 1, 1) + dt.timedelta(int(13_000 * rng.random() ** 0.4)),
    )
    if number % 50 == 0:
        title = f"{title} of <i>{title_words[0]}</i> &amp; H<sub>2</sub>O"
    elif number % 20 == 0:
        title = f"{title}: “Größe” – études"
    identifier, citations = 2_000_000_000 + number, int(rng.expovariate(1) ** 4)
    doi = f'"https://doi.org/10.{1000 + number % 8000}/abc.{number}"' if rng.random() < 0.75 else "null"
    landing = doi if doi != "null" else f'"https://repository.example/handle/{number}"'
    location = (
        f'{{"is_oa":false,"landing_page_url":{landing},"pdf_url":null,"source":'
        f"{_pick(rng, vocabulary.venues) if rng.random() < 0.8 else 'null'}"
        f',"license":null,"license_id":null,"version":"publishedVersion","is_accepted":true,"is_published":true}}'
    )
    second = ""
    if number % 8 == 0:
        second = (
            f',{{"is_oa":true,"landing_page_url":"http://arxiv.org/abs/{10 + number % 15}0{1 + number % 9}.'
            f'{10_000 + number % 89_999}","pdf_url":null,"source":null,"license":null,"version":"submittedVersion"}}'
        )
    cited = ",".join(f'"https://openalex.org/W{int(rng.random() * 4e9)}"' for _ in range(int(rng.expovariate(1 / 9))))
    language = "en" if rng.random() < 0.8 else rng.choice(("de", "es", "fr", "pt", "zh", "ja"))
    other_topics = f",{_pick(rng, vocabulary.topics)}" if topic != "null" else ""
    return (
        f'{{"id":"https://openalex.org/W{identifier}","doi":{doi},"title":{_dump(title)}'
        f',"display_name":{_dump(title)},"publication_year":{day.year},"publication_date":"{day}"'
        f',"ids":{{"openalex":"https://openalex.org/W{identifier}","doi":{doi}}},"language":"{language}"'
        f',"primary_location":{location},"type":"article","indexed_in":["crossref"]'
        f',"open_access":{{"is_oa":false,"oa_status":"closed","oa_url":null,"any_repository_has_fulltext":false}}'
        f',"authorships":{_build_authorships(rng, vocabulary, lab)},"fwci":{citations / 7:.3f}'
        f',"has_fulltext":false,"cited_by_count":{citations},"biblio":{{"volume":"{number % 90}","issue":null'
        f',"first_page":"{number % 700}","last_page":null}},"is_retracted":{"true" if number % 997 == 0 else "false"}'
        f',"is_paratext":false,"primary_topic":{topic},"topics":[{"" if topic == "null" else topic}{other_topics}]'
        f',"keywords":[{{"id":"https://openalex.org/keywords/{title_words[0]}","display_name":"{title_words[0]}"'
        f',"score":0.5}}],"locations":[{location}{second}],"best_oa_location":null,"referenced_works_count":9'
        f',"referenced_works":[{cited}],"related_works":[]'
        f',"abstract_inverted_index":{_build_index(abstract_words) if abstract_words else "null"}'
        f',"counts_by_year":[{{"year":2025,"cited_by_count":{citations % 40}}}]'
        f',"updated_date":"2026-{1 + number % 6:02}-{1 + number % 28:02}T12:11:05.{number % 1_000_000:06}"'
        f',"created_date":"2025-01-0{1 + number % 9}"}}'
    )


def _spoil(kind: str, line: str) -> bytes:
    if kind == "cut short":
        return line[: len(line) * 2 // 3].encode()
    if kind == "not UTF-8":
        return line.encode().replace(b'"title":"', b'"title":"\xff\xfe', 1)
    if kind == "no id of a work":
        return line.replace("openalex.org/W", "openalex.org/A", 1).encode()
    if kind == "no object":
        return b"[" + line.encode() + b"]"
    if kind == "citations as text":
        return line.replace('"cited_by_count":', '"cited_by_count":"many","was":', 1).encode()
    if kind == "authors as text":
        return line.replace('"authorships":[', '"authorships":"nobody","were":[', 1).encode()
    if kind == "an impossible day":
        return line.replace('"publication_date":"', '"publication_date":"0000-00-00","was":"', 1).encode()
    return line.replace('"title":"', '"title":17,"was":"', 1).encode()


def iterate_lines(
    seed: int,
    part: int,
    works: int,
    part_of: Part,
    *,
    scope_share: float = SCOPE_SHARE,
    dirty_share: float = DIRTY_SHARE,
) -> Iterator[bytes]:
    """The lines of a part; what they hold is noted in the part."""
    rng, vocabulary = random.Random(f"{seed}/{part}"), build_vocabulary(seed)
    previous: tuple[bytes, str, bool] | None = None
    for place in range(works):
        if previous and rng.random() < REPEATED_SHARE:
            line, identifier, is_in_scope = previous
        else:
            number, is_in_scope = part * works + place, rng.random() < scope_share
            text, identifier = _build_work(rng, vocabulary, number, is_in_scope), f"W{2_000_000_000 + number}"
            line = text.encode()
            if rng.random() < dirty_share:
                kind = (*UNUSABLE_KINDS, *ODD_KINDS)[int(8 * rng.random())]
                part_of.dirty[kind] += 1
                part_of.lines += 1
                spoilt = _spoil(kind, text)
                if kind in ODD_KINDS:
                    part_of.usable.append(identifier)
                yield spoilt
                continue
            previous = (line, identifier, is_in_scope)
        part_of.lines += 1
        part_of.usable.append(identifier)
        if is_in_scope:
            part_of.in_scope.append(identifier)
        yield line


def write_part(folder: Path, seed: int, number: int, works: int, scope_share: float, dirty_share: float) -> Part:
    """Write one gzipped part."""
    part = Part(f"part_{number:04}.gz")
    lines = iterate_lines(seed, number, works, part, scope_share=scope_share, dirty_share=dirty_share)
    path = folder / part.name
    with path.open("wb") as raw, gzip.GzipFile("", "wb", compresslevel=4, fileobj=raw, mtime=0) as file:
        file.writelines(line + b"\n" for line in lines)
    part.size_bytes = path.stat().st_size
    return part


def write_parts(
    folder: Path,
    works: int,
    *,
    seed: int = 1,
    works_per_part: int = WORKS_PER_PART,
    scope_share: float = SCOPE_SHARE,
    dirty_share: float = DIRTY_SHARE,
    processes: int = 1,
) -> list[Part]:
    """Write the parts and their manifest.

    Args:
        folder: Where to write; made if it does not exist.
        works: Number of lines in all parts; rounded up to whole parts.
        seed: Decides every byte.
        works_per_part: Lines of a part.
        scope_share: Share of works that belong to the field.
        dirty_share: Share of lines with something wrong.
        processes: Processes that write at the same time; the bytes do not depend on it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbers = range(-(-works // works_per_part))
    arguments = ([value] * len(numbers) for value in (works_per_part, scope_share, dirty_share))
    jobs = ([folder] * len(numbers), [seed] * len(numbers), numbers, *arguments)
    if processes == 1:
        parts = list(map(write_part, *jobs))
    else:
        with ProcessPoolExecutor(processes) as pool:
            parts = list(pool.map(write_part, *jobs))
    entries = [
        {"url": part.name, "meta": {"content_length": part.size_bytes, "record_count": part.lines}} for part in parts
    ]
    lengths = {name: sum(entry["meta"][name] for entry in entries) for name in ("content_length", "record_count")}
    (folder / "manifest").write_text(json.dumps({"entries": entries, "meta": lengths}, indent=1), encoding="utf-8")
    return parts


def main() -> None:
    """Write the works."""
    folder, works, seed = (*sys.argv[1:], *("", "100000", "1")[len(sys.argv) - 1 :])[:3]
    parts = write_parts(Path(folder), int(works), seed=int(seed), processes=2)
    print(f"{sum(part.lines for part in parts):,} lines, {sum(part.size_bytes for part in parts):,} bytes gzipped")
    print(f"{sum(len(part.in_scope) for part in parts):,} in scope; {sum((p.dirty for p in parts), Counter())}")


if __name__ == "__main__":
    main()
