"""The scalar macros that a query gets: those it calls, directly or through others."""

from __future__ import annotations

import re

import duckdb
import pytest

from orchestration.defs.catalog import load_transforms
from warehouse.sql import SCALAR_MACROS, select_scalar_macros

NAMES = re.findall(r"^create or replace macro (\w+)\(", SCALAR_MACROS, re.MULTILINE)


def list_created(query: str) -> list[str]:
    return re.findall(r"^create or replace macro (\w+)\(", select_scalar_macros(query), re.MULTILINE)


def test_a_macro_brings_those_that_it_calls() -> None:
    assert list_created("select link_key(url) from a") == ["link_without_scheme", "arxiv_id_in", "link_key"]
    assert list_created("select SHARE_CAUTION (1, 2)") == ["wilson_low", "wilson_high", "share_caution"]
    assert list_created("select share_of_all(1), my_link_key from a") == []
    assert list_created(" ".join(f"{name}(x)" for name in NAMES)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_macro_can_be_created_with_what_it_calls(name: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(select_scalar_macros(f"select {name}(1)"))
        known = connection.execute("select function_name from duckdb_functions() where function_name = ?", [name])
        assert known.fetchall()


def test_every_transform_gets_the_macros_that_it_names() -> None:
    for transform in load_transforms().values():
        named = {name for name in NAMES if re.search(rf"\b{name}\(", transform.query)}
        assert named <= set(list_created(transform.query)), transform.path
