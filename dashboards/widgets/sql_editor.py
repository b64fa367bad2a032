"""Strangers' SQL from the pages: how many queries may run at once, examples, and how an answer is drawn.

Nothing typed on a page ever reaches another connection than that of the closed box.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import Any, Literal, get_args

import altair as alt
import polars as pl

from dashboards.charts import palette
from warehouse.release import Release
from warehouse.sql_box import client
from warehouse.sql_box.client import Asked, Reason, Unanswered

Mark = Literal["none", "bars", "lines", "points"]
MARKS: tuple[str, ...] = get_args(Mark)
MOST_AT_ONCE = 4  # on one machine; each takes one core and half a gigabyte at most
MOST_DRAWN = 5000  # marks in a chart; more would only be a smudge

_running: list[Asked] = []
_taking = threading.Lock()

# what a first look at the lake asks for, from simple to less so; each runs as it stands on every release
EXAMPLES: dict[str, str] = {
    "Which tables are there?": """\
select table_name, any_value(row_meaning) as a_row_is, count(*) as columns
from reference.dictionary
group by table_name
order by table_name""",
    "Works per lab and year": """\
select lab, published_year, works, works_share, share_low, share_high, is_part_period
from mart.publications_by_lab_year
order by published_year, lab""",
    "Newest publications": """\
select published_on, lab, category, title, url
from clean.publications
where not is_duplicate
order by published_on desc nulls last, title
limit 50""",
    "Quarters, by a rule and in a taxonomy of one’s choice": """\
select starts_on, lab, sum(publications) as publications, bool_or(is_part_period) as is_part_period
from publication_counts(rule := 'works', grain := 'quarter', in_taxonomy := 'unsolved_problems')
group by starts_on, lab
order by starts_on, lab""",
    "A share of one’s own, with its interval": """\
select
    category,
    count(*) as works,
    share_of(count(*), sum(count(*)) over ()) as share,
    wilson_low(count(*), sum(count(*)) over ()) as low,
    wilson_high(count(*), sum(count(*)) over ()) as high
from clean.publications
where not is_duplicate
group by category
order by works desc, category""",
    "From a number to its snapshots": """\
select title, category_as_written, basis, locator, original_name, sha256, fetched_at
from mart.publication_evidence
where lab = 'OpenAI'
order by title, fetched_at""",
    "Where the values of a column come from": """\
select column_name, from_table, from_column
from reference.lineage
where table_name = 'mart.publications_by_lab_year' and column_name != '*'
order by column_name, from_table, from_column""",
}


def start(release: Release, query: str) -> Asked:
    """Start a query in the closed box, unless as many as may are at work already.

    Raises:
        Unanswered: It cannot be started, or too many run.
    """
    with _taking:
        _running[:] = [asked for asked in _running if asked.is_running]
        if len(_running) >= MOST_AT_ONCE:
            told = f"{MOST_AT_ONCE} queries run here already, the most at once: ask again in a few seconds"
            raise Unanswered(Reason.limit, told)
        asked = client.start(release, query)
        _running.append(asked)
        return asked


def waited(asked: Asked, seconds: float) -> bool:
    """Wait a little for a query; whether it has ended."""
    until = time.monotonic() + seconds
    while asked.is_running and time.monotonic() < until:
        time.sleep(0.02)
    return not asked.is_running


@dataclass(frozen=True)
class Drawing:
    """How an answer is to be drawn: the kind of mark, and a column each for the axes and the colour."""

    mark: str
    across: str
    up: str
    colour: str | None = None


def numeric(frame: pl.DataFrame) -> list[str]:
    """Names of the columns of numbers."""
    return [name for name, kind in frame.schema.items() if kind.is_numeric()]


def showable(frame: pl.DataFrame) -> pl.DataFrame:
    """An answer as a page can show it.

    Bytes become hexadecimal text, whole numbers of any length integers if they fit, other decimal numbers real ones,
    and columns of nothing but missing values texts.
    """
    return frame.with_columns(_simple(frame[name]) for name in frame.columns)


def _simple(column: pl.Series) -> pl.Series:
    kind = column.dtype
    if kind == pl.Binary:
        return column.bin.encode("hex")
    if kind == pl.Null:
        return column.cast(pl.String)
    if isinstance(kind, pl.Decimal):
        whole = column.cast(pl.Int64, strict=False)
        is_exact = not kind.scale and whole.null_count() == column.null_count()
        return whole if is_exact else column.cast(pl.Float64)
    return column


def flat(frame: pl.DataFrame) -> pl.DataFrame:
    """An answer as a file of text can hold it: lists and structures as JSON."""
    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    return showable(frame).with_columns(
        pl.Series(name, [None if value is None else _json(value) for value in frame[name].to_list()], pl.String)
        for name in nested
    )


def _json(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def drawn(frame: pl.DataFrame, drawing: Drawing, ink: str) -> alt.Chart:
    """An answer as a chart, in the order of its rows where an axis has names."""
    chosen = {"across": drawing.across, "up": drawing.up, "colour": drawing.colour}
    # under names of our own, for a stranger's may mean something to Vega
    named = flat(frame.head(MOST_DRAWN)).select(
        **{place: pl.col(name) for place, name in chosen.items() if name is not None}
    )
    kind = named.schema["across"]
    is_time, is_number = kind == pl.Date or isinstance(kind, pl.Datetime), kind.is_numeric() and drawing.mark != "bars"
    if not (is_time or is_number) or drawing.mark == "bars":
        named = named.with_columns(pl.col("across").cast(pl.String, strict=False))
        is_time = False
    across: Any = alt.X(
        "across:T" if is_time else "across:Q" if is_number else "across:O",
        title=drawing.across,
        sort=None,
        axis=alt.Axis(labelLimit=160, labelAngle=0 if is_time or is_number or named["across"].n_unique() < 9 else -40),
    )
    encoding: dict[str, Any] = {
        "x": across,
        "y": alt.Y("up:Q", title=drawing.up),
        "tooltip": [alt.Tooltip("across", title=drawing.across), alt.Tooltip("up:Q", title=drawing.up)],
    }
    if drawing.colour is not None:
        named = named.with_columns(pl.col("colour").cast(pl.String, strict=False))
        names = [str(name) for name in named["colour"].drop_nulls().unique(maintain_order=True)]
        domain = palette.colours("lab", names)
        encoding["color"] = alt.Color(
            "colour:N",
            scale=alt.Scale(domain=list(domain), range=list(domain.values())),
            legend=alt.Legend(title=drawing.colour, orient="top", columns=3, labelColor=ink, titleColor=ink),
        )
        encoding["tooltip"].append(alt.Tooltip("colour:N", title=drawing.colour))
    base: Any = alt.Chart(named)
    plain = {} if drawing.colour else {"color": "#0072B2"}
    marked = {
        "bars": lambda: base.mark_bar(**plain),
        "lines": lambda: base.mark_line(point=True, **plain),
        "points": lambda: base.mark_point(filled=True, size=60, **plain),
    }[drawing.mark]()
    fitted = marked.encode(**encoding).properties(height=340, autosize=alt.AutoSizeParams(type="fit-x"))
    return fitted.configure_axis(labelColor=ink, titleColor=ink)
