/*
row = "A work or person that a text mentions by a quoted fragment of a title, or in a line that names authors or narrators."
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

boilerplate as (
    select coalesce(list(pattern order by pattern), []) as patterns
    from reference.boilerplate
),

titles as (
    select
        members.work_id,
        array_to_string(records.words, ' ') as title,
        records.words,
        max(works.members) as members
    from (
        select
            record_id,
            words_of(title) as words
        from clean.work_records
        where title is not null
    ) as records
    inner join clean.work_members as members on records.record_id = members.record_id
    inner join clean.works as works on members.work_id = works.work_id
    group by members.work_id, records.words
),

quotes as (
    select
        item_kind,
        item_id,
        characters,
        struct_extract(quote, 'place') as place,
        struct_extract(quote, 'fragment') as fragment,
        words_of(struct_extract(quote, 'fragment')) as words
    from (
        select
            item_texts.item_kind,
            item_texts.item_id,
            item_texts.characters,
            unnest(list_quotes(item_texts.body, boilerplate.patterns)) as quote
        from item_texts
        cross join boilerplate
        where regexp_matches(item_texts.body, '["“„«]|(?:^|\W)[‘'']\w')
    ) as found_quotes
),

title_words as (
    select
        work_id,
        title,
        unnest(list_distinct(words)) as word
    from titles
    where len(words) >= 4
),

word_counts as (
    select
        word,
        count(*) as titles
    from title_words
    group by word
),

-- a fragment of a title has only words of titles; its rarest word leads to those that can be meant
rarest_words as (
    select
        quote_words.words,
        min_by(quote_words.word, (word_counts.titles, quote_words.word)) as word
    from (
        select
            words,
            unnest(list_distinct(words)) as word
        from (select distinct words from quotes) as fragments
    ) as quote_words
    inner join word_counts on quote_words.word = word_counts.word
    group by quote_words.words
    having count(*) = len(list_distinct(quote_words.words)) and min(word_counts.titles) <= 1000
),

quoted_titles as (
    select
        rarest_words.words,
        min(titles.work_id) as work_id,
        min(titles.title) as title
    from rarest_words
    inner join title_words on rarest_words.word = title_words.word
    inner join titles on title_words.work_id = titles.work_id and title_words.title = titles.title
    where
        -- the words of the fragment in this order, each whole
        ' ' || array_to_string(titles.words, '  ') || ' ' like '% ' || array_to_string(rarest_words.words, ' % ') || ' %'
        and len(rarest_words.words) >= 0.4 * len(titles.words)
    group by rarest_words.words
    having count(distinct titles.work_id) = 1
),

fragment_mentions as (
    select
        quotes.item_kind,
        quotes.item_id,
        'work' as target_kind,
        quoted_titles.work_id as target_id,
        'quoted fragment' as mention_rule,
        quoted_titles.title as evidence,
        case when quotes.place <= quotes.characters then quotes.place end as place,
        quotes.fragment
    from quotes
    inner join quoted_titles on quotes.words = quoted_titles.words
),

named_people as (
    select
        'episode' as item_kind,
        episode_id as item_id,
        unnest(list_people(concat_ws('; ', authors, narrator))) as person
    from clean.episodes
    where not is_repeat
    union all
    select
        'feed item' as item_kind,
        feed_item_id as item_id,
        unnest(list_people(array_to_string(people ->> '$[*].name', '; '))) as person
    from clean.feed_items
    where people is not null
),

credit_mentions as (
    select
        item_kind,
        item_id,
        'person' as target_kind,
        person as target_id,
        'author line' as mention_rule,
        person as evidence,
        null as place,
        person as fragment
    from named_people
    union all
    select
        item_kind,
        item_id,
        'person' as target_kind,
        struct_extract(credit, 'person') as target_id,
        'author line' as mention_rule,
        struct_extract(credit, 'role') || ' ' || struct_extract(credit, 'person') as evidence,
        case when struct_extract(credit, 'place') <= characters then struct_extract(credit, 'place') end as place,
        struct_extract(credit, 'person') as fragment
    from (
        select
            item_kind,
            item_id,
            characters,
            unnest(list_credits(body)) as credit
        from item_texts
        where regexp_matches(body, '(?i)authors?(?:\(s\))?[ \t]*:|narrated')
    ) as lines
),

found as (
    from fragment_mentions
    union all
    from credit_mentions
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
from found
group by item_kind, item_id, target_kind, target_id, mention_rule
