"""Outside bytes: which are refused with which message, and that no file crashes this process."""

from __future__ import annotations

import io
import os
import random
import select
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from orchestration.ingest import parser_process
from orchestration.sources.registry import recognise_source
from orchestration.sources.shared.document import Document, UnreadableDocument
from orchestration.sources.source import DocumentRefused
from tests.sources.test_lab_sheet import GOOD, HEADER, build_csv
from warehouse.lake import PROJECT


def build_archive(**parts: str | bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in parts.items():
            file.writestr(name.replace("__", "/").replace("_xml", ".xml"), data)
    return content.getvalue()


HTML = b"<!DOCTYPE html><html><head><title>Sign in - Accounts</title></head><body>Please sign in</body></html>"
UNCLOSED = build_csv(GOOD) + b'OpenAI,"never closed,3-Mar-24\n' * 3
WRONG = {
    "empty": (b"", "an empty file"),
    "blank": (b"\xef\xbb\xbf  \n \n", "an empty file"),
    "binary": (b"PNG\0\1\2\3" * 100, "binary data"),
    "random": (bytes(random.Random(7).randbytes(4000)), "binary data|not valid UTF-8"),
    "not_utf8": (
        build_csv(GOOD) + b"OpenAI,Z\xfcrich,3-Mar-24,https://openai.com/c,Robustness,\n",
        r"not valid UTF-8: byte 0xfc at offset \d+, line 3",
    ),
    "sign_in_page": (HTML, "a sign-in page titled “Sign in - Accounts”"),
    "prose": (b"# Notes\nSome thoughts about nothing in particular.\n", "a text of 2 lines that begins “# Notes”"),
    "one_long_line": (b"a" * 10_000_000, "line 1 has 10,000,000 characters"),
    "unclosed_quote": (UNCLOSED, "row 3: line 3: a misplaced quote"),
    "zip": (build_archive(readme="hello"), "a zip archive that is not an XLSX workbook"),
    "cut_zip": (build_archive(readme="hello")[:40], "a damaged zip archive"),
    "forged_workbook": (build_archive(xl__workbook_xml="<workbook><sheets>"), "a workbook that cannot be read"),
    "workbook_bomb": (
        build_archive(xl__workbook_xml="<workbook/>", xl__sheet_xml=b"0" * 300_000_000),
        "a workbook that unpacks to",
    ),
    "mostly_unreadable": (
        build_csv(GOOD, [GOOD[0], "", *GOOD[2:3], "soon", *GOOD[4:]], [*GOOD, "one too many"]),
        r"2 of its 3 records are unreadable \(row 3: .+, row 4: .+\); where half or more are, none is taken: correct or remove them",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_file_is_refused_with_its_description(tmp_path: Path, name: str) -> None:
    content, message = WRONG[name]
    path = tmp_path / f"{name}.csv"
    path.write_bytes(content)
    with pytest.raises(DocumentRefused, match=message):
        parser_process.parse_file(path, path.name, {})


@pytest.mark.parametrize("header", [",".join(HEADER), "entry,linked_url,summary_sha256"])
def test_header_without_rows_is_an_empty_list(header: str) -> None:
    _, result = parser_process.parse_bytes(f"{header}\n".encode(), "empty.csv", {})
    assert (result.items, result.is_empty_valid) == ([], True)


def test_refusal_names_the_nearest_kind_and_no_other() -> None:
    with pytest.raises(DocumentRefused, match="none of the 13 known kinds; aisle sources lists them$"):
        recognise_source(Document(WRONG["prose"][0], "a file"))
    with pytest.raises(DocumentRefused, match="as lab_sheet: no header row with Company or Lab, Category") as refused:
        recognise_source(Document(b"Paper title,Link to paper\nA title,https://example.org/1\n", "list.csv"))
    assert "aisle add --map 'title=Paper title' --map 'url=Link to paper' list.csv" in str(refused.value)
    assert "forum" not in str(refused.value)
    assert refused.value.proposal is not None
    assert refused.value.proposal.columns == {"title": "Paper title", "url": "Link to paper"}


def build_huge_workbook() -> bytes:
    """A small workbook whose two cells span the largest possible sheet."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(
            "[Content_Types].xml", '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
        )
        file.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{relations}"><Relationship Id="a" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        file.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="s" sheetId="1" r:id="b"/></sheets></workbook>',
        )
        file.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{relations}"><Relationship Id="b" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        )
        cells = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
        file.writestr(
            "xl/worksheets/sheet1.xml",
            f'<worksheet xmlns="{main}"><dimension ref="A1:XFD1048576"/><sheetData>{cells}</sheetData></worksheet>',
        )
    return content.getvalue()


def test_workbook_that_crashes_its_parser_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "forged.xlsx"
    path.write_bytes(build_huge_workbook())
    with pytest.raises(DocumentRefused, match="parsing ended with|crashed its parser|cannot be read"):
        parser_process.parse_file(path, path.name, {})


def test_time_limit_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser_process, "WALL_SECONDS", 0.05)
    path = tmp_path / "slow.csv"
    os.mkfifo(path)  # nobody writes to it, so reading it does not end by itself, however fast the machine is
    with pytest.raises(DocumentRefused, match="could not be parsed within|seconds to parse"):
        parser_process.parse_file(path, path.name, {})


def test_source_does_not_depend_on_the_file_name(tmp_path: Path) -> None:
    path = tmp_path / "a[1].csv"
    path.write_bytes(build_csv(GOOD))
    (tmp_path / "a1.csv").write_bytes(b"something else\n")
    source, parsed = parser_process.parse_file(path, path.name, {})
    assert (source, len(parsed.records)) == ("lab_sheet", 1)


def test_source_does_not_depend_on_the_extension() -> None:
    assert recognise_source(Document(build_csv(GOOD), "picture.png")).name == "lab_sheet"
    with pytest.raises(UnreadableDocument):
        _ = Document(b"\0\1", "table.csv").text


PARSES_PIPE = """
import sys
from pathlib import Path
from orchestration.ingest.parser_process import parse_file
parse_file(Path(sys.argv[1]), "pipe", {})
"""


def test_parsing_ends_with_the_process_that_requested_it(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    parent = subprocess.Popen([sys.executable, "-c", PARSES_PIPE, str(path)], cwd=PROJECT)
    pipe = os.open(path, os.O_WRONLY)  # returns when the child that parses opens the file to read it
    end = select.poll()
    end.register(pipe, 0)
    parent.kill()
    parent.wait()
    assert end.poll(60_000) == [(pipe, select.POLLERR)]  # nobody reads it any more
    os.close(pipe)
