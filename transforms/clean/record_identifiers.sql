/*
row = "An identifier of a record that is a publication: the canonical key of an address or of an identifier in a register."
key = ["record_id", "identifier"]

[columns]
record_id = { type = "text", meaning = "Identifier of the record, as in clean.work_records.", required = true }
identifier = { type = "text", meaning = "Canonical key, such as arxiv:2310.17230; the same for all addresses of a work.", required = true }
identifier_kind = { type = "text", meaning = "What the key begins with: arxiv, doi, openalex, openreview, lw, eaf, url and others.", required = true }
is_collective = { type = "boolean", meaning = "Whether one source has it at three works or more, so that it names a collection and links nothing.", required = true }
*/
with links as (
    select
        record_id,
        source,
        title_key,
        unnest(string_split(links, ' ')) as link
    from clean.work_records
    where links is not null
),

identifiers as (
    select distinct
        record_id,
        source,
        title_key,
        case when starts_with(link, 'openalex:') then link else link_key(link) end as identifier
    from links
    where link != ''
),

-- an address without a path is that of a whole site
own_identifiers as (
    select *
    from identifiers
    where not regexp_matches(identifier, '^url:[^/?]*$')
),

collective_identifiers as (
    select identifier
    from (
        select
            identifier,
            count(distinct title_key) as titles
        from own_identifiers
        group by
            identifier,
            source
    ) as identifiers_by_source
    group by identifier
    having max(titles) >= 3
)

select
    own_identifiers.record_id,
    own_identifiers.identifier,
    split_part(own_identifiers.identifier, ':', 1) as identifier_kind,
    collective_identifiers.identifier is not null as is_collective
from own_identifiers
left join collective_identifiers on own_identifiers.identifier = collective_identifiers.identifier
