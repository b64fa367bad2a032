/*
row = "A source and a month, with its number of records and whether the source claims to cover the month; covered months without records have zeros, other months have a row only with records."
key = ["source", "published_month"]

[columns]
source = { type = "text", meaning = "Name of the source.", required = true }
published_month = { type = "date", meaning = "First day of the month of publication; missing for records without a date." }
records = { type = "integer", unit = "records", meaning = "Records of the month, including marked duplicates.", required = true, minimum = 0 }
is_covered = { type = "boolean", meaning = "Whether the source claims to cover at least part of the month.", required = true }
is_part_period = { type = "boolean", meaning = "Whether the source covers only part of the month.", required = true }
*/
with months as (
    select
        source,
        covers_from,
        covers_until,
        cast(unnest(generate_series(date_trunc('month', covers_from), date_trunc('month', covers_until), interval 1 month)) as date) as published_month
    from clean.coverage
),

record_counts as (
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
),

months_with_records as (
    select
        coalesce(months.source, record_counts.source) as source,
        coalesce(months.published_month, record_counts.published_month) as published_month,
        cast(coalesce(record_counts.records, 0) as bigint) as records
    from months
    full outer join record_counts on months.source = record_counts.source and months.published_month = record_counts.published_month
)

select
    months.source,
    months.published_month,
    months.records,
    coalesce(months.published_month <= coverage.covers_until and last_day(months.published_month) >= coverage.covers_from, false) as is_covered,
    coalesce(months.published_month < coverage.covers_from or last_day(months.published_month) > coverage.covers_until, false) as is_part_period
from months_with_records as months
left join clean.coverage as coverage on months.source = coverage.source
order by source, published_month
