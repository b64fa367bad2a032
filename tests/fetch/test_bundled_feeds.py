"""The bundled list of places: each can be asked with the settings it has, at the address it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.fetch.config import Followed, read_configuration
from orchestration.sources.registry import SOURCES, source_named
from orchestration.sources.shared.fetch_plan import Since
from tests.support.fetch_plans import NOW
from warehouse.lake import Lake

FEEDS = read_configuration(Lake(Path(__file__).parent / "no-lake")).feeds


@pytest.mark.parametrize("followed", FEEDS.values(), ids=lambda followed: followed.name)
def test_a_bundled_feed_can_be_asked_and_is_not_before_somebody_says_so(followed: Followed) -> None:
    fetch = source_named(followed.source).fetch
    assert fetch is not None
    request = next(fetch(followed.feed, Since(None, NOW)))
    assert request.url.startswith(followed.url.partition("?")[0])
    assert not followed.enabled


def test_every_kind_that_can_be_fetched_has_a_bundled_feed_but_the_sheet_which_is_everyones_own() -> None:
    kinds = {source.name for source in SOURCES if source.fetch}
    assert kinds - {followed.source for followed in FEEDS.values()} == {"lab_sheet"}
