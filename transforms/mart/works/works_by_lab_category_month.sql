/*
row = "A corpus, a lab, a category and a month with works in it or in the eleven months before; others have no row (publication_counts() adds the zeros)."
key = ["corpus", "lab", "category", "published_month"]

[columns]
corpus = {}
lab = {}
category = {}
published_month = { type = "date", meaning = "First day of the month of publication.", required = true }
works = { type = "integer", unit = "works", meaning = "Distinct works of the corpus; mart.corpus_coverage has the number of those without a date.", required = true, minimum = 0 }
cumulative_works = { type = "integer", unit = "works", meaning = "Works up to and including the period.", required = true, minimum = 0 }
rolling_12_month_works = { type = "integer", unit = "works", meaning = "Works of the twelve months that end with this month; missing for the first eleven months that the corpus covers or has works of.", minimum = 0 }
rolling_12_month_total_works = { type = "integer", unit = "works", meaning = "Works of all labs and categories of the corpus in the same twelve months.", minimum = 0 }
rolling_12_month_share = { type = "real", unit = "share in 0 to 1", meaning = "Share of this lab and category in all works of the corpus in the same twelve months.", minimum = 0, maximum = 1 }
share_low = { type = "real", unit = "share in 0 to 1", meaning = "Lower end of the 95 % Wilson interval of the share.", minimum = 0, maximum = 1 }
share_high = { type = "real", unit = "share in 0 to 1", meaning = "Upper end of the 95 % Wilson interval of the share.", minimum = 0, maximum = 1 }
is_part_period = { type = "boolean", meaning = "Whether the corpus covers only part of the period.", required = true }
is_provisional = { type = "boolean", meaning = "Whether the period may still gain works.", required = true }
counting_rule = {}
*/
with coverage as (
    select
        corpus,
        covers_from,
        covers_until,
        provisional_from,
        cast(date_trunc('month', holds_until) as date) as newest_month,
        cast(date_trunc('month', holds_from) + interval 11 month as date) as first_full_window
    from mart.corpus_coverage
),

monthly_counts as (
    select
        counts.corpus,
        counts.lab,
        counts.category,
        counts.published_month,
        cast(sum(counts.publications) as bigint) as works
    from mart.work_counts_by_month as counts
    inner join clean.corpora as corpora on counts.corpus = corpora.corpus and counts.taxonomy = corpora.taxonomy
    where
        counts.counting_rule = 'works'
        and counts.published_month is not null
    group by all
),

later as (
    select unnest(range(12)) as months_later
),

-- the months in which a work counts, of its own or of the twelve that end with it; a row for each lab, category and
-- month would grow with the product of all three
counted_months as (
    select distinct
        monthly_counts.corpus,
        monthly_counts.lab,
        monthly_counts.category,
        cast(monthly_counts.published_month + to_months(cast(later.months_later as integer)) as date) as published_month
    from monthly_counts
    inner join coverage on monthly_counts.corpus = coverage.corpus
    cross join later
    where monthly_counts.published_month + to_months(cast(later.months_later as integer)) <= coverage.newest_month
),

counts as (
    select
        counted_months.corpus,
        counted_months.lab,
        counted_months.category,
        counted_months.published_month,
        coalesce(monthly_counts.works, 0) as works
    from counted_months
    left join monthly_counts
        on
            counted_months.corpus = monthly_counts.corpus
            and counted_months.lab = monthly_counts.lab
            and counted_months.category = monthly_counts.category
            and counted_months.published_month = monthly_counts.published_month
),

totals as (
    select
        corpus,
        published_month,
        sum(works) as total_works
    from counts
    group by corpus, published_month
),

rolling_totals as (
    select
        corpus,
        published_month,
        cast(sum(total_works) over (
            partition by corpus
            order by published_month
            range between interval 11 month preceding and current row
        ) as bigint) as rolling_12_month_total_works
    from totals
),

cumulative_counts as (
    select
        *,
        cast(sum(works) over (partition by corpus, lab, category order by published_month) as bigint) as cumulative_works,
        cast(sum(works) over (
            partition by corpus, lab, category
            order by published_month
            range between interval 11 month preceding and current row
        ) as bigint) as works_of_12_months
    from counts
),

rolling_counts as (
    select
        cumulative_counts.*,
        coverage.covers_from,
        coverage.covers_until,
        coverage.provisional_from,
        case when cumulative_counts.published_month >= coverage.first_full_window then cumulative_counts.works_of_12_months end
            as rolling_12_month_works,
        case when cumulative_counts.published_month >= coverage.first_full_window then rolling_totals.rolling_12_month_total_works end
            as rolling_12_month_total_works
    from cumulative_counts
    inner join coverage on cumulative_counts.corpus = coverage.corpus
    inner join rolling_totals
        on cumulative_counts.corpus = rolling_totals.corpus and cumulative_counts.published_month = rolling_totals.published_month
)

select
    corpus,
    lab,
    category,
    published_month,
    works,
    cumulative_works,
    rolling_12_month_works,
    rolling_12_month_total_works,
    share_of(rolling_12_month_works, rolling_12_month_total_works) as rolling_12_month_share,
    wilson_low(rolling_12_month_works, rolling_12_month_total_works) as share_low,
    wilson_high(rolling_12_month_works, rolling_12_month_total_works) as share_high,
    coalesce(published_month < covers_from or last_day(published_month) > covers_until, true) as is_part_period,
    coalesce(published_month >= provisional_from, false) as is_provisional,
    'works' as counting_rule
from rolling_counts
order by corpus, lab, category, published_month
