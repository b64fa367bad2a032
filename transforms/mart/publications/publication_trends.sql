/*
row = "All publications, a lab or a category, with the trend of its monthly works over the covered months and several tests of it (corpus iaps_mapping)."
key = ["dimension", "member"]

[columns]
dimension = { type = "text", meaning = "Dimension of the series: “all” (not divided), lab or category.", required = true, one_of = ["all", "lab", "category"] }
member = { type = "text", meaning = "The lab or category; “all” for all works.", required = true }
months = { type = "integer", unit = "months", meaning = "Completely covered months.", required = true, minimum = 0 }
works = { minimum = 0 }
works_per_month = { type = "real", unit = "works per month", meaning = "Mean works per month.", required = true, minimum = 0 }
dispersion_index = { type = "real", unit = "ratio", meaning = "Variance of the monthly counts / their mean: 1 for a constant Poisson rate.", minimum = 0 }
dispersion_p_value = { type = "real", unit = "probability", meaning = "p-value of the hypothesis that counts vary no more than at a constant Poisson rate.", minimum = 0, maximum = 1 }
mann_kendall_s = { type = "integer", unit = "pairs", meaning = "Mann-Kendall S: number of rising pairs of months less number of falling pairs.", required = true }
mann_kendall_z = { type = "real", unit = "standard deviations", meaning = "S with continuity correction, divided by its standard deviation with ties." }
mann_kendall_p_value = { type = "real", unit = "probability", meaning = "Two-sided p-value of the hypothesis of no monotonic trend.", minimum = 0, maximum = 1 }
theil_sen_per_year = { type = "real", unit = "works per month per year", meaning = "Theil-Sen slope: median slope of all pairs of months." }
growth_per_year = { type = "real", unit = "ratio", meaning = "Growth ratio of the rate per year, less 1 (Poisson regression); missing if a half of the months has fewer than 5 works." }
growth_low = { type = "real", unit = "ratio", meaning = "Lower end of the 95 % interval of the growth, widened where counts vary more than Poisson counts." }
growth_high = { type = "real", unit = "ratio", meaning = "Upper end of the 95 % interval of the growth." }
growth_p_value = { type = "real", unit = "probability", meaning = "Two-sided p-value of the hypothesis of no growth.", minimum = 0, maximum = 1 }
growth_p_adjusted = { type = "real", unit = "probability", meaning = "That p-value adjusted for all trends of this table (Benjamini-Hochberg).", minimum = 0, maximum = 1 }
change_month = { type = "date", meaning = "First month after the most likely change point of the rate." }
change_likelihood_ratio = { type = "real", unit = "2 ln ratio", meaning = "Twice the log likelihood ratio of a change before that month against no change.", minimum = 0 }
change_p_value = { type = "real", unit = "probability", meaning = "Share of random orders of the months with as clear a change (permutation test).", minimum = 0, maximum = 1 }
change_poisson_p_value = { type = "real", unit = "probability", meaning = "Share of series at a constant Poisson rate with as clear a change.", minimum = 0, maximum = 1 }
seasonal_p_value = { type = "real", unit = "probability", meaning = "p-value of the hypothesis of no month-of-year effects; missing below 36 months.", minimum = 0, maximum = 1 }
corrected_low = { type = "real", unit = "ratio", meaning = "Lower end of the interval of the growth, corrected for all trends of this table." }
corrected_high = { type = "real", unit = "ratio", meaning = "Upper end of the corrected interval of the growth." }
finding = { type = "text", meaning = "“up” or “down” only if the corrected interval excludes 0; “too few” if either half has fewer than 5 works.", required = true, one_of = ["up", "down", "no clear change", "too few"] }
sentence = { type = "text", meaning = "The trend as a quotable sentence.", required = true }
counting_rule = {}
*/
with coverage as (
    select
        cast(date_trunc('month', covers_from + interval 1 month - interval 1 day) as date) as first_month,
        covers_until
    from clean.coverage
    where source = 'lab_sheet'
),

months as (
    select cast(unnest(generate_series(first_month, covers_until, interval 1 month)) as date) as published_month
    from coverage
),

whole_months as (
    select published_month
    from months
    where last_day(published_month) <= (select coverage.covers_until from coverage)
),

member_counts as (
    select
        case when grouping(lab) = 0 then 'lab' when grouping(category) = 0 then 'category' else 'all' end as dimension,
        coalesce(lab, category, 'all') as member,
        published_month,
        sum(works) as works
    from mart.publications_by_lab_category_month
    group by grouping sets ((published_month), (lab, published_month), (category, published_month))
),

all_series as (
    select distinct
        dimension,
        member
    from member_counts
),

-- zeros for the months of a series, not for each lab and category
monthly as (
    select
        all_series.dimension,
        all_series.member,
        whole_months.published_month,
        coalesce(member_counts.works, 0) as works
    from all_series
    cross join whole_months
    left join member_counts
        on
            all_series.dimension = member_counts.dimension
            and all_series.member = member_counts.member
            and whole_months.published_month = member_counts.published_month
),

numbered_months as (
    select
        *,
        row_number() over (partition by dimension, member order by published_month) as place,
        count(*) over (partition by dimension, member) as months,
        sum(works) over (partition by dimension, member) as all_works,
        sum(works) over (partition by dimension, member order by published_month) as works_so_far
    from monthly
),

series as (
    select
        dimension,
        member,
        cast(max(months) as bigint) as months,
        cast(sum(works) as bigint) as works,
        avg(works) as works_per_month,
        var_samp(works) / nullif(avg(works), 0) as dispersion_index,
        sum(works) filter (where place <= months // 2) as first_half,
        sum(works) filter (where place > months // 2) as second_half,
        min(published_month) as first_month,
        list(cast(works as double) order by published_month) as counts
    from numbered_months
    group by dimension, member
),

rising_pairs as (
    select
        dimension,
        member,
        mann_kendall_s(counts) as s
    from series
),

-- variance of S with ties: [n(n-1)(2n+5) - Σ t(t-1)(2t+5)] / 18. Kendall, Rank Correlation Methods (1975), chapter 4
tie_sums as (
    select
        dimension,
        member,
        sum(t * (t - 1) * (2 * t + 5)) as ties
    from (
        select
            dimension,
            member,
            works,
            count(*) as t
        from monthly
        group by all
    ) as same
    group by all
),

-- 2 [k1 ln(k1/T1) + k2 ln(k2/T2) - k ln(k/T)], with 0 ln 0 = 0
change_points as (
    select
        dimension,
        member,
        published_month + interval 1 month as change_month,
        2 * (
            case when works_so_far > 0 then works_so_far * ln(works_so_far / place) else 0 end
            + case
                when all_works > works_so_far then (all_works - works_so_far) * ln((all_works - works_so_far) / (months - place))
                else 0
            end
            - all_works * ln(all_works / months)
        ) as likelihood_ratio
    from numbered_months
    where place < months and all_works > 0
),

likeliest_changes as (
    select
        dimension,
        member,
        cast(min_by(change_month, (-likelihood_ratio, change_month)) as date) as change_month,
        greatest(0.0, max(likelihood_ratio)) as change_likelihood_ratio
    from change_points
    group by all
),

trend_tests as (
    select
        series.*,
        cast(coalesce(rising_pairs.s, 0) as bigint) as mann_kendall_s,
        (rising_pairs.s - sign(rising_pairs.s)) / nullif(sqrt((months * (months - 1) * (2 * months + 5) - tie_sums.ties) / 18), 0) as mann_kendall_z,
        theil_sen_slope(counts) * 12 as theil_sen_per_year,
        likeliest_changes.change_month,
        likeliest_changes.change_likelihood_ratio,
        growth_shown(first_half, second_half, growth_per_period(counts)) as monthly_growth,
        log_growth_error(counts) as monthly_error
    from series
    inner join rising_pairs on series.dimension = rising_pairs.dimension and series.member = rising_pairs.member
    left join tie_sums on series.dimension = tie_sums.dimension and series.member = tie_sums.member
    left join likeliest_changes on series.dimension = likeliest_changes.dimension and series.member = likeliest_changes.member
),

growth_tests as (
    select
        *,
        power(1 + monthly_growth, 12) - 1 as growth_per_year,
        power(1 + monthly_growth, 12) * exp(-12 * 1.959963984540054 * monthly_error) - 1 as growth_low,
        power(1 + monthly_growth, 12) * exp(12 * 1.959963984540054 * monthly_error) - 1 as growth_high,
        normal_two_sided_p_value(ln(1 + monthly_growth) / monthly_error) as growth_p_value
    from trend_tests
),

ranked_tests as (
    select
        *,
        row_number() over (order by growth_p_value nulls last, dimension, member) as rank_of_p,
        count(growth_p_value) over () as tests
    from growth_tests
),

adjusted_tests as (
    select
        *,
        case when growth_p_value is not null then least(1.0, min(growth_p_value * tests / rank_of_p) over (
            order by rank_of_p desc
            rows between unbounded preceding and current row
        )) end as growth_p_adjusted
    from ranked_tests
),

interval_widths as (
    select
        *,
        normal_quantile(1 - corrected_alpha(count(*) filter (where growth_p_adjusted < 0.05) over (), tests) / 2) * 12 * monthly_error
            as corrected_width
    from adjusted_tests
),

corrected_intervals as (
    select
        *,
        power(1 + monthly_growth, 12) * exp(-corrected_width) - 1 as corrected_low,
        power(1 + monthly_growth, 12) * exp(corrected_width) - 1 as corrected_high
    from interval_widths
),

findings as (
    select
        *,
        change_finding(first_half, second_half, corrected_low, corrected_high, 0) as finding
    from corrected_intervals
)

select
    dimension,
    member,
    months,
    works,
    works_per_month,
    dispersion_index,
    dispersion_p_value(counts) as dispersion_p_value,
    mann_kendall_s,
    mann_kendall_z,
    normal_two_sided_p_value(mann_kendall_z) as mann_kendall_p_value,
    theil_sen_per_year,
    growth_per_year,
    growth_low,
    growth_high,
    growth_p_value,
    growth_p_adjusted,
    change_month,
    change_likelihood_ratio,
    change_point_p_value(counts) as change_p_value,
    change_point_poisson_p_value(counts) as change_poisson_p_value,
    season_shown(months, seasonal_p_value(counts, month(first_month))) as seasonal_p_value,
    corrected_low,
    corrected_high,
    finding,
    concat(
        case when member = 'all' then 'All labs and categories together' else member end,
        format(': {:,} {} in {:,} whole months', works, case when works = 1 then 'work' else 'works' end, months),
        case
            when finding = 'too few' then ', too few for a trend.'
            else printf(
                ', growth %+.0f %% a year (95 %% interval %+.0f to %+.0f %% corrected for the %d trends tested together; %+.0f to %+.0f %% alone): %s.',
                100 * growth_per_year,
                100 * corrected_low,
                100 * corrected_high,
                tests,
                100 * growth_low,
                100 * growth_high,
                finding
            )
        end
    ) as sentence,
    'works' as counting_rule
from findings
order by dimension, member
