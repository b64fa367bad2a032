"""Tables as people read them: names first, then the number to quote with its interval beside it, rounded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import polars as pl

# columns that an interval belongs to, by the first word of its ends; the first that a table has
_VALUES: Mapping[str, tuple[str, ...]] = {
    "share": ("share", "works_share", "rolling_12_month_share"),
    "rate": ("publications_per_year", "works_per_year"),
    "ratio": ("rate_ratio",),
    "growth": ("growth_per_year", "growth"),
    "nowcast": ("nowcast_works",),
    "missed": ("missed_works",),
}
_LABELS: Mapping[str, str] = {
    "corrected": "95 % interval, corrected",
    "jeffreys": "95 % interval (Jeffreys)",
    "lowest": "Over all rules",
}
# about the period or the count rather than the number: last
_LAST = (
    "covered_part",
    "caution",
    "is_part_period",
    "is_provisional",
    "starts_on",
    "ends_on",
    "counting_rule",
    "taxonomy",
)


_WIDE_LETTERS = 60


class Interval(NamedTuple):
    """An interval of a table: its ends, what to call it, and the column that it belongs to, if the table has it."""

    low: str
    high: str
    label: str
    value: str | None


def find_intervals(columns: Collection[str]) -> dict[str, Interval]:
    """The intervals of a table, by the name of the column in which they are shown."""
    intervals = {}
    for low in columns:
        word, _, ending = low.rpartition("_")
        high = f"{word}_high" if ending == "low" else "highest" if low == "lowest" else ""
        if high not in columns:
            continue
        word = word or low
        value = next((name for name in _VALUES.get(word, ()) if name in columns), None)
        if low == "lowest" and "publications" in columns:
            value = "publications"
        intervals[f"{word}_interval"] = Interval(low, high, _LABELS.get(word, "95 % interval"), value)
    return intervals


def order_columns(frame: pl.DataFrame) -> list[str]:
    """The columns of a table with intervals in reading order; those with the ends of intervals are left out."""
    intervals = find_intervals(frame.columns)
    ends = {end for interval in intervals.values() for end in (interval.low, interval.high)}
    last = [name for name in _LAST if name in frame.columns]
    rest = [name for name in frame.columns if name not in {*ends, *last}]
    names = [name for name in rest if not (frame.schema[name].is_numeric() or frame.schema[name] == pl.Boolean)]
    quoted: list[str] = []
    for name, interval in intervals.items():
        quoted += [interval.value, name] if interval.value and interval.value not in quoted else [name]
    numbers = [name for name in rest if name not in {*names, *quoted}]
    # a sentence is as wide as all numbers together
    wide = [
        name
        for name in names
        if frame.schema[name] == pl.String and (frame[name].str.len_chars() > _WIDE_LETTERS).any()
    ]
    short = [name for name in names if name not in wide]
    # the quoted numbers after the first name, so that they are in sight on a phone too
    return [*short[:1], *quoted, *short[1:], *numbers, *wide, *last]


def write_interval(interval: Interval, *, is_share: bool) -> pl.Expr:
    """An interval as text: 57 to 85 %, or 1.2 to 3.4; unbounded where only the upper end is missing."""
    low, high = (_write_number(end, is_share=is_share) for end in (interval.low, interval.high))
    unit = " %" if is_share else ""
    bounded = pl.format(f"{{}} to {{}}{unit}", low, high)
    unbounded = pl.format(f"{{}}{unit} or more", low)
    return (
        pl.when(pl.col(interval.low).is_null())
        .then(None)
        .when(pl.col(interval.high).is_null())
        .then(unbounded)
        .otherwise(bounded)
    )


def _write_number(column: str, *, is_share: bool) -> pl.Expr:
    """A number of an interval as text, without decimals that nobody reads."""
    value = pl.col(column).cast(pl.Float64) * (100 if is_share else 1)
    whole = value.round(0).cast(pl.Int64, strict=False).cast(pl.String)
    decimal = value.round(1 if is_share else 2).cast(pl.String)
    return pl.when((value.abs() >= (1 if is_share else 100)) | (value == 0)).then(whole).otherwise(decimal)


def round_share(column: str) -> pl.Expr:
    """A share rounded to whole percent, or to tenths below one percent."""
    share = pl.col(column)
    return pl.when(share.abs() >= 0.01).then(share.round(2)).otherwise(share.round(3)).alias(column)


def round_number(frame: pl.DataFrame, column: str) -> pl.Expr:
    """A real number rounded as a person would write it: 1,816, 18.2, 1.82, 0.018."""
    largest = frame[column].abs().drop_nans().max()
    size = float(largest) if isinstance(largest, int | float) else 0.0
    value = pl.col(column)
    if size >= 100:
        return value.round(0)
    return value.round(1) if size >= 10 else value.round(2) if size >= 1 else value.round_sig_figs(2)
