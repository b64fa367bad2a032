/*
row = "A publication that appeared after its source was first ingested, with the delay until it was first seen."
key = ["source", "publication_id"]

[columns]
source = { type = "text", meaning = "Name of the source.", required = true }
publication_id = {}
published_month = { type = "date", meaning = "First day of the month of publication.", required = true }
delay_months = { type = "integer", unit = "months", meaning = "Months from the month of publication to the month in which it was first seen.", required = true, minimum = 0 }
looked_month = { type = "date", meaning = "First day of the month in which the source was last ingested.", required = true }
*/
with source_spans as (
    select
        'lab_sheet' as source,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from clean.publications
)

select
    source_spans.source,
    publications.publication_id,
    cast(date_trunc('month', publications.published_on) as date) as published_month,
    greatest(0, date_diff('month', date_trunc('month', publications.published_on), cast(publications.first_seen_at as date))) as delay_months,
    cast(date_trunc('month', source_spans.last_seen_at) as date) as looked_month
from clean.publications as publications
cross join source_spans
where publications.published_on >= cast(source_spans.first_seen_at as date) and not publications.is_duplicate
order by source_spans.source, publications.publication_id
