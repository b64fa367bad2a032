/*
row = "A source with the period that it claims to cover and the period of its records; periods with days outside the claim are part periods."
key = ["source"]

[columns]
source = {}
covers_from = {}
covers_until = { type = "date", meaning = "Last day that the source claims to cover; later records do not extend the coverage.", required = true }
basis = {}
holds_from = { type = "date", meaning = "First covered day, or the day of the oldest record if earlier.", required = true }
holds_until = { type = "date", meaning = "Last covered day, or the day of the newest record if later.", required = true }
reporting_delays = { type = "integer", unit = "publications", meaning = "Works that appeared after the source was first ingested, so that their reporting delay is known.", required = true, minimum = 0 }
provisional_from = { type = "date", meaning = "First day of the newest three months, which may still gain publications; missing once 50 delays are known." }
*/
with record_dates as (
    select
        'lab_sheet' as source,
        min(coalesce(published_on, published_year)) as oldest,
        max(coalesce(published_on, published_year)) as newest
    from clean.publications
),

delay_counts as (
    select
        source,
        count(*) as reporting_delays
    from clean.reporting_delays
    group by source
),

spans as (
    select
        coverage.source,
        coverage.covers_from,
        coverage.covers_until,
        coverage.basis,
        least(coverage.covers_from, coalesce(record_dates.oldest, coverage.covers_from)) as holds_from,
        greatest(coverage.covers_until, coalesce(record_dates.newest, coverage.covers_until)) as holds_until,
        cast(coalesce(delay_counts.reporting_delays, 0) as bigint) as reporting_delays
    from reference.coverage as coverage
    left join record_dates on coverage.source = record_dates.source
    left join delay_counts on coverage.source = delay_counts.source
)

select
    source,
    covers_from,
    covers_until,
    basis,
    holds_from,
    holds_until,
    reporting_delays,
    provisional_since(holds_until, reporting_delays) as provisional_from
from spans
