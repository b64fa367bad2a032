"""Hints: what is known of a document from outside it, when the same document is added again with others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestration.ingest.snapshots import Snapshot

_ADDRESSES = frozenset({"url", "feed_url", "page_url"})


def merge_hints(stored: Snapshot, facts: dict[str, Any], is_by_hand: bool) -> tuple[Snapshot, str]:
    """The snapshot with new hints, and a remark on what changed or was not used.

    Hints of a feed take precedence over those of a person, since they apply to all its snapshots. A feed that only
    comes with another address changes nothing: one page can have several.
    """
    hints: dict[str, str] = facts.get("hints") or {}
    new = {name: value for name, value in hints.items() if stored.hints.get(name) != value}
    compared = {name for name in {**stored.hints, **hints} if name not in _ADDRESSES}
    is_same_feed = stored.feed is not None and hints.get("feed") == stored.feed
    is_changed = any(stored.hints.get(name) != hints.get(name) for name in compared) if is_same_feed else bool(new)
    if not (is_changed or (new and is_by_hand)):
        return stored, ""
    new_text = ", ".join(f"{name} “{value}”" for name, value in new.items() if name != "feed_url")
    if stored.origin == "bundled":
        return stored, f"it is bundled with the project: {new_text} is not used"
    if stored.feed is not None and not is_same_feed:
        return stored, f"it belongs to the feed {stored.feed}: {new_text} is not used"
    merged = hints if is_same_feed else {**stored.hints, **hints}
    fetched = {name: facts[name] for name in ("origin", "url", "http_status", "headers", "licence") if name in facts}
    changed = replace(stored, hints=merged, **(fetched if facts["origin"] == "fetch" else {}))
    old_text = ", ".join(f"{name} “{stored.hints[name]}”" for name in new if name in stored.hints)
    return changed, f"now with {new_text or 'other hints'}" + (f" instead of {old_text}" if old_text else "")
