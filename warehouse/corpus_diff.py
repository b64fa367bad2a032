"""Changes of the tables that count works in corpora, work by work, as SQL for `warehouse.release_diff`.

What is counted is an item of a corpus: a row of a list, or a work. A work that is gone or new because records that
were apart are one work now, or the reverse, is merged or split; its evidence is shown with its title. What moves since
people decided so, or took it back, has a cause of its own.
"""

from __future__ import annotations

# of each item: what it is counted with
_ITEMS = """
select
    counted.corpus || ' ' || counted.item_id as publication_id,
    any_value(counted.corpus) as corpus,
    any_value(counted.work_id) as work_id,
    any_value(case when counted.work_id = counted.item_id then counted.work_id end) as decided_work_id,
    any_value(counted.published_on) as published_on,
    any_value(counted.category) as category,
    bool_or(counted.is_duplicate) as is_duplicate,
    string_agg(counted.lab, '; ' order by counted.lab) filter (where counted.whole_weight > 0) as lab
from {side}.mart.counted_works as counted
group by counted.corpus, counted.item_id
"""

CAUSES_BY_CELL = f"""
with old as ({_ITEMS.format(side="old")}),
new as ({_ITEMS.format(side="new")}),
-- day of the last record in the old release: later works could not be in it
last_seen as (select coalesce(max(cast(last_seen_at as date)), date '1900-01-01') as until from old.clean.works),
-- works that have a record of another work of the other release, with the link that connects them
moved as (
    select
        before.work_id as old_work_id,
        after.work_id as new_work_id,
        min(after.evidence) filter (where after.linked_record_id is not null) as evidence
    from old.clean.work_members as before
    inner join new.clean.work_members as after on before.record_id = after.record_id
    where before.work_id != after.work_id
    group by all
),
joined as (
    select new_work_id as work_id, min(evidence) as evidence from moved group by all
    union all
    select old_work_id as work_id, min(evidence) as evidence from moved group by all
),
-- what people decide of works now and did not before, or the reverse
decided as (
    select work_id, question from {{old_decisions}} except select work_id, question from {{new_decisions}}
    union all
    (select work_id, question from {{new_decisions}} except select work_id, question from {{old_decisions}})
),
questions as (
    select
        work_id,
        bool_or(question[1] = 'same work') as is_identity,
        bool_or(question[1] = 'excluded') as is_exclusion,
        bool_or(question[1] in ('category', 'scope')) as is_label,
        bool_or(question[1] = 'lab') as is_lab,
        bool_or(question[2] = 'published_on') as is_date
    from decided
    group by all
),
-- and those that such a work was before, or is now
identities as (
    select work_id from questions where is_identity
    union
    select moved.old_work_id
    from moved inner join questions on moved.new_work_id = questions.work_id where questions.is_identity
    union
    select moved.new_work_id
    from moved inner join questions on moved.old_work_id = questions.work_id where questions.is_identity
),
judged as (
    select
        publication_id,
        coalesce(new_works.title, old_works.title, publication_id) as plain_title,
        joined.evidence,
        case
            when (old.publication_id is null or new.publication_id is null) and joined.work_id is not null
                then case when identities.work_id is not null then 'merge or split decided' else 'merged or split' end
            when (old.publication_id is null or new.publication_id is null) and questions.is_exclusion
                then 'exclusion decided'
            when old.publication_id is null and old_works.work_id is not null and questions.is_lab then 'lab decided'
            when new.publication_id is null and new_works.work_id is not null and questions.is_lab then 'lab decided'
            when old.publication_id is null and new.published_on > last_seen.until then 'new work'
            when old.publication_id is null then 'found late'
            when new.publication_id is null then 'source withdrawn'
            when old.is_duplicate != new.is_duplicate
                then case when identities.work_id is not null then 'merge or split decided' else 'merged or split' end
            when old.lab is distinct from new.lab and questions.is_lab then 'lab decided'
            when old.category != new.category and questions.is_label then 'label decided'
            when old.published_on is distinct from new.published_on and questions.is_date then 'date decided'
            when
                identities.work_id is not null
                and (old.lab, old.category, old.published_on) is distinct from (new.lab, new.category, new.published_on)
                then 'merge or split decided'
            when old.lab is distinct from new.lab or old.category != new.category then 'relabelled'
            when old.published_on is distinct from new.published_on then 'date corrected'
            {{when_otherwise}}
        end as cause
    from old full join new using (publication_id) cross join last_seen
    left join old.clean.works as old_works on coalesce(old.work_id, new.work_id) = old_works.work_id
    left join new.clean.works as new_works on coalesce(new.work_id, old.work_id) = new_works.work_id
    left join questions on questions.work_id = coalesce(new.decided_work_id, old.decided_work_id)
    left join identities on identities.work_id = coalesce(new.work_id, old.work_id)
    left join (select work_id, min(evidence) as evidence from joined group by all) as joined
        on joined.work_id = coalesce(new.work_id, old.work_id)
),
causes as (
    select
        publication_id,
        cause,
        plain_title
            || case
                when cause in ('merged or split', 'merge or split decided') then coalesce(' (' || evidence || ')', '')
                else ''
            end as title
    from judged
),
amounts as (from ({{after}} union all {{before}}) where {{filters}}),
moves as (
    select {{names}}, publication_id, sum(amount) as amount
    from amounts
    group by all
    having abs(sum(amount)) > 1e-9
)
select
    {{names}},
    coalesce(cause, 'rule changed') as cause,
    sum(amount) as amount,
    array_to_string(min(title, {{shown}}), '; ')
        || case when count(*) > {{shown}} then printf('; and %d more', count(*) - {{shown}}) else '' end as publications
from moves inner join causes using (publication_id)
group by all
"""

DECISIONS = """(
    select work_id, [kind, coalesce(field, taxonomy), value] as question
    from {side}.clean.decisions where outcome = 'holds'
    union all
    select second_work_id as work_id, [kind, null, value] as question
    from {side}.clean.decisions where outcome = 'holds' and second_work_id is not null
)"""
NO_DECISIONS = "(select cast(null as varchar) as work_id, cast([] as varchar[]) as question where false)"

# an item whose authors or their labs have changed moves without a change of its own
WHEN_ATTRIBUTION_CHANGED = """
            when exists (
                from (
                    select corpus || ' ' || item_id as item, lab, fractional_weight, first_author_weight
                    from old.mart.counted_works
                    except
                    select corpus || ' ' || item_id as item, lab, fractional_weight, first_author_weight
                    from new.mart.counted_works
                ) as changed
                where changed.item = publication_id
            ) then 'relabelled'
"""

COUNT_WORKS = """
select corpus || ' ' || item_id as publication_id, {cell}, {sign} * cast({measure} as bigint) as amount
from {side}.mart.counted_works
where published_on is not null
"""

COUNT_BY_RULE = """
select corpus || ' ' || item_id as publication_id, {cell}, {sign} * {measure} as amount
from (
    select
        labelled.corpus,
        labelled.item_id,
        labelled.published_on,
        rules.counting_rule,
        taxonomies.taxonomy,
        case
            when rules.attribution != 'whole' and labelled.fractional_weight is null then '(authors not known)'
            else labelled.lab
        end as lab,
        coalesce(
            crosswalk.to_category,
            case
                when taxonomies.is_own or labelled.label in ('(unlabelled)', '(no category)') then labelled.label
                else taxonomies.unmapped_category
            end
        ) as category,
        least(1.0, sum(labelled.label_weight * coalesce(crosswalk.weight, 1.0)))
        * any_value(case rules.attribution
            when 'whole' then labelled.whole_weight
            when 'fractional' then coalesce(labelled.fractional_weight, labelled.whole_weight)
            else coalesce(labelled.first_author_weight, labelled.whole_weight)
        end) as weight
    from (
        select *, category as label, 1.0 as label_weight, 'first' as category_attribution
        from {side}.mart.counted_works
        union all
        select
            *,
            unnest(string_split(categories, '; ')) as label,
            1.0 / len(string_split(categories, '; ')) as label_weight,
            'shared' as category_attribution
        from {side}.mart.counted_works
        union all
        select *, unnest(string_split(categories, '; ')) as label, 1.0 as label_weight, 'each' as category_attribution
        from {side}.mart.counted_works
    ) as labelled
    inner join {side}.reference.counting_rules as rules on labelled.category_attribution = rules.category_attribution
    inner join {taxonomies} as taxonomies on labelled.corpus = taxonomies.corpus
    inner join {taxonomies} as own on labelled.corpus = own.corpus and own.is_own
    left join {crosswalk} as crosswalk
        on
            own.taxonomy = crosswalk.from_taxonomy
            and labelled.label = crosswalk.from_category
            and taxonomies.taxonomy = crosswalk.to_taxonomy
    where labelled.published_on is not null and (rules.counts_marked_duplicates or not labelled.is_duplicate)
    group by 1, 2, 3, 4, 5, 6, 7, labelled.lab
)
"""
TAXONOMIES = """(
    select
        corpora.corpus,
        taxonomies.taxonomy,
        taxonomies.is_default as is_own,
        '(no counterpart)' as unmapped_category
    from {side}.{corpora} as corpora
    inner join {side}.reference.taxonomies as known on corpora.taxonomy = known.taxonomy
    cross join {side}.reference.taxonomies as taxonomies
    union all
    select corpora.corpus, corpora.taxonomy, true as is_own, '(no counterpart)' as unmapped_category
    from {side}.{corpora} as corpora
    where corpora.taxonomy not in (select taxonomy from {side}.reference.taxonomies)
)"""
# corpora of whose categories people have mapped any otherwise
REMAPPED = """(
    select corpora.corpus
    from {corpora} as corpora
    where corpora.taxonomy in (
        select from_taxonomy
        from (
            (
                select from_taxonomy, from_category, to_taxonomy, to_category, weight, confidence from {old}
                except
                select from_taxonomy, from_category, to_taxonomy, to_category, weight, confidence from {new}
            )
            union all
            (
                select from_taxonomy, from_category, to_taxonomy, to_category, weight, confidence from {new}
                except
                select from_taxonomy, from_category, to_taxonomy, to_category, weight, confidence from {old}
            )
        )
        where confidence = 'decided'
    )
)"""
WHEN_MAPPING_DECIDED = """
            when coalesce(new.corpus, old.corpus) in (select corpus from {remapped}) then 'mapping decided'
"""

# each work of a living corpus as often as a category is suggested for it, as in mart.suggested_counts_by_month
COUNT_EXPECTED = """
select corpus || ' ' || item_id as publication_id, {cell}, {sign} * {measure} as amount
from (
    select
        counted.corpus,
        counted.item_id,
        counted.published_on,
        rules.counting_rule,
        mappings.taxonomy,
        mappings.category,
        case
            when rules.attribution != 'whole' and counted.fractional_weight is null then '(authors not known)'
            else counted.lab
        end as lab,
        suggestions.probability * coalesce(relevance.probability, 1.0) * mappings.weight * case rules.attribution
            when 'whole' then counted.whole_weight
            when 'fractional' then coalesce(counted.fractional_weight, counted.whole_weight)
            else coalesce(counted.first_author_weight, counted.whole_weight)
        end as expected
    from {side}.mart.counted_works as counted
    inner join {side}.reference.corpora as corpora on counted.corpus = corpora.corpus and corpora.kind = 'living'
    inner join {side}.clean.suggestions as suggestions
        on counted.work_id = suggestions.work_id and suggestions.model = 'category'
    inner join {side}.reference.taxonomies as defaults
        on suggestions.taxonomy = defaults.taxonomy and defaults.is_default
    left join {side}.clean.suggestions as relevance
        on
            suggestions.work_id = relevance.work_id
            and suggestions.taxonomy = relevance.taxonomy
            and relevance.model = 'relevance'
            and relevance.category = 'in scope'
    inner join (
        select to_taxonomy as taxonomy, from_taxonomy, from_category as label, to_category as category, weight
        from {crosswalk}
        union all
        select distinct taxonomy, taxonomy as from_taxonomy, category as label, category, 1.0 as weight
        from {side}.clean.suggestions
        where model = 'category'
    ) as mappings on suggestions.taxonomy = mappings.from_taxonomy and suggestions.category = mappings.label
    cross join {side}.reference.counting_rules as rules
    where counted.published_on is not null and (rules.counts_marked_duplicates or not counted.is_duplicate)
)
"""

# another training changes the suggestions for works of which nothing else has changed
WHEN_SUGGESTION_CHANGED = (
    WHEN_ATTRIBUTION_CHANGED
    + """
            when
                exists (from new.clean.suggestions as later where later.work_id = new.work_id)
                and not exists (from old.clean.suggestions as former where former.work_id = old.work_id)
                then 'label suggested'
            when exists (
                from (
                    (
                        select work_id, taxonomy, model, category, probability from old.clean.suggestions
                        except
                        select work_id, taxonomy, model, category, probability from new.clean.suggestions
                    )
                    union all
                    (
                        select work_id, taxonomy, model, category, probability from new.clean.suggestions
                        except
                        select work_id, taxonomy, model, category, probability from old.clean.suggestions
                    )
                ) as changed
                where changed.work_id = new.work_id
            ) then 'suggestion changed'
"""
)
