/*
row = "A lab, a category and a month, with its publications; months without any have zeros."
key = ["lab", "category", "published_month"]

[columns]
lab = {}
category = {}
published_month = { type = "date", meaning = "First day of the month of publication.", required = true }
publication_rows = { type = "integer", unit = "publications", meaning = "Rows of the sheet, including marked duplicates.", required = true, minimum = 0 }
works = { type = "integer", unit = "works", meaning = "Distinct works: rows of the sheet without marked duplicates.", required = true, minimum = 0 }
cumulative_publication_rows = { type = "integer", unit = "publications", meaning = "Rows up to and including the period.", required = true, minimum = 0 }
cumulative_works = { type = "integer", unit = "works", meaning = "Works up to and including the period.", required = true, minimum = 0 }
rolling_12_month_works = { type = "integer", unit = "works", meaning = "Works of the twelve months that end with this month; missing for the first eleven months.", minimum = 0 }
rolling_12_month_total_works = { type = "integer", unit = "works", meaning = "Works of all labs and categories in the same twelve months.", minimum = 0 }
rolling_12_month_share = { type = "real", unit = "share in 0 to 1", meaning = "Share of this lab and category in all works of the same twelve months.", minimum = 0, maximum = 1 }
share_low = { type = "real", unit = "share in 0 to 1", meaning = "Lower end of the 95 % Wilson interval of the share.", minimum = 0, maximum = 1 }
share_high = { type = "real", unit = "share in 0 to 1", meaning = "Upper end of the 95 % Wilson interval of the share.", minimum = 0, maximum = 1 }
is_part_period = { type = "boolean", meaning = "Whether the source covers only part of the period.", required = true }
is_provisional = { type = "boolean", meaning = "Whether the period may still gain publications.", required = true }
counting_rule = {}
*/
with defaults as (
    select taxonomy
    from reference.taxonomies
    where is_default
),

coverage as (
    select
        covers_from,
        covers_until,
        holds_from,
        holds_until,
        provisional_from
    from clean.coverage
    where source = 'lab_sheet'
),

months as (
    select cast(unnest(generate_series(date_trunc('month', holds_from), date_trunc('month', holds_until), interval 1 month)) as date) as published_month
    from coverage
),

panels as (
    select distinct
        lab,
        category
    from mart.publication_counts_by_month
    where counting_rule = 'rows' and taxonomy = (select defaults.taxonomy from defaults) and published_month is not null
),

monthly_counts as (
    select
        lab,
        category,
        published_month,
        cast(coalesce(sum(publications) filter (where counting_rule = 'rows'), 0) as bigint) as publication_rows,
        cast(coalesce(sum(publications) filter (where counting_rule = 'works'), 0) as bigint) as works
    from mart.publication_counts_by_month
    where counting_rule in ('rows', 'works') and taxonomy = (select defaults.taxonomy from defaults)
    group by all
),

panel_counts as (
    select
        panels.lab,
        panels.category,
        months.published_month,
        coalesce(monthly_counts.publication_rows, 0) as publication_rows,
        coalesce(monthly_counts.works, 0) as works
    from panels
    cross join months
    left join monthly_counts
        on
            panels.lab = monthly_counts.lab
            and panels.category = monthly_counts.category
            and months.published_month = monthly_counts.published_month
),

totals as (
    select
        published_month,
        cast(sum(works) as bigint) as total_works
    from panel_counts
    group by published_month
),

rolling_totals as (
    select
        published_month,
        cast(sum(total_works) over (order by published_month rows between 11 preceding and current row) as bigint) as rolling_12_month_total_works
    from totals
),

cumulative_counts as (
    select
        lab,
        category,
        published_month,
        publication_rows,
        works,
        cast(sum(publication_rows) over (partition by lab, category order by published_month) as bigint) as cumulative_publication_rows,
        cast(sum(works) over (partition by lab, category order by published_month) as bigint) as cumulative_works,
        case
            when row_number() over (partition by lab, category order by published_month) >= 12
                then cast(sum(works) over (partition by lab, category order by published_month rows between 11 preceding and current row) as bigint)
        end as rolling_12_month_works
    from panel_counts
)

select
    cumulative_counts.lab,
    cumulative_counts.category,
    cumulative_counts.published_month,
    cumulative_counts.publication_rows,
    cumulative_counts.works,
    cumulative_counts.cumulative_publication_rows,
    cumulative_counts.cumulative_works,
    cumulative_counts.rolling_12_month_works,
    case when cumulative_counts.rolling_12_month_works is not null then rolling_totals.rolling_12_month_total_works end as rolling_12_month_total_works,
    share_of(cumulative_counts.rolling_12_month_works, rolling_totals.rolling_12_month_total_works) as rolling_12_month_share,
    case when cumulative_counts.rolling_12_month_works is not null then wilson_low(cumulative_counts.rolling_12_month_works, rolling_totals.rolling_12_month_total_works) end as share_low,
    case when cumulative_counts.rolling_12_month_works is not null then wilson_high(cumulative_counts.rolling_12_month_works, rolling_totals.rolling_12_month_total_works) end as share_high,
    cumulative_counts.published_month < coverage.covers_from
    or last_day(cumulative_counts.published_month) > coverage.covers_until as is_part_period,
    coalesce(cumulative_counts.published_month >= coverage.provisional_from, false) as is_provisional,
    'rows, works' as counting_rule
from cumulative_counts
inner join rolling_totals on cumulative_counts.published_month = rolling_totals.published_month
cross join coverage
order by cumulative_counts.lab, cumulative_counts.category, cumulative_counts.published_month
