/*
row = "A source and a month: what it holds of the month, and whether it claims to cover it. Covered months without records are rows with zeros."
key = ["source", "published_month"]

[columns]
source = { type = "text", meaning = "Name of the source.", required = true }
published_month = { type = "date", meaning = "First day of the month of publication; missing for records without a date." }
records = { type = "integer", unit = "records", meaning = "Records of the month, marked duplicates included.", required = true, minimum = 0 }
is_covered = { type = "boolean", meaning = "Whether the source claims to be complete for at least a part of the month.", required = true }
is_part_period = { type = "boolean", meaning = "Whether it covers the month only in part.", required = true }
*/
with months as (
    select
        source,
        covers_from,
        covers_until,
        holds_from,
        holds_until,
        cast(unnest(generate_series(date_trunc('month', holds_from), date_trunc('month', holds_until), interval 1 month)) as date) as published_month
    from clean.coverage
),

held as (
    select
        'lab_sheet' as source,
        cast(date_trunc('month', published_on) as date) as published_month,
        count(*) as records
    from clean.publications
    group by all
    union all
    select
        'podcast_page' as source,
        cast(null as date) as published_month,
        count(*) as records
    from clean.episodes
    having count(*) > 0
    union all
    select
        'forum_page' as source,
        cast(null as date) as published_month,
        count(*) as records
    from clean.segments
    having count(*) > 0
)

select
    coalesce(months.source, held.source) as source,
    coalesce(months.published_month, held.published_month) as published_month,
    cast(coalesce(held.records, 0) as bigint) as records,
    coalesce(months.published_month <= months.covers_until and last_day(months.published_month) >= months.covers_from, false) as is_covered,
    coalesce(months.published_month < months.covers_from or last_day(months.published_month) > months.covers_until, false) as is_part_period
from months
full outer join held on months.source = held.source and months.published_month = held.published_month
order by source, published_month
