/*
row = "A category that a model suggests, with the constants of the model; what its terms count is in clean.model_terms."
key = ["taxonomy", "model", "category"]
function = "suggestions.training.fit_models"

[columns]
taxonomy = {}
model = {}
category = { type = "text", meaning = "A category with enough labelled works, or “in scope” or “not in scope”.", required = true }
model_version = { type = "text", meaning = "Hash of all that decides what the model suggests.", required = true, matches = "[0-9a-f]{16}$" }
labels_sha256 = { type = "text", meaning = "Hash of the labels that it was trained with: which work has which.", required = true, matches = "[0-9a-f]{64}$" }
category_works = { type = "integer", unit = "works", meaning = "Labelled works of the category.", required = true, minimum = 3 }
training_works = { type = "integer", unit = "works", meaning = "Labelled works of all categories of the model.", required = true, minimum = 20 }
smoothing = { type = "real", unit = "term frequency", meaning = "Added to each frequency; chosen by cross-validation.", required = true, minimum = 0 }
temperature = { type = "real", unit = "score per logit", meaning = "What scores are divided by; fitted to works that the model had not seen.", required = true, minimum = 0 }
set_threshold = { type = "real", unit = "probability", meaning = "Probability from which on a category is in a set; 90 % of the sets hold the right one.", required = true, minimum = 0, maximum = 1 }
length_weight = { type = "real", unit = "score", meaning = "What the length of a text adds to the score of the category.", required = true }
intercept = { type = "real", unit = "logit", meaning = "What is added whatever the text has, for the share of the category among the labelled works and for the border between two.", required = true }
embedding_weight = { type = "real", unit = "logit", meaning = "What the similarity of a text to the prototype is multiplied with; missing without embeddings.", minimum = 0 }
prototype = { type = "text", meaning = "Mean embedding of the labelled works of the category, as in clean.text_embeddings; missing without embeddings." }
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
