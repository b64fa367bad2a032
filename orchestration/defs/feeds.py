"""Feeds in Dagster: an asset, a pool and a schedule for each.

A feed that can be fetched by days is partitioned by month: the present month's partition fetches what is new, a past
month's fetches the days of that month again. Fetching is not a part of the job that releases: a failing feed fails its
own run, and the job releases what is stored. Schedules run only for feeds that are enabled in the configuration.
"""

# no postponed annotations here: Dagster reads the type of `context`

import datetime as dt
import itertools
import re
from collections import Counter
from hashlib import sha256
from urllib.parse import urlsplit

import dagster as dg
from cronsim import CronSim

from orchestration.defs.specs import OWNERS, reference_code
from orchestration.fetch.config import Configuration, FeedConfig
from orchestration.fetch.journal import DateWindow, FetchResult
from orchestration.fetch.runner import fetch_feeds
from orchestration.ingest.fetch_log import read_fetch_log
from orchestration.sources.source import Source
from warehouse.lake import Lake
from warehouse.origin import need_state

GROUP = "feeds"
_EARLIEST = dt.date(2015, 1, 1)


def build_feed_key(name: str) -> dg.AssetKey:
    """The key of a feed's asset."""
    return dg.AssetKey(["feed", name])


def build_pool_name(configuration: Configuration, feed: FeedConfig) -> str:
    """The pool of a feed's host; hosts that share a pace share a pool."""
    name = urlsplit(feed.url).hostname or ""
    for hosts in configuration.hosts:
        if name in hosts.names:
            name = hosts.names[0]
            break
    return f"host/{re.sub(r'[^a-z0-9]', '_', name.lower())}"


def compute_longest_interval(feed: FeedConfig) -> dt.timedelta:
    """The longest time between two scheduled fetches of a feed."""
    times = CronSim(feed.cron, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    moments = [next(times) for _ in range(60)]
    return max(later - sooner for sooner, later in itertools.pairwise(moments))


def build_raw_freshness(configuration: Configuration, source: Source) -> dg.FreshnessPolicy | None:
    """How old the raw table of a source may be: two missed fetches, and a day for the run; none without a feed."""
    intervals = [
        compute_longest_interval(feed)
        for feed in configuration.feeds.values()
        if feed.enabled and feed.source == source.name
    ]
    if not intervals:
        return None
    shortest = min(intervals)
    return dg.FreshnessPolicy.time_window(
        fail_window=3 * shortest + dt.timedelta(days=1), warn_window=2 * shortest + dt.timedelta(days=1)
    )


def build_table_freshness() -> dg.FreshnessPolicy:
    """How old a published table may be: the job runs daily, so one missed run is a warning and two are a failure."""
    return dg.FreshnessPolicy.time_window(fail_window=dt.timedelta(hours=49), warn_window=dt.timedelta(hours=25))


def build_partitions(feed: FeedConfig) -> dg.MonthlyPartitionsDefinition | None:
    """The months of a feed that can be fetched by days, the present one included; none for any other feed."""
    if not feed.kind.is_windowed:
        return None
    start = dt.date.fromisoformat(str(feed.settings.get("from", _EARLIEST)))
    return dg.MonthlyPartitionsDefinition(start_date=f"{start:%Y-%m-01}", end_offset=1)


def find_present_partition(feed: FeedConfig) -> str | None:
    """The partition of what is new now; none for a feed without partitions."""
    partitions = build_partitions(feed)
    return partitions.get_last_partition_key() if partitions else None


def compute_feed_version(lake: Lake, name: str) -> str:
    """Hash of the answers of a feed that brought anything new; a fetch that brought nothing leaves it as it was."""
    new = [line for line in read_fetch_log(lake) if line.feed == name and line.result in {"kept", "returned"}]
    return sha256("\n".join(f"{line.snapshot_id} {line.fetched_at}" for line in new).encode()).hexdigest()[:16]


def build_feed_metadata(*results: FetchResult) -> dict[str, int]:
    """What the fetch sessions of a feed did together, as metadata of its materialisation."""
    counts = Counter[str]()
    for result in results:
        counts.update({"requests": result.requests, "requests_resumed": result.replayed, "records": result.records})
        counts.update({f"requests_{name}": count for name, count in result.results.items()})
    return dict(counts)


def build_feed_materializations(
    lake: Lake, feed: FeedConfig, result: FetchResult, window: DateWindow | None
) -> list[dg.AssetMaterialization]:
    """The events for a fetch that ran outside of Dagster, as ``aisle fetch`` does: one for each month of its window."""
    partitions, months = build_partitions(feed), [find_present_partition(feed)]
    if partitions and window:
        first, last = (str(day.replace(day=1)) if day else None for day in (window.start, window.end))
        keys = partitions.get_partition_keys()
        months = [key for key in keys if (not first or first <= key) and (not last or key <= last)]
    return [
        dg.AssetMaterialization(
            build_feed_key(feed.name),
            metadata=build_feed_metadata(result),
            partition=month,
            tags={"dagster/data_version": compute_feed_version(lake, feed.name)},
        )
        for month in months
    ]


def _list_windows(context: dg.AssetExecutionContext, feed: FeedConfig) -> list[DateWindow | None]:
    """What a run fetches: the days of past months, and (none) what is new if the present month is among them."""
    if not context.has_partition_key and not context.has_partition_key_range:
        return [None]
    first, last = context.partition_key_range
    present = find_present_partition(feed)
    span = context.partition_time_window
    if last != present:
        return [DateWindow(span.start.date(), span.end.date() - dt.timedelta(days=1))]
    if first == present:
        return [None]
    return [DateWindow(span.start.date(), dt.date.fromisoformat(last) - dt.timedelta(days=1)), None]


def _fetch_feed(
    context: dg.AssetExecutionContext, configuration: Configuration, feed: FeedConfig
) -> dg.MaterializeResult[None]:
    """Fetch one feed.

    Raises:
        dg.Failure: The fetch session did not complete; its answers are kept.
    """
    lake, results = Lake.from_environment(), list[FetchResult]()
    for window in _list_windows(context, feed):
        with lake.hold(need_state, context.log.info):
            (result,) = fetch_feeds(lake, configuration, [feed], window=window, log=context.log.info)
        results.append(result)
        if not result.is_complete:
            # the next fetch resumes this one, so that a retry would be no better
            raise dg.Failure(
                description=f"{feed.name}: {result.reason}", metadata=build_feed_metadata(*results), allow_retries=False
            )
        if result.reason:
            context.log.warning(f"{feed.name}: {result.reason}")
    return dg.MaterializeResult(
        metadata=build_feed_metadata(*results), data_version=dg.DataVersion(compute_feed_version(lake, feed.name))
    )


def _build_feed_asset(configuration: Configuration, name: str) -> dg.AssetsDefinition:
    feed = configuration.feeds[name]
    partitions = build_partitions(feed)
    state = "" if feed.enabled else "\n\nNot enabled: its schedule is off until `feeds.toml` of the lake enables it."
    months = (
        "\n\nThe present month's partition fetches what is new, a past month's fetches its days again."
        if partitions
        else ""
    )

    @dg.asset(
        key=build_feed_key(name),
        group_name=GROUP,
        description=f"{feed.kind.title}: {feed.url}\n\n{feed.licence or feed.kind.licence}{months}{state}",
        kinds={feed.source},
        owners=[OWNERS[GROUP]],
        tags={"layer": "feed", "source": feed.source},
        pool=build_pool_name(configuration, feed),
        metadata={
            "source": feed.source,
            "cadence": feed.cadence,
            "url": dg.MetadataValue.url(feed.url),
            "dagster/code_references": reference_code(feed.kind.fetch or feed.kind.parse),
        },
        freshness_policy=(
            dg.FreshnessPolicy.time_window(fail_window=2 * compute_longest_interval(feed) + dt.timedelta(hours=1))
            if feed.enabled
            else None
        ),
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
    )
    def fetch(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        return _fetch_feed(context, configuration, feed)

    return fetch


def build_feed_assets(configuration: Configuration) -> list[dg.AssetsDefinition]:
    """An asset for each feed."""
    return [_build_feed_asset(configuration, name) for name in configuration.feeds]


def _build_feed_schedule(feed: FeedConfig) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"fetch_{feed.name}",
        target=dg.AssetSelection.assets(build_feed_key(feed.name)),
        cron_schedule=feed.cron,
        execution_timezone="UTC",
        description=f"Fetch what is new from {feed.url}.",
        default_status=dg.DefaultScheduleStatus.RUNNING if feed.enabled else dg.DefaultScheduleStatus.STOPPED,
    )
    def request_fetch(_: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(partition_key=find_present_partition(feed))

    return request_fetch


def build_feed_schedules(configuration: Configuration) -> list[dg.ScheduleDefinition]:
    """A schedule for each feed at its cadence; only those of enabled feeds run unless switched on by hand."""
    return [_build_feed_schedule(feed) for feed in configuration.feeds.values()]
