"""Complex numbers of sixty digits that know how far off they may be.

The bound on the error is what tells two numbers that are equal from two that are close: it grows where digits cancel.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, DecimalException, DivisionByZero, InvalidOperation, Overflow
from fractions import Fraction
from functools import lru_cache

DIGITS = 60
CONTEXT = Context(DIGITS, ROUND_HALF_EVEN, -99_999, 99_999, traps=[DivisionByZero, InvalidOperation, Overflow])
UNIT = Decimal(10) ** (1 - DIGITS)
CERTAIN = Decimal("1e-30")
"""Largest error, relative or absolute, at which a number is still known."""
ANGLE_LIMIT = Decimal(10) ** 6
POWER_LIMIT = Decimal(20_000)
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803")
ZERO, ONE = Decimal(0), Decimal(1)


class UndefinedError(ValueError):
    """There is no value, or none that is known well enough."""


@dataclass(frozen=True, slots=True)
class Ball:
    """A number, and a bound on its error."""

    real: Decimal
    imaginary: Decimal = ZERO
    error: Decimal = ZERO

    def __add__(self, other: Ball) -> Ball:
        real, imaginary = self.real + other.real, self.imaginary + other.imaginary
        return Ball(real, imaginary, self.error + other.error + UNIT * (abs(real) + abs(imaginary)))

    def __neg__(self) -> Ball:
        return Ball(-self.real, -self.imaginary, self.error)

    def __mul__(self, other: Ball) -> Ball:
        real = self.real * other.real - self.imaginary * other.imaginary
        imaginary = self.real * other.imaginary + self.imaginary * other.real
        size, others = self.size, other.size
        error = size * other.error + others * self.error + self.error * other.error + 4 * UNIT * size * others
        return Ball(real, imaginary, error)

    @property
    def size(self) -> Decimal:
        """A bound on its absolute value, less than half too large."""
        return abs(self.real) + abs(self.imaginary)

    @property
    def is_zero(self) -> bool:
        """Whether it cannot be told from zero."""
        return self.size <= self.error

    @property
    def is_real(self) -> bool:
        """Whether its imaginary part cannot be told from zero."""
        return abs(self.imaginary) <= self.error

    def inverse(self) -> Ball:
        """Return one divided by it."""
        if self.is_zero:
            raise UndefinedError("division by zero")
        square = self.real * self.real + self.imaginary * self.imaginary
        error = (self.error * 2 + UNIT * 4 * self.size) / square
        return Ball(self.real / square, -self.imaginary / square, error)

    def known(self) -> Ball:
        """Return it, unless its error is too large."""
        if self.error > CERTAIN * max(ONE, self.size):
            raise UndefinedError("too many digits cancel")
        return self


def ball(value: Fraction | Ball) -> Ball:
    """Return a fraction as a number of sixty digits."""
    if isinstance(value, Ball):
        return value
    real = Decimal(value.numerator) / Decimal(value.denominator)
    return Ball(real, ZERO, abs(real) * UNIT)


def absolute(z: Ball) -> Ball:
    """Return the absolute value."""
    if z.is_real:
        return Ball(abs(z.real), ZERO, z.error)
    size = (z.real * z.real + z.imaginary * z.imaginary).sqrt()
    return Ball(size, ZERO, z.error * 2 + size * UNIT * 4)


def exp(z: Ball) -> Ball:
    """Return e to the power of z."""
    if abs(z.real) > POWER_LIMIT:
        raise UndefinedError("a power too large")
    size = z.real.exp()
    if z.imaginary == 0:
        return Ball(size, ZERO, size * (z.error * 2 + UNIT * 2))
    sine, cosine = sine_and_cosine(z.imaginary)
    return Ball(size * cosine, size * sine, size * (z.error * 2 + UNIT * 8))


def ln(z: Ball) -> Ball:
    """Return the principal logarithm."""
    if z.is_zero:
        raise UndefinedError("logarithm of zero")
    error = z.error * 2 / z.size + UNIT * 8
    if z.is_real and z.real > 0:
        value = z.real.ln()
        return Ball(value, ZERO, error + abs(value) * UNIT)
    value = absolute(z).real.ln()
    return Ball(value, angle(z.real, ZERO if z.is_real else z.imaginary), error + abs(value) * UNIT)


def sqrt(z: Ball) -> Ball:
    """Return the principal square root."""
    if z.is_real and not z.is_zero:
        root = abs(z.real).sqrt()
        error = z.error / root + root * UNIT * 2
        return Ball(root, ZERO, error) if z.real > 0 else Ball(ZERO, root, error)
    return Ball(ZERO, ZERO, z.error.sqrt()) if z.is_zero else exp(ln(z) * Ball(Decimal("0.5")))


def sine(z: Ball) -> Ball:
    """Return the sine of a real number."""
    return Ball(sine_and_cosine(_real(z))[0], ZERO, z.error + UNIT * ANGLE_LIMIT)


def cosine(z: Ball) -> Ball:
    """Return the cosine of a real number."""
    return Ball(sine_and_cosine(_real(z))[1], ZERO, z.error + UNIT * ANGLE_LIMIT)


def arctangent(z: Ball) -> Ball:
    """Return the arc tangent of a real number."""
    return Ball(angle(ONE, _real(z)), ZERO, z.error + UNIT * 8)


def _real(z: Ball) -> Decimal:
    if not z.is_real:
        raise UndefinedError("a complex angle")
    return z.real


@lru_cache(maxsize=1024)
def sine_and_cosine(x: Decimal) -> tuple[Decimal, Decimal]:
    """Return sine and cosine: the series of an eighth of the angle, doubled three times."""
    if abs(x) > ANGLE_LIMIT:
        raise UndefinedError("an angle too large")
    x = CONTEXT.remainder_near(x, 2 * PI) / 8
    term, total, versine = x, x, ZERO  # 1 - cos is kept, for small angles
    square, count = x * x, 1
    while abs(term) > UNIT * UNIT:
        even = term * x / (count + 1)
        versine += even
        term = -term * square / ((count + 1) * (count + 2))
        total += term
        count += 2
    sine, cosine = total, ONE - versine
    for _ in range(3):
        sine, cosine = 2 * sine * cosine, cosine * cosine - sine * sine
    return sine, cosine


@lru_cache(maxsize=1024)
def angle(x: Decimal, y: Decimal) -> Decimal:
    """Return the angle of the point (x, y), in (-pi, pi]."""
    if y == 0:
        if x == 0:
            raise UndefinedError("the angle of zero")
        return ZERO if x > 0 else +PI
    if x <= 0:
        return (PI / 2 if y > 0 else -PI / 2) - _arctangent(x / y)
    return _arctangent(y / x)


def _arctangent(x: Decimal) -> Decimal:
    """Return the arc tangent by its series, after four halvings of the angle."""
    for _ in range(4):
        x = x / (1 + (1 + x * x).sqrt())
    term, total, square, count = x, x, x * x, 1
    while abs(term) > UNIT * UNIT:
        term = -term * square
        count += 2
        total += term / count
    return total * 16


ERRORS = (DecimalException, ZeroDivisionError, OverflowError)
