/*
row = "A living corpus, a counting rule, a taxonomy, a lab, a category and a month, with the publications that are expected there by suggestions; none of them is in a count of reviewed labels."
key = ["corpus", "counting_rule", "taxonomy", "lab", "category", "published_month"]

[columns]
corpus = {}
counting_rule = {}
taxonomy = { type = "text", meaning = "The taxonomy: the default one, or one that the crosswalk maps it to.", required = true }
lab = { type = "text", meaning = "The lab, “(no followed lab)” or “(authors not known)”.", required = true }
category = { type = "text", meaning = "The suggested category.", required = true }
published_month = { type = "date", meaning = "First day of the month of publication; missing for works without a date or known only by year." }
suggested_works = { type = "integer", unit = "works", meaning = "Works for which the category is suggested, with whatever probability.", required = true, minimum = 1 }
expected_publications = { type = "real", unit = "publications", meaning = "Sum of the probabilities that works are in scope and have the category; without a model of relevance all are.", required = true, minimum = 0 }
expected_variance = { type = "real", unit = "publications squared", meaning = "Variance of that number (Poisson-binomial): sum of p (1 - p); those of one category can be added.", required = true, minimum = 0 }
expected_low = { type = "real", unit = "publications", meaning = "Lower end of the 95 % interval: 1.96 standard deviations below, at least 0.", required = true, minimum = 0 }
expected_high = { type = "real", unit = "publications", meaning = "Upper end of the interval, at most all works.", required = true, minimum = 0 }
*/
with defaults as (
    select taxonomy
    from reference.taxonomies
    where is_default
),

relevance as (
    select
        work_id,
        taxonomy,
        probability
    from clean.suggestions
    where model = 'relevance' and category = 'in scope'
),

categories as (
    select
        suggestions.work_id,
        suggestions.category,
        suggestions.probability * coalesce(relevance.probability, 1.0) as probability
    from clean.suggestions as suggestions
    left join relevance on suggestions.work_id = relevance.work_id and suggestions.taxonomy = relevance.taxonomy
    where suggestions.model = 'category' and suggestions.taxonomy = (select defaults.taxonomy from defaults)
),

mappings as (
    select
        crosswalk.to_taxonomy as taxonomy,
        crosswalk.from_category as label,
        crosswalk.to_category as category,
        crosswalk.weight
    from clean.category_crosswalk as crosswalk
    inner join defaults on crosswalk.from_taxonomy = defaults.taxonomy
    union all
    select
        defaults.taxonomy,
        labels.label,
        labels.label as category,
        1.0 as weight
    from (select distinct category as label from categories) as labels
    cross join defaults
),

-- several labels of a work can be mapped to one category
work_probabilities as (
    select
        categories.work_id,
        mappings.taxonomy,
        mappings.category,
        sum(categories.probability * mappings.weight) as expected,
        sum(categories.probability * mappings.weight * mappings.weight) as expected_square
    from categories
    inner join mappings on categories.category = mappings.label
    group by
        categories.work_id,
        mappings.taxonomy,
        mappings.category
),

weighted_works as (
    select
        counted.corpus,
        rules.counting_rule,
        counted.work_id,
        counted.published_on,
        case
            when rules.attribution != 'whole' and counted.fractional_weight is null then '(authors not known)'
            else counted.lab
        end as lab,
        case rules.attribution
            when 'whole' then counted.whole_weight
            when 'fractional' then coalesce(counted.fractional_weight, counted.whole_weight)
            else coalesce(counted.first_author_weight, counted.whole_weight)
        end as weight
    from mart.counted_works as counted
    inner join reference.corpora as corpora on counted.corpus = corpora.corpus and corpora.kind = 'living'
    cross join reference.counting_rules as rules
    where rules.counts_marked_duplicates or not counted.is_duplicate
),

sums as (
    select
        weighted.corpus,
        weighted.counting_rule,
        probabilities.taxonomy,
        weighted.lab,
        probabilities.category,
        cast(date_trunc('month', weighted.published_on) as date) as published_month,
        count(*) as suggested_works,
        sum(weighted.weight) as weight,
        sum(weighted.weight * probabilities.expected) as expected,
        sum(
            weighted.weight * weighted.weight
            * greatest(probabilities.expected_square - probabilities.expected * probabilities.expected, 0.0)
        ) as variance
    from weighted_works as weighted
    inner join work_probabilities as probabilities on weighted.work_id = probabilities.work_id
    where weighted.weight > 0
    group by
        weighted.corpus,
        weighted.counting_rule,
        probabilities.taxonomy,
        weighted.lab,
        probabilities.category,
        cast(date_trunc('month', weighted.published_on) as date)
)

select
    corpus,
    counting_rule,
    taxonomy,
    lab,
    category,
    published_month,
    suggested_works,
    -- probabilities have six digits, so that sums of halves of them often lie between two numbers of six digits; what is
    -- added decides between these, and not the order of the sum
    round(expected + 1e-9, 6) as expected_publications,
    round(variance + 1e-9, 6) as expected_variance,
    round(greatest(0.0, expected - 1.959963984540054 * sqrt(variance)) + 1e-9, 6) as expected_low,
    round(least(weight, expected + 1.959963984540054 * sqrt(variance)) + 1e-9, 6) as expected_high
from sums
order by corpus, counting_rule, taxonomy, lab, category, published_month
