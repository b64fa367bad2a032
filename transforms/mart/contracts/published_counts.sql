/*
row = "A count that others published, beside the same count here."
key = ["claim"]

[columns]
claim = {}
says = {}
source = {}
counting_rule = {}
published_value = {}
counted_value = { type = "real", unit = "as counted", meaning = "The same count here; missing where it cannot be compared.", minimum = 0 }
tolerance = {}
outcome = { type = "text", meaning = "Whether the count comes out.", required = true, one_of = ["agrees", "differs", "not comparable"] }
why = { type = "text", meaning = "Why it differs or cannot be compared, as a sentence." }
*/
with kept as (
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

tallied as (
    select
        claim,
        cast(count(distinct category) filter (where weight > 0) as double) as categories,
        sum(weight) as publications
    from kept
    group by claim
),

counted as (
    select
        claims.*,
        case
            when claims.not_comparable is null
                then coalesce(case claims.counts when 'categories' then tallied.categories else tallied.publications end, 0.0)
        end as counted_value
    from reference.published_counts as claims
    left join tallied on claims.claim = tallied.claim
),

explained as (
    select
        claim,
        count(*) filter (where difference > 0) as more,
        count(*) filter (where difference < 0) as fewer
    from mart.published_count_differences
    group by claim
)

select
    counted.claim,
    counted.says,
    counted.source,
    counted.counting_rule,
    counted.published_value,
    counted.counted_value,
    counted.tolerance,
    case
        when counted.counted_value is null then 'not comparable'
        when abs(counted.counted_value - counted.published_value) <= counted.tolerance then 'agrees'
        else 'differs'
    end as outcome,
    case
        when counted.counted_value is null then counted.not_comparable
        when abs(counted.counted_value - counted.published_value) > counted.tolerance
            then case
                when explained.claim is not null
                    then printf(
                        'Counted here but not in the study: %d; in the study but not counted here: %d; each is a row of mart.published_count_differences.',
                        explained.more,
                        explained.fewer
                    )
                else 'The study’s own rows are not in the lake, so that the publications behind the difference cannot be named.'
            end
    end as why
from counted
left join explained on counted.claim = explained.claim
order by counted.source, counted.claim
