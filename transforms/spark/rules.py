"""The rules by which a query in DuckDB's dialect becomes one for Spark, each with its reason.

sqlglot translates the grammar. A rule stands here where the two engines give the same words another meaning, or where
Spark lacks a form. Every table is compared on both (`tests/spark`), so that a rule that is missing is noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlglot import exp

from transforms.spark.expressions import is_aggregate

Rewrite = Callable[[exp.Expr], exp.Expr]


@dataclass(frozen=True)
class Rule:
    """A rule: a rewrite of single nodes, and why it is needed."""

    reason: str
    rewrite: Rewrite


def _call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def _build_null_key(key: exp.Expr) -> list[exp.Expr]:
    """The parts of a key in which a missing value is the largest."""
    return [exp.Is(this=exp.paren(key.copy()), expression=exp.null()), key.copy()]


def _build_struct(parts: Iterable[exp.Expr], last: exp.Expr | None = None) -> exp.Expr:
    fields: list[exp.Expr] = []
    for place, part in enumerate(parts):
        fields += [exp.Literal.string(f"k{place}"), part]
    if last is not None:
        fields += [exp.Literal.string("x"), last.copy()]
    return exp.Anonymous(this="named_struct", expressions=fields)


def _split_filter(node: exp.Expr) -> tuple[exp.Expr, exp.Expr | None]:
    return (node.this, node.expression.this) if isinstance(node, exp.Filter) else (node, None)


def _add_filter(call: exp.Expr, *conditions: exp.Expr | None) -> exp.Expr:
    given = [condition.copy() for condition in conditions if condition is not None]
    return exp.Filter(this=call, expression=exp.Where(this=exp.and_(*given))) if given else call


def _rank_by_key(node: exp.Expr) -> exp.Expr:
    aggregate, condition = _split_filter(node)
    if not isinstance(aggregate, exp.ArgMax | exp.ArgMin) or (
        aggregate is node and isinstance(node.parent, exp.Filter)
    ):
        return node
    key = aggregate.expression
    if isinstance(key, exp.Tuple) or (isinstance(key, exp.Anonymous) and key.name.lower() == "row"):
        key = _build_struct(part for element in key.expressions for part in _build_null_key(element))
    name = "max_by" if isinstance(aggregate, exp.ArgMax) else "min_by"
    known = exp.Not(this=exp.Is(this=exp.paren(aggregate.this.copy()), expression=exp.null()))
    return _add_filter(_call(name, aggregate.this, key), known, condition)


def _collect_in_order(node: exp.Expr) -> exp.Expr:
    window = node if isinstance(node, exp.Window) else None
    aggregate, condition = _split_filter(node.this if window is not None else node)
    if not isinstance(aggregate, exp.ArrayAgg | exp.GroupConcat):
        return node
    if window is None and isinstance(node.parent, exp.Filter | exp.Window):
        return node  # which is rewritten as a whole
    inner, keys = aggregate.this, list[exp.Expr]()
    if isinstance(inner, exp.Order):
        keys, inner = inner.expressions, inner.this
    is_distinct, is_text = isinstance(inner, exp.Distinct), isinstance(aggregate, exp.GroupConcat)
    value = inner.expressions[0] if is_distinct else inner
    if any(key.args.get("desc") for key in keys):
        raise ValueError(f"{node.sql(dialect='duckdb')}: a list in falling order has no form in Spark")

    def aggregate_over(name: str, counted: exp.Expr) -> exp.Expr:
        # missing values are left out by all three functions; over a window, a filter would not be
        known = exp.Not(this=exp.Is(this=exp.paren(value.copy()), expression=exp.null())) if is_text else None
        conditions = [one.copy() for one in (known, condition) if one is not None]
        chosen = exp.Case(ifs=[exp.If(this=exp.and_(*conditions), true=counted)]) if conditions else counted
        call = _call(name, chosen)
        if window is None:
            return call
        over = window.copy()
        over.set("this", call)
        return over

    collect = "collect_set" if is_distinct else "collect_list"
    if keys:
        struct = _build_struct((part for key in keys for part in _build_null_key(key.this)), value)
        element = exp.Dot(this=exp.to_identifier("e"), expression=exp.to_identifier("x"))
        take_value = exp.Lambda(this=element, expressions=[exp.to_identifier("e")])
        values: exp.Expr = _call("transform", _call("array_sort", aggregate_over(collect, struct)), take_value)
    else:
        values = aggregate_over(collect, value.copy())
    if not is_text:
        return values
    count = aggregate_over("count", value.copy())
    joined = _call("array_join", values, aggregate.args["separator"])
    return exp.Case(ifs=[exp.If(this=exp.GT(this=count, expression=exp.Literal.number(0)), true=joined)])


def _count_in_window(node: exp.Expr) -> exp.Expr:
    if not (isinstance(node, exp.Window) and isinstance(node.this, exp.Filter)):
        return node
    aggregate, condition = _split_filter(node.this)
    counted = exp.Literal.number(1) if isinstance(aggregate.this, exp.Star) else aggregate.this.copy()
    chosen = exp.Case(ifs=[exp.If(this=condition.copy() if condition else exp.true(), true=counted)])
    window = node.copy()
    window.set("this", type(aggregate)(this=chosen))
    return window


def _use_doubles(node: exp.Expr) -> exp.Expr:
    if (
        isinstance(node, exp.Literal)
        and not node.is_string
        and not node.is_int
        and not isinstance(node.parent, exp.Cast)
    ):
        return exp.cast(node.copy(), "double")
    return node


def _add_months(node: exp.Expr) -> exp.Expr:
    months = node.expression if isinstance(node, exp.Add | exp.Sub) else None
    if not (isinstance(months, exp.Anonymous) and months.name.lower() == "to_months"):
        return node
    count = months.expressions[0].copy()
    return _call("add_months", node.this, exp.Neg(this=exp.paren(count)) if isinstance(node, exp.Sub) else count)


def _count_periods(node: exp.Expr) -> exp.Expr:
    if not isinstance(node, exp.DateDiff):
        return node
    start, end = node.expression, node.this
    unit = "" if node.unit is None else node.unit.name.upper()
    if unit == "DAY":
        return _call("datediff", end, start)
    if unit != "MONTH":
        raise ValueError(f"{node.sql(dialect='duckdb')}: days and months have a form in Spark")
    years = exp.paren(exp.Sub(this=exp.Year(this=end.copy()), expression=exp.Year(this=start.copy())))
    months = exp.Sub(this=exp.Month(this=end.copy()), expression=exp.Month(this=start.copy()))
    return exp.paren(exp.Add(this=exp.Mul(this=years, expression=exp.Literal.number(12)), expression=exp.paren(months)))


def _skip_missing_texts(node: exp.Expr) -> exp.Expr:
    if not isinstance(node, exp.Concat):
        return node
    if isinstance(node, exp.ConcatWs):
        return _call("concat_ws", *node.expressions)
    return _call("concat_ws", exp.Literal.string(""), *(exp.cast(part.copy(), "text") for part in node.expressions))


def _split_by_text(node: exp.Expr) -> exp.Expr:
    if not (isinstance(node, exp.Split) and isinstance(node.expression, exp.Literal)):
        return node
    pattern = "".join(f"[{letter}]" if letter in ".|*+?()[{^$" else letter for letter in node.expression.name)
    return _call("split", node.this, exp.Literal.string(pattern))


def _take_element(node: exp.Expr) -> exp.Expr:
    # sqlglot counts from 0
    if not (isinstance(node, exp.Bracket) and len(node.expressions) == 1):
        return node
    (index,) = node.expressions
    if isinstance(index, exp.Slice):
        length = _call("array_size", node.this)
        start = index.this.copy() if index.this else exp.Literal.number(1)
        end = index.expression.copy() if index.expression else length
        count = exp.Greatest(this=exp.Literal.number(0), expressions=[exp.paren(end - start + 1)])
        return exp.Anonymous(this="slice", expressions=[node.this.copy(), start.copy(), count])
    place = index if index.is_int else exp.Sub(this=exp.paren(index.copy()), expression=exp.Literal.number(1))
    return _call("get", node.this, exp.cast(place.copy(), "int"))


def _find_place(node: exp.Expr) -> exp.Expr:
    if not (isinstance(node, exp.Anonymous) and node.name.lower() == "list_position"):
        return node
    return exp.Nullif(this=_call("array_position", *node.expressions), expression=exp.Literal.number(0))


def _ignore_order_of_sum(node: exp.Expr) -> exp.Expr:
    return (
        exp.Sum(this=node.this.this.copy()) if isinstance(node, exp.Sum) and isinstance(node.this, exp.Order) else node
    )


def _take_any_known(node: exp.Expr) -> exp.Expr:
    return _call("any_value", node.this.this, exp.true()) if isinstance(node, exp.IgnoreNulls) else node


def _list_numbers(node: exp.Expr) -> exp.Expr:
    if not (isinstance(node, exp.GenerateSeries) and node.args.get("is_end_exclusive")):
        return node
    start, end = node.args["start"].copy(), node.args["end"].copy()
    last = exp.paren(exp.Sub(this=exp.paren(end.copy()), expression=exp.Literal.number(1)))
    numbers = _call("sequence", exp.cast(start.copy(), "bigint"), exp.cast(last, "bigint"))
    is_empty = exp.LTE(this=exp.paren(end), expression=start)
    return exp.If(this=is_empty, true=exp.cast(exp.array(), "array<bigint>"), false=numbers)


def _divide(node: exp.Expr) -> exp.Expr:
    if (
        not isinstance(node, exp.Div | exp.IntDiv)
        or isinstance(node.expression, exp.Nullif)
        or _is_nonzero(node.expression)
    ):
        return node
    divisor = exp.Nullif(this=exp.paren(node.expression.copy()), expression=exp.Literal.number(0))
    return type(node)(this=node.this.copy(), expression=divisor)


def _is_nonzero(node: exp.Expr) -> bool:
    node = node.this if isinstance(node, exp.Cast) else node
    return isinstance(node, exp.Literal) and not node.is_string and float(node.name) != 0


_RENAMED = {"strlen": "octet_length", "epoch_us": "unix_micros"}


def _rename(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Anonymous) and node.name.lower() in _RENAMED:
        return _call(_RENAMED[node.name.lower()], *node.expressions)
    if isinstance(node, exp.Anonymous) and node.name.lower() == "list_reverse_sort":
        return _call("sort_array", *node.expressions, exp.false())
    if isinstance(node, exp.ArrayOverlaps):
        return _call("arrays_overlap", node.this, node.expression)
    if isinstance(node, exp.NullSafeEQ):
        return exp.paren(exp.NullSafeEQ(this=node.this.copy(), expression=node.expression.copy()))
    return node


def _keep_plan_open(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.CTE) and node.args.get("materialized") is not None:
        node.set("materialized", None)
    return node


RULES = (
    Rule("CTEs cannot be marked as materialised", _keep_plan_open),
    Rule("max_by and min_by return missing values, and missing parts of a key are the smallest", _rank_by_key),
    Rule("lists and joined texts take no order", _collect_in_order),
    Rule("aggregates over a window take no filter", _count_in_window),
    Rule("the order of a sum of floating-point numbers cannot be set", _ignore_order_of_sum),
    Rule("any_value can return a missing value", _take_any_known),
    Rule("1.0 is a decimal, and quotients of decimals are rounded", _use_doubles),
    Rule("to_months is not known", _add_months),
    Rule("date_diff of months counts whole months, not their beginnings", _count_periods),
    Rule("concat with a missing value is missing", _skip_missing_texts),
    Rule("split takes a pattern", _split_by_text),
    Rule("elements are counted from 0, and one that is not there is an error", _take_element),
    Rule("the place of what is not in a list is 0", _find_place),
    Rule("a sequence includes its end, and falls if that comes first", _list_numbers),
    Rule("a quotient that a condition leaves out is computed all the same, and division by 0 fails", _divide),
    Rule("functions with another name", _rename),
)


def rewrite(node: exp.Expr, rule: Rule) -> exp.Expr:
    """A tree in which a rule has rewritten every node, from the leaves to the root."""
    for child in list(node.iter_expressions()):
        changed = rewrite(child, rule)
        if changed is not child:
            child.replace(changed)
    return rule.rewrite(node)


def write_out_groups(select: exp.Select) -> None:
    """Write groups as places of columns: Sail knows no ``group by all``, and compares no calls of Python functions."""
    group = select.args.get("group")
    if group is None:
        return
    columns = [column.unalias() for column in select.expressions]
    if group.args.get("all"):
        places = [
            place
            for place, column in enumerate(columns, 1)
            if not isinstance(column, exp.Literal | exp.Null) and not any(is_aggregate(part) for part in column.walk())
        ]
        keys = [exp.Literal.number(place) for place in places]
        select.set("group", exp.Group(expressions=keys) if keys else None)
    elif group.expressions:
        keys = [
            exp.Literal.number(columns.index(key) + 1) if key in columns and not isinstance(key, exp.Column) else key
            for key in group.expressions
        ]
        group.set("expressions", keys)


def unnest_beside(select: exp.Select) -> None:
    """Move lists that are unnested side by side to a lateral view: Spark takes one of them in a query."""
    columns = select.expressions
    lists = [node for column in columns for node in column.find_all(exp.Explode) if node.parent_select is select]
    if not lists:
        return
    names = [f"unnested_{place}" for place in range(len(lists))]
    if len(lists) == 1:
        call = _call("explode", lists[0].this)
    else:  # a missing list is as an empty one beside others
        arrays = (exp.Coalesce(this=node.this.copy(), expressions=[exp.array()]) for node in lists)
        call = _call("inline", _call("arrays_zip", *arrays))
    for column in columns:
        if isinstance(column, exp.Star):  # not what is unnested
            tables = [select.args["from_"].this, *(join.this for join in select.args.get("joins") or ())]
            given = [exp.Column(this=exp.Star(), table=exp.to_identifier(table.alias_or_name)) for table in tables]
            select.set("expressions", [*given, *(one for one in columns if one is not column)])
    if not select.args.get("from_"):
        select.set("from_", exp.From(this=exp.select("1 as one").subquery("once")))
    alias = exp.TableAlias(this=exp.to_identifier("unnested"), columns=[exp.to_identifier(name) for name in names])
    select.append("laterals", exp.Lateral(this=call, view=True, alias=alias))
    for node, name in zip(lists, names, strict=True):
        node.replace(exp.column(name, table="unnested"))
