"""What happened in the periods of a chart: outside, as noted by hand, and to its numbers, as the releases tell."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import polars as pl
import streamlit as st

from dashboards import text as frames
from dashboards.queries.counts import COUNTS, Dimension, Selection
from dashboards.queries.release import all_releases, ask, key, reading
from warehouse.release import Release
from warehouse.release_diff import bridge

OURS = ("correction", "rule change")
"""The kinds of annotation that tell of the numbers themselves rather than of the world."""
LOOKED_BACK = 12
"""Releases before the one shown, each of which is compared with the next."""
_NAMED = 5  # corrections in the words under a chart; all are at its marks
_CHANGES = "changes?"  # the page of the bridge between two releases
_GROWTH = ("new work", "found late")  # more is known, but nothing that was told before is taken back
_NOTHING = 1e-9
_TOLD = {
    "period": pl.String,
    "panel": pl.String,
    "happened_on": pl.Date,
    "kind": pl.String,
    "annotation": pl.String,
    "source": pl.String,
}


def annotations(
    release: Release, selection: Selection, frame: pl.DataFrame, panel_of: Dimension | None = None
) -> pl.DataFrame:
    """What happened in the periods of a frame.

    Its columns are ``period``, ``panel``, ``happened_on``, ``kind``, ``annotation`` and ``source``. Of the kinds in
    `OURS` are, besides what was noted by hand, the counts of the selection that one of the newest releases took back,
    each in the period whose count it is and on the day of that release; as `warehouse.release_diff` tells their causes.
    What adds up to nothing in each count that is drawn is none. Rolling windows overlap, so each takes only what
    happened in its last month, but all the corrections of its twelve.

    Args:
        release: The release.
        selection: What is counted.
        frame: Rows of `counts.over_time`.
        panel_of: What each panel is of; what is of one panel names it as ``panel``.

    Raises:
        UnreadableRelease: A release lacks what is asked for, or cannot be read.
    """
    if frame.is_empty():
        return pl.DataFrame(schema=_TOLD)
    spans = frame.select("period", "starts_on", "ends_on").unique(maintain_order=True)
    own = spans
    if selection.grain == "rolling_12_months":
        own = spans.with_columns(starts_on=pl.col("ends_on").dt.month_start())
    told = pl.concat([_noted(release, own), *_taken_back(release, selection, spans, panel_of)])
    return told.sort("happened_on", "period", "annotation")


def sentences(told: pl.DataFrame) -> list[str]:
    """Annotations in words, in Markdown: those of the world, and those of the numbers."""
    world = told.filter(~pl.col("kind").is_in(OURS))
    ours = told.filter(pl.col("kind").is_in(OURS)).sort("happened_on", descending=True, maintain_order=True)
    found = [f"Meanwhile (not said to be causes): {_listed(world) or 'nothing noted'}."]
    if ours.height:
        more = f"; and {ours.height - _NAMED} more, at their marks" if ours.height > _NAMED else ""
        found.append(f"**Corrected since it was first told** (diamonds): {_listed(ours.head(_NAMED))}{more}.")
    return found


def _listed(told: pl.DataFrame) -> str:
    said = (f"{frames.written(row['happened_on'])}: {row['annotation']}" for row in told.iter_rows(named=True))
    return frames.text("; ".join(said))


def lead_to_causes(told: pl.DataFrame) -> None:
    """A link to all that the newest of the releases changed which took numbers back, if one did."""
    ours = told.filter(pl.col("source").str.starts_with(_CHANGES)).sort("happened_on", maintain_order=True)
    if ours.height:
        frames.lead("changes", "Why numbers were corrected", dict(parse_qsl(urlsplit(ours["source"][-1]).query)))


def _noted(release: Release, spans: pl.DataFrame) -> pl.DataFrame:
    if "reference.annotations" not in release.manifest["tables"]:  # an old release may lack it
        return pl.DataFrame(schema=_TOLD)
    query = """
        select periods.period, cast(null as varchar) as panel, happened_on, kind, annotation, source
        from (select unnest($period) as period, unnest($starts_on) as starts_on, unnest($ends_on) as ends_on) as periods
        inner join reference.annotations as annotations on happened_on between starts_on and ends_on
    """
    return ask(release, query, spans.to_dict(as_series=False))


def _taken_back(
    release: Release, selection: Selection, spans: pl.DataFrame, panel_of: Dimension | None
) -> list[pl.DataFrame]:
    """Counts of the selection that a release gives otherwise than the one before, other than by growth."""
    held = [each for each in all_releases() if each.number <= release.number][-LOOKED_BACK - 1 :]
    told = []
    for old, new in pairwise(held):
        if _content(old) == _content(new):
            continue
        changed = _changes(key(old), key(new), selection.rule, selection.taxonomy)
        for column, names in (("lab", selection.labs), ("category", selection.categories)):
            if names:
                changed = changed.filter(pl.col(column).is_in(names))
        within = pl.col("published_month").is_between("starts_on", "ends_on")
        drawn = ["period", *selection.dimensions]
        found = changed.join_where(spans, within).filter(pl.col("amount").sum().over(drawn).abs() > _NOTHING)
        parts = found.with_columns(panel=pl.col(panel_of) if panel_of else pl.lit(None, pl.String))
        told.extend(_one(part, old, new) for part in parts.partition_by("period", "panel", "kind"))
    return [pl.DataFrame(told, schema=_TOLD, orient="row")] if told else []


def _one(causes: pl.DataFrame, old: Release, new: Release) -> tuple[object, ...]:
    """A row of `annotations` from the changed cells of a period of a panel."""
    period, panel, kind = causes.select("period", "panel", "kind").row(0)
    labs = causes["lab"].unique()
    whose = panel or (labs[0] if len(labs) == 1 else None)
    counted = causes.group_by("cause").agg(
        more=pl.col("amount").clip(lower_bound=0).sum(), fewer=-pl.col("amount").clip(upper_bound=0).sum()
    )
    each = []
    for row in counted.sort("cause").iter_rows(named=True):
        ways = [f"{frames.number(row[way])} {way}" for way in ("more", "fewer") if row[way]]
        each.append(f"{' and '.join(ways)} ({row['cause']})")
    said = f"release {new.name} counts {', '.join(each)} in {period}{f' of {whose}' if whose else ''} than {old.name}"
    made = dt.datetime.fromisoformat(new.manifest["published_at"]).date()
    return period, panel, made, kind, said, f"{_CHANGES}old={old.name}&new={new.name}&counts={COUNTS}"


def _content(release: Release) -> object:
    """What tells whether the numbers of two releases can differ."""
    return release.manifest["tables"].get(COUNTS, {}).get("content_sha256")


@st.cache_data(max_entries=128, show_spinner="Comparing with earlier releases")
def _changes(old: tuple[int, str, str], new: tuple[int, str, str], rule: str, taxonomy: str) -> pl.DataFrame:
    """Cells that were taken back: ``lab``, ``category``, ``published_month``, ``kind``, ``cause``, ``amount``."""
    before, after = (Release(number, Path(path), {}) for number, path, _ in (old, new))
    with reading(before.path), reading(after.path):
        try:
            found = bridge(before, after, COUNTS, {"counting_rule": rule, "taxonomy": taxonomy})
        except KeyError:  # an old release may not count in this way
            return pl.DataFrame(
                schema=dict.fromkeys(("lab", "category", "kind", "cause"), pl.String)
                | {"published_month": pl.Date, "amount": pl.Float64}
            )
    kind = pl.when(pl.col("cause") == "rule changed").then(pl.lit("rule change")).otherwise(pl.lit("correction"))
    return found.filter(~pl.col("cause").is_in(_GROWTH)).select(
        "lab", "category", "published_month", "cause", "amount", kind=kind
    )
