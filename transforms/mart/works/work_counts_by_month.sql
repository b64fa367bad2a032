/*
row = "A corpus, a counting rule, a taxonomy, a lab, a category and a month, with their publications; combinations without any have no row (publication_counts() adds the zeros)."
key = ["corpus", "counting_rule", "taxonomy", "lab", "category", "published_month"]

[columns]
corpus = {}
counting_rule = {}
taxonomy = {}
lab = { type = "text", meaning = "The lab, “(no followed lab)” for other authors and for works without a lab, or “(authors not known)” where the rule needs authors or affiliations that are missing.", required = true }
category = {}
published_month = { type = "date", meaning = "First day of the month of publication; missing for publications without a date and for those known only by year, which `publication_counts()` adds to their year." }
publications = { type = "real", unit = "publications", meaning = "Publications of the corpus by the counting rule; fractions where the rule divides a publication.", required = true, minimum = 0 }
*/
-- the published mapping is counted in mart.publication_counts_by_month, and each other corpus here in the same way
with other_works as (
    select counted.*
    from mart.counted_works as counted
    left join reference.corpora as corpora on counted.corpus = corpora.corpus
    where coalesce(corpora.kind = 'living', true)
),

weight_sums as (
    select
        corpus,
        lab,
        category,
        categories,
        cast(date_trunc('month', published_on) as date) as published_month,
        is_duplicate,
        fractional_weight is not null as is_author_known,
        sum(whole_weight) as whole,
        sum(fractional_weight) as fractional,
        sum(first_author_weight) as first_author
    from other_works
    group by all
),

weights_by_rule as (
    select
        sums.corpus,
        rules.counting_rule,
        rules.category_attribution,
        sums.category,
        sums.categories,
        sums.published_month,
        case when rules.attribution != 'whole' and not sums.is_author_known then '(authors not known)' else sums.lab end as lab,
        sum(
            case
                when rules.attribution = 'whole' or not sums.is_author_known then sums.whole
                when rules.attribution = 'fractional' then sums.fractional
                else sums.first_author
            end
        ) as weight
    from weight_sums as sums
    cross join reference.counting_rules as rules
    where rules.counts_marked_duplicates or not sums.is_duplicate
    group by all
),

-- works of the same categories are mapped alike
labels as (
    select distinct
        corpus,
        'first' as category_attribution,
        category,
        categories,
        category as label,
        1.0 as label_weight
    from weight_sums
    union all
    select distinct
        corpus,
        'shared' as category_attribution,
        category,
        categories,
        unnest(string_split(categories, '; ')) as label,
        1.0 / len(string_split(categories, '; ')) as label_weight
    from weight_sums
    union all
    select distinct
        corpus,
        'each' as category_attribution,
        category,
        categories,
        unnest(string_split(categories, '; ')) as label,
        1.0 as label_weight
    from weight_sums
),

-- the crosswalk maps labels of the taxonomy of the corpus to the others
mapped_labels as (
    select
        labels.corpus,
        labels.category_attribution,
        labels.category as first_category,
        labels.categories,
        taxonomies.taxonomy,
        coalesce(
            crosswalk.to_category,
            case when taxonomies.is_own or labels.label in ('(unlabelled)', '(no category)') then labels.label else taxonomies.unmapped_category end
        ) as category,
        labels.label_weight * coalesce(crosswalk.weight, 1.0) as weight
    from labels
    inner join clean.corpora as corpora on labels.corpus = corpora.corpus
    inner join clean.corpus_taxonomies as taxonomies on labels.corpus = taxonomies.corpus
    left join clean.category_crosswalk as crosswalk
        on
            corpora.taxonomy = crosswalk.from_taxonomy
            and labels.label = crosswalk.from_category
            and taxonomies.taxonomy = crosswalk.to_taxonomy
),

-- two labels that mean one category elsewhere count once there
mapped_categories as (
    select
        corpus,
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
    corpora.corpus,
    counts.counting_rule,
    counts.taxonomy,
    counts.lab,
    counts.category,
    counts.published_month,
    counts.publications
from mart.publication_counts_by_month as counts
inner join reference.corpora as corpora on corpora.list_source = 'lab_sheet'
union all
select
    weights_by_rule.corpus,
    weights_by_rule.counting_rule,
    mapped_categories.taxonomy,
    weights_by_rule.lab,
    mapped_categories.category,
    weights_by_rule.published_month,
    round(sum(weights_by_rule.weight * mapped_categories.weight), 9) as publications
from weights_by_rule
inner join mapped_categories
    on
        weights_by_rule.corpus = mapped_categories.corpus
        and weights_by_rule.category_attribution = mapped_categories.category_attribution
        and weights_by_rule.category = mapped_categories.first_category
        and weights_by_rule.categories = mapped_categories.categories
group by all
having sum(weights_by_rule.weight * mapped_categories.weight) > 0
order by corpus, counting_rule, taxonomy, lab, category, published_month
