/*
row = "A work whose abstract, or a part of it, stands in a text."
key = ["item_kind", "item_id", "target_kind", "target_id", "mention_rule"]

[columns]
item_kind = { type = "text", meaning = "Kind of item, by which search and pages know it.", required = true }
item_id = { type = "text", meaning = "Identifier of the item within its kind.", required = true }
target_kind = { type = "text", meaning = "What is mentioned.", required = true, one_of = ["work", "lab", "person", "topic"] }
target_id = { type = "text", meaning = "The work_id, or the name of the lab, person or topic.", required = true }
mention_rule = { type = "text", meaning = "The rule that found it.", required = true, one_of = "reference.mention_rules" }
evidence = { type = "text", meaning = "What was found: the key of the link, the title, alias or name, or how similar the abstract is.", required = true }
place = { type = "integer", unit = "characters", meaning = "First position in the text, from 1; missing if it is in the title or in another field.", minimum = 1 }
fragment = { type = "text", meaning = "The words of the text, shortened." }
times = { type = "integer", unit = "places", meaning = "Number of places of the text where the rule found it.", required = true, minimum = 1 }
*/
with item_texts as not materialized (
    select
        'post' as item_kind,
        forum_post_id as item_id,
        length(forum_posts.text) as characters,
        concat_ws(e'\n- 0 -\n', coalesce(forum_posts.text, ''), title) as body
    from clean.forum_posts
    where not is_withdrawn
    union all
    select
        'comment' as item_kind,
        forum_comment_id as item_id,
        length(forum_comments.text) as characters,
        forum_comments.text as body
    from clean.forum_comments
    where not is_withdrawn
    union all
    select
        'segment' as item_kind,
        segment_id as item_id,
        length(segments.text) as characters,
        segments.text as body
    from clean.segments
    union all
    select
        'episode' as item_kind,
        episode_id as item_id,
        length(summary) as characters,
        summary as body
    from clean.episodes
    where not is_repeat
    union all
    select
        'feed item' as item_kind,
        feed_item_id as item_id,
        length(feed_items.text) as characters,
        concat_ws(e'\n- 0 -\n', coalesce(feed_items.text, ''), title) as body
    from clean.feed_items
),

abstracts as not materialized (
    select
        record_id,
        abstract,
        hash(record_id) as record_key
    from clean.work_records
    where length(abstract) >= 120
),

-- of all runs of five words an eighth, chosen by the hash of their first two, so that the same are chosen in abstracts
-- and texts; numbers only, since there are millions
text_runs as materialized (
    select
        item_key,
        position,
        hash(word_1, word_2, word_3, word_4, word_5) as run
    from (
        select
            item_key,
            unnest(range(1, len(words) + 1)) as position,
            unnest(words) as word_1,
            unnest(words[2:]) as word_2,
            unnest(words[3:]) as word_3,
            unnest(words[4:]) as word_4,
            unnest(words[5:]) as word_5
        from (
            select
                hash(item_kind, item_id) as item_key,
                list_transform(blank_words(body), lambda word: hash(word)) as words
            from item_texts
        ) as hashed_texts
    ) as text_places
    where hash(word_1, word_2) % 8 = 0 and word_5 is not null
),

text_run_set as (
    select distinct run
    from text_runs
),

-- those of abstracts that stand in texts are few
abstract_runs as (
    select
        record_key,
        position,
        places.run
    from (
        select
            record_key,
            position,
            hash(word_1, word_2, word_3, word_4, word_5) as run
        from (
            select
                record_key,
                unnest(range(1, len(words) + 1)) as position,
                unnest(words) as word_1,
                unnest(words[2:]) as word_2,
                unnest(words[3:]) as word_3,
                unnest(words[4:]) as word_4,
                unnest(words[5:]) as word_5
            from (
                select
                    record_key,
                    list_transform(blank_words(abstract), lambda word: hash(word)) as words
                from abstracts
            ) as hashed_abstracts
        ) as abstract_places
        where hash(word_1, word_2) % 8 = 0 and word_5 is not null
    ) as places
    inner join text_run_set on places.run = text_run_set.run
),

rare_runs as (
    select *
    from abstract_runs
    qualify count(*) over (partition by run) <= 8
),

shifts as (
    select
        text_runs.item_key,
        rare_runs.record_key,
        cast(text_runs.position - rare_runs.position as bigint) as shift,
        count(*) as runs
    from text_runs
    inner join rare_runs on text_runs.run = rare_runs.run
    group by all
),

pairs as materialized (
    select
        item_key,
        record_key,
        min_by(shift, (-runs, shift)) as shift
    from shifts
    group by item_key, record_key
    having sum(runs) >= 2
),

-- only the texts and abstracts of pairs are kept in memory
pair_bodies as materialized (
    select
        item_kind,
        item_id,
        body,
        hash(item_kind, item_id) as item_key
    from item_texts
    where hash(item_kind, item_id) in (select item_key from pairs)
),

pair_abstracts as materialized (
    select
        abstracts.record_key,
        abstracts.abstract,
        members.work_id
    from abstracts
    inner join clean.work_members as members on abstracts.record_id = members.record_id
    where abstracts.record_key in (select record_key from pairs)
),

pair_texts as (
    select
        pair_bodies.item_kind,
        pair_bodies.item_id,
        pair_abstracts.work_id,
        pairs.shift,
        blank_words(pair_bodies.body) as text_words,
        blank_words(pair_abstracts.abstract) as abstract_words
    from pairs
    inner join pair_bodies on pairs.item_key = pair_bodies.item_key
    inner join pair_abstracts on pairs.record_key = pair_abstracts.record_key
),

-- the part of the abstract that can stand in the text, which may be cut short, and the passage with a margin
passages as (
    select
        item_kind,
        item_id,
        work_id,
        abstract_words[greatest(1, 1 - shift):least(len(abstract_words), len(text_words) - shift)] as part,
        text_words[greatest(1, 1 + shift - 10):shift + len(abstract_words) + 10] as passage,
        len(abstract_words) as abstract_length
    from pair_texts
),

matches as (
    select
        item_kind,
        item_id,
        'work' as target_kind,
        work_id as target_id,
        'abstract' as mention_rule,
        cast(cast(floor(similarity) as bigint) as varchar) || ' of 100' as evidence,
        null as place,
        left(array_to_string(part, ' '), 160) as fragment
    from (
        select
            *,
            abstract_similarity(
                array_to_string(words_of(array_to_string(part, ' ')), ' '),
                array_to_string(words_of(array_to_string(passage, ' ')), ' ')
            ) as similarity
        from passages
        where len(part) >= least(40, abstract_length)
    ) as compared
    where similarity >= 90
)

select
    item_kind,
    item_id,
    target_kind,
    target_id,
    mention_rule,
    min_by(evidence, (place, evidence)) as evidence,
    cast(min(place) as bigint) as place,
    min_by(fragment, (place, fragment)) as fragment,
    cast(count(*) as bigint) as times
from matches
group by item_kind, item_id, target_kind, target_id, mention_rule
