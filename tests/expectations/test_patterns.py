"""Patterns mean in DuckDB what they mean in Python."""

from __future__ import annotations

import re

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expectations.patterns import create_matcher, is_portable
from orchestration.defs.catalog import list_tables
from tests.support.trials import scale_trials

_PIECES = [
    *"abA1é_ .^$|()[]{}*+?-,\\\"'", r"\S", r"\s", r"\w", r"\W", r"\d", r"\D", r"\b", r"\B", r"\Z", r"\A", r"\.", r"\-", r"\n", r"\x41",
    "[^a]", "[a-c]", "[^\\s]", "(?:", "(?=", "(?!", "(?P<n>", "(?i:", "{2}", "{,2}", "{1,}", "[[:alpha:]]", r"\pL", r"\Q", r"\E", r"\z",
]  # fmt: skip
_CHARACTERS = st.sampled_from(
    [
        *"abAB1_ .-\"'\\",
        "\t",
        "\n",
        "\r",
        "\x0b",
        "\x0c",
        "\x1c",
        "\x85",
        "\xa0",
        "é",
        "K",
        "ſ",
        "١",
        "\x00",
        "\u2028",
        "😀",
    ]
)


CONNECTION = duckdb.connect()


def find_matches(pattern: str, texts: list[str]) -> list[bool]:
    with create_matcher(CONNECTION) as matcher:
        query = f"select {matcher.build_match('text', pattern)} from (select unnest($texts::varchar[]) as text)"
        return [is_match for (is_match,) in CONNECTION.execute(query, {"texts": texts}).fetchall()]


def is_pattern(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except (re.error, OverflowError):
        return False
    return True


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.trials("patterns on texts of odd characters", scale_trials(150, 3000))
@settings(max_examples=scale_trials(150, 3000))
@given(
    st.lists(st.sampled_from(_PIECES), min_size=1, max_size=7).map("".join).filter(is_pattern),
    st.lists(st.text(_CHARACTERS, max_size=5), min_size=1, max_size=10),
)
def test_any_pattern_matches_what_it_matches_in_python(pattern: str, texts: list[str]) -> None:
    assert find_matches(pattern, texts) == [re.match(pattern, text) is not None for text in texts], pattern


def test_patterns_of_the_declarations_are_for_duckdb() -> None:
    patterns = {column.matches for table in list_tables() for column in table.columns if column.matches}
    assert len(patterns) > 5
    assert [pattern for pattern in patterns if not is_portable(pattern)] == []


@pytest.mark.parametrize("pattern", ["a{,2}b", r"\w\b", "[[:alpha:]]", "(?i)k", "é", r"a\Z", "a++", "(?:a{900}){900}"])
def test_patterns_that_differ_are_for_python(pattern: str) -> None:
    texts = ["aab", "a{,2}b", "[:", "l", "K", "é", "a", "a\n", ""]
    assert find_matches(pattern, texts) == [re.match(pattern, text) is not None for text in texts]
