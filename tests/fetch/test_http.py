"""The polite client: what it sends, how it waits, where it does not go, and what it makes of broken answers."""

from __future__ import annotations

import datetime as dt
import gzip
import ipaddress
import socket
import threading
import time
from collections.abc import Callable
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from orchestration.fetch.config import Host, Limits
from orchestration.fetch.credentials import Secrets
from orchestration.fetch.http import Client, Manner, NotFetched
from orchestration.fetch.network import is_public
from orchestration.ingest.parser_process import failure_in_bytes
from orchestration.sources.shared.fetch_plan import Request
from tests.support.http_server import Asked, Given, Place, served

TINY: dict[str, Any] = {
    "interval_seconds": 0.001,
    "backoff_seconds": 0.01,
    "read_seconds": 0.4,
    "total_seconds": 0.8,
    "largest_megabytes": 1,
}


class Slept:
    """Notes how long was to be waited, and waits a little."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def client(folder: Path, *places: Place, sleep: Callable[[float], None] | None = None, **limits: Any) -> Client:
    allowed = tuple(place.host for place in places)
    return Client(Limits(**{**TINY, "allow_private": allowed, **limits}), (), folder, sleep=sleep or Slept())


def get(folder: Path, place: Place, path: str = "/data", **limits: Any) -> bytes:
    return client(folder, place, **limits).fetch(Request(f"{place.url}{path}", "it"), manner(place)).content


def manner(place: Place, **facts: Any) -> Manner:
    return Manner(place.url, **{"heeds_robots": False, **facts})


def first_then(fault: Given, good: bytes = b"good") -> Callable[[Asked], Given]:
    """A fault for the first request, and a good answer for all others."""
    left = [fault]
    return lambda _: left.pop() if left else Given(good)


@pytest.mark.parametrize(
    "fault", ["error", "busy", "busy_until", "silence", "hang_up", "cut", "cut_chunks", "drip", "slow_head"]
)
def test_passing_fault_is_asked_again(tmp_path: Path, fault: str) -> None:
    with served(first_then(Given(b"half of it is lost" * 10, fault=fault))) as place:
        assert get(tmp_path, place) == b"good"
        assert place.count("/data") == 2


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("circle", "redirected in a circle"),
        ("bomb", "over 1,048,576 bytes that came as"),
        ("silence", "no whole answer in time"),
        ("drip", "no whole answer in time"),
        ("slow_head", "no whole answer in time"),
        ("cut", "the answer broke off or was malformed"),
        ("cut_chunks", "the answer broke off or was malformed"),
        ("error", "HTTP status 500"),
    ],
)
def test_lasting_fault_is_told(tmp_path: Path, fault: str, told: str) -> None:
    with served(lambda _: Given(b"half of it is lost" * 10, fault=fault)) as place:
        with pytest.raises(NotFetched, match=told):
            get(tmp_path, place, attempts=2)
        assert place.count("/data") == (1 if fault in {"circle", "bomb"} else 2)


@pytest.mark.parametrize(
    ("headers", "content", "told"),
    [
        ({"Content-Encoding": "br"}, b"x", "packed as 'br', which was not asked for"),
        ({"Content-Encoding": "gzip"}, gzip.compress(b"whole" * 99, mtime=0)[:-9], "broke off within its gzip packing"),
        ({"Content-Encoding": "gzip"}, b"not gzip", "the answer is damaged"),
        ({}, b"x" * (2**20 + 1), "an answer of 1,048,577 bytes"),
    ],
)
def test_answer_that_cannot_be_used_is_told(tmp_path: Path, headers: dict[str, str], content: bytes, told: str) -> None:
    with served(lambda _: Given(content, headers=headers)) as place, pytest.raises(NotFetched, match=told):
        get(tmp_path, place, attempts=2)


def test_packed_answer_is_unpacked(tmp_path: Path) -> None:
    packed = gzip.compress(b"one ") + gzip.compress(b"two")
    with served(lambda _: Given(packed, headers={"Content-Encoding": "gzip"})) as place:
        assert get(tmp_path, place) == b"one two"


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_heeded_in_both_forms(tmp_path: Path, form: str) -> None:
    slept, then = Slept(), dt.datetime.now(dt.UTC) + dt.timedelta(seconds=30)
    pause = "30" if form == "seconds" else format_datetime(then, usegmt=True)
    with served(first_then(Given(b"", 429, {"Retry-After": pause}))) as place:
        asking = client(tmp_path, place, sleep=slept)
        assert asking.fetch(Request(f"{place.url}/data", "it"), manner(place)).attempts == 2
    assert max(slept.seconds) == pytest.approx(30, abs=5)


def test_host_that_asks_for_more_than_one_waits_is_left_alone(tmp_path: Path) -> None:
    with served(lambda _: Given(b"", 503, {"Retry-After": "7200"})) as place:
        with pytest.raises(NotFetched, match="asks to be left alone until") as told:
            get(tmp_path, place)
        assert told.value.retry_at is not None
        with pytest.raises(NotFetched, match="asked to be left alone until"):  # nor does another feed ask it
            get(tmp_path, place, "/other")
        assert [asked.path for asked in place.asked] == ["/data"]


def test_pauses_grow(tmp_path: Path) -> None:
    slept = Slept()
    with served(lambda _: Given(fault="error")) as place, pytest.raises(NotFetched, match="5 attempts"):
        client(tmp_path, place, sleep=slept, backoff_seconds=1.0).fetch(Request(place.url, "it"), manner(place))
    pauses = [pause for pause in slept.seconds if pause > TINY["interval_seconds"]]
    assert [0.5 * 2**n <= pause <= 1.5 * 2**n for n, pause in enumerate(pauses)] == [True] * 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_status_that_will_stay_is_not_asked_again(tmp_path: Path, status: int) -> None:
    with served(lambda _: Given(b"no", status)) as place:
        with pytest.raises(NotFetched, match=f"HTTP status {status}") as told:
            get(tmp_path, place)
        assert (told.value.status, place.count("/data")) == (status, 1)


def test_bot_wall_is_told_and_not_asked_again(tmp_path: Path) -> None:
    with served(lambda _: Given(b"", 429, fault="page")) as place:
        asking = client(tmp_path, place)
        with pytest.raises(NotFetched, match="a bot wall titled “Just a moment...”") as told:
            asking.fetch(Request(place.url, "it"), manner(place, look=failure_in_bytes))
        assert told.value.is_refusal
        assert place.count("") + place.count("/") == 1


def redirecting(status: int, target: str) -> Callable[[Asked], Given]:
    return lambda asked: Given(b"there") if asked.path == "/there" else Given(b"", status, {"Location": target})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_followed(tmp_path: Path, status: int) -> None:
    with served(redirecting(status, "/there")) as place:
        reply = client(tmp_path, place).fetch(Request(f"{place.url}/here", "it"), manner(place))
        assert (reply.content, reply.url) == (b"there", f"{place.url}/there")


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("file:///etc/passwd", "expected an absolute http or https address"),
        ("gopher://127.0.0.1/", "expected an absolute http or https address"),
        ("http://user:word@example.org/", "without a user's name or password"),
        ("http://127.0.0.1:1/", "127.0.0.1 leads to 127.0.0.1, which is not a public address"),
        ("http://169.254.169.254/latest/meta-data/", "not a public address"),
        ("http://localhost:1/", "not a public address"),
    ],
)
def test_redirect_that_must_not_be_followed_is_refused(tmp_path: Path, target: str, told: str) -> None:
    with served(redirecting(302, target)) as place, pytest.raises(NotFetched, match=told):
        get(tmp_path, place)


def test_redirects_end_after_five(tmp_path: Path) -> None:
    def further(asked: Asked) -> Given:
        return Given(b"", 302, {"Location": f"/data{len(asked.path)}{asked.path[5:]}"})

    with served(further) as place:
        with pytest.raises(NotFetched, match="more than 5 times"):
            get(tmp_path, place)
        assert len(place.asked) == 6


def test_query_follows_only_where_it_stays_a_query(tmp_path: Path) -> None:
    question = {"method": "POST", "body": {"query": "q"}}
    with served(redirecting(308, "/there")) as place:
        asking = client(tmp_path, place)
        assert asking.fetch(Request(f"{place.url}/here", "it", **question), manner(place)).content == b"there"
        assert [asked.body for asked in place.asked] == [b'{"query": "q"}'] * 2
    with served(redirecting(302, "/there")) as place, pytest.raises(NotFetched, match="a query cannot follow"):
        client(tmp_path, place).fetch(Request(f"{place.url}/here", "it", **question), manner(place))


PRIVATE = [
    "127.0.0.1", "127.1", "0x7f000001", "0x7f.1", "2130706433", "017700000001", "0", "0.0.0.0",  # noqa: S104
    "localhost", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "[fe80::1]", "[fd00::1]", "224.0.0.1",
    "[fec0::1]", "192.88.99.1",
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
def test_no_spelling_of_a_private_address_is_connected_to(tmp_path: Path, host: str) -> None:
    with served(lambda _: Given(b"secret")) as place:
        port = place.host.partition(":")[2]
        request = Request(f"http://{host}:{port}/", "it")
        with pytest.raises(NotFetched, match="not a public address|cannot be resolved"):
            Client(Limits(**TINY), (), tmp_path, sleep=Slept()).fetch(request, manner(place))
        assert place.asked == []


def test_name_is_resolved_once_and_connected_to_where_it_was_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [["93.184.216.34"], ["127.0.0.1"], ["93.184.216.34", "10.0.0.1"]]
    connected: list[Any] = []

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers.pop(0)]

    def connect(address: Any, *_: Any, **__: Any) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    asking, request = client(tmp_path, attempts=1), Request("http://rebind.example/", "it")
    told = []
    for _ in range(3):
        with pytest.raises(NotFetched) as error:
            asking.fetch(request, Manner(request.url, heeds_robots=False))
        told.append(str(error.value))
    assert connected == [("93.184.216.34", 80)]
    assert "cannot be reached" in told[0]
    assert "leads to 127.0.0.1, which is not a public address" in told[1]
    assert "leads to 10.0.0.1" in told[2]  # one of its addresses is enough


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_public_address_is_known(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_allowance_is_for_that_host_and_port_and_not_for_redirects_from_elsewhere(tmp_path: Path) -> None:
    with served(lambda _: Given(b"inside")) as inside, served(redirecting(302, inside.url)) as outside:
        asking = client(tmp_path, inside)
        assert asking.fetch(Request(inside.url, "it"), manner(inside)).content == b"inside"
        with pytest.raises(NotFetched, match="allow_private"):
            asking.fetch(Request(outside.url, "it"), manner(outside))
        assert len(inside.asked) == 1


ROBOTS = "User-agent: *\nDisallow: /closed*\nAllow: /closed/but-this\nCrawl-delay: 7\n"


def test_robots_txt_is_heeded_and_asked_once_a_day(tmp_path: Path) -> None:
    slept = Slept()
    with served(lambda _: Given(b"open"), ROBOTS) as place:
        for _ in range(2):
            asking = client(tmp_path, place, sleep=slept)
            heeding = manner(place, heeds_robots=True)
            with pytest.raises(NotFetched, match="asks programs not to read .*closed/all"):
                asking.fetch(Request(f"{place.url}/closed/all", "it"), heeding)
            for path in ("/open", "/closed/but-this"):
                assert asking.fetch(Request(f"{place.url}{path}", "it"), heeding).content == b"open"
        assert place.count("/closed/all") == 0
        assert place.count("/robots.txt") == 1
        assert slept.seconds[0] == pytest.approx(7, abs=1)
        assert get(tmp_path, place, "/closed/all") == b"open"  # where the configuration says to ignore it


def test_without_robots_txt_everything_may_be_read_but_not_while_it_cannot_be_had(tmp_path: Path) -> None:
    with served(lambda _: Given(b"open")) as place:
        heeding = manner(place, heeds_robots=True)
        assert client(tmp_path, place).fetch(Request(f"{place.url}/a", "it"), heeding).content == b"open"
    with served(lambda _: Given(b"open")) as place:
        place._handle = lambda handler: (handler.send_error(503), None)[1]  # type: ignore[method-assign]
        with pytest.raises(NotFetched, match="HTTP status 503"):
            client(tmp_path, place, attempts=1).fetch(Request(f"{place.url}/a", "it"), manner(place, heeds_robots=True))


def test_says_who_asks(tmp_path: Path) -> None:
    with served(lambda _: Given(b"x")) as place:
        get(tmp_path, place, contact="someone@example.org")
        (asked,) = place.asked
    assert asked.headers["user-agent"].startswith("aisle/")
    assert "+someone@example.org" in asked.headers["user-agent"]
    assert asked.headers["from"] == "someone@example.org"
    assert "cookie" not in asked.headers


def test_no_cookie_is_kept(tmp_path: Path) -> None:
    with served(lambda _: Given(b"x", headers={"Set-Cookie": "a=b"})) as place:
        asking = client(tmp_path, place)
        for _ in range(2):
            reply = asking.fetch(Request(place.url, "it"), manner(place))
        assert all("cookie" not in asked.headers for asked in place.asked)
        assert "set-cookie" not in reply.headers


def test_what_is_held_is_asked_for_on_condition(tmp_path: Path) -> None:
    def answering(asked: Asked) -> Given:
        is_held = asked.headers.get("if-none-match") == '"one"' and "if-modified-since" in asked.headers
        return Given(b"", 304) if is_held else Given(b"x", headers={"ETag": '"one"'})

    with served(answering) as place:
        asking, request = client(tmp_path, place), Request(place.url, "it")
        assert asking.fetch(request, manner(place)).headers["etag"] == '"one"'
        held = {"etag": '"one"', "last-modified": "Fri, 20 Nov 2026 12:00:00 GMT"}
        assert asking.fetch(request, manner(place), held).status == 304


SECRETS = Secrets(frozenset({"A_KEY"}), {"A_KEY": "very/secret value", "OTHER_KEY": "another secret"})


def test_secret_goes_to_the_feed_s_own_host_alone(tmp_path: Path) -> None:
    with served(lambda _: Given(b"x")) as other, served(redirecting(307, f"{other.url}/x?y=1")) as home:
        asking = client(tmp_path, home, other)
        request = Request(
            f"{home.url}/?key=${{A_KEY}}&o=${{OTHER_KEY}}", "it", headers={"X-Mine": "${A_KEY}", "X-Plain": "p"}
        )
        reply = asking.fetch(request, manner(home, secrets=SECRETS, headers={"X-Key": "Bearer ${A_KEY}"}))
        (sent,) = home.asked
        assert sent.query == {"key": "very/secret value", "o": "${OTHER_KEY}"}  # only what the feed itself names
        assert (sent.headers["x-key"], sent.headers["x-mine"]) == ("Bearer very/secret value", "very/secret value")
        (elsewhere,) = other.asked
        assert "x-key" not in elsewhere.headers
        assert "x-mine" not in elsewhere.headers
        assert elsewhere.headers["x-plain"] == "p"
        assert reply.url == f"{other.url}/x?y=1"
        asking.fetch(Request(f"{other.url}/?key=${{A_KEY}}", "it"), manner(home, secrets=SECRETS))
        assert other.asked[-1].query == {"key": "${A_KEY}"}


def test_secret_that_a_server_repeats_is_hidden_again(tmp_path: Path) -> None:
    def answering(asked: Asked) -> Given:
        return Given(f"next: /?key={asked.query['key']}".encode(), headers={"Link": "</?key=very%2Fsecret%20value>"})

    with served(answering) as place:
        asking = client(tmp_path, place)
        reply = asking.fetch(Request(f"{place.url}/?key=${{A_KEY}}", "it"), manner(place, secrets=SECRETS))
    assert reply.content == b"next: /?key=${A_KEY}"
    assert reply.headers["link"] == "</?key=${A_KEY}>"
    assert reply.url.endswith("/?key=${A_KEY}")


@pytest.mark.parametrize(("value", "told"), [("", "A_KEY is not set"), ("short", "fewer than 8 characters")])
def test_missing_secret_is_told_by_name(tmp_path: Path, value: str, told: str) -> None:
    with served(lambda _: Given(b"x")) as place:
        secrets = Secrets(frozenset({"A_KEY"}), {"A_KEY": value})
        with pytest.raises(NotFetched, match=told):
            client(tmp_path, place).fetch(Request(f"{place.url}/?k=${{A_KEY}}", "it"), manner(place, secrets=secrets))
        assert place.asked == []


def test_pace_is_one_for_all_clients_of_a_lake_and_for_hosts_that_share_it(tmp_path: Path) -> None:
    slept = Slept()
    limits = Limits(**{**TINY, "interval_seconds": 100})
    shared = Host(names=("127.0.0.1", "localhost"), interval_seconds=3)
    with served(lambda _: Given(b"x")) as place:
        allowed = (place.host, place.host.replace("127.0.0.1", "localhost"))
        for host in ("127.0.0.1", "localhost", "127.0.0.1"):
            url = place.url.replace("127.0.0.1", host)
            asking = Client(limits.model_copy(update={"allow_private": allowed}), [shared], tmp_path, sleep=slept)
            asking.fetch(Request(url, "it"), Manner(url, heeds_robots=False))
    assert slept.seconds == pytest.approx([3, 6], abs=1)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_so_many_at_a_time_and_no_more(tmp_path: Path, concurrency: int) -> None:
    def answering(_: Asked) -> Given:
        time.sleep(0.05)
        return Given(b"x")

    with served(answering) as place:
        asking = client(tmp_path, place, concurrency=concurrency, total_seconds=30)
        threads = [
            threading.Thread(target=asking.fetch, args=(Request(place.url, "it"), manner(place))) for _ in range(9)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(place.asked) == 9
        assert place.most_at_once <= concurrency
