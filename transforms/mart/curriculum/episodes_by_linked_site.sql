/*
row = "A site that hosts the original texts of podcast episodes, with its episodes."
key = ["linked_site"]

[columns]
linked_site = { type = "text", meaning = "Host of the linked text, without www.; “(no link)” for episodes without a link.", required = true }
episode_rows = { type = "integer", unit = "episodes", meaning = "Entries of the lists, including repeated ones.", required = true, minimum = 0 }
episodes = { type = "integer", unit = "episodes", meaning = "Distinct episodes: entries without repeats.", required = true, minimum = 0 }
episodes_share = { type = "real", unit = "share in 0 to 1", meaning = "Share of all distinct episodes.", minimum = 0, maximum = 1 }
share_low = { type = "real", unit = "share in 0 to 1", meaning = "Lower end of the 95 % Wilson interval of the share.", minimum = 0, maximum = 1 }
share_high = { type = "real", unit = "share in 0 to 1", meaning = "Upper end of the 95 % Wilson interval of the share.", minimum = 0, maximum = 1 }
*/
with site_counts as (
    select
        coalesce(linked_site, '(no link)') as linked_site,
        cast(count(*) as bigint) as episode_rows,
        cast(count(*) filter (where not is_repeat) as bigint) as episodes
    from clean.episodes
    group by all
),

site_counts_with_total as (
    select
        *,
        cast(sum(episodes) over () as bigint) as total_episodes
    from site_counts
)

select
    linked_site,
    episode_rows,
    episodes,
    share_of(episodes, total_episodes) as episodes_share,
    wilson_low(episodes, total_episodes) as share_low,
    wilson_high(episodes, total_episodes) as share_high
from site_counts_with_total
order by linked_site
