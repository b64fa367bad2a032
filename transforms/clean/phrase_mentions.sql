/*
row = "A work, lab, person or topic that a text mentions by a title, alias or name, or by a link that ends with a title, and the rule that found it."
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

aliases as (
    select
        aliases.alias as phrase,
        aliases.kind as target_kind,
        coalesce(identifiers.work_id, aliases.target) as target_id,
        aliases.is_case_sensitive
    from reference.aliases as aliases
    left join clean.work_identifiers as identifiers
        on aliases.kind = 'work' and aliases.target = identifiers.identifier
    where aliases.kind != 'work' or identifiers.work_id is not null
    union
    select
        lab as phrase,
        'lab' as target_kind,
        lab as target_id,
        true as is_case_sensitive
    from reference.labs
    union
    select
        alias as phrase,
        'lab' as target_kind,
        lab as target_id,
        true as is_case_sensitive
    from reference.lab_aliases
),

author_names as (
    select
        author,
        unnest(list_distinct([author, regexp_replace(author, ' \p{Lu}\.? ', ' ')])) as name
    from (select distinct author from clean.work_authors) as authors
),

phrases as (
    -- of several works with one title, the one with the most members
    select
        title as phrase,
        min_by(words, work_id) as words,
        4 as opening_words,
        'work' as target_kind,
        min_by(work_id, (-members, work_id)) as target_id,
        case when len(min_by(words, work_id)) >= 6 then 'title' else 'short title' end as mention_rule,
        false as is_case_sensitive
    from titles
    where len(words) >= 4
    group by title
    union all
    select
        phrase,
        words_of(phrase) as words,
        least(len(words_of(phrase)), 2) as opening_words,
        target_kind,
        target_id,
        case when target_kind = 'work' then 'alias of a work' else 'alias' end as mention_rule,
        is_case_sensitive
    from aliases
    union all
    select
        name as phrase,
        any_value(words_of(name)) as words,
        2 as opening_words,
        'person' as target_kind,
        min(author) as target_id,
        'name' as mention_rule,
        true as is_case_sensitive
    from author_names
    -- an initial and a surname can be anybody
    where
        len(list_filter(words_of(name), lambda word: length(word) > 1)) >= 2
        and regexp_matches(name, '^\p{L}')
        and not regexp_matches(name, '(?i)\bet al\b')
    group by name
),

numbered_phrases as (
    select
        *,
        hash(phrase, target_kind, target_id, mention_rule) as phrase_id,
        case opening_words
            when 1 then hash(words[1])
            when 2 then hash(words[1], words[2])
            else hash(words[1], words[2], words[3], words[4])
        end as opening
    from phrases
),

text_words as not materialized (
    select
        item_kind,
        item_id,
        words_of(body) as words
    from item_texts
),

-- only phrases whose first words stand in a text are looked for there
text_openings as (
    select
        item_kind,
        item_id,
        unnest([hash(word_1), hash(word_1, word_2), hash(word_1, word_2, word_3, word_4)]) as opening
    from (
        select
            item_kind,
            item_id,
            unnest(words) as word_1,
            unnest(words[2:]) as word_2,
            unnest(words[3:]) as word_3,
            unnest(words[4:]) as word_4
        from text_words
    ) as text_places
),

phrase_openings as (
    select distinct opening
    from numbered_phrases
),

found_openings as (
    select distinct
        text_openings.item_kind,
        text_openings.item_id,
        text_openings.opening
    from text_openings
    inner join phrase_openings on text_openings.opening = phrase_openings.opening
),

candidates as (
    select
        found_openings.item_kind,
        found_openings.item_id,
        list(numbered_phrases.phrase order by numbered_phrases.phrase_id) as phrases,
        list(numbered_phrases.is_case_sensitive order by numbered_phrases.phrase_id) as are_case_sensitive,
        list(numbered_phrases.phrase_id order by numbered_phrases.phrase_id) as phrase_ids
    from found_openings
    inner join numbered_phrases on found_openings.opening = numbered_phrases.opening
    group by found_openings.item_kind, found_openings.item_id
),

found_phrases as (
    select
        candidates.item_kind,
        candidates.item_id,
        candidates.phrase_ids,
        item_texts.characters,
        unnest(find_phrases(item_texts.body, candidates.phrases, candidates.are_case_sensitive, boilerplate.patterns))
            as found
    from candidates
    inner join item_texts on candidates.item_kind = item_texts.item_kind and candidates.item_id = item_texts.item_id
    cross join boilerplate
),

phrase_mentions as (
    select
        found_phrases.item_kind,
        found_phrases.item_id,
        numbered_phrases.target_kind,
        numbered_phrases.target_id,
        case
            when numbered_phrases.mention_rule = 'short title' and struct_extract(found, 'is_plain')
                then 'title in small letters'
            else numbered_phrases.mention_rule
        end as mention_rule,
        numbered_phrases.phrase as evidence,
        case when struct_extract(found, 'place') <= characters then struct_extract(found, 'place') end as place,
        struct_extract(found, 'fragment') as fragment
    from found_phrases
    inner join numbered_phrases on phrase_ids[struct_extract(found, 'number') + 1] = numbered_phrases.phrase_id
    where numbered_phrases.target_kind != 'none'
),

link_slugs as (
    select
        item_kind,
        item_id,
        linked_url,
        place,
        array_to_string(words_of(regexp_extract(
            linked_url, '^\w+://[^/?#]+/(?:[^?#]*/)?([^/?#]+?)(?:\.html?|\.pdf|\.md)?/?(?:[?#].*)?$', 1
        )), ' ') as slug
    from clean.text_links
    where
        linked_key not in (select identifier from clean.work_identifiers)
        -- these pages are about a subject rather than a work
        and not regexp_matches(linked_url, '/(?:tags?|topics?|wiki|category|categories|concepts?|glossary)/')
),

slug_mentions as (
    select
        link_slugs.item_kind,
        link_slugs.item_id,
        'work' as target_kind,
        min_by(titles.work_id, (-titles.members, titles.work_id)) as target_id,
        'title as link' as mention_rule,
        titles.title as evidence,
        min(link_slugs.place) as place,
        min(link_slugs.linked_url) as fragment
    from link_slugs
    inner join titles on link_slugs.slug = titles.title
    left join item_texts
        on
            len(titles.words) < 4
            and link_slugs.item_kind = item_texts.item_kind
            and link_slugs.item_id = item_texts.item_id
    where
        len(titles.words) >= 4
        or (
            len(titles.words) >= 2
            and contains(' ' || array_to_string(words_of(item_texts.body), ' ') || ' ', ' ' || titles.title || ' ')
        )
    group by link_slugs.item_kind, link_slugs.item_id, titles.title
),

found as (
    from phrase_mentions
    union all
    from slug_mentions
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
