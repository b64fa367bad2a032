"""Texts and addresses from outside on every page, links between pages, and the address that citations name."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from dashboards.exports.html_report import build_html_report
from dashboards.text import (
    MAX_TITLE_LETTERS,
    build_web_link,
    clean_line,
    escape_markdown,
    format_host,
    shorten_title,
)
from dashboards.widgets.tables import configure_site_link
from orchestration.cli.app import app as command_line
from tests.support.app_tests import open_page
from tests.support.dashboard_server import list_page_addresses, list_pages
from warehouse.lake import Lake
from warehouse.public_address import parse_public_address
from warehouse.release import read_current_release

NASTY = [
    "http://evil.example/a",
    "HTTPS://EVIL.example",
    "www.evil.example/b",
    "(www.evil.example)",
    "日本www.evil.example",
    "mail mallory@evil.example now",
    "xmpp:mallory@evil.example",
    "[safe.org](http://evil.example/d)",
    "[safe.org][1]\n\n[1]: http://evil.example",
    "<http://evil.example/e>",
    "![x](http://evil.example/f.png)",
    '<img src="http://evil.example/g.png">',
    "&#104;ttp://evil.example &lt;b&gt;",
    ":smile: :material/home: :red[x]",
    "$x$ `y` *z* _u_ ~~v~~ #w",
    "# heading",
    "- list",
    "1. list",
    "===",
    "    code\n\n    code",
    "turned \u202ethgir\u202c \u2066round\u2069",
    "a\u2028www.evil.example\x00\x1b[31m",
    "back\\slash http\\://evil.example",
]
# of the Markdown that Streamlit shows (remark-gfm, remark-emoji), what is replaced after escapes have been resolved
REPLACED = re.compile(
    r"(?:https?://|www\.)[-.\w]|[-.\w+]@[-\w]+\.|:[\w+-]+:|:material/|[\u202a-\u202e\u2066-\u2069]", re.IGNORECASE
)
UNESCAPED = re.compile(r"(?<!\\)(?:\\\\)*[\[\]`*_<>$]")
MARKED = "evil.example"


def resolve_escapes(markdown: str) -> str:
    """The text that Markdown makes of an escaped text."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown)


@pytest.mark.parametrize("text", NASTY)
def test_escaped_text_is_shown_literally(text: str) -> None:
    escaped = escape_markdown(text)
    assert not UNESCAPED.search(escaped)
    assert not REPLACED.search(resolve_escapes(escaped))
    assert not re.match(r"\s|[-=]|\d+\.", escaped)
    assert resolve_escapes(escaped).replace("\u2060", "") == clean_line(text)


@given(st.lists(st.sampled_from([*NASTY, *"\\:/@.w&#;[]()!<>*_` -\n", "http", "www", "a", "é", "ع"])).map("".join))
@settings(max_examples=300, deadline=None)
def test_no_combination_of_texts_becomes_a_link(text: str) -> None:
    escaped = escape_markdown(text)
    assert not UNESCAPED.search(escaped)
    assert not REPLACED.search(resolve_escapes(escaped))
    assert resolve_escapes(escaped).replace("\u2060", "") == clean_line(text).replace("\u2060", "")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://arxiv.org/abs/2310.17230", "arxiv.org"),
        ("HTTP://WWW.Example.ORG:8080/x?y#z", "example.org"),
        ("https://safe.org@evil.example/", None),  # leads to another host than it shows
        ("https://safe.org\\@evil.example/", None),
        ("https://safe.org%2f@evil.example/", None),
        ("https://аррӏе.com/", "xn--80ak6aa92e.com"),  # letters that look like others
        ("https://[2001:db8::1]/", "2001:db8::1"),
        ("https://[/", None),
        ("https://a:port/", None),
        ("https://" + "a" * 64 + ".org/", None),
        ("https://evil\u202egro.example/", None),
        ("https://www.com/", "www.com"),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("//evil.example", None),
        ("www.evil.example", None),
        ("https://", None),
        ("", None),
        (None, None),
    ],
)
def test_host_of_an_address_is_the_one_it_leads_to(url: str | None, host: str | None) -> None:
    assert format_host(url) == host
    link = build_web_link(url)
    assert (link is None) == (host is None)
    if link is not None and host is not None:
        assert format_host(link) == host
        pattern = configure_site_link("Link")["type_config"]["display_text"]
        shown = re.match(pattern, link)
        assert shown is not None
        assert host in shown[1]


def test_long_title_is_shortened() -> None:
    assert shorten_title("word " * 600).endswith("word …")
    assert len(shorten_title("x" * 3000)) == MAX_TITLE_LETTERS + 2
    assert shorten_title("\u202e \n") == shorten_title(None) == "(no title)"


def spoil_texts(lake: Lake) -> list[str]:
    """SQL statements that put `NASTY` into every column of texts from outside."""
    nasty = "list_value(" + ", ".join("'" + text.replace("'", "''") + "'" for text in NASTY) + ")"
    columns = ["title", "abstract", "authors", "narrator", "summary", "text", "publisher", "original_name", "locator"]
    columns += ["reason", "sentence", "annotation", "lab_as_written", "linked_site"]
    with read_current_release(lake).connect() as connection:
        present = connection.execute(
            "select table_schema || '.' || table_name, column_name from information_schema.columns"
            " where data_type = 'VARCHAR' and table_schema in ('raw', 'clean', 'mart')"
        ).fetchall()
    spoiled = [
        f"update {table} set \"{name}\" = {nasty}[1 + (rowid % {len(NASTY)})] || ' ' || {nasty}[1] || ' ' || rowid"
        for table, name in present
        if name in columns and table not in {"mart.counted_publications"}
    ]
    renamed = [
        f"update {table} set \"{name}\" = '[lab](http://evil.example) www.evil.example' where \"{name}\" = 'OpenAI'"
        for table, name in present
        if name in {"lab", "member", "also_written"}
    ]
    addresses = [
        f"update {table} set \"{name}\" = 'https://safe.org@evil.example/' || rowid"
        for table, name in present
        if name in {"url", "linked_url"} and table.startswith("clean.")
    ]
    return [*spoiled, *renamed, *addresses]


def list_markdown(app: AppTest) -> Iterator[str]:
    """Every text of a page that Streamlit reads as Markdown."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "info", "warning", "error", "success")
    for kind in kinds:
        yield from (str(element.value) for element in app.get(kind))
    for kind in ("metric", "button", "expander", "link_button"):
        yield from (str(getattr(element, "label", None) or element.proto.label) for element in app.get(kind))


def list_links(app: AppTest) -> Iterator[tuple[str, str]]:
    """Address and label of every link of a page, also those of tables."""
    for text in list_markdown(app):
        for label, address in re.findall(r"(?<!\\)\[((?:[^\]\\]|\\.)*)\]\(([^)]*)\)", text):
            yield address, label
    for element in app.get("html"):
        for address, label in re.findall(r'<a href="([^"]*)"[^>]*>(.*?)</a>', element.proto.body, re.DOTALL):
            yield html.unescape(address), html.unescape(label)
    for element in app.get("link_button"):
        yield element.proto.url, element.proto.label
    for table in app.dataframe:
        columns = re.findall(r'"([^"]+)": \{[^{}]*"type_config": \{[^{}]*"type": "link"', table.proto.columns)
        for column in columns:
            yield from ((address, column) for address in table.value[column].dropna())


@pytest.fixture
def spoiled_lake(released_lake: Lake, copy_release: Callable[..., Lake]) -> Lake:
    return copy_release(*spoil_texts(released_lake))


def test_no_text_from_outside_becomes_a_link_or_picture(spoiled_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    pages_with_texts = set()
    for page, address in list_page_addresses(spoiled_lake).items():
        app = open_page(spoiled_lake, monkeypatch, page=page, **parse_qs(urlsplit(address).query))
        assert not app.exception, page
        for text in list_markdown(app):
            if MARKED in text:
                pages_with_texts.add(page)
                assert not REPLACED.search(resolve_escapes(text)), (page, text)
                assert not re.search(r"(?<!\\)(?:\]|<)", text), (page, text)
        for target, label in list_links(app):
            assert MARKED not in urlsplit(target).netloc, (page, target, label)
    assert {"overview", "labs", "trends", "work", "item"} <= pages_with_texts


def test_links_stay_below_the_base_path(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    names = set(list_pages().values())
    own = 0
    for page, address in list_page_addresses(released_lake).items():
        app = open_page(released_lake, monkeypatch, page=page, **parse_qs(urlsplit(address).query))
        for target, label in list_links(app):
            if urlsplit(target).scheme:
                assert format_host(target) is not None, (page, target)
                # a button names the host; in a table the column does, since a cell shows the host
                assert format_host(target) in label or label in {"url", "linked_url"}, (page, target, label)
            else:
                own += 1
                assert not target.startswith("/"), (page, target, label)
                assert target.partition("?")[0] in names, (page, target, label)
    assert own > 200


def test_citations_name_the_public_address_and_never_this_machine(
    released_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_citations(page: str, tab: str) -> str:
        app = open_page(released_lake, monkeypatch, page=page, **{tab: "Cite"})
        assert not app.exception
        return "\n".join(str(element.value) for element in [*app.code, *app.caption])

    monkeypatch.delenv("AISLE_PUBLIC_ADDRESS", raising=False)
    local = read_citations("labs", "lab_history_tab")
    assert "localhost" not in local
    assert "aisle, release v1" in local
    assert "AISLE_PUBLIC_ADDRESS" in local
    monkeypatch.setenv("AISLE_PUBLIC_ADDRESS", "https://example.org/some/aisle/")
    assert "https://example.org/some/aisle/labs?" in read_citations("labs", "lab_history_tab")
    assert "https://example.org/some/aisle/?" in read_citations("overview", "all_by_lab_tab")
    monkeypatch.setenv("AISLE_PUBLIC_ADDRESS", "example.org")
    assert "example.org" not in read_citations("overview", "all_by_lab_tab")


@pytest.mark.parametrize(
    "text",
    ["example.org", "ftp://example.org", "https://", "https://a b", "https://x?y", "http://u:p@x", "http://x:0y"],
)
def test_public_address_must_be_a_web_address(text: str) -> None:
    with pytest.raises(ValueError, match="not a public address"):
        parse_public_address(text)
    refused = CliRunner().invoke(command_line, ["dashboard", "--public-address", text])
    assert refused.exit_code == 1
    assert "not a public address" in refused.output


def test_html_report_links_only_web_pages_and_names_their_hosts(released_lake: Lake) -> None:
    release = read_current_release(released_lake)
    rows = pl.DataFrame(
        {"title": ["<b>one</b>", "two"], "url": ["https://www.arxiv.org/abs/1", "https://safe.org@evil.example/"]}
    )
    report = build_html_report(release, "x", [], [], [("Newest", rows)], None).decode()
    assert '<a href="https://www.arxiv.org/abs/1" rel="noreferrer">&lt;b&gt;one&lt;/b&gt;</a> (arxiv.org)' in report
    assert MARKED not in report
    assert "Source:" not in report
