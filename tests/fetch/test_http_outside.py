"""What places outside may not do to the client: lead it inside, silence a host, learn or repeat a secret."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from orchestration.fetch.credentials import Secrets
from orchestration.fetch.http import Manner, NotFetched
from orchestration.fetch.network import allowed_places, place_of
from orchestration.sources.shared.fetch_plan import Request
from tests.fetch.test_http import Slept, client, manner
from tests.support.http_server import Asked, Given, served


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://[::1]:8080/x", "[::1]:8080"),
        ("http://[0:0::1]:8080/x", "[::1]:8080"),
        ("http://127\u30020\u30020\u30021:8080/", "127.0.0.1:8080"),
        ("http://WIKI.example./", "wiki.example:80"),
        ("https://wiki.example/", "wiki.example:443"),
    ],
)
def test_place_has_one_spelling(url: str, allowed: str) -> None:
    assert place_of(url) in allowed_places([allowed])


@pytest.mark.parametrize("host", ["127.0.0.1", "127\u30020\u30020\u30021"])
def test_answer_from_outside_leads_to_no_place_inside(tmp_path: Path, host: str) -> None:
    with served(lambda _: Given(b"inside")) as inside, served(lambda _: Given(b"outside")) as outside:
        asking = client(tmp_path, inside)
        named = Request(inside.url.replace("127.0.0.1", host), "the next page")
        with pytest.raises(NotFetched, match="led from outside into your own network"):
            asking.fetch(named, manner(outside))
        assert inside.asked == []


@pytest.mark.parametrize("url", ["http://[bad/", "http://host:99999/", "nothing"])
def test_address_that_is_none_is_told(tmp_path: Path, url: str) -> None:
    with pytest.raises(NotFetched, match="cannot be asked"):
        client(tmp_path).fetch(Request(url, "it"), Manner("https://example.org/"))


def test_validator_that_cannot_be_sent_back_is_left_out(tmp_path: Path) -> None:
    with served(lambda _: Given(b"x")) as place:
        held = {"etag": '"\u00e9"', "last-modified": "Fri, 20 Nov 2026 12:00:00 GMT"}
        assert client(tmp_path, place).fetch(Request(place.url, "it"), manner(place), held).content == b"x"
        assert "if-none-match" not in place.asked[0].headers
        assert "if-modified-since" in place.asked[0].headers


def test_no_host_is_silenced_for_longer_than_a_day(tmp_path: Path) -> None:
    heeded = pytest.raises(NotFetched, match="11,574 days, of which one is heeded")
    with served(lambda _: Given(b"", 503, {"Retry-After": "999999999"})) as place, heeded as told:
        client(tmp_path, place).fetch(Request(place.url, "it"), manner(place))
    until = told.value.retry_at
    assert until is not None
    assert until - dt.datetime.now(dt.UTC) <= dt.timedelta(days=1)


def test_pause_is_for_the_host_that_asks_for_it(tmp_path: Path) -> None:
    def answering(asked: Asked) -> Given:
        if asked.headers["host"].startswith("localhost"):
            return Given(b"", 302, {"Location": f"{place.url}/there"})
        return Given(b"", 503, {"Retry-After": "7200"})

    with served(answering) as place:
        local = place.host.replace("127.0.0.1", "localhost")
        asking = client(tmp_path, place, allow_private=(place.host, local))
        with pytest.raises(NotFetched, match="left alone"):
            asking.fetch(Request(f"http://{local}/here", "it"), Manner(f"http://{local}/", heeds_robots=False))
    paces = {path.name: float(path.read_text()) for path in (tmp_path / "pace").glob("*.next")}
    assert paces["127.0.0.1.next"] > paces["localhost.next"] + 7000


def test_secret_with_a_line_break_is_neither_sent_nor_shown(tmp_path: Path) -> None:
    with served(lambda _: Given(b"x")) as place:
        secrets = Secrets(frozenset({"A_KEY"}), {"A_KEY": "open sesame\nagain"})
        with pytest.raises(NotFetched, match="A_KEY holds a line break") as told:
            client(tmp_path, place).fetch(
                Request(place.url, "it"), manner(place, secrets=secrets, headers={"X-Key": "${A_KEY}"})
            )
        bad = manner(place, headers={"X-Key": "open\nsesame"})
        with pytest.raises(NotFetched, match="a header holds what no header can") as quoted:
            client(tmp_path, place, sleep=Slept()).fetch(Request(place.url, "it"), bad)
        assert place.asked == []
    assert "sesame" not in f"{told.value} {quoted.value}"


WORD = 'p+q/r s"t\\u&\u00e9'


@pytest.mark.parametrize(
    "form",
    [
        WORD,
        "p%2bq%2fr%20s%22t%5cu%26%c3%a9",
        "p%2Bq%2Fr+s%22t%5Cu%26%C3%A9",
        'p+q\\/r s\\"t\\\\u&\\u00e9',
        "p&#43;q&#x2F;r s&quot;t&#92;u&amp;&eacute;",
        "p&plus;q&sol;r&#32;s&#034;t&#x5c;u&#38;&#233;",
    ],
)
def test_secret_is_hidden_in_every_form(form: str) -> None:
    secrets = Secrets(frozenset({"A_KEY"}), {"A_KEY": WORD})
    assert secrets.hidden(f"<{form}>") == "<${A_KEY}>"
    assert secrets.hidden_bytes(f"<{form}>".encode()) == b"<${A_KEY}>"
