/*
row = "A category of the labelled works of a model, with how well the model finds it in works that it has not seen."
key = ["taxonomy", "model", "category"]

[columns]
taxonomy = {}
model = {}
category = { type = "text", meaning = "The category, or “in scope” or “not in scope”.", required = true }
works = { type = "integer", unit = "works", meaning = "Labelled works of the category.", required = true, minimum = 1 }
is_trained = { type = "boolean", meaning = "Whether the model learns it; not with fewer than three works, or if there is no model.", required = true }
precision = { type = "real", unit = "share in 0 to 1", meaning = "Share of the works for which it was the first suggestion that have it; missing if it never was.", minimum = 0, maximum = 1 }
recall = { type = "real", unit = "share in 0 to 1", meaning = "Share of its works for which it was the first suggestion; 0 if it is not learnt, missing without a model.", minimum = 0, maximum = 1 }
f1 = { type = "real", unit = "share in 0 to 1", meaning = "Harmonic mean of precision and recall; 0 if it was never rightly suggested, missing without a model.", minimum = 0, maximum = 1 }
*/
with first_suggestions as (
    select
        taxonomy,
        model,
        repetition,
        item_id,
        min_by(category, (-probability, category)) as category
    from clean.cross_validations
    group by
        taxonomy,
        model,
        repetition,
        item_id
),

judged as (
    select
        suggested.taxonomy,
        suggested.model,
        suggested.category as suggested_category,
        labels.category
    from first_suggestions as suggested
    inner join clean.training_labels as labels
        on
            suggested.taxonomy = labels.taxonomy
            and suggested.model = labels.model
            and suggested.item_id = labels.item_id
),

sides as (
    select
        taxonomy,
        model,
        category,
        1 as labelled,
        0 as suggested,
        case when category = suggested_category then 1 else 0 end as correct
    from judged
    union all
    select
        taxonomy,
        model,
        suggested_category as category,
        0 as labelled,
        1 as suggested,
        0 as correct
    from judged
),

counts as (
    select
        taxonomy,
        model,
        category,
        sum(labelled) as labelled,
        sum(suggested) as suggested,
        sum(correct) as correct
    from sides
    group by
        taxonomy,
        model,
        category
),

classes as (
    select
        taxonomy,
        model,
        category,
        count(*) as works
    from clean.training_labels
    group by
        taxonomy,
        model,
        category
)

select
    classes.taxonomy,
    classes.model,
    classes.category,
    classes.works,
    models.category is not null as is_trained,
    case when counts.suggested > 0 then counts.correct / counts.suggested end as precision,
    case when counts.labelled > 0 then counts.correct / counts.labelled end as recall,
    case when counts.labelled > 0 then 2 * counts.correct / (counts.labelled + counts.suggested) end as f1
from classes
left join clean.models as models
    on classes.taxonomy = models.taxonomy and classes.model = models.model and classes.category = models.category
left join counts
    on classes.taxonomy = counts.taxonomy and classes.model = counts.model and classes.category = counts.category
order by taxonomy, model, category
