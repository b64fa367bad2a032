"""Following feeds: from the bundled default to a lake that grows, asked once, and back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestration.fetch.config import ConfigurationError, read_configuration
from orchestration.fetch.following import _AMOUNTS, describe_fetches, write_followed
from orchestration.sources.registry import SOURCES
from tests.conftest import run_aisle
from tests.sources import test_arxiv, test_feed, test_forum, test_lab_site, test_openalex
from tests.support.builders import fetch_rows
from tests.support.http_server import ServerRequest, ServerResponse, serve_http
from warehouse.lake import Lake
from warehouse.release import read_current_release

KEY = {"OPENALEX_API_KEY": "sesame-sesame"}
DEEPMIND = "I4210090411"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.delenv("AISLE_FEEDS", raising=False)
    monkeypatch.delenv("OPENALEX_API_KEY", raising=False)
    return Lake(tmp_path / "lake")


def answer_as_all_hosts(request: ServerRequest) -> ServerResponse:
    """The response of each host of the starter set; the first part of the path is the name of the feed."""
    feed = request.path.split("/")[1]
    if feed == "openai_news":
        item = test_feed.build_item(1, title="How tools change habits", link="https://openai.com/index/tools-habits/")
        return ServerResponse(test_feed.build_rss(item))
    if feed in {"deepmind_blog", "axrp"}:
        item = test_feed.build_item(2, title=f"An entry of {feed}", link=f"https://example.org/{feed}")
        return ServerResponse(test_feed.build_rss(item))
    if feed == "arxiv_safety_search":
        return ServerResponse(test_arxiv.build_atom(1, 0, "2401.00009v1"))
    if feed == "alignment_forum_posts":
        return ServerResponse(test_forum.build_response("posts", test_forum.build_post()), headers=JSON)
    if feed == "openalex_deepmind":
        author = test_openalex.build_authorship("Ada Byron", "Google DeepMind, London", DEEPMIND)
        work = test_openalex.build_work(
            71, title="Agents that keep their habits", publication_date="2026-05-06", authorships=[author], locations=[]
        )
        return ServerResponse(test_openalex.build_page(work, next_cursor=None, count=1), headers=JSON)
    if feed.startswith("openalex_"):
        return ServerResponse(test_openalex.build_page(next_cursor=None, count=0), headers=JSON)
    if feed == "anthropic_pages":
        sitemap = test_lab_site.build_sitemap("/research/habits-of-circuits")
        return ServerResponse(
            sitemap.replace(b"https://www.anthropic.com", f"http://{request.headers['host']}".encode())
        )
    if feed == "research":
        text = "<p>March 4, 2026</p><h1>Habits of circuits</h1>" + "<p>Several words of a text.</p>" * 50
        return ServerResponse(test_lab_site.build_page(text, url=""))
    return ServerResponse(test_lab_site.INDEX.replace(b"About one.", b"About one." + b" More of it." * 50))


def write_addresses(lake: Lake, url: str, host: str) -> None:
    """Configure the addresses of the bundled starter set at a server, with tiny waits."""
    configuration = read_configuration(lake)
    lines = ["[fetch]", f'allow_private = ["{host}"]', "interval_seconds = 0.001", "backoff_seconds = 0.005"]
    for name in configuration.sets["starter"]:
        _, separator, query = configuration.feeds[name].url.partition("?")
        lines += [f"[feeds.{name}]", f'url = "{url}/{name}/{separator}{query}"']
        if configuration.feeds[name].source == "lab_pages":  # which is known by its address
            settings = {**configuration.feeds[name].settings, "lab": "Anthropic"}
            lines += [f"[feeds.{name}.settings]", *(f"{key} = {value!r}" for key, value in settings.items())]
    lake.root.mkdir(parents=True, exist_ok=True)
    (lake.root / "feeds.toml").write_text("\n".join(lines))


def test_the_starter_set_makes_a_living_lake(released_lake: Lake, lake: Lake) -> None:
    shutil.copytree(released_lake.root, lake.root, symlinks=True)
    with serve_http(answer_as_all_hosts) as server:
        write_addresses(lake, server.url, server.host)
        done = run_aisle(lake.root, "follow", "starter", "--yes", "--contact", "me@example.org", **KEY)
        fetched = {request.path.split("/")[1] for request in server.requests}
    configuration = read_configuration(lake)
    starter = set(configuration.sets["starter"])
    assert done.returncode == 0, [line for line in done.stderr.splitlines() if "✗" in line]
    assert fetched - {"robots.txt", "research"} == starter
    assert {name for name, feed in configuration.feeds.items() if feed.enabled} == starter
    assert configuration.fetch.contact == "me@example.org"
    assert "openalex_deepmind" in done.stdout
    assert "CC0 1.0" in done.stdout
    query = "select works from mart.corpus_coverage where corpus = 'lab_publications'"
    ((works,),) = fetch_rows(read_current_release(lake), query)
    assert works > 78
    assert f"lab_publications: {works} works, 2022-" in done.stdout, done.stdout + done.stderr
    assert "to 2026-05-06" in done.stdout
    stopped = run_aisle(lake.root, "unfollow", "starter")
    assert "what they brought stays" in stopped.stderr
    assert not any(feed.enabled for feed in read_configuration(lake).feeds.values())


def test_nothing_changes_without_a_confirmation(lake: Lake) -> None:
    done = run_aisle(lake.root, "follow", "openai_news")
    assert done.returncode == 1
    assert "openai.com/news/rss.xml" in done.stdout
    assert "the feed, one request" in done.stdout
    assert "nothing was changed: repeat it with --yes" in done.stderr
    assert not (lake.root / "feeds.toml").exists()


def test_feeds_without_their_key_are_left_out_of_a_set_and_refused_by_name(lake: Lake) -> None:
    done = run_aisle(lake.root, "follow", "starter", "--yes", "--no-fetch")
    assert done.returncode == 0
    assert "left out: openalex_openai: the environment variable OPENALEX_API_KEY is not set" in done.stderr
    assert "next: aisle fetch" in done.stderr
    followed = {name for name, feed in read_configuration(lake).feeds.items() if feed.enabled}
    assert "openai_news" in followed
    assert not any(name.startswith("openalex") for name in followed)
    done = run_aisle(lake.root, "follow", "openalex_openai", "--yes")
    assert done.returncode == 1
    assert "openalex_openai needs the environment variable OPENALEX_API_KEY" in done.stderr


def test_unknown_names_are_refused_with_those_that_there_are(lake: Lake) -> None:
    for command in ("follow", "unfollow"):
        done = run_aisle(lake.root, command, "startre")
        assert done.returncode == 1
        assert "no feed, set of feeds or source of a feed is named 'startre'; there are: starter, " in done.stderr


def test_the_file_of_the_user_keeps_its_comments_and_order(lake: Lake) -> None:
    lake.root.mkdir(parents=True)
    file = lake.root / "feeds.toml"
    own = '# mine\n[feeds.axrp]   # weekly is enough\ncadence = "weekly"\n\n[fetch]\nparallel = 2\n'
    file.write_text(own)
    write_followed(lake, ["axrp", "openai_news"], is_followed=True, contact="me@example.org")
    text = file.read_text()
    assert text.index("# mine") < text.index("[feeds.axrp]   # weekly is enough") < text.index("parallel = 2")
    configuration = read_configuration(lake)
    assert [name for name, feed in configuration.feeds.items() if feed.enabled] == ["openai_news", "axrp"]
    assert (configuration.fetch.parallel, configuration.fetch.contact) == (2, "me@example.org")


@pytest.mark.parametrize(("own", "problem"), [("feeds = 3", "found a value at feeds"), ("x = [", "Unexpected")])
def test_a_file_that_is_no_configuration_is_left_as_it_is(lake: Lake, own: str, problem: str) -> None:
    lake.root.mkdir(parents=True)
    (lake.root / "feeds.toml").write_text(own)
    with pytest.raises(ValueError, match=problem):
        write_followed(lake, ["axrp"], is_followed=True)
    assert (lake.root / "feeds.toml").read_text() == own


def test_sets_name_feeds_that_exist(lake: Lake) -> None:
    lake.root.mkdir(parents=True)
    (lake.root / "feeds.toml").write_text('[sets]\nmine = ["axrp", "nothing"]\naxrp = ["openai_news"]\n')
    with pytest.raises(ConfigurationError) as found:
        read_configuration(lake)
    assert "sets.mine: found 'nothing', which is no feed" in str(found.value)
    assert "sets.axrp: a feed has this name" in str(found.value)


def test_what_a_fetch_requests_is_described_for_each_source(lake: Lake) -> None:
    assert set(_AMOUNTS) == {source.name for source in SOURCES if source.fetch}
    configuration = read_configuration(lake)
    outlooks = {o.feed.name: o for o in describe_fetches(lake, configuration, configuration.feeds.values(), {})}
    assert outlooks["alignment_forum_posts"].amount.startswith("all posts since 2015-01-01, at least ")
    assert outlooks["anthropic_pages"].amount.endswith("at most 100 of them in each fetch")
    assert outlooks["transformer_circuits"].amount == "the page that lists the articles, one request"
    assert outlooks["openalex_openai"].amount == "all works that match since 2016-01-01, 100 in a request"
    assert outlooks["openalex_openai"].interval_seconds == 0.2
