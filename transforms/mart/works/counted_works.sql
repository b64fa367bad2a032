/*
row = "A publication or work of a corpus at a lab, with its weight there by each attribution; the weights of one add up to 1."
key = ["corpus", "item_id", "lab"]

[columns]
corpus = {}
item_id = { type = "text", meaning = "What the corpus counts: the publication_id of a list, the work_id in a living corpus.", required = true }
work_id = { type = "text", meaning = "The work; missing for a publication of a list that is no record of a work." }
lab = { type = "text", meaning = "The lab, named as in reference.labs; “(no followed lab)” for other authors or a work without a lab; “(authors not known)” for those without a known affiliation.", required = true }
category = { type = "text", meaning = "The safety category: the first one if there are several, “(unlabelled)” for a work without a reviewed label.", required = true }
categories = { type = "text", meaning = "All categories, separated by semicolons; in a living corpus those of clean.reviewed_labels.", required = true }
published_on = {}
published_year = {}
is_duplicate = { meaning = "Whether the list marks it as a duplicate, or, in a list other than the published mapping, has its work in another entry; in a living corpus, whether lists mark all its records so." }
whole_weight = { type = "real", unit = "publications", meaning = "1 at the lab under which the list has the publication, or at the primary lab of the work, else 0.", required = true, minimum = 0, maximum = 1 }
fractional_weight = { type = "real", unit = "publications", meaning = "Share of its authors at the lab; missing if the authors are not known.", minimum = 0, maximum = 1 }
first_author_weight = { type = "real", unit = "publications", meaning = "1 at the lab of its first author, else 0; missing if the authors are not known.", minimum = 0, maximum = 1 }
*/
with defaults as (
    select taxonomy
    from reference.taxonomies
    where is_default
),

work_categories as (
    select
        work_id,
        min_by(category, (category_position, category)) as category,
        string_agg(category, '; ' order by category_position, category) as categories
    from clean.reviewed_labels
    where taxonomy = (select defaults.taxonomy from defaults)
    group by work_id
),

-- one lab for whole counting
primary_labs as (
    select
        work_id,
        lab,
        is_followed
    from clean.work_labs
    where is_primary and is_followed
),

-- without an affiliation it is not known that an author is of no followed lab
authors_by_lab as (
    select
        work_id,
        coalesce(lab, case when lab_basis is null then '(authors not known)' else '(no followed lab)' end) as lab,
        count(*) as authors,
        cast(bool_or(author_position = 1) as integer) as is_first
    from clean.work_authors
    group by all
),

author_weights as (
    select
        work_id,
        lab,
        authors / sum(authors) over (partition by work_id) as fractional_weight,
        cast(is_first as double) as first_author_weight
    from authors_by_lab
),

works_with_authors as (
    select distinct work_id
    from author_weights
),

whole_weights as (
    select
        works.work_id,
        coalesce(primary_labs.lab, '(no followed lab)') as lab,
        1.0 as whole_weight,
        case when works_with_authors.work_id is not null then 0.0 end as weight_without_author
    from clean.works as works
    left join primary_labs on works.work_id = primary_labs.work_id
    left join works_with_authors on works.work_id = works_with_authors.work_id
),

weights as (
    select
        coalesce(whole_weights.work_id, author_weights.work_id) as work_id,
        coalesce(whole_weights.lab, author_weights.lab) as lab,
        coalesce(whole_weights.whole_weight, 0.0) as whole_weight,
        coalesce(author_weights.fractional_weight, whole_weights.weight_without_author) as fractional_weight,
        coalesce(author_weights.first_author_weight, whole_weights.weight_without_author) as first_author_weight
    from whole_weights
    full outer join author_weights on whole_weights.work_id = author_weights.work_id and whole_weights.lab = author_weights.lab
),

-- what they repeat is counted already, but is another work as long as nothing links the two
works_of_marked_duplicates as (
    select members.work_id
    from clean.work_members as members
    left join clean.listed_publications as listed on members.record_id = listed.publication_id
    group by members.work_id
    having bool_and(coalesce(listed.is_duplicate, false))
),

-- a work counts once in a list: in the entry that is not marked, has a category and the earliest date
ranked_entries as (
    select
        entries.*,
        members.work_id,
        dense_rank() over (
            partition by entries.list, coalesce(members.work_id, entries.publication_id)
            order by
                entries.is_duplicate,
                entries.category = '(no category)',
                coalesce(entries.published_on, entries.published_year, date '9999-12-31'),
                entries.publication_id
        ) as place_in_work
    from mart.counted_list_entries as entries
    left join clean.work_members as members on entries.publication_id = members.record_id
),

living_works as (
    select
        corpora.corpus,
        works.work_id,
        duplicates.work_id is not null as is_duplicate,
        case when works.date_precision = 'year' then null else works.published_on end as published_on,
        works.published_year,
        coalesce(work_categories.category, '(unlabelled)') as category,
        coalesce(work_categories.categories, '(unlabelled)') as categories
    from clean.works as works
    left join work_categories on works.work_id = work_categories.work_id
    left join primary_labs on works.work_id = primary_labs.work_id
    left join works_of_marked_duplicates as duplicates on works.work_id = duplicates.work_id
    cross join reference.corpora as corpora
    where
        corpora.kind = 'living'
        and not works.is_withdrawn
        and not works.is_excluded
        and (corpora.corpus = 'all_works' or primary_labs.is_followed)
)

select
    corpora.corpus,
    counted.publication_id as item_id,
    members.work_id,
    counted.lab,
    counted.category,
    counted.categories,
    counted.published_on,
    counted.published_year,
    counted.is_duplicate,
    counted.whole_weight,
    counted.fractional_weight,
    counted.first_author_weight
from mart.counted_publications as counted
inner join reference.corpora as corpora on corpora.list_source = 'lab_sheet'
left join clean.work_members as members on counted.publication_id = members.record_id
union all
select
    entries.list as corpus,
    entries.publication_id as item_id,
    entries.work_id,
    entries.lab,
    entries.category,
    entries.categories,
    entries.published_on,
    entries.published_year,
    entries.is_duplicate or entries.place_in_work > 1 as is_duplicate,
    entries.whole_weight,
    entries.fractional_weight,
    entries.first_author_weight
from ranked_entries as entries
union all
select
    living_works.corpus,
    living_works.work_id as item_id,
    living_works.work_id,
    weights.lab,
    living_works.category,
    living_works.categories,
    living_works.published_on,
    living_works.published_year,
    living_works.is_duplicate,
    weights.whole_weight,
    weights.fractional_weight,
    weights.first_author_weight
from living_works
inner join weights on living_works.work_id = weights.work_id
order by corpus, item_id, lab
