"""Pages without a browser: their text on a normal and a hostile lake, and that their numbers add up."""

from __future__ import annotations

import io
from collections.abc import Callable

import polars as pl
import pytest

from dashboards.charts import marks, palette
from dashboards.queries import counts, trends
from dashboards.queries.release import get_newest_release, query_release
from dashboards.queries.selection import Selection
from tests.support.app_tests import open_page, read_figure_table, read_page_text, read_paper_table
from warehouse.lake import Lake
from warehouse.release import Release, read_current_release
from warehouse.row_files import encode_csv, encode_parquet

GRAINS = ("month", "quarter", "year")
DIMENSIONS = (("lab", "category"), ("lab",), ("category",))


@pytest.fixture
def release(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Release:
    monkeypatch.setenv("AISLE_LAKE", str(released_lake.root))
    return get_newest_release()


def test_page_shows_all_publications_with_rule_source_and_part_period(
    released_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(released_lake, monkeypatch)
    assert not app.exception
    page_text = read_page_text(app)
    assert "78 works" in page_text
    assert "marked duplicates do not count" in page_text
    assert "data as of release v1" in page_text
    assert "newest record 24 Jul 2024" in page_text
    assert "covers 1 Jan 2022 to 31 Jul 2024" in page_text
    assert "2024 (to 31 Jul): covered only in part" in page_text
    assert "must not be read as a decline" in page_text
    table = read_figure_table(app)
    assert table["publications"].sum() == 78
    assert set(table.filter(pl.col("is_part_period"))["period"]) == {"2024"}
    assert read_paper_table(app).height == 78


def test_filters_change_the_counts(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(released_lake, monkeypatch)
    app.multiselect(key="labs").select("OpenAI")
    app.selectbox(key="count").set_value("works")
    app.selectbox(key="per").set_value("quarter")
    app.run()
    assert not app.exception
    assert "11 of 78 works" in read_page_text(app)
    assert read_figure_table(app)["publications"].sum() == 11
    assert read_paper_table(app).height == 11


def test_link_restores_view_and_papers(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(
        released_lake,
        monkeypatch,
        labs=["Anthropic", "OpenAI"],
        per="quarter",
        view="lines",
        colour="lab",
        panels="false",
        period="2024 Q2",
        of_lab="Anthropic",
    )
    assert not app.exception
    assert app.multiselect(key="labs").value == ["Anthropic", "OpenAI"]
    assert app.segmented_control(key="view").value == "lines"
    assert app.toggle(key="panels").value is False
    table = read_figure_table(app)
    assert "category" not in table.columns
    bar = table.filter((pl.col("period") == "2024 Q2") & (pl.col("lab") == "Anthropic"))["publications"].item()
    assert read_paper_table(app).height == bar > 0
    assert set(read_paper_table(app)["lab"]) == {"Anthropic"}


def test_unknown_values_in_a_link_are_reported_and_ignored(
    released_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(
        released_lake,
        monkeypatch,
        labs="<script>",
        per="century",
        view="pie",
        period="1066",
        panels="perhaps",
        trends_tab="Sums",
    )
    assert not app.exception
    filters = [warning.value.split(" is not one of the options")[0] for warning in app.warning]
    assert sorted(filters) == [
        "Labs: \\<script\\>",
        "One panel per lab: perhaps",
        "Per: century",
        "Period: 1066",
        "Tab: Sums",
        "View: pie",
    ]
    assert read_figure_table(app)["publications"].sum() == 78


def test_period_is_reset_if_the_new_grain_lacks_it(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(released_lake, monkeypatch, period="2023")
    assert read_paper_table(app).height == 32
    app.selectbox(key="per").set_value("month").run()
    assert not app.exception
    assert app.selectbox(key="period").value is None
    assert read_paper_table(app).height == 78


def test_selection_without_publications_is_reported(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(released_lake, monkeypatch, labs="OpenAI", categories="Unlearning")
    assert not app.exception
    assert "No publication matches these filters" in read_page_text(app)
    assert "None in 31 whole months that are covered" in read_page_text(app)
    assert "exact 95 % interval of 0 to 1.4" in read_page_text(app)
    assert read_figure_table(app)["publications"].to_list() == [0, 0, 0]


def test_new_release_appears_at_the_next_run(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(copy_release(), monkeypatch)
    assert "release v1" in read_page_text(app)
    copy_release("delete from clean.publications where lab = 'OpenAI'", number=2)
    app.run()
    assert not app.exception
    assert "release v2" in read_page_text(app)
    assert read_paper_table(app).height == 67


def test_undated_publications_are_counted_and_can_be_listed(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = copy_release(
        "update clean.publications set published_on = null, published_year = null where category = 'Unlearning'",
        "update mart.counted_publications set published_on = null, published_year = null where category = 'Unlearning'",
        "update mart.counted_works set published_on = null, published_year = null where category = 'Unlearning'",
        "update mart.publication_counts_by_month set published_month = null where category = 'Unlearning'",
        "update mart.work_counts_by_month set published_month = null where category = 'Unlearning'",
    )
    app = open_page(lake, monkeypatch)
    assert "2 more without a date, not drawn" in read_page_text(app)
    app.selectbox(key="period").set_value("undated").run()
    assert not app.exception
    assert set(read_paper_table(app)["category"]) == {"Unlearning"}


def test_hostile_texts_are_shown_as_text(copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch) -> None:
    lake = copy_release(
        "update clean.publications set title = '<img src=x onerror=alert(1)> ![](http://evil.example/x)', url = 'javascript:alert(1)' where lab = 'OpenAI'",
        "update clean.publications set lab = '=HYPERLINK(\"http://evil.example\") **x**' where lab = 'OpenAI'",
        "update mart.counted_publications set lab = '=HYPERLINK(\"http://evil.example\") **x**' where lab = 'OpenAI'",
        "update mart.counted_works set lab = '=HYPERLINK(\"http://evil.example\") **x**' where lab = 'OpenAI'",
        "update mart.work_counts_by_month set lab = '=HYPERLINK(\"http://evil.example\") **x**' where lab = 'OpenAI'",
        "update mart.publication_counts_by_month set lab = '=HYPERLINK(\"http://evil.example\") **x**' where lab = 'OpenAI'",
    )
    app = open_page(lake, monkeypatch)
    assert not app.exception
    text = read_page_text(app)
    assert r"\*\*x\*\*" in text  # the finding names it, as text
    assert "http://evil" not in text
    assert " **x**" not in text
    papers = read_paper_table(app)
    assert papers.filter(pl.col("title").str.starts_with("<img")).height == 11
    assert papers.filter(pl.col("url").str.starts_with("javascript")).is_empty()
    csv = encode_csv(read_figure_table(app)).decode()
    assert "'=HYPERLINK" in csv
    assert ',"=HYPERLINK' not in csv


@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("dimensions", DIMENSIONS)
@pytest.mark.parametrize(("rule", "expected"), [("rows", 80), ("works", 78), ("works_fractional", 78)])
def test_counts_add_up_by_every_grain_and_dimension(
    release: Release, grain: str, dimensions: tuple[str, ...], rule: str, expected: int
) -> None:
    selection = Selection(rule=rule, grain=grain, dimensions=dimensions)
    frame = counts.query_counts(release, selection)
    assert frame["publications"].sum() == expected == counts.query_totals(release, selection).selected
    assert frame.select("period", *dimensions).is_unique().all()


@pytest.mark.parametrize("taxonomy", ["iaps", "unsolved_problems"])
@pytest.mark.parametrize("rule", ["rows", "works", "works_first_author"])
def test_bar_lists_the_papers_that_it_counts(release: Release, rule: str, taxonomy: str) -> None:
    frame = counts.query_counts(release, Selection(rule=rule, taxonomy=taxonomy, grain="quarter"))
    for bar in frame.filter(pl.col("publications") > 0).iter_rows(named=True):
        selection = Selection((bar["lab"],), (bar["category"],), rule, taxonomy)
        papers = counts.list_papers(release, selection, (bar["starts_on"], bar["ends_on"]))
        assert papers["counted"].sum() == pytest.approx(bar["publications"])


def test_range_over_rules_covers_every_applicable_rule(release: Release) -> None:
    selection = Selection(rule="works")
    ranged = query_release(release, *trends.build_query(release, selection, "lines", "category", is_ranged=True))
    assert (ranged["lowest"].sum(), ranged["highest"].sum()) == (78, 80)
    assert ranged.select((pl.col("lowest") <= pl.col("publications")).all()).item()
    assert ranged.height == counts.query_counts(release, selection).height


def test_link_with_a_release_shows_that_release(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_release()
    lake = copy_release("delete from clean.publications", number=2)
    assert "release v2" in read_page_text(open_page(lake, monkeypatch))
    app = open_page(lake, monkeypatch, release="v1")
    assert "release v1" in read_page_text(app)
    assert read_paper_table(app).height == 78
    assert any('href="changes?new=v2&amp;old=v1"' in element.proto.body for element in app.get("html"))
    assert "release v2" in read_page_text(open_page(lake, monkeypatch, release="v99"))


def test_rule_without_known_authors_warns(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(released_lake, monkeypatch, count="works_fractional")
    assert not app.exception
    assert "The authors of 78 of 78 publications are not known" in app.warning[0].value
    assert set(read_figure_table(app).filter(pl.col("publications") > 0)["lab"]) == {"(authors not known)"}


def test_figure_has_finding_and_cautions(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    page_text = read_page_text(open_page(released_lake, monkeypatch, labs="OpenAI"))
    assert "OpenAI\\: 11 works in 31 whole months" in page_text
    assert "no clear change" in page_text
    assert "Fewer than 30 publications in all" in page_text
    assert "stale\\: they end on 31 Jul 2024" in page_text
    assert "may still be filling up" not in page_text  # nothing will come any more


def test_work_page_shows_its_snapshot(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with read_current_release(released_lake).connect() as connection:
        ((identity, title, sha256),) = connection.execute(
            "select publication_id, title, sha256 from mart.publication_evidence where title like 'Sycophancy%'"
        ).fetchall()
    app = open_page(released_lake, monkeypatch, id=identity)
    app.switch_page("app_pages/work.py").run()
    assert not app.exception
    assert app.title[0].value.replace("\\", "") == title
    assert sha256 in app.dataframe[-1].value["sha256"].tolist()
    (counted,) = [pl.from_pandas(table.value) for table in app.dataframe if "counting_rule" in table.value]
    assert counted.filter(pl.col("counting_rule") == "works")["weight"].item() == 1


def test_published_numbers_list_the_differences(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = copy_release(
        "update mart.published_counts set outcome = 'differs', counted_value = 81, why = 'one more' where claim = 'included papers'",
        "insert into mart.published_count_differences values ('included papers', 'x', 'A late find', 1, 'not among the rows of the study')",
    )
    app = open_page(lake, monkeypatch)
    app.switch_page("app_pages/published_numbers.py").run()
    assert not app.exception
    assert [metric.value for metric in app.metric] == ["48", "1", "3"]
    assert app.dataframe[0].value["claim"].iloc[0] == "included papers"
    assert "A late find" in app.dataframe[1].value["title"].tolist()


def test_part_periods_are_those_covered_in_part(release: Release) -> None:
    for grain, expected in {"year": {"2024"}, "quarter": {"2024 Q3"}, "month": set()}.items():
        frame = counts.query_counts(release, Selection(grain=grain))
        part = frame.filter(pl.col("is_part_period"))
        assert set(part["period"]) == expected
        assert set(part["covered_part"]) <= {"to 31 Jul"}
        assert frame.filter(~pl.col("is_part_period"))["covered_part"].is_null().all()


def test_axis_fits_the_highest_count(release: Release) -> None:
    frame = counts.query_counts(release, Selection())
    assert marks.find_axis_maximum(frame, "bars", "lab") == 18
    assert marks.find_axis_maximum(frame, "bars") == 32
    assert marks.find_axis_maximum(frame, "lines") == 8


def test_each_member_has_its_own_colour(release: Release) -> None:
    for dimension in ("lab", "category"):
        names = counts.list_members(release, dimension)
        colours = palette.assign_colours(dimension, names)
        assert len(set(colours.values())) == len(names)


def test_csv_escapes_formulas_and_parquet_is_exact() -> None:
    frame = pl.DataFrame(
        {"text": ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "a=1", None, ""], "number": list(range(-4, 5))}
    )
    read_back = pl.read_csv(io.BytesIO(encode_csv(frame)))
    assert read_back["text"].to_list()[:7] == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "a=1"]
    assert read_back["number"].to_list() == frame["number"].to_list()
    assert pl.read_parquet(io.BytesIO(encode_parquet(frame))).equals(frame)
