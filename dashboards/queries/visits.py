"""When a browser opened the pages last: in a cookie of its own, so that neither accounts nor records are needed.

The cookie holds two moments and nothing else: when the pages were last opened in this visit and in the one before.
It is written with the HTML of a page and read in the session of the page. A visit ends when no page has been opened for
half an hour.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from warehouse.lake import PROJECT
from warehouse.release import Release

VISIT_GAP = dt.timedelta(minutes=30)
COOKIE_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True)
class Visits:
    """The visits of a browser.

    Args:
        opened_at: When it last opened a page, in this visit.
        last_at: When it last opened a page in the visit before; none if this is the first.
    """

    opened_at: dt.datetime
    last_at: dt.datetime | None = None


def name_cookie() -> str:
    """The name of the cookie for this lake: servers on other ports of a machine share cookies, and have other lakes."""
    lake = os.environ.get("AISLE_LAKE") or str(PROJECT)
    return f"aisle_visits_{hashlib.sha256(lake.encode()).hexdigest()[:12]}"


def parse_visits(cookie: str | None, now: dt.datetime) -> Visits | None:
    """The visits in a cookie; none if there is no valid one."""
    match = re.fullmatch(r"([0-9]{1,11})(?:-([0-9]{1,11}))?", cookie or "", re.ASCII)
    if match is None:
        return None
    moments = [dt.datetime.fromtimestamp(int(seconds), dt.UTC) for seconds in match.groups() if seconds]
    return Visits(*moments) if now >= moments[0] >= moments[-1] else None


def renew_visits(visits: Visits | None, now: dt.datetime) -> Visits:
    """The visits after a page was opened now."""
    if visits is None:
        return Visits(now)
    return Visits(now, visits.opened_at if now - visits.opened_at > VISIT_GAP else visits.last_at)


def write_visits(visits: Visits) -> str:
    """The value of the cookie: seconds since 1970."""
    moments = [visits.opened_at, *([visits.last_at] if visits.last_at else [])]
    return "-".join(str(int(moment.timestamp())) for moment in moments)


def find_release_at(releases: Sequence[Release], moment: dt.datetime) -> Release | None:
    """The release that was the newest at a moment; none if it is not kept any more, or there was none.

    Args:
        releases: A release and all before it that are kept, newest first.
        moment: The moment.
    """
    later = None
    for release in releases:
        if dt.datetime.fromisoformat(str(release.manifest["published_at"])) <= moment:
            return release if later is None or later.number == release.number + 1 else None
        later = release
    return None
