"""Detection of the failure pages that servers send instead of content: bot walls, errors, consent, sign-in.

Many come with status 200. They are recognised by their title, headings, phrases and length, and by markers of the
common bot protection services. An article about such pages is longer and has another title.
"""

from __future__ import annotations

import re

from orchestration.sources.shared.document import Document
from orchestration.sources.shared.html_tree import parse_html

_MAX_TITLE = 500
_SHORT_PAGE, _BRIEF_PAGE = 4000, 700  # characters of text
_STATUS = r"(http )?(error |status )?(code )?[45]\d\d[\W_]+"
# a whole title or heading, or a whole part of one between dashes, optionally after an HTTP status
_TITLES = {
    "a bot wall": r"""just a moment|attention required|security check|\w+ security checkpoint|pardon our interruption
        |are you a robot|human verification|verify(ing)? you are (a )?human|client challenge|ddos-guard|please wait""",
    "a page not found": r"""((page|file|document|content) )?(was |is |could )?(not|n.t) (be )?found|page cannot be found
        |(this )?page (does not|doesn.t) exist|page (unavailable|missing)|gone|404|410""",
    "a refusal of access": r"""forbidden|unauthori[sz]ed|permission denied|401|403
        |access (to this page )?(is |has been )?(denied|forbidden)""",
    "a page about too many requests": r"too many requests|rate limit(ed| exceeded)?|429",
    "a server error": r"""(internal )?server error|bad gateway|service (temporarily )?unavailable|gateway time-?out
        |(an |application )?error( occurred)?|something went wrong|(site )?(under )?maintenance|5\d\d""",
    "a browser's own error page": r"privacy error|your connection is not private|this site can.t be reached",
    "a sign-in page": r"sign in|log ?in|(sign|log) in to continue",
    "a consent page": r"before you continue.{0,40}|redirect(ing)?( notice)?|(cookie )?consent",
}
# (kind, phrase, upper limit of the characters of the page): the phrase stands anywhere on a page shorter than that
_PHRASES = [
    (
        "a bot wall",
        r"verif(y|ying) (that )?you are (a )?human|verifying your browser|checking your browser before",
        _SHORT_PAGE,
    ),
    ("a bot wall", r"review the security of your connection|enable javascript and cookies to continue", _SHORT_PAGE),
    ("a bot wall", r"unusual traffic from your|prove you.{0,12} human|made us think you (are|were) a bot", _SHORT_PAGE),
    (
        "a consent page",
        r"are you sure you want to leave|taking you to a site outside|before you continue to \w+",
        _BRIEF_PAGE,
    ),
    ("a server error", r"application error: a (client|server)-side exception|internal server error", _BRIEF_PAGE),
    ("a server error", r"an unexpected error has occurred|temporarily unavailable|try again later", _BRIEF_PAGE),
    ("a browser's own error page", r"\bnet::err_[a-z_]+|your connection is not private", 10_000),
    ("a page not found", r"page you(.re| are) looking for (cannot|could not|can.t|was not|does not)", _SHORT_PAGE),
    ("a page not found", r"\bnot found\b", _BRIEF_PAGE),
    ("a refusal of access", r"access to this page (is|has been) (forbidden|denied)", _SHORT_PAGE),
    ("a refusal of access", r"you don.t have permission to access", _SHORT_PAGE),
    ("a page about too many requests", r"too many requests", _BRIEF_PAGE),
    ("a sign-in page", r"\bsign in to continue|please log in|you need to sign in", _BRIEF_PAGE),
]
# (marker in the HTML source, kind), on brief pages only
_MARKERS = [
    (b"captcha-delivery.com", "a bot wall"),
    (b"/cdn-cgi/challenge-platform/", "a bot wall"),
    (b"_cf_chl_opt", "a bot wall"),
    (b"px-captcha", "a bot wall"),
    (b"unauthorizedredirect", "a consent page"),
    (b'id="__next_error__"', "a server error"),
]


def describe_failure_page(document: Document) -> str | None:
    """The kind of failure page, such as ``a bot wall titled “Just a moment...”``; None for other documents."""
    if document.html_title is None:
        return None
    page = parse_html(document.data)
    has_embed = page.css_first("embed, object") is not None
    # longer titles are of no failure page, and would keep the patterns busy
    titles = [" ".join(node.text().split())[:_MAX_TITLE] for node in page.css("title, h1")[:4]]
    for node in page.css("script, style, noscript, template, svg, title"):
        node.decompose()
    text = " ".join(page.body.text(separator=" ").split()) if page.body else ""
    kind = _match_title(titles, text) or _match_phrase(text) or _match_marker(document.data, text)
    if kind is None and len(text) < 100:
        kind = "an empty shell around an embedded document" if has_embed else "a page with hardly any text"
    if kind is None:
        return None
    title = next((title for title in titles if title), "")
    shown = f"titled “{title[:80]}”" if title else f"with the text “{text[:80]}”" if text else "without text"
    return f"{kind} {shown}"


def _match_title(titles: list[str], text: str) -> str | None:
    """The kind whose pattern matches a whole title or heading, or a whole part of one."""
    for title in titles:
        for part in re.split(r"\s+[|–—·-]\s+|:\s+(?=\D)", title)[:4]:
            bare = re.sub(rf"^{_STATUS}|[\W_]+$", "", part.strip().lower())
            for kind, pattern in _TITLES.items():
                if re.fullmatch(re.sub(r"\n\s+", "", pattern), bare) and (len(text) < _SHORT_PAGE or len(bare) > 8):
                    return kind
    return None


def _match_phrase(text: str) -> str | None:
    lower = text[:10_000].lower()
    for kind, pattern, limit in _PHRASES:
        if len(text) < limit and re.search(pattern, lower):
            return kind
    return None


def _match_marker(data: bytes, text: str) -> str | None:
    if len(text) < _BRIEF_PAGE:
        for marker, kind in _MARKERS:
            if marker in data:
                return kind
    return None
