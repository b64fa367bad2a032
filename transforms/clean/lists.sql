/*
row = "A list with its taxonomy and what it holds."
key = ["list"]

[columns]
list = {}
list_title = { type = "text", meaning = "Title of the list.", required = true }
taxonomy = { type = "text", meaning = "The taxonomy of its categories: the default one if at least half of the labelled entries have a category of it; else one of its own, named as the list.", required = true }
entries = { type = "integer", unit = "entries", meaning = "Entries, with marked duplicates.", required = true, minimum = 1 }
labelled_entries = { type = "integer", unit = "entries", meaning = "Entries with a category.", required = true, minimum = 0 }
undated_entries = { type = "integer", unit = "entries", meaning = "Entries without a day or month of publication.", required = true, minimum = 0 }
entries_without_link = { type = "integer", unit = "entries", meaning = "Entries without a link.", required = true, minimum = 0 }
first_seen_at = { type = "timestamp", meaning = "When its first snapshot was fetched or added.", required = true }
newest_snapshot_at = { type = "timestamp", meaning = "When its newest snapshot was fetched or added.", required = true }
*/
with defaults as (
    select taxonomy
    from reference.taxonomies
    where is_default
),

titles as (
    select
        coalesce(list, 'iaps_mapping') as list,
        max_by(list_title, (last_seen_at, version_id)) as list_title,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as newest_snapshot_at
    from raw.lab_sheet_publications
    group by coalesce(list, 'iaps_mapping')
),

entry_counts as (
    select
        entries.list,
        count(*) as entries,
        count(*) filter (where entries.category != '(no category)') as labelled_entries,
        count(*) filter (where entries.published_on is null) as undated_entries,
        count(*) filter (where entries.url is null) as entries_without_link,
        count(*) filter (where categories.category is not null) as entries_in_default
    from clean.list_entries as entries
    left join reference.categories as categories
        on entries.category = categories.category and categories.taxonomy = (select defaults.taxonomy from defaults)
    group by entries.list
)

select
    titles.list,
    coalesce(titles.list_title, corpora.title, titles.list) as list_title,
    case
        when corpora.corpus is not null then corpora.taxonomy
        when 2 * entry_counts.entries_in_default >= entry_counts.labelled_entries then (select defaults.taxonomy from defaults)
        else titles.list
    end as taxonomy,
    entry_counts.entries,
    entry_counts.labelled_entries,
    entry_counts.undated_entries,
    entry_counts.entries_without_link,
    titles.first_seen_at,
    titles.newest_snapshot_at
from titles
inner join entry_counts on titles.list = entry_counts.list
left join reference.corpora as corpora on titles.list = corpora.corpus
order by titles.list
