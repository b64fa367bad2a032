/*
row = "A lab (or all labs) and two covered years, at least one with works, with the ratio of their rates of works, an exact interval and a test (corpus iaps_mapping)."
key = ["lab", "first_year", "second_year"]

[columns]
lab = {}
first_year = { type = "date", meaning = "First day of the earlier year.", required = true }
second_year = { type = "date", meaning = "First day of the later year.", required = true }
first_works = { type = "integer", unit = "works", meaning = "Works of the earlier year.", required = true, minimum = 0 }
second_works = { type = "integer", unit = "works", meaning = "Works of the later year.", required = true, minimum = 0 }
rate_ratio = { type = "real", unit = "ratio", meaning = "Rate of the later year / rate of the earlier year; missing if the latter is 0.", minimum = 0 }
ratio_low = { type = "real", unit = "ratio", meaning = "Lower end of the exact 95 % interval of the ratio, without correction for other comparisons.", required = true, minimum = 0 }
ratio_high = { type = "real", unit = "ratio", meaning = "Upper end of that interval; missing (unbounded) if the earlier year has no works.", minimum = 0 }
p_value = { type = "real", unit = "probability", meaning = "Exact two-sided p-value of equal rates, without correction for other comparisons.", required = true, minimum = 0, maximum = 1 }
p_adjusted = { type = "real", unit = "probability", meaning = "The p-value adjusted for all comparisons of this table (Benjamini-Hochberg).", required = true, minimum = 0, maximum = 1 }
corrected_low = { type = "real", unit = "ratio", meaning = "Lower end of the exact interval of the ratio, corrected for all comparisons of this table.", required = true, minimum = 0 }
corrected_high = { type = "real", unit = "ratio", meaning = "Upper end of that interval; missing (unbounded) if the earlier year has no works.", minimum = 0 }
finding = { type = "text", meaning = "“up” or “down” only if the corrected interval excludes 1; “too few” if either year has fewer than 5 works.", required = true, one_of = ["up", "down", "no clear change", "too few"] }
growth = { type = "real", unit = "ratio", meaning = "Rate ratio less 1; missing if either year has fewer than 5 works." }
sentence = { type = "text", meaning = "The comparison as a quotable sentence.", required = true }
counting_rule = {}
*/
with year_pairs as (
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
    where earlier.exposure_years > 0 and later.exposure_years > 0 and earlier.works + later.works > 0
),

ratio_tests as (
    select
        *,
        second_works / nullif(first_works, 0) * first_exposure / second_exposure as rate_ratio,
        rate_ratio_low(first_works, first_exposure, second_works, second_exposure) as ratio_low,
        rate_ratio_high(first_works, first_exposure, second_works, second_exposure) as ratio_high,
        rate_ratio_p_value(first_works, first_exposure, second_works, second_exposure) as p_value
    from year_pairs
),

ranked_tests as (
    select
        *,
        row_number() over (order by p_value, lab, first_year, second_year) as place,
        count(*) over () as tests
    from ratio_tests
),

-- Benjamini and Hochberg, J. R. Stat. Soc. B 57 (1995) 289: p · tests / place, never above that of a larger p-value
adjusted_tests as (
    select
        *,
        least(1.0, min(p_value * tests / place) over (order by place desc rows between unbounded preceding and current row)) as p_adjusted
    from ranked_tests
),

test_levels as (
    select
        *,
        corrected_alpha(count(*) filter (where p_adjusted < 0.05) over (), tests) as alpha
    from adjusted_tests
),

corrected_intervals as (
    select
        *,
        corrected_ratio_low(first_works, first_exposure, second_works, second_exposure, alpha) as corrected_low,
        corrected_ratio_high(first_works, first_exposure, second_works, second_exposure, alpha) as corrected_high
    from test_levels
),

findings as (
    select
        *,
        change_finding(first_works, second_works, corrected_low, corrected_high, 1) as finding
    from corrected_intervals
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
from findings
order by lab, first_year, second_year
