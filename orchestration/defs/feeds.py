"""What Dagster knows of feeds: for each an asset with its schedule, and one for its past where that can be asked for.

They stand apart from the tables: a feed that fails fails its own run, and whatever is held is released all the same.
Schedules run only for feeds that are enabled in the configuration.
"""

# no postponed annotations here: Dagster wants to see the type of `context` itself

import datetime as dt
import itertools
import re
from urllib.parse import urlsplit

import dagster as dg
from cronsim import CronSim

from orchestration.fetch.config import Configuration, Followed
from orchestration.fetch.runner import Window, changed_mark, fetch_all
from orchestration.sources.source import Source
from warehouse.lake import Lake

GROUP = "feeds"
_EARLIEST = dt.date(2015, 1, 1)


def pool_of(configuration: Configuration, followed: Followed) -> str:
    """The pool of the host that a feed asks; hosts that share a pace share a pool."""
    name = urlsplit(followed.url).hostname or ""
    for hosts in configuration.hosts:
        if name in hosts.names:
            name = hosts.names[0]
            break
    return f"host/{re.sub(r'[^a-z0-9]', '_', name.lower())}"


def period_of(followed: Followed) -> dt.timedelta:
    """The longest time between two fetches of a feed."""
    times = CronSim(followed.cron, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    moments = [next(times) for _ in range(60)]
    return max(later - sooner for sooner, later in itertools.pairwise(moments))


def freshness_of(configuration: Configuration, source: Source) -> dg.FreshnessPolicy | None:
    """How old the raw table of a source may be: two fetches missed, and a day for the run; none without a feed."""
    periods = [period_of(f) for f in configuration.feeds.values() if f.enabled and f.source == source.name]
    if not periods:
        return None
    late = min(periods)
    return dg.FreshnessPolicy.time_window(
        fail_window=3 * late + dt.timedelta(days=1), warn_window=2 * late + dt.timedelta(days=1)
    )


def _fetched(
    context: dg.AssetExecutionContext, configuration: Configuration, name: str, window: Window | None
) -> dg.MaterializeResult[None]:
    """Fetch one feed and tell what came of it.

    Raises:
        dg.Failure: It did not come to its end; what it has got is kept.
    """
    lake = Lake.of_environment()
    (outcome,) = fetch_all(lake, configuration, [configuration.feeds[name]], window=window, say=context.log.info)
    told = {
        "requests": outcome.requests,
        "requests_taken_up": outcome.replayed,
        "records": outcome.records,
        **{f"requests_{result}": count for result, count in outcome.results.items()},
    }
    if not outcome.is_complete:
        # trying again is what the next fetch does, where this one stopped
        raise dg.Failure(description=f"{name}: {outcome.reason}", metadata=told, allow_retries=False)
    if outcome.reason:
        context.log.warning(f"{name}: {outcome.reason}")
    return dg.MaterializeResult(metadata=told)


def _description(followed: Followed) -> str:
    return f"{followed.kind.title}: {followed.url}\n\n{followed.licence or followed.kind.licence}"


def _feed_asset(configuration: Configuration, name: str) -> dg.AssetsDefinition:
    followed = configuration.feeds[name]

    @dg.asset(
        key=dg.AssetKey(["feed", name]),
        group_name=GROUP,
        description=_description(followed),
        kinds={followed.source},
        pool=pool_of(configuration, followed),
        metadata={"source": followed.source, "cadence": followed.cadence, "url": dg.MetadataValue.url(followed.url)},
        freshness_policy=(
            dg.FreshnessPolicy.time_window(fail_window=2 * period_of(followed) + dt.timedelta(hours=1))
            if followed.enabled
            else None
        ),
    )
    def feed(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        return _fetched(context, configuration, name, None)

    return feed


def _past_asset(configuration: Configuration, name: str) -> dg.AssetsDefinition:
    followed = configuration.feeds[name]
    start = followed.settings.get("from", _EARLIEST)

    @dg.asset(
        key=dg.AssetKey(["feed_past", name]),
        group_name=GROUP,
        description=f"The past of this feed, asked for again by months.\n\n{_description(followed)}",
        kinds={followed.source},
        pool=pool_of(configuration, followed),
        partitions_def=dg.MonthlyPartitionsDefinition(
            start_date=f"{dt.date.fromisoformat(str(start)):%Y-%m-01}", end_offset=1
        ),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def past(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        span = context.partition_time_window
        window = Window(span.start.date(), span.end.date() - dt.timedelta(days=1))
        return _fetched(context, configuration, name, window)

    return past


def feed_assets(configuration: Configuration) -> list[dg.AssetsDefinition]:
    """An asset for each feed, and one for the past of each that can be asked for certain days."""
    return [
        make(configuration, name)
        for name, followed in configuration.feeds.items()
        for make in (_feed_asset, _past_asset)
        if make is _feed_asset or followed.kind.by_window
    ]


def feed_schedules(configuration: Configuration) -> list[dg.ScheduleDefinition]:
    """A schedule for each feed at its cadence; only those of enabled feeds run unless they are switched on by hand."""
    return [
        dg.ScheduleDefinition(
            name=f"fetch_{name}",
            target=dg.AssetSelection.assets(dg.AssetKey(["feed", name])),
            cron_schedule=followed.cron,
            execution_timezone="UTC",
            description=f"Ask {followed.url} for what is new.",
            default_status=(dg.DefaultScheduleStatus.RUNNING if followed.enabled else dg.DefaultScheduleStatus.STOPPED),
        )
        for name, followed in configuration.feeds.items()
    ]


def fetched_sensor(job_name: str) -> dg.SensorDefinition:
    """What starts the whole job when fetching has brought anything new."""

    @dg.sensor(
        name="fetched", job_name=job_name, minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING
    )
    def fetched(_: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """One run for each time that fetching ended with something new."""
        mark = changed_mark(Lake.of_environment())
        if not mark.exists():
            return dg.SkipReason("nothing was ever fetched")
        return dg.RunRequest(run_key=mark.read_text(encoding="utf-8"))

    return fetched
