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

labelled_works as (
    select
        *,
        'first' as category_attribution,
        category as label,
        1.0 as label_weight
    from other_works
    union all
    select
        *,
        'shared' as category_attribution,
        unnest(string_split(categories, '; ')) as label,
        1.0 / len(string_split(categories, '; ')) as label_weight
    from other_works
),

weight_sums as (
    select
        corpus,
        lab,
        category_attribution,
        label,
        cast(date_trunc('month', published_on) as date) as published_month,
        is_duplicate,
        fractional_weight is not null as is_author_known,
        sum(whole_weight * label_weight) as whole,
        sum(fractional_weight * label_weight) as fractional,
        sum(first_author_weight * label_weight) as first_author
    from labelled_works
    group by all
),

weights_by_rule as (
    select
        sums.corpus,
        rules.counting_rule,
        sums.label,
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
    inner join reference.counting_rules as rules on sums.category_attribution = rules.category_attribution
    where rules.counts_marked_duplicates or not sums.is_duplicate
    group by all
),

-- a list with a taxonomy of its own is counted in that alone
corpus_taxonomies as (
    select
        corpora.corpus,
        coalesce(taxonomies.taxonomy, corpora.taxonomy) as taxonomy,
        coalesce(taxonomies.is_default, true) as is_own
    from clean.corpora as corpora
    left join reference.taxonomies as own on corpora.taxonomy = own.taxonomy
    left join reference.taxonomies as taxonomies on own.taxonomy is not null
),

corpus_labels as (
    select distinct
        corpus,
        label
    from weights_by_rule
),

-- other labels belong to the default taxonomy; the crosswalk maps them to the others
mapped_categories as (
    select
        labels.corpus,
        corpus_taxonomies.taxonomy,
        labels.label,
        coalesce(
            crosswalk.to_category,
            case when corpus_taxonomies.is_own or labels.label = '(unlabelled)' then labels.label else '(no counterpart)' end
        ) as category,
        coalesce(crosswalk.weight, 1.0) as weight
    from corpus_labels as labels
    inner join corpus_taxonomies on labels.corpus = corpus_taxonomies.corpus
    left join reference.category_crosswalk as crosswalk
        on
            labels.label = crosswalk.from_category
            and corpus_taxonomies.taxonomy = crosswalk.to_taxonomy
            and not corpus_taxonomies.is_own
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
    on weights_by_rule.corpus = mapped_categories.corpus and weights_by_rule.label = mapped_categories.label
group by all
having sum(weights_by_rule.weight * mapped_categories.weight) > 0
order by corpus, counting_rule, taxonomy, lab, category, published_month
