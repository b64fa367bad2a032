"""The configuration of what is followed: the bundled ``feeds.toml``, with the lake's own laid over it.

Everything that can be wrong with it is told at once, each with the file, the feed, the key, what was found and
what was expected.
"""

from __future__ import annotations

import datetime as dt
import itertools
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

from orchestration.fetch.credentials import literal_secret
from orchestration.sources.registry import SOURCES, source_named
from orchestration.sources.shared.fetch_plan import Feed, Since
from orchestration.sources.source import Source
from warehouse.lake import Lake
from warehouse.table import utc_now

BUNDLED = Path(__file__).with_name("feeds.toml")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_RESERVED = frozenset({"all", "none"})
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_SHORTEST_CADENCE, _TIMES_LOOKED_AT = dt.timedelta(minutes=10), 60
_SECRET_TO_BE = re.compile(r"authorization|cookie|(^|[-_])(key|token|secret|password)$|apikey", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")


class ConfigurationError(ValueError):
    """The configuration cannot be used; the text has a line for each thing that is wrong."""


def _cadence(text: str) -> str:
    if text not in {"hourly", "daily", "weekly"}:
        try:
            times = list(itertools.islice(CronSim(text, utc_now()), _TIMES_LOOKED_AT))
        except CronSimError as error:
            raise ValueError(f"expected hourly, daily, weekly or the five fields of cron ({error})") from error
        if not times:
            raise ValueError("expected a time that comes")
        if any(later - earlier < _SHORTEST_CADENCE for earlier, later in itertools.pairwise(times)):
            raise ValueError("expected at least 10 minutes between two times, since places are not asked more often")
    return text


def web_address(text: str) -> str:
    """The text, if it is an absolute http(s) address without a user's name or password in it.

    Raises:
        ValueError: It is none; the text says what was expected.
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
        if _SECRET_TO_BE.search(name) and not _VARIABLE.search(value):
            raise ValueError(f"{name}: expected a secret as ${{NAME}} of an environment variable, never itself")
    return text


def _followed_address(text: str) -> str:
    parts = urlsplit(web_address(text))
    if "$" in parts.netloc:
        raise ValueError("expected a host that is written out: ${NAME} may stand in the query and in headers")
    given = [*parse_qsl(parts.query), *parse_qsl(parts.fragment), ("path", parts.path)]
    if wrong := next((wrong for name, value in given if (wrong := literal_secret(name, value))), None):
        raise ValueError(wrong)
    return text


def _settings(settings: dict[str, Any]) -> dict[str, Any]:
    for name, value in _texts_in(settings):
        if wrong := literal_secret(name, value):
            raise ValueError(wrong)
    return settings


def _texts_in(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Each text in settings, with the name that stands nearest to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts_in(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts_in(inner, name)
    elif isinstance(value, (str, int)):
        yield name, str(value)


def _host_and_port(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("expected exactly one host and port, such as wiki.example.org:443")
    return text.lower()


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError("expected the name of a host in lower case, such as export.arxiv.org")
    return text


def _headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9-]+", name) or re.search(r"[\r\n]", value):
            raise ValueError(f"{name}: expected the name of a header and one line of text")
        if wrong := literal_secret(name, value, is_header=True):
            raise ValueError(wrong)
    return headers


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Limits(_Strict):
    """What a fetch may cost: the table ``[fetch]``. Times are in seconds."""

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
    allow_private: tuple[Annotated[str, AfterValidator(_host_and_port)], ...] = ()
    bundled: bool = True


class Host(_Strict):
    """Hosts that share a pace of their own: a table of ``[[hosts]]``."""

    names: tuple[Annotated[str, AfterValidator(_host)], ...] = Field(min_length=1)
    interval_seconds: float = Field(3.0, gt=0, le=3600)
    concurrency: int = Field(1, ge=1, le=8)


class Followed(_Strict):
    """One feed as the configuration gives it: the table ``[feeds.<name>]``."""

    source: str
    url: Annotated[str, AfterValidator(_followed_address)]
    cadence: Annotated[str, AfterValidator(_cadence)] = "daily"
    licence: str | None = None
    enabled: bool = False
    robots: Literal["respect", "ignore"] = "respect"
    headers: Annotated[dict[str, str], AfterValidator(_headers)] = {}
    settings: Annotated[dict[str, Any], AfterValidator(_settings)] = {}
    name: str = ""

    @property
    def feed(self) -> Feed:
        """What the kind of source needs to know of it."""
        return Feed(self.name, self.source, self.url, self.settings)

    @property
    def kind(self) -> Source:
        """The kind of source that reads it."""
        return source_named(self.source)

    @property
    def cron(self) -> str:
        """The cadence as five fields of cron, in UTC; minute and hour of a word follow from the feed's name."""
        spread = zlib.crc32(self.name.encode())
        minute, hour, day = spread % 60, spread // 60 % 6, spread // 360 % 7
        words = {"hourly": f"{minute} * * * *", "daily": f"{minute} {hour} * * *"}
        return {**words, "weekly": f"{minute} {hour} * * {day}"}.get(self.cadence, self.cadence)


class Configuration(_Strict):
    """The whole configuration: limits, paces of hosts, feeds by name."""

    fetch: Limits = Limits()
    hosts: tuple[Host, ...] = ()
    feeds: dict[str, Followed] = {}

    def named(self, name: str) -> list[Followed]:
        """The feed of that name, or all feeds of the source of that name.

        Raises:
            KeyError: There is neither; the text lists what there is.
        """
        if name in self.feeds:
            return [self.feeds[name]]
        if found := [followed for followed in self.feeds.values() if followed.source == name]:
            return found
        raise KeyError(
            f"no feed and no source of a feed is called {name!r}; there are {', '.join(self.feeds) or 'none yet'}"
        )


def own_file(lake: Lake) -> Path:
    """The file a person edits: the one named by ``AISLE_FEEDS``, or ``feeds.toml`` in the lake's folder."""
    named = os.environ.get("AISLE_FEEDS")
    return Path(named).expanduser() if named else lake.root / "feeds.toml"


def read_configuration(lake: Lake) -> Configuration:
    """The bundled configuration with the lake's own laid over it, key by key.

    Raises:
        ConfigurationError: A file cannot be read, or something in them cannot be used.
    """
    path = own_file(lake)
    if os.environ.get("AISLE_FEEDS") and not path.is_file():
        raise ConfigurationError(f"{path}: AISLE_FEEDS names this file, which is not there")
    own = _read(path) if path.exists() else {}
    uses_bundled = not isinstance(own.get("fetch"), dict) or own["fetch"].get("bundled", True)
    merged = _laid_over(_read(BUNDLED) if uses_bundled else {}, own)
    problems: list[str] = []
    if isinstance(merged.get("feeds"), dict):
        problems = [
            f"{_holder(path, own, ('feeds', name))}: feeds.{name}.name: {says}"
            for name, told in merged["feeds"].items()
            for says in _wrong_names(name, told)
        ]
        merged["feeds"] = {
            name: {**told, "name": name} if isinstance(told, dict) else told for name, told in merged["feeds"].items()
        }
    configuration = None
    try:
        configuration = Configuration.model_validate(merged)
    except ValidationError as error:
        problems += [_told(path, own, found) for found in error.errors()]
    else:
        problems += [
            f"{_holder(path, own, ('feeds', name, key))}: feeds.{name}.{key}: {says}"
            for name, followed in configuration.feeds.items()
            for key, says in _misfits(followed)
        ]
    if problems or configuration is None:
        raise ConfigurationError("\n".join(problems))
    return configuration


def _wrong_names(name: str, told: Any) -> list[str]:
    """What is wrong with the name of a feed, which becomes a folder of the lake and a word of the command line."""
    found = []
    if not _NAME.fullmatch(name):
        found.append(f"found {name!r}; expected lower-case letters, digits and _, beginning with a letter, at most 60")
    if name in _RESERVED or name in (source.name for source in SOURCES):
        found.append(f"found {name!r}, which means a kind of source or all feeds; expected another name")
    if isinstance(told, dict) and "name" in told:
        found.append("not a known key: a feed is called what its table is called")
    return found


def _misfits(followed: Followed) -> list[tuple[str, str]]:
    """What is wrong with a feed that its types do not show: with its kind, or with what that asks for first."""
    fetchable = {source.name: source.fetch for source in SOURCES if source.fetch}
    if followed.source not in fetchable:
        expected = ", ".join(fetchable) or "nothing, since no kind of source can be fetched"
        return [("source", f"found {followed.source!r}; expected one of: {expected}")]
    conversation = fetchable[followed.source](followed.feed, Since(None, dt.datetime.now(dt.UTC)))
    try:
        next(conversation)
    except Exception as error:  # the kind's own check, or what it did not foresee: either way it cannot be asked so
        says = str(error).removeprefix(f"feed {followed.name}: ")
        if says.startswith("url: "):
            return [("url", says.removeprefix("url: "))]
        return [("settings", says if isinstance(error, ValueError) else f"{type(error).__name__}: {says}")]
    finally:
        conversation.close()
    return []


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error


def _laid_over(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged key by key, lists of tables are joined, anything else is replaced; settings as a whole."""
    merged = dict(under)
    for key, value in over.items():
        held = merged.get(key)
        if isinstance(held, dict) and isinstance(value, dict) and key != "settings":
            merged[key] = _laid_over(held, value)
        elif key == "hosts" and isinstance(held, list) and isinstance(value, list):
            merged[key] = [*value, *held]  # the first that names a host counts
        else:
            merged[key] = value
    return merged


def _holder(path: Path, own: Mapping[str, Any], place: tuple[int | str, ...]) -> Path:
    """The file in which a key stands, or would have to."""
    here: Any = own
    for part in place[:-1]:
        here = here.get(part) if isinstance(here, dict) else here
    # a feed that says its kind is whole in that file
    is_here = isinstance(here, dict) and (place[-1] in here or (place[0] == "feeds" and "source" in here))
    return path if is_here or (place[0] == "hosts" and "hosts" in own) else BUNDLED


def _told(path: Path, own: Mapping[str, Any], error: Any) -> str:
    place = tuple(error["loc"])
    where = ".".join(map(str, place))
    file = _holder(path, own, place[:3] if place[0] == "feeds" else place[:2])
    if error["type"] == "extra_forbidden":
        models = {"fetch": Limits, "hosts": Host, "feeds": Followed}
        known = models[str(place[0])].model_fields if place[0] in models else Configuration.model_fields
        return f"{file}: {where}: not a known key; expected one of: {', '.join(key for key in known if key != 'name')}"
    if error["type"] == "missing":
        file = path if len(place) > 1 and place[1] in own.get(place[0], ()) else BUNDLED
        return f"{file}: {where}: is missing"
    says = re.sub(r"^Value error, ", "", str(error["msg"])).replace("Input should be", "expected")
    # what was found may be a secret that was put there by mistake
    is_open = not {"headers", "settings"} & set(place) and "${NAME}" not in says
    found = f"found {error['input']!r}; " if is_open else ""
    return f"{file}: {where}: {found}{says}"
