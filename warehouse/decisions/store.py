"""Where decisions are kept: a table of any database that SQLAlchemy knows, to which rows are only ever added.

By default it is a SQLite file in the lake, beside the releases, which no run touches.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.decisions.events import COLUMNS, Decision, InvalidDecision, build_decision, format_moment
from warehouse.lake import Lake

if TYPE_CHECKING:
    import sqlalchemy as db

VARIABLE = "AISLE_DECISIONS"
FILE = "decisions.sqlite"
_WAIT_SECONDS = 30  # for another person's transaction
_ATTEMPTS = 3
_BATCH = 500  # identifiers in one query; databases limit its parameters


class DecisionsUnavailable(OSError):
    """The decisions cannot be read or written; the message names the database without its password."""


def list_decisions(lake: Lake) -> list[Decision]:
    """All decisions, oldest first.

    Raises:
        DecisionsUnavailable: The database cannot be read.
    """
    if not has_decisions(lake):
        return []
    import sqlalchemy as db

    with _open_database(lake) as engine:
        if not db.inspect(engine).has_table(_TABLE):
            return []
        table = _declare_table()
        there = [table.c[name] for name in COLUMNS if name in _list_columns(engine)]
        with engine.connect() as connection:
            rows = connection.execute(db.select(*there).order_by(table.c.decided_at, table.c.event_id))
            return [build_decision(row) for row in rows.mappings()]


def add_decisions(lake: Lake, decisions: Iterable[Decision]) -> int:
    """Add decisions in one transaction; returns how many were not there before.

    Raises:
        DecisionsUnavailable: The database cannot be written; none was added.
    """
    import sqlalchemy as db
    from sqlalchemy import exc

    new = {decision.event_id: decision for decision in decisions}
    if not new:
        return 0
    lake.root.mkdir(parents=True, exist_ok=True)
    with _open_database(lake) as engine:
        table = _declare_table()
        for attempt in range(_ATTEMPTS):
            try:
                table.metadata.create_all(engine)
                _add_missing_columns(engine)
                with engine.begin() as connection:
                    known = set[str]()
                    for first in range(0, len(new), _BATCH):
                        some = list(new)[first : first + _BATCH]
                        known.update(connection.scalars(db.select(table.c.event_id).where(table.c.event_id.in_(some))))
                    rows = [
                        decision.to_row() | {"decided_at": format_moment(decision.decided_at)}
                        for event_id, decision in new.items()
                        if event_id not in known
                    ]
                    if rows:
                        connection.execute(db.insert(table), rows)
                    return len(rows)
            except exc.DBAPIError:  # another process has added the table, or one of them, since
                if attempt == _ATTEMPTS - 1:
                    raise
    return 0


def has_decisions(lake: Lake) -> bool:
    """Whether there can be decisions: a database is named, or the file of the lake is there."""
    return bool(os.environ.get(VARIABLE)) or _locate_file(lake).exists()


def describe_database(lake: Lake) -> str:
    """The database as a person may see it: without its password."""
    from sqlalchemy import exc

    try:
        return _get_address(lake).render_as_string(hide_password=True)
    except exc.ArgumentError:
        return f"the value of {VARIABLE}"


_TABLE = "aisle_decisions"


def _declare_table() -> db.Table:
    import sqlalchemy as db

    columns = [db.Column(name, db.Text, nullable=False) for name in COLUMNS if name != "event_id"]
    return db.Table(_TABLE, db.MetaData(), db.Column("event_id", db.String(32), primary_key=True), *columns)


def _list_columns(engine: db.Engine) -> set[str]:
    import sqlalchemy as db

    return {column["name"] for column in db.inspect(engine).get_columns(_TABLE)}


def _add_missing_columns(engine: db.Engine) -> None:
    """Add the columns that a table of an earlier version lacks; its events have nothing in them."""
    import sqlalchemy as db

    if missing := [name for name in COLUMNS if name not in _list_columns(engine)]:
        with engine.begin() as connection:
            for name in missing:
                connection.execute(db.text(f"alter table {_TABLE} add column {name} text not null default ''"))


def _locate_file(lake: Lake) -> Path:
    return lake.root / FILE


def _get_address(lake: Lake) -> db.URL:
    import sqlalchemy as db

    if address := os.environ.get(VARIABLE):
        return db.make_url(address)
    return db.URL.create("sqlite", database=str(lake.bring(_locate_file(lake))))


@contextmanager
def _open_database(lake: Lake) -> Generator[db.Engine]:
    import sqlalchemy as db
    from sqlalchemy import exc
    from sqlalchemy.pool import NullPool

    try:
        url = _get_address(lake)
        settings = {"timeout": _WAIT_SECONDS} if url.get_backend_name() == "sqlite" else {}
        engine = db.create_engine(url, poolclass=NullPool, connect_args=settings)
        yield engine
    except (exc.SQLAlchemyError, InvalidDecision, ImportError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DecisionsUnavailable(f"the decisions in {describe_database(lake)} cannot be used: {reason}") from error
