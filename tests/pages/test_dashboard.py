"""The pages without a browser: what they say of a whole and a hostile lake, and that their numbers add up."""

from __future__ import annotations

import io
from collections.abc import Callable

import polars as pl
import pytest

from dashboards.charts import marks, palette
from dashboards.exports.downloads import encode_csv, encode_parquet
from dashboards.queries import counts, trends
from dashboards.queries import release as read
from dashboards.queries.release import get_newest_release, query_release
from dashboards.queries.selection import Selection
from tests.support.app_tests import open_page, read_figure_table, read_page_text, read_paper_table
from warehouse.lake import Lake
from warehouse.release import read_current_release

GRAINS = ("month", "quarter", "year")
DIMENSIONS = (("lab", "category"), ("lab",), ("category",))


@pytest.fixture
def release(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> read.Release:
    monkeypatch.setenv("AISLE_LAKE", str(released_lake.root))
    return get_newest_release()


def test_the_page_shows_all_publications_with_the_rule_the_source_and_the_part_period(
    released_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(released_lake, monkeypatch)
    assert not app.exception
    told = read_page_text(app)
    assert "80 rows" in told
    assert "marked duplicates count too" in told
    assert "data as of release v1" in told
    assert "newest record 24 Jul 2024" in told
    assert "covers 1 Jan 2022 to 31 Jul 2024" in told
    assert "2024 (to 31 Jul): covered only in part" in told
    assert "must not be read as a decline" in told
    shown = read_figure_table(app)
    assert shown["publications"].sum() == 80
    assert set(shown.filter(pl.col("is_part_period"))["period"]) == {"2024"}
    assert read_paper_table(app).height == 80


def test_widgets_filter(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(released_lake, monkeypatch)
    app.multiselect(key="labs").select("OpenAI")
    app.selectbox(key="count").set_value("works")
    app.selectbox(key="per").set_value("quarter")
    app.run()
    assert not app.exception
    assert "11 of 78 works" in read_page_text(app)
    assert read_figure_table(app)["publications"].sum() == 11
    assert read_paper_table(app).height == 11


def test_a_link_restores_the_view_and_its_papers(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
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
    shown = read_figure_table(app)
    assert "category" not in shown.columns
    bar = shown.filter((pl.col("period") == "2024 Q2") & (pl.col("lab") == "Anthropic"))["publications"].item()
    assert read_paper_table(app).height == bar > 0
    assert set(read_paper_table(app)["lab"]) == {"Anthropic"}


def test_a_link_with_wrong_values_shows_the_whole(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
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
    told = [warning.value.split(" is not one of the options")[0] for warning in app.warning]
    assert sorted(told) == [
        "Labs: \\<script\\>",
        "One panel per lab: perhaps",
        "Per: century",
        "Period: 1066",
        "Tab: Sums",
        "View: pie",
    ]
    assert read_figure_table(app)["publications"].sum() == 80


def test_a_period_that_another_grain_does_not_have_is_forgotten(
    released_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(released_lake, monkeypatch, period="2023")
    assert read_paper_table(app).height == 32
    app.selectbox(key="per").set_value("month").run()
    assert not app.exception
    assert app.selectbox(key="period").value is None
    assert read_paper_table(app).height == 80


def test_a_choice_without_publications_says_so(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(released_lake, monkeypatch, labs="OpenAI", categories="Unlearning")
    assert not app.exception
    assert "No publication matches these filters" in read_page_text(app)
    assert "None in 31 whole months that are covered" in read_page_text(app)
    assert "exact 95 % interval of 0 to 1.4" in read_page_text(app)
    assert read_figure_table(app)["publications"].to_list() == [0, 0, 0]


def test_a_new_release_shows_at_the_next_look(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(copy_release(), monkeypatch)
    assert "release v1" in read_page_text(app)
    copy_release("delete from clean.publications where lab = 'OpenAI'", number=2)
    app.run()
    assert not app.exception
    assert "release v2" in read_page_text(app)
    assert read_paper_table(app).height == 67


def test_undated_publications_are_told_and_can_be_listed(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = copy_release(
        "update clean.publications set published_on = null where category = 'Unlearning'",
        "update mart.counted_publications set published_on = null where category = 'Unlearning'",
        "update mart.publication_counts_by_month set published_month = null where category = 'Unlearning'",
    )
    app = open_page(lake, monkeypatch)
    assert "2 more without a date, not drawn" in read_page_text(app)
    app.selectbox(key="period").set_value("undated").run()
    assert not app.exception
    assert set(read_paper_table(app)["category"]) == {"Unlearning"}


def test_hostile_texts_are_only_texts(copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch) -> None:
    lake = copy_release(
        "update clean.publications set title = '<img src=x onerror=alert(1)> ![](http://evil.example/x)', url = 'javascript:alert(1)' where lab = 'OpenAI'",
        "update clean.publications set lab = '=HYPERLINK(\"http://evil.example\") **x**' where lab = 'OpenAI'",
        "update mart.counted_publications set lab = '=HYPERLINK(\"http://evil.example\") **x**' where lab = 'OpenAI'",
        "update mart.publication_counts_by_month set lab = '=HYPERLINK(\"http://evil.example\") **x**' where lab = 'OpenAI'",
    )
    app = open_page(lake, monkeypatch)
    assert not app.exception
    assert "evil" not in read_page_text(app)
    listed = read_paper_table(app)
    assert listed.filter(pl.col("title").str.starts_with("<img")).height == 13
    assert listed.filter(pl.col("url").str.starts_with("javascript")).is_empty()
    told = encode_csv(read_figure_table(app)).decode()
    assert "'=HYPERLINK" in told
    assert ',"=HYPERLINK' not in told


@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("dimensions", DIMENSIONS)
@pytest.mark.parametrize(("rule", "expected"), [("rows", 80), ("works", 78), ("works_fractional", 78)])
def test_every_view_adds_up(
    release: read.Release, grain: str, dimensions: tuple[str, ...], rule: str, expected: int
) -> None:
    selection = Selection(rule=rule, grain=grain, dimensions=dimensions)
    frame = counts.query_counts(release, selection)
    assert frame["publications"].sum() == expected == counts.query_totals(release, selection).selected
    assert frame.select("period", *dimensions).is_unique().all()


@pytest.mark.parametrize("taxonomy", ["iaps", "unsolved_problems"])
@pytest.mark.parametrize("rule", ["rows", "works", "works_first_author"])
def test_every_bar_lists_the_papers_that_it_counts(release: read.Release, rule: str, taxonomy: str) -> None:
    frame = counts.query_counts(release, Selection(rule=rule, taxonomy=taxonomy, grain="quarter"))
    for bar in frame.filter(pl.col("publications") > 0).iter_rows(named=True):
        behind = Selection((bar["lab"],), (bar["category"],), rule, taxonomy)
        listed = counts.list_papers(release, behind, (bar["starts_on"], bar["ends_on"]))
        assert listed["counted"].sum() == pytest.approx(bar["publications"])


def test_the_range_over_rules_holds_every_rule_that_can_be_applied(release: read.Release) -> None:
    selection = Selection(rule="works")
    ranged = query_release(release, *trends.build_query(release, selection, "lines", "category", is_ranged=True))
    assert (ranged["lowest"].sum(), ranged["highest"].sum()) == (78, 80)
    assert ranged.select((pl.col("lowest") <= pl.col("publications")).all()).item()
    assert ranged.height == counts.query_counts(release, selection).height


def test_a_link_with_a_release_shows_that_release(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_release()
    lake = copy_release("delete from clean.publications", number=2)
    assert "release v2" in read_page_text(open_page(lake, monkeypatch))
    app = open_page(lake, monkeypatch, release="v1")
    assert "release v1" in read_page_text(app)
    assert read_paper_table(app).height == 80
    assert any('href="changes?new=v2&amp;old=v1"' in told.proto.body for told in app.get("html"))
    assert "release v2" in read_page_text(open_page(lake, monkeypatch, release="v99"))


def test_rules_that_cannot_tell_the_lab_say_so(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(released_lake, monkeypatch, count="works_fractional")
    assert not app.exception
    assert "The authors of 78 of 78 publications are not known" in app.warning[0].value
    assert set(read_figure_table(app).filter(pl.col("publications") > 0)["lab"]) == {"(authors not known)"}


def test_every_chart_has_its_finding_and_its_cautions(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    told = read_page_text(open_page(released_lake, monkeypatch, labs="OpenAI"))
    assert "OpenAI\\: 11 works in 31 whole months" in told
    assert "no clear change" in told
    assert "Fewer than 30 publications in all" in told
    assert "the newest three months may still be filling up" in told


def test_a_work_leads_to_its_snapshot(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with read_current_release(released_lake).connect() as connection:
        ((identity, title, sha256),) = connection.execute(
            "select publication_id, title, sha256 from mart.publication_evidence where title like 'Sycophancy%'"
        ).fetchall()
    app = open_page(released_lake, monkeypatch, id=identity)
    app.switch_page("app_pages/work.py").run()
    assert not app.exception
    assert app.title[0].value.replace("\\", "") == title
    assert sha256 in app.dataframe[2].value["sha256"].tolist()
    counted = pl.from_pandas(app.dataframe[0].value)
    assert counted.filter(pl.col("counting_rule") == "works")["weight"].item() == 1


def test_published_numbers_name_what_differs(
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


def test_part_periods_are_those_not_covered_whole(release: read.Release) -> None:
    for grain, expected in {"year": {"2024"}, "quarter": {"2024 Q3"}, "month": set()}.items():
        frame = counts.query_counts(release, Selection(grain=grain))
        part = frame.filter(pl.col("is_part_period"))
        assert set(part["period"]) == expected
        assert set(part["covered_part"]) <= {"to 31 Jul"}
        assert frame.filter(~pl.col("is_part_period"))["covered_part"].is_null().all()


def test_the_scale_has_room_for_the_highest(release: read.Release) -> None:
    assert counts.query_highest_stack(release, Selection(), "lab") == 18
    assert counts.query_highest_stack(release, Selection(), None) == 32
    assert marks.find_axis_maximum(counts.query_counts(release, Selection()), "lines") == 8


def test_colours_do_not_depend_on_the_filter(release: read.Release) -> None:
    for dimension in ("lab", "category"):
        names = counts.list_members(release, dimension)
        colours = palette.assign_colours(dimension, names)
        assert len(set(colours.values())) == len(names)


def test_csv_defuses_formulas_and_parquet_is_exact() -> None:
    frame = pl.DataFrame(
        {"text": ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "a=1", None, ""], "number": list(range(-4, 5))}
    )
    told = pl.read_csv(io.BytesIO(encode_csv(frame)))
    assert told["text"].to_list()[:7] == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "a=1"]
    assert told["number"].to_list() == frame["number"].to_list()
    assert pl.read_parquet(io.BytesIO(encode_parquet(frame))).equals(frame)
