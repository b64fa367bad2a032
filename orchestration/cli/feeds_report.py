"""The table of feeds in ``aisle sources``: the last result of each and when it is due."""

from __future__ import annotations

import datetime as dt

from cronsim import CronSim
from rich.table import Table as RichTable

from orchestration.fetch.config import Configuration, FeedConfig
from orchestration.fetch.journal import FeedFolder, FeedState
from orchestration.ingest.fetch_log import parse_moment
from warehouse.lake import Lake
from warehouse.table import utc_now


def find_next_due(feed: FeedConfig, state: FeedState) -> dt.datetime | None:
    """When a feed is due: the first time of its cadence after its last attempt; none if it is not enabled."""
    if not feed.enabled:
        return None
    now = utc_now()
    last = parse_moment(state.begun_at) if state.begun_at else now - dt.timedelta(days=366)
    due = next(CronSim(feed.cron, last))
    return max(due, parse_moment(state.retry_at)) if state.retry_at else due


def build_feeds_table(lake: Lake, configuration: Configuration, *, is_long: bool = False) -> RichTable:
    """One row per feed: cadence, last fetch with its result, and when it is due; `is_long` adds the address."""
    table = RichTable(show_edge=False)
    for name in ("feed", "source", "enabled", "cadence", "last fetched", "records", "result", "next due"):
        table.add_column(name, justify="right" if name == "records" else "left", overflow="fold")
    for name in ("address", "licence", "watermark") if is_long else ():
        table.add_column(name, overflow="fold")
    for name, feed in configuration.feeds.items():
        state, damage = FeedState(), ""
        try:
            state = FeedFolder(lake, name).state
        except OSError as error:
            damage = str(error)
        due = find_next_due(feed, state)
        if damage:
            result = damage
        elif state.session_id is None:
            result = "never fetched"
        elif state.is_complete:
            result = f"complete; but {state.reason}" if state.reason else "complete"
        else:
            result = f"not complete ({state.failures} times): {state.reason}"
        cells = [
            name,
            feed.source,
            "yes" if feed.enabled else "no",
            feed.cadence,
            (state.ended_at or "—")[:16].replace("T", " "),
            f"{state.records:,}" if state.session_id else "—",
            result,
            "—" if due is None else "now" if due <= utc_now() else f"{due:%Y-%m-%d %H:%M} UTC",
        ]
        if is_long:
            cells += [feed.url, feed.licence or feed.kind.licence, state.watermark or "—"]
        table.add_row(*cells)
    return table
