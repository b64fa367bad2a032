"""The SQL statement that reads works of OpenAlex from parts of its snapshot, with the values of the parser.

A work that is not of the usual form in a field that is read is left to the parser: a value of another type, a date of
another form, an abstract with gaps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from orchestration.sources.gate import Gate, build_line_test
from orchestration.sources.shared.bulk_sql import (
    SEPARATOR,
    clean_text,
    clean_title,
    has_keyword,
    has_lab,
    has_odd_text,
    has_other_types,
    is_odd_date,
    join_distinct,
    list_types,
    parse_day,
    parse_moment,
    quote,
    sift_lines,
    squeeze,
)

_MAX_AUTHORS = 100  # as in the parser
UNREADABLE = "unreadable"  # in place of a note on an abstract that only the parser can judge
_WORK_ID = "(?:https://openalex[.]org/)?W[0-9]+"
_TEXT_PATHS = [
    "id",
    "doi",
    "title",
    "publication_date",
    "type",
    "language",
    "updated_date",
    "primary_location.landing_page_url",
    "primary_location.source.display_name",
    "primary_topic.id",
    "primary_topic.display_name",
]
# the type of each other path that is read
_OTHER_PATHS = {
    "primary_location": "OBJECT",
    "primary_location.source": "OBJECT",
    "primary_topic": "OBJECT",
    "abstract_inverted_index": "OBJECT",
    "locations": "ARRAY",
    "authorships": "ARRAY",
    "referenced_works": "ARRAY",
    "is_retracted": "BOOLEAN",
    "cited_by_count": "UBIGINT BIGINT",
}
_TEXT = "VARCHAR"
_STRUCTURE = {
    "doi": _TEXT,
    "title": _TEXT,
    "publication_date": _TEXT,
    "type": _TEXT,
    "language": _TEXT,
    "updated_date": _TEXT,
    "primary_location": {"landing_page_url": _TEXT, "source": {"display_name": _TEXT}},
    "primary_topic": {"id": _TEXT, "display_name": _TEXT},
    "locations": [{"landing_page_url": _TEXT, "is_oa": _TEXT}],  # the latter is in every real entry
    "authorships": [
        {
            "author": {"id": _TEXT, "display_name": _TEXT},
            "raw_author_name": _TEXT,
            "raw_affiliation_strings": [_TEXT],
            "institutions": [{"id": _TEXT, "lineage": [_TEXT]}],
        }
    ],
    "cited_by_count": "BIGINT",
    "is_retracted": "BOOLEAN",
    "referenced_works": [_TEXT],
    "abstract_inverted_index": "JSON",
}


def is_work(value: Mapping[str, Any]) -> bool:
    """Whether a JSON object has the marks of a work."""
    return str(value.get("id")).rpartition("/")[2].startswith("W") and {"authorships", "doi"} & value.keys() != set()


def _strip_prefix(address: str) -> str:
    return f"regexp_extract({address}, '[^/]*$')"


def build_query(gate: Gate | None) -> str:
    """The statement that reads the works in ``lines``; with a gate only those that pass it."""
    is_candidate, passes = "true", "true"
    if gate:
        topics, labs = (", ".join(map(quote, ids)) for ids in (gate.topics, gate.institutions))
        ids = "|".join([*(f"/{topic}\\b" for topic in gate.topics), *(f"/{lab}\\b" for lab in gate.institutions)])
        if test := build_line_test(gate.keyword_signs, gate.affiliation_signs, ids):
            is_candidate = f"regexp_matches(line, {quote(test)})"
        passes = f"""
            coalesce({_strip_prefix("work.primary_topic.id")} in ({topics}), false)
            or list_has_any(coalesce(institution_ids, []), [{labs}])
            or {has_keyword(gate, "title", "abstract")}
            or {has_lab(gate, "affiliations")}
        """
    separator = quote(SEPARATOR)
    index_place, count_place = (
        len(_TEXT_PATHS) + 1 + list(_OTHER_PATHS).index(name) for name in ("abstract_inverted_index", "cited_by_count")
    )
    leaf_texts = f"""
        array_to_string(list_concat(
            [work.primary_location.source.display_name, work.primary_topic.display_name],
            flatten(list_transform(work.authorships, lambda a:
                list_concat([a.author.display_name, a.raw_author_name], a.raw_affiliation_strings)))
        ), {quote(SEPARATOR)})
    """
    urls = f"""
        concat_ws({quote(SEPARATOR)}, doi_text, landing_url,
            array_to_string(list_transform(work.locations, lambda l: l.landing_page_url), {quote(SEPARATOR)}))
    """
    names = f"""
        list_transform(work.authorships, lambda a:
            coalesce(nullif({squeeze("a.author.display_name")}, ''), nullif({squeeze("a.raw_author_name")}, ''), ''))
    """
    printed = f"""
        flatten(list_transform(work.authorships, lambda a, i: list_transform(
            list_filter(list_transform(a.raw_affiliation_strings, lambda t: {squeeze("t")}), lambda t: t != ''),
            lambda t: '{{"author": ' || to_json(names[i]) || ', "affiliation": ' || to_json(t) || '}}')))
    """
    return f"""
with {sift_lines(_WORK_ID, is_candidate)},
transformed as (
    select * exclude (line), line,
        case when is_candidate then {list_types(_TEXT_PATHS, _OTHER_PATHS)} end as types,
        case when is_candidate then json_transform(line, {quote(json.dumps(_STRUCTURE))}) end as work
    from sifted
),
flat as (
    select *,
        nullif(work.doi, '') as doi_text,
        nullif(work.primary_location.landing_page_url, '') as landing_url,
        {names} as names,
        flatten(flatten(list_transform(work.authorships, lambda a:
            list_transform(a.institutions, lambda o:
                list_transform(list_prepend(o.id, o.lineage), lambda t: {_strip_prefix("t")}))
        ))) as all_institution_ids,
        list_transform(work.authorships, lambda a: coalesce({_strip_prefix("a.author.id")}, '')) as author_ids,
        list_filter(list_transform(work.referenced_works, lambda t: {_strip_prefix("t")}), lambda t: t != '')
            as cited_ids,
        case when types[{index_place}] = 'OBJECT'
            then rebuild_abstract(cast(work.abstract_inverted_index as varchar)) end as rebuilt,
        {leaf_texts} as leaf_texts
    from transformed
),
joined as (
    select *,
        {parse_day("work.publication_date")} as day,
        {parse_moment("work.updated_date")} as moment,
        {urls} as urls,
        {printed} as printed,
        list_filter(names, lambda t: t != '') as filled_names,
        list_filter(all_institution_ids, lambda t: t != '') as institution_ids
    from flat
),
valued as (
    select *,
        {clean_title("work.title")} as title,
        case when starts_with(rebuilt, {separator}) then split_part(rebuilt, {separator}, 2) end as abstract_note,
        nullif(case when starts_with(rebuilt, {separator})
            then substr(rebuilt, 3 + length(split_part(rebuilt, {separator}, 2))) else rebuilt end, '') as abstract,
        case when len(printed) > 0 then '[' || array_to_string(printed, ', ') || ']' end as affiliations,
        {join_distinct("institution_ids")} as institution_openalex_ids,
        nullif(array_to_string(author_ids, '; '), '') as author_openalex_ids,
        {join_distinct("cited_ids")} as cited_openalex_ids
    from joined
),
judged as (
    select *, is_candidate and ({passes}) as is_in_scope
    from valued
),
checked as (
    select *, case when is_in_scope then
        {has_other_types(_TEXT_PATHS, _OTHER_PATHS)}
        or coalesce(types[{count_place}] != 'NULL' and coalesce(work.cited_by_count < 0, true), false)
        or {is_odd_date("work.publication_date", "day")}
        or {is_odd_date("work.updated_date", "moment")}
        or coalesce(landing_url like 'http%' and not regexp_full_match(landing_url, 'https?://[!-~]+'), false)
        or contains(line, '\\u0000')
        or {has_odd_text("leaf_texts")}
        or {has_odd_text("urls")}
        or not regexp_full_match(coalesce(author_openalex_ids, ''), '(?:[A-Z][0-9]+)?(?:; (?:[A-Z][0-9]+)?)*')
        or not regexp_full_match(
            concat_ws('; ', institution_openalex_ids, cited_openalex_ids), '(?:[A-Z][0-9]+(?:; |$))*')
        or coalesce(len(list_filter(work.authorships, lambda a:
            a.author is null or a.raw_affiliation_strings is null or a.institutions is null
            or len(list_filter(a.institutions, lambda o: o.lineage is null)) > 0)) > 0, false)
        or coalesce(len(list_filter(work.locations, lambda l:
            l.landing_page_url is null and l.is_oa is null)) > 0, false)
        or coalesce(abstract_note = '{UNREADABLE}', false) end as is_odd
    from judged
)
select
    line_number, record_ordinal, line,
    case when id_text is null or id_text = '' or (is_in_scope and coalesce(is_odd, true)) then 'odd'
        when is_in_scope then 'kept' else 'out of scope' end as outcome,
    case when contains(line, '"abstract_inverted_index":{{') or contains(line, '"abstract_inverted_index": {{')
        then 'no topic, lab or keyword of the gate'
        else 'no topic or lab of the gate, no keyword in the title, and no abstract' end as reason,
    {_strip_prefix("id_text")} as identity,
    {_strip_prefix("id_text")} as openalex_id,
    case when not is_in_scope then null
        when regexp_full_match(doi_text, 'https://doi[.]org/10[.][0-9]{{4,9}}/[!-"$->@-~]+')
            and not contains(doi_text, '/10.48550/')
        then rtrim(lower(doi_text[17:]), '.') else nullif(find_doi(doi_text), '') end as doi,
    case when is_in_scope and regexp_matches(urls, '(?i)arxiv|alphaxiv|huggingface')
        then nullif(find_arxiv_id(urls), '') end as arxiv_id,
    title,
    abstract,
    day as published_on,
    nullif(work.type, '') as work_type,
    nullif(work.language, '') as language,
    case when regexp_full_match(landing_url, 'https?://[!-~]+') then landing_url end as url,
    {clean_text("work.primary_location.source.display_name")} as venue,
    {join_distinct("filled_names")} as authors,
    author_openalex_ids,
    affiliations,
    institution_openalex_ids,
    work.cited_by_count as citations,
    cited_openalex_ids,
    {clean_text("work.primary_topic.display_name")} as topic,
    work.is_retracted as is_retracted,
    moment as updated_at,
    nullif(concat_ws('; ',
        nullif(abstract_note, ''),
        case when len(work.authorships) = {_MAX_AUTHORS} then 'only the first {_MAX_AUTHORS} authors are listed' end
    ), '') as reading_note
from checked
"""


FIELDS = ("id", *_STRUCTURE)
OBJECT_FIELDS = tuple(name for name, kind in _STRUCTURE.items() if not isinstance(kind, str) or kind == "JSON")
