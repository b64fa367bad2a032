/*
row = "A counting rule, with the publications that it counts: all, undated ones, and those without a lab."
key = ["counting_rule"]

[columns]
counting_rule = {}
meaning = {}
publications = {}
undated_publications = { type = "real", unit = "publications", meaning = "Counted publications without a date, which charts over time cannot show.", required = true, minimum = 0 }
unattributed_publications = { type = "real", unit = "publications", meaning = "Counted publications that the rule cannot attribute to a lab, since their authors are not known.", required = true, minimum = 0 }
is_applicable = { type = "boolean", meaning = "Whether the rule can attribute at least 95 % of the publications; ranges over counting rules leave out the others.", required = true }
*/
with defaults as (
    select taxonomy
    from reference.taxonomies
    where is_default
),

totals as (
    select
        rules.counting_rule,
        rules.meaning,
        coalesce(sum(counts.publications), 0.0) as publications,
        coalesce(sum(counts.publications) filter (where counts.published_month is null), 0.0) as undated_publications,
        coalesce(sum(counts.publications) filter (where counts.lab = '(authors not known)'), 0.0) as unattributed_publications
    from reference.counting_rules as rules
    left join mart.publication_counts_by_month as counts
        on
            rules.counting_rule = counts.counting_rule
            and counts.taxonomy = (select defaults.taxonomy from defaults)
    group by all
)

select
    *,
    unattributed_publications <= 0.05 * publications as is_applicable
from totals
order by counting_rule
