/*
row = "All publications, a lab or a category: how its monthly works run over the covered months, tested in several ways."
key = ["dimension", "member"]

[columns]
dimension = { type = "text", meaning = "What the works are divided by: nothing (“all”), lab or category.", required = true, one_of = ["all", "lab", "category"] }
member = { type = "text", meaning = "The lab or category; “all” for all together.", required = true }
months = { type = "integer", unit = "months", meaning = "Whole months covered.", required = true, minimum = 0 }
works = { minimum = 0 }
works_per_month = { type = "real", unit = "works per month", meaning = "Mean over the months.", required = true, minimum = 0 }
dispersion_index = { type = "real", unit = "ratio", meaning = "Variance of the monthly counts by their mean: 1 for a constant Poisson rate.", minimum = 0 }
dispersion_p_value = { type = "real", unit = "probability", meaning = "p-value of counts that vary no more than those of a constant Poisson rate.", minimum = 0, maximum = 1 }
mann_kendall_s = { type = "integer", unit = "pairs", meaning = "Pairs of months in rising order less those in falling order.", required = true }
mann_kendall_z = { type = "real", unit = "standard deviations", meaning = "The same with continuity correction, by its standard deviation with ties." }
mann_kendall_p_value = { type = "real", unit = "probability", meaning = "Two-sided p-value of no monotonic trend.", minimum = 0, maximum = 1 }
theil_sen_per_year = { type = "real", unit = "works per month per year", meaning = "Median slope over all pairs of months." }
growth_per_year = { type = "real", unit = "ratio", meaning = "Growth of the rate in a year, less 1 (Poisson regression); missing below 5 works in either half of the months." }
growth_low = { type = "real", unit = "ratio", meaning = "Lower end of its 95 % interval, widened where counts vary more than Poisson ones." }
growth_high = { type = "real", unit = "ratio", meaning = "Upper end of its 95 % interval." }
growth_p_value = { type = "real", unit = "probability", meaning = "Two-sided p-value of no growth.", minimum = 0, maximum = 1 }
growth_p_adjusted = { type = "real", unit = "probability", meaning = "The same after Benjamini and Hochberg over all panels of this table.", minimum = 0, maximum = 1 }
change_month = { type = "date", meaning = "First month after the most likely change of the rate." }
change_likelihood_ratio = { type = "real", unit = "2 ln ratio", meaning = "Twice the log likelihood ratio of a change before that month against none.", minimum = 0 }
change_p_value = { type = "real", unit = "probability", meaning = "How often a random order of the months gives as clear a change (permutation).", minimum = 0, maximum = 1 }
change_poisson_p_value = { type = "real", unit = "probability", meaning = "How often a constant Poisson rate gives as clear a change.", minimum = 0, maximum = 1 }
seasonal_p_value = { type = "real", unit = "probability", meaning = "p-value of no month-of-year effects; missing before 36 months.", minimum = 0, maximum = 1 }
corrected_low = { type = "real", unit = "ratio", meaning = "Lower end of the interval of growth, widened for all panels of this table." }
corrected_high = { type = "real", unit = "ratio", meaning = "Upper end of that interval." }
finding = { type = "text", meaning = "“up” or “down” only if the corrected interval of growth excludes 0; “too few” below 5 works in a half.", required = true, one_of = ["up", "down", "no clear change", "too few"] }
sentence = { type = "text", meaning = "The trend as a sentence that may be quoted.", required = true }
counting_rule = {}
*/
with whole_months as (
    select
        lab,
        category,
        published_month,
        works
    from mart.publications_by_lab_category_month
    where not is_part_period
),

monthly as (
    select
        case when grouping(lab) = 0 then 'lab' when grouping(category) = 0 then 'category' else 'all' end as dimension,
        coalesce(lab, category, 'all') as member,
        published_month,
        sum(works) as works
    from whole_months
    group by grouping sets ((published_month), (lab, published_month), (category, published_month))
),

placed as (
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
    from placed
    group by dimension, member
),

pairs as (
    select
        earlier.dimension,
        earlier.member,
        cast(sum(sign(later.works - earlier.works)) as bigint) as s,
        median((later.works - earlier.works) / (later.place - earlier.place)) as slope
    from placed as earlier
    inner join placed as later
        on earlier.dimension = later.dimension and earlier.member = later.member and earlier.place < later.place
    group by all
),

-- variance of S with ties: [n(n-1)(2n+5) - Σ t(t-1)(2t+5)] / 18. Kendall, Rank Correlation Methods (1975), chapter 4
tied as (
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
split as (
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
    from placed
    where place < months and all_works > 0
),

changes as (
    select
        dimension,
        member,
        cast(min_by(change_month, (-likelihood_ratio, change_month)) as date) as change_month,
        greatest(0.0, max(likelihood_ratio)) as change_likelihood_ratio
    from split
    group by all
),

tested as (
    select
        series.*,
        coalesce(pairs.s, 0) as mann_kendall_s,
        (pairs.s - sign(pairs.s)) / nullif(sqrt((months * (months - 1) * (2 * months + 5) - tied.ties) / 18), 0) as mann_kendall_z,
        pairs.slope * 12 as theil_sen_per_year,
        changes.change_month,
        changes.change_likelihood_ratio,
        growth_shown(first_half, second_half, growth_per_period(counts)) as monthly_growth,
        log_growth_error(counts) as monthly_error
    from series
    left join pairs on series.dimension = pairs.dimension and series.member = pairs.member
    left join tied on series.dimension = tied.dimension and series.member = tied.member
    left join changes on series.dimension = changes.dimension and series.member = changes.member
),

grown as (
    select
        *,
        power(1 + monthly_growth, 12) - 1 as growth_per_year,
        power(1 + monthly_growth, 12) * exp(-12 * 1.959963984540054 * monthly_error) - 1 as growth_low,
        power(1 + monthly_growth, 12) * exp(12 * 1.959963984540054 * monthly_error) - 1 as growth_high,
        normal_two_sided_p_value(ln(1 + monthly_growth) / monthly_error) as growth_p_value
    from tested
),

ranked as (
    select
        *,
        row_number() over (order by growth_p_value nulls last, dimension, member) as rank_of_p,
        count(growth_p_value) over () as tests
    from grown
),

adjusted as (
    select
        *,
        case when growth_p_value is not null then least(1.0, min(growth_p_value * tests / rank_of_p) over (
            order by rank_of_p desc
            rows between unbounded preceding and current row
        )) end as growth_p_adjusted
    from ranked
),

widened as (
    select
        *,
        normal_quantile(1 - corrected_alpha(count(*) filter (where growth_p_adjusted < 0.05) over (), tests) / 2) * 12 * monthly_error
            as corrected_width
    from adjusted
),

corrected as (
    select
        *,
        power(1 + monthly_growth, 12) * exp(-corrected_width) - 1 as corrected_low,
        power(1 + monthly_growth, 12) * exp(corrected_width) - 1 as corrected_high
    from widened
),

found as (
    select
        *,
        change_finding(first_half, second_half, corrected_low, corrected_high, 0) as finding
    from corrected
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
from found
order by dimension, member
