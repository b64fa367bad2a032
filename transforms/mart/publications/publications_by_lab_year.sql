/*
row = "A lab and a year, with its publications; covered years without any have zeros, other years have a row only with publications (corpus iaps_mapping)."
key = ["lab", "published_year"]

[columns]
lab = {}
published_year = { type = "date", meaning = "First day of the year of publication.", required = true }
publication_rows = { minimum = 0 }
works = { minimum = 0 }
total_works = { type = "integer", unit = "works", meaning = "Works of all labs in the year.", required = true, minimum = 0 }
works_share = { type = "real", unit = "share in 0 to 1", meaning = "Share of the works of the year; missing for a year without works.", minimum = 0, maximum = 1 }
share_low = { minimum = 0, maximum = 1 }
share_high = { minimum = 0, maximum = 1 }
cumulative_publication_rows = { minimum = 0 }
cumulative_works = { minimum = 0 }
is_part_period = {}
is_provisional = {}
counting_rule = {}
*/
with coverage as (
    select
        covers_from,
        covers_until,
        provisional_from
    from clean.coverage
    where source = 'lab_sheet'
),

covered_years as (
    select cast(unnest(generate_series(date_trunc('year', covers_from), date_trunc('year', covers_until), interval 1 year)) as date) as published_year
    from coverage
),

counted_years as (
    select
        lab,
        cast(date_trunc('year', published_month) as date) as published_year,
        sum(publication_rows) as publication_rows,
        sum(works) as works
    from mart.publications_by_lab_category_month
    group by all
),

-- outside of the covered years it is not known that there was none
lab_years as (
    select
        labs.lab,
        covered_years.published_year
    from (select distinct lab from counted_years) as labs
    cross join covered_years
    union distinct
    select
        lab,
        published_year
    from counted_years
),

yearly_counts as (
    select
        lab_years.lab,
        lab_years.published_year,
        cast(coalesce(counted_years.publication_rows, 0) as bigint) as publication_rows,
        cast(coalesce(counted_years.works, 0) as bigint) as works,
        lab_years.published_year < coverage.covers_from
        or last_day(lab_years.published_year + interval 11 month) > coverage.covers_until as is_part_period,
        coalesce(last_day(lab_years.published_year + interval 11 month) >= coverage.provisional_from, false) as is_provisional
    from lab_years
    left join counted_years on lab_years.lab = counted_years.lab and lab_years.published_year = counted_years.published_year
    cross join coverage
),

cumulative_counts as (
    select
        *,
        cast(sum(works) over (partition by published_year) as bigint) as total_works,
        cast(sum(publication_rows) over (partition by lab order by published_year) as bigint) as cumulative_publication_rows,
        cast(sum(works) over (partition by lab order by published_year) as bigint) as cumulative_works
    from yearly_counts
)

select
    lab,
    published_year,
    publication_rows,
    works,
    total_works,
    share_of(works, total_works) as works_share,
    wilson_low(works, total_works) as share_low,
    wilson_high(works, total_works) as share_high,
    cumulative_publication_rows,
    cumulative_works,
    is_part_period,
    is_provisional,
    'rows, works' as counting_rule
from cumulative_counts
order by lab, published_year
