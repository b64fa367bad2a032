/*
row = "A term that speaks for a category in a model: a word, or two neighbouring ones."
key = ["taxonomy", "model", "term", "category"]
function = "suggestions.training.list_model_terms"

[columns]
taxonomy = {}
model = {}
term = { type = "text", meaning = "The term, in small letters.", required = true }
category = { type = "text", meaning = "The category.", required = true }
inverse_document_frequency = { type = "real", unit = "natural logarithm", meaning = "How rare the term is in the labelled works.", required = true, minimum = 1 }
term_weight = { type = "real", unit = "score", meaning = "How much the term adds to the score of the category.", required = true, minimum = 0 }
*/
with smoothings as (
    select
        taxonomy,
        model,
        max(smoothing) as smoothing
    from clean.models
    group by
        taxonomy,
        model
)

select
    labels.taxonomy,
    labels.model,
    labels.item_id,
    labels.category,
    words_of(concat_ws(' ', labels.title, labels.abstract)) as words,
    smoothings.smoothing
from clean.training_labels as labels
inner join smoothings on labels.taxonomy = smoothings.taxonomy and labels.model = smoothings.model
