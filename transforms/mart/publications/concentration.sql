/*
row = "A scope (all works, a lab or a year) and the concentration of its works on labs or categories (corpus iaps_mapping)."
key = ["scope", "over_dimension"]

[columns]
scope = { type = "text", meaning = "“all”, a lab, or a year.", required = true }
over_dimension = { type = "text", meaning = "Dimension over which the concentration is measured.", required = true, one_of = ["lab", "category"] }
works = { minimum = 1 }
groups = { type = "integer", unit = "groups", meaning = "Labs or categories with at least one work.", required = true, minimum = 1 }
hhi = { type = "real", unit = "index in 0 to 1", meaning = "Herfindahl-Hirschman index: the sum of squared shares.", required = true, minimum = 0, maximum = 1 }
hhi_unbiased = { type = "real", unit = "index in 0 to 1", meaning = "The index corrected for the bias of small numbers: Σk(k-1) / n(n-1); missing for a single work.", minimum = 0, maximum = 1 }
hhi_normalised = { type = "real", unit = "index in 0 to 1", meaning = "(H - 1/K) / (1 - 1/K): 0 for equal shares; missing for a single group.", minimum = 0, maximum = 1 }
entropy_nats = { type = "real", unit = "nats", meaning = "Shannon entropy of the shares.", required = true, minimum = 0 }
effective_number = { type = "real", unit = "groups", meaning = "Number of equally large groups with the same entropy: exp(entropy).", required = true, minimum = 1 }
largest_share = { type = "real", unit = "share in 0 to 1", meaning = "Share of the largest group.", required = true, minimum = 0, maximum = 1 }
counting_rule = {}
*/
with monthly_works as (
    select
        lab,
        category,
        strftime(published_month, '%Y') as published,
        works
    from mart.publications_by_lab_category_month
    where works > 0
),

group_works as (
    select
        coalesce(lab, published, 'all') as scope,
        'category' as over_dimension,
        category as member,
        sum(works) as k
    from monthly_works
    group by grouping sets ((category), (category, lab), (category, published))
    union all
    select
        coalesce(published, 'all') as scope,
        'lab' as over_dimension,
        lab as member,
        sum(works) as k
    from monthly_works
    group by grouping sets ((lab), (lab, published))
),

group_shares as (
    select
        *,
        sum(k) over (partition by scope, over_dimension) as n,
        k / sum(k) over (partition by scope, over_dimension) as share
    from group_works
),

indices as (
    select
        scope,
        over_dimension,
        cast(max(n) as bigint) as works,
        cast(count(*) as bigint) as groups,
        sum(k * k) / (max(n) * max(n)) as hhi,
        sum(k * (k - 1)) / nullif(max(n) * (max(n) - 1), 0) as hhi_unbiased,
        greatest(0.0, round(-sum(share * ln(share)), 12)) as entropy_nats,
        max(share) as largest_share
    from group_shares
    group by scope, over_dimension
)

select
    scope,
    over_dimension,
    works,
    groups,
    hhi,
    hhi_unbiased,
    greatest(0.0, (hhi - 1.0 / groups) / nullif(1 - 1.0 / groups, 0)) as hhi_normalised,
    entropy_nats,
    exp(entropy_nats) as effective_number,
    largest_share,
    'works' as counting_rule
from indices
order by scope, over_dimension
