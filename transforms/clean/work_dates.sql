/*
row = "A date of a work, in one of its records."
key = ["work_id", "record_id"]

[columns]
work_id = {}
record_id = {}
source = {}
date_kind = {}
published_on = { type = "date", meaning = "Day of publication in the source; the first of the month or year if only that is known.", required = true }
date_precision = {}
is_shown = { type = "boolean", meaning = "Whether the work is shown and counted with this date.", required = true }
date_rule = { type = "text", meaning = "Why it is shown; missing for the others." }
*/
with dates as (
    select
        members.work_id,
        records.record_id,
        records.source,
        records.date_kind,
        records.published_on,
        coalesce(records.date_precision, 'day') as date_precision,
        -- when it was first public: a first version is dated by its register, a page or list by its author
        row_number() over (
            partition by members.work_id
            order by
                case records.date_kind when 'first version' then 1 when 'journal' then 3 else 2 end,
                case records.date_precision when 'year' then 3 when 'month' then 2 else 1 end,
                records.published_on,
                records.record_id
        ) as place
    from clean.work_records as records
    inner join clean.work_members as members on records.record_id = members.record_id
    where records.published_on is not null
)

select
    work_id,
    record_id,
    source,
    date_kind,
    published_on,
    date_precision,
    place = 1 as is_shown,
    case
        when place > 1 then null
        when date_kind = 'first version' then 'the first version in a register'
        when date_kind = 'journal' then 'the journal, since there is no earlier kind of date'
        else 'the earliest of its pages and lists'
    end as date_rule
from dates
