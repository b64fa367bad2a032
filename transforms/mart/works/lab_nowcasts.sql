/*
row = "One of the newest three months of a lab whose feeds are followed, with its works seen so far and an estimate of the final count; “all” for all followed labs (corpus lab_publications)."
key = ["lab", "published_month"]

[columns]
lab = { type = "text", meaning = "The lab, or “all”.", required = true }
published_month = { type = "date", meaning = "First day of the month of publication.", required = true }
seen_works = { type = "integer", unit = "works", meaning = "Works of the month seen so far, among those of clean.work_delays.", required = true, minimum = 0 }
work_delays = { type = "integer", unit = "works", meaning = "Works with a known delay from which the completeness is estimated.", required = true, minimum = 0 }
completeness = { type = "real", unit = "share in 0 to 1", meaning = "Estimated share of the works of the month that are seen by now (reverse-time product limit); missing below 50 delays.", minimum = 0, maximum = 1 }
nowcast_works = { type = "real", unit = "works", meaning = "Seen works / completeness; missing below 50 delays or if the completeness is 0.", minimum = 0 }
nowcast_low = { type = "real", unit = "works", meaning = "Lower end of the 95 % interval of the final count.", minimum = 0 }
nowcast_high = { type = "real", unit = "works", meaning = "Upper end of the interval.", minimum = 0 }
*/
with delays_by_lab as (
    select
        lab,
        work_id,
        published_month,
        delay_months,
        looked_month
    from clean.work_delays
    union all
    select
        'all' as lab,
        work_id,
        published_month,
        delay_months,
        max(looked_month) over () as looked_month
    from clean.work_delays
),

spans as (
    select
        lab,
        looked_month,
        min(published_month) as first_month,
        max(delay_months) as longest,
        count(*) as work_delays
    from delays_by_lab
    group by
        lab,
        looked_month
),

delays as (
    select
        lab,
        looked_month,
        first_month,
        work_delays,
        unnest(range(0, greatest(longest, 3) + 1)) as delay
    from spans
),

-- as in mart.publication_nowcasts
at_risk as (
    select
        delays.lab,
        delays.delay,
        count(*) filter (where reports.delay_months = delays.delay) as n,
        count(*) as n_at_most
    from delays
    inner join delays_by_lab as reports
        on
            delays.lab = reports.lab
            and delays.delay >= reports.delay_months
            and reports.published_month + to_months(cast(delays.delay as integer)) <= delays.looked_month
    group by
        delays.lab,
        delays.delay
),

completeness_by_delay as (
    select
        delays.lab,
        delays.delay,
        coalesce(list_product(list(1 - coalesce(at_risk.n, 0) / nullif(at_risk.n_at_most, 0)) over (
            partition by delays.lab
            order by delays.delay desc
            rows between unbounded preceding and 1 preceding
        )), 1.0) as completeness
    from delays
    left join at_risk on delays.lab = at_risk.lab and delays.delay = at_risk.delay
),

recent_months as (
    select
        delays.lab,
        cast(delays.looked_month - to_months(cast(delays.delay as integer)) as date) as published_month,
        delays.work_delays,
        completeness_by_delay.completeness
    from delays
    inner join completeness_by_delay on delays.lab = completeness_by_delay.lab and delays.delay = completeness_by_delay.delay
    where delays.delay < 3 and delays.looked_month - to_months(cast(delays.delay as integer)) >= delays.first_month
),

recent_counts as (
    select
        recent_months.lab,
        recent_months.published_month,
        cast(count(reports.work_id) as bigint) as seen_works,
        recent_months.work_delays,
        case when provisional_since(recent_months.published_month, recent_months.work_delays) is null then recent_months.completeness end as completeness
    from recent_months
    left join delays_by_lab as reports on recent_months.lab = reports.lab and recent_months.published_month = reports.published_month
    group by
        recent_months.lab,
        recent_months.published_month,
        recent_months.work_delays,
        recent_months.completeness
)

select
    lab,
    published_month,
    seen_works,
    work_delays,
    completeness,
    seen_works / nullif(completeness, 0) as nowcast_works,
    nowcast_low(seen_works, completeness) as nowcast_low,
    nowcast_high(seen_works, completeness) as nowcast_high
from recent_counts
order by lab, published_month
