/*
row = "A publication in a group of publications with the same title, abstract or link, which may be the same work."
key = ["basis", "group_sha256", "publication_id"]

[columns]
basis = { type = "text", meaning = "What the publications of the group share.", required = true, one_of = ["the same title", "the same abstract", "the same link"] }
group_sha256 = { type = "text", meaning = "SHA-256 of the shared text; identifies the group.", required = true }
publication_id = {}
group_size = { type = "integer", unit = "publications", meaning = "Number of publications in the group.", required = true, minimum = 2 }
*/
with text_hashes as (
    select
        'the same title' as basis,
        sha256(lower(regexp_replace(title, '\s+', ' ', 'g'))) as group_sha256,
        publication_id
    from clean.publications
    union all
    select
        'the same abstract' as basis,
        sha256(abstract) as group_sha256,
        publication_id
    from clean.publications
    where abstract is not null
    union all
    select
        'the same link' as basis,
        sha256(link_key(url)) as group_sha256,
        publication_id
    from clean.publications
    where url is not null
),

group_sizes as (
    select
        basis,
        group_sha256,
        publication_id,
        cast(count(*) over (partition by basis, group_sha256) as bigint) as group_size
    from text_hashes
)

select
    basis,
    group_sha256,
    publication_id,
    group_size
from group_sizes
where group_size > 1
order by basis, group_sha256, publication_id
