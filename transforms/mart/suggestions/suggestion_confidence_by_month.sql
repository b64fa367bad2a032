/*
row = "A model and a month of publication, with how many of its suggestions for works of that month are confident: a falling share is a sign of words that it has not seen."
key = ["taxonomy", "model", "published_month"]

[columns]
taxonomy = {}
model = {}
model_version = {}
published_month = { type = "date", meaning = "First day of the month of publication.", required = true }
suggested_works = { type = "integer", unit = "works", meaning = "Works of the month that the model suggests something for.", required = true, minimum = 1 }
confident_works = { type = "integer", unit = "works", meaning = "Those whose first suggestion has a probability of 0.8 or more.", required = true, minimum = 0 }
confident_share = { type = "real", unit = "share in 0 to 1", meaning = "Share of them.", required = true, minimum = 0, maximum = 1 }
confident_share_low = { type = "real", unit = "share in 0 to 1", meaning = "Lower end of the 95 % Wilson interval.", required = true, minimum = 0, maximum = 1 }
confident_share_high = { type = "real", unit = "share in 0 to 1", meaning = "Upper end of the interval.", required = true, minimum = 0, maximum = 1 }
*/
with counts as (
    select
        suggestions.taxonomy,
        suggestions.model,
        min(suggestions.model_version) as model_version,
        cast(date_trunc('month', works.published_on) as date) as published_month,
        count(*) as suggested_works,
        count(*) filter (where suggestions.probability >= 0.8) as confident_works
    from clean.suggestions as suggestions
    inner join clean.works as works on suggestions.work_id = works.work_id
    where
        suggestions.category_position = 1
        and works.published_on is not null
        and works.date_precision != 'year'
    group by
        suggestions.taxonomy,
        suggestions.model,
        cast(date_trunc('month', works.published_on) as date)
)

select
    taxonomy,
    model,
    model_version,
    published_month,
    suggested_works,
    confident_works,
    share_of(confident_works, suggested_works) as confident_share,
    wilson_low(confident_works, suggested_works) as confident_share_low,
    wilson_high(confident_works, suggested_works) as confident_share_high
from counts
order by taxonomy, model, published_month
