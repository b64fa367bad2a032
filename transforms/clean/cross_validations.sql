/*
row = "A category with its probability for a labelled work, by a model that was trained without the work: the first two, and that of its label."
key = ["taxonomy", "model", "repetition", "item_id", "category"]
function = "suggestions.training.predict_unseen"

[columns]
taxonomy = {}
model = {}
repetition = { type = "integer", meaning = "Number of the cross-validation, from 1: below 300 works the folds are drawn three times.", required = true, minimum = 1 }
item_id = {}
category = { type = "text", meaning = "The category; see clean.training_labels for that which the work has.", required = true }
fold = { type = "integer", meaning = "Number of the fold that the work was in, from 1.", required = true, minimum = 1 }
probability = { type = "real", unit = "probability", meaning = "Calibrated probability of the category.", required = true, minimum = 0, maximum = 1 }
is_in_set = { type = "boolean", meaning = "Whether the category is in the set of the work, which is to hold the right one for 90 % of the works.", required = true }
set_categories = { type = "integer", unit = "categories", meaning = "Number of categories in that set.", required = true, minimum = 0 }
*/
select
    labels.taxonomy,
    labels.model,
    labels.item_id,
    labels.category,
    words_of(concat_ws(' ', labels.title, labels.abstract)) as words,
    embeddings.embedding
from clean.training_labels as labels
left join clean.text_embeddings as embeddings on labels.item_id = embeddings.item_id
