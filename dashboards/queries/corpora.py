"""Corpora: what a count is about, what it covers, and which one answers the question of a page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from dashboards.queries.release import query_release
from dashboards.text import format_count, format_date
from warehouse.release import Release

MAPPING = "iaps_mapping"
"""The published mapping, which addresses and queries without a corpus are about."""
CORPUS_TABLES = (
    *("clean.corpora", "reference.corpora", "mart.corpus_coverage", "mart.corpus_sources", "mart.work_counts_by_month"),
    *("mart.counted_works", "clean.works", "clean.work_labs", "clean.work_labels"),
)
"""Tables that a count in a corpus reads besides the others; releases of earlier versions lack them."""
_TAXONOMIES = """
    select counted.taxonomy, coalesce(declared.title, lists.title, counted.taxonomy) as title
    from clean.corpus_taxonomies as counted
    left join reference.taxonomies as declared on counted.taxonomy = declared.taxonomy
    left join clean.corpora as lists on counted.taxonomy = lists.corpus
    where counted.corpus = $corpus
    order by counted.is_own desc, coalesce(declared.is_default, false) desc, counted.taxonomy
"""
_LABELLED_SHARE = 0.95  # as is_applicable of mart.counting_rule_totals


@dataclass(frozen=True)
class Corpus:
    """A corpus of a release, with what it covers.

    Args:
        name: Its name in queries and addresses.
        title: Its name in a sentence.
        definition: What belongs to it.
        kind: ``list`` or ``living``.
        works: Distinct works.
        items: What it holds: rows of a list, else works.
        undated_works: Works without a day or month.
        unlabelled_works: Works without a category.
        works_without_lab: Works without a lab.
        withdrawn_works: Withdrawn works that it leaves out.
        taxonomy: The taxonomy of its categories.
        source_names: Names of its sources, separated by semicolons; None without works.
        labs: Names of its labs, separated by semicolons; None without any.
        covers_from: First day that it covers; None without a dated work.
        covers_until: Last day that it covers.
        newest_seen_at: When the newest snapshot of its sources was fetched or added.
        stale_since: Day from which it is stale if nothing is added.
        basis: Origin of what is stated of its time.
        excluded_works: Works that people excluded from it; none in releases of earlier versions.
    """

    name: str
    title: str
    definition: str
    kind: str
    taxonomy: str
    works: int
    items: int
    undated_works: int
    unlabelled_works: int
    works_without_lab: int
    withdrawn_works: int
    source_names: str | None
    labs: str | None
    covers_from: dt.date | None
    covers_until: dt.date | None
    newest_seen_at: dt.datetime | None
    stale_since: dt.date | None
    basis: str
    excluded_works: int = 0

    @property
    def is_living(self) -> bool:
        """Whether every source adds to it."""
        return self.kind == "living"

    @property
    def is_labelled(self) -> bool:
        """Whether at least 95 % of its works have a category, so that it can show how works spread over categories."""
        return self.unlabelled_works <= (1 - _LABELLED_SHARE) * self.works

    @property
    def label(self) -> str:
        """Its title with its name: Publications of labs (lab_publications)."""
        return f"{self.title} ({self.name})"


def list_corpora(release: Release) -> list[Corpus]:
    """The corpora of a release, the widest first; none in a release of an earlier version."""
    tables = set(release.manifest["tables"])
    known = next((name for name in ("clean.corpora", "reference.corpora") if name in tables), None)
    if known is None or "mart.corpus_coverage" not in tables:
        return []
    query = f"""
        select
            corpora.corpus as name,
            corpora.title,
            corpora.definition,
            corpora.kind,
            corpora.taxonomy,
            coverage.* exclude (
                corpus, year_only_works, holds_from, holds_until, provisional_from
            )
        from {known} as corpora
        inner join mart.corpus_coverage as coverage on corpora.corpus = coverage.corpus
        order by coverage.works desc, corpora.kind = 'list', corpora.corpus
    """
    return [Corpus(**row) for row in query_release(release, query).iter_rows(named=True)]


def find_corpus(release: Release, name: str | None) -> Corpus | None:
    """A corpus of a release by its name; None if the release has none of that name."""
    return next((corpus for corpus in list_corpora(release) if corpus.name == name), None)


def list_taxonomies(release: Release, corpus: str | None = None) -> dict[str, str]:
    """Titles of the taxonomies in which a corpus is counted, by name, that of its own categories first."""
    found = find_corpus(release, corpus)
    if found is not None and "clean.corpus_taxonomies" in release.manifest["tables"]:
        return dict(query_release(release, _TAXONOMIES, {"corpus": found.name}).iter_rows())
    if found is not None and found.taxonomy == found.name:  # of a list whose categories are in no other taxonomy
        return {found.taxonomy: found.title}
    query = "select taxonomy, title from reference.taxonomies order by is_default desc, taxonomy"
    return dict(query_release(release, query).iter_rows())


def find_taxonomy(release: Release, corpus: str | None) -> str:
    """The taxonomy of the categories of a corpus."""
    return next(iter(list_taxonomies(release, corpus)))


def name_crosswalk(release: Release) -> str:
    """The table by which categories count in other taxonomies; in releases of earlier versions none is decided."""
    decided = "clean.category_crosswalk"
    return decided if decided in release.manifest["tables"] else "reference.category_crosswalk"


def find_widest(corpora: Sequence[Corpus], *, needs_lab: bool = False, needs_category: bool = False) -> str | None:
    """The widest corpus that answers a question; None if there is no corpus.

    A list that somebody added is chosen only where neither the mapping nor a living corpus answers the question.

    Args:
        corpora: The corpora of a release, the widest first.
        needs_lab: Whether the question is about labs, so that works without a lab are beside it.
        needs_category: Whether it is about how works spread over categories: most works must have one.
    """
    able = [corpus for corpus in corpora if not (needs_lab and corpus.name == "all_works")]
    able = [corpus for corpus in able if not needs_category or (corpus.is_labelled and corpus.works)]
    able.sort(key=lambda corpus: corpus.kind == "list" and corpus.name != MAPPING)
    return (able or list(corpora)[-1:])[0].name if corpora else None


def describe_corpus(corpus: Corpus, today: dt.date) -> str:
    """What is counted and what that covers, as sentences."""
    held = format_count(corpus.works, "work")
    if corpus.items != corpus.works:
        held = f"{held} in {format_count(corpus.items, 'row')}"
        if corpus.is_living:
            held = f"{format_count(corpus.works, 'work')} ({corpus.items:,} with marked duplicates)"
    facts = [held]
    if corpus.labs:
        facts[0] = f"{held} of {_list_few(corpus.labs.split('; '), 'lab')}"
        if corpus.works_without_lab:
            facts[0] += " and others"
    if corpus.source_names:
        facts.append(f"from {_list_few(corpus.source_names.split('; '), 'source')}")
    if corpus.covers_from and corpus.covers_until:
        facts.append(f"{format_date(corpus.covers_from)} to {format_date(corpus.covers_until)}")
    remainders = [
        (corpus.undated_works, "without a known day or month"),
        (corpus.unlabelled_works, "without a category"),
        (corpus.works_without_lab, "without a lab"),
        (corpus.withdrawn_works, "withdrawn and not counted"),
        (corpus.excluded_works, "excluded by people"),
    ]
    of_them = ", ".join(f"{count:,} {what}" for count, what in remainders if count)
    sentence = f"{', '.join(facts)}{f'; {of_them}' if of_them else ''}."
    if corpus.stale_since and today >= corpus.stale_since:
        sentence += f" Stale since {format_date(corpus.stale_since)}."
    return sentence


def _list_few(names: Sequence[str], noun: str) -> str:
    """Up to three names, or else how many there are."""
    return ", ".join(names) if len(names) <= 3 else format_count(len(names), noun)


def describe_sources(release: Release, corpus: Corpus) -> str | None:
    """A caution on the time of the sources of a living corpus, since one that begins or ends changes its counts."""
    if not corpus.is_living:
        return None
    query = "from mart.corpus_sources where corpus = $corpus order by covers_from nulls last, source"
    rows = query_release(release, query, {"corpus": corpus.name})
    if rows.is_empty() or rows.select(pl.col("is_claimed").all()).item():
        return None
    spans = "; ".join(
        f"{row['source']} {row['covers_from']:%Y-%m} to {row['covers_until']:%Y-%m}"
        for row in rows.iter_rows(named=True)
        if row["covers_from"] and row["covers_until"]
    )
    return (
        "None of the sources of this corpus is complete, and they begin and end at different times "
        f"({spans}): a change of the counts can be one of the sources."
    )


def select_details(release: Release, name: str | None) -> str:
    """Title, labs, categories, date and address of what a corpus counts, as a relation."""
    corpus = find_corpus(release, name)
    if corpus is None or corpus.name == MAPPING:
        return "clean.publications"
    if not corpus.is_living:
        return "(select * from clean.list_entries where list = $corpus)"
    return """(
            select
                counted.item_id as publication_id,
                works.title,
                coalesce(works.labs, '(no followed lab)') as lab,
                counted.category,
                counted.published_on,
                counted.is_duplicate,
                works.url
            from clean.works as works
            inner join (
                select
                    item_id,
                    any_value(categories) as category,
                    any_value(published_on) as published_on,
                    any_value(is_duplicate) as is_duplicate
                from mart.counted_works
                where corpus = $corpus
                group by item_id
            ) as counted on works.work_id = counted.item_id
        )"""
