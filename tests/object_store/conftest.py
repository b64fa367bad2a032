"""The real object store of `make test-store`: Ceph's RADOS gateway, from Debian packages."""

from __future__ import annotations

import os
from collections.abc import Generator
from uuid import uuid4

import pytest

from tests.support.object_gateway import find_missing_programs, make_bucket, serve_gateway

BUCKET = "lakes"


@pytest.fixture(scope="session")
def gateway() -> Generator[dict[str, str]]:
    """The variables of a gateway with a bucket; skips the test unless `make test-store` runs it."""
    if not os.environ.get("AISLE_TEST_STORE"):
        pytest.skip("`make test-store` runs this against a real object store")
    if missing := find_missing_programs():
        pytest.skip(f"no object store here: {', '.join(missing)} of the packages ceph-mon, ceph-osd and radosgw")
    with serve_gateway() as variables:
        make_bucket(variables, BUCKET)
        yield variables


@pytest.fixture
def address(gateway: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path) -> str:
    """The address of a new lake at the gateway, which the environment leads to."""
    for name, value in gateway.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AISLE_CACHE", str(tmp_path / "cache"))
    return f"s3://{BUCKET}/{uuid4().hex[:8]}"
