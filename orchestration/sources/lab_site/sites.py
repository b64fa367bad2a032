"""The sites of labs: which lab an address belongs to."""

from __future__ import annotations

from urllib.parse import urlsplit

from orchestration.sources.shared.document import Document
from warehouse.reference import read_rows

# sites that are recognised besides those of reference.labs, with their owners
_OTHER_SITES = {
    "transformer-circuits.pub": "Anthropic",
    "metr.org": "METR",
    "aisi.gov.uk": "UK AI Security Institute",
    "far.ai": "FAR.AI",
    "transluce.org": "Transluce",
    "timaeus.co": "Timaeus",
    "goodfire.ai": "Goodfire",
    "apolloresearch.ai": "Apollo Research",
    "redwoodresearch.org": "Redwood Research",
}


def find_lab(document: Document, url: str) -> str | None:
    """The lab that an address belongs to: the setting ``lab`` of the feed, else the owner of the site, else None."""
    if lab := document.hints.get("lab"):
        return lab
    sites = {**_OTHER_SITES, **{get_host(row["website"]): row["lab"] for row in read_rows("labs")}}
    host = get_host(url)
    return next((lab for site, lab in sites.items() if host == site or host.endswith(f".{site}")), None)


def get_host(url: str | None) -> str:
    """The host of an address without ``www.``; empty if it has none."""
    try:
        return (urlsplit(url or "").hostname or "").removeprefix("www.")
    except ValueError:  # brackets that are not an IPv6 host
        return ""
