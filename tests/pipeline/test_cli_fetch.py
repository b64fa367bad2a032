"""The commands that bring data in, as a person uses them: what they say, what they leave alone, with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestration.fetch.config import ConfigurationError, read_configuration
from orchestration.fetch.journal import FeedFolder
from orchestration.ingest.snapshots import all_refusals, all_snapshots
from tests.conftest import aisle
from tests.sources.test_lab_sheet import GOOD, table
from tests.support.http_server import HTML_PAGE, Asked, Given, served
from tests.support.sheet_server import configure
from warehouse.lake import Lake
from warehouse.release import current


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def test_fetched_and_run_it_is_released(lake: Lake) -> None:
    with served(lambda _: Given(table(GOOD))) as place, served(lambda _: Given(b"", 404)) as gone:
        configure(lake, [place.host, gone.host], {"sheet": place.url, "gone": gone.url})
        done = aisle(lake.root, "fetch")
        asked = len(place.asked) + len(gone.asked)
        ran = aisle(lake.root, "run", AISLE_BUNDLED="no")
        assert len(place.asked) + len(gone.asked) == asked  # a run touches no network
    assert done.returncode == 1
    assert "✓ sheet: 1 requests (1 kept), 1 records" in done.stderr
    assert "✗ gone: gone: HTTP status 404 (1 requests (1 failed), 0 records)" in done.stderr
    assert "1 of 2 feeds did not come to their end" in done.stderr
    assert ran.returncode == 0, ran.stderr
    assert "feed gone is not complete (1 times): gone: HTTP status 404" in ran.stdout
    with current(lake).connect() as connection:
        told = "feed, result, http_status, records, reason, snapshot_id is not null"
        rows = connection.execute(f"select {told} from raw.fetches order by feed").fetchall()
        assert rows == [("gone", "failed", 404, None, "HTTP status 404", False), ("sheet", "kept", 200, 1, None, True)]
        assert connection.execute("select origin, feed, url from raw.snapshots").fetchall() == [
            ("fetch", "sheet", place.url)
        ]
        assert connection.execute("select count(*) from clean.publications").fetchall() == [(1,)]
    shown = aisle(lake.root, "sources", COLUMNS="300").stdout
    (line,) = [line for line in shown.splitlines() if line.strip().startswith("gone")]
    assert "not complete (1 times): gone: HTTP status 404" in line
    (line,) = [line for line in shown.splitlines() if line.strip().startswith("sheet ")]
    assert " complete " in line


def test_without_a_network_each_feed_says_so_and_what_is_held_is_released(lake: Lake) -> None:
    configure(lake, [], {"one": "http://one.invalid/x", "two": "http://127.0.0.1:9/x"}, attempts=2)
    done = aisle(lake.root, "fetch", timeout=60)
    assert done.returncode == 1
    assert "✗ one: one: cannot be reached: the name one.invalid cannot be resolved" in done.stderr
    assert "✗ two: two: 127.0.0.1 leads to 127.0.0.1, which is not a public address" in done.stderr
    assert "Traceback" not in done.stderr
    assert aisle(lake.root, "run").returncode == 0


def test_backfill_leaves_the_watermark(lake: Lake) -> None:
    with served(lambda _: Given(table(GOOD))) as place:
        configure(lake, [place.host], {"sheet": place.url})
        assert aisle(lake.root, "fetch", "sheet").returncode == 0
        before = FeedFolder(lake, "sheet").state
        done = aisle(lake.root, "fetch", "lab_sheet", "--since", "2024-01-01")
        assert done.returncode == 1
        assert "lab_sheet cannot be asked for certain days" in done.stderr
        assert FeedFolder(lake, "sheet").state == before
        assert aisle(lake.root, "fetch", "--since", "2024-02-01", "--until", "2024-01-01").returncode == 1


def test_wrong_name_lists_those_there_are(lake: Lake) -> None:
    configure(lake, [], {"one": "http://one.invalid/x"})
    done = aisle(lake.root, "fetch", "tow")
    assert done.returncode == 1
    assert "no feed and no source of a feed is called 'tow'; there are one" in done.stderr


def test_nothing_enabled_is_no_fault_and_touches_no_network(lake: Lake) -> None:
    done = aisle(lake.root, "fetch")
    assert done.returncode == 0
    assert "no feed is enabled" in done.stderr
    assert not (lake.root / "fetch" / "feeds").exists()
    assert not any(followed.enabled for followed in read_configuration(lake).feeds.values())


def test_address_is_added_by_what_it_gives(lake: Lake) -> None:
    answers = {"/sheet": Given(table(GOOD)), "/wall": Given(HTML_PAGE), "/closed": Given(b"", 403)}
    with served(lambda asked: answers[asked.path]) as place:
        configure(lake, [place.host], {})
        done = aisle(lake.root, "add", *(f"{place.url}{path}" for path in answers), "ftp://example.org/x")
    assert done.returncode == 1
    assert "/sheet: lab_sheet, 1 records (snapshot" in done.stderr
    assert "/wall: refused: found a bot wall titled “Just a moment...”" in done.stderr
    assert "/closed: HTTP status 403" in done.stderr
    assert "3 of 4 were not taken" in done.stderr
    (snapshot,) = all_snapshots(lake)
    assert (snapshot.origin, snapshot.url, snapshot.http_status) == ("fetch", f"{place.url}/sheet", 200)
    assert len(all_refusals(lake)) == 1


FEED = b"""<rss version="2.0"><channel><title>A feed</title><link>https://example.org/</link>
<item><guid>1</guid><title>One</title><link>https://example.org/1</link></item></channel></rss>"""


def follow(lake: Lake, host: str, **feeds: str) -> None:
    """Write a configuration with feeds by name, each as the lines of its table."""
    configure(lake, [host], {}, "\n".join(f"[feeds.{name}]\n{lines}" for name, lines in feeds.items()))


def test_address_of_a_feed_is_added_as_that_feed(lake: Lake) -> None:
    headers: list[str | None] = []

    def answered(asked: Asked) -> Given:
        headers.append(asked.headers.get("x-key"))
        return Given(FEED if asked.query == {"key": "sesame-sesame"} else b"no", 200 if asked.query else 404)

    with served(answered) as place:
        url = f"{place.url}/feed.xml?key=${{SESAME}}"
        lines = f'source = "feed_items"\nurl = "{url}"\nlicence = "of its own"\nheaders = {{ X-Key = "${{SESAME}}" }}'
        follow(lake, place.host, our_blog=lines)
        environment = {"SESAME": "sesame-sesame"}
        for address in (url, f"{place.url}/feed.xml"):  # the secret need not be given
            done = aisle(lake.root, "add", address, **environment)
            assert done.returncode == 0, done.stderr
            assert "feed_items, 1 records, of the feed our_blog (snapshot" in done.stderr
        assert aisle(lake.root, "fetch", "our_blog", **environment).returncode == 0
    assert set(headers[-3:]) == {"sesame-sesame"}
    (snapshot,) = all_snapshots(lake)  # that of the feed is the same
    assert (snapshot.feed, snapshot.licence, snapshot.url) == ("our_blog", "of its own", url)
    assert snapshot.hints == {"feed": "our_blog", "feed_url": url, "url": url}
    assert not any(b"sesame-sesame" in path.read_bytes() for path in lake.root.rglob("*") if path.is_file())


def test_secret_of_an_address_that_is_not_set_is_told_by_name(lake: Lake) -> None:
    with served(lambda _: Given(FEED)) as place:
        follow(lake, place.host, our_blog=f'source = "feed_items"\nurl = "{place.url}/feed.xml?key=${{SESAME}}"')
        for address in (f"{place.url}/feed.xml", f"{place.url}/other.xml?key=${{SESAME}}"):
            done = aisle(lake.root, "add", address)
            assert done.returncode == 1
            assert "the environment variable SESAME is not set" in done.stderr
    assert [asked.path for asked in place.asked if "xml" in asked.path] == []
    assert all_snapshots(lake) == []


def test_address_that_several_feeds_have_or_that_is_only_a_beginning_is_to_be_fetched(lake: Lake) -> None:
    with served(lambda _: Given(FEED)) as place:
        one = f'source = "feed_items"\nurl = "{place.url}/feed.xml"'
        two = f'source = "forum_posts"\nurl = "{place.url}/graphql"'
        follow(lake, place.host, one=one, other=one, posts=two)
        several = aisle(lake.root, "add", f"{place.url}/feed.xml")
        begun = aisle(lake.root, "add", f"{place.url}/graphql")
    assert "this is the address of the feeds one, other: ask with aisle fetch one or other" in several.stderr
    assert "this is the address of the feed posts, which asks for more: ask with aisle fetch posts" in begun.stderr
    assert several.returncode == begun.returncode == 1
    assert place.asked == []


def test_address_of_a_sheet_that_is_followed_is_read_with_its_columns(lake: Lake) -> None:
    content = table(GOOD).replace(b"Company", b"House", 1)
    with served(lambda _: Given(content)) as place:
        lines = f'source = "lab_sheet"\nurl = "{place.url}/sheet"\nsettings = {{ columns = {{ lab = "House" }} }}'
        follow(lake, place.host, ours=lines)
        done = aisle(lake.root, "add", f"{place.url}/sheet#gid=0")
    assert done.returncode == 0, done.stderr
    assert "lab_sheet, 1 records, of the feed ours" in done.stderr


def test_same_bytes_with_another_address_or_feed_say_what_became_of_that(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "feed.xml").write_bytes(FEED)
    with served(lambda _: Given(FEED)) as place:
        follow(lake, place.host, blog=f'source = "feed_items"\nurl = "{place.url}/feed.xml"')
        commands = [
            str(tmp_path / "feed.xml"),
            f"{place.url}/one.xml",
            f"{place.url}/two.xml",
            f"{place.url}/feed.xml",
            f"{place.url}/two.xml",
            f"{place.url}/feed.xml",
        ]
        told = [aisle(lake.root, "add", address).stderr.splitlines()[0] for address in commands]
    remarks = [line.partition("); ")[2].replace(place.url, "") for line in told]
    assert remarks == [
        "",
        "now with url “/one.xml”",
        "now with url “/two.xml” in the place of url “/one.xml”",
        "now with feed “blog”, url “/feed.xml” in the place of url “/two.xml”",
        "it is held as the feed blog has it, so that url “/two.xml” is not used",
        "",
    ]
    (snapshot,) = all_snapshots(lake)
    assert (snapshot.feed, snapshot.origin, snapshot.url) == ("blog", "fetch", f"{place.url}/feed.xml")


def test_fetch_of_what_was_added_before_makes_it_the_feeds(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "feed.xml").write_bytes(FEED)
    with served(lambda _: Given(FEED)) as place:
        follow(lake, place.host, blog=f'source = "feed_items"\nurl = "{place.url}/feed.xml"')
        assert aisle(lake.root, "add", str(tmp_path / "feed.xml")).returncode == 0
        assert aisle(lake.root, "fetch", "blog").returncode == 0
    (snapshot,) = all_snapshots(lake)
    assert snapshot.feed == "blog"


def test_answer_that_is_not_of_the_feeds_kind_is_refused(lake: Lake) -> None:
    with served(lambda _: Given(table(GOOD))) as place:
        follow(lake, place.host, our_blog=f'source = "feed_items"\nurl = "{place.url}/feed.xml"')
        done = aisle(lake.root, "add", f"{place.url}/feed.xml")
    assert done.returncode == 1
    assert "looked for a feed (<rss>, <feed>)" in done.stderr


def test_file_is_kept_where_the_configuration_cannot_be_read(lake: Lake, tmp_path: Path) -> None:
    lake.root.mkdir()
    (lake.root / "feeds.toml").write_text("[fetch", encoding="utf-8")
    for command in (["fetch"], ["sources"], ["add", "http://127.0.0.1/"]):
        done = aisle(lake.root, *command)
        assert done.returncode == 1
        assert f"{lake.root / 'feeds.toml'}: cannot be read" in done.stderr
        assert "Traceback" not in done.stderr
    (tmp_path / "sheet.csv").write_bytes(table(GOOD))
    assert aisle(lake.root, "add", str(tmp_path / "sheet.csv")).returncode == 0
    assert aisle(lake.root, "run").returncode == 0


def test_own_configuration_is_laid_over_the_bundled_key_by_key(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.root.mkdir()
    bundled = read_configuration(lake)
    name = next(iter(bundled.feeds))
    (lake.root / "feeds.toml").write_text(f"[feeds.{name}]\nenabled = true\n[fetch]\nattempts = 2\n", encoding="utf-8")
    mine = read_configuration(lake)
    assert mine.feeds[name] == bundled.feeds[name].model_copy(update={"enabled": True})
    assert mine.fetch.attempts == 2
    assert mine.fetch.interval_seconds == bundled.fetch.interval_seconds
    other = tmp_path / "other.toml"
    monkeypatch.setenv("AISLE_FEEDS", str(other))
    with pytest.raises(ConfigurationError, match="AISLE_FEEDS names this file"):
        read_configuration(lake)
    other.write_text("[fetch]\nbundled = false\n", encoding="utf-8")
    assert read_configuration(lake).feeds == {}


def test_state_is_json_a_person_can_read(lake: Lake) -> None:
    with served(lambda _: Given(table(GOOD))) as place:
        configure(lake, [place.host], {"sheet": place.url})
        assert aisle(lake.root, "fetch").returncode == 0
    told = json.loads((FeedFolder(lake, "sheet").path / "state.json").read_text(encoding="utf-8"))
    assert (told["is_complete"], told["requests"], told["kept"], told["records"]) == (True, 1, 1, 1)
