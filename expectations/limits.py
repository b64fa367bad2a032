"""Checks the declared limits of a table, at a cost that is a fraction of the table.

One statement evaluates every limit over all rows, in DuckDB or in the engine that has them. Great Expectations, which
would need them all in memory, judges the rows of a small table, and of a large one rows of each broken limit and a
random sample of the others.
Broken limits are judged always. Limits that hold are left out if their kind was judged with this code and these
libraries (`expectations.judged`), or on a hundred rows in this process, in whatever tables. Where the two disagree on
a row, no result is better than the other: the check ends with an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any, TypeAlias

import duckdb
import polars as pl

from expectations import limit_sql as sql
from expectations.judge import judge_rows
from expectations.judged import Kind, read_judged_kinds
from expectations.limit_sql import COLUMNS, UNIQUE, Condition, quote_name
from expectations.patterns import create_matcher
from expectations.relation import LocalRelation, Relation, compare_columns
from warehouse.sql import configure_connection
from warehouse.table import SQL_TYPES, Table

JUDGED_ROWS = 10_000  # judging as many takes Great Expectations about a second
KIND_ROWS = 100  # rows on which one kind of limit that holds is judged in a process
MAX_EXAMPLES = 5
MAX_KEYS = 1_000
_POSITION = "position_of_row"
_numbers = count()

Allowed: TypeAlias = Callable[[str], Sequence[str]]
_judged_kinds: Counter[Kind] = Counter()


class LimitDisagreement(RuntimeError):
    """Great Expectations and DuckDB disagree on a limit; the message names it and rows."""


@dataclass(frozen=True)
class Breach:
    """A declared limit that rows of a table break.

    Args:
        column: The column, or the key columns joined by commas.
        limit: The limit: ``required``, ``minimum``, …, ``unique`` for the key, ``columns`` for the table.
        is_critical: Whether it blocks the release.
        rows: Number of rows that break it.
        keys: Keys of rows that break it, the first ones in the order of the key: as many as were wanted.
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


@dataclass(frozen=True)
class CheckedTable:
    """What the check of a table found.

    Args:
        rows: Number of rows.
        breaches: The limits, critical and warning, that rows break.
        observed: For each column and limit what is observed: the number of missing values, the smallest or largest
            value, the number of different values; for ``unique`` the number of keys, for ``columns`` that of columns.
        is_exact: Whether numbers of different values are counted; of a large table some are estimated.
    """

    rows: int
    breaches: tuple[Breach, ...]
    observed: Mapping[tuple[str, str], Any]
    is_exact: bool = True


def check_table(
    table: Table, frame: pl.DataFrame, allowed: Allowed, *, judged_kinds: Counter[Kind] | None = _judged_kinds
) -> list[Breach]:
    """All declared limits, critical and warning, that the rows of a frame break, with the keys of all of them.

    Args:
        table: The declaration.
        frame: The rows of the table, with the declared columns.
        allowed: Returns the values of the reference table that ``one_of = "reference.x"`` names.
        judged_kinds: As of `check_relation`.
    """
    if frame.is_empty() and frame.columns == list(table.schema):
        return []  # half of the tables of a new lake are empty
    with duckdb.connect() as connection:
        configure_connection(connection)
        connection.register("checked_rows", frame)
        checked = check_relation(table, connection, "checked_rows", allowed, max_keys=None, judged_kinds=judged_kinds)
        return list(checked.breaches)


def check_relation(
    table: Table,
    connection: duckdb.DuckDBPyConnection,
    relation: str | Relation,
    allowed: Allowed,
    *,
    max_keys: int | None = MAX_KEYS,
    judged_rows: int = JUDGED_ROWS,
    judged_kinds: Counter[Kind] | None = _judged_kinds,
) -> CheckedTable:
    """Check the declared limits of a table or view, in a DuckDB connection or another engine.

    Args:
        table: The declaration.
        connection: The connection, with no unfinished result; of what is elsewhere, only rows to be judged are here.
        relation: Name of the table or view in the connection, as SQL, or what is elsewhere.
        allowed: Returns the values of the reference table that ``one_of = "reference.x"`` names.
        max_keys: How many keys of the rows that break a limit to return; None for all.
        judged_rows: How many rows Great Expectations may see.
        judged_kinds: On how many rows it has judged each kind of limit, to which it adds; limits of a kind that was
            judged on `KIND_ROWS` rows are left out if they hold. None for judging all limits.

    Raises:
        DeclarationError: A limit does not fit the type of its column.
        LimitDisagreement: Great Expectations and DuckDB disagree on rows, or DuckDB and the other engine.
        RuntimeError: Great Expectations cannot check a limit.
    """
    _load_judged_kinds()
    rows = LocalRelation(connection, relation) if isinstance(relation, str) else relation
    return _RelationCheck(table, connection, rows, allowed, judged_rows, judged_kinds).check(max_keys)


@cache
def _load_judged_kinds() -> None:
    """Begin with the kinds that were judged with this code; not at import, which reads no file of the project."""
    _judged_kinds.update(dict.fromkeys(read_judged_kinds(), KIND_ROWS))


@dataclass(frozen=True)
class _Measurement:
    """Number of rows, of rows that break each limit (by column and limit), and what is observed for each."""

    rows: int
    broken: Mapping[tuple[str, str], int]
    observed: Mapping[tuple[str, str], Any]


@dataclass(frozen=True)
class _RelationCheck:
    """One check of one relation."""

    table: Table
    connection: duckdb.DuckDBPyConnection
    relation: Relation
    allowed: Allowed
    judged_rows: int
    judged_kinds: Counter[Kind] | None

    def check(self, max_keys: int | None) -> CheckedTable:
        types = self.relation.read_types()
        columns = {("*", COLUMNS): len(types)}
        if problem := compare_columns(self.table, types):
            name = ", ".join(self.table.schema)
            if list(types) != list(self.table.schema):
                self._require_agreement(pl.DataFrame(schema=list(types)), {(name, COLUMNS): []}, ())
            ((rows,),) = self.relation.query(f"select count(*) as all_rows from {self.relation.name}").rows()
            return CheckedTable(rows, (Breach(name, COLUMNS, True, rows, (), message=problem),), columns)
        with self._copy_first_rows() as (first_rows, count), create_matcher(self.connection) as matcher:
            is_small = count <= self.judged_rows
            conditions = sql.list_conditions(self.table, self.allowed, matcher.build_match, is_exact=is_small)
            if not count:  # as a third of the tables of a new lake
                measured, breaches = self._measure_without_rows(conditions), ()
            elif is_small:  # the query behind a view is not made again
                measured = self._measure(first_rows, conditions)
                copy = f"from {first_rows.name}"
                self._judge(lambda: first_rows.query(copy), conditions, measured, first_rows.engine)
                breaches = self._build_breaches(first_rows, conditions, measured, max_keys)
            else:
                build_match = self.relation.build_match or matcher.build_match
                there = sql.list_conditions(self.table, self.allowed, build_match, is_exact=False)
                measured = self._measure(self.relation, there)
                pick_rows = lambda: self._pick_rows(there, conditions, measured)  # noqa: E731
                self._judge(pick_rows, conditions, measured, self.relation.engine)
                breaches = self._build_breaches(self.relation, there, measured, max_keys)
        return CheckedTable(measured.rows, breaches, {**columns, **measured.observed}, is_small)

    @property
    def _unique(self) -> tuple[str, str]:
        return ", ".join(self.table.key), UNIQUE

    @property
    def _values(self) -> str:
        """The columns for ``select``; those without a limit are null, since nothing is judged there."""
        return ", ".join(
            f"{sql.build_value(column) if column.limits or column.name in self.table.key else 'null'}"
            f"::{SQL_TYPES[column.type]} as {quote_name(column.name)}"
            for column in self.table.columns
        )

    @contextmanager
    def _copy_first_rows(self) -> Generator[tuple[Relation, int]]:
        """A copy of as many rows as may be judged and one more, in the connection, and how many it has.

        Rows in the connection become no frame, which would take twice as long as all else that is done to few of them.
        """
        name = f"first_rows_{next(_numbers)}"
        query = f"select {self._values} from {self.relation.name} limit {self.judged_rows + 1}"
        if not isinstance(self.relation, LocalRelation):
            self.connection.register(f"{name}_here", self.relation.query(query))
            query = f"from {name}_here"
        ((count,),) = self.connection.execute(f"create temp table {name} as {query}").fetchall()
        try:
            yield LocalRelation(self.connection, name), count
        finally:
            self.connection.execute(f"drop table {name}")
            self.connection.unregister(f"{name}_here")

    @contextmanager
    def _register(self, frame: pl.DataFrame) -> Generator[str]:
        """A name under which the connection has a frame, with the position of each row."""
        name = f"rows_to_judge_{next(_numbers)}"
        self.connection.register(name, frame.with_row_index(_POSITION))
        try:
            yield name
        finally:
            self.connection.unregister(name)

    def _measure(self, relation: Relation, conditions: Sequence[Condition]) -> _Measurement:
        statement = sql.build_measurement(self.table, relation.name, conditions)
        ((rows, repeated, not_unique, *values),) = relation.query(statement).rows()
        names = [(condition.column, condition.limit) for condition in conditions]
        return _Measurement(
            rows,
            {self._unique: not_unique, **dict(zip(names, values[::2], strict=True))},
            {self._unique: rows - repeated, **dict(zip(names, values[1::2], strict=True))},
        )

    def _measure_without_rows(self, conditions: Sequence[Condition]) -> _Measurement:
        """What `_measure` finds in a relation without rows."""
        names = [(condition.column, condition.limit) for condition in conditions]
        observed = {name: None if name[1] in ("minimum", "maximum") else 0 for name in names}
        return _Measurement(0, dict.fromkeys([self._unique, *names], 0), {self._unique: 0, **observed})

    def _pick_rows(self, there: Sequence[Condition], here: Sequence[Condition], measured: _Measurement) -> pl.DataFrame:
        """Rows of a large relation to be judged: some that break each broken limit, and a sample of the others.

        No row is there twice, since that would repeat its key.

        Args:
            there: The conditions for the engine that has the relation.
            here: The same for the connection.
            measured: What was measured.
        """
        broken = [condition for condition in there if measured.broken[condition.column, condition.limit]]
        limits, name = len(broken) + bool(measured.broken[self._unique]), self.relation.name
        if not limits:
            return self._sample(self.judged_rows)
        share = max(self.judged_rows // 2 // limits, 2)
        parts = [pl.DataFrame(schema=self.table.schema)]
        if broken:
            branches = " union all ".join(
                f"(select {self._values} from {name} where {condition.broken} limit {share})" for condition in broken
            )
            parts.append(self.relation.query(f"select distinct * from ({branches}) as picked"))
        if measured.broken[self._unique]:
            parts.append(self.relation.query(sql.build_repeated_rows(self.table, name, self._values, share)))
        others = self._sample(max(self.judged_rows - sum(part.height for part in parts), 1))
        with self._register(others) as relation:
            failing = self._find_failing(relation, here)
        positions = {position for found in failing.values() for position in found}
        parts.append(others.filter(~pl.int_range(pl.len()).is_in(list(positions))))
        return pl.concat(parts)

    def _sample(self, rows: int) -> pl.DataFrame:
        return self.relation.query(sql.build_sample(self.relation.name, self._values, rows))

    def _find_failing(self, relation: str, conditions: Sequence[Condition]) -> dict[tuple[str, str], list[int]]:
        """The positions of the rows of a registered frame that break each limit."""
        is_repeated = (
            f"{sql.build_has_key(self.table)} and count(*) over (partition by {sql.build_key(self.table)}) > 1"
        )
        flags = ", ".join([is_repeated, *(condition.broken for condition in conditions)])
        found = self.connection.execute(
            f"select {_POSITION}, flags from (select {_POSITION}, [{flags}] as flags from {relation})"
            f" where list_contains(flags, true) order by {_POSITION}"
        ).fetchall()
        names = [self._unique, *((condition.column, condition.limit) for condition in conditions)]
        failing = {name: [position for position, flags in found if flags[i]] for i, name in enumerate(names)}
        return {name: positions for name, positions in failing.items() if positions}

    def _judge(
        self,
        pick_rows: Callable[[], pl.DataFrame],
        conditions: Sequence[Condition],
        measured: _Measurement,
        engine: str,
    ) -> None:
        """Have Great Expectations judge rows of the relation, which an engine has measured.

        Raises:
            LimitDisagreement: It finds other rows that break a limit, or another limit broken.
        """
        kinds = {name: get_kind(self.table, *name, engine) for name in measured.broken}
        limits = [name for name, rows in measured.broken.items() if rows or not self._is_kind_judged(kinds[name])]
        frame = pick_rows() if limits else pl.DataFrame()
        if frame.is_empty():
            return
        with self._register(frame) as relation:
            failing = self._find_failing(relation, conditions)
        broken = {name for name, rows in measured.broken.items() if rows}
        if unlike := broken ^ failing.keys():
            raise LimitDisagreement(f"{self._describe(*min(unlike))}: it is not the same for all rows and for some")
        self._require_agreement(frame, failing, limits)
        if self.judged_kinds is not None:
            self.judged_kinds.update({kinds[name]: frame.height for name in limits})

    def _is_kind_judged(self, kind: Kind) -> bool:
        return self.judged_kinds is not None and self.judged_kinds[kind] >= KIND_ROWS

    def _require_agreement(
        self, frame: pl.DataFrame, failing: Mapping[tuple[str, str], list[int]], limits: Collection[tuple[str, str]]
    ) -> None:
        judged = judge_rows(self.table, frame, self.allowed, limits)
        for name in sorted({*judged, *failing}):
            own, other = failing.get(name), judged.get(name)
            if own == other:
                continue
            rows = sorted({*(own or ())} ^ {*(other or ())})[:MAX_EXAMPLES]
            shown = frame[rows].select(self.table.key).rows() if rows else []
            raise LimitDisagreement(
                f"{self._describe(*name)}: Great Expectations finds {len(other or ())} rows that break it where DuckDB"
                f" finds {len(own or ())}; they differ at {_show_keys(self.table, shown) or 'the columns'}"
            )

    def _describe(self, column: str, limit: str) -> str:
        value = f" {getattr(self.table.column(column), limit)!s:.80}" if limit not in (UNIQUE, COLUMNS) else ""
        return f"{self.table.name}.{column}: limit {limit}{value}"

    def _build_breaches(
        self, relation: Relation, conditions: Sequence[Condition], measured: _Measurement, max_keys: int | None
    ) -> tuple[Breach, ...]:
        breaches = []
        if rows := measured.broken[self._unique]:
            keys = self._select_keys(relation, sql.build_repeated_keys(self.table, relation.name), max_keys)
            breaches.append(_build_breach(self.table, *self._unique, rows, keys, ()))
        for condition in conditions:
            if rows := measured.broken[condition.column, condition.limit]:
                source = f"{relation.name} where {condition.broken}"
                keys = self._select_keys(relation, f"select {sql.build_key_values(self.table)} from {source}", max_keys)
                examples = (
                    f"select {condition.value} as example from {source}"
                    f" order by {sql.build_key(self.table)} limit {MAX_EXAMPLES}"
                )
                values = [] if condition.limit == "required" else relation.query(examples)["example"]
                breaches.append(_build_breach(self.table, condition.column, condition.limit, rows, keys, tuple(values)))
        return tuple(breaches)

    def _select_keys(self, relation: Relation, query: str, max_keys: int | None) -> tuple[tuple[Any, ...], ...]:
        limit = "" if max_keys is None else f" limit {max_keys}"
        statement = f"select * from ({query}) as keys_of_rows order by {sql.build_key(self.table)}{limit}"
        return tuple(relation.query(statement).iter_rows())


def get_kind(table: Table, column: str, limit: str, engine: str = LocalRelation.engine) -> Kind:
    """The kind of a limit, by the names that it has in a `Breach`, where an engine evaluates it."""
    if limit == UNIQUE:
        types = (table.column(key).type for key in table.key)
        kind = (limit, "one column" if len(table.key) == 1 else "several columns", *sorted(set(types)))
    else:
        declared = table.column(column)
        kind = (limit, declared.type, *([str(declared.matches)] if limit == "matches" else []))
    return kind if engine == LocalRelation.engine else (engine, *kind)


def _build_breach(
    table: Table, name: str, limit: str, rows: int, keys: tuple[tuple[Any, ...], ...], examples: tuple[Any, ...]
) -> Breach:
    texts = list(dict.fromkeys(str(example)[:80] for example in examples))
    shown = ", ".join(texts) or _show_keys(table, keys[:MAX_EXAMPLES])
    problem = {"required": "is missing", UNIQUE: "is not unique"}.get(limit)
    problem = problem or f"breaks {limit} {getattr(table.column(name), limit)!s:.80}"
    is_critical = limit == UNIQUE or limit not in table.column(name).warn
    count = f"{rows} {'row' if rows == 1 else 'rows'}"
    return Breach(name, limit, is_critical, rows, keys, examples, f"{name} {problem} in {count} (such as {shown})")


def _show_keys(table: Table, keys: Sequence[tuple[Any, ...]]) -> str:
    texts = dict.fromkeys(f"{'/'.join(table.key)} {'/'.join(map(str, key))[:80]}" for key in keys)
    return ", ".join(texts)
