"""The SQL statement that reads texts of the alignment research dataset, with the values of its parser.

All of its texts are of the field, so no gate leaves any out.
"""

from __future__ import annotations

import json

from orchestration.sources.gate import Gate
from orchestration.sources.shared.bulk_sql import (
    SEPARATOR,
    clean_text,
    has_odd_text,
    has_other_types,
    is_odd_date,
    join_distinct,
    list_types,
    parse_moment,
    quote,
    squeeze,
)

_TEXT_PATHS = ("id", "source", "source_type", "date_published", "text", "title", "url")
_OTHER_PATHS = {"summaries": "ARRAY", "authors": "ARRAY"}
_STRUCTURE = {**dict.fromkeys(_TEXT_PATHS, "VARCHAR"), **{name: ["VARCHAR"] for name in _OTHER_PATHS}}
FIELDS = tuple(_STRUCTURE)
OBJECT_FIELDS = tuple(_OTHER_PATHS)


def build_query(gate: Gate | None) -> str:  # noqa: ARG001 - all texts are of the field
    """The statement that reads the texts in ``lines``."""
    lists = (
        f"list_filter(list_transform(entry.{name}, lambda t: {squeeze('t')}), lambda t: t != '') as {name}"
        for name in _OTHER_PATHS
    )
    return f"""
with found as (
    select line_number, record_ordinal, line, try(json_extract_string(line, '$.id')) as id_text
    from lines
),
transformed as (
    select *,
        case when id_text != '' then {list_types(_TEXT_PATHS, _OTHER_PATHS)} end as types,
        case when id_text != '' then json_transform(line, {quote(json.dumps(_STRUCTURE))}) end as entry
    from found
),
valued as (
    select *,
        nullif(entry.url, '') as address,
        {parse_moment("entry.date_published")} as moment,
        {", ".join(lists)}
    from transformed
),
checked as (
    select *,
        {has_other_types(_TEXT_PATHS, _OTHER_PATHS)}
        or contains(line, '\\u0000')
        or {is_odd_date("entry.date_published", "moment")}
        or {has_odd_text(f"array_to_string(list_concat(entry.summaries, entry.authors), {quote(SEPARATOR)})")}
        as is_odd
    from valued
)
select
    line_number, record_ordinal, line,
    case when coalesce(id_text = '', true) or coalesce(is_odd, true) then 'odd' else 'kept' end as outcome,
    cast(null as varchar) as reason,
    id_text as identity,
    id_text as dataset_id,
    nullif(entry.source, '') as dataset_source,
    nullif(entry.source_type, '') as dataset_source_type,
    moment as published_at,
    nullif(array_to_string(summaries, chr(10)), '') as summary,
    nullif(entry.text, '') as text,
    nullif(find_arxiv_id(address), '') as arxiv_id,
    {clean_text("entry.title")} as title,
    {join_distinct("authors")} as authors,
    address as url
from checked
"""
