/*
row = "A category and a year, with its publications; categories and years without any have zeros."
key = ["category", "published_year"]

[columns]
category = {}
published_year = { type = "date", meaning = "First day of the year of publication.", required = true }
publication_rows = { minimum = 0 }
works = { minimum = 0 }
total_works = { type = "integer", unit = "works", meaning = "Works of all categories in the year.", required = true, minimum = 0 }
works_share = { type = "real", unit = "share in 0 to 1", meaning = "Share of the works of the year; missing for a year without works.", minimum = 0, maximum = 1 }
share_low = { minimum = 0, maximum = 1 }
share_high = { minimum = 0, maximum = 1 }
cumulative_publication_rows = { minimum = 0 }
cumulative_works = { minimum = 0 }
is_part_period = {}
is_provisional = {}
counting_rule = {}
*/
with defaults as (
    select taxonomy
    from reference.taxonomies
    where is_default
),

years as (
    select
        cast(date_trunc('year', published_month) as date) as published_year,
        bool_or(is_part_period) or count(distinct published_month) < 12 as is_part_period,
        bool_or(is_provisional) as is_provisional
    from mart.publications_by_lab_category_month
    group by all
),

all_categories as (
    select category
    from reference.categories
    where taxonomy = (select defaults.taxonomy from defaults)
    union distinct
    select category
    from mart.publications_by_lab_category_month
),

yearly_counts as (
    select
        all_categories.category,
        years.published_year,
        years.is_part_period,
        years.is_provisional,
        cast(coalesce(sum(months.publication_rows), 0) as bigint) as publication_rows,
        cast(coalesce(sum(months.works), 0) as bigint) as works
    from all_categories
    cross join years
    left join mart.publications_by_lab_category_month as months
        on all_categories.category = months.category and years.published_year = date_trunc('year', months.published_month)
    group by all
),

cumulative_counts as (
    select
        *,
        cast(sum(works) over (partition by published_year) as bigint) as total_works,
        cast(sum(publication_rows) over (partition by category order by published_year) as bigint) as cumulative_publication_rows,
        cast(sum(works) over (partition by category order by published_year) as bigint) as cumulative_works
    from yearly_counts
)

select
    category,
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
order by category, published_year
