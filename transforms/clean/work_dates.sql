/*
row = "A date of a work, in one of its records or as people corrected it."
key = ["work_id", "record_id", "date_kind"]

[columns]
work_id = {}
record_id = { meaning = "The record that has the date, or whose date was corrected." }
source = { meaning = "Name of the source; “decision” for a correction." }
date_kind = { one_of = ["first version", "page", "listed", "journal", "decided"] }
published_on = { type = "date", meaning = "Day of publication in the source; the first of the month or year if only that is known.", required = true }
date_precision = {}
is_shown = { type = "boolean", meaning = "Whether the work is shown and counted with this date.", required = true }
date_rule = { type = "text", meaning = "Why it is shown; missing for the others." }
*/
with statements as (
    select
        members.work_id,
        records.record_id,
        records.source,
        records.date_kind,
        records.published_on,
        coalesce(records.date_precision, 'day') as date_precision,
        cast(null as varchar) as decided_by
    from clean.work_records as records
    inner join clean.work_members as members on records.record_id = members.record_id
    where records.published_on is not null
    union all
    select
        work_id,
        min(record_id) as record_id,
        'decision' as source,
        'decided' as date_kind,
        cast(value as date) as published_on,
        'day' as date_precision,
        string_agg(distinct decided_by, '; ' order by decided_by) as decided_by
    from clean.decisions
    where kind = 'field' and field = 'published_on' and outcome = 'holds'
    group by
        work_id,
        value
),

dates as (
    select
        *,
        -- when it was first public: a first version is dated by its register, a page or list by its author
        row_number() over (
            partition by work_id
            order by
                case date_kind when 'decided' then 0 when 'first version' then 1 when 'journal' then 3 else 2 end,
                case date_precision when 'year' then 3 when 'month' then 2 else 1 end,
                published_on,
                record_id
        ) as place
    from statements
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
        when date_kind = 'decided' then concat('corrected by ', decided_by)
        when date_kind = 'first version' then 'the first version in a register'
        when date_kind = 'journal' then 'the journal, since there is no earlier kind of date'
        else 'the earliest of its pages and lists'
    end as date_rule
from dates
