"""Security of the HTTP client: private networks, pauses that hosts request, secrets."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from orchestration.fetch.credentials import Secrets
from orchestration.fetch.http import HttpRequestFailed
from orchestration.fetch.network import normalize_allowed_hosts, normalize_host_and_port
from orchestration.fetch.request_policy import RequestPolicy
from orchestration.sources.shared.fetch_plan import Request
from tests.fetch.test_http import SleepRecorder, make_client, make_policy, redirect_to
from tests.support.http_server import ServerRequest, ServerResponse, serve_http


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
def test_host_has_one_spelling(url: str, allowed: str) -> None:
    assert normalize_host_and_port(url) in normalize_allowed_hosts([allowed])


@pytest.mark.parametrize("host", ["127.0.0.1", "127\u30020\u30020\u30021"])
def test_response_of_public_host_cannot_lead_to_private_host(tmp_path: Path, host: str) -> None:
    with (
        serve_http(lambda _: ServerResponse(b"inside")) as inside,
        serve_http(lambda _: ServerResponse(b"outside")) as outside,
    ):
        client = make_client(tmp_path, inside)
        linked = Request(inside.url.replace("127.0.0.1", host), "the next page")
        with pytest.raises(HttpRequestFailed, match="a public host led into your own network"):
            client.fetch(linked, make_policy(outside))
        assert inside.requests == []


@pytest.mark.parametrize("url", ["http://[bad/", "http://host:99999/", "nothing"])
def test_invalid_address_is_reported(tmp_path: Path, url: str) -> None:
    with pytest.raises(HttpRequestFailed, match="cannot be requested"):
        make_client(tmp_path).fetch(Request(url, "it"), RequestPolicy("https://example.org/"))


def test_unsendable_validator_is_left_out(tmp_path: Path) -> None:
    with serve_http(lambda _: ServerResponse(b"x")) as server:
        validators = {"etag": '"\u00e9"', "last-modified": "Fri, 20 Nov 2026 12:00:00 GMT"}
        assert (
            make_client(tmp_path, server).fetch(Request(server.url, "it"), make_policy(server), validators).content
            == b"x"
        )
        assert "if-none-match" not in server.requests[0].headers
        assert "if-modified-since" in server.requests[0].headers


def test_pause_of_a_host_is_limited_to_a_day(tmp_path: Path) -> None:
    limited = pytest.raises(HttpRequestFailed, match="11,574 days, limited to 1 day")
    with serve_http(lambda _: ServerResponse(b"", 503, {"Retry-After": "999999999"})) as server, limited as error:
        make_client(tmp_path, server).fetch(Request(server.url, "it"), make_policy(server))
    until = error.value.retry_at
    assert until is not None
    assert until - dt.datetime.now(dt.UTC) <= dt.timedelta(days=1)


def test_pause_applies_to_the_host_that_requests_it(tmp_path: Path) -> None:
    def respond(request: ServerRequest) -> ServerResponse:
        if request.headers["host"].startswith("localhost"):
            return ServerResponse(b"", 302, {"Location": f"{server.url}/there"})
        return ServerResponse(b"", 503, {"Retry-After": "7200"})

    with serve_http(respond) as server:
        local = server.host.replace("127.0.0.1", "localhost")
        client = make_client(tmp_path, server, allow_private=(server.host, local))
        with pytest.raises(HttpRequestFailed, match="requests a pause"):
            client.fetch(
                Request(f"http://{local}/here", "it"), RequestPolicy(f"http://{local}/", respects_robots=False)
            )
    paces = {path.name: float(path.read_text()) for path in (tmp_path / "pace").glob("*.next")}
    assert paces["127.0.0.1.next"] > paces["localhost.next"] + 7000


SECRETS = Secrets(frozenset({"A_KEY"}), {"A_KEY": "very/secret value", "OTHER_KEY": "another secret"})


def test_secret_is_sent_to_the_own_host_of_a_feed_only(tmp_path: Path) -> None:
    with (
        serve_http(lambda _: ServerResponse(b"x")) as other,
        serve_http(redirect_to(307, f"{other.url}/x?y=1")) as home,
    ):
        client = make_client(tmp_path, home, other)
        request = Request(
            f"{home.url}/?key=${{A_KEY}}&o=${{OTHER_KEY}}", "it", headers={"X-Mine": "${A_KEY}", "X-Plain": "p"}
        )
        response = client.fetch(request, make_policy(home, secrets=SECRETS, headers={"X-Key": "Bearer ${A_KEY}"}))
        (sent,) = home.requests
        assert sent.query == {"key": "very/secret value", "o": "${OTHER_KEY}"}  # only secrets that the feed may use
        assert (sent.headers["x-key"], sent.headers["x-mine"]) == ("Bearer very/secret value", "very/secret value")
        (elsewhere,) = other.requests
        assert "x-key" not in elsewhere.headers
        assert "x-mine" not in elsewhere.headers
        assert elsewhere.headers["x-plain"] == "p"
        assert response.url == f"{other.url}/x?y=1"
        client.fetch(Request(f"{other.url}/?key=${{A_KEY}}", "it"), make_policy(home, secrets=SECRETS))
        assert other.requests[-1].query == {"key": "${A_KEY}"}


def test_secret_repeated_by_a_server_is_hidden(tmp_path: Path) -> None:
    def respond(request: ServerRequest) -> ServerResponse:
        return ServerResponse(
            f"next: /?key={request.query['key']}".encode(), headers={"Link": "</?key=very%2Fsecret%20value>"}
        )

    with serve_http(respond) as server:
        client = make_client(tmp_path, server)
        response = client.fetch(Request(f"{server.url}/?key=${{A_KEY}}", "it"), make_policy(server, secrets=SECRETS))
    assert response.content == b"next: /?key=${A_KEY}"
    assert response.headers["link"] == "</?key=${A_KEY}>"
    assert response.url.endswith("/?key=${A_KEY}")


@pytest.mark.parametrize(("value", "message"), [("", "A_KEY is not set"), ("short", "fewer than 8 characters")])
def test_missing_secret_is_reported_by_name(tmp_path: Path, value: str, message: str) -> None:
    with serve_http(lambda _: ServerResponse(b"x")) as server:
        secrets = Secrets(frozenset({"A_KEY"}), {"A_KEY": value})
        with pytest.raises(HttpRequestFailed, match=message):
            make_client(tmp_path, server).fetch(
                Request(f"{server.url}/?k=${{A_KEY}}", "it"), make_policy(server, secrets=secrets)
            )
        assert server.requests == []


def test_secret_with_a_line_break_is_neither_sent_nor_shown(tmp_path: Path) -> None:
    with serve_http(lambda _: ServerResponse(b"x")) as server:
        secrets = Secrets(frozenset({"A_KEY"}), {"A_KEY": "open sesame\nagain"})
        with pytest.raises(HttpRequestFailed, match="A_KEY holds a line break") as error:
            make_client(tmp_path, server).fetch(
                Request(server.url, "it"), make_policy(server, secrets=secrets, headers={"X-Key": "${A_KEY}"})
            )
        bad = make_policy(server, headers={"X-Key": "open\nsesame"})
        with pytest.raises(HttpRequestFailed, match="a header has a character that is not allowed") as quoted:
            make_client(tmp_path, server, sleep=SleepRecorder()).fetch(Request(server.url, "it"), bad)
        assert server.requests == []
    assert "sesame" not in f"{error.value} {quoted.value}"


SPECIAL_CHARACTERS = 'p+q/r s"t\\u&\u00e9'


@pytest.mark.parametrize(
    "form",
    [
        SPECIAL_CHARACTERS,
        "p%2bq%2fr%20s%22t%5cu%26%c3%a9",
        "p%2Bq%2Fr+s%22t%5Cu%26%C3%A9",
        'p+q\\/r s\\"t\\\\u&\\u00e9',
        "p&#43;q&#x2F;r s&quot;t&#92;u&amp;&eacute;",
        "p&plus;q&sol;r&#32;s&#034;t&#x5c;u&#38;&#233;",
    ],
)
def test_secret_is_hidden_in_every_encoding(form: str) -> None:
    secrets = Secrets(frozenset({"A_KEY"}), {"A_KEY": SPECIAL_CHARACTERS})
    assert secrets.hide(f"<{form}>") == "<${A_KEY}>"
    assert secrets.hide_bytes(f"<{form}>".encode()) == b"<${A_KEY}>"
