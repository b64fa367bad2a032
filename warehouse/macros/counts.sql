-- Table macros of every release: counts of any corpus, by any counting rule, in any taxonomy, at any grain.
--   in_corpus  a corpus of clean.corpora: what is counted

-- The taxonomy in which is counted: the given one, or that of the corpus.
create or replace macro taxonomy_of(in_taxonomy, in_corpus) as coalesce(
    in_taxonomy, (select corpora.taxonomy from clean.corpora as corpora where corpora.corpus = in_corpus)
);

-- The publications behind a count: each with the weight that a counting rule gives it at a lab and in a category. In a
-- list, publication_id identifies one of its publications, in a living corpus a work.
create or replace macro publications_behind(rule := 'works', in_taxonomy := null, in_corpus := 'iaps_mapping') as table
with known_corpus as (
    select case
        when not exists (select 1 from clean.corpora where corpus = in_corpus)
            then error(concat('no corpus ', coalesce(in_corpus, 'null'), '; see clean.corpora'))
        when
            in_taxonomy is not null
            and not exists (select 1 from clean.corpus_taxonomies where taxonomy = in_taxonomy and corpus = in_corpus)
            then error(concat('no taxonomy ', in_taxonomy, ' of the corpus ', in_corpus, '; see clean.corpus_taxonomies'))
        else in_corpus
    end as corpus
),

labels as (
    select distinct counts.category
    from mart.work_counts_by_month as counts
    inner join clean.corpora as corpora on counts.corpus = corpora.corpus and counts.taxonomy = corpora.taxonomy
    where counts.corpus = in_corpus
),

-- a union instead of a left join, since DuckDB 2.0.0 may lose a LIMIT above a left join
categories as (
    select
        from_category as label,
        to_category as category,
        weight
    from clean.category_crosswalk
    where to_taxonomy = taxonomy_of(in_taxonomy, in_corpus) and from_taxonomy = taxonomy_of(null, in_corpus)
    union all
    select
        labels.category as label,
        case
            when corpora.taxonomy = taxonomy_of(in_taxonomy, in_corpus) or labels.category in ('(unlabelled)', '(no category)') then labels.category
            else coalesce(
                (
                    select taxonomies.unmapped_category
                    from clean.corpus_taxonomies as taxonomies
                    where taxonomies.corpus = in_corpus and taxonomies.taxonomy = taxonomy_of(in_taxonomy, in_corpus)
                ),
                '(no counterpart)'
            )
        end as category,
        1.0 as weight
    from labels
    inner join clean.corpora as corpora on corpora.corpus = in_corpus
    where
        labels.category not in (
            select from_category
            from clean.category_crosswalk
            where to_taxonomy = taxonomy_of(in_taxonomy, in_corpus) and from_taxonomy = taxonomy_of(null, in_corpus)
        )
),

labelled_publications as (
    select
        counted.*,
        counted.category as label,
        1.0 as label_weight
    from mart.counted_works as counted
    inner join reference.counting_rules as rules on rules.counting_rule = rule and rules.category_attribution = 'first'
    where counted.corpus = (select known_corpus.corpus from known_corpus)
    union all
    select
        counted.*,
        unnest(string_split(counted.categories, '; ')) as label,
        1.0 / len(string_split(counted.categories, '; ')) as label_weight
    from mart.counted_works as counted
    inner join reference.counting_rules as rules on rules.counting_rule = rule and rules.category_attribution = 'shared'
    where counted.corpus = (select known_corpus.corpus from known_corpus)
    union all
    select
        counted.*,
        unnest(string_split(counted.categories, '; ')) as label,
        1.0 as label_weight
    from mart.counted_works as counted
    inner join reference.counting_rules as rules on rules.counting_rule = rule and rules.category_attribution = 'each'
    where counted.corpus = (select known_corpus.corpus from known_corpus)
),

weighted_publications as (
    select
        counted.item_id as publication_id,
        counted.work_id,
        counted.published_on,
        counted.published_year,
        counted.label,
        case
            when rules.attribution != 'whole' and counted.fractional_weight is null then '(authors not known)'
            else counted.lab
        end as lab,
        counted.label_weight,
        case rules.attribution
            when 'whole' then counted.whole_weight
            when 'fractional' then coalesce(counted.fractional_weight, counted.whole_weight)
            else coalesce(counted.first_author_weight, counted.whole_weight)
        end as weight
    from labelled_publications as counted
    inner join reference.counting_rules as rules on rules.counting_rule = rule
    where
        (rules.counts_marked_duplicates or not counted.is_duplicate)
        and case
            when exists (select 1 from reference.counting_rules where counting_rule = rule) then true
            else error(concat('no counting rule ', rule, '; see reference.counting_rules'))
        end
)

select
    weighted_publications.publication_id,
    weighted_publications.lab,
    categories.category,
    weighted_publications.published_on,
    -- two labels that mean one category elsewhere count once there
    weighted_publications.weight * least(1.0, sum(weighted_publications.label_weight * categories.weight)) as weight,
    weighted_publications.published_year,
    weighted_publications.work_id
from weighted_publications
inner join categories on weighted_publications.label = categories.label
where weighted_publications.weight > 0
group by
    weighted_publications.publication_id,
    weighted_publications.lab,
    categories.category,
    weighted_publications.published_on,
    weighted_publications.weight,
    weighted_publications.published_year,
    weighted_publications.work_id;

-- The periods of a grain, from the first to the last day that the corpus covers or has publications of.
--   grain        month, quarter, year or rolling_12_months (complete windows, one ending with each month)
create or replace macro publication_periods(grain := 'year', in_corpus := 'iaps_mapping') as table
with coverage as (
    select
        *,
        case
            when coalesce(grain, '') not in ('month', 'quarter', 'year', 'rolling_12_months')
                then error(concat('no grain ', coalesce(grain, 'null'), '; there are month, quarter, year, rolling_12_months'))
            else true
        end as is_valid
    from mart.corpus_coverage
    where
        corpus = case
            when exists (select 1 from clean.corpora where corpus = in_corpus) then in_corpus
            else error(concat('no corpus ', coalesce(in_corpus, 'null'), '; see clean.corpora'))
        end
),

months as (
    select
        *,
        unnest(generate_series(date_trunc('month', holds_from), date_trunc('month', holds_until), interval 1 month)) as published_month
    from coverage
    where is_valid
),

periods as (
    select distinct
        covers_from,
        covers_until,
        holds_from,
        provisional_from,
        cast(case grain
            when 'rolling_12_months' then published_month - interval 11 month
            when 'month' then published_month
            when 'quarter' then date_trunc('quarter', published_month)
            else date_trunc('year', published_month)
        end as date) as starts_on,
        cast(case grain
            when 'quarter' then date_trunc('quarter', published_month) + interval 3 month
            when 'year' then date_trunc('year', published_month) + interval 1 year
            else published_month + interval 1 month
        end - interval 1 day as date) as ends_on
    from months
)

select
    starts_on,
    ends_on,
    greatest(0, 1 + date_diff('day', greatest(covers_from, starts_on), least(covers_until, ends_on))) / 365.25 as exposure_years,
    starts_on < covers_from or ends_on > covers_until as is_part_period,
    coalesce(ends_on >= provisional_from, false) as is_provisional
from periods
where grain != 'rolling_12_months' or starts_on >= date_trunc('month', holds_from)
order by starts_on;

-- Publications per lab, category and period, without zeros, so that the rows grow with the publications only.
--   rule         a counting rule of reference.counting_rules
--   grain        as of publication_periods
--   in_taxonomy  a taxonomy of the corpus in clean.corpus_taxonomies; by default its own
create or replace macro publication_cells(rule := 'works', grain := 'year', in_taxonomy := null, in_corpus := 'iaps_mapping') as table
with periods as (
    select
        starts_on,
        ends_on
    from publication_periods(grain := grain, in_corpus := in_corpus)
    where
        case
            when not exists (select 1 from reference.counting_rules where counting_rule = rule)
                then error(concat('no counting rule ', rule, '; see reference.counting_rules'))
            when
                in_taxonomy is not null
                and not exists (select 1 from clean.corpus_taxonomies where taxonomy = in_taxonomy and corpus = in_corpus)
                then error(concat('no taxonomy ', in_taxonomy, ' of the corpus ', in_corpus, '; see clean.corpus_taxonomies'))
            else true
        end
),

monthly_counts as (
    select
        lab,
        category,
        published_month,
        publications
    from mart.work_counts_by_month
    where
        corpus = in_corpus
        and counting_rule = rule
        and taxonomy = taxonomy_of(in_taxonomy, in_corpus)
        and published_month is not null
    union all
    -- a date of which only the year is known counts in the year and in no shorter period
    select
        lab,
        category,
        published_year as published_month,
        sum(weight) as publications
    from publications_behind(rule := rule, in_taxonomy := in_taxonomy, in_corpus := in_corpus)
    where grain = 'year' and published_on is null and published_year is not null
    group by all
)

select
    monthly_counts.lab,
    monthly_counts.category,
    periods.starts_on,
    periods.ends_on,
    round(sum(monthly_counts.publications), 9) as publications
from monthly_counts
inner join periods on monthly_counts.published_month between periods.starts_on and periods.ends_on
group by all;

-- Publications per lab, category and period; those without publications are rows with zeros.
-- All labs times all categories times all periods can be far more rows than there are publications: name the labs and
-- categories that you need in a where clause, or use publication_cells.
--   rule, grain, in_taxonomy, in_corpus  as of publication_cells
create or replace macro publication_counts(rule := 'works', grain := 'year', in_taxonomy := null, in_corpus := 'iaps_mapping') as table
with cells as (
    select *
    from publication_cells(rule := rule, grain := grain, in_taxonomy := in_taxonomy, in_corpus := in_corpus)
),

periods as (  -- DuckDB 1.1 does not find a macro by an alias
    select *
    from publication_periods(grain := grain, in_corpus := in_corpus)
),

known_labs as (
    select lab
    from reference.labs
    union distinct
    select lab
    from mart.work_counts_by_month
    where corpus = in_corpus and counting_rule = rule and taxonomy = taxonomy_of(in_taxonomy, in_corpus)
),

known_categories as (
    select category
    from reference.categories
    where taxonomy = taxonomy_of(in_taxonomy, in_corpus)
    union distinct
    select category
    from mart.work_counts_by_month
    where corpus = in_corpus and counting_rule = rule and taxonomy = taxonomy_of(in_taxonomy, in_corpus)
)

select
    rule as counting_rule,
    taxonomy_of(in_taxonomy, in_corpus) as taxonomy,
    known_labs.lab,
    known_categories.category,
    periods.starts_on,
    periods.ends_on,
    coalesce(cells.publications, 0.0) as publications,
    periods.exposure_years,
    periods.is_part_period,
    periods.is_provisional
from known_labs
cross join known_categories
cross join periods
left join cells
    on
        known_labs.lab = cells.lab
        and known_categories.category = cells.category
        and periods.starts_on = cells.starts_on
order by periods.starts_on, known_labs.lab, known_categories.category;

-- Shares of labs or categories in the publications of a period, with Wilson intervals and cautions.
--   dimension  lab or category
create or replace macro publication_shares(dimension := 'lab', rule := 'works', grain := 'year', in_taxonomy := null, in_corpus := 'iaps_mapping') as table
with cells as (
    select
        case dimension
            when 'lab' then lab
            when 'category' then category
        end as member,
        starts_on,
        sum(publications) as publications
    from publication_cells(rule := rule, grain := grain, in_taxonomy := in_taxonomy, in_corpus := in_corpus)
    group by all
),

periods as (  -- DuckDB 1.1 does not find a macro by an alias
    select *
    from publication_periods(grain := grain, in_corpus := in_corpus)
),

members as (
    select lab as member
    from reference.labs
    where dimension = 'lab'
    union distinct
    select category as member
    from reference.categories
    where dimension = 'category' and taxonomy = taxonomy_of(in_taxonomy, in_corpus)
    union distinct
    select case dimension
        when 'lab' then lab
        when 'category' then category
        else error(concat('no dimension ', dimension, '; there are lab and category'))
    end as member
    from mart.work_counts_by_month
    where corpus = in_corpus and counting_rule = rule and taxonomy = taxonomy_of(in_taxonomy, in_corpus)
),

member_counts as (
    select
        members.member,
        periods.*,
        coalesce(cells.publications, 0.0) as publications,
        sum(coalesce(cells.publications, 0.0)) over (partition by periods.starts_on) as total_publications
    from members
    cross join periods
    left join cells on members.member = cells.member and periods.starts_on = cells.starts_on
)

select
    rule as counting_rule,
    taxonomy_of(in_taxonomy, in_corpus) as taxonomy,
    member,
    starts_on,
    ends_on,
    publications,
    total_publications,
    share_of(publications, total_publications) as share,
    wilson_low(publications, total_publications) as share_low,
    wilson_high(publications, total_publications) as share_high,
    share_caution(publications, total_publications) as caution,
    is_part_period,
    is_provisional
from member_counts
order by starts_on, member;
