/*
row = "One of the newest three months of a source, with the works reported so far and an estimate of the final count (corpus iaps_mapping)."
key = ["source", "published_month"]

[columns]
source = { type = "text", meaning = "Name of the source.", required = true }
published_month = { type = "date", meaning = "First day of the month of publication.", required = true }
reported_works = { type = "integer", unit = "works", meaning = "Works of the month reported so far.", required = true, minimum = 0 }
reporting_delays = { type = "integer", unit = "publications", meaning = "Reporting delays from which the completeness is estimated.", required = true, minimum = 0 }
completeness = { type = "real", unit = "share in 0 to 1", meaning = "Estimated share of the works of the month that are reported by now (reverse-time product limit); missing below 50 delays.", minimum = 0, maximum = 1 }
nowcast_works = { type = "real", unit = "works", meaning = "Reported works / completeness; missing below 50 delays or if the completeness is 0.", minimum = 0 }
nowcast_low = { type = "real", unit = "works", meaning = "Lower end of the 95 % interval of the final count.", minimum = 0 }
nowcast_high = { type = "real", unit = "works", meaning = "Upper end of the 95 % interval of the final count.", minimum = 0 }
counting_rule = { type = "text", meaning = "Name of the rule by which publications are counted.", required = true }
*/
with sources as (
    select
        source,
        looked_month,
        min(published_month) as first_month,
        max(delay_months) as longest,
        count(*) as reporting_delays
    from clean.reporting_delays
    group by all
),

delays as (
    select
        source,
        looked_month,
        first_month,
        reporting_delays,
        unnest(range(0, greatest(longest, 3) + 1)) as delay
    from sources
),

-- among works old enough for a delay u to be observed: n with exactly u, N with at most u
at_risk as (
    select
        delays.source,
        delays.delay,
        count(*) filter (where reports.delay_months = delays.delay) as n,
        count(*) as n_at_most
    from delays
    inner join clean.reporting_delays as reports
        on
            delays.source = reports.source
            and delays.delay >= reports.delay_months
            and reports.published_month + to_months(cast(delays.delay as integer)) <= delays.looked_month
    group by all
),

-- F(d) = Π over u > d of (1 - n(u) / N(u)). Lagakos, Barraj and De Gruttola, Biometrika 75 (1988) 515
completeness_by_delay as (
    select
        delays.source,
        delays.delay,
        coalesce(list_product(list(1 - coalesce(at_risk.n, 0) / nullif(at_risk.n_at_most, 0)) over (
            partition by delays.source
            order by delays.delay desc
            rows between unbounded preceding and 1 preceding
        )), 1.0) as completeness
    from delays
    left join at_risk on delays.source = at_risk.source and delays.delay = at_risk.delay
),

recent_months as (
    select
        delays.source,
        cast(delays.looked_month - to_months(cast(delays.delay as integer)) as date) as published_month,
        delays.reporting_delays,
        completeness_by_delay.completeness
    from delays
    inner join completeness_by_delay on delays.source = completeness_by_delay.source and delays.delay = completeness_by_delay.delay
    where delays.delay < 3 and delays.looked_month - to_months(cast(delays.delay as integer)) >= delays.first_month
),

recent_counts as (
    select
        recent_months.source,
        recent_months.published_month,
        cast(count(reports.publication_id) as bigint) as reported_works,
        recent_months.reporting_delays,
        case when provisional_since(recent_months.published_month, recent_months.reporting_delays) is null then recent_months.completeness end as completeness
    from recent_months
    left join clean.reporting_delays as reports on recent_months.source = reports.source and recent_months.published_month = reports.published_month
    group by all
)

select
    source,
    published_month,
    reported_works,
    reporting_delays,
    completeness,
    reported_works / nullif(completeness, 0) as nowcast_works,
    nowcast_low(reported_works, completeness) as nowcast_low,
    nowcast_high(reported_works, completeness) as nowcast_high,
    'works' as counting_rule
from recent_counts
order by source, published_month
