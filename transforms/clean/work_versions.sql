/*
row = "A version of a paper on arXiv that is a work, as far as a record of the work has it."
key = ["work_id", "arxiv_id", "version_number"]

[columns]
work_id = {}
arxiv_id = { type = "text", meaning = "arXiv id of the paper, without version.", required = true }
version_number = { type = "integer", unit = "ordinal", meaning = "Number of the version, from 1.", required = true, minimum = 1 }
submitted_at = { type = "timestamp", meaning = "Moment at which the version was submitted, if a history of versions has it." }
submitted_on = { type = "date", meaning = "Day on which the version was submitted; missing if only an address names the version.", minimum = 1986-01-01, warn = ["minimum"] }
version_basis = { type = "text", meaning = "From what it is known: a history, its own record, the day of the first version, or an address.", required = true, one_of = ["history", "record", "first day", "address"] }
record_id = { type = "text", meaning = "The record that has it, as in clean.work_records.", required = true }
source = {}
is_newest = { type = "boolean", meaning = "Whether it is the newest known version of the paper.", required = true }
url = { type = "text", meaning = "Address of the version.", required = true }
*/
with entries as (
    select
        record_id,
        link_key('arxiv:' || arxiv_id) as identifier,
        last_seen_at,
        unnest(from_json(version_history, '[{"version": "BIGINT", "at": "VARCHAR"}]')) as entry
    from raw.arxiv_papers
    where version_history is not null
),

links as (
    select
        record_id,
        source,
        unnest(string_split(links, ' ')) as link
    from clean.work_records
    where contains(lower(links), 'arxiv')
),

versions_by_link as (
    select
        record_id,
        source,
        link_key(link) as identifier,
        cast(regexp_extract(link, '[0-9]v([1-9][0-9]{0,2})(?:\.pdf)?(?:[?#].*)?$', 1) as bigint) as version_number
    from links
    where regexp_matches(link, '[0-9]v[1-9][0-9]{0,2}(?:\.pdf)?(?:[?#].*)?$')
),

statements as (
    select
        record_id,
        'arxiv_papers' as source,
        identifier,
        struct_extract(entry, 'version') as version_number,
        cast(struct_extract(entry, 'at') as timestamptz) as submitted_at,
        cast(null as date) as submitted_on,
        'history' as version_basis,
        last_seen_at
    from entries
    union all
    select
        record_id,
        'arxiv_papers' as source,
        link_key('arxiv:' || arxiv_id) as identifier,
        version_number,
        null as submitted_at,
        revised_on as submitted_on,
        'record' as version_basis,
        last_seen_at
    from raw.arxiv_papers
    where version_number is not null
    union all
    select
        record_id,
        'arxiv_papers' as source,
        link_key('arxiv:' || arxiv_id) as identifier,
        1 as version_number,
        null as submitted_at,
        submitted_on,
        'first day' as version_basis,
        last_seen_at
    from raw.arxiv_papers
    where submitted_on is not null
    union all
    select
        record_id,
        'huggingface_papers' as source,
        link_key('arxiv:' || arxiv_id) as identifier,
        1 as version_number,
        null as submitted_at,
        published_on as submitted_on,
        'first day' as version_basis,
        last_seen_at
    from raw.huggingface_papers
    where published_on is not null
    union all
    select
        record_id,
        source,
        identifier,
        version_number,
        null as submitted_at,
        null as submitted_on,
        'address' as version_basis,
        null as last_seen_at
    from versions_by_link
    where starts_with(identifier, 'arxiv:')
),

ranked as (
    select
        members.work_id,
        regexp_replace(statements.identifier, '^arxiv:', '') as arxiv_id,
        statements.version_number,
        statements.submitted_at,
        coalesce(cast(statements.submitted_at as date), statements.submitted_on) as submitted_on,
        statements.version_basis,
        statements.record_id,
        statements.source,
        -- the most exact statement; arXiv's own before those of others, and of its own the newest
        row_number() over (
            partition by members.work_id, statements.identifier, statements.version_number
            order by
                list_position(['history', 'record', 'first day', 'address'], statements.version_basis) asc,
                statements.source asc,
                statements.last_seen_at desc nulls last,
                statements.submitted_at asc nulls last,
                statements.submitted_on asc nulls last,
                statements.record_id asc
        ) as place,
        max(statements.version_number) over (partition by members.work_id, statements.identifier) as newest_number
    from statements
    inner join clean.work_members as members on statements.record_id = members.record_id
)

select
    work_id,
    arxiv_id,
    version_number,
    submitted_at,
    submitted_on,
    version_basis,
    record_id,
    source,
    version_number = newest_number as is_newest,
    'https://arxiv.org/abs/' || arxiv_id || 'v' || cast(version_number as varchar) as url
from ranked
where place = 1
