/*
row = "A work of a followed lab that was published after all feeds of the source that saw it first were followed, with the delay until it was first seen."
key = ["work_id"]

[columns]
work_id = {}
lab = { type = "text", meaning = "The lab for which it counts.", required = true }
source = { type = "text", meaning = "The source that saw it first.", required = true }
published_month = { type = "date", meaning = "First day of the month of publication.", required = true }
delay_months = { type = "integer", unit = "months", meaning = "Months from the month of publication to the month in which it was first seen.", required = true, minimum = 0 }
looked_month = { type = "date", meaning = "First day of the month in which feeds of the lab last answered.", required = true }
*/
-- a feed that is followed later brings works of the time before it, whose delays would be its own
with first_answers as (
    select
        source,
        feed,
        min(fetched_at) as fetched_at
    from raw.snapshots
    where origin = 'fetch'
    group by
        source,
        feed
),

followed_sources as (
    select
        source,
        max(fetched_at) as followed_at
    from first_answers
    group by source
),

checks as (
    select
        source,
        max(last_seen_at) as checked_at
    from raw.snapshots
    where origin = 'fetch'
    group by source
),

first_records as (
    select
        members.work_id,
        min_by(records.source, (records.first_seen_at, records.record_id)) as source,
        min(records.first_seen_at) as first_seen_at
    from clean.work_members as members
    inner join clean.work_records as records on members.record_id = records.record_id
    group by members.work_id
),

labelled as (
    select
        works.work_id,
        labs.lab,
        first_records.source,
        works.published_on,
        first_records.first_seen_at
    from clean.works as works
    inner join clean.work_labs as labs on works.work_id = labs.work_id and labs.is_primary and labs.is_followed
    inner join first_records on works.work_id = first_records.work_id
    where not works.is_withdrawn and not works.is_excluded and works.published_on is not null and works.date_precision != 'year'
),

looked as (
    select
        labelled.lab,
        cast(date_trunc('month', max(checks.checked_at)) as date) as looked_month
    from labelled
    inner join checks on labelled.source = checks.source
    group by labelled.lab
)

select
    labelled.work_id,
    labelled.lab,
    labelled.source,
    cast(date_trunc('month', labelled.published_on) as date) as published_month,
    greatest(0, date_diff('month', date_trunc('month', labelled.published_on), cast(labelled.first_seen_at as date))) as delay_months,
    looked.looked_month
from labelled
inner join followed_sources on labelled.source = followed_sources.source
inner join looked on labelled.lab = looked.lab
where
    labelled.published_on >= cast(followed_sources.followed_at as date)
    and cast(date_trunc('month', labelled.published_on) as date) <= looked.looked_month
order by labelled.work_id
