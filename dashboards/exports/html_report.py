"""One page to hand on: a profile as a single HTML file that needs nothing else, prints well and runs no script."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

import polars as pl

from dashboards import text
from dashboards.charts import palette
from dashboards.figures import figure
from dashboards.figures.figure import Figure
from warehouse.release import Release

# nothing may be fetched and nothing may run, whatever texts the data hold
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


def page(
    release: Release,
    title: str,
    lead: Sequence[str],
    drawn: Sequence[Figure],
    tables: Sequence[tuple[str, pl.DataFrame]],
    link: str,
) -> bytes:
    """A profile as HTML.

    Args:
        release: The release that it shows.
        title: What it is of.
        lead: Sentences at its head.
        drawn: Its figures, drawn into it as SVG.
        tables: Its tables, each with a heading; a column ``url`` makes the title of its row a link.
        link: Address of the same view in the dashboards.
    """
    figures = "".join(_figure(part) for part in drawn)
    told = "".join(f"<h2>{escape(heading)}</h2>{_table(rows)}" for heading, rows in tables if not rows.is_empty())
    sentences = "".join(f"<p>{escape(sentence)}</p>" for sentence in lead)
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
<p class="facts">aisle, data as of {escape(text.dated(release))}</p>
{sentences}
{figures}
{told}
<p class="facts">Content SHA-256 of the release: {release.content_sha256}. Its address: {escape(link)}</p>
</body>
</html>
""".encode()


def _figure(part: Figure) -> str:
    # the drawing has title, facts and finding in it; identifiers are made its own, since a page may hold several
    own = re.sub(r"[^a-z0-9]+", "-", part.key.lower())
    drawing = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{own}-", figure.svg(part))
    return f'<figure role="img" aria-label="{escape(part.alt)}">{drawing}</figure>'


def _table(rows: pl.DataFrame) -> str:
    names = [name for name in rows.columns if name != "url"]
    head = "".join(f'<th scope="col">{escape(name.replace("_", " ").capitalize())}</th>' for name in names)
    body = "".join(f"<tr>{''.join(_cell(row, name) for name in names)}</tr>" for row in rows.iter_rows(named=True))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(row: dict[str, object], name: str) -> str:
    told = "" if row[name] is None else escape(str(row[name]))
    url = row.get("url")
    if name == "title" and isinstance(url, str) and palette.is_link(url):
        return f'<td><a href="{escape(url)}" rel="noreferrer">{told}</a></td>'
    return f"<td>{told}</td>"
