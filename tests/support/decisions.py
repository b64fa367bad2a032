"""Made-up decisions, and a PostgreSQL server from Debian's packages that keeps some."""

from __future__ import annotations

import datetime as dt
import os
import pwd
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from warehouse.decisions.events import Decision, build_decision

BEGAN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def make_decision(
    value: str = "Wolves", *, seconds: int = 0, seen: tuple[Decision, ...] = (), **values: Any
) -> Decision:
    """A decision of Ada on the categories of a record, unless given otherwise."""
    defaults = {
        "kind": "category",
        "decided_by": "Ada",
        "decided_at": BEGAN + dt.timedelta(seconds=seconds),
        "value": value,
        "record_id": "r1",
        "taxonomy": "animals",
        "seen_event_ids": "; ".join(sorted(one.event_id for one in seen)),
    }
    return build_decision(defaults | values)


def make_mapping(value: str = "Robustness=1", **values: Any) -> Decision:
    """A decision of Ada on what a category of a list stands for."""
    names = {"from_taxonomy": "beasts", "from_category": "Canines", "record_id": "", "kind": "mapping"}
    return make_decision(value, **names | values)


def make_undo(undone: Decision, *, seconds: int = 0) -> Decision:
    """The undo of a decision."""
    return make_decision(
        "",
        kind="undo",
        taxonomy="",
        undone_event_id=undone.event_id,
        record_id=undone.record_id,
        from_taxonomy=undone.from_taxonomy,
        from_category=undone.from_category,
        seconds=seconds,
    )


def find_postgres() -> Path | None:
    """The folder of PostgreSQL's programs, of the newest version that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


@contextmanager
def serve_postgres(programs: Path) -> Generator[str]:
    """A new PostgreSQL server on this machine; yields its address as SQLAlchemy takes it.

    It refuses to run as root, so that it runs as Debian's user postgres then.
    """
    user = pwd.getpwnam("postgres") if os.getuid() == 0 else pwd.getpwuid(os.getuid())

    def run(*command: str) -> None:
        subprocess.run(
            command, check=True, capture_output=True, cwd="/", timeout=60, user=user.pw_uid, group=user.pw_gid
        )

    with tempfile.TemporaryDirectory() as name, socket.socket() as probe:
        os.chown(name, user.pw_uid, user.pw_gid)
        probe.bind(("127.0.0.1", 0))
        port, data = probe.getsockname()[1], f"{name}/data"
        probe.close()
        run(str(programs / "initdb"), "--no-sync", "-A", "trust", "-U", "postgres", "-D", data)
        control = str(programs / "pg_ctl")
        run(control, "-w", "-D", data, "-l", f"{name}/log", "-o", f"-p {port} -k {name} -h 127.0.0.1 -F", "start")
        try:
            yield f"postgresql+psycopg://postgres:secret@127.0.0.1:{port}/postgres"
        finally:
            run(control, "-D", data, "-m", "immediate", "stop")
