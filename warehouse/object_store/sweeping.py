"""Removal of objects that the lake does not need: of older versions, and of writers that were killed.

What was written within the grace period stays, since a reader may still have the version that names it. The moment is
that of the store's own clock. Objects that the store does not list yet are found the next time.
"""

from __future__ import annotations

from warehouse.object_store import lease
from warehouse.object_store.client import ObjectStore
from warehouse.object_store.versions import PUBLISHED_LOGS, STATE, LakeVersion, build_key, read_published_logs
from warehouse.origin import UnneededObjects

GRACE_SECONDS = 24 * 3600.0


def sweep_objects(
    store: ObjectStore, version: LakeVersion, *, is_confirmed: bool, grace_seconds: float = GRACE_SECONDS
) -> UnneededObjects:
    """Find the objects that the lake does not need, and remove them on request; the caller holds the lease.

    Args:
        store: The store.
        version: The newest version.
        is_confirmed: Whether to remove them.
        grace_seconds: How long objects stay that no version names any more, or not yet.

    Raises:
        StoreUnavailable: The store cannot be used.
    """
    needed = {STATE, lease.KEY, PUBLISHED_LOGS, version.key, *read_published_logs(store)}
    needed |= {build_key(name, file.sha256) for name, file in version.files.items()}
    now = store.get_moment(lease.KEY)
    found = [(key, size) for key, size, moment in store.list() if key not in needed and now - moment > grace_seconds]
    if is_confirmed:
        store.delete(key for key, _ in found)
    return UnneededObjects(len(found), sum(size_bytes for _, size_bytes in found))
