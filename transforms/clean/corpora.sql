/*
row = "A corpus: what a count is about. The declared ones of reference.corpora, and one for each further list of the lake."
key = ["corpus"]

[columns]
corpus = {}
title = {}
definition = {}
kind = { one_of = ["list", "living"] }
is_frozen = {}
list_source = {}
taxonomy = { type = "text", meaning = "The taxonomy of its categories: one of reference.taxonomies, or that of the list, named as it.", required = true }
*/
select
    corpus,
    title,
    definition,
    kind,
    is_frozen,
    list_source,
    taxonomy
from reference.corpora
union all
select
    lists.list as corpus,
    lists.list_title as title,
    concat('The entries of the list “', lists.list_title, '”, with the labs, dates and categories that it gives them.') as definition,
    'list' as kind,
    false as is_frozen,
    'lab_sheet' as list_source,
    lists.taxonomy
from clean.lists as lists
left join reference.corpora as declared on lists.list = declared.corpus
where declared.corpus is null
order by corpus
