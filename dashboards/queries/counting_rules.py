"""What a counting rule does, in words, and which of them count a work more than once."""

from __future__ import annotations

from dashboards.queries.release import query_release
from warehouse.release import Release

REPEATS = "Totals over categories exceed the number of works if some have several."


def describe_rule(release: Release, name: str) -> str:
    """What a counting rule does in a living corpus; its own sentence is about the rows of a list."""
    query = "select attribution, category_attribution from reference.counting_rules where counting_rule = $rule"
    attribution, of_categories = query_release(release, query, {"rule": name}).row(0)
    place = {
        "whole": "for the first of its labs",
        "fractional": "divided over labs by their share of its authors",
        "first_author": "for the lab of its first author",
    }[attribution]
    shared = ", and divided over all its categories" if of_categories == "shared" else ""
    if of_categories == "each":
        return f"Every work counts once in each of its categories, {place}. {REPEATS}"
    return f"Every work counts once, {place}{shared}."


def list_repeating_rules(release: Release) -> set[str]:
    """The counting rules by which a work of several categories counts more than once."""
    # releases of earlier versions lack the column
    query = """
        select counting_rule from reference.counting_rules as rules
        where to_json(rules) ->> 'category_attribution' = 'each'
    """
    return set(query_release(release, query)["counting_rule"].to_list())
