-- Canonical key of a link, such as arxiv:2310.17230: the same for all addresses of a work, and the same rules as for
-- records of sheets. Other links become url: with host, path, and query without tracking parameters.
create or replace macro link_without_scheme(link) as
    regexp_replace(regexp_replace(trim(link), '^https?://web\.archive\.org/web/[^/]*/', ''), '(?i)^https?://(?:www\.)?', '');

create or replace macro arxiv_id_in(bare) as
    lower(regexp_replace(regexp_extract(
        bare,
        '(?i)^(?:[\w.]*(?:arxiv|alphaxiv)\.org/(?:abs|pdf|html|format)/|huggingface\.co/papers/|(?:[\w.]*doi\.org/|doi:\s*)10\.48550/arxiv\.|arxiv:\s*)(\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?/\d{7})',
        1
    ), '\.\w\w/', '/'));

create or replace macro link_key(link) as
    case
        when arxiv_id_in(link_without_scheme(link)) != ''
            then 'arxiv:' || arxiv_id_in(link_without_scheme(link))
        when regexp_matches(link_without_scheme(link), '(?i)^(?:[\w.]*doi\.org/|doi:\s*|[\w.]+/doi/(?:abs/|pdf/|full/)?)10\.\d{4,9}/[^\s?#]')
            then 'doi:' || lower(rtrim(regexp_extract(link_without_scheme(link), '(?i)^(?:[\w.]*doi\.org/|doi:\s*|[\w.]+/doi/(?:abs/|pdf/|full/)?)(10\.\d{4,9}/[^\s?#]+)', 1), '.'))
        when regexp_matches(link_without_scheme(link), '^openreview\.net/(?:forum|pdf)\?(?:.*&)?id=[\w-]')
            then 'openreview:' || regexp_extract(link_without_scheme(link), '^openreview\.net/(?:forum|pdf)\?(?:.*&)?id=([\w-]+)', 1)
        when regexp_matches(link_without_scheme(link), '^(?:lesswrong\.com|alignmentforum\.org|greaterwrong\.com)/posts/\w')
            then 'lw:' || regexp_extract(link_without_scheme(link), '/posts/(\w+)', 1)
        when regexp_matches(link_without_scheme(link), '^forum\.effectivealtruism\.org/posts/\w')
            then 'eaf:' || regexp_extract(link_without_scheme(link), '/posts/(\w+)', 1)
        when regexp_matches(link_without_scheme(link), '^openai\.com/(?:research|index|blog)/[\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-]+(?:/?$|[^\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-/]|/[^\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-])')
            then 'openai:' || lower(rtrim(regexp_extract(link_without_scheme(link), '^openai\.com/\w+/([\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-]+)(?:/?$|[^\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-/]|/[^\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-])', 1), '.'))
        when regexp_matches(link_without_scheme(link), '^anthropic\.com/(?:research|news|index)/[\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-]+(?:/?$|[^\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-/]|/[^\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-])')
            then 'anthropic:' || lower(rtrim(regexp_extract(link_without_scheme(link), '^anthropic\.com/\w+/([\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-]+)(?:/?$|[^\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-/]|/[^\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-])', 1), '.'))
        when regexp_matches(link_without_scheme(link), '^deepmind\.(?:google|com)/research/publications/\d')
            then 'dmpub:' || regexp_extract(link_without_scheme(link), '/publications/(\d+)', 1)
        when regexp_matches(link_without_scheme(link), '^deepmind\.(?:google|com)/(?:discover/)?blog/(?:article/)?[\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-]+(?:/?$|[^\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-/]|/[^\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-])')
            then 'deepmind:' || lower(rtrim(regexp_extract(link_without_scheme(link), '/blog/(?:article/)?([\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-]+)(?:/?$|[^\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-/]|/[^\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-])', 1), '.'))
        when regexp_matches(link_without_scheme(link), '^proceedings\.mlr\.press/v\d+/\w+?(?:/|\.|$)')
            then 'pmlr:' || lower(regexp_extract(link_without_scheme(link), '^proceedings\.mlr\.press/(v\d+/\w+?)(?:/|\.|$)', 1))
        when regexp_matches(link_without_scheme(link), '^transformer-circuits\.pub/(\d{4}(?:/[\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-]+?)+?)(?:/index)?(?:\.html)?(?:/?$|[^\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-/]|/[^\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-])')
            then 'tcircuits:' || rtrim(regexp_extract(link_without_scheme(link), '^transformer-circuits\.pub/(\d{4}(?:/[\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-]+?)+?)(?:/index)?(?:\.html)?(?:/?$|[^\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-/]|/[^\w.%~\x{c0}-\x{1fff}\x{2070}-\x{2fff}\x{3040}-\x{feff}\x{ff10}-\x{10ffff}-])', 1), '.')
        else
            'url:' || lower(regexp_extract(link_without_scheme(link), '^[^/?#]*'))
            || rtrim(regexp_extract(link_without_scheme(link), '^[^/?#]*([^?#]*)', 1), '/')
            || coalesce('?' || nullif(array_to_string(list_filter(
                string_split(regexp_extract(link_without_scheme(link), '^[^?#]*\?([^#]*)', 1), '&'),
                lambda part: regexp_matches(part, '^[^=]+=.') and not regexp_matches(part, '^(?:utm_\w+|fbclid|gclid|ref|source|context|commentId)=')
            ), '&'), ''), '')
    end;
