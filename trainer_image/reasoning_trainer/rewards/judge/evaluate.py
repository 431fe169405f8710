"""Works out expressions: exactly as long as they are rational, else to sixty digits; at a bounded cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import localcontext
from fractions import Fraction
from typing import TypeAlias

from .ball import (
    CONTEXT,
    ERRORS,
    ONE,
    PI,
    UNIT,
    ZERO,
    Ball,
    UndefinedError,
    absolute,
    arctangent,
    ball,
    cosine,
    exp,
    ln,
    sine,
    sqrt,
)
from .tree import Apply, Node, Number, Symbol, parts

MAX_BITS = 8000
"""Size of an exact number; what would be larger is not worked out."""
MAX_FACTORIAL = 400

Value: TypeAlias = Fraction | Ball
Point: TypeAlias = Mapping[str, Fraction]

CONSTANTS: dict[str, Callable[[], Ball]] = {
    "pi": lambda: Ball(+PI, ZERO, 4 * UNIT),
    "e": lambda: exp(Ball(ONE)),
    "i": lambda: Ball(ZERO, ONE),
}


def evaluate(node: Node, point: Point) -> Value:
    """Return the value of an expression, its variables being at a point.

    Raises
    ------
    UndefinedError
        If it has none, or it would be too large, or it is no expression.
    """
    with localcontext(CONTEXT):
        try:
            value = _value(node, point)
            return value.known() if isinstance(value, Ball) else value
        except ERRORS as error:
            raise UndefinedError(str(error)) from error


def variables(node: Node) -> frozenset[str]:
    """Return the names of all variables in what was read."""
    if isinstance(node, Symbol):
        return frozenset() if node.name in CONSTANTS or node.name in ("infty", "reals") else frozenset((node.name,))
    return frozenset().union(*map(variables, parts(node)))


def uses(node: Node, *operators: str) -> bool:
    """Return whether one of the operators is in the expression."""
    if isinstance(node, Apply) and node.operator in operators:
        return True
    return any(uses(part, *operators) for part in parts(node))


def _value(node: Node, point: Point) -> Value:
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Symbol):
        return _symbol(node.name, point)
    if isinstance(node, Apply) and node.operator in OPERATIONS:
        return _bounded(OPERATIONS[node.operator](*(_value(operand, point) for operand in node.operands)))
    raise UndefinedError("no expression")


def _symbol(name: str, point: Point) -> Value:
    if name in point:
        return point[name]
    if name in CONSTANTS:
        return CONSTANTS[name]()
    raise UndefinedError(f"the value of {name}")


def _bounded(value: Value) -> Value:
    if isinstance(value, Fraction) and max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise UndefinedError("a number too large")
    return value


def _add(a: Value, b: Value) -> Value:
    return a + b if isinstance(a, Fraction) and isinstance(b, Fraction) else ball(a) + ball(b)


def _negate(a: Value) -> Value:
    return -a


def _subtract(a: Value, b: Value) -> Value:
    return _add(a, -b)


def _multiply(a: Value, b: Value) -> Value:
    return a * b if isinstance(a, Fraction) and isinstance(b, Fraction) else ball(a) * ball(b)


def _divide(a: Value, b: Value) -> Value:
    return a / b if isinstance(a, Fraction) and isinstance(b, Fraction) else ball(a) * ball(b).inverse()


def _power(a: Value, b: Value) -> Value:
    if isinstance(b, Fraction):
        return _rational_power(a, b)
    if ball(a).is_zero:
        raise UndefinedError("a power of zero")
    return exp(ln(ball(a)) * b)


def _rational_power(a: Value, b: Fraction) -> Value:
    if b.denominator == 1 and isinstance(a, Fraction):
        size = max(a.numerator.bit_length(), a.denominator.bit_length())
        if size * abs(b.numerator) > MAX_BITS and a not in (0, 1, -1):
            raise UndefinedError("a power too large")
        return a**b.numerator if abs(b) < MAX_BITS else a ** (b.numerator % 2 + 2)
    if b.denominator == 1 and abs(b) <= 64:
        return _repeated(ball(a), b.numerator)
    return _fractional_power(ball(a), b)


def _repeated(base: Ball, times: int) -> Ball:
    if times < 0:
        return _repeated(base, -times).inverse()
    result = Ball(ONE)
    while times:
        if times % 2:
            result = result * base
        base, times = base * base, times // 2
    return result


def _fractional_power(base: Ball, exponent: Fraction) -> Value:
    """Return a power; of a negative number with an odd root its real one."""
    if base.is_zero:
        if exponent <= 0:
            raise UndefinedError("a power of zero")
        return Fraction(0)
    if exponent.denominator == 2:
        return _repeated(sqrt(base), exponent.numerator) if abs(exponent) <= 64 else exp(ln(base) * ball(exponent))
    if base.is_real and base.real < 0 and exponent.denominator % 2:
        root = exp(ln(-base) * ball(exponent))
        return -root if exponent.numerator % 2 else root
    return exp(ln(base) * ball(exponent))


def _root(a: Value, degree: Value) -> Value:
    if not isinstance(degree, Fraction) or degree.denominator != 1 or degree < 2:
        raise UndefinedError("a root of no degree")
    return _rational_power(a, 1 / degree)


def _percent(a: Value) -> Value:
    return _multiply(a, Fraction(1, 100))


def _degree(a: Value) -> Value:
    return _multiply(_divide(a, Fraction(180)), CONSTANTS["pi"]())


def _factorial(a: Value) -> Value:
    return Fraction(math.factorial(_count(a)))


def _binomial(a: Value, b: Value) -> Value:
    return Fraction(math.comb(_count(a), _count(b)))


def _count(a: Value) -> int:
    if not isinstance(a, Fraction) or a.denominator != 1 or not 0 <= a <= MAX_FACTORIAL:
        raise UndefinedError("no number to count to")
    return a.numerator


def _absolute(a: Value) -> Value:
    return abs(a) if isinstance(a, Fraction) else absolute(a)


def _floor(a: Value) -> Value:
    if not isinstance(a, Fraction):
        raise UndefinedError("the floor of a decimal")
    return Fraction(math.floor(a))


def _ceiling(a: Value) -> Value:
    return -_floor(-a)


def _logarithm(a: Value, base: Value = Fraction(10)) -> Value:
    return ln(ball(a)) * ln(ball(base)).inverse()


def _arcsine(a: Value) -> Value:
    """Return the arc sine: the arc tangent of x over the root of 1 - x^2."""
    if a in (1, -1):
        return _multiply(a, Ball(PI / 2, ZERO, 4 * UNIT))
    x = ball(a)
    return arctangent(x * sqrt(Ball(ONE) + -(x * x)).inverse())


def _arccosine(a: Value) -> Value:
    return _subtract(Ball(PI / 2, ZERO, 4 * UNIT), _arcsine(a))


def _hyperbolic(sign: int) -> Callable[[Value], Value]:
    def half(a: Value) -> Value:
        up, down = exp(ball(a)), exp(-ball(a))
        return (up + (down if sign > 0 else -down)) * Ball(ONE / 2)

    return half


def _quotient(top: Callable[[Ball], Ball], bottom: Callable[[Ball], Ball]) -> Callable[[Value], Value]:
    return lambda a: top(ball(a)) * bottom(ball(a)).inverse()


def _one(a: Ball) -> Ball:
    return Ball(ONE)


def _extreme(choose: Callable[..., Fraction]) -> Callable[..., Value]:
    def chosen(*values: Value) -> Value:
        exact = [value for value in values if isinstance(value, Fraction)]
        if len(exact) != len(values):
            raise UndefinedError("an order of decimals")
        return choose(exact)

    return chosen


def _whole(function: Callable[..., int]) -> Callable[..., Value]:
    def applied(*values: Value) -> Value:
        whole = [value.numerator for value in values if isinstance(value, Fraction) and value.denominator == 1]
        if len(whole) != len(values):
            raise UndefinedError("a divisor of fractions")
        return Fraction(function(*whole))

    return applied


OPERATIONS: dict[str, Callable[..., Value]] = {
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "^": _power,
    "neg": _negate,
    "mixed": _add,
    "root": _root,
    "sqrt": lambda a: _rational_power(a, Fraction(1, 2)),
    "cbrt": lambda a: _rational_power(a, Fraction(1, 3)),
    "%": _percent,
    "degree": _degree,
    "!": _factorial,
    "binom": _binomial,
    "abs": _absolute,
    "floor": _floor,
    "ceil": _ceiling,
    "exp": lambda a: exp(ball(a)),
    "ln": lambda a: ln(ball(a)),
    "log": _logarithm,
    "sin": lambda a: sine(ball(a)),
    "cos": lambda a: cosine(ball(a)),
    "tan": _quotient(sine, cosine),
    "cot": _quotient(cosine, sine),
    "sec": _quotient(_one, cosine),
    "csc": _quotient(_one, sine),
    "arcsin": _arcsine,
    "arccos": _arccosine,
    "arctan": lambda a: arctangent(ball(a)),
    "sinh": _hyperbolic(-1),
    "cosh": _hyperbolic(1),
    "tanh": lambda a: _divide(_hyperbolic(-1)(a), _hyperbolic(1)(a)),
    "max": _extreme(max),
    "min": _extreme(min),
    "gcd": _whole(math.gcd),
    "lcm": _whole(math.lcm),
}
