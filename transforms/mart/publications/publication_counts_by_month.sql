/*
row = "A counting rule, a taxonomy, a lab, a category and a month, with their publications; combinations without any have no row (publication_counts() adds the zeros) (corpus iaps_mapping)."
key = ["counting_rule", "taxonomy", "lab", "category", "published_month"]

[columns]
counting_rule = {}
taxonomy = {}
lab = { type = "text", meaning = "The lab, “(no followed lab)” for other authors, or “(authors not known)” where the rule needs authors that are missing.", required = true }
category = {}
published_month = { type = "date", meaning = "First day of the month of publication; missing for publications without a date and for those known only by year, which `publication_counts()` adds to their year." }
publications = { type = "real", unit = "publications", meaning = "Publications by the counting rule; fractions where the rule divides a publication.", required = true, minimum = 0 }
*/
with category_weights as (
    select
        publication_id,
        'first' as category_attribution,
        category,
        1.0 as weight
    from clean.publications
    union all
    select
        publication_id,
        'shared' as category_attribution,
        category,
        weight
    from clean.publication_categories
),

weight_sums as (
    select
        counted.lab,
        category_weights.category_attribution,
        category_weights.category,
        cast(date_trunc('month', counted.published_on) as date) as published_month,
        counted.is_duplicate,
        counted.fractional_weight is not null as is_author_known,
        sum(counted.whole_weight * category_weights.weight) as whole,
        sum(counted.fractional_weight * category_weights.weight) as fractional,
        sum(counted.first_author_weight * category_weights.weight) as first_author
    from mart.counted_publications as counted
    inner join category_weights on counted.publication_id = category_weights.publication_id
    group by all
),

-- publications without known authors are counted under their own label, neither guessed nor dropped
weights_by_attribution as (
    select
        'whole' as attribution,
        lab,
        category_attribution,
        category,
        published_month,
        is_duplicate,
        whole as weight
    from weight_sums
    union all
    select
        'fractional' as attribution,
        case when is_author_known then lab else '(authors not known)' end as lab,
        category_attribution,
        category,
        published_month,
        is_duplicate,
        case when is_author_known then fractional else whole end as weight
    from weight_sums
    union all
    select
        'first_author' as attribution,
        case when is_author_known then lab else '(authors not known)' end as lab,
        category_attribution,
        category,
        published_month,
        is_duplicate,
        case when is_author_known then first_author else whole end as weight
    from weight_sums
),

weights_by_rule as (
    select
        counting_rules.counting_rule,
        weights_by_attribution.lab,
        weights_by_attribution.category,
        weights_by_attribution.published_month,
        sum(weights_by_attribution.weight) as weight
    from weights_by_attribution
    inner join reference.counting_rules as counting_rules
        on
            weights_by_attribution.attribution = counting_rules.attribution
            and weights_by_attribution.category_attribution = counting_rules.category_attribution
    where counting_rules.counts_marked_duplicates or not weights_by_attribution.is_duplicate
    group by all
),

-- labels belong to the default taxonomy; the crosswalk maps them to the others
mapped_categories as (
    select
        taxonomies.taxonomy,
        labels.category as label,
        coalesce(crosswalk.to_category, case when taxonomies.is_default then labels.category else '(no counterpart)' end) as category,
        coalesce(crosswalk.weight, 1.0) as weight
    from (select distinct category from weights_by_rule) as labels
    cross join reference.taxonomies as taxonomies
    left join reference.category_crosswalk as crosswalk
        on
            labels.category = crosswalk.from_category
            and taxonomies.taxonomy = crosswalk.to_taxonomy
            and not taxonomies.is_default
)

select
    weights_by_rule.counting_rule,
    mapped_categories.taxonomy,
    weights_by_rule.lab,
    mapped_categories.category,
    weights_by_rule.published_month,
    round(sum(weights_by_rule.weight * mapped_categories.weight), 9) as publications
from weights_by_rule
inner join mapped_categories on weights_by_rule.category = mapped_categories.label
group by all
having sum(weights_by_rule.weight * mapped_categories.weight) > 0
order by counting_rule, taxonomy, lab, category, published_month
