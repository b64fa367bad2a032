"""A profile as a self-contained HTML file, for print, that runs no script and loads nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

import polars as pl

from dashboards.exports.figure_files import Figure
from dashboards.exports.pictures import render_svg
from dashboards.text import build_web_link, format_host, format_release
from warehouse.release import Release

# blocks scripts and network access, whatever the texts in the data contain
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE = """
body { font: 15px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; color: #1b2733; background: #fff;
  max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
svg { max-width: 100%; height: auto; } figure { margin: 1rem 0; break-inside: avoid; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid #dde2e7; }
.facts { color: #46525e; font-size: .85rem; overflow-wrap: anywhere; }
@media print { body { margin: 0; max-width: none; } a { color: inherit; } }
"""


def build_html_report(
    release: Release,
    title: str,
    sentences: Sequence[str],
    figures: Sequence[Figure],
    tables: Sequence[tuple[str, pl.DataFrame]],
    link: str | None,
) -> bytes:
    """Build the HTML of a profile.

    Args:
        release: The release that it shows.
        title: Name of the lab or category.
        sentences: The introduction.
        figures: The figures, embedded as SVG.
        tables: The tables with their headings; empty ones are left out. A column ``url`` links the title of its row.
        link: URL of the same view in the dashboards; None if only this machine can open it.
    """
    introduction = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    charts = "".join(_format_figure(figure, link) for figure in figures)
    sections = "".join(
        f"<h2>{escape(heading)}</h2>{_format_table(rows)}" for heading, rows in tables if not rows.is_empty()
    )
    source = f" Source: {escape(link)}" if link else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<p class="facts">aisle, data as of {escape(format_release(release))}</p>
{introduction}
{charts}
{sections}
<p class="facts">Content SHA-256 of the release: {release.content_sha256}.{source}</p>
</body>
</html>
""".encode()


def _format_figure(figure: Figure, link: str | None) -> str:
    # element ids get a prefix, since a page may have several figures
    prefix = re.sub(r"[^a-z0-9]+", "-", figure.key.lower())
    drawing = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", render_svg(figure, link))
    return f'<figure role="img" aria-label="{escape(figure.alt)}">{drawing}</figure>'


def _format_table(rows: pl.DataFrame) -> str:
    names = [name for name in rows.columns if name != "url"]
    head = "".join(f'<th scope="col">{escape(name.replace("_", " ").capitalize())}</th>' for name in names)
    body = "".join(
        f"<tr>{''.join(_format_cell(row, name) for name in names)}</tr>" for row in rows.iter_rows(named=True)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _format_cell(row: dict[str, object], name: str) -> str:
    value = "" if row[name] is None else escape(str(row[name]))
    url = row.get("url")
    link = build_web_link(url) if name == "title" and isinstance(url, str) else None
    if link:
        return f'<td><a href="{escape(link)}" rel="noreferrer">{value}</a> ({escape(format_host(link) or "")})</td>'
    return f"<td>{value}</td>"
