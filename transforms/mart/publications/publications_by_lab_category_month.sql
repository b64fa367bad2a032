/*
row = "A lab, a category and a month; months without publications are rows with zeros."
key = ["lab", "category", "published_month"]

[columns]
lab = {}
category = {}
published_month = { type = "date", meaning = "First day of the month of publication.", required = true }
publication_rows = { type = "integer", unit = "publications", meaning = "Rows of the sheet, marked duplicates included.", required = true, minimum = 0 }
works = { type = "integer", unit = "works", meaning = "Distinct works: rows of the sheet without marked duplicates.", required = true, minimum = 0 }
cumulative_publication_rows = { type = "integer", unit = "publications", meaning = "Rows up to and including the period.", required = true, minimum = 0 }
cumulative_works = { type = "integer", unit = "works", meaning = "Works up to and including the period.", required = true, minimum = 0 }
rolling_12_month_works = { type = "integer", unit = "works", meaning = "Works of the twelve months that end with this one; missing before twelve months are covered.", minimum = 0 }
rolling_12_month_total_works = { type = "integer", unit = "works", meaning = "Works of all labs and categories in the same twelve months.", minimum = 0 }
rolling_12_month_share = { type = "real", unit = "share in 0 to 1", meaning = "Share of this lab and category in the works of the twelve months.", minimum = 0, maximum = 1 }
share_low = { type = "real", unit = "share in 0 to 1", meaning = "Lower end of the 95 % Wilson interval of the share.", minimum = 0, maximum = 1 }
share_high = { type = "real", unit = "share in 0 to 1", meaning = "Upper end of the 95 % Wilson interval of the share.", minimum = 0, maximum = 1 }
is_part_period = { type = "boolean", meaning = "Whether the source covers the period only in part.", required = true }
is_provisional = { type = "boolean", meaning = "Whether the period may still be filling up.", required = true }
counting_rule = {}
*/
with defaults as (
    select taxonomy
    from reference.taxonomies
    where is_default
),

covered as (
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
    from covered
),

panels as (
    select distinct
        lab,
        category
    from mart.publication_counts_by_month
    where counting_rule = 'rows' and taxonomy = (select defaults.taxonomy from defaults) and published_month is not null
),

counted as (
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

filled as (
    select
        panels.lab,
        panels.category,
        months.published_month,
        coalesce(counted.publication_rows, 0) as publication_rows,
        coalesce(counted.works, 0) as works
    from panels
    cross join months
    left join counted
        on
            panels.lab = counted.lab
            and panels.category = counted.category
            and months.published_month = counted.published_month
),

totals as (
    select
        published_month,
        cast(sum(works) as bigint) as total_works
    from filled
    group by published_month
),

rolling_totals as (
    select
        published_month,
        cast(sum(total_works) over (order by published_month rows between 11 preceding and current row) as bigint) as rolling_12_month_total_works
    from totals
),

running as (
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
    from filled
)

select
    running.lab,
    running.category,
    running.published_month,
    running.publication_rows,
    running.works,
    running.cumulative_publication_rows,
    running.cumulative_works,
    running.rolling_12_month_works,
    case when running.rolling_12_month_works is not null then rolling_totals.rolling_12_month_total_works end as rolling_12_month_total_works,
    share_of(running.rolling_12_month_works, rolling_totals.rolling_12_month_total_works) as rolling_12_month_share,
    case when running.rolling_12_month_works is not null then wilson_low(running.rolling_12_month_works, rolling_totals.rolling_12_month_total_works) end as share_low,
    case when running.rolling_12_month_works is not null then wilson_high(running.rolling_12_month_works, rolling_totals.rolling_12_month_total_works) end as share_high,
    running.published_month < covered.covers_from
    or last_day(running.published_month) > covered.covers_until as is_part_period,
    coalesce(running.published_month >= covered.provisional_from, false) as is_provisional,
    'rows, works' as counting_rule
from running
inner join rolling_totals on running.published_month = rolling_totals.published_month
cross join covered
order by running.lab, running.category, running.published_month
