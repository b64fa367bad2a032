/*
row = "A publication of a lab, as listed in the sheet of the published mapping; marked duplicates are separate rows."
key = ["publication_id"]

[columns]
publication_id = {}
sheet_row = {}
lab = { one_of = "reference.labs", warn = ["one_of"] }
title = {}
published_on = {}
date_precision = { one_of = ["day", "month", "year"] }
published_year = {}
url = {}
other_links = {}
category = { one_of = "reference.categories", warn = ["one_of"] }
categories = {}
is_duplicate = {}
abstract = {}
abstract_sha256 = { matches = "[0-9a-f]{64}$" }
reading_note = {}
snapshots = { minimum = 1 }
first_seen_at = {}
last_seen_at = {}
*/
select
    publication_id,
    sheet_row,
    lab,
    title,
    published_on,
    date_precision,
    published_year,
    url,
    other_links,
    category,
    categories,
    is_duplicate,
    abstract,
    abstract_sha256,
    reading_note,
    snapshots,
    first_seen_at,
    last_seen_at
from clean.list_entries
where list = 'iaps_mapping'
