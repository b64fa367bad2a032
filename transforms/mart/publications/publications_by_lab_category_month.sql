/*
row = "A lab, a category and a month with publications in it or in the eleven months before; others have no row (publication_counts() adds the zeros) (corpus iaps_mapping)."
key = ["lab", "category", "published_month"]

[columns]
lab = {}
category = {}
published_month = { type = "date", meaning = "First day of the month of publication.", required = true }
publication_rows = { type = "integer", unit = "publications", meaning = "Rows of the sheet, including marked duplicates.", required = true, minimum = 0 }
works = { type = "integer", unit = "works", meaning = "Distinct works: rows of the sheet without marked duplicates.", required = true, minimum = 0 }
cumulative_publication_rows = { type = "integer", unit = "publications", meaning = "Rows up to and including the period.", required = true, minimum = 0 }
cumulative_works = { type = "integer", unit = "works", meaning = "Works up to and including the period.", required = true, minimum = 0 }
rolling_12_month_works = { type = "integer", unit = "works", meaning = "Works of the twelve months that end with this month; missing for the first eleven months that the source covers or has records of.", minimum = 0 }
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
        provisional_from,
        cast(date_trunc('month', holds_until) as date) as newest_month,
        cast(date_trunc('month', holds_from) + interval 11 month as date) as first_full_window
    from clean.coverage
    where source = 'lab_sheet'
),

monthly_counts as (
    select
        lab,
        category,
        published_month,
        cast(coalesce(sum(publications) filter (where counting_rule = 'rows'), 0) as bigint) as publication_rows,
        cast(coalesce(sum(publications) filter (where counting_rule = 'works'), 0) as bigint) as works
    from mart.publication_counts_by_month
    where
        counting_rule in ('rows', 'works')
        and taxonomy = (select defaults.taxonomy from defaults)
        and published_month is not null
    group by all
),

later as (
    select unnest(range(12)) as months_later
),

-- the months in which a publication counts, of its own or of the twelve that end with it; a row for each lab, category
-- and month would grow with the product of all three
counted_months as (
    select distinct
        lab,
        category,
        cast(published_month + to_months(cast(months_later as integer)) as date) as published_month
    from monthly_counts
    cross join later
    where published_month + to_months(cast(months_later as integer)) <= (select coverage.newest_month from coverage)
),

counts as (
    select
        counted_months.lab,
        counted_months.category,
        counted_months.published_month,
        coalesce(monthly_counts.publication_rows, 0) as publication_rows,
        coalesce(monthly_counts.works, 0) as works
    from counted_months
    left join monthly_counts
        on
            counted_months.lab = monthly_counts.lab
            and counted_months.category = monthly_counts.category
            and counted_months.published_month = monthly_counts.published_month
),

totals as (
    select
        published_month,
        sum(works) as total_works
    from counts
    group by published_month
),

rolling_totals as (
    select
        published_month,
        cast(sum(total_works) over (order by published_month range between interval 11 month preceding and current row) as bigint)
            as rolling_12_month_total_works
    from totals
),

cumulative_counts as (
    select
        *,
        cast(sum(publication_rows) over (partition by lab, category order by published_month) as bigint) as cumulative_publication_rows,
        cast(sum(works) over (partition by lab, category order by published_month) as bigint) as cumulative_works,
        cast(sum(works) over (
            partition by lab, category
            order by published_month
            range between interval 11 month preceding and current row
        ) as bigint) as works_of_12_months
    from counts
),

rolling_counts as (
    select
        cumulative_counts.*,
        coverage.*,
        case when cumulative_counts.published_month >= coverage.first_full_window then cumulative_counts.works_of_12_months end
            as rolling_12_month_works,
        case when cumulative_counts.published_month >= coverage.first_full_window then rolling_totals.rolling_12_month_total_works end
            as rolling_12_month_total_works
    from cumulative_counts
    inner join rolling_totals on cumulative_counts.published_month = rolling_totals.published_month
    cross join coverage
)

select
    lab,
    category,
    published_month,
    publication_rows,
    works,
    cumulative_publication_rows,
    cumulative_works,
    rolling_12_month_works,
    rolling_12_month_total_works,
    share_of(rolling_12_month_works, rolling_12_month_total_works) as rolling_12_month_share,
    wilson_low(rolling_12_month_works, rolling_12_month_total_works) as share_low,
    wilson_high(rolling_12_month_works, rolling_12_month_total_works) as share_high,
    published_month < covers_from or last_day(published_month) > covers_until as is_part_period,
    coalesce(published_month >= provisional_from, false) as is_provisional,
    'rows, works' as counting_rule
from rolling_counts
order by lab, category, published_month
