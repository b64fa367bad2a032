"""What is in the full-text index of a release: the fields of a document, their tokens, and an item as a document.

An index that was built by another version of this file is built from nothing.
"""

from __future__ import annotations

import tantivy
from tantivy import Filter

from warehouse.search.items import NO_VALUE, UNLABELLED

FACETS = ("kind", "lab", "category", "source", "corpus", "year")
# the fields that are searched, and the weight of a match in each
FIELD_BOOSTS = {"title": 3.0, "authors": 2.0, "about": 1.5, "text": 1.0}
SPELLING_FIELD = "spelled"  # words with their endings, in which misspelled words are looked up
ORDER_FIELDS = ("newest", "oldest", "alphabetic")  # the rank of an item in each order, with gaps
MAX_WORD_BYTES = 79  # longer words are not in the index


def build_analyzers() -> dict[str, tantivy.TextAnalyzer]:
    """Text analyzers by name: stemmed words, words as spelled, and stemmed words without stop words."""

    def chain() -> tantivy.TextAnalyzerBuilder:
        words = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).filter(Filter.remove_long(MAX_WORD_BYTES + 1))
        return words.filter(Filter.lowercase()).filter(Filter.ascii_fold())

    stemmer = Filter.stemmer("english")
    return {
        "words": chain().filter(stemmer).build(),
        "spelled": chain().build(),
        "content_words": chain().filter(Filter.stopword("english")).filter(stemmer).build(),
    }


def build_schema() -> tantivy.Schema:
    """The fields of the index; it stores no texts."""
    builder = tantivy.SchemaBuilder()
    for name in FIELD_BOOSTS:
        builder.add_text_field(name, tokenizer_name="words")
    builder.add_text_field(SPELLING_FIELD, tokenizer_name="spelled", index_option="basic")
    for name in FACETS:
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    for name in ORDER_FIELDS:
        builder.add_integer_field(name, fast=True)
    builder.add_text_field("identifier", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("item", tokenizer_name="raw", index_option="basic", stored=True)
    return builder.build()


def register_tokenizers(index: tantivy.Index) -> tantivy.Index:
    """The same index, with the analyzers that its fields need."""
    for name, analyser in build_analyzers().items():
        index.register_tokenizer(name, analyser)
    return index


def build_document(
    kind: str,
    item_id: str,
    title: str | None,
    text: str | None,
    lab: str | None,
    category: str | None,
    source: str | None,
    authors: str | None,
    year: str,
    other_titles: list[str] | None,
    identifiers: list[str] | None,
    corpora: list[str] | None,
    newest: int,
    oldest: int,
    alphabetic: int,
) -> tantivy.Document:
    """An item as a document of the index."""
    titles = [*dict.fromkeys([title or "", *(other_titles or ())])]
    return tantivy.Document(
        title=titles,
        text=text or "",
        authors=authors or "",
        spelled=[part for part in (*titles, text, authors) if part],
        about=" ".join(part for part in (lab, category, source) if part),
        kind=kind,
        lab=lab.split("; ") if lab else NO_VALUE,
        category=category.split("; ") if category else UNLABELLED if kind == "work" else NO_VALUE,
        source=(source.split("; ") if kind == "work" else source) if source else NO_VALUE,
        corpus=corpora or NO_VALUE,
        identifier=[identifier for identifier in identifiers or () if identifier],
        year=year,
        newest=newest,
        oldest=oldest,
        alphabetic=alphabetic,
        item=f"{kind}\n{item_id}",
    )
