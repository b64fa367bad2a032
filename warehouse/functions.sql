-- Formulae that several tables share, written once. They are in every release too, for anyone's own queries.

-- Wilson score interval of a share at 95 %: c = (p + z²/2n) / (1 + z²/n), h = z/(1 + z²/n) · sqrt(p(1-p)/n + z²/4n²),
-- with z = 1.959963984540054. Wilson, J. Am. Stat. Assoc. 22 (1927) 209. Missing where there are no trials.
-- Divided by n step by step, since n² overflows.
create or replace macro wilson_low(successes, trials) as
    case
        when trials > 0
            then greatest(0.0, (
                successes / trials + 3.8414588206941227 / 2 / trials
                - 1.959963984540054 * sqrt(
                    successes / trials * (1 - successes / trials) / trials
                    + 3.8414588206941227 / 4 / trials / trials
                )
            ) / (1 + 3.8414588206941227 / trials))
    end;

create or replace macro wilson_high(successes, trials) as
    case
        when trials > 0
            then least(1.0, (
                successes / trials + 3.8414588206941227 / 2 / trials
                + 1.959963984540054 * sqrt(
                    successes / trials * (1 - successes / trials) / trials
                    + 3.8414588206941227 / 4 / trials / trials
                )
            ) / (1 + 3.8414588206941227 / trials))
    end;

create or replace macro share_of(successes, trials) as
    case when trials > 0 then successes / trials end;

-- The honesty rules. What a number may be called is decided here and nowhere else; tables and pages only ask.

-- Why a share should not be quoted without its interval: few trials, or a wide interval. Missing if nothing is against it.
create or replace macro share_caution(successes, trials) as
    case
        when trials < 30 then 'fewer than 30 in all'
        when wilson_high(successes, trials) - wilson_low(successes, trials) > 0.20 then 'interval wider than 0.20'
    end;

-- What a change between two periods may be called: up or down only if its test survives the correction for all tests.
create or replace macro change_finding(events_before, events_after, ratio, p_adjusted) as
    case
        when least(events_before, events_after) < 5 then 'too few'
        when p_adjusted < 0.05 and ratio > 1 then 'up'
        when p_adjusted < 0.05 and ratio < 1 then 'down'
        else 'no clear change'
    end;

-- A growth, hidden where either period has fewer than five events.
create or replace macro growth_shown(events_before, events_after, growth) as
    case when least(events_before, events_after) >= 5 then growth end;

-- A seasonal statistic, hidden before 36 months.
create or replace macro season_shown(months, statistic) as
    case when months >= 36 then statistic end;

-- First day of the months that are still filling up: the newest three, until 50 reporting delays have been seen.
create or replace macro provisional_since(newest_day, reporting_delays) as
    case when reporting_delays < 50 then cast(date_trunc('month', newest_day) - interval 2 month as date) end;

-- One key for all the addresses of a work, such as arxiv:2310.17230; the same rules by which records of sheets are known.
-- A link that no rule knows becomes url: with its host and path, and its query without what only follows readers around.
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
        when regexp_matches(link_without_scheme(link), '^openai\.com/(?:research|index|blog)/[\w.-]')
            then 'openai:' || lower(rtrim(regexp_extract(link_without_scheme(link), '^openai\.com/\w+/([\w.-]+)', 1), '.'))
        when regexp_matches(link_without_scheme(link), '^anthropic\.com/(?:research|news|index)/[\w.-]')
            then 'anthropic:' || lower(rtrim(regexp_extract(link_without_scheme(link), '^anthropic\.com/\w+/([\w.-]+)', 1), '.'))
        when regexp_matches(link_without_scheme(link), '^deepmind\.(?:google|com)/research/publications/\d')
            then 'dmpub:' || regexp_extract(link_without_scheme(link), '/publications/(\d+)', 1)
        when regexp_matches(link_without_scheme(link), '^deepmind\.(?:google|com)/(?:discover/)?blog/[\w.-]')
            then 'deepmind:' || lower(rtrim(regexp_extract(link_without_scheme(link), '/blog/([\w.-]+)', 1), '.'))
        when regexp_matches(link_without_scheme(link), '^proceedings\.mlr\.press/v\d+/\w+?(?:/|\.|$)')
            then 'pmlr:' || lower(regexp_extract(link_without_scheme(link), '^proceedings\.mlr\.press/(v\d+/\w+?)(?:/|\.|$)', 1))
        when regexp_matches(link_without_scheme(link), '^transformer-circuits\.pub/\d{4}/[\w.-]+?(?:/index\.html|/|$)')
            then 'tcircuits:' || rtrim(regexp_extract(link_without_scheme(link), '^transformer-circuits\.pub/(\d{4}/[\w.-]+?)(?:/index\.html|/|$)', 1), '.')
        else
            'url:' || lower(regexp_extract(link_without_scheme(link), '^[^/?#]*'))
            || rtrim(regexp_extract(link_without_scheme(link), '^[^/?#]*([^?#]*)', 1), '/')
            || coalesce('?' || nullif(array_to_string(list_filter(
                string_split(regexp_extract(link_without_scheme(link), '^[^?#]*\?([^#]*)', 1), '&'),
                lambda part: regexp_matches(part, '^[^=]+=.') and not regexp_matches(part, '^(?:utm_\w+|fbclid|gclid|ref|source|context|commentId)=')
            ), '&'), ''), '')
    end;
