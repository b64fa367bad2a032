"""The bundled feeds: each can be requested with its settings, and each source that can be fetched has one."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.fetch.config import FeedConfig, read_configuration
from orchestration.sources.registry import SOURCES, get_source
from orchestration.sources.shared.fetch_plan import FetchCursor
from tests.support.fetch_plans import NOW
from warehouse.lake import Lake

FEEDS = read_configuration(Lake(Path(__file__).parent / "no-lake")).feeds


@pytest.mark.parametrize("feed", FEEDS.values(), ids=lambda feed: feed.name)
def test_bundled_feed_can_be_requested_and_is_disabled(feed: FeedConfig) -> None:
    fetch = get_source(feed.source).fetch
    assert fetch is not None
    request = next(fetch(feed.source_feed, FetchCursor(None, NOW)))
    assert request.url.startswith(feed.url.partition("?")[0])
    assert not feed.enabled, f"feed {feed.name} in orchestration/fetch/feeds.toml: set enabled = false; users enable it"


def test_each_source_that_can_be_fetched_has_a_bundled_feed_or_private_feeds() -> None:
    bundled = {feed.source for feed in FEEDS.values()}
    private = {source.name for source in SOURCES if source.has_private_feeds}
    missing = sorted({source.name for source in SOURCES if source.fetch} - bundled - private)
    assert not missing, (
        f"no bundled feed of {', '.join(missing)}: add one to orchestration/fetch/feeds.toml with enabled = false, or set"
        " has_private_feeds=True on its Source if each user has feeds of their own"
    )
    assert not bundled & private, "a source with has_private_feeds=True has a feed in orchestration/fetch/feeds.toml"
    assert "lab_sheet" in private
