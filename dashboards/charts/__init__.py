"""Vega-Lite charts made from rows; no queries and no page layout."""
