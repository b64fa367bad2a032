"""Failure pages are refused with their kind, for any expected source; articles are not."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from orchestration.ingest.parser_process import detect_failure_page, parse_bytes
from orchestration.sources.source import DocumentRefused
from tests.conftest import SHARED

SAMPLES = SHARED / "samples"
FAILURE_PAGES = sorted((SAMPLES / "failure_pages_html").glob("*.gz"))


@pytest.mark.skipif(not FAILURE_PAGES, reason="the captured failure pages are not here: no ../shared/samples")
@pytest.mark.parametrize("path", FAILURE_PAGES, ids=lambda path: path.name.removesuffix(".html.gz"))
def test_captured_failure_page_is_refused_with_its_kind(path: Path) -> None:
    kinds = (
        "bot wall|consent page|page not found|refusal of access|too many requests|server error|error page|empty shell"
    )
    for source in ("lab_sheet", "forum_posts", "forum_page"):
        with pytest.raises(DocumentRefused, match=kinds):
            parse_bytes(gzip.decompress(path.read_bytes()), "a page", {}, source)


ARTICLES = sorted([*SAMPLES.glob("lab_pages_html/*/*.gz"), *SAMPLES.glob("forummagnum/html/*.gz")])


@pytest.mark.skipif(not ARTICLES, reason="the captured pages are not here: no ../shared/samples")
def test_captured_article_is_not_a_failure_page() -> None:
    descriptions = {path.name: detect_failure_page(gzip.decompress(path.read_bytes())) for path in ARTICLES}
    assert len(descriptions) == 36
    assert {name: text for name, text in descriptions.items() if text} == {}


@pytest.mark.skipif(not ARTICLES, reason="the captured pages are not here: no ../shared/samples")
@pytest.mark.parametrize(
    "name",
    [
        "findings-from-a-pilot-anthropic-openai",
        "introducing-the-anthropic-fellows",
        "recommendations-for-technical-ai-safety-research",
    ],
)
def test_captured_article_without_address_needs_only_the_address(name: str) -> None:
    content = gzip.decompress((SAMPLES / "lab_pages_html" / "alignment_anthropic" / f"{name}.html.gz").read_bytes())
    with pytest.raises(DocumentRefused, match="does not give its address") as refusal:
        parse_bytes(content, "a page", {})
    assert "sign-in" not in str(refusal.value)
    source, parsed = parse_bytes(content, "a page", {"url": f"https://alignment.anthropic.com/2025/{name}/"})
    assert (source, parsed.rejects, [record.values["lab"] for record in parsed.records]) == (
        "lab_pages",
        [],
        ["Anthropic"],
    )
    assert len(str(parsed.records[0].values["text"])) > 5000


def test_page_with_a_password_field_may_be_a_sign_in_page() -> None:
    text = "<p>" + "A long welcome, before the door. " * 200
    page = f"<!doctype html><html><title>Welcome</title>{text}<form><input name=p type=password></form></html>".encode()
    with pytest.raises(DocumentRefused, match="titled “Welcome”, perhaps a sign-in page"):
        parse_bytes(page, "a page", {}, "lab_sheet")


SYNTHETIC_PAGES = {
    "bot wall": "<title>Attention Required! | Some Shield</title><p>Checking.</p>",
    "page not found": "<title>404 - Page not found</title><p>Sorry.</p>",
    "server error": "<title>A site</title><h1>502 Bad Gateway</h1>",
    "sign-in page": "<title>Sign in - A service</title><p>Your name</p>",
    "consent page": "<title>Before you continue to a site</title><p>Cookies.</p>",
    "refusal of access": "<title>Access denied</title><p>No.</p>",
    "too many requests": "<title>A site</title><p>Too many requests, slow down.</p>",
    "hardly any text": "<title>A site</title><div id=app></div>",
}


@pytest.mark.parametrize("kind", SYNTHETIC_PAGES)
def test_synthetic_failure_page_is_described_by_its_kind(kind: str) -> None:
    assert kind in (detect_failure_page(f"<!doctype html><html>{SYNTHETIC_PAGES[kind]}</html>".encode()) or "")


@pytest.mark.parametrize(
    "title", ["Why models that are not found wanting still fail", "404 errors of oversight", "An article"]
)
def test_article_about_failures_is_not_a_failure_page(title: str) -> None:
    text = "We look at what happens when a page is not found, and at too many requests. " * 80
    assert detect_failure_page(f"<!doctype html><html><title>{title}</title><p>{text}</p></html>".encode()) is None


@pytest.mark.parametrize("content", [b"", b"\0", b"a,b\n1,2\n", b'{"error": "not found"}', b"\x1f\x8b broken"])
def test_document_that_is_not_html_is_not_a_failure_page(content: bytes) -> None:
    assert "page" not in (detect_failure_page(content) or "")
