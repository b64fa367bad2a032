/*
row = "A work, lab, person or topic that a text mentions, and a way in which it was recognised there."
key = ["kind", "item_id", "target_kind", "target_id", "recognised_by"]

[columns]
kind = {}
item_kind = {}
item_id = {}
target_kind = { type = "text", meaning = "What is mentioned.", required = true, one_of = ["work", "lab", "person", "topic"] }
target_id = { type = "text", meaning = "The work_id, or the name of the lab, person or topic.", required = true }
recognised_by = {}
mention_rule = { meaning = "The rule that found it; the surest one if several did.", one_of = "reference.mention_rules" }
certainty = {}
is_counted = { meaning = "Whether marts count it." }
evidence = { type = "text", meaning = "What was found: the key of the link, the title, alias or name, or how similar the abstract is.", required = true }
place = { type = "integer", unit = "characters", meaning = "Position in the text, from 1; missing if it is in the title or in another field.", minimum = 1 }
fragment = { type = "text", meaning = "The words of the text, shortened." }
times = { type = "integer", unit = "places", meaning = "Number of places of the text where it was recognised in this way.", required = true, minimum = 1 }
mentioned_on = { type = "date", meaning = "Day on which the text was published; missing for captured pages." }
*/
with links as (
    select
        item_kind,
        item_id,
        linked_key,
        linked_url,
        place
    from clean.text_links
    union all
    -- an item of a feed also leads to its own page
    select
        'feed item' as item_kind,
        feed_item_id as item_id,
        link_key(url) as linked_key,
        url as linked_url,
        null as place
    from clean.feed_items
    where url is not null
),

identifiers as (
    select
        identifier,
        min(work_id) as work_id
    from clean.work_identifiers
    group by identifier
),

link_mentions as (
    select
        links.item_kind,
        links.item_id,
        'work' as target_kind,
        identifiers.work_id as target_id,
        'link' as mention_rule,
        links.linked_key as evidence,
        links.place,
        links.linked_url as fragment,
        1 as times
    from links
    inner join identifiers on links.linked_key = identifiers.identifier
),

all_mentions as (
    from link_mentions
    union all
    from clean.phrase_mentions
    union all
    from clean.quote_mentions
    union all
    from clean.abstract_mentions
)

select
    texts.kind,
    texts.item_kind,
    texts.item_id,
    all_mentions.target_kind,
    all_mentions.target_id,
    rules.recognised_by,
    min_by(rules.mention_rule, (-rules.certainty, rules.mention_rule)) as mention_rule,
    max(rules.certainty) as certainty,
    bool_or(rules.is_counted) as is_counted,
    min_by(all_mentions.evidence, (-rules.certainty, all_mentions.place, all_mentions.evidence)) as evidence,
    cast(min_by(all_mentions.place, (-rules.certainty, all_mentions.place)) as bigint) as place,
    min_by(all_mentions.fragment, (-rules.certainty, all_mentions.place, all_mentions.fragment)) as fragment,
    cast(sum(all_mentions.times) as bigint) as times,
    texts.written_on as mentioned_on
from all_mentions
inner join reference.mention_rules as rules on all_mentions.mention_rule = rules.mention_rule
inner join clean.texts as texts on all_mentions.item_kind = texts.item_kind and all_mentions.item_id = texts.item_id
-- a record of the work itself does not mention it
left join clean.work_members as members
    on all_mentions.target_kind = 'work' and all_mentions.item_id = members.record_id and all_mentions.target_id = members.work_id
where members.record_id is null
group by all
