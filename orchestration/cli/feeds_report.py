"""What the command line tells about feeds: how far each is, how it went, and when it is due."""

from __future__ import annotations

import datetime as dt

from cronsim import CronSim
from rich.markup import escape
from rich.table import Table as RichTable

from orchestration.fetch.config import Configuration, Followed
from orchestration.fetch.journal import FeedFolder, State, moment_of
from warehouse.lake import Lake
from warehouse.table import utc_now


def next_due(followed: Followed, state: State) -> dt.datetime | None:
    """When a feed is to be fetched next: its first time since it was last tried; none if it is not enabled."""
    if not followed.enabled:
        return None
    now = utc_now()
    last = moment_of(state.begun_at) if state.begun_at else now - dt.timedelta(days=366)
    due = next(CronSim(followed.cron, last))
    return max(due, moment_of(state.retry_at)) if state.retry_at else due


def feeds_table(lake: Lake, configuration: Configuration, *, is_long: bool = False) -> RichTable:
    """One line per feed: how often it is asked, how far it is, how it went the last time, when it is due."""
    table = RichTable(show_edge=False)
    for name in ("feed", "source", "enabled", "cadence", "last fetched", "records", "result", "next due"):
        table.add_column(name, justify="right" if name == "records" else "left", overflow="fold")
    for name in ("address", "licence", "watermark") if is_long else ():
        table.add_column(name, overflow="fold")
    for name, followed in configuration.feeds.items():
        state, damage = State(), ""
        try:
            state = FeedFolder(lake, name).state
        except OSError as error:
            damage = str(error)
        due = next_due(followed, state)
        if damage:
            result = damage
        elif state.conversation_id is None:
            result = "never fetched"
        elif state.is_complete:
            result = f"complete; but {state.reason}" if state.reason else "complete"
        else:
            result = f"not complete ({state.failures} times): {state.reason}"
        cells = [
            name,
            followed.source,
            "yes" if followed.enabled else "no",
            followed.cadence,
            (state.ended_at or "—")[:16].replace("T", " "),
            f"{state.records:,}" if state.conversation_id else "—",
            result,
            "—" if due is None else "now" if due <= utc_now() else f"{due:%Y-%m-%d %H:%M} UTC",
        ]
        if is_long:
            cells += [followed.url, followed.licence or followed.kind.licence, state.watermark or "—"]
        table.add_row(*map(escape, cells))
    return table
