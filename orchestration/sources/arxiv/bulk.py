"""The SQL statement that reads papers from arXiv's bulk file, with the values of `read_bulk_line`.

A paper that is not of the usual form in a field that is read is left to the parser: an id with a version, versions that
are not numbered from one, a value of another type.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from orchestration.sources.gate import Gate, build_line_test
from orchestration.sources.shared.bulk_sql import (
    SEPARATOR,
    clean_text,
    has_keyword,
    has_odd_text,
    has_other_types,
    is_odd_date,
    join_distinct,
    list_types,
    parse_day,
    quote,
    sift_lines,
)

KEYS = frozenset({"id", "authors_parsed", "categories", "versions", "update_date"})
_TEXT_FIELDS = (
    *("id", "title", "abstract", "categories", "update_date", "doi", "journal-ref", "comments", "report-no", "license"),
)
_TEXT_PATHS = tuple(f'"{name}"' for name in _TEXT_FIELDS)
_OTHER_PATHS = {"versions": "ARRAY", "authors_parsed": "ARRAY"}
_STRUCTURE = {
    **dict.fromkeys(_TEXT_FIELDS, "VARCHAR"),
    "versions": [{"version": "VARCHAR", "created": "VARCHAR"}],
    "authors_parsed": [["VARCHAR"]],
}
FIELDS = tuple(_STRUCTURE)
OBJECT_FIELDS = ("versions", "authors_parsed")
_PAPER_ID = "[0-9]{4}[.][0-9]{4,5}|[a-z-]+(?:[.][A-Za-z]{2})?/[0-9]{7}"
_TIME = "[A-Z][a-z]{2}, [0-9]{1,2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
_TIME_FORM = "%a, %d %b %Y %H:%M:%S GMT"
# what is printed of a version in the column version_history
_VERSION = """'{"version": ' || i || ', "at": "' || strftime(t, '%Y-%m-%dT%H:%M:%S+00:00') || '"}'"""


def is_paper(value: Mapping[str, Any]) -> bool:
    """Whether a JSON object has the marks of a paper of the bulk file."""
    return value.keys() >= KEYS


def _get_field(name: str) -> str:
    return f'paper."{name}"'


def build_query(gate: Gate | None) -> str:
    """The statement that reads the papers in ``lines``; with a gate only those with a keyword in title or abstract."""
    is_candidate = passes = "true"
    if gate:
        if test := build_line_test(gate.keyword_signs):
            is_candidate = f"regexp_matches(line, {quote(test)})"
        passes = has_keyword(gate, "title", "abstract")
    lines = {
        "journal-ref": "journal_reference",
        "comments": "author_note",
        "report-no": "report_number",
        "license": "text_licence",
    }
    other_lines = ", ".join(f"{clean_text(_get_field(name))} as {column}" for name, column in lines.items())
    return f"""
with {sift_lines(_PAPER_ID, is_candidate)},
transformed as (
    select *,
        case when is_candidate then {list_types(_TEXT_PATHS, _OTHER_PATHS)} end as types,
        case when is_candidate then json_transform(line, {quote(json.dumps(_STRUCTURE))}) end as paper
    from sifted
),
valued as (
    select *,
        {clean_text("paper.title")} as title,
        {clean_text("paper.abstract")} as abstract,
        {clean_text("paper.categories")} as category_text,
        {clean_text("paper.doi")} as doi_text,
        list_transform(paper.authors_parsed, lambda p:
            concat_ws(' ', nullif(p[2], ''), nullif(p[1], ''), nullif(p[3], ''))) as names,
        {parse_day("paper.update_date")} as changed_on,
        list_transform(paper.versions, lambda v:
            case when regexp_full_match(v.created, '{_TIME}') then try_strptime(v.created, '{_TIME_FORM}') end) as times
    from transformed
),
judged as (
    select *, is_candidate and ({passes}) as is_in_scope, string_split(category_text, ' ') as category_list
    from valued
),
checked as (
    select *, case when is_in_scope then
        {has_other_types(_TEXT_PATHS, _OTHER_PATHS)}
        or contains(line, '\\u0000')
        or coalesce(len(times), 0) = 0
        or list_count(times) != len(times)
        or list_transform(paper.versions, lambda v: v.version) != list_transform(paper.versions, lambda v, i: 'v' || i)
        or not list_sort(times) = times
        or year(times[1]) not between 1987 and 2099
        or {is_odd_date("paper.update_date", "changed_on")}
        or not regexp_full_match(coalesce(doi_text, '10'), '[!-+--:<-~][ -~]*')
        or paper.authors_parsed is null
        or len(list_filter(paper.authors_parsed, lambda p: p is null or len(p) = 0 or list_count(p) != len(p))) > 0
        or list_contains(names, '')
        or {has_odd_text(f"array_to_string(flatten(paper.authors_parsed), {quote(SEPARATOR)})")}
    end as is_odd
    from judged
)
select
    line_number, record_ordinal, line,
    case when id_text is null or id_text = '' or (is_in_scope and coalesce(is_odd, true)) then 'odd'
        when is_in_scope then 'kept' else 'out of scope' end as outcome,
    'no keyword of the gate in title or abstract' as reason,
    'arxiv:' || lower(regexp_replace(id_text, '[.][A-Za-z][A-Za-z]/', '/')) as identity,
    id_text as arxiv_id,
    cast(len(times) as bigint) as version_number,
    title,
    abstract,
    {join_distinct("names")} as authors,
    cast(null as varchar) as affiliations,
    category_list[1] as primary_category,
    {join_distinct("category_list")} as categories,
    cast(times[1] as date) as submitted_on,
    cast(times[-1] as date) as revised_on,
    changed_on as record_changed_on,
    case when len(times) > 0
        then '[' || array_to_string(list_transform(times, lambda t, i: {_VERSION}), ', ') || ']' end as version_history,
    lower(regexp_extract(doi_text, '^[^,; ]*')) as doi,
    {other_lines},
    false as is_deleted
from checked
"""
