"""Colours of all charts: Okabe and Ito's, with a darker yellow and more that colour-blind readers can distinguish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

BLUE = "#0072B2"
YELLOW = "#E8D41E"
ORANGE = "#E69F00"
PINK = "#CC79A7"
GREY = "#66707A"
VERMILION = "#D55E00"
GREEN = "#009E73"
WINE = "#882255"
SKY = "#56B4E9"
OLIVE = "#999933"
PURPLE = "#6A3D9A"
TEAL = "#44AA99"
BROWN = "#8A5A00"
DARK_GREEN = "#00735A"

# ordered so that similar colours are not neighbours in a stack
SERIES_COLOURS: Mapping[str, Sequence[str]] = {
    "category": (BLUE, YELLOW, ORANGE, PINK, GREY, VERMILION, GREEN, WINE, SKY, OLIVE, PURPLE, TEAL),
    "lab": (VERMILION, BLUE, GREEN, PINK, ORANGE, SKY, WINE, OLIVE, GREY, YELLOW),
    "kind": (BLUE, ORANGE, GREEN, PINK, VERMILION, SKY, GREY),
}
REMAINDER_COLOUR = "#8C95A0"  # of what is counted apart: “(unlabelled)”, “(no followed lab)”
OUTCOME_COLOURS: Mapping[str, str] = {"passed": GREEN, "failed, warning": ORANGE, "failed, critical": VERMILION}
LAYER_COLOURS: Mapping[str, str] = {"raw": GREY, "reference": BROWN, "clean": BLUE, "mart": DARK_GREEN}
PART_PERIOD_OPACITY = 0.38
_TEXT_COLOURS = {"light": "#46525e", "dark": "#c8d0d8"}


def get_text_colour(theme: str | None) -> str:
    """The colour of text in a chart on a ``light`` or ``dark`` page."""
    return _TEXT_COLOURS["dark" if theme == "dark" else "light"]


class HeatColours(NamedTuple):
    """The ends of a scale of one hue that leads away from the colour of the page, and the text colours on them."""

    least: str
    most: str
    text_on_least: str
    text_on_most: str


_HEAT_COLOURS = {
    "light": HeatColours("#dbe9f6", "#08306b", "#111111", "#ffffff"),
    "dark": HeatColours("#17395c", "#d6e9ff", "#ffffff", "#111111"),
}


def get_heat_colours(text_colour: str) -> HeatColours:
    """The colours of a heat map on the page that has text of this colour: more is further from the page."""
    return _HEAT_COLOURS["dark" if text_colour == _TEXT_COLOURS["dark"] else "light"]


def assign_colours(series: str, names: Sequence[str]) -> dict[str, str]:
    """A colour for each name, by its position among all names, so that it does not depend on filters.

    What is counted apart, such as “(unlabelled)”, is grey.

    Args:
        series: One of `SERIES_COLOURS`.
        names: All names of the series.
    """
    colours = SERIES_COLOURS[series]
    return {
        name: REMAINDER_COLOUR if name.startswith("(") else colours[place % len(colours)]
        for place, name in enumerate(names)
    }
