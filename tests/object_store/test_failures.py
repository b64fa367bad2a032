"""What commands show when a store refuses or does not answer: one sentence with the setting to look at."""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestration.cli import app
from tests.support.http_server import ServerResponse, serve_http
from tests.support.object_stores import ADDRESS, hold_all, make_store, write_files
from warehouse.lake import Lake, UnusableLake
from warehouse.object_store import client
from warehouse.object_store.client import NoBucket, StoreUnavailable, open_store
from warehouse.object_store.lease import KEY, LeaseLost
from warehouse.object_store.local_copy import UnusableCache
from warehouse.object_store.reading import ReadableCopy
from warehouse.object_store.writing import WritableCopy
from warehouse.origin import need_releases

REFUSALS = {
    "SignatureDoesNotMatch": (403, "AWS_SECRET_ACCESS_KEY"),
    "InvalidAccessKeyId": (403, "AWS_ACCESS_KEY_ID"),
    "ExpiredToken": (400, "AWS_SESSION_TOKEN"),
    "AccessDenied": (403, "the bucket's rules"),
}


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("obstore", reason="obstore is not installed")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    monkeypatch.setitem(client._RETRY, "max_retries", 0)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_names_the_setting(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    status, setting = REFUSALS[code]
    content = f"<?xml version='1.0'?><Error><Code>{code}</Code><RequestId>x</RequestId></Error>".encode()
    with serve_http(lambda _: ServerResponse(content, status)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        with pytest.raises(StoreUnavailable) as error:
            open_store(ADDRESS).read("lake.json")
    assert str(error.value).startswith(f"{ADDRESS}: {server.url}: ")
    assert setting in str(error.value)
    assert code in str(error.value)
    assert "RequestId" not in str(error.value)


@pytest.mark.usefixtures("credentials")
def test_a_bucket_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"<?xml version='1.0'?><Error><Code>NoSuchBucket</Code></Error>"
    with serve_http(lambda _: ServerResponse(content, 404)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        with pytest.raises(NoBucket, match=r"no such bucket at http.*; make it, or correct the address"):
            open_store(ADDRESS).read("lake.json")


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1", "http://store.invalid"])
def test_a_store_that_does_not_answer_names_the_endpoint(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(StoreUnavailable, match=rf"{endpoint}: .*look at AWS_ENDPOINT_URL"):
        open_store(ADDRESS).read("lake.json")


def test_an_endpoint_of_another_form_is_refused() -> None:
    pytest.importorskip("obstore", reason="obstore is not installed")
    with pytest.raises(UnusableLake, match="AWS_ENDPOINT_URL is ftp://store: give an address with https://"):
        open_store(ADDRESS, {"AWS_ENDPOINT_URL": "ftp://store"})


def test_missing_credentials_are_named() -> None:
    text = (
        "Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token in 1 s - error sending request"
    )
    assert "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in client.explain_failure(text, "")
    assert client.explain_failure("something\nwith details", "") == (
        "Amazon's S3 (AWS_ENDPOINT_URL is not set): something"
    )


def test_a_release_is_reported_only_once_it_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = make_store()

    @contextmanager
    def hold(_: object) -> Generator[Lake]:
        copy = WritableCopy(ADDRESS, tmp_path / "work", store)
        with hold_all(copy):
            yield Lake(copy.root, copy)
            write_files(copy.root, checks_="1")
            store.put(KEY, b"")  # as if another writer had taken it

    monkeypatch.setattr(app, "hold_lake", hold)
    monkeypatch.setattr(app, "run_job", lambda *_, **__: "release v1")
    with pytest.raises(LeaseLost, match="nothing of this was stored or published; repeat the command"):
        app.run()
    assert capsys.readouterr() == ("", "")


def test_a_full_cache_is_no_damage_of_the_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_store()
    writer = WritableCopy(ADDRESS, tmp_path / "work", store)
    with hold_all(writer):
        write_files(writer.root, last_run_="1")
    download = store.download

    def fill(key: str, path: Path, digest: str) -> None:
        download(key, path, digest)
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(store, "download", fill)
    monkeypatch.setenv("AISLE_CACHE", str(tmp_path))
    with pytest.raises(UnusableCache, match=rf"AISLE_CACHE={tmp_path} cannot be used: No space left.* not affected"):
        ReadableCopy(ADDRESS, tmp_path / "read", store).open_for_reading(need_releases)


def test_a_cache_that_is_no_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("AISLE_CACHE", str(tmp_path / "file"))
    store, root = make_store(), tmp_path / "file" / "lake"
    with pytest.raises(UnusableCache, match=r"AISLE_CACHE=.*/file cannot be used: Not a directory"):
        ReadableCopy(ADDRESS, root, store).open_for_reading(need_releases)
    with (
        pytest.raises(UnusableCache, match=r"AISLE_CACHE=.*/file cannot be used"),
        hold_all(WritableCopy(ADDRESS, root, store)),
    ):
        pass
