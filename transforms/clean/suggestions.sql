/*
row = "A category that a model suggests for a work without a reviewed one; nothing is counted as reviewed because of it."
key = ["work_id", "taxonomy", "model", "category"]
is_incremental = true

[columns]
work_id = { type = "text", meaning = "The work.", required = true }
taxonomy = {}
model = {}
category = { type = "text", meaning = "The suggested category, or “in scope” or “not in scope”; those below a probability of 0.001 are left out, except the first two.", required = true }
category_position = { type = "integer", meaning = "Position among the suggestions of the model for the work, the most probable first, from 1.", required = true, minimum = 1 }
probability = { type = "real", unit = "probability", meaning = "Calibrated probability of the category; that of a safety category is for works that are in scope.", required = true, minimum = 0, maximum = 1 }
is_in_set = { type = "boolean", meaning = "Whether the category is in the set of the work, which is to hold the right one for 90 % of the works.", required = true }
model_version = {}
*/
with versions as (
    select distinct
        taxonomy,
        model,
        model_version
    from clean.models
),

labelled_works as (
    select distinct
        work_id,
        taxonomy
    from clean.reviewed_labels
),

wanted as (
    select
        works.work_id,
        versions.taxonomy,
        versions.model,
        versions.model_version
    from clean.works as works
    cross join versions
    left join clean.reviewed_scopes as scopes on works.work_id = scopes.work_id and versions.taxonomy = scopes.taxonomy
    left join labelled_works as labels on works.work_id = labels.work_id and versions.taxonomy = labels.taxonomy
    where
        case versions.model
            when 'relevance' then scopes.work_id is null
            else labels.work_id is null and coalesce(scopes.is_in_scope, true)
        end
),

-- what the same model has suggested for the same text
kept as (
    select
        earlier.work_id,
        earlier.taxonomy,
        earlier.model,
        earlier.category,
        earlier.category_position,
        earlier.probability,
        earlier.is_in_set,
        earlier.model_version
    from last_release.suggestions as earlier
    inner join wanted
        on
            earlier.work_id = wanted.work_id
            and earlier.taxonomy = wanted.taxonomy
            and earlier.model = wanted.model
            and earlier.model_version = wanted.model_version
    inner join clean.works as works on earlier.work_id = works.work_id
    inner join last_release.works as earlier_works on earlier.work_id = earlier_works.work_id
    left join clean.text_embeddings as embeddings on earlier.work_id = embeddings.item_id
    left join last_release.text_embeddings as earlier_embeddings on earlier.work_id = earlier_embeddings.item_id
    where
        works.title is not distinct from earlier_works.title
        and works.abstract is not distinct from earlier_works.abstract
        and embeddings.embedding is not distinct from earlier_embeddings.embedding
),

kept_works as (
    select distinct
        work_id,
        taxonomy,
        model
    from kept
),

missing as (
    select wanted.*
    from wanted
    left join kept_works
        on
            wanted.work_id = kept_works.work_id
            and wanted.taxonomy = kept_works.taxonomy
            and wanted.model = kept_works.model
    where kept_works.work_id is null
),

-- numbers in place of names, since there are hundreds of terms for each work
numbered_works as (
    select
        work_id,
        row_number() over (order by work_id) as work_number
    from (select distinct work_id from missing) as works
),

numbered_models as (
    select
        *,
        row_number() over (order by taxonomy, model, category) as category_number,
        dense_rank() over (order by taxonomy, model) as model_number
    from clean.models
),

known_terms as (
    select
        taxonomy,
        model,
        term,
        -- in whole numbers, whose sums are the same in any order
        cast(round(max(inverse_document_frequency) * 1000) as bigint) as idf,
        row_number() over (order by taxonomy, model, term) as term_number
    from clean.model_terms
    group by
        taxonomy,
        model,
        term
),

texts as (
    select
        numbered_works.work_number,
        words_of(concat_ws(' ', works.title, works.abstract)) as words
    from clean.works as works
    inner join numbered_works on works.work_id = numbered_works.work_id
),

neighbours as (
    select
        work_number,
        unnest(words) as word,
        unnest(words[2:]) as next_word
    from texts
),

occurrences as (
    select
        work_number,
        word as term
    from neighbours
    union all
    select
        work_number,
        word || ' ' || next_word as term
    from neighbours
    where next_word is not null
),

frequencies as materialized (
    select
        occurrences.work_number,
        known_terms.term_number,
        max(known_terms.idf) * count(*) as frequency
    from occurrences
    inner join known_terms on occurrences.term = known_terms.term
    group by
        occurrences.work_number,
        known_terms.term_number
),

term_models as (
    select
        known_terms.term_number,
        min(models.model_number) as model_number
    from known_terms
    inner join numbered_models as models
        on known_terms.taxonomy = models.taxonomy and known_terms.model = models.model
    group by known_terms.term_number
),

lengths as (
    select
        frequencies.work_number,
        term_models.model_number,
        cast(sum(frequencies.frequency) as double) as total,
        sqrt(cast(sum(frequencies.frequency * frequencies.frequency) as double)) as norm
    from frequencies
    inner join term_models on frequencies.term_number = term_models.term_number
    group by
        frequencies.work_number,
        term_models.model_number
),

term_weights as (
    select
        known_terms.term_number,
        models.category_number,
        cast(round(terms.term_weight * 10000) as bigint) as term_weight
    from clean.model_terms as terms
    inner join known_terms
        on
            terms.taxonomy = known_terms.taxonomy
            and terms.model = known_terms.model
            and terms.term = known_terms.term
    inner join numbered_models as models
        on
            terms.taxonomy = models.taxonomy
            and terms.model = models.model
            and terms.category = models.category
),

term_scores as (
    select
        frequencies.work_number,
        term_weights.category_number,
        cast(sum(frequencies.frequency * term_weights.term_weight) as double) / 10000 as score
    from frequencies
    inner join term_weights on frequencies.term_number = term_weights.term_number
    group by
        frequencies.work_number,
        term_weights.category_number
),

work_vectors as (
    select
        numbered_works.work_number,
        unnest(string_split(embeddings.embedding, ' ')) as number_text,
        unnest(range(1, len(string_split(embeddings.embedding, ' ')) + 1)) as place
    from clean.text_embeddings as embeddings
    inner join numbered_works on embeddings.item_id = numbered_works.work_id
),

prototype_vectors as (
    select
        category_number,
        unnest(string_split(prototype, ' ')) as number_text,
        unnest(range(1, len(string_split(prototype, ' ')) + 1)) as place
    from numbered_models
    where prototype is not null
),

similarities as (
    select
        works.work_number,
        prototypes.category_number,
        cast(sum(cast(works.number_text as bigint) * cast(prototypes.number_text as bigint)) as double) / 100000000 as similarity
    from work_vectors as works
    inner join prototype_vectors as prototypes on works.place = prototypes.place
    group by
        works.work_number,
        prototypes.category_number
),

logits as (
    select
        missing.work_id,
        missing.taxonomy,
        missing.model,
        missing.model_version,
        models.category,
        models.set_threshold,
        (coalesce(term_scores.score, 0.0) + models.length_weight * lengths.total) / lengths.norm / models.temperature
        + models.intercept + coalesce(models.embedding_weight * similarities.similarity, 0.0) as logit
    from missing
    inner join numbered_works on missing.work_id = numbered_works.work_id
    inner join numbered_models as models on missing.taxonomy = models.taxonomy and missing.model = models.model
    inner join lengths
        on numbered_works.work_number = lengths.work_number and models.model_number = lengths.model_number
    left join term_scores
        on
            numbered_works.work_number = term_scores.work_number
            and models.category_number = term_scores.category_number
    left join similarities
        on
            numbered_works.work_number = similarities.work_number
            and models.category_number = similarities.category_number
),

powers as (
    select
        *,
        exp(logit - max(logit) over (partition by work_id, taxonomy, model)) as power
    from logits
),

probabilities as (
    select
        *,
        round(power / sum(power) over (partition by work_id, taxonomy, model), 6) as probability
    from powers
),

ranked as (
    select
        *,
        row_number() over (partition by work_id, taxonomy, model order by probability desc, category asc) as category_position
    from probabilities
)

select
    work_id,
    taxonomy,
    model,
    category,
    cast(category_position as bigint) as category_position,
    probability,
    probability >= set_threshold as is_in_set,
    model_version
from ranked
where probability >= 0.001 or category_position <= 2
union all
select
    work_id,
    taxonomy,
    model,
    category,
    category_position,
    probability,
    is_in_set,
    model_version
from kept
order by work_id, taxonomy, model, category_position
