/*
row = "A counting rule, with the publications that it counts: all, undated ones, and those without a lab (corpus iaps_mapping)."
key = ["counting_rule"]

[columns]
counting_rule = {}
meaning = {}
publications = {}
undated_publications = { type = "real", unit = "publications", meaning = "Counted publications without a date, which charts over time cannot show.", required = true, minimum = 0 }
year_only_publications = { type = "real", unit = "publications", meaning = "Undated publications of which the year is known: they count in their year, but in no month or quarter.", required = true, minimum = 0 }
unattributed_publications = { type = "real", unit = "publications", meaning = "Counted publications that the rule cannot attribute to a lab, since their authors are not known.", required = true, minimum = 0 }
is_applicable = { type = "boolean", meaning = "Whether the rule can attribute at least 95 % of the publications; ranges over counting rules leave out the others.", required = true }
*/
with defaults as (
    select taxonomy
    from reference.taxonomies
    where is_default
),

year_only_counts as (
    select
        rules.counting_rule,
        cast(count(*) as double) as publications
    from clean.publications as publications
    inner join reference.counting_rules as rules on rules.counts_marked_duplicates or not publications.is_duplicate
    where publications.published_on is null and publications.published_year is not null
    group by rules.counting_rule
),

totals as (
    select
        rules.counting_rule,
        rules.meaning,
        coalesce(sum(counts.publications), 0.0) as publications,
        coalesce(sum(counts.publications) filter (where counts.published_month is null), 0.0) as undated_publications,
        coalesce(max(year_only_counts.publications), 0.0) as year_only_publications,
        coalesce(sum(counts.publications) filter (where counts.lab = '(authors not known)'), 0.0) as unattributed_publications
    from reference.counting_rules as rules
    left join mart.publication_counts_by_month as counts
        on
            rules.counting_rule = counts.counting_rule
            and counts.taxonomy = (select defaults.taxonomy from defaults)
    left join year_only_counts on rules.counting_rule = year_only_counts.counting_rule
    group by rules.counting_rule, rules.meaning
)

select
    *,
    unattributed_publications <= 0.05 * publications as is_applicable
from totals
order by counting_rule
