/*
row = "A lab and a year, with its share of the works of the year, two intervals and a caution (corpus iaps_mapping)."
key = ["lab", "published_year"]

[columns]
lab = {}
published_year = {}
works = { minimum = 0 }
total_works = { minimum = 0 }
works_share = { minimum = 0, maximum = 1 }
share_low = { minimum = 0, maximum = 1 }
share_high = { minimum = 0, maximum = 1 }
jeffreys_low = { type = "real", unit = "share in 0 to 1", meaning = "Lower end of the 95 % Jeffreys interval of the share.", minimum = 0, maximum = 1 }
jeffreys_high = { type = "real", unit = "share in 0 to 1", meaning = "Upper end of the 95 % Jeffreys interval of the share.", minimum = 0, maximum = 1 }
caution = { type = "text", meaning = "Why the share should not be quoted without its interval; missing if there is no reason.", one_of = ["fewer than 30 in all", "interval wider than 0.20"] }
is_part_period = {}
is_provisional = {}
counting_rule = {}
*/
select
    lab,
    published_year,
    works,
    total_works,
    works_share,
    share_low,
    share_high,
    jeffreys_low(works, total_works) as jeffreys_low,
    jeffreys_high(works, total_works) as jeffreys_high,
    share_caution(works, total_works) as caution,
    is_part_period,
    is_provisional,
    'works' as counting_rule
from mart.publications_by_lab_year
order by lab, published_year
