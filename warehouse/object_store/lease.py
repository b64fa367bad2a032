"""The lease of the writer of a lake on an object store: an object that its holder renews while it works.

No clocks are compared. A waiting writer watches the object: if it has not changed for as long as the holder has
promised to renew it, the holder is gone. A commit is safe without the lease, since it is a conditional write of its
own; the lease only keeps two writers from working in vain.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any

from warehouse.object_store.client import ObjectChanged, ObjectStore, StoredObject, StoreUnavailable
from warehouse.origin import OriginError
from warehouse.table import utc_now

KEY = "lease.json"
RENEW_SECONDS = 10.0
EXPIRY_SECONDS = 60.0


class LeaseLost(OriginError):
    """Another writer has taken the lake, since this one did not renew its lease in time."""


class WriterLease:
    """The lease of one writer.

    Args:
        store: The store of the lake.
        place: The folder in which this writer works, with its machine. The caller holds a lock of that folder, so a
            lease of the same place is one of a process that has ended.
        holder: The process, for messages.
        renew_seconds: How often it is renewed.
        expiry_seconds: How long others wait for a renewal before they take it.
    """

    def __init__(
        self,
        store: ObjectStore,
        place: str,
        holder: str,
        *,
        renew_seconds: float = RENEW_SECONDS,
        expiry_seconds: float = EXPIRY_SECONDS,
    ) -> None:
        self._store, self._place, self._holder = store, place, holder
        self._renew_seconds, self._expiry_seconds = renew_seconds, expiry_seconds
        self._held: StoredObject | None = None
        self._renewing = threading.Lock()

    @contextmanager
    def hold(self, log: Callable[[str], object]) -> Generator[None]:
        """Take the lease, waiting for another writer with a message, and renew it until the context is left.

        Raises:
            StoreUnavailable: The store cannot be used.
        """
        self._take(log)
        has_ended = threading.Event()
        renewal = threading.Thread(target=self._keep, args=(has_ended,), daemon=True)
        renewal.start()
        try:
            yield
        finally:
            has_ended.set()
            renewal.join()
            self._give_back()

    def require(self) -> None:
        """Renew the lease now.

        Raises:
            LeaseLost: Another writer has taken it.
            StoreUnavailable: The store cannot be used.
        """
        with self._renewing:
            if self._held is not None:
                try:
                    self._held = self._store.replace(KEY, self._build(), self._held.tag)
                except ObjectChanged:
                    self._held = None
            if self._held is None:
                raise LeaseLost(
                    f"{self._store.address}: this writer was cut off from the store, and another one has taken the"
                    " lake, so that nothing of this was stored or published; repeat the command: it starts from what is"
                    " stored, with the documents that were added here"
                )

    def _take(self, log: Callable[[str], object]) -> None:
        watched: StoredObject | None = None
        since = time.monotonic()
        while True:
            found = self._store.read(KEY, watched)
            if found is not watched:
                since = time.monotonic()
            facts = _read_facts(found)
            expiry_seconds = float(facts.get("expiry_seconds", self._expiry_seconds))
            is_free = not facts.get("holder") or facts.get("place") == self._place
            if is_free or time.monotonic() - since > expiry_seconds:
                try:
                    self._held = self._store.replace(KEY, self._build(), None if found is None else found.tag)
                except ObjectChanged:
                    continue
                return
            if watched is None:
                log(f"another writer uses the lake {self._store.address} ({facts['holder']}); waiting for it to end")
            watched = found
            time.sleep(min(self._renew_seconds, 2.0, expiry_seconds / 4))

    def _keep(self, has_ended: threading.Event) -> None:
        while not has_ended.wait(self._renew_seconds):
            try:
                self.require()
            except LeaseLost:
                return
            except StoreUnavailable:  # tried again; what counts is the renewal before the commit
                continue

    def _give_back(self) -> None:
        with self._renewing:
            if self._held is not None:
                with suppress(ObjectChanged, StoreUnavailable):  # it expires
                    self._store.replace(KEY, self._build(is_free=True), self._held.tag)
                self._held = None

    def _build(self, *, is_free: bool = False) -> bytes:
        facts: dict[str, Any] = {
            "holder": "" if is_free else self._holder,
            "place": self._place,
            "expiry_seconds": self._expiry_seconds,
            "renewed_at": utc_now().isoformat(),
            "token": uuid.uuid4().hex,
        }
        return json.dumps(facts, indent=1).encode()


def _read_facts(found: StoredObject | None) -> dict[str, Any]:
    """What a lease object holds; empty, as if free, if it is missing or damaged."""
    try:
        facts = json.loads(found.content) if found else {}
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
