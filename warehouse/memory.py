"""The memory that a run may use: ``AISLE_MEMORY``, such as ``800MB`` or ``4GB``."""

from __future__ import annotations

import os
import re

DEFAULT = "1GB"
_LEAST_BYTES = 512 * 10**6
_OWN_BYTES = 350 * 2**20  # Python with Dagster and its libraries, besides DuckDB
_UNITS = {"MB": 10**6, "GB": 10**9, "MIB": 2**20, "GIB": 2**30}
_AMOUNT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([MG]i?B?)\s*", re.IGNORECASE)


class InvalidMemory(ValueError):
    """``AISLE_MEMORY`` is no amount of memory that can be used; the message gives the form."""


def read_memory_budget() -> int:
    """The bytes that a process of a run may use in all.

    Raises:
        InvalidMemory: ``AISLE_MEMORY`` is no amount, or too little.
    """
    text = os.environ.get("AISLE_MEMORY") or DEFAULT
    match = _AMOUNT.fullmatch(text)
    unit = match[2].upper() if match else ""
    amount = int(float(match[1]) * _UNITS[unit if unit.endswith("B") else f"{unit}B"]) if match else 0
    if not amount:
        raise InvalidMemory(f"AISLE_MEMORY is “{text}”, which is no amount of memory, such as 800MB or 4GB")
    if amount < _LEAST_BYTES:
        raise InvalidMemory(f"AISLE_MEMORY is “{text}”, but must be at least 512MB, such as 800MB or 4GB")
    return amount


def read_engine_budget() -> int:
    """The bytes that DuckDB may use within `read_memory_budget`; beyond them it writes to disk.

    Raises:
        InvalidMemory: See `read_memory_budget`.
    """
    budget = read_memory_budget()
    return max(budget - _OWN_BYTES, budget // 4)
