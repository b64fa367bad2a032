/*
row = "A publication that appeared after its source was first taken in, so that the delay until it was seen is known."
key = ["source", "publication_id"]

[columns]
source = { type = "text", meaning = "Name of the source.", required = true }
publication_id = {}
published_month = { type = "date", meaning = "First day of the month of publication.", required = true }
delay_months = { type = "integer", unit = "months", meaning = "Months from that of publication to that in which it was first seen.", required = true, minimum = 0 }
looked_month = { type = "date", meaning = "First day of the month in which the source was last taken in.", required = true }
*/
with looked as (
    select
        'lab_sheet' as source,
        min(first_seen_at) as followed_since,
        max(last_seen_at) as looked_at
    from clean.publications
)

select
    looked.source,
    publications.publication_id,
    cast(date_trunc('month', publications.published_on) as date) as published_month,
    greatest(0, date_diff('month', date_trunc('month', publications.published_on), cast(publications.first_seen_at as date))) as delay_months,
    cast(date_trunc('month', looked.looked_at) as date) as looked_month
from clean.publications as publications
cross join looked
where publications.published_on >= cast(looked.followed_since as date) and not publications.is_duplicate
order by looked.source, publications.publication_id
