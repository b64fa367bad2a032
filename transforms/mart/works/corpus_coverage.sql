/*
row = "A corpus with what it covers: how many works, of which sources and labs, over which time, and from when it is stale."
key = ["corpus"]

[columns]
corpus = {}
works = { type = "integer", unit = "works", meaning = "Distinct works, without those that a list marks as duplicates; in the published mapping, its rows that are not marked.", required = true, minimum = 0 }
items = { type = "integer", unit = "items", meaning = "What the corpus holds: entries of a list (rows with the same link are one) with those of the same work; else works.", required = true, minimum = 0 }
undated_works = { type = "integer", unit = "works", meaning = "Works without a day or month of publication, which no chart by month has.", required = true, minimum = 0 }
year_only_works = { type = "integer", unit = "works", meaning = "Those of them of which the year is known.", required = true, minimum = 0 }
unlabelled_works = { type = "integer", unit = "works", meaning = "Works without a category, counted as “(unlabelled)” or, in a list, “(no category)”.", required = true, minimum = 0 }
works_without_lab = { type = "integer", unit = "works", meaning = "Works without a lab, counted as “(no followed lab)” or, in a list, “(no lab)”.", required = true, minimum = 0 }
withdrawn_works = { type = "integer", unit = "works", meaning = "Withdrawn works that it leaves out; none in a list, which is counted as listed.", required = true, minimum = 0 }
excluded_works = { type = "integer", unit = "works", meaning = "Works that people excluded from it; none in a list, which is counted as listed.", required = true, minimum = 0 }
source_names = { type = "text", meaning = "The sources that it has works of, separated by semicolons; mart.corpus_sources has their time." }
labs = { type = "text", meaning = "The labs that it has works of, separated by semicolons." }
covers_from = { type = "date", meaning = "First day that one of its sources claims to cover, or of which it has a work; missing without any." }
covers_until = { type = "date", meaning = "Last such day; later works do not extend the claim of a source." }
holds_from = { type = "date", meaning = "First covered day, or the day of the oldest work if earlier." }
holds_until = { type = "date", meaning = "Last covered day, or the day of the newest work if later." }
provisional_from = { type = "date", meaning = "First day of the newest three months, which may still gain works; missing once 50 delays are known." }
newest_seen_at = { type = "timestamp", meaning = "When the newest snapshot of its sources was fetched or added." }
stale_since = { type = "date", meaning = "Day from which it is stale if nothing is added: more than 30 days after its newest snapshot, or more than 92 days after the last covered day." }
basis = { type = "text", meaning = "Origin of what is stated of its time.", required = true }
*/
with items as (
    select
        corpus,
        item_id,
        any_value(is_duplicate) as is_duplicate,
        any_value(published_on) as published_on,
        any_value(published_year) as published_year,
        any_value(category) as category,
        max(lab) filter (where whole_weight > 0) as lab
    from mart.counted_works
    group by corpus, item_id
),

item_counts as (
    select
        corpus,
        count(*) filter (where not is_duplicate) as works,
        count(*) as items,
        count(*) filter (where not is_duplicate and published_on is null) as undated_works,
        count(*) filter (where not is_duplicate and published_on is null and published_year is not null) as year_only_works,
        count(*) filter (where not is_duplicate and category in ('(unlabelled)', '(no category)')) as unlabelled_works,
        count(*) filter (where not is_duplicate and lab in ('(no followed lab)', '(no lab)')) as works_without_lab,
        min(coalesce(published_on, published_year)) as oldest,
        max(coalesce(published_on, published_year)) as newest
    from items
    group by corpus
),

lab_names as (
    select
        corpus,
        string_agg(distinct lab, '; ' order by lab) as labs
    from items
    where not is_duplicate and lab not in ('(no followed lab)', '(no lab)')
    group by corpus
),

works_with_lab as (
    select distinct work_id
    from clean.work_labs
    where is_followed
),

left_out_counts as (
    select
        corpora.corpus,
        count(*) filter (where works.is_withdrawn) as withdrawn_works,
        count(*) filter (where works.is_excluded and not works.is_withdrawn) as excluded_works
    from clean.works as works
    cross join reference.corpora as corpora
    where
        (works.is_withdrawn or works.is_excluded)
        and corpora.kind = 'living'
        and (
            corpora.corpus = 'all_works'
            or works.work_id in (select works_with_lab.work_id from works_with_lab)
        )
    group by corpora.corpus
),

source_spans as (
    select
        corpus,
        string_agg(source, '; ' order by source) as source_names,
        min(covers_from) as covers_from,
        max(covers_until) as covers_until,
        max(newest_snapshot_at) as newest_seen_at
    from mart.corpus_sources
    group by corpus
),

spans as (
    select
        corpora.corpus,
        corpora.kind,
        source_spans.source_names,
        source_spans.newest_seen_at,
        coalesce(item_counts.works, 0) as works,
        coalesce(item_counts.items, 0) as items,
        coalesce(item_counts.undated_works, 0) as undated_works,
        coalesce(item_counts.year_only_works, 0) as year_only_works,
        coalesce(item_counts.unlabelled_works, 0) as unlabelled_works,
        coalesce(item_counts.works_without_lab, 0) as works_without_lab,
        coalesce(left_out_counts.withdrawn_works, 0) as withdrawn_works,
        coalesce(left_out_counts.excluded_works, 0) as excluded_works,
        lab_names.labs,
        coalesce(lists.covers_from, source_spans.covers_from) as covers_from,
        coalesce(lists.covers_until, source_spans.covers_until) as covers_until,
        coalesce(lists.holds_from, least(source_spans.covers_from, item_counts.oldest)) as holds_from,
        coalesce(lists.holds_until, greatest(source_spans.covers_until, item_counts.newest)) as holds_until,
        case
            when lists.source is not null then lists.provisional_from
            else provisional_since(greatest(source_spans.covers_until, item_counts.newest), 0)
        end as provisional_from,
        coalesce(
            lists.basis,
            case when corpora.kind = 'list' then 'From the oldest to the newest entry of the list, which claims no time.' end,
            'From the oldest to the newest work of its sources, or the time that they claim; none of them is complete, and they begin and end at different times.'
        ) as basis
    from clean.corpora as corpora
    left join item_counts on corpora.corpus = item_counts.corpus
    left join lab_names on corpora.corpus = lab_names.corpus
    left join left_out_counts on corpora.corpus = left_out_counts.corpus
    left join source_spans on corpora.corpus = source_spans.corpus
    left join clean.coverage as lists on corpora.is_frozen and corpora.list_source = lists.source
)

select
    corpus,
    works,
    items,
    undated_works,
    year_only_works,
    unlabelled_works,
    works_without_lab,
    withdrawn_works,
    excluded_works,
    source_names,
    labs,
    covers_from,
    covers_until,
    holds_from,
    holds_until,
    provisional_from,
    newest_seen_at,
    least(cast(newest_seen_at as date) + 31, covers_until + 93) as stale_since,
    basis
from spans
order by corpus
