/*
row = "The span of time for which a source is taken to be complete; days outside it make a period a part period."
key = ["source"]

[columns]
source = {}
covers_from = { type = "date", meaning = "First day covered: the claimed one, or that of the oldest record if older.", required = true }
covers_until = { type = "date", meaning = "Last day covered: the claimed one, or that of the newest record if newer.", required = true }
basis = {}
*/
with dated as (
    select
        'lab_sheet' as source,
        min(published_on) as oldest,
        max(published_on) as newest
    from clean.publications
)

select
    coverage.source,
    least(coverage.covers_from, coalesce(dated.oldest, coverage.covers_from)) as covers_from,
    greatest(coverage.covers_until, coalesce(dated.newest, coverage.covers_until)) as covers_until,
    coverage.basis
from reference.coverage as coverage
left join dated on coverage.source = dated.source
