/*
row = "A lab (or all labs) and a year, with works per covered year and an exact interval (corpus iaps_mapping)."
key = ["lab", "published_year"]

[columns]
lab = { meaning = "The lab, or “all” for all labs together.", required = true }
published_year = {}
works = { minimum = 0 }
exposure_years = { type = "real", unit = "years", meaning = "Covered part of the year: covered days / 365.25.", required = true, minimum = 0, maximum = 1.01 }
works_per_year = { type = "real", unit = "works per year", meaning = "Works / exposure; missing without exposure.", minimum = 0 }
rate_low = { type = "real", unit = "works per year", meaning = "Lower end of the exact (Garwood) 95 % interval of the rate.", minimum = 0 }
rate_high = { type = "real", unit = "works per year", meaning = "Upper end of the exact (Garwood) 95 % interval of the rate.", minimum = 0 }
is_part_period = {}
is_provisional = {}
counting_rule = {}
*/
with yearly_counts as (
    select
        coalesce(lab, 'all') as lab,
        published_year,
        cast(sum(works) as bigint) as works,
        bool_or(is_part_period) as is_part_period,
        bool_or(is_provisional) as is_provisional
    from mart.publications_by_lab_year
    group by grouping sets ((lab, published_year), (published_year))
),

counts_with_exposure as (
    select
        yearly_counts.*,
        greatest(0, 1 + date_diff(
            'day',
            greatest(coverage.covers_from, yearly_counts.published_year),
            least(coverage.covers_until, last_day(yearly_counts.published_year + interval 11 month))
        )) / 365.25 as exposure_years
    from yearly_counts
    inner join clean.coverage as coverage on coverage.source = 'lab_sheet'
)

select
    lab,
    published_year,
    works,
    exposure_years,
    works / nullif(exposure_years, 0) as works_per_year,
    poisson_rate_low(works, nullif(exposure_years, 0)) as rate_low,
    poisson_rate_high(works, nullif(exposure_years, 0)) as rate_high,
    is_part_period,
    is_provisional,
    'works' as counting_rule
from counts_with_exposure
order by lab, published_year
