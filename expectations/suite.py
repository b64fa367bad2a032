"""The declared limits of a table, checked by Great Expectations; the only place that imports it.

A suite is made from the declaration alone: exact columns, the key is unique, and each column's limits.
The library takes about six seconds of CPU to load, so it is loaded on the first check and never before.
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

EXAMPLES = 5


@dataclass(frozen=True)
class Breach:
    """One limit that rows of a table break.

    Args:
        column: The column, or the key's columns joined by a comma.
        limit: Which limit: ``required``, ``minimum``, …, ``unique`` for the key, ``columns`` for the table.
        is_critical: Whether it forbids a release.
        rows: How many rows break it.
        keys: Keys of the rows that break it (at most all of them).
        examples: A few of the values found.
        says: The limit and the finding as a sentence.
    """

    column: str
    limit: str
    is_critical: bool
    rows: int
    keys: tuple[tuple[Any, ...], ...]
    examples: tuple[Any, ...] = field(default=())
    says: str = ""


@cache
def _library() -> tuple[Any, BatchDefinition[Any]]:
    """The library, and the one batch definition through which all frames go: each new one costs a tenth of a check."""
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


def check(table: Table, frame: pl.DataFrame, allowed: Callable[[str], Sequence[str]]) -> list[Breach]:
    """All limits of the declaration that the frame breaks, critical and warning ones.

    Args:
        table: The declaration.
        frame: The table's rows, with the declared columns.
        allowed: Values of the reference table that a ``one_of = "reference.x"`` names.
    """
    gx, batches = _library()
    columns = {"column": ", ".join(table.schema), "limit": "columns"}
    expectations = [gx.expectations.ExpectTableColumnsToMatchOrderedList(column_list=list(table.schema), meta=columns)]
    if frame.height:  # every other limit holds for no rows
        expectations.append(_unique(gx.expectations, list(table.key)))
        expectations += [
            _expectation(gx.expectations, column, limit, allowed) for column in table.columns for limit in column.limits
        ]
    pandas = frame.to_pandas(use_pyarrow_extension_array=True)
    for name, dtype in table.schema.items():
        if isinstance(dtype, (pl.Date, pl.Datetime)):  # compared with Python dates, which Arrow arrays refuse
            pandas[name] = pandas[name].astype(object)
    batch = batches.get_batch({"dataframe": pandas})

    def validated(suite: list[Any], **result_format: Any) -> list[Any]:
        # one validation for a whole suite: it costs a third of one validation per expectation
        results = batch.validate(
            gx.ExpectationSuite(name=table.name, expectations=suite), result_format=result_format
        ).results
        if len(results) != len(suite):
            raise RuntimeError(f"{table.name}: {len(results)} of {len(suite)} limits were checked")
        return results

    # which rows break a limit is asked only for the limits that are broken, since it costs as much again
    passed = validated(expectations, result_format="BOOLEAN_ONLY")
    broken = [_told(result) for result in passed if not result.success]
    again = [expectation for expectation in expectations if tuple(expectation.meta.values()) in broken]
    if not again:
        return []
    found = validated(
        again,
        result_format="COMPLETE",
        unexpected_index_column_names=list(table.key),
        partial_unexpected_count=EXAMPLES,
    )
    return [_breach(table, result) for result in found]


def _told(result: Any) -> tuple[str, str]:
    """Column and limit of a result, from what its expectation was given to remember."""
    meta = result.expectation_config.meta
    return meta["column"], meta["limit"]


def _unique(gx: Any, key: list[str]) -> Any:
    meta = {"column": ", ".join(key), "limit": "unique"}
    if len(key) == 1:
        return gx.ExpectColumnValuesToBeUnique(column=key[0], meta=meta)
    return gx.ExpectCompoundColumnsToBeUnique(column_list=key, ignore_row_if="never", meta=meta)


def _expectation(gx: Any, column: Column, limit: str, allowed: Callable[[str], Sequence[str]]) -> Any:
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


def _breach(table: Table, result: Any) -> Breach:
    found, (name, limit) = result.result, _told(result)
    if not found:
        raise RuntimeError(f"{table.name}.{name}: limit {limit} could not be checked: {result.exception_info}")
    indexes = found.get("unexpected_index_list") or []
    keys = tuple(tuple(index[column] for column in table.key) for index in indexes)
    examples = () if limit == "required" else tuple(found.get("partial_unexpected_list") or ())[:EXAMPLES]
    rows = int(found.get("unexpected_count") or len(keys))
    shown = examples or tuple(f"{'/'.join(table.key)} {'/'.join(map(str, key))}" for key in keys[:EXAMPLES])
    told = f" (such as {', '.join(dict.fromkeys(str(example)[:80] for example in shown))})" if shown else ""
    limits = {"required": "is missing", "unique": "is not unique", "columns": "are not the declared columns"}
    wrong = limits.get(limit) or f"breaks {limit} {getattr(table.column(name), limit)!s:.80}"
    is_critical = limit in {"columns", "unique"} or limit not in table.column(name).warn
    says = f"{name} {wrong} in {rows} {'row' if rows == 1 else 'rows'}{told}"
    return Breach(name, limit, is_critical, rows, keys, examples, says)
