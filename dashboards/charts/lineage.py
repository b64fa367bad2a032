"""The graph of the page Lineage."""

from __future__ import annotations

import json
from collections.abc import Iterable

from dashboards.charts.palette import GREY, LAYER_COLOURS


def build_lineage_graph(edges: Iterable[tuple[str, str]], chosen: str, text_colour: str) -> str:
    """A graph of tables in the DOT language of Graphviz, from upstream to downstream, with one table framed.

    Args:
        edges: Pairs of a table and a table derived from it.
        chosen: Name of the table that is framed.
        text_colour: Colour of arrows and frames.
    """
    pairs = sorted(set(edges))
    names = sorted({name for pair in pairs for name in pair} | {chosen})
    lines = [
        "digraph {",
        "rankdir=LR; bgcolor=transparent; nodesep=0.12; ranksep=0.45;",
        'node [shape=box, style="filled,rounded", fontname="Helvetica,Arial,sans-serif", fontsize=11, fontcolor=white, '
        'height=0.28, margin="0.12,0.04", penwidth=0];',
        f'edge [color="{text_colour}", arrowsize=0.6];',
    ]
    for name in names:
        layer = name.partition(".")[0]
        frame = f', penwidth=3, color="{text_colour}"' if name == chosen else ""
        lines.append(f'{json.dumps(name)} [fillcolor="{LAYER_COLOURS.get(layer, GREY)}"{frame}];')
    lines += [f"{json.dumps(source)} -> {json.dumps(derived)};" for source, derived in pairs]
    return "\n".join([*lines, "}"])
