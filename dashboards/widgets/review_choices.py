"""What a person chooses on a work or a pair of works, and how it is recorded before the page runs again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from dashboards.queries import review
from dashboards.text import escape_markdown
from transforms.review.choices import Choice, choose_again
from transforms.review.mappings import MappingQuestion, describe_value
from transforms.review.replay import MAPPING
from transforms.review.suggested import Suggestion
from warehouse.decisions.events import Decision, InvalidDecision
from warehouse.release import Release

PERSON_KEY, BLIND_KEY = "reviewer", "blind"
MAPPING_KEY = "review: category that is mapped"
QUEUE_KEY = "review: works that wait"
_SHOWN = "review: decisions that were shown"
_MADE = "review: decisions of this session"
_SKIPPED = "review: what was skipped"
_MESSAGE = "review: what could not be recorded"
# C and R are keys of Streamlit; N, X, S, U, Y have a meaning of their own
CATEGORY_KEYS = "1234567890QWETIOPADFGHJKLZVBM"
_CORRECTIONS = {"Title": "title", "Day of publication": "published_on", "Address": "url"}


def get_person() -> str:
    """The name under which this session decides."""
    return str(st.session_state.get(PERSON_KEY) or review.get_editor() or "").strip()


def keep_shown(log: Sequence[Decision]) -> None:
    """Keep which decisions there are while the page is drawn: those that its reader can have seen."""
    st.session_state[_SHOWN] = list(log)


def get_skipped() -> set[str]:
    """What this session has skipped."""
    return st.session_state.setdefault(_SKIPPED, set())


def skip(name: str) -> None:
    """Show something else before this."""
    get_skipped().add(name)
    st.query_params.pop("work", None)


def decide(release: Release, work: str, **values: Any) -> None:
    """Record a choice of this session; a problem is shown when the page has run again."""
    choice = Choice(decided_by=get_person(), is_blind=bool(st.session_state.get(BLIND_KEY)), **values)
    _record(release, work, choice)


def settle(release: Release, decision: Decision) -> None:
    """Record a decision again, made by somebody who has seen those that differ from it."""
    if decision.kind == MAPPING:
        _keep(lambda shown: [review.record_mapping_again(release, decision, get_person(), shown)])
        return
    _record(release, decision.record_id, choose_again(decision, get_person()))


def decide_mapping(release: Release, question: MappingQuestion, weights: Mapping[str, float], reason: str = "") -> None:
    """Record what a category stands for; a problem is shown when the page has run again."""
    is_blind = bool(st.session_state.get(BLIND_KEY))
    _keep(
        lambda shown: [
            review.record_mapping(release, question, weights, get_person(), shown, reason=reason, is_blind=is_blind)
        ]
    )
    st.session_state.pop(MAPPING_KEY, None)


def decide_shares(release: Release, question: MappingQuestion, names: Sequence[str], shares: str, reason: str) -> None:
    """Record that a category stands for several others, by shares in percent; equal ones if none are given."""
    given = shares.replace(",", " ").replace("%", " ").split()
    try:
        parts = [float(one) / 100 for one in given] or [1 / max(1, len(names))] * len(names)
        weights = dict(zip(names, parts, strict=True))
    except ValueError:
        st.session_state[_MESSAGE] = "Nothing was recorded: give a share in percent for each category, such as 60, 40."
        return
    decide_mapping(release, question, weights, reason)


def skip_mapping(question: MappingQuestion) -> None:
    """Show another category before this."""
    get_skipped().add(question.key)
    st.session_state.pop(MAPPING_KEY, None)


def open_mapping(questions: Sequence[MappingQuestion]) -> Callable[[], None]:
    """What shows the category that was chosen in the list."""
    keys = {one.from_category: one.key for one in questions}

    def show() -> None:
        st.session_state[MAPPING_KEY] = keys.get(st.session_state.get("again"))

    return show


def _record(release: Release, work: str, choice: Choice) -> None:
    _keep(lambda shown: review.record_choice(release, work, choice, shown))


def _keep(record: Callable[[Sequence[Decision]], Sequence[Decision]]) -> None:
    """Record events of this session, given the decisions that were shown."""
    st.session_state.pop(_MESSAGE, None)
    if not get_person():
        st.session_state[_MESSAGE] = "A decision needs your name."
        return
    try:
        events = record(st.session_state.get(_SHOWN, ()))
    except (InvalidDecision, LookupError, OSError) as error:
        st.session_state[_MESSAGE] = f"Nothing was recorded: {error}."
        return
    st.session_state.setdefault(_MADE, []).extend(events)
    st.query_params.pop("work", None)


def dismiss(event_id: str) -> None:
    """Take a note away that needs no other decision."""
    try:
        review.record_undo(event_id, get_person())
    except (LookupError, OSError) as error:
        st.session_state[_MESSAGE] = f"Nothing was undone: {error}."
        return
    st.session_state.pop(QUEUE_KEY, None)


def undo_last() -> None:
    """Undo the newest decision of this session."""
    made: list[Decision] = st.session_state.get(_MADE, [])
    if not made:
        return
    try:
        review.record_undo(made[-1].event_id, get_person())
    except (LookupError, OSError) as error:
        st.session_state[_MESSAGE] = f"Nothing was undone: {error}."
        return
    made.pop()
    st.session_state.pop(QUEUE_KEY, None)  # the work waits again


def show_outcome() -> None:
    """Show what could not be recorded, or what was recorded last, with a button that undoes it."""
    if message := st.session_state.get(_MESSAGE):
        st.error(escape_markdown(message), icon=":material/error:")
    if made := st.session_state.get(_MADE):
        last = made[-1]
        subject = " ".join(part for part in (last.kind, last.taxonomy, last.field) if part)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(
                f":material/check: {escape_markdown(subject)}: **{escape_markdown(describe_value(last))}** · "
                f"{escape_markdown(last.title)}"
            )
            st.button("Undo", key="undo", shortcut="U", on_click=undo_last)


def show_category_buttons(
    release: Release,
    work: str,
    taxonomy: str,
    categories: dict[str, str | None],
    suggestions: Sequence[Suggestion],
) -> None:
    """Show a button for each category with its key, its definition, and what is suggested."""
    suggested = {one.category: one for one in suggestions if one.model == "category"}
    best = max(suggested.values(), key=lambda one: one.probability, default=None)
    with st.container(horizontal=True):
        st.button(
            "Not in scope",
            key="not in scope",
            shortcut="N",
            on_click=decide,
            args=(release, work),
            kwargs={"scope": "no", "taxonomy": taxonomy},
        )
        st.button(
            "Exclude", key="exclude", shortcut="X", on_click=decide, args=(release, work), kwargs={"excluded": "yes"}
        )
        st.button("Skip", key="skip", shortcut="S", on_click=skip, args=(work,))
    keys = dict(zip(categories, CATEGORY_KEYS, strict=False))
    for category, definition in categories.items():
        one = suggested.get(category)
        label = escape_markdown(category) + (f" · {one.probability:.0%}" if one else "")
        st.button(
            f"**{label}**" if best is not None and best.category == category else label,
            key=f"category {category}",
            shortcut=keys.get(category),
            width="stretch",
            on_click=decide,
            args=(release, work),
            kwargs={"categories": (category,), "taxonomy": taxonomy, "is_new": True},
        )
        reasons = f"**{escape_markdown(', '.join(one.terms))}** " if one and one.is_in_set and one.terms else ""
        if reasons or definition:
            st.caption(f"{reasons}{escape_markdown(definition or '')}")


def show_other_choices(
    release: Release, work: str, taxonomy: str, categories: Sequence[str], labs: Sequence[str]
) -> None:
    """Show a form for what no key decides: several categories, a corrected field, the lab, a reason."""
    with st.expander("Several categories, a lab, a correction, a reason"), st.form("other choices", border=False):
        chosen = st.multiselect("Categories, the main one first", categories, key="several")
        lab = st.selectbox("Lab that it counts for", labs, index=None, key="lab")
        name = st.selectbox("Correct", list(_CORRECTIONS), index=None, key="corrected")
        value = st.text_input("The right value", key="value", placeholder="2024-03-17")
        reason = st.text_input("Why", key="why")
        if st.form_submit_button("Record"):
            decide(
                release,
                work,
                categories=tuple(chosen),
                taxonomy=taxonomy,
                lab=lab or "",
                field=f"{_CORRECTIONS[name]}={value}" if name else "",
                reason=reason,
                is_new=True,
            )
            st.rerun()


def show_pair_buttons(release: Release, first_record_id: str, second_record_id: str) -> None:
    """Show the buttons that join two works or keep them apart."""
    with st.container(horizontal=True):
        for label, key, values in (
            ("One work", "Y", {"same_as": second_record_id}),
            ("Different works", "N", {"not_same_as": second_record_id}),
        ):
            st.button(label, key=label, shortcut=key, on_click=decide, args=(release, first_record_id), kwargs=values)
        st.button("Skip", key="skip", shortcut="S", on_click=skip, args=(f"{first_record_id} {second_record_id}",))
