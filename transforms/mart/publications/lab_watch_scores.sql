/*
row = "A lab and its safety-research score by the formula of AI Lab Watch: a derived index, with every term shown."
key = ["lab"]

[columns]
lab = {}
newest_year = { type = "integer", meaning = "The newest year that is covered; the two before it count less.", required = true }
newest_year_elapsed = { type = "real", unit = "years", meaning = "Part of the newest year that is covered.", required = true, minimum = 0, maximum = 1.01 }
newest_year_works = { type = "integer", unit = "works", meaning = "Works of the newest year; they count three times.", required = true, minimum = 0 }
second_year_works = { type = "integer", unit = "works", meaning = "Works of the year before; they count twice.", required = true, minimum = 0 }
third_year_works = { type = "integer", unit = "works", meaning = "Works of the year before that; they count once.", required = true, minimum = 0 }
weighted_works_per_year = { type = "real", unit = "works per year", meaning = "(3 n₁ + 2 n₂ + n₃) / (3 f + 3); n: works of the three years, f: elapsed part.", required = true, minimum = 0 }
lab_watch_score = { type = "real", unit = "0 to 1", meaning = "min(1, (works per year / 20)^0.75). Works are those of the lake, not those that AI Lab Watch counts.", required = true, minimum = 0, maximum = 1 }
counting_rule = {}
*/
with newest as (
    select
        max(published_year) as published_year,
        max_by(exposure_years, published_year) as elapsed
    from mart.publication_rates_by_year
    where lab = 'all' and exposure_years > 0
),

counted as (
    select
        rates.lab,
        cast(year(newest.published_year) as bigint) as newest_year,
        least(1.0, newest.elapsed) as newest_year_elapsed,
        cast(sum(rates.works) filter (where year(rates.published_year) = year(newest.published_year)) as bigint) as newest_year_works,
        cast(coalesce(sum(rates.works) filter (where year(rates.published_year) = year(newest.published_year) - 1), 0) as bigint)
            as second_year_works,
        cast(coalesce(sum(rates.works) filter (where year(rates.published_year) = year(newest.published_year) - 2), 0) as bigint)
            as third_year_works
    from mart.publication_rates_by_year as rates
    cross join newest
    where rates.lab != 'all' and rates.published_year <= newest.published_year
    group by all
),

weighted as (
    select
        *,
        (3 * newest_year_works + 2 * second_year_works + third_year_works) / (3 * newest_year_elapsed + 3) as weighted_works_per_year
    from counted
)

select
    *,
    least(1.0, power(weighted_works_per_year / 20, 0.75)) as lab_watch_score,
    'works' as counting_rule
from weighted
order by lab
