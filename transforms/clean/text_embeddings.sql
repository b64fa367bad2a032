/*
row = "The embedding of the title and abstract of a work that has a label or none yet, or of a judged row; none without an embedding model."
key = ["item_id"]
is_incremental = true

[columns]
item_id = {}
text_sha256 = { type = "text", meaning = "Hash of title and abstract.", required = true, matches = "[0-9a-f]{64}$" }
embedding = { type = "text", meaning = "Vector of length 10,000: whole numbers separated by blanks. The cosine of two is the sum of their products by 100,000,000.", required = true, matches = "-?\\d+( -?\\d+)*$" }
*/
with lab_works as (
    select distinct work_id
    from clean.work_labs
),

labelled_items as (
    select distinct item_id
    from clean.training_labels
),

-- ten texts take a second: beyond 10,000 works, those of followed labs alone
candidates as (
    select
        works.work_id,
        count(*) over () <= 10000 or lab_works.work_id is not null as is_wanted
    from clean.works as works
    left join lab_works on works.work_id = lab_works.work_id
    where works.title is not null
),

texts as (
    select
        item_id,
        min(concat_ws('. ', title, abstract)) as text
    from clean.training_labels
    where title is not null
    group by item_id
    union all
    select
        works.work_id as item_id,
        concat_ws('. ', works.title, works.abstract) as text
    from clean.works as works
    inner join candidates on works.work_id = candidates.work_id
    left join labelled_items on works.work_id = labelled_items.item_id
    where candidates.is_wanted and labelled_items.item_id is null
),

known_texts as (
    select
        texts.item_id,
        texts.text,
        sha256(texts.text) as text_sha256,
        earlier.embedding
    from texts
    left join last_release.text_embeddings as earlier
        on texts.item_id = earlier.item_id and sha256(texts.text) = earlier.text_sha256
),

embeddings as materialized (
    select
        item_id,
        text_sha256,
        embedding
    from known_texts
    where embedding is not null
    union all
    select
        item_id,
        text_sha256,
        text_embedding(text) as embedding
    from known_texts
    where embedding is null
)

select
    item_id,
    text_sha256,
    embedding
from embeddings
where embedding != ''
order by item_id
