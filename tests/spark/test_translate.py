"""The translation of queries to Spark SQL: what is written otherwise, and what DuckDB computes on the workers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from orchestration.defs.catalog import load_transforms
from orchestration.defs.engines import open_engine, read_engine
from orchestration.fetch.config import ConfigurationError
from tests.conftest import PROJECT, run_aisle
from tests.support.builders import build_release, make_publication
from transforms.engine import LocalEngine
from transforms.spark.driver import DriverTable, TooManyRows, read_driver_tables, require_few_rows
from transforms.spark.translate import translate
from transforms.spark.worker import compute_batch
from warehouse.lake import Lake

TRANSLATED = {
    "select max_by(a, (b, c)) from mart.t": (
        "SELECT max_by(a, named_struct('k0', (b) IS NULL, 'k1', b, 'k2', (c) IS NULL, 'k3', c))"
        " FILTER(WHERE NOT (a) IS NULL) FROM mart__t AS t"
    ),
    "select a, count(*) as n from mart.t group by all": "SELECT a, COUNT(*) AS n FROM mart__t AS t GROUP BY 1",
    "select concat('a', b) as c": "SELECT concat_ws('', CAST('a' AS STRING), CAST(b AS STRING)) AS c",
    "select d + to_months(3) as e": "SELECT add_months(d, 3) AS e",
    "select a / b as c, a / 2 as d": "SELECT a / NULLIF((b), 0) AS c, a / 2 AS d",
    "select 0.5 * a as b": "SELECT CAST(0.5 AS DOUBLE) * a AS b",
    "select string_split(a, '; ') as b": "SELECT split(a, '; ') AS b",
    "select len(a) as b, length(c) as d": "SELECT SIZE(a) AS b, LENGTH(c) AS d",
    "select unnest(a) as b, unnest(c) as d from mart.t": (
        "SELECT unnested.unnested_0 AS b, unnested.unnested_1 AS d FROM mart__t AS t LATERAL VIEW"
        " inline(arrays_zip(COALESCE(a, ARRAY()), COALESCE(c, ARRAY()))) unnested AS unnested_0, unnested_1"
    ),
}


@pytest.mark.parametrize("query", TRANSLATED)
def test_what_means_something_else_is_written_otherwise(query: str) -> None:
    assert translate(query).sql == TRANSLATED[query]


def test_every_transform_has_a_translation() -> None:
    for transform in load_transforms().values():
        assert translate(transform.query, transform.table.columns).sql.startswith("select cast(")


def test_what_has_no_form_is_named() -> None:
    with pytest.raises(ValueError, match=r"a DESC.*falling order"):
        translate("select string_agg(a, ', ' order by a desc) as b from mart.t")


def test_workers_compute_texts_as_duckdb_does() -> None:
    (function,) = translate(r"select regexp_replace(lower(title), '[^\pL]+', ' ', 'g') as words from mart.t").functions
    titles = pa.array(["ΣΟΦΟΣ, İstanbul — 2", None])
    assert compute_batch(function, (titles,)).to_pylist() == ["σοφοσ istanbul ", None]
    (function,) = translate("select hash(title) as h from mart.t").functions
    assert compute_batch(function, (titles,)).type == pa.int64()
    (function,) = translate("select poisson_rate_low(n, t) as low from mart.t").functions
    low, missing = compute_batch(function, (pa.array([10, None]), pa.array([2.0, 1.0]))).to_pylist()
    assert low == pytest.approx(2.3977, abs=1e-4)
    assert missing is None


def test_the_driver_makes_a_table_only_if_little_is_read_for_it(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    build_release(lake, [make_publication(1), make_publication(2)], only=["mart.alike_publications"])
    transform = load_transforms()["mart.alike_publications"]
    require_few_rows(DriverTable("mart.alike_publications", "recursive queries", "it recurses", 2), transform, lake)
    with pytest.raises(TooManyRows, match=r"mart.alike_publications.*recursive queries.* 2 rows, and 1 are the most"):
        require_few_rows(DriverTable("mart.alike_publications", "recursive queries", "it recurses", 1), transform, lake)
    assert {table.name for table in read_driver_tables()} <= set(load_transforms())


def test_the_engine_is_that_of_the_command_or_of_the_configuration(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert read_engine(lake).name == "duckdb"
    with open_engine(lake, "", "", print) as engine:
        assert isinstance(engine, LocalEngine)
    with pytest.raises(ConfigurationError, match="--remote"):
        read_engine(lake, "spark")
    assert read_engine(lake, remote="sc://spark.example.org:15002").name == "spark"
    (tmp_path / "feeds.toml").write_text('[engine]\nname = "spark"\nremote = "sc://spark.example.org:15002"\n')
    assert read_engine(lake).remote == "sc://spark.example.org:15002"
    assert read_engine(lake, "duckdb").name == "duckdb"
    failed = run_aisle(tmp_path, "run", "--engine", "flink")
    assert failed.returncode == 1
    assert "duckdb" in failed.stderr


def test_settings_in_the_document_are_settings(tmp_path: Path) -> None:
    document = (PROJECT / "docs" / "scaling.md").read_text(encoding="utf-8")
    (settings,) = re.findall(r"^```toml\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    (tmp_path / "feeds.toml").write_text(settings)
    engine = read_engine(Lake(tmp_path))
    assert engine.name == "spark"
    assert f"--engine {engine.name} --remote {engine.remote}" in document


def test_server_that_is_not_there_ends_the_run_at_once(tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="the client of Spark is not installed: `make test` installs it")
    failed = run_aisle(tmp_path, "run", "--engine", "spark", "--remote", "sc://127.0.0.1:1", AISLE_BUNDLED="no")
    assert failed.returncode == 1
    assert "no Spark Connect server answers at sc://127.0.0.1:1" in failed.stderr


def test_nothing_of_spark_is_loaded_on_the_laptop() -> None:
    code = (
        "import sys; import orchestration.definitions as d; d.load_definitions();"
        "import orchestration.cli.app, transforms.engine;"
        "print([name for name in sys.modules if name.startswith(('pyspark', 'pysail', 'transforms.spark'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
