"""Reads intervals, unions of them, and inequalities of one variable as what they are: parts of the real line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cmp_to_key
from itertools import pairwise

from .ball import UndefinedError, ball
from .evaluate import Value, evaluate, variables
from .tree import Apply, Node, Relation, Series, Symbol, UnreadableError
from .values import equal

INFINITY = Symbol("infty")
MINUS_INFINITY = Apply("neg", (INFINITY,))
BETWEEN = ("<", "<=")
FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


@dataclass(frozen=True, slots=True)
class End:
    """The end of an interval; ``value`` is None at infinity."""

    value: Value | None
    closed: bool


@dataclass(frozen=True, slots=True)
class Region:
    """Intervals in order, and the variable that lies in them, if one was named."""

    intervals: tuple[tuple[End, End], ...]
    variable: str | None = None


def region(node: Node) -> Region | None:
    """Return the part of the real line that was read; None if it is none."""
    try:
        return _region(node)
    except (UndefinedError, UnreadableError):
        return None


def is_explicit(node: Node) -> bool:
    """Return whether it can be nothing but a part of the line: a pair in round brackets could be a point."""
    if isinstance(node, Series):
        return node.brackets in ("[)", "(]") or (node.brackets in ("or", "and") and all(map(is_explicit, node.items)))
    if isinstance(node, Relation):
        return any(operator != "=" for operator in node.operators) and not _is_plain_member(node)
    return node == Symbol("reals") or (isinstance(node, Apply) and node.operator in ("cup", "setminus"))


def _is_plain_member(node: Relation) -> bool:
    return node.operators == ("in",) and not is_explicit(node.sides[1])


def same_region(one: Region, other: Region) -> bool:
    """Return whether both are the same part of the line, and of the same variable where both name one."""
    if one.variable and other.variable and one.variable != other.variable:
        return False
    pairs = zip(_joined(one), _joined(other), strict=False)
    return len(_joined(one)) == len(_joined(other)) and all(
        _same_end(low, others_low) and _same_end(high, others_high) for (low, high), (others_low, others_high) in pairs
    )


def _same_end(one: End, other: End) -> bool:
    if one.value is None or other.value is None:
        return one == other
    return one.closed == other.closed and equal(one.value, other.value)


def _region(node: Node) -> Region:
    if node == Symbol("reals"):
        return Region(((End(None, False), End(None, False)),))
    if isinstance(node, Series):
        return _of_series(node)
    if isinstance(node, Relation):
        return _of_relation(node)
    if isinstance(node, Apply) and node.operator == "cup":
        return _united([_region(part) for part in node.operands])
    if isinstance(node, Apply) and node.operator == "setminus":
        return _without_points(*node.operands)
    raise UnreadableError("no part of the line")


def _without_points(whole: Node, points: Node) -> Region:
    """Return the whole line without a few points."""
    if whole not in (Symbol("reals"), Series("()", (MINUS_INFINITY, INFINITY))) or not isinstance(points, Series):
        raise UnreadableError("no line without points")
    values = sorted((evaluate(point, {}) for point in points.items), key=lambda value: ball(value).real)
    ends: list[Value | None] = [None, *values, None]
    return Region(tuple((End(low, False), End(high, False)) for low, high in pairwise(ends)))


def _of_series(node: Series) -> Region:
    if node.brackets == "or":
        return _united([_region(item) for item in node.items])
    if node.brackets == "and" and len(node.items) == 2:
        return _intersected([_region(item) for item in node.items])
    if node.brackets[0] not in "[(" or len(node.items) != 2:
        raise UnreadableError("no interval")
    low, high = node.items
    return Region((_interval(low, node.brackets[0] == "[", high, node.brackets[1] == "]"),))


def _interval(low: Node, has_low: bool, high: Node, has_high: bool) -> tuple[End, End]:
    bottom = None if low == MINUS_INFINITY else evaluate(low, {})
    top = None if high == INFINITY else evaluate(high, {})
    return End(bottom, has_low), End(top, has_high)


def _of_relation(node: Relation) -> Region:
    if node.operators == ("in",) and isinstance(node.sides[0], Symbol):
        return Region(_region(node.sides[1]).intervals, node.sides[0].name)
    first = node.sides[0]
    if isinstance(first, Apply) and first.operator == "abs" and node.operators[0] in BETWEEN and len(node.sides) == 2:
        return _of_relation(_without_bars(first, node.operators[0], node.sides[1]))
    place = next((place for place, side in enumerate(node.sides) if variables(side)), None)
    if place is None or not isinstance(node.sides[place], Symbol):
        raise UnreadableError("no inequality of one variable")
    if any(variables(side) for side in node.sides[place + 1 :]):
        raise UnreadableError("several variables")
    name = next(iter(variables(node.sides[place])))
    if len(node.sides) == 2:
        constant = evaluate(node.sides[1 - place], {})
        operator = node.operators[0] if place == 0 else FLIPPED.get(node.operators[0], node.operators[0])
        return Region(_of_comparison(operator, constant), name)
    return Region(_of_chain(node, place), name)


def _without_bars(absolute: Apply, operator: str, bound: Node) -> Relation:
    """Return ``|x| < b`` as ``-b < x < b``."""
    return Relation((operator, operator), (Apply("neg", (bound,)), absolute.operands[0], bound))


def _of_comparison(operator: str, constant: Value) -> tuple[tuple[End, End], ...]:
    infinite, bound = End(None, False), End(constant, "=" in operator and operator != "!=")
    if operator in ("<", "<="):
        return ((infinite, bound),)
    if operator in (">", ">="):
        return ((bound, infinite),)
    if operator == "!=":
        return ((infinite, bound), (bound, infinite))
    raise UnreadableError("no inequality")


def _of_chain(node: Relation, place: int) -> tuple[tuple[End, End], ...]:
    """Read ``a < x <= b``, or the same from right to left."""
    if len(node.sides) != 3 or place != 1:
        raise UnreadableError("a chain of inequalities")
    operators, (low, _, high) = node.operators, node.sides
    if all(operator in (">", ">=") for operator in operators):
        low, high = high, low
        operators = (FLIPPED[operators[1]], FLIPPED[operators[0]])
    if not all(operator in ("<", "<=") for operator in operators):
        raise UnreadableError("a chain of inequalities")
    return (_interval(low, operators[0] == "<=", high, operators[1] == "<="),)


def _united(regions: list[Region]) -> Region:
    names = {each.variable for each in regions if each.variable}
    if len(names) > 1:
        raise UnreadableError("several variables")
    return Region(tuple(interval for each in regions for interval in each.intervals), next(iter(names), None))


def _intersected(regions: list[Region]) -> Region:
    """Return where two half lines overlap."""
    both = _united(regions)
    ups = [low for low, high in both.intervals if high.value is None and low.value is not None]
    downs = [high for low, high in both.intervals if low.value is None and high.value is not None]
    if len(both.intervals) != 2 or len(ups) != 1 or len(downs) != 1:
        raise UnreadableError("no interval")
    return Region(((ups[0], downs[0]),), both.variable)


def _joined(region: Region) -> list[tuple[End, End]]:
    """Return the intervals in order."""
    return sorted(region.intervals, key=cmp_to_key(_order))


def _order(one: tuple[End, End], other: tuple[End, End]) -> int:
    a, b = one[0].value, other[0].value
    if a is None or b is None:
        return (a is not None) - (b is not None)
    difference = ball(a).real - ball(b).real
    return (difference > 0) - (difference < 0)
