"""Names and prose use the words of the field: a private vocabulary that is hard to guess stays out."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT

PACKAGES = ("orchestration", "transforms", "warehouse", "expectations", "dashboards", "tests", "benchmarks")
PYTHON = sorted(path for part in PACKAGES for path in (PROJECT / part).rglob("*.py"))
SQL = sorted(path for part in ("transforms", "warehouse") for path in (PROJECT / part).rglob("*.sql"))
PROSE = [PROJECT / "README.md", PROJECT / "CHANGELOG.md", *sorted((PROJECT / "docs").rglob("*.md")), *SQL]

# words that name nothing a data engineer would look for
IN_NAMES = {
    *("told", "tell", "tells", "telling", "ask", "asks", "asked", "asking", "say", "says", "said", "saying"),
    *("thing", "things", "talk", "talks", "meanwhile", "handout", "manner", "converse", "conversation"),
    *("conversations", "unanswered", "whoever"),
}
IN_PROSE = re.compile(
    r"\b(told|things?|talks?|meanwhile|handouts?|take along|taken along|carried on|whoever|anew|riddle)\b",
    re.IGNORECASE,
)
# files that quote other people's texts, former links, or this list itself
QUOTES = {
    "segmentation.py",
    "failure_page.py",
    "former_links.py",
    "test_forum_page.py",
    "test_podcast_page.py",
    "test_words.py",
}


def split_words(name: str) -> set[str]:
    """The words of a name in snake or camel case, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def list_names(path: Path) -> Iterator[tuple[int, str]]:
    """The names that a file defines: functions, classes, parameters, variables, attributes and aliases of imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield 0, node.asname


def list_texts(path: Path) -> Iterator[tuple[int, str]]:
    """The comments and strings of a file, in which a docstring, a message or a text of a page can stand."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type in {tokenize.COMMENT, tokenize.STRING}:
            yield token.start[0], token.string


def locate(path: Path, line: int, text: str) -> str:
    return f"{path.relative_to(PROJECT)}:{line}: {text}"


def test_a_name_of_the_private_vocabulary_would_be_found() -> None:
    assert split_words("told_unknown") & IN_NAMES
    assert split_words("ItemsAsked") & IN_NAMES
    assert split_words("THINGS") & IN_NAMES
    assert not split_words("tasks_by_item") & IN_NAMES


def test_no_name_is_of_the_private_vocabulary() -> None:
    assert len(PYTHON) > 200
    found = [
        locate(path, line, name) for path in PYTHON for line, name in list_names(path) if split_words(name) & IN_NAMES
    ]
    assert found == []


def test_no_alias_in_sql_is_of_the_private_vocabulary() -> None:
    assert len(SQL) > 30
    alias = re.compile(r"\bas ([a-z_]+)\b|\b([a-z_]+) as \(")
    found = [
        locate(path, number, line.strip())
        for path in SQL
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in alias.finditer(line)
        if split_words(match[1] or match[2]) & IN_NAMES
    ]
    assert found == []


@pytest.mark.parametrize("part", PACKAGES)
def test_comments_docstrings_and_messages_are_plain(part: str) -> None:
    found = [
        locate(path, line, text.strip()[:100])
        for path in PYTHON
        if path.relative_to(PROJECT).parts[0] == part and path.name not in QUOTES
        for line, text in list_texts(path)
        if IN_PROSE.search(text)
    ]
    assert found == []


def test_documents_and_declarations_are_plain() -> None:
    found = [
        locate(path, number, line.strip()[:100])
        for path in PROSE
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if IN_PROSE.search(line)
    ]
    assert found == []
