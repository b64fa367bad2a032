"""The commands ``add``, ``fetch`` and ``sources`` as a person uses them: messages, effects and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestration.fetch.config import ConfigurationError, read_configuration
from orchestration.fetch.journal import FeedFolder
from orchestration.ingest.refused import list_refused_files
from orchestration.ingest.snapshots import list_snapshots
from tests.conftest import copy_lake, run_aisle
from tests.sources.test_lab_sheet import GOOD, build_csv
from tests.support.http_server import HTML_PAGE, ServerRequest, ServerResponse, serve_http
from tests.support.sheet_server import write_feeds_config
from warehouse.lake import Lake
from warehouse.release import read_current_release


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def test_fetched_data_are_released_by_a_run(empty_lake: Lake, tmp_path: Path) -> None:
    lake = copy_lake(empty_lake, tmp_path / "lake")
    with (
        serve_http(lambda _: ServerResponse(build_csv(GOOD))) as server,
        serve_http(lambda _: ServerResponse(b"", 404)) as gone,
    ):
        write_feeds_config(lake, [server.host, gone.host], {"sheet": server.url, "gone": gone.url})
        result = run_aisle(lake.root, "fetch")
        requests = len(server.requests) + len(gone.requests)
        ran = run_aisle(lake.root, "run", AISLE_BUNDLED="no")
        assert len(server.requests) + len(gone.requests) == requests  # a run touches no network
    assert result.returncode == 1
    assert "✓ sheet: 1 requests (1 kept), 1 records" in result.stderr
    assert "✗ gone: gone: HTTP status 404 (1 requests (1 failed), 0 records)" in result.stderr
    assert "1 of 2 feeds are not complete" in result.stderr
    assert ran.returncode == 0, ran.stderr
    assert "feed gone is not complete (1 times): gone: HTTP status 404" in ran.stdout
    with read_current_release(lake).connect() as connection:
        columns = "feed, result, http_status, records, reason, snapshot_id is not null"
        rows = connection.execute(f"select {columns} from raw.fetches order by feed").fetchall()
        assert rows == [("gone", "failed", 404, None, "HTTP status 404", False), ("sheet", "kept", 200, 1, None, True)]
        assert connection.execute("select origin, feed, url from raw.snapshots").fetchall() == [
            ("fetch", "sheet", server.url)
        ]
        assert connection.execute("select list, entries from clean.lists").fetchall() == [("sheet", 1)]
    shown = run_aisle(lake.root, "sources", COLUMNS="300").stdout
    (line,) = [line for line in shown.splitlines() if line.strip().startswith("gone")]
    assert "not complete (1 times): gone: HTTP status 404" in line
    (line,) = [line for line in shown.splitlines() if line.strip().startswith("sheet ")]
    assert " complete " in line


def test_without_a_network_each_feed_reports_it_and_stored_data_stay_released(
    released_lake: Lake, tmp_path: Path
) -> None:
    lake = copy_lake(released_lake, tmp_path / "lake")
    write_feeds_config(lake, [], {"one": "http://one.invalid/x", "two": "http://127.0.0.1:9/x"}, attempts=2)
    result = run_aisle(lake.root, "fetch")
    assert result.returncode == 1
    assert "✗ one: one: cannot be reached: the name one.invalid cannot be resolved" in result.stderr
    assert "✗ two: two: 127.0.0.1 leads to 127.0.0.1, which is not a public address" in result.stderr
    assert "Traceback" not in result.stderr
    assert run_aisle(lake.root, "run").returncode == 0


def test_backfill_leaves_the_watermark(lake: Lake) -> None:
    with serve_http(lambda _: ServerResponse(build_csv(GOOD))) as server:
        write_feeds_config(lake, [server.host], {"sheet": server.url})
        assert run_aisle(lake.root, "fetch", "sheet").returncode == 0
        before = FeedFolder(lake, "sheet").state
        result = run_aisle(lake.root, "fetch", "lab_sheet", "--since", "2024-01-01")
        assert result.returncode == 1
        assert "lab_sheet cannot be fetched for certain days" in result.stderr
        assert FeedFolder(lake, "sheet").state == before
        assert run_aisle(lake.root, "fetch", "--since", "2024-02-01", "--until", "2024-01-01").returncode == 1


def test_unknown_feed_name_lists_the_known_ones(lake: Lake) -> None:
    write_feeds_config(lake, [], {"one": "http://one.invalid/x"})
    result = run_aisle(lake.root, "fetch", "tow")
    assert result.returncode == 1
    assert "no feed, set of feeds or source of a feed is named 'tow'; there are: one" in result.stderr


def test_no_enabled_feed_is_no_error_and_uses_no_network(lake: Lake) -> None:
    result = run_aisle(lake.root, "fetch")
    assert result.returncode == 0
    assert "no feed is followed" in result.stderr
    assert not (lake.root / "fetch" / "feeds").exists()
    assert not any(feed.enabled for feed in read_configuration(lake).feeds.values())


def test_address_is_added_by_the_content_of_its_response(lake: Lake) -> None:
    answers = {
        "/sheet": ServerResponse(build_csv(GOOD)),
        "/wall": ServerResponse(HTML_PAGE),
        "/closed": ServerResponse(b"", 403),
    }
    with serve_http(lambda request: answers[request.path]) as server:
        write_feeds_config(lake, [server.host], {})
        result = run_aisle(lake.root, "add", *(f"{server.url}{path}" for path in answers), "ftp://example.org/x")
    assert result.returncode == 1
    assert "/sheet: lab_sheet, 1 records (snapshot" in result.stderr
    assert "/wall: refused: found a bot wall titled “Just a moment...”" in result.stderr
    assert "/closed: HTTP status 403" in result.stderr
    assert "3 of 4 were not added" in result.stderr
    (snapshot,) = list_snapshots(lake)
    assert (snapshot.origin, snapshot.url, snapshot.http_status) == ("fetch", f"{server.url}/sheet", 200)
    assert len(list_refused_files(lake)) == 1


FEED = b"""<rss version="2.0"><channel><title>A feed</title><link>https://example.org/</link>
<item><guid>1</guid><title>One</title><link>https://example.org/1</link></item></channel></rss>"""


def write_feeds(lake: Lake, host: str, **feeds: str) -> None:
    """Write a configuration with feeds by name, each as the lines of its table."""
    write_feeds_config(lake, [host], {}, "\n".join(f"[feeds.{name}]\n{lines}" for name, lines in feeds.items()))


def test_address_of_a_feed_is_added_as_that_feed(lake: Lake) -> None:
    headers: list[str | None] = []

    def respond(request: ServerRequest) -> ServerResponse:
        headers.append(request.headers.get("x-key"))
        return ServerResponse(
            FEED if request.query == {"key": "sesame-sesame"} else b"no", 200 if request.query else 404
        )

    with serve_http(respond) as server:
        url = f"{server.url}/feed.xml?key=${{SESAME}}"
        lines = f'source = "feed_items"\nurl = "{url}"\nlicence = "of its own"\nheaders = {{ X-Key = "${{SESAME}}" }}'
        write_feeds(lake, server.host, our_blog=lines)
        environment = {"SESAME": "sesame-sesame"}
        for address in (url, f"{server.url}/feed.xml"):  # the secret can be left out
            result = run_aisle(lake.root, "add", address, **environment)
            assert result.returncode == 0, result.stderr
            assert "feed_items, 1 records, of the feed our_blog (snapshot" in result.stderr
        assert run_aisle(lake.root, "fetch", "our_blog", **environment).returncode == 0
    assert set(headers[-3:]) == {"sesame-sesame"}
    (snapshot,) = list_snapshots(lake)  # the feed has the same one
    assert (snapshot.feed, snapshot.licence, snapshot.url) == ("our_blog", "of its own", url)
    assert snapshot.hints == {"feed": "our_blog", "feed_url": url, "url": url}
    assert not any(b"sesame-sesame" in path.read_bytes() for path in lake.root.rglob("*") if path.is_file())


def test_missing_secret_of_an_address_is_reported_by_name(lake: Lake) -> None:
    with serve_http(lambda _: ServerResponse(FEED)) as server:
        write_feeds(lake, server.host, our_blog=f'source = "feed_items"\nurl = "{server.url}/feed.xml?key=${{SESAME}}"')
        for address in (f"{server.url}/feed.xml", f"{server.url}/other.xml?key=${{SESAME}}"):
            result = run_aisle(lake.root, "add", address)
            assert result.returncode == 1
            assert "the environment variable SESAME is not set" in result.stderr
    assert [request.path for request in server.requests if "xml" in request.path] == []
    assert list_snapshots(lake) == []


def test_address_of_several_feeds_or_of_a_feed_with_more_requests_is_not_added(lake: Lake) -> None:
    with serve_http(lambda _: ServerResponse(FEED)) as server:
        one = f'source = "feed_items"\nurl = "{server.url}/feed.xml"'
        two = f'source = "forum_posts"\nurl = "{server.url}/graphql"'
        write_feeds(lake, server.host, one=one, other=one, posts=two)
        several = run_aisle(lake.root, "add", f"{server.url}/feed.xml")
        begun = run_aisle(lake.root, "add", f"{server.url}/graphql")
    assert "this is the address of the feeds one, other: use aisle fetch one or other" in several.stderr
    assert "this is the address of the feed posts, which needs more: use aisle fetch posts" in begun.stderr
    assert several.returncode == begun.returncode == 1
    assert server.requests == []


def test_address_of_a_sheet_feed_is_read_with_its_columns(lake: Lake) -> None:
    content = build_csv(GOOD).replace(b"Company", b"House", 1)
    with serve_http(lambda _: ServerResponse(content)) as server:
        lines = f'source = "lab_sheet"\nurl = "{server.url}/sheet"\nsettings = {{ columns = {{ lab = "House" }} }}'
        write_feeds(lake, server.host, ours=lines)
        result = run_aisle(lake.root, "add", f"{server.url}/sheet#gid=0")
    assert result.returncode == 0, result.stderr
    assert "lab_sheet, 1 records, of the feed ours" in result.stderr


def test_same_bytes_with_another_address_or_feed_report_the_change(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "feed.xml").write_bytes(FEED)
    with serve_http(lambda _: ServerResponse(FEED)) as server:
        write_feeds(lake, server.host, blog=f'source = "feed_items"\nurl = "{server.url}/feed.xml"')
        commands = [
            str(tmp_path / "feed.xml"),
            f"{server.url}/one.xml",
            f"{server.url}/two.xml",
            f"{server.url}/feed.xml",
            f"{server.url}/two.xml",
            f"{server.url}/feed.xml",
        ]
        lines = [run_aisle(lake.root, "add", address).stderr.splitlines()[0] for address in commands]
    remarks = [line.partition("); ")[2].replace(server.url, "") for line in lines]
    assert remarks == [
        "",
        "now with url “/one.xml”",
        "now with url “/two.xml” instead of url “/one.xml”",
        "now with feed “blog”, url “/feed.xml” instead of url “/two.xml”",
        "it belongs to the feed blog: url “/two.xml” is not used",
        "",
    ]
    (snapshot,) = list_snapshots(lake)
    assert (snapshot.feed, snapshot.origin, snapshot.url) == ("blog", "fetch", f"{server.url}/feed.xml")


def test_fetch_of_bytes_added_before_assigns_them_to_the_feed(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "feed.xml").write_bytes(FEED)
    with serve_http(lambda _: ServerResponse(FEED)) as server:
        write_feeds(lake, server.host, blog=f'source = "feed_items"\nurl = "{server.url}/feed.xml"')
        assert run_aisle(lake.root, "add", str(tmp_path / "feed.xml")).returncode == 0
        assert run_aisle(lake.root, "fetch", "blog").returncode == 0
    (snapshot,) = list_snapshots(lake)
    assert snapshot.feed == "blog"


def test_response_of_another_kind_than_its_feed_is_refused(lake: Lake) -> None:
    with serve_http(lambda _: ServerResponse(build_csv(GOOD))) as server:
        write_feeds(lake, server.host, our_blog=f'source = "feed_items"\nurl = "{server.url}/feed.xml"')
        result = run_aisle(lake.root, "add", f"{server.url}/feed.xml")
    assert result.returncode == 1
    assert "looked for a feed (<rss>, <feed>)" in result.stderr


def test_unreadable_configuration_stops_fetches_but_not_files(empty_lake: Lake, tmp_path: Path) -> None:
    lake = copy_lake(empty_lake, tmp_path / "lake")
    (lake.root / "feeds.toml").write_text("[fetch", encoding="utf-8")
    for command in (["fetch"], ["sources"], ["add", "http://127.0.0.1/"]):
        result = run_aisle(lake.root, *command)
        assert result.returncode == 1
        assert f"{lake.root / 'feeds.toml'}: cannot be read" in result.stderr
        assert "Traceback" not in result.stderr
    (tmp_path / "sheet.csv").write_bytes(build_csv(GOOD))
    assert run_aisle(lake.root, "add", str(tmp_path / "sheet.csv")).returncode == 0
    assert run_aisle(lake.root, "run", AISLE_BUNDLED="no").returncode == 0
    assert read_current_release(lake).number == 2


def test_own_configuration_overrides_the_bundled_key_by_key(
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


def test_feed_state_is_readable_json(lake: Lake) -> None:
    with serve_http(lambda _: ServerResponse(build_csv(GOOD))) as server:
        write_feeds_config(lake, [server.host], {"sheet": server.url})
        assert run_aisle(lake.root, "fetch").returncode == 0
    state = json.loads((FeedFolder(lake, "sheet").path / "state.json").read_text(encoding="utf-8"))
    assert (state["is_complete"], state["requests"], state["kept"], state["records"]) == (True, 1, 1, 1)
