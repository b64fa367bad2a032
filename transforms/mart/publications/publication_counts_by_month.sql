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
with weight_sums as (
    select
        lab,
        category,
        categories,
        cast(date_trunc('month', published_on) as date) as published_month,
        is_duplicate,
        fractional_weight is not null as is_author_known,
        sum(whole_weight) as whole,
        sum(fractional_weight) as fractional,
        sum(first_author_weight) as first_author
    from mart.counted_publications
    group by all
),

-- publications without known authors are counted under their own label, neither guessed nor dropped
weights_by_attribution as (
    select
        'whole' as attribution,
        lab,
        category,
        categories,
        published_month,
        is_duplicate,
        whole as weight
    from weight_sums
    union all
    select
        'fractional' as attribution,
        case when is_author_known then lab else '(authors not known)' end as lab,
        category,
        categories,
        published_month,
        is_duplicate,
        case when is_author_known then fractional else whole end as weight
    from weight_sums
    union all
    select
        'first_author' as attribution,
        case when is_author_known then lab else '(authors not known)' end as lab,
        category,
        categories,
        published_month,
        is_duplicate,
        case when is_author_known then first_author else whole end as weight
    from weight_sums
),

weights_by_rule as (
    select
        counting_rules.counting_rule,
        counting_rules.category_attribution,
        weights_by_attribution.lab,
        weights_by_attribution.category,
        weights_by_attribution.categories,
        weights_by_attribution.published_month,
        sum(weights_by_attribution.weight) as weight
    from weights_by_attribution
    inner join reference.counting_rules as counting_rules on weights_by_attribution.attribution = counting_rules.attribution
    where counting_rules.counts_marked_duplicates or not weights_by_attribution.is_duplicate
    group by all
),

-- publications of the same categories are mapped alike
labels as (
    select distinct
        'first' as category_attribution,
        category,
        categories,
        category as label,
        1.0 as label_weight
    from weight_sums
    union all
    select distinct
        'shared' as category_attribution,
        category,
        categories,
        unnest(string_split(categories, '; ')) as label,
        1.0 / len(string_split(categories, '; ')) as label_weight
    from weight_sums
    union all
    select distinct
        'each' as category_attribution,
        category,
        categories,
        unnest(string_split(categories, '; ')) as label,
        1.0 as label_weight
    from weight_sums
),

default_crosswalk as (
    select crosswalk.*
    from clean.category_crosswalk as crosswalk
    inner join reference.taxonomies as defaults on crosswalk.from_taxonomy = defaults.taxonomy and defaults.is_default
),

-- labels belong to the default taxonomy; the crosswalk maps them to the others
mapped_labels as (
    select
        labels.category_attribution,
        labels.category as first_category,
        labels.categories,
        taxonomies.taxonomy,
        coalesce(crosswalk.to_category, case when taxonomies.is_own then labels.label else taxonomies.unmapped_category end) as category,
        labels.label_weight * coalesce(crosswalk.weight, 1.0) as weight
    from labels
    inner join clean.corpus_taxonomies as taxonomies on taxonomies.corpus = 'iaps_mapping'
    left join default_crosswalk as crosswalk on labels.label = crosswalk.from_category and taxonomies.taxonomy = crosswalk.to_taxonomy
),

-- two labels that mean one category elsewhere count once there
mapped_categories as (
    select
        category_attribution,
        first_category,
        categories,
        taxonomy,
        category,
        least(1.0, sum(weight)) as weight
    from mapped_labels
    group by all
)

select
    weights_by_rule.counting_rule,
    mapped_categories.taxonomy,
    weights_by_rule.lab,
    mapped_categories.category,
    weights_by_rule.published_month,
    round(sum(weights_by_rule.weight * mapped_categories.weight), 9) as publications
from weights_by_rule
inner join mapped_categories
    on
        weights_by_rule.category_attribution = mapped_categories.category_attribution
        and weights_by_rule.category = mapped_categories.first_category
        and weights_by_rule.categories = mapped_categories.categories
group by all
having sum(weights_by_rule.weight * mapped_categories.weight) > 0
order by counting_rule, taxonomy, lab, category, published_month
