"""What people decide next, with what they need for it; without a use unless the dashboards were started to edit."""

from collections.abc import Sequence

import polars as pl
import streamlit as st

from dashboards.queries import review
from dashboards.queries.corpora import list_taxonomies
from dashboards.queries.release import select_release
from dashboards.text import (
    escape_markdown,
    format_count,
    format_release,
    shorten_title,
    show_link,
    show_web_link,
)
from dashboards.widgets import review_choices as choices
from dashboards.widgets import review_mappings
from dashboards.widgets.filters import select_segment, select_toggle
from dashboards.widgets.frame import end_page
from dashboards.widgets.parts import needs
from dashboards.widgets.tables import show_table
from transforms.review.mappings import describe_value
from transforms.review.nearest import NearestWork
from transforms.review.questions import ShownWork, UnknownWork
from warehouse.decisions.events import Decision
from warehouse.decisions.store import DecisionsUnavailable
from warehouse.release import Release

_BATCH = 50


def show_text(shown: ShownWork) -> None:
    """Show a work as a person decides on it."""
    st.subheader(escape_markdown(shorten_title(shown.title)), anchor=False)
    facts = [shown.labs or "(no followed lab)", shown.published_on or "no date", shown.source_names]
    st.markdown(escape_markdown(" · ".join(facts)))
    if shown.authors:
        st.text(shown.authors[:300])
    with st.container(horizontal=True, vertical_alignment="center"):
        show_web_link("Open the publication", shown.url)
        show_link("work", "Its page", {"work": shown.work_id})
    st.text(shown.abstract or "No source has an abstract of it.")


def find_next(release: Release, log: list[Decision], taxonomy: str, person: str, is_blind: bool) -> tuple[str, int]:
    """The next work that this session has not skipped, empty if there is none; and how many wait."""
    skipped = choices.get_skipped()
    decided = review.find_decided_works(release, log, taxonomy, person, is_blind=is_blind)
    key = (release.name, taxonomy, person, is_blind)
    kept = st.session_state.get(choices.QUEUE_KEY)
    if kept and kept[0] == key:  # a decision takes its work off the queue, whose order stays
        left = [work_id for work_id in kept[1] if work_id not in decided]
        if any(work_id not in skipped for work_id in left):
            return next(work_id for work_id in left if work_id not in skipped), kept[2] - (len(kept[1]) - len(left))
    limit = _BATCH + len(skipped)
    works, waiting = review.list_works(release, log, taxonomy, person, is_blind=is_blind, limit=limit)
    names = [one.work_id for one in works]
    st.session_state[choices.QUEUE_KEY] = (key, names, waiting)
    return next((work_id for work_id in names if work_id not in skipped), ""), waiting


@needs("Works to decide on", *review.TABLES, optional=review.OPTIONAL_TABLES)
def show_works(release: Release, log: list[Decision], taxonomy: str, is_blind: bool) -> None:
    """Show the next work, or the one that the address names, beside the choices."""
    work_id, waiting = st.query_params.get("work", ""), 0
    if not work_id:
        work_id, waiting = find_next(release, log, taxonomy, choices.get_person(), is_blind)
        st.caption(f"{format_count(waiting, 'work')} {'waits' if waiting == 1 else 'wait'} for a decision")
    if not work_id:
        st.success("No work waits for a decision.", icon=":material/check_circle:")
        return
    try:
        shown = review.read_work(release, work_id)
    except UnknownWork:
        st.info("This release has no such work.", icon=":material/search:")
        return
    text, chosen = st.columns([3, 2], gap="large")
    with text:
        show_text(shown)
        if not is_blind:
            for one in review.list_decisions_on(release, log, work_id):
                subject = " ".join(part for part in (one.kind, one.taxonomy, one.field) if part)
                if one.kind == "note":
                    st.warning(escape_markdown(f"{one.decided_by}: {one.value}"), icon=":material/flag:")
                    st.button(
                        "Nothing to change",
                        key=f"dismiss {one.event_id}",
                        on_click=choices.dismiss,
                        args=(one.event_id,),
                    )
                else:
                    st.caption(escape_markdown(f"{one.decided_by} decided {subject}: {one.value} {one.reason}"))
    with chosen:
        categories = review.list_categories(release, taxonomy)
        suggestions = review.list_suggestions(release, work_id, taxonomy)
        choices.show_category_buttons(release, work_id, taxonomy, categories, suggestions)
        show_nearest(review.list_nearest(release, work_id, taxonomy))
        choices.show_other_choices(release, work_id, taxonomy, list(categories), review.list_labs(release))


def show_nearest(works: Sequence[NearestWork]) -> None:
    """Show the labelled works that are most like the one that is decided on."""
    if works:
        st.caption(
            "Labelled works most like it: "
            + "; ".join(
                f"“{escape_markdown(one.title)}” — **{escape_markdown(one.category)}**, {one.similarity:.0%} alike"
                for one in works
            )
            + "."
        )


@needs("Pairs to decide on", *review.TABLES, optional=review.OPTIONAL_TABLES)
def show_pairs(release: Release, log: list[Decision], is_blind: bool) -> None:
    """Show two works that may be one, side by side."""
    skipped = choices.get_skipped()
    pairs, waiting = review.list_pairs(
        release, log, choices.get_person(), is_blind=is_blind, limit=_BATCH + len(skipped)
    )
    st.caption(f"{format_count(waiting, 'pair')} of works {'waits' if waiting == 1 else 'wait'} for a decision")
    pair = next((one for one in pairs if f"{one.first_record_id} {one.second_record_id}" not in skipped), None)
    if pair is None:
        st.success("No pair of works waits for a decision.", icon=":material/check_circle:")
        return
    st.markdown(f"{escape_markdown(pair.evidence)} ({pair.similarity:.0%} alike)")
    choices.show_pair_buttons(release, pair.first_record_id, pair.second_record_id)
    for column, (work_id, record_id) in zip(
        st.columns(2, gap="large"),
        ((pair.first_work_id, pair.first_record_id), (pair.second_work_id, pair.second_record_id)),
        strict=True,
    ):
        with column:
            show_text(review.read_work(release, work_id, record_id))


@needs("Categories to map", *review.MAPPING_TABLES)
def show_mappings(release: Release, log: list[Decision], taxonomy: str, titles: dict[str, str]) -> None:
    """Show what categories could stand for in another taxonomy."""
    review_mappings.show_mappings(release, log, taxonomy, titles)


@needs("Disagreements", *review.TABLES, optional=review.OPTIONAL_TABLES)
def show_disagreements(release: Release, log: list[Decision]) -> None:
    """Show the questions on which people decided differently, with a button for each answer."""
    found = review.list_disagreements(release, log)
    if not found:
        st.success("Nobody disagrees.", icon=":material/check_circle:")
    for one in found[:_BATCH]:
        st.markdown(f"**{escape_markdown(one.title or one.decisions[0].record_id)}**")
        values = {decision.value: decision for decision in one.decisions}
        for decision in one.decisions:
            why = f", since {decision.reason}" if decision.reason else ""
            st.caption(escape_markdown(f"{decision.decided_by}: {decision.kind} {describe_value(decision)}{why}"))
        with st.container(horizontal=True):
            for decision in values.values():
                st.button(
                    f"Settle as {escape_markdown(describe_value(decision))}",
                    key=f"settle {decision.event_id}",
                    on_click=choices.settle,
                    args=(release, decision),
                )


@needs("Progress", *review.TABLES, optional=review.OPTIONAL_TABLES)
def show_progress(release: Release, log: list[Decision]) -> None:
    """Show how many decisions there are by person, and how far people agree."""
    if not log:
        st.info("Nobody has decided anything yet.", icon=":material/hourglass_empty:")
        return
    counts = pl.DataFrame({"Decided by": [one.decided_by for one in log], "Kind": [one.kind for one in log]})
    show_table(counts.group_by("Decided by", "Kind").len("Decisions").sort("Decided by", "Kind"), key="decisions")
    for name in sorted({one.taxonomy for one in log if one.taxonomy}):
        if sentence := review.describe_stopping(release, log, name):
            st.markdown(f"**{escape_markdown(name)}**: {escape_markdown(sentence)}")
    compared = review.compare_people(release, log)
    if compared:
        st.subheader("Agreement of two people who did not see each other’s decisions", anchor=False)
        rows = [
            {
                "Decided on": f"{one.kind} {one.taxonomy}".strip(),
                "First": one.first,
                "Second": one.second,
                "Class": one.label or "all",
                "Both": one.both,
                "Agree": one.agreed,
                "Kappa": one.kappa,
            }
            for one in compared
        ]
        show_table(pl.DataFrame(rows), key="agreement")
    st.caption("Decisions take effect with the next `aisle run`.")


release = select_release()
st.title("Review", anchor=False)
if review.get_editor() is None:
    st.info(
        "These dashboards are read only. To decide on works, start them with `aisle dashboard --edit --as NAME`.",
        icon=":material/lock:",
    )
    st.caption(f"Data as of {format_release(release)}")
    end_page()
with st.container(horizontal=True, vertical_alignment="bottom"):
    view = select_segment("Show", ["Works", "Pairs", "Mappings", "Disagreements", "Progress"], "view")
    st.text_input("Your name", value=review.get_editor(), key=choices.PERSON_KEY, width=200)
    taxonomies, titles = review.list_taxonomies(release), list_taxonomies(release)
    taxonomy = (
        st.selectbox("Taxonomy", taxonomies, key="taxonomy", width=260, format_func=lambda name: titles.get(name, name))
        or taxonomies[0]
    )
    is_blind = select_toggle(
        "Second coder",
        choices.BLIND_KEY,
        help_text="Begin with what others decided and you did not, without seeing their decisions",
    )
try:
    log = review.read_log()
except DecisionsUnavailable as error:
    st.error(escape_markdown(str(error)), icon=":material/error:")
    end_page()
choices.keep_shown(log)
choices.show_outcome()
if view == "Works":
    show_works(release, log, taxonomy, is_blind)
elif view == "Pairs":
    show_pairs(release, log, is_blind)
elif view == "Mappings":
    show_mappings(release, log, taxonomy, titles)
elif view == "Disagreements":
    show_disagreements(release, log)
else:
    show_progress(release, log)
st.caption(f"Data as of {format_release(release)} · decisions take effect with the next `aisle run`")
