"""The explicit list of sources, and which of them a document is of."""

from __future__ import annotations

from orchestration.sources import openalex_works
from orchestration.sources.arxiv import papers
from orchestration.sources.enrichers import (
    alignment_dataset,
    crossref_works,
    huggingface_papers,
    semanticscholar_papers,
)
from orchestration.sources.feed import items, podcast_page
from orchestration.sources.forum import comments, page, posts
from orchestration.sources.lab_site import pages
from orchestration.sources.shared.document import Document, Unreadable
from orchestration.sources.sheet import lab_sheet
from orchestration.sources.source import Damaged, NotThisSource, Source

# those that look for what only their kind has come first, those that look at lines of text last
SOURCES: tuple[Source, ...] = (
    posts.SOURCE,
    comments.SOURCE,
    papers.SOURCE,
    openalex_works.SOURCE,
    semanticscholar_papers.SOURCE,
    crossref_works.SOURCE,
    huggingface_papers.SOURCE,
    alignment_dataset.SOURCE,
    items.SOURCE,
    pages.SOURCE,
    lab_sheet.SOURCE,
    podcast_page.SOURCE,
    page.SOURCE,
)


class Refused(Exception):
    """A document that no source can take; the text says what was expected and what was found."""


def source_named(name: str) -> Source:
    """The source of that name.

    Raises:
        KeyError: There is none; the text lists those that exist.
    """
    for source in SOURCES:
        if source.name == name:
            return source
    raise KeyError(f"no source {name!r}; there are {', '.join(source.name for source in SOURCES)}")


def recognised(document: Document) -> Source:
    """The source whose content this document has; its name plays no part.

    Raises:
        Refused: No source recognises it, or it is one of theirs but damaged.
    """
    try:
        kind = document.kind
        reasons = []
        for source in SOURCES:
            try:
                source.recognise(document)
            except NotThisSource as reason:
                if reason.is_close:
                    reasons.append(f"; as {source.name}: {reason}")
            except Unreadable:  # not as this source reads it: as a text, say, when it is JSON in one line
                if not document.is_markup:
                    raise
            else:
                return source
    except (Unreadable, Damaged) as found:
        raise Refused(f"found {found}") from found
    raise Refused(
        f"found {kind}{''.join(reasons)}; expected one of: {'; '.join(source.expected for source in SOURCES)}"
    )
