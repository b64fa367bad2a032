"""The choice of a corpus on a page, part of its address, and the line with what is counted."""

from __future__ import annotations

import datetime as dt

import streamlit as st

from dashboards.queries.corpora import MAPPING, Corpus, describe_corpus, find_widest, list_corpora
from dashboards.queries.release import is_release_in_address
from dashboards.text import CORPUS_KEY, escape_markdown
from dashboards.widgets.filters import warn_unknown_values
from warehouse.release import Release

_DEFAULT_KEY = "default corpus"


def select_corpus(release: Release, *, needs_lab: bool = False, needs_category: bool = False) -> Corpus | None:
    """Show what is counted and the corpora to choose from, and return the chosen one; None if the release has only one.

    Without a choice it is the widest one that answers the question of the page (see `find_widest`). A permanent link
    without a corpus was made before there were corpora and means the published mapping.
    """
    corpora = {corpus.name: corpus for corpus in list_corpora(release)}
    if not corpora:
        if st.query_params.get(CORPUS_KEY, MAPPING) != MAPPING:
            st.warning("This release has only the published mapping, which is shown.", icon=":material/warning:")
        return None
    line = st.container()
    if CORPUS_KEY not in st.session_state:  # when the page is opened
        is_former = is_release_in_address() and MAPPING in corpora
        widest = find_widest(list(corpora.values()), needs_lab=needs_lab, needs_category=needs_category)
        st.session_state[_DEFAULT_KEY] = MAPPING if is_former else widest
    default = st.session_state[_DEFAULT_KEY]
    warn_unknown_values("Corpus", corpora, CORPUS_KEY)
    chosen = st.segmented_control(
        "Corpus",
        list(corpora),
        key=CORPUS_KEY,
        default=default,
        required=True,
        bind="query-params",
        width="content",
        help="What is counted. " + " ".join(f"{corpus.name}: {corpus.definition}" for corpus in corpora.values()),
    )
    corpus = corpora.get(str(chosen)) or corpora[default]
    today = dt.datetime.now(dt.UTC).date()
    line.markdown(f"**{escape_markdown(corpus.title)}**: {escape_markdown(describe_corpus(corpus, today))}")
    return corpus
