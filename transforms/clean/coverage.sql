/*
row = "The span of time for which a source is taken to be complete; days outside it make a period a part period."
key = ["source"]

[columns]
source = {}
covers_from = { type = "date", meaning = "First day covered: the claimed one, or that of the oldest record if older.", required = true }
covers_until = { type = "date", meaning = "Last day covered: the claimed one, or that of the newest record if newer.", required = true }
basis = {}
reporting_delays = { type = "integer", unit = "publications", meaning = "Publications that appeared after the source was first taken in, so that the delay until they were seen is known.", required = true, minimum = 0 }
provisional_from = { type = "date", meaning = "First day of the newest three months, which may still be filling up; missing once 50 delays have been seen." }
*/
with dated as (
    select
        'lab_sheet' as source,
        min(published_on) as oldest,
        max(published_on) as newest,
        count(*) filter (where published_on >= cast(followed_since as date)) as reporting_delays
    from (
        select
            published_on,
            min(first_seen_at) over () as followed_since
        from clean.publications
    ) as followed
),

spanned as (
    select
        coverage.source,
        least(coverage.covers_from, coalesce(dated.oldest, coverage.covers_from)) as covers_from,
        greatest(coverage.covers_until, coalesce(dated.newest, coverage.covers_until)) as covers_until,
        coverage.basis,
        cast(coalesce(dated.reporting_delays, 0) as bigint) as reporting_delays
    from reference.coverage as coverage
    left join dated on coverage.source = dated.source
)

select
    source,
    covers_from,
    covers_until,
    basis,
    reporting_delays,
    provisional_since(covers_until, reporting_delays) as provisional_from
from spanned
