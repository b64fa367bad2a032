"""The functions that recognise mentions, registered in DuckDB for the queries that call them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

_FOLDER = Path(__file__).parent
_TYPES: dict[str, tuple[list[str], str]] = {
    "find_phrases": (
        ["varchar", "varchar[]", "boolean[]", "varchar[]"],
        'struct("number" integer, place integer, fragment varchar, is_plain boolean)[]',
    ),
    "list_quotes": (["varchar", "varchar[]"], "struct(place integer, fragment varchar)[]"),
    "list_credits": (["varchar"], 'struct(place integer, person varchar, "role" varchar)[]'),
    "list_people": (["varchar"], "varchar[]"),
    "abstract_similarity": (["varchar", "varchar"], "double"),
}
RESULT_TYPES = {name: result for name, (_, result) in _TYPES.items()}
"""The type that each function returns, as DuckDB writes it."""


def load_function(name: str) -> Callable[..., Any]:
    """The function of that name; its libraries are loaded with it."""
    if name == "find_phrases":
        from transforms.mentions.phrases import find_phrases

        return _return_structs(find_phrases)
    if name in ("list_quotes", "abstract_similarity"):
        from transforms.mentions import quotes

        return quotes.abstract_similarity if name == "abstract_similarity" else _return_structs(quotes.list_quotes)
    from transforms.mentions import credit_lines

    return credit_lines.list_people if name == "list_people" else _return_structs(credit_lines.list_credits)


def _return_structs(function: Callable[..., list[Any]]) -> Callable[..., list[dict[str, Any]]]:
    """Wrap a function that returns named tuples so that it returns what DuckDB reads as structs."""

    @wraps(function)  # DuckDB inspects the parameters
    def wrapper(*values: Any) -> list[dict[str, Any]]:
        return [found._asdict() for found in function(*values)]

    return wrapper


def read_mentions_code(query: str) -> list[str]:
    """The code of the functions that recognise mentions, if a query calls one."""
    if not any(f"{name}(" in query for name in _TYPES):
        return []
    return [file.read_text(encoding="utf-8") for file in sorted(_FOLDER.glob("*.py"))]


@contextmanager
def register_mentions(connection: duckdb.DuckDBPyConnection, query: str) -> Generator[None]:
    """Register the functions for mentions that a query calls, and remove them afterwards; missing gives missing."""
    names = [name for name in _TYPES if f"{name}(" in query]
    for name in names:
        arguments, result = _TYPES[name]
        connection.create_function(
            name, load_function(name), [connection.type(argument) for argument in arguments], connection.type(result)
        )
    try:
        yield
    finally:
        for name in names:
            connection.remove_function(name)
