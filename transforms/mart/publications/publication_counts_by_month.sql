/*
row = "Publications of a lab in a category and a month by one counting rule in one taxonomy; only where there are any, publication_counts() fills in the zeros."
key = ["counting_rule", "taxonomy", "lab", "category", "published_month"]

[columns]
counting_rule = {}
taxonomy = {}
lab = { type = "text", meaning = "The lab, “(no followed lab)” for other authors, or “(authors not known)” where the rule cannot tell.", required = true }
category = {}
published_month = { type = "date", meaning = "First day of the month of publication; missing for publications without a date." }
publications = { type = "real", unit = "publications", meaning = "Publications by the counting rule; not whole numbers where they are divided.", required = true, minimum = 0 }
*/
with summed as (
    select
        lab,
        category,
        cast(date_trunc('month', published_on) as date) as published_month,
        is_duplicate,
        fractional_weight is not null as is_author_known,
        sum(whole_weight) as whole,
        sum(fractional_weight) as fractional,
        sum(first_author_weight) as first_author
    from mart.counted_publications
    group by all
),

-- what a rule cannot attribute is counted apart rather than guessed or lost
attributed as (
    select
        'whole' as attribution,
        lab,
        category,
        published_month,
        is_duplicate,
        whole as weight
    from summed
    union all
    select
        'fractional' as attribution,
        case when is_author_known then lab else '(authors not known)' end as lab,
        category,
        published_month,
        is_duplicate,
        case when is_author_known then fractional else whole end as weight
    from summed
    union all
    select
        'first_author' as attribution,
        case when is_author_known then lab else '(authors not known)' end as lab,
        category,
        published_month,
        is_duplicate,
        case when is_author_known then first_author else whole end as weight
    from summed
),

ruled as (
    select
        counting_rules.counting_rule,
        attributed.lab,
        attributed.category,
        attributed.published_month,
        sum(attributed.weight) as weight
    from attributed
    inner join reference.counting_rules as counting_rules on attributed.attribution = counting_rules.attribution
    where counting_rules.counts_marked_duplicates or not attributed.is_duplicate
    group by all
),

-- labels are of the default taxonomy; any other one is reached over the crosswalk
counterparts as (
    select
        taxonomies.taxonomy,
        labels.category as label,
        coalesce(crosswalk.to_category, case when taxonomies.is_default then labels.category else '(no counterpart)' end) as category,
        coalesce(crosswalk.weight, 1.0) as weight
    from (select distinct category from ruled) as labels
    cross join reference.taxonomies as taxonomies
    left join reference.category_crosswalk as crosswalk
        on
            labels.category = crosswalk.from_category
            and taxonomies.taxonomy = crosswalk.to_taxonomy
            and not taxonomies.is_default
)

select
    ruled.counting_rule,
    counterparts.taxonomy,
    ruled.lab,
    counterparts.category,
    ruled.published_month,
    round(sum(ruled.weight * counterparts.weight), 9) as publications
from ruled
inner join counterparts on ruled.category = counterparts.label
group by all
having sum(ruled.weight * counterparts.weight) > 0
order by counting_rule, taxonomy, lab, category, published_month
