"""What a category of one taxonomy stands for in another: what shared works say, and the choices of a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
import streamlit as st

from dashboards.queries import review
from dashboards.text import escape_markdown, format_count
from dashboards.widgets import review_choices as choices
from dashboards.widgets.tables import show_table
from transforms.review.mappings import WAITING, MappingQuestion, MappingTarget
from warehouse.decisions.events import NO_COUNTERPART, Decision
from warehouse.release import Release

_BUTTONS = 9  # a key each
_ICONS = {"decided": ":material/check:", "disputed": ":material/warning:", "ground changed": ":material/warning:"}


def show_mappings(release: Release, log: Sequence[Decision], taxonomy: str, titles: Mapping[str, str]) -> None:
    """Show the next category of a taxonomy that nobody has mapped into another one, and all of them below."""
    blind_person = choices.get_person() if st.session_state.get(choices.BLIND_KEY) else ""
    questions = review.list_mappings(release, log, taxonomy, blind_person)
    if not questions:
        st.info("No other taxonomy is declared or has works in common with this one.", icon=":material/search:")
        return
    others = list(dict.fromkeys(one.to_taxonomy for one in sorted(questions, key=lambda one: -one.from_works)))
    into = st.selectbox("Into", others, key="into", width=320, format_func=lambda name: titles.get(name, name))
    questions = [one for one in questions if one.to_taxonomy == into]
    waiting = [one for one in questions if one.state in WAITING]
    st.caption(
        f"{len(waiting):,} {'category waits' if len(waiting) == 1 else 'categories wait'} for a decision; "
        "only what is decided is used"
    )
    chosen = st.session_state.get(choices.MAPPING_KEY)
    skipped = choices.get_skipped()
    question = next((one for one in questions if one.key == chosen), None)
    question = question or next((one for one in waiting if one.key not in skipped), None)
    if question is None:
        st.success("No category waits for a decision.", icon=":material/check_circle:")
    else:
        _show_question(release, question, review.list_mapping_targets(release, question))
    st.subheader("All categories", anchor=False)
    show_table(pl.DataFrame([_build_row(one) for one in questions]), key="mappings")
    names = [one.from_category for one in questions]
    st.selectbox(
        "Decide again on", names, index=None, key="again", width=320, on_change=choices.open_mapping(questions)
    )


def _show_question(release: Release, question: MappingQuestion, targets: Sequence[MappingTarget]) -> None:
    facts, chosen = st.columns([3, 2], gap="large")
    with facts:
        st.subheader(escape_markdown(question.from_category), anchor=False)
        st.markdown(escape_markdown(f"{format_count(question.listed_works, 'work')} in {question.from_taxonomy}"))
        st.markdown(escape_markdown(question.sentence))
        if question.state != "open":
            used = f", counted in {question.used_categories}" if question.used_categories else ""
            people = f" by {question.decided_by}" if question.decided_by else ""
            icon = _ICONS.get(question.state, "")
            st.caption(f"{icon} {escape_markdown(f'{question.state}{people}{used}')}")
        shared = [one for one in targets if one.shared_works]
        if shared:
            show_table(pl.DataFrame([_build_target_row(one, question) for one in shared]), key="targets")
    with chosen:
        _show_choices(release, question, targets)


def _show_choices(release: Release, question: MappingQuestion, targets: Sequence[MappingTarget]) -> None:
    with st.container(horizontal=True):
        st.button(
            "No counterpart",
            key="no counterpart",
            shortcut="N",
            on_click=choices.decide_mapping,
            args=(release, question, {NO_COUNTERPART: 1.0}),
        )
        st.button("Skip", key="skip", shortcut="S", on_click=choices.skip_mapping, args=(question,))
    for place, one in enumerate(targets):
        label = escape_markdown(one.category)
        if one.shared_works:
            label += f" · {one.shared_works:,} of {question.from_works:,}"
        st.button(
            f"**{label}** · proposed" if one.category == question.proposed else label,
            key=f"target {one.category}",
            shortcut=choices.CATEGORY_KEYS[place] if place < _BUTTONS else None,
            width="stretch",
            on_click=choices.decide_mapping,
            args=(release, question, {one.category: 1.0}),
        )
        if one.definition:
            st.caption(escape_markdown(one.definition))
    with st.expander("Several categories, a reason"), st.form("other mapping", border=False):
        names = st.multiselect("Categories", [one.category for one in targets], key="several targets")
        shares = st.text_input("Their shares in percent, in this order", key="shares", placeholder="60, 40")
        reason = st.text_input("Why", key="why mapped")
        if st.form_submit_button("Record"):
            choices.decide_shares(release, question, names, shares, reason)
            st.rerun()


def _build_row(question: MappingQuestion) -> dict[str, object]:
    return {
        "Category": question.from_category,
        "Works": question.listed_works,
        "With both": question.from_works,
        "Most have": question.to_category,
        "Of them": question.shared_works,
        "Share": question.share,
        "Finding": question.finding,
        "State": question.state,
        "Counted in": question.used_categories,
        "Decided by": question.decided_by,
    }


def _build_target_row(target: MappingTarget, question: MappingQuestion) -> dict[str, object]:
    return {
        "Category": target.category,
        f"Of the {question.from_works:,} works": target.shared_works,
        "Share": target.share,
        "From": target.share_low,
        "To": target.share_high,
        "Of its own": target.to_works,
    }
