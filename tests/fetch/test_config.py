"""The configuration of feeds: every problem is reported when it is read, with file, feed, key and reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.fetch.config import ConfigurationError, read_configuration
from orchestration.fetch.credentials import describe_literal_secret
from tests.conftest import run_aisle
from warehouse.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def write_feed(more: str = "", name: str = "a", source: str = "lab_sheet", url: str = "https://e.org") -> str:
    return f'[feeds."{name}"]\nsource = "{source}"\nurl = "{url}"\n{more}'


def read_error(lake: Lake, text: str) -> str:
    lake.root.mkdir(exist_ok=True)
    (lake.root / "feeds.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as error:
        read_configuration(lake)
    return str(error.value)


INVALID = [
    ('feeds.a.cadence', '[feeds.a]\nsource="lab_sheet"\nurl="https://e.org"\ncadence="dayly"', "found 'dayly'; expected hourly, daily, weekly or the five fields of cron"),
    ('feeds.a.url', '[feeds.a]\nsource="lab_sheet"\nurl="ftp://e.org"', "found 'ftp://e.org'; expected an absolute http or https address"),
    ('feeds.a.url', '[feeds.a]\nsource="lab_sheet"', "is missing"),
    ('feeds.a.source', '[feeds.a]\nsource="nothing"\nurl="https://e.org"', "found 'nothing'; expected one of: "),
    ('feeds.a.robots', '[feeds.a]\nsource="lab_sheet"\nurl="https://e.org"\nrobots="no"', "found 'no'; expected 'respect' or 'ignore'"),
    ('feeds.a.licens', '[feeds.a]\nsource="lab_sheet"\nurl="https://e.org"\nlicens="x"', "not a known key; expected one of: source, url"),
    ('feeds.A b.name', '[feeds."A b"]\nsource="lab_sheet"\nurl="https://e.org"', "expected lower-case letters"),
    ('fetch.attempts', '[fetch]\nattempts=0', "found 0; expected greater than or equal to 1"),
    ('fetch.allow_private', '[fetch]\nallow_private=["*"]', "expected exactly one host and port"),
    ('hosts.0.interval_seconds', '[[hosts]]\nnames=["e.org"]\ninterval_seconds="x"', "expected a valid number"),
    ('hosts.0.interval_seconds', '[[hosts]]\nnames=["e.org"]\ninterval_seconds=0', "found 0; expected greater than 0"),
    ('fetch.interval_seconds', '[fetch]\ninterval_seconds=-1', "found -1; expected greater than 0"),
    ('fetch.interval_seconds', '[fetch]\ninterval_seconds=nan', "found nan; expected a finite number"),
    ('fetch.backoff_seconds', '[fetch]\nbackoff_seconds=0', "found 0; expected greater than 0"),
    ('fetch.total_seconds', '[fetch]\ntotal_seconds=0', "found 0; expected greater than 0"),
    ('fetch.parallel', '[fetch]\nparallel=0', "found 0; expected greater than or equal to 1"),
    ('feeds.a.cadence', write_feed('cadence = "* * * * *"'), "found '* * * * *'; expected at least 10 minutes between two times"),
    ('feeds.a.cadence', write_feed('cadence = "0 0 31 2 *"'), "found '0 0 31 2 *'; expected"),
    ('feeds.a.url', write_feed(url="file:///etc/passwd"), "expected an absolute http or https address"),
    ('feeds.a.url', write_feed(url="https://${HOST}/feed.xml"), "expected a literal host name"),
    ('feeds.a.url', write_feed(url="e.org/feed.xml"), "expected an absolute http or https address"),
    ('feeds.a.url', write_feed(url="https://docs.google.com/spreadsheets/d/1aBcDeFgHiJkLmNoPqRsTuVwXyZ/edit?sheet=Papers"), "the tab is named by sheet=Papers"),
    ('feeds.a.settings', write_feed('settings = { cols = {} }'), "unknown settings cols; known are columns"),
    ('feeds.a.settings', write_feed('settings = { limit = 0 }', source="forum_posts"), "settings.limit is 0; expected a whole number from 1 to 5000"),
    ('feeds.a.settings', write_feed('settings = { window_days = -3 }', source="forum_posts"), "settings.window_days is -3; expected a whole number from 1"),
    ('feeds.a.settings', write_feed('settings = { window_days = 999999999999 }', source="forum_posts"), "expected a whole number from 1 to 36525"),
    ('feeds.a.settings', write_feed('settings = { overlap_days = -1 }', source="arxiv_papers"), "settings.overlap_days is -1; expected"),
    ('feeds.a.settings', write_feed('settings = { search = "x", page = 0 }', source="arxiv_papers"), "settings.page is 0; expected a whole number from 1 to 2000"),
    ('feeds.a.settings', write_feed('settings = { from = 0001-01-01, search = "x" }', source="arxiv_papers"), "expected a day such as 2024-06-17"),
    ('feeds.a.settings', write_feed('settings = { most_pages = 0 }', source="feed_items"), "settings.most_pages is 0; expected"),
    ('feeds.a.settings', write_feed('settings = { most = true }', source="lab_pages"), "settings.most is True; expected"),
    ('feeds.a.settings', write_feed(source="openalex_works"), "settings.filter is None; expected a filter such as"),
    ('typo', 'typo = 1', "not a known key; expected one of: fetch, retention, engine, hosts, sets, feeds"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "text", "message"), INVALID, ids=[key for key, _, _ in INVALID])
def test_invalid_configuration_is_reported_with_file_and_key(lake: Lake, key: str, text: str, message: str) -> None:
    lake.root.mkdir()
    path = lake.root / "feeds.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as error:
        read_configuration(lake)
    assert f"{path}: {key}" in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        ".",
        "../a",
        "a/b",
        "a\\\\b",
        "A",
        "a b",
        "1a",
        "_a",
        "a-b",
        "a" * 61,
        "lab_sheet",
        "all",
        "a\\u0000",
        "ä",
    ],
)
def test_invalid_or_reserved_feed_name_is_refused(lake: Lake, name: str) -> None:
    message = read_error(lake, write_feed(name=name))
    assert message.startswith(f"{lake.root / 'feeds.toml'}: feeds.")
    assert ".name: found " in message


def test_key_name_is_refused(lake: Lake) -> None:
    message = read_error(lake, write_feed('name = "../../elsewhere"'))
    assert "feeds.a.name: not a known key: the name of a feed is the name of its table" in message


def test_all_problems_are_reported_at_once(lake: Lake) -> None:
    message = read_error(
        lake, write_feed('cadence = "dayly"', name="A") + "\n" + write_feed('term = "x"') + "\n[fetch]\nattempts = 0"
    )
    assert [line.partition(": ")[2].partition(": ")[0] for line in message.splitlines()] == [
        "feeds.A.name",
        "fetch.attempts",
        "feeds.A.cadence",
        "feeds.a.term",
    ]


def test_invalid_settings_stop_a_fetch_before_any_request(lake: Lake) -> None:
    read_error(lake, write_feed("settings = { limit = 0 }", source="forum_posts"))
    process = run_aisle(lake.root, "fetch", "a")
    assert process.returncode == 1
    assert (
        f"{lake.root / 'feeds.toml'}: feeds.a.settings: settings.limit is 0; expected a whole number" in process.stderr
    )
    assert not (lake.root / "fetch" / "feeds").exists()


@pytest.mark.parametrize(
    "text",
    [
        'headers = { "X-Api-Key" = "4711-secret" }',
        'headers = { Authorization = "Bearer 4711-secret" }',
        'url = "https://e.org/?api_key=4711-secret"',
        'url = "https://me:4711-secret@e.org/"',
        'url = "https://e.org/?accessToken=4711-secret"',
        'url = "https://e.org/#access_token=4711-secret"',
        'url = "https://e.org/?x=ghp_4711secret4711secret"',
        'headers = { X-Custom = "Bearer 4711-secret" }',
        'headers = { X-Custom = "4711secretsecretsecretsecret" }',
        'headers = { Authorization = "Basic 4711secret ${NAME}" }',
        'headers = { Cookie = "session=4711secret" }',
        'headers = { X-Auth-Token = "${not-a-name}4711" }',
        'headers = "Authorization 4711-secret"',
        'settings = { api_key = "4711-secret" }',
        'settings = { columns = { password = "4711-secret" } }',
        'settings = { passwords = ["4711-secret"] }',
        'settings = "api_key=4711-secret"',
    ],
)
def test_secret_in_the_configuration_is_refused_and_not_repeated(lake: Lake, text: str) -> None:
    lake.root.mkdir()
    url = "" if text.startswith("url") else 'url = "https://e.org"\n'
    (lake.root / "feeds.toml").write_text(f'[feeds.a]\nsource = "lab_sheet"\n{url}{text}', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"feeds.toml: feeds.a.\w+: ") as error:
        read_configuration(lake)
    assert "${NAME}" in str(error.value) or "expected a valid dictionary" in str(error.value)
    assert "4711" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer ${NAME}"),
        ("Authorization", "Basic ${USER}:${WORD}"),
        ("Cookie", "session=${NAME}; lang=en"),
        ("x-api-key", "${NAME}"),
        ("Accept", "application/vnd.github.v3.raw+json, application/rss+xml"),
        ("User-Agent", "aisle/0.1 (+https://example.org/a-page-of-2026-with-a-long-name)"),
        ("X-Requested-With", "XMLHttpRequest"),
        ("Accept-Language", "en-GB,en;q=0.9"),
    ],
)
def test_header_without_a_literal_secret_is_accepted(name: str, value: str) -> None:
    assert describe_literal_secret(name, value, is_header=True) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("search", '"basic research" OR keys'), ("tag", "sYm3HiWcfZvrGu3ui"), ("page_token", "abc"), ("author", "Ann")],
)
def test_setting_without_a_literal_secret_is_accepted(name: str, value: str) -> None:
    assert describe_literal_secret(name, value) is None
