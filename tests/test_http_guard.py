"""The guard of requests: host names, origins and security headers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from warehouse.http_guard import RequestGuard, build_frame_headers, list_own_names, read_name_list


async def answer_websocket(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


def make_client(*added: str, address: str = "localhost", **headers: str) -> TestClient:
    guard = Middleware(RequestGuard, own_names=list_own_names(address), added_names=added, headers=headers)
    routes = [
        Route("/", lambda _: PlainTextResponse("page"), methods=["GET", "POST"]),
        Route("/own", lambda _: PlainTextResponse("page", headers={"Referrer-Policy": "origin"})),
        WebSocketRoute("/stream", answer_websocket),
    ]
    return TestClient(Starlette(routes=routes, middleware=[guard]), base_url="http://localhost:8501")


def opens_websocket(client: TestClient, headers: dict[str, str]) -> bool:
    try:
        with client.websocket_connect("/stream", headers=headers) as socket:
            return socket.receive_text() == "hello"
    except WebSocketDisconnect:
        return False


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("localhost:8501", True),
        ("LocalHost.", True),
        ("127.0.0.1", True),
        ("[::1]:8501", True),
        ("lake.example.org", True),
        ("a.wild.example.org:443", True),
        ("wild.example.org", False),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("evil.example:8501", False),
        ("localhost@evil.example", False),
        ("localhost:port", False),
        ("localhost/evil.example", False),
        ("[::1", False),
        ("127.0.0.2", False),
        ("", False),
    ],
)
def test_requests_and_websockets_are_answered_under_own_names_only(host: str, is_own: bool) -> None:
    client = make_client("lake.example.org", "*.wild.example.org")
    response = client.get("/", headers={"Host": host})
    assert response.status_code == (200 if is_own else 403)
    assert (response.text == "page") == is_own
    assert opens_websocket(client, {"Host": host}) == is_own


@pytest.mark.parametrize(
    ("origin", "is_own"),
    [
        ("http://localhost:8501", True),
        ("https://lake.example.org", True),
        ("http://localhost:8888", False),  # another server on this machine
        ("http://127.0.0.1:8501", False),
        ("http://evil.example", False),
        ("null", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_requests_of_pages_of_other_origins_are_refused(origin: str, is_own: bool) -> None:
    client = make_client("lake.example.org")
    assert client.post("/", headers={"Origin": origin}).status_code == (200 if is_own else 403)
    assert opens_websocket(client, {"Host": "localhost:8501", "Origin": origin}) == is_own


def test_any_host_does_not_mean_any_origin() -> None:
    client = make_client("*")
    own = {"Host": "any.example", "Origin": "https://any.example"}
    assert client.get("/", headers=own).status_code == 200
    assert client.get("/", headers={**own, "Origin": "https://evil.example"}).status_code == 403


def test_request_without_a_single_host_is_refused() -> None:
    def get(*hosts: bytes) -> int:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def app(*_: Any) -> None:
            raise AssertionError("passed on")

        scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", host) for host in hosts]}
        guard: Any = RequestGuard(app, list_own_names("localhost"), [], {})
        asyncio.run(guard(scope, None, send))
        return sent[0]["status"]

    assert get() == 403
    assert get(b"localhost", b"evil.example") == 403


def test_responses_have_security_headers_unless_they_set_them() -> None:
    client = make_client(**{"content-security-policy": "default-src 'self'"})
    response = client.get("/")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "same-origin"
    assert response.headers["content-security-policy"] == "default-src 'self'"
    assert client.get("/own").headers.get_list("referrer-policy") == ["origin"]
    assert client.get("/missing").headers["x-content-type-options"] == "nosniff"
    refused = client.get("/", headers={"Host": "evil.example"})
    assert refused.headers["x-content-type-options"] == "nosniff"
    assert "evil" not in refused.text


def test_all_addresses_have_the_names_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "Machine")
    monkeypatch.setattr("socket.getfqdn", lambda: "machine.example.org.")
    local = ["localhost", "127.0.0.1", "::1"]
    assert list_own_names("localhost") == local
    assert list_own_names("192.0.2.7") == [*local, "192.0.2.7"]
    assert list_own_names("[2001:db8::1]") == [*local, "2001:db8::1"]
    for address in ("0.0.0.0", "::", ""):  # noqa: S104 - not bound
        assert list_own_names(address) == [*local, "machine", "machine.example.org"]


def test_names_are_separated_by_commas_or_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAMES", " Lake.example.org., other  [::2]")
    assert read_name_list("NAMES") == ["lake.example.org", "other", "::2"]
    assert read_name_list("NO_SUCH_NAMES") == []


def test_frames_are_only_of_listed_origins() -> None:
    assert build_frame_headers([]) == ("'none'", {"x-frame-options": "DENY"})
    assert build_frame_headers(["https://a.example", "'self'"]) == ("https://a.example 'self'", {})
    for wrong in ("a.example", "https://a.example; script-src *", "https://a.example/page", "javascript:alert(1)"):
        with pytest.raises(ValueError, match="is not an origin"):
            build_frame_headers([wrong])
