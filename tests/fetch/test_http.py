"""The HTTP client: what it sends, how it waits, where it does not go, and how it handles broken responses."""

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

from orchestration.fetch.config import FetchLimits, HostConfig
from orchestration.fetch.http import HttpClient, HttpRequestFailed
from orchestration.fetch.network import is_public
from orchestration.fetch.request_policy import RequestPolicy
from orchestration.ingest.parser_process import detect_failure_page
from orchestration.sources.shared.fetch_plan import Request
from tests.support.http_server import HttpServer, ServerRequest, ServerResponse, serve_http

TINY: dict[str, Any] = {
    "interval_seconds": 0.001,
    "backoff_seconds": 0.01,
    "read_seconds": 30,
    "total_seconds": 60,
    "largest_megabytes": 1,
}
# for the faults of a server that does not respond, or too slowly; a good response may take as long as it does
SLOW_FAULTS = ("silence", "drip", "slow_head")
IMPATIENT = {"read_seconds": 0.4, "total_seconds": 0.8}


class SleepRecorder:
    """Records the seconds of each sleep, without sleeping."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def make_client(
    folder: Path, *servers: HttpServer, sleep: Callable[[float], None] | None = None, **limits: Any
) -> HttpClient:
    allowed = tuple(server.host for server in servers)
    return HttpClient(
        FetchLimits(**{**TINY, "allow_private": allowed, **limits}), (), folder, sleep=sleep or SleepRecorder()
    )


def fetch_content(folder: Path, server: HttpServer, path: str = "/data", **limits: Any) -> bytes:
    return (
        make_client(folder, server, **limits).fetch(Request(f"{server.url}{path}", "it"), make_policy(server)).content
    )


def make_policy(server: HttpServer, **options: Any) -> RequestPolicy:
    return RequestPolicy(server.url, **{"respects_robots": False, **options})


def fail_once(fault: ServerResponse, good: bytes = b"good") -> Callable[[ServerRequest], ServerResponse]:
    """A fault for the first request, and a good response for all others."""
    faults = [fault]
    return lambda _: faults.pop() if faults else ServerResponse(good)


@pytest.mark.parametrize(
    "fault", ["error", "busy", "busy_until", "silence", "hang_up", "cut", "cut_chunks", "drip", "slow_head"]
)
def test_transient_fault_is_retried(tmp_path: Path, fault: str) -> None:
    with serve_http(fail_once(ServerResponse(b"half of it is lost" * 10, fault=fault))) as server:
        limits = {**IMPATIENT, "attempts": 20} if fault in SLOW_FAULTS else {}
        assert fetch_content(tmp_path, server, **limits) == b"good"
        # a busy machine can be too slow for the good response, too
        assert server.count("/data") >= 2 if limits else server.count("/data") == 2


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("redirect_loop", "redirected in a loop"),
        ("bomb", r"over 1,048,576 bytes \([\d,]+ compressed\)"),
        ("silence", "no complete response in time"),
        ("drip", "no complete response in time"),
        ("slow_head", "no complete response in time"),
        ("cut", "an incomplete or malformed response"),
        ("cut_chunks", "an incomplete or malformed response"),
        ("error", "HTTP status 500"),
    ],
)
def test_lasting_fault_is_reported(tmp_path: Path, fault: str, message: str) -> None:
    with serve_http(lambda _: ServerResponse(b"half of it is lost" * 10, fault=fault)) as server:
        with pytest.raises(HttpRequestFailed, match=message):
            fetch_content(tmp_path, server, attempts=2, **(IMPATIENT if fault in SLOW_FAULTS else {}))
        assert server.count("/data") == (1 if fault in {"redirect_loop", "bomb"} else 2)


@pytest.mark.parametrize(
    ("headers", "content", "message"),
    [
        ({"Content-Encoding": "br"}, b"x", "unsupported content encoding 'br'"),
        ({"Content-Encoding": "gzip"}, gzip.compress(b"whole" * 99, mtime=0)[:-9], "ended within its gzip data"),
        ({"Content-Encoding": "gzip"}, b"not gzip", "the response is damaged"),
        ({}, b"x" * (2**20 + 1), "a response of 1,048,577 bytes"),
    ],
)
def test_unusable_response_is_reported(tmp_path: Path, headers: dict[str, str], content: bytes, message: str) -> None:
    with (
        serve_http(lambda _: ServerResponse(content, headers=headers)) as server,
        pytest.raises(HttpRequestFailed, match=message),
    ):
        fetch_content(tmp_path, server, attempts=2)


def test_compressed_response_is_decompressed(tmp_path: Path) -> None:
    content = gzip.compress(b"one ") + gzip.compress(b"two")
    with serve_http(lambda _: ServerResponse(content, headers={"Content-Encoding": "gzip"})) as server:
        assert fetch_content(tmp_path, server) == b"one two"


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_respected_in_both_forms(tmp_path: Path, form: str) -> None:
    sleep, then = SleepRecorder(), dt.datetime.now(dt.UTC) + dt.timedelta(seconds=30)
    pause = "30" if form == "seconds" else format_datetime(then, usegmt=True)
    with serve_http(fail_once(ServerResponse(b"", 429, {"Retry-After": pause}))) as server:
        client = make_client(tmp_path, server, sleep=sleep)
        assert client.fetch(Request(f"{server.url}/data", "it"), make_policy(server)).attempts == 2
    assert max(sleep.seconds) == pytest.approx(30, abs=5)


def test_host_that_requests_a_long_pause_gets_no_requests(tmp_path: Path) -> None:
    with serve_http(lambda _: ServerResponse(b"", 503, {"Retry-After": "7200"})) as server:
        with pytest.raises(HttpRequestFailed, match="requests a pause until") as error:
            fetch_content(tmp_path, server)
        assert error.value.retry_at is not None
        with pytest.raises(HttpRequestFailed, match="requested a pause until"):  # also for other feeds
            fetch_content(tmp_path, server, "/other")
        assert [request.path for request in server.requests] == ["/data"]


def test_pauses_between_retries_grow(tmp_path: Path) -> None:
    sleep = SleepRecorder()
    with (
        serve_http(lambda _: ServerResponse(fault="error")) as server,
        pytest.raises(HttpRequestFailed, match="5 attempts"),
    ):
        make_client(tmp_path, server, sleep=sleep, backoff_seconds=1.0).fetch(
            Request(server.url, "it"), make_policy(server)
        )
    pauses = [pause for pause in sleep.seconds if pause > TINY["interval_seconds"]]
    assert [0.5 * 2**n <= pause <= 1.5 * 2**n for n, pause in enumerate(pauses)] == [True] * 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_permanent_status_is_not_retried(tmp_path: Path, status: int) -> None:
    with serve_http(lambda _: ServerResponse(b"no", status)) as server:
        with pytest.raises(HttpRequestFailed, match=f"HTTP status {status}") as error:
            fetch_content(tmp_path, server)
        assert (error.value.status, server.count("/data")) == (status, 1)


def test_bot_wall_is_reported_and_not_retried(tmp_path: Path) -> None:
    with serve_http(lambda _: ServerResponse(b"", 429, fault="page")) as server:
        client = make_client(tmp_path, server)
        with pytest.raises(HttpRequestFailed, match="a bot wall titled “Just a moment...”") as error:
            client.fetch(Request(server.url, "it"), make_policy(server, detect_failure=detect_failure_page))
        assert error.value.is_refusal
        assert server.count("") + server.count("/") == 1


def redirect_to(status: int, target: str) -> Callable[[ServerRequest], ServerResponse]:
    return lambda request: (
        ServerResponse(b"there") if request.path == "/there" else ServerResponse(b"", status, {"Location": target})
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_followed(tmp_path: Path, status: int) -> None:
    with serve_http(redirect_to(status, "/there")) as server:
        response = make_client(tmp_path, server).fetch(Request(f"{server.url}/here", "it"), make_policy(server))
        assert (response.content, response.url) == (b"there", f"{server.url}/there")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("file:///etc/passwd", "expected an absolute http or https address"),
        ("gopher://127.0.0.1/", "expected an absolute http or https address"),
        ("http://user:word@example.org/", "without a user's name or password"),
        ("http://127.0.0.1:1/", "127.0.0.1 leads to 127.0.0.1, which is not a public address"),
        ("http://169.254.169.254/latest/meta-data/", "not a public address"),
        ("http://localhost:1/", "not a public address"),
    ],
)
def test_forbidden_redirect_is_refused(tmp_path: Path, target: str, message: str) -> None:
    with serve_http(redirect_to(302, target)) as server, pytest.raises(HttpRequestFailed, match=message):
        fetch_content(tmp_path, server)


def test_redirects_end_after_five(tmp_path: Path) -> None:
    def redirect_on(request: ServerRequest) -> ServerResponse:
        return ServerResponse(b"", 302, {"Location": f"/data{len(request.path)}{request.path[5:]}"})

    with serve_http(redirect_on) as server:
        with pytest.raises(HttpRequestFailed, match="more than 5 times"):
            fetch_content(tmp_path, server)
        assert len(server.requests) == 6


def test_post_follows_only_redirects_that_keep_the_method(tmp_path: Path) -> None:
    query = {"method": "POST", "body": {"query": "q"}}
    with serve_http(redirect_to(308, "/there")) as server:
        client = make_client(tmp_path, server)
        assert client.fetch(Request(f"{server.url}/here", "it", **query), make_policy(server)).content == b"there"
        assert [request.body for request in server.requests] == [b'{"query": "q"}'] * 2
    with (
        serve_http(redirect_to(302, "/there")) as server,
        pytest.raises(HttpRequestFailed, match="a POST cannot follow"),
    ):
        make_client(tmp_path, server).fetch(Request(f"{server.url}/here", "it", **query), make_policy(server))


PRIVATE_HOSTS = [
    "127.0.0.1", "127.1", "0x7f000001", "0x7f.1", "2130706433", "017700000001", "0", "0.0.0.0",  # noqa: S104
    "localhost", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "[fe80::1]", "[fd00::1]", "224.0.0.1",
    "[fec0::1]", "192.88.99.1",
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE_HOSTS)
def test_private_address_is_refused_in_every_spelling(tmp_path: Path, host: str) -> None:
    with serve_http(lambda _: ServerResponse(b"secret")) as server:
        port = server.host.partition(":")[2]
        request = Request(f"http://{host}:{port}/", "it")
        with pytest.raises(HttpRequestFailed, match="not a public address|cannot be resolved"):
            HttpClient(FetchLimits(**TINY), (), tmp_path, sleep=SleepRecorder()).fetch(request, make_policy(server))
        assert server.requests == []


def test_connection_goes_to_the_checked_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolutions = [["93.184.216.34"], ["127.0.0.1"], ["93.184.216.34", "10.0.0.1"]]
    connected: list[Any] = []

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in resolutions.pop(0)]

    def connect(address: Any, *_: Any, **__: Any) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    client, request = make_client(tmp_path, attempts=1), Request("http://rebind.example/", "it")
    messages = []
    for _ in range(3):
        with pytest.raises(HttpRequestFailed) as error:
            client.fetch(request, RequestPolicy(request.url, respects_robots=False))
        messages.append(str(error.value))
    assert connected == [("93.184.216.34", 80)]
    assert "cannot be reached" in messages[0]
    assert "leads to 127.0.0.1, which is not a public address" in messages[1]
    assert "leads to 10.0.0.1" in messages[2]  # one private address is enough


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_public_address_is_recognised(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_allowed_private_host_is_not_reached_by_redirect(tmp_path: Path) -> None:
    with serve_http(lambda _: ServerResponse(b"inside")) as inside, serve_http(redirect_to(302, inside.url)) as outside:
        client = make_client(tmp_path, inside)
        assert client.fetch(Request(inside.url, "it"), make_policy(inside)).content == b"inside"
        with pytest.raises(HttpRequestFailed, match="allow_private"):
            client.fetch(Request(outside.url, "it"), make_policy(outside))
        assert len(inside.requests) == 1


ROBOTS = "User-agent: *\nDisallow: /closed*\nAllow: /closed/but-this\nCrawl-delay: 7\n"


def test_robots_txt_is_respected_and_cached(tmp_path: Path) -> None:
    sleep = SleepRecorder()
    with serve_http(lambda _: ServerResponse(b"open"), ROBOTS) as server:
        for _ in range(2):
            client = make_client(tmp_path, server, sleep=sleep)
            policy = make_policy(server, respects_robots=True)
            with pytest.raises(HttpRequestFailed, match="disallows .*closed/all in its robots.txt"):
                client.fetch(Request(f"{server.url}/closed/all", "it"), policy)
            for path in ("/open", "/closed/but-this"):
                assert client.fetch(Request(f"{server.url}{path}", "it"), policy).content == b"open"
        assert server.count("/closed/all") == 0
        assert server.count("/robots.txt") == 1
        assert sleep.seconds[0] == pytest.approx(7, abs=1)
        assert fetch_content(tmp_path, server, "/closed/all") == b"open"  # robots = "ignore"


def test_missing_robots_txt_allows_everything_and_a_failing_one_nothing(tmp_path: Path) -> None:
    with serve_http(lambda _: ServerResponse(b"open")) as server:
        policy = make_policy(server, respects_robots=True)
        assert make_client(tmp_path, server).fetch(Request(f"{server.url}/a", "it"), policy).content == b"open"
    with serve_http(lambda _: ServerResponse(b"open")) as server:
        server._handle = lambda handler: (handler.send_error(503), None)[1]  # type: ignore[method-assign]
        with pytest.raises(HttpRequestFailed, match="HTTP status 503"):
            make_client(tmp_path, server, attempts=1).fetch(
                Request(f"{server.url}/a", "it"), make_policy(server, respects_robots=True)
            )


def test_requests_name_the_program_and_the_contact(tmp_path: Path) -> None:
    with serve_http(lambda _: ServerResponse(b"x")) as server:
        fetch_content(tmp_path, server, contact="someone@example.org")
        (request,) = server.requests
    assert request.headers["user-agent"].startswith("aisle/")
    assert "+someone@example.org" in request.headers["user-agent"]
    assert request.headers["from"] == "someone@example.org"
    assert "cookie" not in request.headers


def test_no_cookie_is_stored(tmp_path: Path) -> None:
    with serve_http(lambda _: ServerResponse(b"x", headers={"Set-Cookie": "a=b"})) as server:
        client = make_client(tmp_path, server)
        for _ in range(2):
            response = client.fetch(Request(server.url, "it"), make_policy(server))
        assert all("cookie" not in request.headers for request in server.requests)
        assert "set-cookie" not in response.headers


def test_stored_response_is_requested_conditionally(tmp_path: Path) -> None:
    def respond(request: ServerRequest) -> ServerResponse:
        is_current = request.headers.get("if-none-match") == '"one"' and "if-modified-since" in request.headers
        return ServerResponse(b"", 304) if is_current else ServerResponse(b"x", headers={"ETag": '"one"'})

    with serve_http(respond) as server:
        client, request = make_client(tmp_path, server), Request(server.url, "it")
        assert client.fetch(request, make_policy(server)).headers["etag"] == '"one"'
        validators = {"etag": '"one"', "last-modified": "Fri, 20 Nov 2026 12:00:00 GMT"}
        assert client.fetch(request, make_policy(server), validators).status == 304


def test_pace_is_shared_by_all_clients_and_by_grouped_hosts(tmp_path: Path) -> None:
    sleep = SleepRecorder()
    limits = FetchLimits(**{**TINY, "interval_seconds": 100})
    shared = HostConfig(names=("127.0.0.1", "localhost"), interval_seconds=3)
    with serve_http(lambda _: ServerResponse(b"x")) as server:
        allowed = (server.host, server.host.replace("127.0.0.1", "localhost"))
        for host in ("127.0.0.1", "localhost", "127.0.0.1"):
            url = server.url.replace("127.0.0.1", host)
            client = HttpClient(limits.model_copy(update={"allow_private": allowed}), [shared], tmp_path, sleep=sleep)
            client.fetch(Request(url, "it"), RequestPolicy(url, respects_robots=False))
    assert sleep.seconds == pytest.approx([3, 6], abs=1)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_concurrency_is_limited(tmp_path: Path, concurrency: int) -> None:
    def respond(_: ServerRequest) -> ServerResponse:
        time.sleep(0.05)
        return ServerResponse(b"x")

    with serve_http(respond) as server:
        client = make_client(tmp_path, server, concurrency=concurrency, total_seconds=30)
        threads = [
            threading.Thread(target=client.fetch, args=(Request(server.url, "it"), make_policy(server)))
            for _ in range(9)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.requests) == 9
        assert server.max_concurrent <= concurrency
