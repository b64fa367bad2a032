"""The cards of the models that suggest categories: what each was trained on, and how good it is."""

import polars as pl
import streamlit as st

from dashboards.exports import downloads
from dashboards.queries.release import query_column_meanings, select_release
from dashboards.queries.suggested import query_confidence, query_model_cards, query_model_classes
from dashboards.text import build_permanent_link, escape_markdown, format_number, format_release
from dashboards.widgets import filters
from dashboards.widgets.frame import end_page
from dashboards.widgets.parts import needs
from dashboards.widgets.tables import configure_columns, show_table
from warehouse.release import Release

_NUMBERS = {
    "Right": "accuracy",
    "Among first two": "top_two_share",
    "Macro-F1": "macro_f1",
    "Kappa": "kappa",
}


def describe_card(card: dict[str, object]) -> str:
    """What a model was trained on, and what its numbers are to be compared with, in Markdown."""
    learnt = (
        f"Trained on {card['training_works']} of {card['works']} labelled works in {card['trained_categories']} "
        f"categories; people decided {card['decided_works']} of the labels."
    )
    # a release of an earlier version has no such column
    reads = " It compares embeddings of texts besides their words." if card.get("has_embeddings") else ""
    left_out = card["untrained_categories"]
    too_few = (
        f" Too few works to be learnt, and counted as wrong: {escape_markdown(str(left_out))}." if left_out else ""
    )
    compared = (
        f" Right is the share of works whose first suggestion is their category, 95 % interval "
        f"{format_percent(card['accuracy_low'])} to {format_percent(card['accuracy_high'])}; always suggesting the "
        f"largest category would reach {format_percent(card['largest_category_share'])}."
    )
    confident = (
        f" {format_percent(card['confident_share'])} of first suggestions have a probability of 0.8 or more, and "
        f"{format_percent(card['confident_accuracy'])} of these are right."
        if card["confident_accuracy"] is not None
        else " No first suggestion has a probability of 0.8 or more."
    )
    return f"{learnt}{reads}{too_few}{compared}{confident}"


def format_percent(share: object) -> str:
    """A share as whole percent."""
    return f"{100 * float(str(share)):.0f} %"


@needs("How confident suggestions are", "mart.suggestion_confidence_by_month")
def show_confidence(release: Release, taxonomy: str, model: str) -> None:
    """Show how many suggestions are confident in each year of publication."""
    confidence = query_confidence(release, taxonomy, model)
    st.header("How confident its suggestions are", anchor=False)
    if confidence.is_empty():
        st.info("No dated work without a label has a suggestion of this model.", icon=":material/search:")
        return
    st.caption(
        "A share that falls from year to year is a sign of words that the model has not seen: label newer works."
    )
    meanings = query_column_meanings(release, "mart.suggestion_confidence_by_month")
    show_table(confidence, column_config=configure_columns(confidence, meanings), key="confidence")


release = select_release(["mart.model_cards", "mart.model_card_classes"], ["mart.suggestion_confidence_by_month"])
st.title("Models of suggested categories", anchor=False)
st.caption(
    "Models suggest a category for works without a reviewed one. Each number is for works that the model had not seen "
    f"(cross-validation). No suggestion counts as reviewed. Data as of {format_release(release)}."
)
cards = query_model_cards(release)
if cards.is_empty():
    st.info("No labelled work: add a list, or decide on works with `aisle review`.", icon=":material/search:")
    end_page()
names = {f"{card['model']} in {card['taxonomy']}": card for card in cards.iter_rows(named=True)}
card = names[filters.select_one("Model", list(names), "model", 360)]
if card["model_version"] is None:
    st.info(
        f"{card['works']} labelled works are too few for a model, or all are of one kind: it needs 20 different texts "
        "in two categories of three works at least.",
        icon=":material/search:",
    )
else:
    for metric, (title, column) in zip(st.columns(len(_NUMBERS)), _NUMBERS.items(), strict=True):
        is_share = column in ("accuracy", "top_two_share")
        metric.metric(title, format_percent(card[column]) if is_share else format_number(round(card[column], 2)))
    st.markdown(describe_card(card))
    facts = pl.DataFrame([card]).select(
        "log_loss", "calibration_error", "set_coverage", "set_size", "confident_share", "model_version", "labels_sha256"
    )
    show_table(
        facts, column_config=configure_columns(facts, query_column_meanings(release, "mart.model_cards")), key="card"
    )
st.header("Categories", anchor=False)
classes = query_model_classes(release, card["taxonomy"], card["model"])
show_table(
    classes,
    column_config=configure_columns(classes, query_column_meanings(release, "mart.model_card_classes")),
    key="classes",
)
if card["model_version"] is not None:
    show_confidence(release, card["taxonomy"], card["model"])
downloads.show_download_buttons(f"models_{release.name}", downloads.build_table_files(lambda: cards))
st.markdown(f"[Permanent link to this view]({build_permanent_link(release)})")
