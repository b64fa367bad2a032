/*
row = "The span of time for which a source claims to be complete, and the span of what it holds; days outside the claim make a period a part period."
key = ["source"]

[columns]
source = {}
covers_from = {}
covers_until = { type = "date", meaning = "Last day that the source claims to cover; later records do not prove it complete.", required = true }
basis = {}
holds_from = { type = "date", meaning = "First day covered, or that of the oldest record if older.", required = true }
holds_until = { type = "date", meaning = "Last day covered, or that of the newest record if newer.", required = true }
reporting_delays = { type = "integer", unit = "publications", meaning = "Works that appeared after the source was first taken in, so that the delay until they were seen is known.", required = true, minimum = 0 }
provisional_from = { type = "date", meaning = "First day of the newest three months, which may still be filling up; missing once 50 delays have been seen." }
*/
with dated as (
    select
        'lab_sheet' as source,
        min(published_on) as oldest,
        max(published_on) as newest
    from clean.publications
),

delayed as (
    select
        source,
        count(*) as reporting_delays
    from clean.reporting_delays
    group by source
),

spanned as (
    select
        coverage.source,
        coverage.covers_from,
        coverage.covers_until,
        coverage.basis,
        least(coverage.covers_from, coalesce(dated.oldest, coverage.covers_from)) as holds_from,
        greatest(coverage.covers_until, coalesce(dated.newest, coverage.covers_until)) as holds_until,
        cast(coalesce(delayed.reporting_delays, 0) as bigint) as reporting_delays
    from reference.coverage as coverage
    left join dated on coverage.source = dated.source
    left join delayed on coverage.source = delayed.source
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
from spanned
