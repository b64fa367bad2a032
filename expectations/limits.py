"""Checks the declared limits of a table with Great Expectations; no other module imports it.

The suite is generated from the declaration: exact columns, unique key, and the limits of each column. The library
takes about six seconds of CPU to load, so it is loaded at the first check.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import polars as pl

from warehouse.table import Column, Table

if TYPE_CHECKING:
    from great_expectations.core.batch_definition import BatchDefinition

MAX_EXAMPLES = 5


@dataclass(frozen=True)
class Breach:
    """A declared limit that rows of a table break.

    Args:
        column: The column, or the key columns joined by commas.
        limit: The limit: ``required``, ``minimum``, …, ``unique`` for the key, ``columns`` for the table.
        is_critical: Whether it blocks the release.
        rows: Number of rows that break it.
        keys: Keys of the rows that break it.
        examples: Some of the violating values.
        message: The limit and the violation as a sentence.
    """

    column: str
    limit: str
    is_critical: bool
    rows: int
    keys: tuple[tuple[Any, ...], ...]
    examples: tuple[Any, ...] = field(default=())
    message: str = ""


@cache
def _load_library() -> tuple[Any, BatchDefinition[Any]]:
    """The library and one batch definition for all frames; a new one per frame would add a tenth to each check."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

        context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    asset = context.data_sources.add_pandas("lake").add_dataframe_asset("table")
    return gx, asset.add_batch_definition_whole_dataframe("all rows")


def check_table(table: Table, frame: pl.DataFrame, allowed: Callable[[str], Sequence[str]]) -> list[Breach]:
    """All declared limits, critical and warning, that the frame breaks.

    Args:
        table: The declaration.
        frame: The rows of the table, with the declared columns.
        allowed: Returns the values of the reference table that ``one_of = "reference.x"`` names.
    """
    if frame.is_empty() and frame.columns == list(table.schema):
        return []  # an empty frame breaks no other limit, and half of the tables of a new lake are empty
    gx, batches = _load_library()
    columns = {"column": ", ".join(table.schema), "limit": "columns"}
    expectations = [gx.expectations.ExpectTableColumnsToMatchOrderedList(column_list=list(table.schema), meta=columns)]
    if frame.height:
        expectations.append(_expect_unique_key(gx.expectations, list(table.key)))
        expectations += [
            _expect_limit(gx.expectations, column, limit, allowed)
            for column in table.columns
            for limit in column.limits
        ]
    pandas = frame.to_pandas(use_pyarrow_extension_array=True)
    for name, dtype in table.schema.items():
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
        return []
    details = validate(
        failed,
        result_format="COMPLETE",
        unexpected_index_column_names=list(table.key),
        partial_unexpected_count=MAX_EXAMPLES,
    )
    return [_build_breach(table, result) for result in details]


def _read_meta(result: Any) -> tuple[str, str]:
    """Column and limit of a result, from the metadata of its expectation."""
    meta = result.expectation_config.meta
    return meta["column"], meta["limit"]


def _expect_unique_key(gx: Any, key: list[str]) -> Any:
    meta = {"column": ", ".join(key), "limit": "unique"}
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
        return gx.ExpectColumnValuesToMatchRegex(column=column.name, regex=f"^(?:{column.matches})", meta=meta)
    values = allowed(column.one_of) if isinstance(column.one_of, str) else column.one_of
    return gx.ExpectColumnValuesToBeInSet(column=column.name, value_set=list(values or ()), meta=meta)


def _build_breach(table: Table, result: Any) -> Breach:
    details, (name, limit) = result.result, _read_meta(result)
    if not details:
        raise RuntimeError(f"{table.name}.{name}: limit {limit} could not be checked: {result.exception_info}")
    indexes = details.get("unexpected_index_list") or []
    keys = tuple(tuple(index[column] for column in table.key) for index in indexes)
    examples = () if limit == "required" else tuple(details.get("partial_unexpected_list") or ())[:MAX_EXAMPLES]
    rows = int(details.get("unexpected_count") or len(keys))
    shown = examples or tuple(f"{'/'.join(table.key)} {'/'.join(map(str, key))}" for key in keys[:MAX_EXAMPLES])
    sample = f" (such as {', '.join(dict.fromkeys(str(example)[:80] for example in shown))})" if shown else ""
    limits = {"required": "is missing", "unique": "is not unique", "columns": "are not the declared columns"}
    problem = limits.get(limit) or f"breaks {limit} {getattr(table.column(name), limit)!s:.80}"
    is_critical = limit in {"columns", "unique"} or limit not in table.column(name).warn
    message = f"{name} {problem} in {rows} {'row' if rows == 1 else 'rows'}{sample}"
    return Breach(name, limit, is_critical, rows, keys, examples, message)
