"""The list of all sources, and which of them recognises a document."""

from __future__ import annotations

from orchestration.sources import openalex_works
from orchestration.sources.arxiv import papers as arxiv_papers
from orchestration.sources.enrichers import (
    alignment_dataset,
    crossref_works,
    huggingface_papers,
    semanticscholar_papers,
)
from orchestration.sources.feed import items as feed_items
from orchestration.sources.feed import podcast_page
from orchestration.sources.forum import comments as forum_comments
from orchestration.sources.forum import page as forum_page
from orchestration.sources.forum import posts as forum_posts
from orchestration.sources.lab_site import pages as lab_pages
from orchestration.sources.shared.document import Document, UnreadableDocument
from orchestration.sources.sheet import lab_sheet
from orchestration.sources.source import DamagedDocument, DocumentRefused, NotThisSource, Source

# in the order in which they are tried: sources with unmistakable marks first, those that read plain text last
SOURCES: tuple[Source, ...] = (
    forum_posts.SOURCE,
    forum_comments.SOURCE,
    arxiv_papers.SOURCE,
    openalex_works.SOURCE,
    semanticscholar_papers.SOURCE,
    crossref_works.SOURCE,
    huggingface_papers.SOURCE,
    alignment_dataset.SOURCE,
    feed_items.SOURCE,
    lab_pages.SOURCE,
    lab_sheet.SOURCE,
    podcast_page.SOURCE,
    forum_page.SOURCE,
)


def get_source(name: str) -> Source:
    """The source of that name.

    Raises:
        KeyError: No source has the name; the text lists those that exist.
    """
    for source in SOURCES:
        if source.name == name:
            return source
    raise KeyError(f"no source {name!r}; there are {', '.join(source.name for source in SOURCES)}")


def recognise_source(document: Document) -> Source:
    """The source that recognises the document by its content; the file name does not matter.

    Raises:
        DocumentRefused: No source recognises it, or the one that does finds it damaged.
    """
    try:
        description = document.description
        near_matches: list[tuple[Source, NotThisSource]] = []
        for source in SOURCES:
            try:
                source.recognise(document)
            except NotThisSource as mismatch:
                if mismatch.is_near_match:
                    near_matches.append((source, mismatch))
            except UnreadableDocument:  # a source of plain text may fail on markup, such as JSON in one long line
                if not document.is_markup:
                    raise
            else:
                return source
    except (UnreadableDocument, DamagedDocument) as error:
        raise DocumentRefused(f"found {error}") from error
    if near_matches:
        reasons = "; ".join(f"as {source.name}: {mismatch}" for source, mismatch in near_matches)
        proposal = next((mismatch.proposal for _, mismatch in near_matches if mismatch.proposal), None)
        raise DocumentRefused(f"found {description}; {reasons}", proposal)
    raise DocumentRefused(
        f"found {description}, which is none of the {len(SOURCES)} known kinds; aisle sources lists them"
    )
