/*
row = "A model with its card: what it was trained on, and how good its suggestions are for works that it has not seen (cross-validation)."
key = ["taxonomy", "model"]

[columns]
taxonomy = {}
model = {}
model_version = { type = "text", meaning = "Hash of all that decides what the model suggests; missing if there are too few labelled works for a model.", matches = "[0-9a-f]{16}$" }
labels_sha256 = { type = "text", meaning = "Hash of the labels that it was trained with: which work has which.", matches = "[0-9a-f]{64}$" }
works = { type = "integer", unit = "works", meaning = "Labelled works; with fewer than 20 in categories of three works at least, or fewer than two such categories, there is no model.", required = true, minimum = 1 }
decided_works = { type = "integer", unit = "works", meaning = "Those of them that people have decided.", required = true, minimum = 0 }
training_works = { type = "integer", unit = "works", meaning = "Labelled works of the categories that are learnt.", minimum = 20 }
trained_categories = { type = "integer", unit = "categories", meaning = "Categories that are learnt.", minimum = 2 }
untrained_categories = { type = "text", meaning = "Categories with fewer than three labelled works, which are never suggested, each with its works, separated by semicolons." }
accuracy = { type = "real", unit = "share in 0 to 1", meaning = "Share of the labelled works whose first suggestion is right; a work of a category that is not learnt counts as wrong.", minimum = 0, maximum = 1 }
accuracy_low = { type = "real", unit = "share in 0 to 1", meaning = "Lower end of its 95 % Wilson interval, for the number of works.", minimum = 0, maximum = 1 }
accuracy_high = { type = "real", unit = "share in 0 to 1", meaning = "Upper end of its 95 % Wilson interval.", minimum = 0, maximum = 1 }
largest_category_share = { type = "real", unit = "share in 0 to 1", meaning = "Accuracy of always suggesting the largest category.", minimum = 0, maximum = 1 }
macro_f1 = { type = "real", unit = "share in 0 to 1", meaning = "Mean F1 of all labelled categories, those that are not learnt included as 0.", minimum = 0, maximum = 1 }
kappa = { type = "real", unit = "Cohen's kappa", meaning = "Agreement of first suggestion and label beyond chance.", minimum = -1, maximum = 1 }
top_two_share = { type = "real", unit = "share in 0 to 1", meaning = "Share of the labelled works whose category is among the first two suggestions.", minimum = 0, maximum = 1 }
log_loss = { type = "real", unit = "natural logarithm", meaning = "Mean negative logarithm of the probability of the right category, of the categories that are learnt.", minimum = 0 }
calibration_error = { type = "real", unit = "share in 0 to 1", meaning = "Mean distance, in ten bins, of the first suggestion's probability from how often it is right.", minimum = 0, maximum = 1 }
set_coverage = { type = "real", unit = "share in 0 to 1", meaning = "Share of the works of learnt categories whose set holds their category; 0.90 is aimed at.", minimum = 0, maximum = 1 }
set_size = { type = "real", unit = "categories", meaning = "Mean number of categories in a set.", minimum = 0 }
confident_share = { type = "real", unit = "share in 0 to 1", meaning = "Share of the labelled works whose first suggestion has a probability of 0.8 or more.", minimum = 0, maximum = 1 }
confident_accuracy = { type = "real", unit = "share in 0 to 1", meaning = "Share of those whose first suggestion is right.", minimum = 0, maximum = 1 }
has_embeddings = { type = "boolean", meaning = "Whether it compares embeddings of texts besides words; missing if there is no model." }
*/
with labels as (
    select
        taxonomy,
        model,
        count(*) as works,
        count(*) filter (where basis = 'decided') as decided_works
    from clean.training_labels
    group by
        taxonomy,
        model
),

models as (
    select
        taxonomy,
        model,
        min(model_version) as model_version,
        min(labels_sha256) as labels_sha256,
        min(training_works) as training_works,
        count(*) as trained_categories,
        max(case when prototype is null then 0 else 1 end) = 1 as has_embeddings
    from clean.models
    group by
        taxonomy,
        model
),

-- with a model, since without one none is learnt
untrained as (
    select
        classes.taxonomy,
        classes.model,
        string_agg(classes.category || ' (' || cast(classes.works as varchar) || ')', '; ' order by classes.category)
            as untrained_categories
    from mart.model_card_classes as classes
    inner join models on classes.taxonomy = models.taxonomy and classes.model = models.model
    where not classes.is_trained
    group by
        classes.taxonomy,
        classes.model
),

class_means as (
    select
        taxonomy,
        model,
        avg(f1) as macro_f1,
        max(works) / cast(sum(works) as bigint) as largest_category_share
    from mart.model_card_classes
    group by
        taxonomy,
        model
),

places as (
    select
        unseen.*,
        labels.category as label,
        row_number() over (
            partition by unseen.taxonomy, unseen.model, unseen.repetition, unseen.item_id
            order by unseen.probability desc, unseen.category asc
        ) as place
    from clean.cross_validations as unseen
    inner join clean.training_labels as labels
        on
            unseen.taxonomy = labels.taxonomy
            and unseen.model = labels.model
            and unseen.item_id = labels.item_id
),

predictions as (
    select
        taxonomy,
        model,
        repetition,
        item_id,
        label,
        min(case when place = 1 then category end) as suggestion,
        max(probability) as confidence,
        max(case when category = label then 1 else 0 end) as is_learnt,
        max(case when category = label and place = 1 then 1.0 else 0.0 end) as is_right,
        max(case when category = label and place <= 2 then 1.0 else 0.0 end) as is_in_first_two,
        max(case when category = label then probability end) as label_probability,
        max(case when category = label and is_in_set then 1.0 else 0.0 end) as is_covered,
        max(set_categories) as set_size
    from places
    group by
        taxonomy,
        model,
        repetition,
        item_id,
        label
),

measures as (
    select
        taxonomy,
        model,
        avg(is_right) as accuracy,
        avg(is_in_first_two) as top_two_share,
        avg(case when is_learnt = 1 then -ln(greatest(label_probability, 0.000001)) end) as log_loss,
        avg(case when is_learnt = 1 then is_covered end) as set_coverage,
        avg(set_size) as set_size,
        avg(case when confidence >= 0.8 then 1.0 else 0.0 end) as confident_share,
        avg(case when confidence >= 0.8 then is_right end) as confident_accuracy
    from predictions
    group by
        taxonomy,
        model
),

bins as (
    select
        taxonomy,
        model,
        least(floor(confidence * 10), 9) as bin,
        count(*) as predictions,
        abs(avg(confidence) - avg(is_right)) as distance
    from predictions
    group by
        taxonomy,
        model,
        least(floor(confidence * 10), 9)
),

calibration as (
    select
        taxonomy,
        model,
        sum(distance * predictions) / cast(sum(predictions) as bigint) as calibration_error
    from bins
    group by
        taxonomy,
        model
),

labelled_counts as (
    select
        taxonomy,
        model,
        label as category,
        count(*) as predictions
    from predictions
    group by
        taxonomy,
        model,
        label
),

suggested_counts as (
    select
        taxonomy,
        model,
        suggestion as category,
        count(*) as predictions
    from predictions
    group by
        taxonomy,
        model,
        suggestion
),

prediction_counts as (
    select
        taxonomy,
        model,
        count(*) as predictions
    from predictions
    group by
        taxonomy,
        model
),

chances as (
    select
        totals.taxonomy,
        totals.model,
        coalesce(
            sum(labelled.predictions / totals.predictions * suggested.predictions / totals.predictions), 0.0
        ) as expected_agreement
    from prediction_counts as totals
    left join labelled_counts as labelled on totals.taxonomy = labelled.taxonomy and totals.model = labelled.model
    left join suggested_counts as suggested
        on
            labelled.taxonomy = suggested.taxonomy
            and labelled.model = suggested.model
            and labelled.category = suggested.category
    group by
        totals.taxonomy,
        totals.model
)

select
    labels.taxonomy,
    labels.model,
    models.model_version,
    models.labels_sha256,
    labels.works,
    labels.decided_works,
    models.training_works,
    models.trained_categories,
    untrained.untrained_categories,
    round(measures.accuracy, 6) as accuracy,
    round(wilson_low(measures.accuracy * labels.works, labels.works), 6) as accuracy_low,
    round(wilson_high(measures.accuracy * labels.works, labels.works), 6) as accuracy_high,
    round(class_means.largest_category_share, 6) as largest_category_share,
    round(class_means.macro_f1, 6) as macro_f1,
    round((measures.accuracy - chances.expected_agreement) / nullif(1 - chances.expected_agreement, 0), 6) as kappa,
    round(measures.top_two_share, 6) as top_two_share,
    round(measures.log_loss, 6) as log_loss,
    round(calibration.calibration_error, 6) as calibration_error,
    round(measures.set_coverage, 6) as set_coverage,
    round(measures.set_size, 6) as set_size,
    round(measures.confident_share, 6) as confident_share,
    round(measures.confident_accuracy, 6) as confident_accuracy,
    models.has_embeddings
from labels
left join models on labels.taxonomy = models.taxonomy and labels.model = models.model
left join untrained on labels.taxonomy = untrained.taxonomy and labels.model = untrained.model
left join class_means on labels.taxonomy = class_means.taxonomy and labels.model = class_means.model
left join measures on labels.taxonomy = measures.taxonomy and labels.model = measures.model
left join calibration on labels.taxonomy = calibration.taxonomy and labels.model = calibration.model
left join chances on labels.taxonomy = chances.taxonomy and labels.model = chances.model
order by taxonomy, model
