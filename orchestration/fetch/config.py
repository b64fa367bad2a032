"""Configuration of feeds: the bundled ``feeds.toml``, overridden by the lake's own.

All problems are reported at once, each with the file, the feed, the key, what was found and what was expected.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import os
import re
import tomllib
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlsplit

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from orchestration.fetch.credentials import describe_literal_secret
from orchestration.sources.registry import SOURCES, get_source
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor
from orchestration.sources.source import Source
from warehouse.lake import Lake
from warehouse.retention import RetentionPolicy
from warehouse.table import utc_now

BUNDLED_FEEDS = Path(__file__).with_name("feeds.toml")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_RESERVED = frozenset({"all", "none"})
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_MIN_CADENCE, _CADENCE_SAMPLE = dt.timedelta(minutes=10), 60
_SECRET_PARAMETER = re.compile(r"authorization|cookie|(^|[-_])(key|token|secret|password)$|apikey", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")


class ConfigurationError(ValueError):
    """The configuration cannot be used; the text has a line for each problem."""


def _check_cadence(text: str) -> str:
    if text not in {"hourly", "daily", "weekly"}:
        try:
            times = list(itertools.islice(CronSim(text, utc_now()), _CADENCE_SAMPLE))
        except CronSimError as error:
            raise ValueError(f"expected hourly, daily, weekly or the five fields of cron ({error})") from error
        if not times:
            raise ValueError("expected a schedule that has a next time")
        if any(later - earlier < _MIN_CADENCE for earlier, later in itertools.pairwise(times)):
            raise ValueError("expected at least 10 minutes between two times")
    return text


def check_web_address(text: str) -> str:
    """The text, if it is an absolute http(s) address without a user's name or password in it.

    Raises:
        ValueError: It is not; the text states what was expected.
    """
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"expected an http or https address ({error})") from error
    if parts.scheme not in {"http", "https"} or not host or re.search(r"[\s\\]", text):
        raise ValueError("expected an absolute http or https address")
    if "@" in parts.netloc:
        raise ValueError("expected an address without a user's name or password: put a secret into a header as ${NAME}")
    for name, value in parse_qsl(parts.query):
        if _SECRET_PARAMETER.search(name) and not _VARIABLE.search(value):
            raise ValueError(f"{name}: expected a secret as ${{NAME}} of an environment variable, never itself")
    return text


def _check_feed_address(text: str) -> str:
    parts = urlsplit(check_web_address(text))
    if "$" in parts.netloc:
        raise ValueError("expected a literal host name: ${NAME} may be used only in the query and in headers")
    values = [*parse_qsl(parts.query), *parse_qsl(parts.fragment), ("path", parts.path)]
    for name, value in values:
        if problem := describe_literal_secret(name, value):
            raise ValueError(problem)
    return text


def _check_settings(settings: dict[str, Any]) -> dict[str, Any]:
    for name, value in _walk_texts(settings):
        if problem := describe_literal_secret(name, value):
            raise ValueError(problem)
    return settings


def _walk_texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Each text in settings, with its innermost key."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk_texts(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk_texts(inner, name)
    elif isinstance(value, (str, int)):
        yield name, str(value)


def _check_host_and_port(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("expected exactly one host and port, such as wiki.example.org:443")
    return text.lower()


def _check_host_name(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError("expected a host name in lower case, such as export.arxiv.org")
    return text


def _check_headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9-]+", name) or re.search(r"[\r\n]", value):
            raise ValueError(f"{name}: expected a header name and a single line of text")
        if problem := describe_literal_secret(name, value, is_header=True):
            raise ValueError(problem)
    return headers


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FetchLimits(_Strict):
    """Limits of all fetches: the table ``[fetch]``."""

    contact: str = ""
    interval_seconds: float = Field(3.0, gt=0, le=3600)
    concurrency: int = Field(1, ge=1, le=8)
    attempts: int = Field(5, ge=1, le=20)
    backoff_seconds: float = Field(2.0, gt=0, le=600)
    longest_wait_seconds: float = Field(300.0, ge=0, le=3600)
    connect_seconds: float = Field(15.0, gt=0, le=600)
    read_seconds: float = Field(60.0, gt=0, le=600)
    total_seconds: float = Field(300.0, gt=0, le=7200)
    largest_megabytes: float = Field(64.0, gt=0, le=64)
    parallel: int = Field(4, ge=1, le=32)
    allow_private: tuple[Annotated[str, AfterValidator(_check_host_and_port)], ...] = ()
    bundled: bool = True


def _check_remote(text: str) -> str:
    if not re.fullmatch(r"sc://[^\s/]+(:\d+)?(/.*)?", text):
        raise ValueError("expected the address of a Spark Connect server, such as sc://spark.example.org:15002")
    return text


class RetentionConfig(_Strict):
    """What `aisle prune` and runs keep: the table ``[retention]``."""

    newest_releases: int = Field(13, ge=1)
    daily_days: int = Field(30, ge=0)
    monthly_months: int | None = Field(None, ge=0)
    dagster_runs: int = Field(30, ge=1)

    @property
    def policy(self) -> RetentionPolicy:
        """Which releases are kept."""
        return RetentionPolicy(self.newest_releases, self.daily_days, self.monthly_months)


class EngineConfig(_Strict):
    """What makes the tables: the table ``[engine]``."""

    name: Literal["duckdb", "spark"] = "duckdb"
    remote: Annotated[str, AfterValidator(_check_remote)] | None = None


class HostConfig(_Strict):
    """Hosts that share their own pace: a table of ``[[hosts]]``."""

    names: tuple[Annotated[str, AfterValidator(_check_host_name)], ...] = Field(min_length=1)
    interval_seconds: float = Field(3.0, gt=0, le=3600)
    concurrency: int = Field(1, ge=1, le=8)


class FeedConfig(_Strict):
    """Configuration of one feed: the table ``[feeds.<name>]``."""

    source: str
    url: Annotated[str, AfterValidator(_check_feed_address)]
    cadence: Annotated[str, AfterValidator(_check_cadence)] = "daily"
    licence: str | None = None
    enabled: bool = False
    robots: Literal["respect", "ignore"] = "respect"
    headers: Annotated[dict[str, str], AfterValidator(_check_headers)] = {}
    settings: Annotated[dict[str, Any], AfterValidator(_check_settings)] = {}
    name: str = ""

    @property
    def source_feed(self) -> Feed:
        """What the kind of source needs to know of it."""
        return Feed(self.name, self.source, self.url, self.settings)

    @property
    def question(self) -> dict[str, Any]:
        """What a watermark of this feed belongs to: the address and the settings that decide which records it has."""
        names = ("from", *self.kind.question_settings)
        settings = {name: self.settings[name] for name in names if name in self.settings}
        return json.loads(json.dumps({"url": self.url, **settings}, default=str))

    @property
    def kind(self) -> Source:
        """The source that fetches and parses it."""
        return get_source(self.source)

    @property
    def cron(self) -> str:
        """The cadence as a cron expression, in UTC; the feed's name decides the minute, hour and day of a word."""
        spread = zlib.crc32(self.name.encode())
        minute, hour, day = spread % 60, spread // 60 % 6, spread // 360 % 7
        words = {"hourly": f"{minute} * * * *", "daily": f"{minute} {hour} * * *"}
        return {**words, "weekly": f"{minute} {hour} * * {day}"}.get(self.cadence, self.cadence)


class Configuration(_Strict):
    """The whole configuration: limits, paces of hosts, feeds by name, what is kept."""

    fetch: FetchLimits = FetchLimits()
    retention: RetentionConfig = RetentionConfig()
    engine: EngineConfig = EngineConfig()
    hosts: tuple[HostConfig, ...] = ()
    sets: dict[str, tuple[str, ...]] = {}
    feeds: dict[str, FeedConfig] = {}

    def select_feeds(self, name: str) -> list[FeedConfig]:
        """The feed of that name, or all feeds of the set or source of that name.

        Raises:
            KeyError: There is none of these; the text lists the feeds.
        """
        if name in self.feeds:
            return [self.feeds[name]]
        if name in self.sets:
            return [self.feeds[feed] for feed in self.sets[name]]
        if feeds := [feed for feed in self.feeds.values() if feed.source == name]:
            return feeds
        names = ", ".join([*self.sets, *self.feeds])
        raise KeyError(f"no feed, set of feeds or source of a feed is named {name!r}; there are: {names or 'none'}")


def locate_feeds_file(lake: Lake) -> Path:
    """Path of the user's own configuration: ``AISLE_FEEDS``, or ``feeds.toml`` in the lake's folder."""
    named = os.environ.get("AISLE_FEEDS")
    return Path(named).expanduser() if named else lake.root / "feeds.toml"


def read_configuration(lake: Lake) -> Configuration:
    """The bundled configuration, overridden key by key by the lake's own.

    Raises:
        ConfigurationError: A file cannot be read, or a value is invalid.
    """
    path = locate_feeds_file(lake)
    if os.environ.get("AISLE_FEEDS") and not path.is_file():
        raise ConfigurationError(f"{path}: AISLE_FEEDS names this file, which is not there")
    own = _read_toml(path) if path.exists() else {}
    uses_bundled = not isinstance(own.get("fetch"), dict) or own["fetch"].get("bundled", True)
    merged = _merge_tables(_read_toml(BUNDLED_FEEDS) if uses_bundled else {}, own)
    problems: list[str] = []
    if isinstance(merged.get("feeds"), dict):
        problems = [
            f"{_locate_key(path, own, ('feeds', name))}: feeds.{name}.name: {problem}"
            for name, values in merged["feeds"].items()
            for problem in _check_feed_name(name, values)
        ]
        merged["feeds"] = {
            name: {**values, "name": name} if isinstance(values, dict) else values
            for name, values in merged["feeds"].items()
        }
    configuration = None
    try:
        configuration = Configuration.model_validate(merged)
    except ValidationError as error:
        problems += [_describe_error(path, own, details) for details in error.errors()]
    else:
        problems += [
            f"{_locate_key(path, own, ('feeds', name, key))}: feeds.{name}.{key}: {problem}"
            for name, feed in configuration.feeds.items()
            for key, problem in _check_feed_source(feed)
        ]
        problems += [
            f"{_locate_key(path, own, ('sets', name))}: sets.{name}: {problem}"
            for name in configuration.sets
            for problem in _check_set(name, configuration)
        ]
    if problems or configuration is None:
        raise ConfigurationError("\n".join(problems))
    return configuration


def _check_feed_name(name: str, values: Any) -> list[str]:
    """Problems of a feed's name, which is also a folder of the lake and an argument of the command line."""
    problems = []
    if not _NAME.fullmatch(name):
        problems.append(
            f"found {name!r}; expected lower-case letters, digits and _, beginning with a letter, at most 60"
        )
    if name in _RESERVED or name in (source.name for source in SOURCES):
        problems.append(f"found {name!r}, which is a source or a reserved word; expected another name")
    if isinstance(values, dict) and "name" in values:
        problems.append("not a known key: the name of a feed is the name of its table")
    return problems


def _check_set(name: str, configuration: Configuration) -> list[str]:
    """Problems of a set of feeds: its name, which is used like that of a feed, and the feeds that it names."""
    problems = [
        f"found {feed!r}, which is no feed" for feed in configuration.sets[name] if feed not in configuration.feeds
    ]
    if name in configuration.feeds:
        problems.append("a feed has this name; expected another one")
    return problems + _check_feed_name(name, None)


def _check_feed_source(feed: FeedConfig) -> list[tuple[str, str]]:
    """Problems that the types do not show, as (key, problem): the source, or its plan up to the first request."""
    fetchable = {source.name: source.fetch for source in SOURCES if source.fetch}
    if feed.source not in fetchable:
        return [("source", f"found {feed.source!r}; expected one of: {', '.join(fetchable)}")]
    plan = fetchable[feed.source](feed.source_feed, FetchCursor(None, dt.datetime.now(dt.UTC)))
    try:
        next(plan)
    except Exception as error:  # the source's own check, or an unforeseen error: it cannot be fetched either way
        message = str(error).removeprefix(f"feed {feed.name}: ")
        if message.startswith("url: "):
            return [("url", message.removeprefix("url: "))]
        return [("settings", message if isinstance(error, ValueError) else f"{type(error).__name__}: {message}")]
    finally:
        plan.close()
    return []


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error


def _merge_tables(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Merge tables key by key; ``hosts`` are joined; any other value, and ``settings`` as a whole, is replaced."""
    merged = dict(base)
    for key, value in overrides.items():
        existing = merged.get(key)
        if isinstance(existing, dict) and isinstance(value, dict) and key != "settings":
            merged[key] = _merge_tables(existing, value)
        elif key == "hosts" and isinstance(existing, list) and isinstance(value, list):
            merged[key] = [*value, *existing]  # the first entry that names a host is used
        else:
            merged[key] = value
    return merged


def _locate_key(path: Path, own: Mapping[str, Any], keys: tuple[int | str, ...]) -> Path:
    """The file, own or bundled, that has a key or lacks it."""
    table: Any = own
    for key in keys[:-1]:
        table = table.get(key) if isinstance(table, dict) else table
    # a feed with a source is defined completely in that file
    is_own = isinstance(table, dict) and (keys[-1] in table or (keys[0] == "feeds" and "source" in table))
    return path if is_own or (keys[0] == "hosts" and "hosts" in own) else BUNDLED_FEEDS


def _describe_error(path: Path, own: Mapping[str, Any], error: Any) -> str:
    """One line for an error of pydantic: file, key, what was found, what was expected."""
    keys = tuple(error["loc"])
    where = ".".join(map(str, keys))
    file = _locate_key(path, own, keys[:3] if keys[0] == "feeds" else keys[:2])
    if error["type"] == "extra_forbidden":
        models = {
            "fetch": FetchLimits,
            "retention": RetentionConfig,
            "engine": EngineConfig,
            "hosts": HostConfig,
            "feeds": FeedConfig,
        }
        known = models[str(keys[0])].model_fields if keys[0] in models else Configuration.model_fields
        return f"{file}: {where}: not a known key; expected one of: {', '.join(key for key in known if key != 'name')}"
    if error["type"] == "missing":
        file = path if len(keys) > 1 and keys[1] in own.get(keys[0], ()) else BUNDLED_FEEDS
        return f"{file}: {where}: is missing"
    message = re.sub(r"^Value error, ", "", str(error["msg"])).replace("Input should be", "expected")
    # the value may be a secret that was put there by mistake
    is_showable = not {"headers", "settings"} & set(keys) and "${NAME}" not in message
    found = f"found {error['input']!r}; " if is_showable else ""
    return f"{file}: {where}: {found}{message}"
