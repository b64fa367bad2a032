/*
row = "A lab and a year, with its publications; years without any have zeros."
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
with yearly_counts as (
    select
        lab,
        cast(date_trunc('year', published_month) as date) as published_year,
        cast(sum(publication_rows) as bigint) as publication_rows,
        cast(sum(works) as bigint) as works,
        bool_or(is_part_period) or count(distinct published_month) < 12 as is_part_period,
        bool_or(is_provisional) as is_provisional
    from mart.publications_by_lab_category_month
    group by all
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
