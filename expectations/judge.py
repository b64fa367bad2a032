"""Great Expectations judges rows by the declared limits of their table; no other module imports it.

The suite is generated from the declaration: exact columns, unique key, and the limits of each column. The library
takes about six seconds of CPU to load, so it is loaded when the first rows are judged.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import polars as pl

from expectations.limit_sql import COLUMNS, UNIQUE
from warehouse.table import Column, Table

if TYPE_CHECKING:
    from great_expectations.core.batch_definition import BatchDefinition


@contextmanager
def _hide_spark() -> Generator[None]:
    """Let the library find no Spark, which it would load if it is installed.

    Rows are judged as pandas frames. The client of Spark ends a process without a main file, such as one of
    ``python -c``, when it is imported.
    """
    if "pyspark" in sys.modules:
        yield
        return
    sys.modules["pyspark"] = None  # ty: ignore[invalid-assignment]  # an import of it raises ImportError
    try:
        yield
    finally:
        del sys.modules["pyspark"]


@cache
def _load_library() -> tuple[Any, BatchDefinition[Any]]:
    """The library and one batch definition for all frames; a new one per frame would add a tenth to each check."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with warnings.catch_warnings(), _hide_spark():
        warnings.simplefilter("ignore")
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

        context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    asset = context.data_sources.add_pandas("lake").add_dataframe_asset("table")
    return gx, asset.add_batch_definition_whole_dataframe("all rows")


def judge_rows(
    table: Table,
    frame: pl.DataFrame,
    allowed: Callable[[str], Sequence[str]],
    limits: Collection[tuple[str, str]],
) -> dict[tuple[str, str], list[int]]:
    """The positions of the rows that break each of some limits, by column and limit; limits that hold are left out.

    Args:
        table: The declaration.
        frame: The rows; without any only the columns are judged.
        allowed: Returns the values of the reference table that ``one_of = "reference.x"`` names.
        limits: Column and limit of those to judge; the names of the columns are judged in any case.
    """
    gx, batches = _load_library()
    columns = {"column": ", ".join(table.schema), "limit": COLUMNS}
    expectations = [gx.expectations.ExpectTableColumnsToMatchOrderedList(column_list=list(table.schema), meta=columns)]
    if frame.height:
        if (", ".join(table.key), UNIQUE) in limits:
            expectations.append(_expect_unique_key(gx.expectations, list(table.key)))
        expectations += [
            _expect_limit(gx.expectations, column, limit, allowed)
            for column in table.columns
            for limit in column.limits
            if (column.name, limit) in limits
        ]
    pandas = frame.to_pandas(use_pyarrow_extension_array=True)
    for name, dtype in frame.schema.items():
        if isinstance(dtype, (pl.Date, pl.Datetime)):  # compared with Python dates, which Arrow arrays do not support
            pandas[name] = pandas[name].astype(object)
    batch = batches.get_batch({"dataframe": pandas})

    def validate(suite: list[Any], **result_format: Any) -> list[Any]:
        # one validation per suite costs a third of one validation per expectation
        results = batch.validate(
            gx.ExpectationSuite(name=table.name, expectations=suite), result_format=result_format
        ).results
        if len(results) != len(suite):
            raise RuntimeError(f"{table.name}: {len(results)} of {len(suite)} limits were checked")
        return results

    # finding the rows costs as much again, so it is done for broken limits only
    results = validate(expectations, result_format="BOOLEAN_ONLY")
    broken = [_read_meta(result) for result in results if not result.success]
    failed = [expectation for expectation in expectations if tuple(expectation.meta.values()) in broken]
    if not failed:
        return {}
    return {_read_meta(result): _read_positions(table, result) for result in validate(failed, result_format="COMPLETE")}


def _read_meta(result: Any) -> tuple[str, str]:
    """Column and limit of a result, from the metadata of its expectation."""
    meta = result.expectation_config.meta
    return meta["column"], meta["limit"]


def _read_positions(table: Table, result: Any) -> list[int]:
    name, limit = _read_meta(result)
    if not result.result:
        raise RuntimeError(f"{table.name}.{name}: limit {limit} could not be checked: {result.exception_info}")
    return sorted(result.result.get("unexpected_index_list") or [])


def _expect_unique_key(gx: Any, key: list[str]) -> Any:
    meta = {"column": ", ".join(key), "limit": UNIQUE}
    if len(key) == 1:
        return gx.ExpectColumnValuesToBeUnique(column=key[0], meta=meta)
    return gx.ExpectCompoundColumnsToBeUnique(column_list=key, ignore_row_if="never", meta=meta)


def _expect_limit(gx: Any, column: Column, limit: str, allowed: Callable[[str], Sequence[str]]) -> Any:
    meta = {"column": column.name, "limit": limit}
    if limit == "required":
        return gx.ExpectColumnValuesToNotBeNull(column=column.name, meta=meta)
    if limit == "minimum":
        return gx.ExpectColumnValuesToBeBetween(column=column.name, min_value=column.minimum, meta=meta)
    if limit == "maximum":
        return gx.ExpectColumnValuesToBeBetween(column=column.name, max_value=column.maximum, meta=meta)
    if limit == "matches":
        return gx.ExpectColumnValuesToMatchRegex(column=column.name, regex=_anchor(str(column.matches)), meta=meta)
    values = allowed(column.one_of) if isinstance(column.one_of, str) else column.one_of
    return gx.ExpectColumnValuesToBeInSet(column=column.name, value_set=list(values or ()), meta=meta)


def _anchor(pattern: str) -> str:
    """The pattern at the start of a text, in a form that pandas evaluates as Python does.

    Pandas hands a pattern to Arrow's RE2 unless it has a lookahead, which only Python knows; the one here is empty.
    """
    flags = re.match(r"\(\?([aimsux]+)\)", pattern)  # only a whole pattern can begin with them
    return f"^(?=)(?{flags[1]}:{pattern[flags.end() :]})" if flags else f"^(?=)(?:{pattern})"
