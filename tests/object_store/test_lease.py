"""The lease of a writer: one holder, renewed while it works, taken over when it is not renewed."""

from __future__ import annotations

import json
import threading

import pytest

from tests.support.object_stores import make_store
from warehouse.object_store.client import ObjectStore
from warehouse.object_store.lease import KEY, LeaseLost, WriterLease


def make_lease(store: ObjectStore, place: str, expiry_seconds: float = 60.0) -> WriterLease:
    renew_seconds = min(expiry_seconds / 4, 0.05)
    return WriterLease(store, place, f"writer {place}", renew_seconds=renew_seconds, expiry_seconds=expiry_seconds)


def test_a_second_writer_waits_for_the_first_to_end() -> None:
    store, messages, order = make_store(), list[str](), list[str]()
    is_waiting = threading.Event()

    def work_second() -> None:
        def log(text: str) -> None:
            messages.append(text)
            is_waiting.set()

        with make_lease(store, "b").hold(log):
            order.append("second")

    with make_lease(store, "a").hold(messages.append):
        second = threading.Thread(target=work_second)
        second.start()
        assert is_waiting.wait(30)
        order.append("first")
    second.join(30)
    assert order == ["first", "second"]
    assert messages == ["another writer uses the lake s3://bucket/lake (writer a); waiting for it to end"]


def test_the_lease_of_an_ended_process_in_the_same_folder_is_taken_at_once() -> None:
    store, messages = make_store(), list[str]()
    killed = make_lease(store, "a")
    killed._take(messages.append)  # and never given back
    with make_lease(store, "a").hold(messages.append):
        assert messages == []
    with pytest.raises(LeaseLost):
        killed.require()


def test_a_lease_that_is_not_renewed_expires_and_its_holder_notices() -> None:
    store, messages = make_store(), list[str]()
    stopped = make_lease(store, "a", expiry_seconds=0.2)
    stopped._take(messages.append)
    with make_lease(store, "b").hold(messages.append), pytest.raises(LeaseLost):
        stopped.require()
    assert len(messages) == 1


def test_a_renewed_lease_does_not_expire() -> None:
    store, is_taken = make_store(), threading.Event()
    holder = make_lease(store, "a", expiry_seconds=2.0)

    def take() -> None:
        with make_lease(store, "b").hold(lambda _: None):
            is_taken.set()

    with holder.hold(lambda _: None):
        second = threading.Thread(target=take)
        second.start()
        assert not is_taken.wait(3.0)  # longer than the lease would last without renewal
        holder.require()
    assert is_taken.wait(30)
    second.join(30)


def test_a_damaged_lease_is_free() -> None:
    store = make_store()
    store.put(KEY, b"no JSON")
    with make_lease(store, "a").hold(lambda _: None):
        pass
    found = store.read(KEY)
    assert found is not None
    assert json.loads(found.content)["holder"] == ""
