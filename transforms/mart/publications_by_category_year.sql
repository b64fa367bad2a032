/*
row = "A category and a year; categories and years without publications are rows with zeros."
key = ["category", "published_year"]

[columns]
category = {}
published_year = { type = "date", meaning = "First day of the year of publication.", required = true }
publication_rows = { type = "integer", unit = "publications", meaning = "Rows of the sheet, marked duplicates included.", required = true, minimum = 0 }
works = { type = "integer", unit = "works", meaning = "Distinct works: rows of the sheet without marked duplicates.", required = true, minimum = 0 }
total_works = { type = "integer", unit = "works", meaning = "Works of all categories in the year.", required = true, minimum = 0 }
works_share = { type = "real", unit = "share in 0 to 1", meaning = "Share in the works of the year; missing in a year without works.", minimum = 0, maximum = 1 }
share_low = { type = "real", unit = "share in 0 to 1", meaning = "Lower end of the 95 % Wilson interval of the share.", minimum = 0, maximum = 1 }
share_high = { type = "real", unit = "share in 0 to 1", meaning = "Upper end of the 95 % Wilson interval of the share.", minimum = 0, maximum = 1 }
cumulative_publication_rows = { type = "integer", unit = "publications", meaning = "Rows up to and including the year.", required = true, minimum = 0 }
cumulative_works = { type = "integer", unit = "works", meaning = "Works up to and including the year.", required = true, minimum = 0 }
is_part_period = { type = "boolean", meaning = "Whether the source covers the period only in part.", required = true }
*/
with covered as (
    select
        covers_from,
        covers_until
    from clean.coverage
    where source = 'lab_sheet'
),

years as (
    select cast(unnest(generate_series(date_trunc('year', covers_from), date_trunc('year', covers_until), interval 1 year)) as date) as published_year
    from covered
),

panels as (
    select category
    from reference.categories
    where exists (select 1 from clean.publications)
    union distinct
    select category
    from clean.publications
    where published_on is not null
),

counted as (
    select
        category,
        cast(date_trunc('year', published_on) as date) as published_year,
        cast(count(*) as bigint) as publication_rows,
        cast(count(*) filter (where not is_duplicate) as bigint) as works
    from clean.publications
    group by all
),

filled as (
    select
        panels.category,
        years.published_year,
        coalesce(counted.publication_rows, 0) as publication_rows,
        coalesce(counted.works, 0) as works
    from panels
    cross join years
    left join counted on panels.category = counted.category and years.published_year = counted.published_year
),

running as (
    select
        category,
        published_year,
        publication_rows,
        works,
        cast(sum(works) over (partition by published_year) as bigint) as total_works,
        cast(sum(publication_rows) over (partition by category order by published_year) as bigint) as cumulative_publication_rows,
        cast(sum(works) over (partition by category order by published_year) as bigint) as cumulative_works
    from filled
)

select
    running.category,
    running.published_year,
    running.publication_rows,
    running.works,
    running.total_works,
    share_of(running.works, running.total_works) as works_share,
    wilson_low(running.works, running.total_works) as share_low,
    wilson_high(running.works, running.total_works) as share_high,
    running.cumulative_publication_rows,
    running.cumulative_works,
    running.published_year < covered.covers_from
    or running.published_year + interval 1 year - interval 1 day > covered.covers_until as is_part_period
from running
cross join covered
order by running.category, running.published_year
