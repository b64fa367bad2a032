"""What ``aisle train`` prints: how good each model is, and what changed in its suggestions since the release before."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
from rich.table import Table as RichTable

from warehouse.release import Release

_CARDS = """
select taxonomy, model, model_version, works, decided_works, trained_categories, untrained_categories,
    accuracy, accuracy_low, accuracy_high, largest_category_share, macro_f1, kappa, top_two_share
from mart.model_cards
order by taxonomy, model
"""
_FIRST_SUGGESTIONS = """
select work_id, taxonomy, model, category, model_version from clean.suggestions where category_position = 1
"""
_NEEDED = ("mart.model_cards", "clean.suggestions")


def list_model_taxonomies(release: Release) -> list[str]:
    """The taxonomies that have labelled works, sorted."""
    return sorted(set(_read_cards(release)["taxonomy"]))


def build_card_table(release: Release, taxonomy: str | None) -> RichTable:
    """The models of a release with how good they are; those of one taxonomy if it is given."""
    table = RichTable(pad_edge=False)
    for name in ("taxonomy", "model", "version"):
        table.add_column(name)
    for name in ("labelled", "by people", "right", "95 %", "largest", "macro-F1", "kappa", "first two"):
        table.add_column(name, justify="right")
    for card in _select(_read_cards(release), taxonomy).iter_rows(named=True):
        counts = (f"{card['works']:,}", f"{card['decided_works']:,}")
        if card["model_version"] is None:
            table.add_row(card["taxonomy"], card["model"], "too few labels", *counts)
            continue
        interval = f"{card['accuracy_low']:.2f} to {card['accuracy_high']:.2f}"
        numbers = (f"{card[name]:.2f}" for name in ("largest_category_share", "macro_f1", "kappa", "top_two_share"))
        table.add_row(
            card["taxonomy"],
            card["model"],
            card["model_version"],
            *counts,
            f"{card['accuracy']:.2f}",
            interval,
            *numbers,
        )
    return table


def list_training_notes(release: Release, before: Release | None, taxonomy: str | None) -> list[str]:
    """What models do not learn, and what changed in suggestions since another release, a line each.

    Args:
        release: The release.
        before: The one before it, if there is any.
        taxonomy: The only taxonomy that is shown, if there is one.
    """
    cards = _select(_read_cards(release), taxonomy)
    notes = [
        f"{card['model']} in {card['taxonomy']}: too few works to learn {card['untrained_categories']}"
        for card in cards.filter(pl.col("untrained_categories").is_not_null()).iter_rows(named=True)
    ]
    if before is None or any(name not in before.manifest["tables"] for name in _NEEDED):
        return [*notes, "no earlier release has suggestions to compare with"]
    new, old = (_select(_read_frame(one, _FIRST_SUGGESTIONS), taxonomy) for one in (release, before))
    return [*notes, *_compare(new, old, before.name, cards)]


def _compare(new: pl.DataFrame, old: pl.DataFrame, before: str, cards: pl.DataFrame) -> Iterable[str]:
    key = ["work_id", "taxonomy", "model"]
    joined = new.join(old, on=key, how="full", coalesce=True, suffix="_before")
    is_new, is_gone = pl.col("category_before").is_null(), pl.col("category").is_null()
    for taxonomy, model in cards.filter(pl.col("model_version").is_not_null()).select("taxonomy", "model").iter_rows():
        rows = joined.filter((pl.col("taxonomy") == taxonomy) & (pl.col("model") == model))
        added, gone = rows.filter(is_new).height, rows.filter(is_gone).height
        changed = rows.filter(~is_new & ~is_gone & (pl.col("category") != pl.col("category_before"))).height
        yield (
            f"{model} in {taxonomy}, works since {before}: {added:,} with a suggestion that had none, {changed:,} with"
            f" another first one, {gone:,} with none any more; {rows.filter(~is_gone).height:,} in all"
        )


def _select(rows: pl.DataFrame, taxonomy: str | None) -> pl.DataFrame:
    return rows if taxonomy is None else rows.filter(pl.col("taxonomy") == taxonomy)


def _read_cards(release: Release) -> pl.DataFrame:
    return _read_frame(release, _CARDS)


def _read_frame(release: Release, query: str) -> pl.DataFrame:
    with release.connect() as connection:
        return connection.sql(query).pl()
