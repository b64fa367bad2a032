/*
row = "A lab and its safety-research score by the formula of AI Lab Watch, with every term of the formula (corpus iaps_mapping)."
key = ["lab"]

[columns]
lab = {}
newest_year = { type = "integer", meaning = "The newest covered year.", required = true }
newest_year_elapsed = { type = "real", unit = "years", meaning = "Covered part of the newest year.", required = true, minimum = 0, maximum = 1.01 }
newest_year_works = { type = "integer", unit = "works", meaning = "Works of the newest year, with weight 3.", required = true, minimum = 0 }
second_year_works = { type = "integer", unit = "works", meaning = "Works of the year before, with weight 2.", required = true, minimum = 0 }
third_year_works = { type = "integer", unit = "works", meaning = "Works of the year before that, with weight 1.", required = true, minimum = 0 }
weighted_works_per_year = { type = "real", unit = "works per year", meaning = "(3 n₁ + 2 n₂ + n₃) / (3 f + 3); n: works by year, newest first; f: covered part of the newest year.", required = true, minimum = 0 }
lab_watch_score = { type = "real", unit = "0 to 1", meaning = "min(1, (works per year / 20)^0.75), with the works of this lake, not of AI Lab Watch.", required = true, minimum = 0, maximum = 1 }
counting_rule = {}
*/
with latest_year as (
    select
        max(published_year) as published_year,
        max_by(exposure_years, published_year) as elapsed
    from mart.publication_rates_by_year
    where lab = 'all' and exposure_years > 0
),

works_of_years as (
    select
        rates.lab,
        cast(year(latest_year.published_year) as bigint) as newest_year,
        least(1.0, latest_year.elapsed) as newest_year_elapsed,
        cast(sum(rates.works) filter (where year(rates.published_year) = year(latest_year.published_year)) as bigint) as newest_year_works,
        cast(coalesce(sum(rates.works) filter (where year(rates.published_year) = year(latest_year.published_year) - 1), 0) as bigint)
            as second_year_works,
        cast(coalesce(sum(rates.works) filter (where year(rates.published_year) = year(latest_year.published_year) - 2), 0) as bigint)
            as third_year_works
    from mart.publication_rates_by_year as rates
    cross join latest_year
    where rates.lab != 'all' and rates.published_year <= latest_year.published_year
    group by all
),

weighted_works as (
    select
        *,
        (3 * newest_year_works + 2 * second_year_works + third_year_works) / (3 * newest_year_elapsed + 3) as weighted_works_per_year
    from works_of_years
)

select
    *,
    least(1.0, power(weighted_works_per_year / 20, 0.75)) as lab_watch_score,
    'works' as counting_rule
from weighted_works
order by lab
