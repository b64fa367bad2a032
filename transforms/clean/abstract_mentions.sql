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

text_words as not materialized (
    select
        item_kind,
        item_id,
        words_of(body) as words
    from item_texts
),

abstracts as not materialized (
    select
        members.work_id,
        records.record_id,
        words_of(records.abstract) as words
    from clean.work_records as records
    inner join clean.work_members as members on records.record_id = members.record_id
    where length(records.abstract) >= 120
),

-- of all runs of five words an eighth, chosen by their hash, so that the same are chosen in abstracts and texts
text_runs as not materialized (
    select
        item_kind,
        item_id,
        position,
        hash(word_1, word_2, word_3, word_4, word_5) as run
    from (
        select
            item_kind,
            item_id,
            unnest(range(1, len(words) + 1)) as position,
            unnest(words) as word_1,
            unnest(words[2:]) as word_2,
            unnest(words[3:]) as word_3,
            unnest(words[4:]) as word_4,
            unnest(words[5:]) as word_5
        from text_words
    ) as text_places
    where word_5 is not null and hash(word_1, word_2, word_3, word_4, word_5) % 8 = 0
),

abstract_runs as not materialized (
    select
        record_id,
        position,
        hash(word_1, word_2, word_3, word_4, word_5) as run
    from (
        select
            record_id,
            unnest(range(1, len(words) + 1)) as position,
            unnest(words) as word_1,
            unnest(words[2:]) as word_2,
            unnest(words[3:]) as word_3,
            unnest(words[4:]) as word_4,
            unnest(words[5:]) as word_5
        from abstracts
    ) as abstract_places
    where
        word_5 is not null
        and hash(word_1, word_2, word_3, word_4, word_5) % 8 = 0
),

text_run_set as (
    select distinct run
    from text_runs
),

-- those of abstracts that stand in texts are few, and only they are kept in memory with their places
rare_runs as (
    select abstract_runs.*
    from abstract_runs
    inner join text_run_set on abstract_runs.run = text_run_set.run
    qualify count(*) over (partition by abstract_runs.run) <= 8
),

abstract_pairs as (
    select
        text_runs.item_kind,
        text_runs.item_id,
        rare_runs.record_id,
        mode(cast(text_runs.position - rare_runs.position as bigint)) as shift
    from text_runs
    inner join rare_runs on text_runs.run = rare_runs.run
    group by text_runs.item_kind, text_runs.item_id, rare_runs.record_id
    having count(*) >= 2
),

-- the part of the abstract that can stand in the text, which may be cut short, and the passage with a margin
abstract_passages as (
    select
        pairs.item_kind,
        pairs.item_id,
        abstracts.work_id,
        abstracts.words[greatest(1, 1 - pairs.shift):least(len(abstracts.words), len(text_words.words) - pairs.shift)]
            as part,
        text_words.words[greatest(1, 1 + pairs.shift - 10):pairs.shift + len(abstracts.words) + 10] as passage,
        len(abstracts.words) as abstract_words
    from abstract_pairs as pairs
    inner join abstracts on pairs.record_id = abstracts.record_id
    inner join text_words on pairs.item_kind = text_words.item_kind and pairs.item_id = text_words.item_id
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
            abstract_similarity(array_to_string(part, ' '), array_to_string(passage, ' ')) as similarity
        from abstract_passages
        where len(part) >= least(40, abstract_words)
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
