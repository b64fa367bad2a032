/*
row = "A record of a source that is itself a publication, by reference.work_rules; one work can have several."
key = ["record_id"]

[columns]
record_id = { type = "text", meaning = "Identifier of the record: hash of its id in the source, as in the table of its source.", required = true }
source = { type = "text", meaning = "Name of the source.", required = true }
found_in = { type = "text", meaning = "Where it stands: the list, the service, the feed or the site.", required = true }
work_rule = {}
title = { type = "text", meaning = "Title in the source." }
title_key = { type = "text", meaning = "Letters and digits of the title in any script, without case, blanks and punctuation." }
title_words = { type = "integer", unit = "words", meaning = "Number of words of the title.", minimum = 0 }
abstract = { type = "text", meaning = "Abstract or summary in the source." }
abstract_sha256 = { type = "text", meaning = "SHA-256 of the abstract, if a list has that." }
authors = { type = "text", meaning = "Authors in the source, separated by semicolons." }
surnames = { type = "text", meaning = "Last names of the authors in lower case without accents, sorted, separated by semicolons; missing if none is known." }
affiliations = {}
institution_openalex_ids = {}
published_on = { type = "date", meaning = "Day of publication in the source; the first of the month or year if only that is known." }
date_precision = {}
date_kind = { type = "text", meaning = "What the date is.", required = true, one_of = ["first version", "page", "listed", "journal"] }
url = { type = "text", meaning = "Address of the work in the source." }
links = { type = "text", meaning = "Addresses and identifiers of the work in the source, separated by blanks." }
lab = { type = "text", meaning = "The lab under which a list has it, or whose own site it is." }
lab_basis = { type = "text", meaning = "Why that lab.", one_of = ["listed", "own site"] }
venue = {}
citations = {}
is_withdrawn = { type = "boolean", meaning = "Whether the work was retracted or the record deleted.", required = true }
first_seen_at = {}
last_seen_at = {}
*/
with crossref as (
    select
        record_id,
        max_by(version_id, (last_seen_at, version_id)) as version_id,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from raw.crossref_works
    group by record_id
),

semanticscholar as (
    select
        record_id,
        max_by(version_id, (last_seen_at, version_id)) as version_id,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from raw.semanticscholar_papers
    group by record_id
),

huggingface as (
    select
        record_id,
        max_by(version_id, (last_seen_at, version_id)) as version_id,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from raw.huggingface_papers
    group by record_id
),

dataset as (
    select
        record_id,
        max_by(version_id, (last_seen_at, version_id)) as version_id,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from raw.alignment_dataset_texts
    group by record_id
),

records as (
    select
        publication_id as record_id,
        'lab_sheet' as source,
        found_in,
        cast(null as varchar) as feed,
        cast(null as varchar) as work_type,
        title,
        abstract,
        abstract_sha256,
        authors,
        cast(null as varchar) as affiliations,
        cast(null as varchar) as institution_openalex_ids,
        coalesce(published_on, published_year) as published_on,
        date_precision,
        'listed' as date_kind,
        url,
        concat_ws(' ', url, other_links) as links,
        nullif(lab, '(no lab)') as lab,
        cast(null as varchar) as venue,
        cast(null as bigint) as citations,
        false as is_withdrawn,
        first_seen_at,
        last_seen_at
    from clean.listed_publications
    union all
    select
        paper_id as record_id,
        source,
        case source
            when 'arxiv_papers' then 'arXiv'
            when 'openalex_works' then 'OpenAlex'
            else coalesce(regexp_extract(url, '^https?://(?:www\.)?([^/?#]+)', 1), 'a lab’s site')
        end as found_in,
        null as feed,
        work_type,
        title,
        abstract,
        null as abstract_sha256,
        authors,
        affiliations,
        institution_openalex_ids,
        published_on,
        date_precision,
        case source
            when 'arxiv_papers' then 'first version'
            when 'openalex_works' then 'journal'
            else 'page'
        end as date_kind,
        url,
        concat_ws(
            ' ',
            case when source != 'arxiv_papers' then url end,
            'arxiv:' || arxiv_id,
            'doi:' || doi,
            'openalex:' || openalex_id
        ) as links,
        case when source = 'lab_pages' then labs end as lab,
        venue,
        citations,
        is_withdrawn,
        first_seen_at,
        last_seen_at
    from clean.papers
    union all
    select
        works.record_id,
        'crossref_works' as source,
        'Crossref' as found_in,
        null as feed,
        works.work_type,
        works.title,
        works.abstract,
        null as abstract_sha256,
        works.authors,
        works.affiliations,
        null as institution_openalex_ids,
        works.published_on,
        works.date_precision,
        'journal' as date_kind,
        works.url,
        concat_ws(' ', works.url, 'doi:' || works.doi) as links,
        null as lab,
        works.venue,
        works.citations,
        false as is_withdrawn,
        crossref.first_seen_at,
        crossref.last_seen_at
    from raw.crossref_works as works
    inner join crossref on works.version_id = crossref.version_id
    union all
    select
        papers.record_id,
        'semanticscholar_papers' as source,
        'Semantic Scholar' as found_in,
        null as feed,
        null as work_type,
        papers.title,
        papers.abstract,
        null as abstract_sha256,
        papers.authors,
        null as affiliations,
        null as institution_openalex_ids,
        papers.published_on,
        papers.date_precision,
        'journal' as date_kind,
        papers.url,
        concat_ws(' ', papers.url, 'arxiv:' || papers.arxiv_id, 'doi:' || papers.doi) as links,
        null as lab,
        papers.venue,
        papers.citations,
        false as is_withdrawn,
        semanticscholar.first_seen_at,
        semanticscholar.last_seen_at
    from raw.semanticscholar_papers as papers
    inner join semanticscholar on papers.version_id = semanticscholar.version_id
    union all
    select
        papers.record_id,
        'huggingface_papers' as source,
        'Hugging Face' as found_in,
        null as feed,
        null as work_type,
        papers.title,
        papers.abstract,
        null as abstract_sha256,
        papers.authors,
        null as affiliations,
        null as institution_openalex_ids,
        papers.published_on,
        if(papers.published_on is not null, 'day', null) as date_precision,
        'first version' as date_kind,
        'https://huggingface.co/papers/' || papers.arxiv_id as url,
        'arxiv:' || papers.arxiv_id as links,
        null as lab,
        null as venue,
        null as citations,
        false as is_withdrawn,
        huggingface.first_seen_at,
        huggingface.last_seen_at
    from raw.huggingface_papers as papers
    inner join huggingface on papers.version_id = huggingface.version_id
    union all
    select
        texts.record_id,
        'alignment_dataset' as source,
        'Alignment research dataset' as found_in,
        null as feed,
        texts.dataset_source_type as work_type,
        texts.title,
        texts.summary as abstract,
        null as abstract_sha256,
        texts.authors,
        null as affiliations,
        null as institution_openalex_ids,
        cast(texts.published_at as date) as published_on,
        if(texts.published_at is not null, 'day', null) as date_precision,
        'listed' as date_kind,
        texts.url,
        concat_ws(' ', texts.url, 'arxiv:' || texts.arxiv_id) as links,
        null as lab,
        null as venue,
        null as citations,
        false as is_withdrawn,
        dataset.first_seen_at,
        dataset.last_seen_at
    from raw.alignment_dataset_texts as texts
    inner join dataset on texts.version_id = dataset.version_id
    union all
    select
        feed_item_id as record_id,
        'feed_items' as source,
        'feed: ' || coalesce(feed_title, feed) as found_in,
        case when audio_url is not null then 'podcast' else feed end as feed,
        null as work_type,
        title,
        null as abstract,
        null as abstract_sha256,
        authors,
        null as affiliations,
        null as institution_openalex_ids,
        cast(published_at as date) as published_on,
        if(published_at is not null, 'day', null) as date_precision,
        'page' as date_kind,
        url,
        url as links,
        null as lab,
        null as venue,
        null as citations,
        false as is_withdrawn,
        first_seen_at,
        last_seen_at
    from clean.feed_items
    union all
    select
        forum_post_id as record_id,
        'forum_posts' as source,
        case site when 'eaf' then 'EA Forum' when 'lw' then 'LessWrong' else site end as found_in,
        null as feed,
        null as work_type,
        title,
        null as abstract,
        null as abstract_sha256,
        nullif(concat_ws('; ', author, coauthors), '') as authors,
        null as affiliations,
        null as institution_openalex_ids,
        cast(posted_at as date) as published_on,
        if(posted_at is not null, 'day', null) as date_precision,
        'page' as date_kind,
        url,
        url as links,
        null as lab,
        null as venue,
        null as citations,
        is_withdrawn,
        first_seen_at,
        last_seen_at
    from clean.forum_posts
),

-- the first rule that fits; patterns are few, records many
fitting_rules as (
    select
        records.record_id,
        min_by(rules.work_rule, rules.position) as work_rule
    from (
        select
            record_id,
            source,
            feed,
            work_type,
            regexp_replace(url, '(?i)^https?://', '') as bare_url
        from records
    ) as records
    inner join reference.work_rules as rules
        on
            records.source = rules.source
            and (rules.feed_pattern is null or matches_pattern(records.feed, rules.feed_pattern))
            and (rules.url_pattern is null or matches_pattern(records.bare_url, rules.url_pattern))
            and (rules.work_type_pattern is null or matches_pattern(records.work_type, rules.work_type_pattern))
    group by records.record_id
),

ruled_records as (
    select
        records.*,
        rules.work_rule,
        rules.counts_as,
        rules.lab as lab_of_rule,
        link_key(records.url) as url_key,
        case
            when strlen(records.title) = length(records.title)
                then coalesce(nullif(regexp_replace(lower(records.title), '[^a-z0-9+*]', '', 'g'), ''), regexp_replace(records.title, '\s', '', 'g'))
            else unicode_title_key(records.title)
        end as title_key
    from records
    inner join fitting_rules on records.record_id = fitting_rules.record_id
    inner join reference.work_rules as rules on fitting_rules.work_rule = rules.work_rule
    where rules.counts_as != 'mention'
),

listed_keys as (
    select distinct url_key as listed_key
    from ruled_records
    where counts_as = 'work' and url_key is not null
    union distinct
    select distinct title_key as listed_key
    from ruled_records
    where counts_as = 'work' and len(string_split(trim(title), ' ')) >= 4
)

select
    record_id,
    source,
    found_in,
    work_rule,
    title,
    nullif(title_key, '') as title_key,
    cast(len(regexp_extract_all(title, '\S+')) as bigint) as title_words,
    abstract,
    abstract_sha256,
    regexp_replace(authors, '( et al\.?),? \d{4}$', '\1') as authors,
    nullif(list_aggregate(list_sort(list_distinct(list_filter(
        list_transform(
            string_split(regexp_replace(authors, ',? et al\b.*$', ''), '; '),
            lambda author: regexp_replace(
                strip_accents(lower(if(contains(author, ','), split_part(author, ',', 1), regexp_extract(trim(author), '(\S+)$', 1)))),
                '[^\pL?\x{fffd}]', '', 'g'
            )
        ),
        -- a question mark stands for a letter that was lost on the way
        lambda surname: length(surname) > 1 and not regexp_matches(surname, '[?\x{fffd}]')
        and not list_contains(
            ['al', 'jr', 'sr', 'ii', 'iii', 'iv', 'anonymous', 'team', 'group', 'lab', 'others', 'openai', 'anthropic', 'deepmind', 'research', 'institute'],
            surname
        )
    ))), 'string_agg', '; '), '') as surnames,
    affiliations,
    institution_openalex_ids,
    published_on,
    date_precision,
    date_kind,
    url,
    nullif(links, '') as links,
    coalesce(lab, lab_of_rule) as lab,
    case
        when source = 'lab_sheet' and lab is not null then 'listed'
        when coalesce(lab, lab_of_rule) is not null then 'own site'
    end as lab_basis,
    venue,
    citations,
    is_withdrawn,
    first_seen_at,
    last_seen_at
from ruled_records
where
    counts_as = 'work'
    or url_key in (select listed_key from listed_keys)
    or (counts_as = 'work if address or title is listed' and title_key in (select listed_key from listed_keys))
