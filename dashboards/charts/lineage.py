"""Charts and graphs of the pages about the data themselves."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import altair as alt
import polars as pl

# green, orange and vermilion of Okabe and Ito, told apart by their place and their names too
_OUTCOMES = {"passed": "#009E73", "failed, warns": "#E69F00", "failed, critical": "#D55E00"}
# of each layer, dark enough for white letters on it
_LAYERS = {"raw": "#66707A", "reference": "#8A5A00", "clean": "#0072B2", "mart": "#00735A"}
_MANY = 48


def outcomes_over_releases(frame: pl.DataFrame, ink: str) -> alt.Chart:
    """Numbers of checks by outcome, a stacked bar for each release, oldest first."""
    names = frame["release"].unique(maintain_order=True).to_list()
    bars: Any = alt.Chart(frame).mark_bar(size=max(4, min(40, 600 // len(names))))  # mark methods lose their type
    shown = bars.encode(
        x=alt.X(
            "release:O",
            title="Release",
            sort=names,
            axis=alt.Axis(labelAngle=0, labelOverlap="greedy" if len(names) > _MANY else False, ticks=False),
        ),
        y=alt.Y("checks:Q", title="Checks", axis=alt.Axis(tickMinStep=1, format="d", tickCount=5)),
        color=alt.Color(
            "outcome:N",
            scale=alt.Scale(domain=list(_OUTCOMES), range=list(_OUTCOMES.values())),
            legend=alt.Legend(title=None, orient="top", labelColor=ink),
        ),
        tooltip=[
            alt.Tooltip("release:O", title="Release"),
            alt.Tooltip("outcome:N", title="Outcome"),
            alt.Tooltip("checks:Q", title="Checks"),
        ],
    )
    fitted = shown.properties(height=220, autosize=alt.AutoSizeParams(type="fit-x", contains="padding"))
    return fitted.configure_axis(labelColor=ink, titleColor=ink)


def lineage_graph(edges: Iterable[tuple[str, str]], chosen: str, ink: str) -> str:
    """A graph of tables in the language of Graphviz, from what is read to what is made, the chosen one framed.

    Args:
        edges: Pairs of a table and a table that is made from it.
        chosen: Name of the table that the graph is about.
        ink: Colour of arrows and frames.
    """
    pairs = sorted(set(edges))
    names = sorted({name for pair in pairs for name in pair} | {chosen})
    lines = [
        "digraph {",
        "rankdir=LR; bgcolor=transparent; nodesep=0.12; ranksep=0.45;",
        'node [shape=box, style="filled,rounded", fontname="Helvetica,Arial,sans-serif", fontsize=11, fontcolor=white, '
        'height=0.28, margin="0.12,0.04", penwidth=0];',
        f'edge [color="{ink}", arrowsize=0.6];',
    ]
    for name in names:
        layer = name.partition(".")[0]
        frame = f', penwidth=3, color="{ink}"' if name == chosen else ""
        lines.append(f'{json.dumps(name)} [fillcolor="{_LAYERS.get(layer, "#66707A")}"{frame}];')
    lines += [f"{json.dumps(source)} -> {json.dumps(made)};" for source, made in pairs]
    return "\n".join([*lines, "}"])
