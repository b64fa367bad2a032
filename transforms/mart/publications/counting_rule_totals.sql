/*
row = "A counting rule and all that it counts: dated, undated, and what it cannot attribute to a lab."
key = ["counting_rule"]

[columns]
counting_rule = {}
meaning = {}
publications = {}
undated_publications = { type = "real", unit = "publications", meaning = "Those of them without a date, which no chart over time can show.", required = true, minimum = 0 }
unattributed_publications = { type = "real", unit = "publications", meaning = "Those of them whose authors are not known, so that the rule cannot say which lab they are of.", required = true, minimum = 0 }
is_applicable = { type = "boolean", meaning = "Whether the rule can attribute at least 95 % of them; others are left out of a range over rules.", required = true }
*/
with defaults as (
    select taxonomy
    from reference.taxonomies
    where is_default
),

counted as (
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
from counted
order by counting_rule
