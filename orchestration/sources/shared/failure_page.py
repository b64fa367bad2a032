"""Pages that a server sends instead of what was asked for, often with status 200: bot walls, consent, errors.

They are told by what a person would see (title, headings, and how little text there is) and by the marks of the
few services that most sites use to keep programs out. An article about such pages is long and has another title.
"""

from __future__ import annotations

import re

from orchestration.sources.shared.document import Document

SHORT, BRIEF = 4000, 700
_STATUS = r"(http )?(error |status )?(code )?[45]\d\d[\W_]+"
# what a title, or a part of one between dashes, may say as a whole; most often after a status in digits
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
# what a page says somewhere, if it says not much more: the third is the most characters that it may have in all
_PHRASES = [
    (
        "a bot wall",
        r"verif(y|ying) (that )?you are (a )?human|verifying your browser|checking your browser before",
        SHORT,
    ),
    ("a bot wall", r"review the security of your connection|enable javascript and cookies to continue", SHORT),
    ("a bot wall", r"unusual traffic from your|prove you.{0,12} human|made us think you (are|were) a bot", SHORT),
    (
        "a consent page",
        r"are you sure you want to leave|taking you to a site outside|before you continue to \w+",
        BRIEF,
    ),
    ("a server error", r"application error: a (client|server)-side exception|internal server error", BRIEF),
    ("a server error", r"an unexpected error has occurred|temporarily unavailable|try again later", BRIEF),
    ("a browser's own error page", r"\bnet::err_[a-z_]+|your connection is not private", 10_000),
    ("a page not found", r"page you(.re| are) looking for (cannot|could not|can.t|was not|does not)", SHORT),
    ("a page not found", r"\bnot found\b", BRIEF),
    ("a refusal of access", r"access to this page (is|has been) (forbidden|denied)", SHORT),
    ("a refusal of access", r"you don.t have permission to access", SHORT),
    ("a page about too many requests", r"too many requests", BRIEF),
    ("a sign-in page", r"\bsign in to continue|please log in|you need to sign in", BRIEF),
]
# what only the pages of certain services have in their source
_MARKS = [
    (b"captcha-delivery.com", "a bot wall"),
    (b"/cdn-cgi/challenge-platform/", "a bot wall"),
    (b"_cf_chl_opt", "a bot wall"),
    (b"px-captcha", "a bot wall"),
    (b"unauthorizedredirect", "a consent page"),
    (b'id="__next_error__"', "a server error"),
]


def failure_in(document: Document) -> str | None:
    """What kind of failure page an HTML document is, such as ``a bot wall titled “Just a moment...”``, if it is one."""
    if document.html_title is None:
        return None
    from selectolax.lexbor import LexborHTMLParser

    page = LexborHTMLParser(document.data)
    has_embed = page.css_first("embed, object") is not None
    titles = [node.text(strip=True) for node in page.css("title, h1")[:4]]
    for node in page.css("script, style, noscript, template, svg, title"):
        node.decompose()
    text = " ".join(page.body.text(separator=" ").split()) if page.body else ""
    found = _by_title(titles, text) or _by_phrase(text) or _by_mark(document.data, text)
    if found is None and len(text) < 100:
        found = "an empty shell around an embedded document" if has_embed else "a page with hardly any text"
    if found is None:
        return None
    title = next((title for title in titles if title), "")
    shown = f"titled “{title[:80]}”" if title else f"that says “{text[:80]}”" if text else "without a word"
    return f"{found} {shown}"


def _by_title(titles: list[str], text: str) -> str | None:
    """By a title or heading, or a part of one, that says nothing else."""
    for title in titles:
        for part in re.split(r"\s+[|–—·-]\s+|:\s+(?=\D)", title)[:4]:
            bare = re.sub(rf"^{_STATUS}|[\W_]+$", "", part.strip().lower())
            for what, pattern in _TITLES.items():
                if re.fullmatch(re.sub(r"\n\s+", "", pattern), bare) and (len(text) < SHORT or len(bare) > 8):
                    return what
    return None


def _by_phrase(text: str) -> str | None:
    lower = text[:10_000].lower()
    for what, pattern, longest in _PHRASES:
        if len(text) < longest and re.search(pattern, lower):
            return what
    return None


def _by_mark(data: bytes, text: str) -> str | None:
    if len(text) < BRIEF:
        for mark, what in _MARKS:
            if mark in data:
                return what
    return None
