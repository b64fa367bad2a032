"""Canonical keys of links: the many addresses of one work become one key.

The rules cover the addresses that labs, arXiv and the forums use for the same text. A version suffix (``v2``) is not
part of the key. Identifiers that are case-sensitive keep their case. The macro ``link_key`` in SQL has the same rules.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

_ARXIV = r"(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Za-z]{2})?/\d{7})"
_TRACKING = re.compile(r"^(utm_\w+|fbclid|gclid|ref|source|context|commentId)$")

# a name in a path, also of other scripts or percent-encoded, so that no part of it is dropped; without punctuation
_IN_SLUG = r"A-Za-z0-9_.%~\xc0-\u1fff\u2070-\u2fff\u3040-\ufeff\uff10-\U0010ffff-"
_SLUG = f"[{_IN_SLUG}]+"

# a slug is a name only if no further one follows it: in a longer path it is a folder with several works
_END = f"(?:/?$|[^{_IN_SLUG}/]|/[^{_IN_SLUG}])"

# (pattern of the link without scheme and www, prefix of the key); the first group is the identifier
_RULES = [
    (
        re.compile(rf"(?:[\w.]*arxiv\.org|[\w.]*alphaxiv\.org)/(?:abs|pdf|html|format)/({_ARXIV})", re.IGNORECASE),
        "arxiv",
    ),
    (re.compile(rf"huggingface\.co/papers/({_ARXIV})"), "arxiv"),
    (re.compile(rf"(?:[\w.]*doi\.org/|doi:\s*)10\.48550/arxiv\.({_ARXIV})", re.IGNORECASE), "arxiv"),
    (re.compile(rf"arxiv:\s*({_ARXIV})", re.IGNORECASE), "arxiv"),
    (
        re.compile(r"(?:[\w.]*doi\.org/|doi:\s*|[\w.]+/doi/(?:abs/|pdf/|full/)?)(10\.\d{4,9}/[^\s?#]+)", re.IGNORECASE),
        "doi",
    ),
    (re.compile(r"openreview\.net/(?:forum|pdf)\?(?:.*&)?id=([\w-]+)"), "openreview"),
    (re.compile(r"(?:lesswrong\.com|alignmentforum\.org|greaterwrong\.com)/posts/(\w+)"), "lw"),
    (re.compile(r"forum\.effectivealtruism\.org/posts/(\w+)"), "eaf"),
    (re.compile(rf"openai\.com/(?:research|index|blog)/({_SLUG}){_END}"), "openai"),
    (re.compile(rf"anthropic\.com/(?:research|news|index)/({_SLUG}){_END}"), "anthropic"),
    (re.compile(r"deepmind\.(?:google|com)/research/publications/(\d+)"), "dmpub"),
    (re.compile(rf"deepmind\.(?:google|com)/(?:discover/)?blog/(?:article/)?({_SLUG}){_END}"), "deepmind"),
    (re.compile(r"proceedings\.mlr\.press/(v\d+/\w+?)(?:/|\.|$)"), "pmlr"),
    (
        re.compile(rf"transformer-circuits\.pub/(\d{{4}}(?:/{_SLUG}?)+?)(?:/index)?(?:\.html)?{_END}"),
        "tcircuits",
    ),
]
_LOWER_CASE = {"arxiv", "doi", "openai", "anthropic", "deepmind", "pmlr"}


def link_key(link: str) -> str:
    """One key for all the addresses of a work, such as ``arxiv:2310.17230`` or ``lw:6Fpvch8RR29qLEWNH``.

    A link that matches no rule becomes ``url:`` with host, path and query, without scheme, ``www.``, tracking
    parameters, fragment and final slash. The path keeps its case, since many hosts need it.
    """
    text = link.strip()
    text = re.sub(r"^https?://web\.archive\.org/web/[^/]*/", "", text)
    bare = re.sub(r"^https?://(?:www\.)?", "", text, flags=re.IGNORECASE)
    for pattern, issuer in _RULES:
        if match := pattern.match(bare):
            identifier = match.group(1).rstrip(".")
            if issuer == "arxiv":  # old identifiers are also written with a subject class: cs.AI/0501001
                identifier = re.sub(r"\.\w\w/", "/", identifier)
            return f"{issuer}:{identifier.lower() if issuer in _LOWER_CASE else identifier}"
    try:
        parts = urlsplit(f"https://{bare}")
    except ValueError:  # brackets that do not enclose an IPv6 address
        return f"url:{bare}"
    query = urlencode([pair for pair in parse_qsl(parts.query) if not _TRACKING.match(pair[0])])
    return f"url:{parts.netloc.lower()}{parts.path.rstrip('/')}" + (f"?{query}" if query else "")


def complete_address(base: str | None, address: str) -> str | None:
    """The absolute http(s) address of a link as people and programs write it; None if it cannot be one.

    White space at the ends and line breaks are dropped, other white space is encoded. A link without a scheme is
    relative to the base, unless it begins with ``www.``.
    """
    text = re.sub(r"[\t\r\n]+", "", address.strip())
    text = re.sub(r"\s", lambda space: quote(space[0]), text)
    if not re.match(r"[a-z][a-z0-9+.-]*:", text, re.IGNORECASE):
        text = f"https://{text}" if text.lower().startswith("www.") else resolve_address(base or "", text)
    scheme, separator, rest = text.partition("://")
    is_web = separator and scheme.lower() in {"http", "https"} and re.match(r"[^/?#\s]", rest)
    return f"{scheme.lower()}://{rest}" if is_web else None


def resolve_address(base: str, address: str) -> str:
    """The absolute address; unchanged if it is malformed, so that the request for it fails with the reason."""
    try:
        return urljoin(base, address)
    except ValueError:  # brackets that do not enclose an IPv6 address
        return address
