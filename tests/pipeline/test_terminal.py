"""Text from outside on a terminal: shown as it is, never read as markup, and without characters that command a terminal."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table as RichTable

from orchestration.cli import console as consoles
from orchestration.cli.console import PlainConsole
from orchestration.cli.query import RowOutput, write_rows
from orchestration.cli.running import print_findings
from orchestration.defs.run_log import RUN_LOG
from tests.conftest import run_aisle
from tests.sources.test_lab_sheet import GOOD, build_csv
from warehouse.lake import PROJECT, Lake
from warehouse.terminal_text import escape_controls, escape_name

HOSTILE = "[/red] [bold]x[/] :smile: \x1b[31m\x07\x9b2J\u202egnp.exe\u2066\r\x00\u2028[link=http://x]"
TEXTS = st.text(
    st.one_of(st.characters(), st.sampled_from("[]/\\\x1b\x07\x9b\x9d\r\u202e\u2066\u061c\u2028\ud800:=")), max_size=60
)


def is_harmless(text: str) -> bool:
    """Whether no character of a text is a control, a mark of direction, a line separator or half a surrogate pair."""
    bidirectional = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    return not any(
        unicodedata.category(character) in {"Cc", "Zl", "Zp", "Cs"}
        or unicodedata.bidirectional(character) in bidirectional
        for character in text.replace("\n", "").replace("\t", "")
    )


def print_everywhere(text: str) -> str:
    """All that the helpers of the commands print of a text."""
    with io.StringIO() as shown:
        console = PlainConsole(file=shown, width=400, color_system=None)
        console.print(text)
        console.print(text, style="red", soft_wrap=True)
        table = RichTable(text, title=text)
        table.add_row(text)
        console.print(table)
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(shown):
            patch.setattr(consoles, "err", console)
            patch.setattr(consoles, "out", console)
            consoles.log(text)
            consoles.fail(text)
            consoles.show_line(text)
            if "\ud800" not in text:  # which no query returns
                write_rows(
                    pl.DataFrame({text: [text], "list": [[text]], "struct": [{"a": text}]}), RowOutput(), console
                )
        return shown.getvalue()


@given(TEXTS)
def test_no_text_commands_the_terminal(text: str) -> None:
    assert is_harmless(escape_controls(text))


@given(TEXTS)
def test_json_whose_controls_are_written_out_is_still_json(text: str) -> None:
    assert json.loads(escape_controls(json.dumps(text, ensure_ascii=False))) == text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\x1b[31m.csv", "a\\x1b[31m.csv"),
        ("a\tb\nc", "a\\tb\\nc"),
        ("odd\udce9.csv", "odd\\xe9.csv"),
        ("\u202egpj", "\\u202egpj"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("é 论文 ✓", "é 论文 ✓"),
    ],
)
def test_name_is_shown_in_one_line(name: str, shown: str) -> None:
    assert escape_name(name) == shown
    assert escape_name(Path("in") / name) == f"in/{shown}"


@given(TEXTS)
def test_any_name_is_shown_in_one_harmless_line(text: str) -> None:
    assert is_harmless(escape_name(text))
    assert len(escape_name(text).splitlines()) <= 1


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE,
        "[/]",
        "[red",
        "[[bold]]",
        "[@click=app.bell]x[/]",
        "\\[x]",
        ":warning:",
        "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\",
        "\x1b]0;title\x07",
        "\x9b31m",
        "\u202eabc",
        "a\ud800b",
        "\x08\x08\x08",
        "a\rb",
        "\x85",
    ],
)
def test_text_is_printed_as_it_is(text: str) -> None:
    shown = print_everywhere(text)
    assert is_harmless(shown)
    assert shown.count(escape_controls(text)) >= 4


@given(TEXTS)
def test_any_text_can_be_printed(text: str) -> None:
    console = PlainConsole(file=io.StringIO(), width=400, color_system="truecolor", force_terminal=True)
    console.print(text, style="red", soft_wrap=True)
    table = RichTable("column")
    table.add_row(text)
    console.print(table)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert is_harmless(
        "".join(part.partition("m")[2] for part in ("m" + shown).split("\x1b["))
    )  # but for our own styles


def test_further_lines_of_a_text_pass_for_none_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    consoles.show_line("refused: a\n✓ b.csv: added")
    assert capsys.readouterr().out == "refused: a\n    ✓ b.csv: added\n"


def test_log_of_a_run_is_escaped() -> None:
    logger: Any = RUN_LOG.logger_fn(None)  # type: ignore[arg-type]
    with io.StringIO() as shown:
        logger.handlers[0].setStream(shown)
        logger.log(logging.WARNING, f"{HOSTILE}\n! forged")
        assert is_harmless(shown.getvalue())
        assert "[/red] [bold]x[/]" in shown.getvalue()
        assert "\n    ! forged" in shown.getvalue()


def test_only_one_place_makes_consoles_and_none_reads_markup() -> None:
    for path in [*(PROJECT / "orchestration").rglob("*.py"), *(PROJECT / "warehouse").rglob("*.py")]:
        source = path.read_text(encoding="utf-8")
        if path.name != "console.py":
            assert "Console(" not in source, path
        for word in ("from_markup", "rich.markup", "typer.echo", "click.echo", "rprint", "sys.stderr.write"):
            assert word not in source, (path, word)


def test_lab_in_brackets_is_shown(copy_release: Callable[..., Lake], capsys: pytest.CaptureFixture[str]) -> None:
    tables = ("clean.publications", "mart.publications_by_lab_year", "mart.publication_counts_by_month")
    lab = HOSTILE.replace("\x00", "")
    lake = copy_release(*(f"update {table} set lab = '{lab}' where lab = 'OpenAI'" for table in tables))
    print_findings(lake)
    shown = capsys.readouterr().out
    assert "[/red] [bold]x[/] :smile: \\u001b[31m" in shown
    assert is_harmless(shown)
    query = "select distinct lab, [lab] as labs, {'lab': lab} as s from clean.publications where lab like '[%'"
    for form in ("table", "csv", "json", "markdown"):
        result = run_aisle(lake.root, "sql", query, "--format", form)
        assert result.returncode == 0
        assert is_harmless(result.stdout) == (form == "table")  # the others are exact for the next program
        assert ("\\u001b[31m" if form == "table" else "[31m") in result.stdout
    failed = run_aisle(lake.root, "sql", f"select 1 as \"{lab}\" from mart.nothing where '{lab}' = 'x'")
    assert failed.returncode == 1
    assert is_harmless(failed.stderr)


@pytest.mark.parametrize("form", ["csv", "json", "markdown", "table"])
def test_rows_on_a_terminal_are_escaped(released_lake: Lake, form: str) -> None:
    ours, theirs = pty.openpty()
    code = "from orchestration.cli.app import main; main()"
    arguments = ["sql", "select 'a' || chr(27) || '[2J' || chr(8238) as x", "--format", form]
    environment = {**os.environ, "AISLE_LAKE": str(released_lake.root), "TERM": "xterm", "NO_COLOR": "1"}
    with subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        while piece := _read_terminal(ours):
            shown += piece
    os.close(ours)
    assert process.returncode == 0
    assert b"\x1b" not in shown
    assert "\u202e" not in shown.decode()
    assert b"u001b[2J" in shown


def _read_terminal(handle: int) -> bytes:
    try:
        return os.read(handle, 65_536)
    except OSError:  # the other end is closed
        return b""


@pytest.mark.parametrize(
    "name", ["[red]\x1b[31m.csv", "a\n✓ b.csv", b"odd\xe9 [bold].csv", "\u202egpj.csv", ":boom:.csv"]
)
def test_names_of_files_are_escaped(tmp_path: Path, name: str | bytes) -> None:
    path = tmp_path / (os.fsdecode(name) if isinstance(name, bytes) else name)
    path.write_bytes(build_csv(GOOD))
    result = run_aisle(tmp_path / "lake", "add", str(path))
    assert is_harmless(result.stderr)
    assert (".csv" in result.stderr, result.returncode == 0) == (True, isinstance(name, str)), result.stderr
    path.write_bytes(b"\x00nothing that is known")
    refused = run_aisle(tmp_path / "lake", "add", str(path))
    assert refused.returncode == 1
    assert is_harmless(refused.stderr)
    status = run_aisle(tmp_path / "lake", "rejects")
    assert status.returncode == 0
    assert is_harmless(status.stdout)
