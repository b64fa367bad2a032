"""A reader reports an error, as a file or by mail, and an editor sees the work first."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path
from urllib.parse import unquote

import pytest

from dashboards.queries.review import VARIABLE
from dashboards.widgets import report_link
from tests.conftest import run_aisle
from tests.support.app_tests import open_page
from tests.support.builders import fetch_rows
from tests.support.review import TITLES, build_review_lake
from transforms.review.reports import write_report
from warehouse.decisions.store import list_decisions
from warehouse.lake import Lake
from warehouse.release import read_current_release


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return build_review_lake(tmp_path_factory.mktemp("reports") / "lake")


def test_a_report_by_mail_becomes_a_note_and_its_work_comes_first(
    published: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "select work_id from clean.works where title = 'A study of old wolves'"
    ((work_id,),) = fetch_rows(read_current_release(published), query)
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "Rea Der <rea@example.org>", "Error"
    mail.set_content(
        f"{write_report(work_id, TITLES['wolves'], 'v1')}The year is wrong: it is 2024 – see its first page.\n"
    )
    file = tmp_path / "mail.eml"
    file.write_bytes(mail.as_bytes())
    assert "1 of 1" in run_aisle(published.root, "review", "import", str(file)).stderr
    (note,) = list_decisions(published)
    assert (note.kind, note.decided_by) == ("note", "Rea Der <rea@example.org>")
    assert note.value == "The year is wrong: it is 2024 – see its first page."
    listed = run_aisle(published.root, "review", "next", "--list", "-n", "9", "--taxonomy", "animals").stdout
    assert TITLES["wolves"] in listed.splitlines()[0]  # though it has a category
    monkeypatch.setenv(VARIABLE, "Ada")
    app = open_page(published, monkeypatch, "review")
    app = app.selectbox(key="taxonomy").set_value("animals").run()
    assert app.subheader[0].value == TITLES["wolves"]
    assert "The year is wrong" in app.warning[0].value
    app = app.button(key=f"dismiss {note.event_id}").click().run()
    assert app.subheader[0].value != TITLES["wolves"]


def test_a_report_that_states_nothing_is_refused(published: Lake, tmp_path: Path) -> None:
    file = tmp_path / "report.txt"
    for text, message in (
        (write_report("x" * 24, "Gone", "v1") + "It is gone.", "no work is meant"),
        (write_report("x" * 24, "Gone", "v1"), "report.txt: a report needs"),
    ):
        file.write_text(text)
        done = run_aisle(published.root, "review", "import", str(file))
        assert (done.returncode, message in done.stderr) == (1, True), done.stderr


def test_the_page_of_a_work_prefills_a_mail(published: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    ((work_id,),) = fetch_rows(read_current_release(published), "select min(work_id) from clean.works")
    monkeypatch.setenv(report_link.VARIABLE, "editors@example.org")
    shown: list[str] = []
    monkeypatch.setattr(report_link.st, "html", shown.append)
    report_link.show_report_link(read_current_release(published), work_id, "On <b>wolves</b> & more")
    (link,) = shown
    assert 'href="mailto:editors@example.org?subject=' in link
    assert f"work: {work_id}\ntitle: On <b>wolves</b> & more\nrelease: v1" in unquote(link)
    monkeypatch.setenv(report_link.VARIABLE, 'x" onclick="y@example.org')
    report_link.show_report_link(read_current_release(published), work_id, "On wolves")
    assert len(shown) == 1
