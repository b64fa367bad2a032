/*
row = "A followed lab with how far its works are known: its newest work, when its sources last answered, and what may still arrive (corpus lab_publications)."
key = ["lab"]

[columns]
lab = { type = "text", meaning = "The lab.", required = true }
works = { type = "integer", unit = "works", meaning = "Its works.", required = true, minimum = 0 }
newest_work_on = { type = "date", meaning = "Day of publication of its newest work; missing without a dated one." }
followed_sources = { type = "text", meaning = "Sources of its works that feeds have fetched, separated by semicolons; missing if none was." }
newest_check_at = { type = "timestamp", meaning = "When a feed of one of these sources last answered; missing if none did." }
work_delays = { type = "integer", unit = "works", meaning = "Works whose delay from publication to first seen is known.", required = true, minimum = 0 }
median_delay_months = { type = "real", unit = "months", meaning = "Median of these delays; missing below 50.", minimum = 0 }
filling_from = { type = "date", meaning = "First of the newest months that are still filling up: all three below 50 delays, else those seen to less than 95 %; missing if none is, or no feed brings its works." }
expected_late = { type = "real", unit = "works", meaning = "Works of the newest three months that are expected still to arrive; missing below 50 delays.", minimum = 0 }
expected_late_low = { type = "real", unit = "works", meaning = "Sum of the lower ends of the 95 % intervals of the months.", minimum = 0 }
expected_late_high = { type = "real", unit = "works", meaning = "Sum of the upper ends, so that the interval is rather too wide.", minimum = 0 }
*/
with lab_works as (
    select
        works.work_id,
        works.published_on,
        labs.lab
    from clean.works as works
    inner join clean.work_labs as labs on works.work_id = labs.work_id and labs.is_primary and labs.is_followed
    where not works.is_withdrawn and not works.is_excluded
),

work_counts as (
    select
        lab,
        count(*) as works,
        max(published_on) as newest_work_on
    from lab_works
    group by lab
),

checks as (
    select
        source,
        max(last_seen_at) as checked_at
    from raw.snapshots
    where origin = 'fetch'
    group by source
),

checked_labs as (
    select
        lab_works.lab,
        string_agg(distinct checks.source, '; ' order by checks.source) as followed_sources,
        max(checks.checked_at) as newest_check_at
    from lab_works
    inner join clean.work_members as members on lab_works.work_id = members.work_id
    inner join checks on members.source = checks.source
    group by lab_works.lab
),

delay_counts as (
    select
        lab,
        count(*) as work_delays,
        median(delay_months) as median_delay_months
    from clean.work_delays
    group by lab
),

late as (
    select
        lab,
        min(published_month) filter (where completeness < 0.95) as filling_from,
        sum(nowcast_works - seen_works) as expected_late,
        sum(greatest(0.0, nowcast_low - seen_works)) as expected_late_low,
        sum(greatest(0.0, nowcast_high - seen_works)) as expected_late_high
    from mart.lab_nowcasts
    group by lab
)

select
    labs.lab,
    coalesce(work_counts.works, 0) as works,
    work_counts.newest_work_on,
    checked_labs.followed_sources,
    checked_labs.newest_check_at,
    coalesce(delay_counts.work_delays, 0) as work_delays,
    case when delay_counts.work_delays >= 50 then cast(delay_counts.median_delay_months as double) end as median_delay_months,
    case
        when checked_labs.newest_check_at is not null
            then coalesce(
                provisional_since(cast(checked_labs.newest_check_at as date), coalesce(delay_counts.work_delays, 0)),
                late.filling_from
            )
    end as filling_from,
    late.expected_late,
    late.expected_late_low,
    late.expected_late_high
from reference.labs as labs
left join work_counts on labs.lab = work_counts.lab
left join checked_labs on labs.lab = checked_labs.lab
left join delay_counts on labs.lab = delay_counts.lab
left join late on labs.lab = late.lab
order by labs.lab
