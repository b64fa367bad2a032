/*
row = "A lab, or all labs together, and two years: how the rate of works changed, with an exact interval and test."
key = ["lab", "first_year", "second_year"]

[columns]
lab = {}
first_year = { type = "date", meaning = "First day of the earlier year.", required = true }
second_year = { type = "date", meaning = "First day of the later year.", required = true }
first_works = { type = "integer", unit = "works", meaning = "Works of the earlier year.", required = true, minimum = 0 }
second_works = { type = "integer", unit = "works", meaning = "Works of the later year.", required = true, minimum = 0 }
rate_ratio = { type = "real", unit = "ratio", meaning = "Rate of the later year by that of the earlier one; missing if that is 0.", minimum = 0 }
ratio_low = { type = "real", unit = "ratio", meaning = "Lower end of the exact 95 % interval of the ratio, for this comparison alone.", required = true, minimum = 0 }
ratio_high = { type = "real", unit = "ratio", meaning = "Upper end of the interval; missing (unbounded) if the earlier year has no works.", minimum = 0 }
p_value = { type = "real", unit = "probability", meaning = "Exact two-sided p-value of equal rates, for this comparison alone.", required = true, minimum = 0, maximum = 1 }
p_adjusted = { type = "real", unit = "probability", meaning = "The p-value after Benjamini and Hochberg over all comparisons of this table.", required = true, minimum = 0, maximum = 1 }
corrected_low = { type = "real", unit = "ratio", meaning = "Lower end of the exact interval of the ratio, widened for all comparisons of this table.", required = true, minimum = 0 }
corrected_high = { type = "real", unit = "ratio", meaning = "Upper end of that interval; missing (unbounded) if the earlier year has no works.", minimum = 0 }
finding = { type = "text", meaning = "“up” or “down” only if the corrected interval excludes 1; “too few” below 5 works in either year.", required = true, one_of = ["up", "down", "no clear change", "too few"] }
growth = { type = "real", unit = "ratio", meaning = "Rate ratio less 1; missing below 5 works in either year." }
sentence = { type = "text", meaning = "The comparison as a sentence that may be quoted.", required = true }
counting_rule = {}
*/
with compared as (
    select
        earlier.lab,
        earlier.published_year as first_year,
        later.published_year as second_year,
        earlier.works as first_works,
        later.works as second_works,
        earlier.exposure_years as first_exposure,
        later.exposure_years as second_exposure,
        earlier.works_per_year as first_rate,
        later.works_per_year as second_rate,
        earlier.is_part_period as is_first_part,
        later.is_part_period as is_second_part
    from mart.publication_rates_by_year as earlier
    inner join mart.publication_rates_by_year as later
        on earlier.lab = later.lab and earlier.published_year < later.published_year
    where earlier.exposure_years > 0 and later.exposure_years > 0
),

tested as (
    select
        *,
        second_works / nullif(first_works, 0) * first_exposure / second_exposure as rate_ratio,
        rate_ratio_low(first_works, first_exposure, second_works, second_exposure) as ratio_low,
        rate_ratio_high(first_works, first_exposure, second_works, second_exposure) as ratio_high,
        rate_ratio_p_value(first_works, first_exposure, second_works, second_exposure) as p_value
    from compared
),

ranked as (
    select
        *,
        row_number() over (order by p_value, lab, first_year, second_year) as place,
        count(*) over () as tests
    from tested
),

-- Benjamini and Hochberg, J. R. Stat. Soc. B 57 (1995) 289: p · tests / place, never above that of a larger p-value
adjusted as (
    select
        *,
        least(1.0, min(p_value * tests / place) over (order by place desc rows between unbounded preceding and current row)) as p_adjusted
    from ranked
),

widened as (
    select
        *,
        corrected_alpha(count(*) filter (where p_adjusted < 0.05) over (), tests) as alpha
    from adjusted
),

corrected as (
    select
        *,
        corrected_ratio_low(first_works, first_exposure, second_works, second_exposure, alpha) as corrected_low,
        corrected_ratio_high(first_works, first_exposure, second_works, second_exposure, alpha) as corrected_high
    from widened
),

found as (
    select
        *,
        change_finding(first_works, second_works, corrected_low, corrected_high, 1) as finding
    from corrected
)

select
    lab,
    first_year,
    second_year,
    first_works,
    second_works,
    rate_ratio,
    ratio_low,
    ratio_high,
    p_value,
    p_adjusted,
    corrected_low,
    corrected_high,
    finding,
    growth_shown(first_works, second_works, rate_ratio - 1) as growth,
    concat(
        case when lab = 'all' then 'All labs together' else lab end,
        printf(': %.1f works a year in %d', second_rate, year(second_year)),
        case when is_second_part then ' (covered in part)' else '' end,
        printf(' against %.1f in %d', first_rate, year(first_year)),
        case when is_first_part then ' (covered in part)' else '' end,
        case
            when finding = 'too few' then printf('; with %d and %d works too few to compare.', first_works, second_works)
            else printf(
                ', ratio %.2f (95 %% interval %.2f to %.2f corrected for the %d comparisons made together; %.2f to %.2f alone): %s.',
                rate_ratio,
                corrected_low,
                corrected_high,
                tests,
                ratio_low,
                ratio_high,
                finding
            )
        end
    ) as sentence,
    'works' as counting_rule
from found
order by lab, first_year, second_year
