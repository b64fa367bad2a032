"""Patterns of declarations, evaluated by DuckDB as Python's ``re.match`` would.

DuckDB's RE2 has other classes and another end of a text: its classes of letters, digits and spaces are ASCII only,
without the vertical tab, and ``$`` does not match before a final line break. That makes no difference for printable
ASCII, so that RE2 gets those values, and Python the others. A pattern with anything that may mean something else in RE2
is Python's alone.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

import duckdb

from warehouse.sql import quote_literal
from warehouse.table import DeclarationError

# literal characters, groups, sets, repeats, anchors, and escapes of punctuation and of classes; no `{,2}`, which is
# literal text for RE2, no `[[:alpha:]]`, and no nested or inverted sets with odd beginnings
_PORTABLE = re.compile(
    r"""(?: [A-Za-z0-9\ !"#%&',/:;<=>@_`~-] | \\[dDwWsS] | \\[^A-Za-z0-9_\s] | \(\?: | \((?!\?) | \)
        | \[\^?(?: [A-Za-z0-9\ !"#%',/:;<=>@_`.+*?(){}$|] | - | \\[dDwWsS] | \\[^A-Za-z0-9_\s] )+\]
        | [.^$|] | [*+?]\??(?![+*?]) | \{\d{1,3}(?:,\d{0,3})?\}\??(?![+*?{]) )*""",
    re.VERBOSE | re.ASCII,
)
_NOT_PRINTABLE_ASCII = r"[^\t -~]"
_COMPLEMENT = re.compile(r"\\[DWS]|\[\^")
_numbers = count()


def is_portable(pattern: str) -> bool:
    """Whether a pattern means the same in RE2 and in Python, for printable ASCII."""
    return _PORTABLE.fullmatch(pattern) is not None


@dataclass
class Matcher:
    """Makes expressions for patterns, and keeps the functions that those call in a connection."""

    connection: duckdb.DuckDBPyConnection
    functions: dict[str, str] = field(default_factory=dict)

    def build_match(self, value: str, pattern: str) -> str:
        """The expression for whether a text matches a pattern at its start.

        Args:
            value: An expression of a text that is not null.
            pattern: The pattern, in Python's syntax.
        """
        function = self._create_function(pattern)
        if not self._has_pattern(pattern):
            return f"{function}({value})"
        is_odd = f"regexp_matches({value}, '{_NOT_PRINTABLE_ASCII}')"
        matches = f"regexp_matches({value}, {quote_literal(f'^(?:{pattern})')})"
        if _COMPLEMENT.search(pattern):
            return f"case when {is_odd} then {function}({value}) else {matches} end"
        # RE2's classes are parts of Python's, so that what it matches needs no second look
        return f"case when {matches} then true when {is_odd} then {function}({value}) else false end"

    def _has_pattern(self, pattern: str) -> bool:
        """Whether RE2 has the pattern with the same meaning; it refuses patterns that become too large."""
        try:
            return is_portable(pattern) and bool(
                self.connection.execute(f"select regexp_matches('', {quote_literal(pattern)})").fetchall()
            )
        except duckdb.Error:
            return False

    def _create_function(self, pattern: str) -> str:
        if pattern not in self.functions:
            try:
                compiled, name = re.compile(pattern), f"match_pattern_{next(_numbers)}"
            except re.error as error:
                raise DeclarationError(f"{pattern!r} is no regular expression: {error}") from error
            self.connection.create_function(name, lambda text: compiled.match(text) is not None, ["VARCHAR"], "BOOLEAN")
            self.functions[pattern] = name
        return self.functions[pattern]


@contextmanager
def create_matcher(connection: duckdb.DuckDBPyConnection) -> Generator[Matcher]:
    """A matcher whose functions are removed from the connection at the end."""
    matcher = Matcher(connection)
    try:
        yield matcher
    finally:
        for name in matcher.functions.values():
            connection.remove_function(name)
