/*
row = "A count that others published, with the same count in this lake."
key = ["claim"]

[columns]
claim = {}
statement = {}
source = {}
counting_rule = {}
published_value = {}
counted_value = { type = "real", unit = "as counted", meaning = "The same count in this lake; missing if it cannot be compared.", minimum = 0 }
tolerance = {}
outcome = { type = "text", meaning = "Whether the counts agree within the tolerance.", required = true, one_of = ["agrees", "differs", "not comparable"] }
why = { type = "text", meaning = "Why the counts differ or cannot be compared, as a sentence." }
*/
with claim_weights as (
    select
        claims.claim,
        counted.category,
        case rules.attribution
            when 'whole' then counted.whole_weight
            when 'fractional' then counted.fractional_weight
            else counted.first_author_weight
        end as weight
    from reference.published_counts as claims
    inner join reference.counting_rules as rules on claims.counting_rule = rules.counting_rule
    inner join mart.counted_publications as counted
        on
            counted.published_on between claims.published_from and claims.published_until
            and (claims.lab is null or claims.lab = counted.lab)
            and (claims.category is null or claims.category = counted.category)
            and (rules.counts_marked_duplicates or not counted.is_duplicate)
),

claim_totals as (
    select
        claim,
        cast(count(distinct category) filter (where weight > 0) as double) as categories,
        sum(weight) as publications
    from claim_weights
    group by claim
),

claims_with_counts as (
    select
        claims.*,
        case
            when claims.not_comparable is null
                then coalesce(case claims.counts when 'categories' then claim_totals.categories else claim_totals.publications end, 0.0)
        end as counted_value
    from reference.published_counts as claims
    left join claim_totals on claims.claim = claim_totals.claim
),

difference_counts as (
    select
        claim,
        count(*) filter (where difference > 0) as more,
        count(*) filter (where difference < 0) as fewer
    from mart.published_count_differences
    group by claim
)

select
    claims_with_counts.claim,
    claims_with_counts.statement,
    claims_with_counts.source,
    claims_with_counts.counting_rule,
    claims_with_counts.published_value,
    claims_with_counts.counted_value,
    claims_with_counts.tolerance,
    case
        when claims_with_counts.counted_value is null then 'not comparable'
        when abs(claims_with_counts.counted_value - claims_with_counts.published_value) <= claims_with_counts.tolerance then 'agrees'
        else 'differs'
    end as outcome,
    case
        when claims_with_counts.counted_value is null then claims_with_counts.not_comparable
        when abs(claims_with_counts.counted_value - claims_with_counts.published_value) > claims_with_counts.tolerance
            then case
                when difference_counts.claim is not null
                    then printf(
                        'Counted here but not in the study: %d; in the study but not counted here: %d; each is a row of mart.published_count_differences.',
                        difference_counts.more,
                        difference_counts.fewer
                    )
                else 'The study’s own rows are not in the lake, so that the publications behind the difference cannot be named.'
            end
    end as why
from claims_with_counts
left join difference_counts on claims_with_counts.claim = difference_counts.claim
order by claims_with_counts.source, claims_with_counts.claim
