/*
row = "A source and the time since its newest record within its coverage, with the probability of so long a silence."
key = ["source"]

[columns]
source = { type = "text", meaning = "Name of the source.", required = true }
newest_on = { type = "date", meaning = "Day of its newest record; missing if it has none." }
covers_until = {}
silent_days = { type = "integer", unit = "days", meaning = "Covered days after the newest record.", required = true, minimum = 0 }
records_per_day = { type = "real", unit = "records per day", meaning = "Mean number of records per day up to the newest record.", minimum = 0 }
silence_p_value = { type = "real", unit = "probability", meaning = "Probability of so long a silence at that rate: exp(-days × rate).", minimum = 0, maximum = 1 }
is_alarming = { type = "boolean", meaning = "Whether the probability is below 0.001, so that records are probably missing.", required = true }
*/
with newest_records as (
    select
        coverage.source,
        coverage.covers_from,
        coverage.covers_until,
        max(publications.published_on) as newest_on,
        count(publications.published_on) as records
    from clean.coverage as coverage
    left join clean.publications as publications on coverage.source = 'lab_sheet'
    group by all
),

silences as (
    select
        source,
        newest_on,
        covers_until,
        greatest(0, date_diff('day', coalesce(newest_on, covers_from), covers_until)) as silent_days,
        records / nullif(1 + date_diff('day', covers_from, newest_on), 0) as records_per_day
    from newest_records
)

select
    *,
    exp(-silent_days * records_per_day) as silence_p_value,
    coalesce(exp(-silent_days * records_per_day) < 0.001, false) as is_alarming
from silences
order by source
