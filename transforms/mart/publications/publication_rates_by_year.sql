/*
row = "A lab, or all labs together, and a year: works per year of coverage with an exact interval."
key = ["lab", "published_year"]

[columns]
lab = { meaning = "The lab, or “all” for all labs together.", required = true }
published_year = {}
works = { minimum = 0 }
exposure_years = { type = "real", unit = "years", meaning = "Part of the year that the source covers: days covered by 365.25.", required = true, minimum = 0, maximum = 1.01 }
works_per_year = { type = "real", unit = "works per year", meaning = "Works by exposure; missing without exposure.", minimum = 0 }
rate_low = { type = "real", unit = "works per year", meaning = "Lower end of the exact (Garwood) 95 % interval of the rate.", minimum = 0 }
rate_high = { type = "real", unit = "works per year", meaning = "Upper end of the exact (Garwood) 95 % interval of the rate.", minimum = 0 }
is_part_period = {}
is_provisional = {}
counting_rule = {}
*/
with counted as (
    select
        coalesce(lab, 'all') as lab,
        published_year,
        cast(sum(works) as bigint) as works,
        bool_or(is_part_period) as is_part_period,
        bool_or(is_provisional) as is_provisional
    from mart.publications_by_lab_year
    group by grouping sets ((lab, published_year), (published_year))
),

exposed as (
    select
        counted.*,
        greatest(0, 1 + date_diff(
            'day',
            greatest(coverage.covers_from, counted.published_year),
            least(coverage.covers_until, last_day(counted.published_year + interval 11 month))
        )) / 365.25 as exposure_years
    from counted
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
from exposed
order by lab, published_year
