"""Says whether two expressions have the same value."""

from __future__ import annotations

from decimal import localcontext
from fractions import Fraction

from .ball import CONTEXT, UndefinedError, ball
from .evaluate import Point, Value, evaluate, uses, variables
from .reading import is_literal
from .tree import Apply, Node, Number

MAX_VARIABLES = 12
TOLERANCE = Fraction(1, 10**6)
"""Share of the right value by which a decimal may be off, unless the right value is an integer."""
LARGE = 10**15
"""Where a decimal stands for the right value, an integer of this size is one that was measured."""
PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)
POINTS = 6
"""Points at which expressions with variables are compared; in half of them some variables are negative."""


def equal(one: Value, other: Value) -> bool:
    """Return whether two values are the same, as far as their digits go."""
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return one == other
    with localcontext(CONTEXT):
        return (ball(one) + -ball(other)).is_zero


def is_zero(value: Value) -> bool:
    """Return whether a value cannot be told from zero."""
    return value == 0 if isinstance(value, Fraction) else value.is_zero


def same_value(reference: Node, answer: Node) -> bool:
    """Return whether an answer has the reference's value.

    A reference that is a number wants a number: ``24*3`` is not the answer 72.
    """
    if is_literal(reference) and not is_literal(answer):
        return False
    names = variables(reference) | variables(answer)
    if names:
        return _same_function(reference, answer, sorted(names))
    try:
        return _same_number(evaluate(reference, {}), evaluate(answer, {}), reference, answer)
    except UndefinedError:
        return False


def _same_number(right: Value, given: Value, reference: Node, answer: Node) -> bool:
    if equal(right, given):
        return True
    if not (_is_decimal(reference) or _is_decimal(answer)) or _is_counted(right, reference):
        return False
    return close(right, given)


def _is_counted(right: Value, reference: Node) -> bool:
    """Return whether the reference is an integer, which a decimal that is off never states."""
    return isinstance(right, Fraction) and right.denominator == 1 and (abs(right) < LARGE or not _is_decimal(reference))


def close(right: Value, given: Value) -> bool:
    """Return whether a value is within the tolerance of the right one."""
    if isinstance(right, Fraction) and isinstance(given, Fraction):
        return abs(right - given) <= abs(right) * TOLERANCE
    with localcontext(CONTEXT):
        return (ball(right) + -ball(given)).size <= ball(right).size * ball(TOLERANCE).real


def _is_decimal(node: Node) -> bool:
    if isinstance(node, Number):
        return not node.exact
    return isinstance(node, Apply) and any(map(_is_decimal, node.operands))


def points(names: list[str], whole: bool) -> list[Point]:
    """Return points that are the same for the same names: positive ones first, then such of both signs."""
    return [{name: _coordinate(place, row, whole) for place, name in enumerate(names)} for row in range(POINTS)]


def _coordinate(place: int, row: int, whole: bool) -> Fraction:
    top, bottom = PRIMES[(3 * place + 5 * row + 1) % 13], PRIMES[(5 * place + 2 * row + 3) % 13]
    value = Fraction(top) if whole or top == bottom else Fraction(top, bottom)
    return value if row < POINTS // 2 or (row + place) % 2 else -value


def _same_function(reference: Node, answer: Node, names: list[str]) -> bool:
    """Return whether two expressions agree wherever both have a real value, in at least two points."""
    if len(names) > MAX_VARIABLES:
        return False
    agreed = 0
    for point in points(names, whole=any(uses(node, "!", "binom", "floor", "ceil") for node in (reference, answer))):
        right, given = value_at(reference, point), value_at(answer, point)
        if right is None or given is None:
            continue
        if not equal(right, given):
            if _is_everywhere(point) or (_is_real(right) and _is_real(given)):
                return False
            continue
        agreed += 1
    return agreed > 1


def _is_everywhere(point: Point) -> bool:
    """Return whether the point is positive, where roots and powers mean the same to all."""
    return all(value > 0 for value in point.values())


def _is_real(value: Value) -> bool:
    return isinstance(value, Fraction) or value.is_real


def value_at(node: Node, point: Point) -> Value | None:
    """Return the value at a point; None if there is none."""
    try:
        return evaluate(node, point)
    except UndefinedError:
        return None


def ratio(one: Value, other: Value) -> Value | None:
    """Return the quotient of two values; None if either is zero."""
    if is_zero(one) or is_zero(other):
        return None
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return one / other
    with localcontext(CONTEXT):
        return ball(one) * ball(other).inverse()


def is_positive(value: Value) -> bool:
    """Return whether a value is real and greater than zero."""
    return value > 0 if isinstance(value, Fraction) else value.is_real and value.real > 0
