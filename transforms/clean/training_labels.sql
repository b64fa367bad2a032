/*
row = "A work with the label that a model learns from: its main category in a taxonomy, or whether it is in scope of it; also a row that a list judges not in scope."
key = ["taxonomy", "model", "item_id"]

[columns]
taxonomy = { type = "text", meaning = "The taxonomy.", required = true }
model = { type = "text", meaning = "What is suggested: the category, or the relevance, which is whether a work is in scope.", required = true, one_of = ["category", "relevance"] }
item_id = { type = "text", meaning = "The work; of a judged row, a hash of its title.", required = true }
category = { type = "text", meaning = "The label: a category of the taxonomy, or “in scope” or “not in scope”.", required = true }
basis = { meaning = "decided by people, or listed." }
title = { type = "text", meaning = "Title, which the model reads." }
abstract = { type = "text", meaning = "Abstract, which the model reads too." }
*/
-- a work that has several entries of a list can have several main categories
with categories as (
    select
        taxonomy,
        'category' as model,
        work_id,
        min_by(category, (category_position, category)) as category,
        min(basis) as basis
    from clean.reviewed_labels
    group by
        taxonomy,
        work_id
),

scopes as (
    select
        taxonomy,
        'relevance' as model,
        work_id,
        case when is_in_scope then 'in scope' else 'not in scope' end as category,
        basis
    from clean.reviewed_scopes
),

labels as (
    select *
    from categories
    union all
    select *
    from scopes
),

titles as (
    select
        scopes.taxonomy,
        array_to_string(words_of(works.title), ' ') as title_words
    from scopes
    inner join clean.works as works on scopes.work_id = works.work_id
),

judged_rows as (
    select
        lists.taxonomy,
        array_to_string(words_of(judged.title), ' ') as title_words,
        max_by(judged.title, (judged.snapshot_id, judged.record_ordinal)) as title,
        max_by(judged.abstract, (judged.snapshot_id, judged.record_ordinal)) as abstract
    from raw.judged_rows as judged
    inner join clean.lists as lists on coalesce(judged.list, 'iaps_mapping') = lists.list
    group by
        lists.taxonomy,
        array_to_string(words_of(judged.title), ' ')
)

select
    labels.taxonomy,
    labels.model,
    labels.work_id as item_id,
    labels.category,
    labels.basis,
    works.title,
    works.abstract
from labels
inner join clean.works as works on labels.work_id = works.work_id
union all
-- a title that has a reviewed scope has that
select
    judged_rows.taxonomy,
    'relevance' as model,
    left(sha256('judged ' || judged_rows.title_words), 24) as item_id,
    'not in scope' as category,
    'listed' as basis,
    judged_rows.title,
    judged_rows.abstract
from judged_rows
left join titles on judged_rows.taxonomy = titles.taxonomy and judged_rows.title_words = titles.title_words
where titles.title_words is null and judged_rows.title_words != ''
order by taxonomy, model, item_id
