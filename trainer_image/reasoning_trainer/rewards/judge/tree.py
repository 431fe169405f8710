"""What an answer is read as: expressions, and what is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias


class UnreadableError(ValueError):
    """The text is no mathematics that is read whole, or its numbers are too large to be worked out."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written; exact only if it has no decimal point and no exponent of ten."""

    value: Fraction
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Symbol:
    """A variable or a constant, by the name that it has in LaTeX, without its backslash."""

    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    """An operator or a function with what it is applied to."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """Several values: in brackets, which tell a tuple or an interval from a set, or without any."""

    brackets: str
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """Sides with an operator between each two: an equation, an inequality, a chain of either."""

    operators: tuple[str, ...]
    sides: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of equal length."""

    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class Based:
    """Digits in a base other than ten, which is part of the answer."""

    digits: str
    base: int


@dataclass(frozen=True, slots=True)
class Label:
    """What a value is called: a name, a function of something, words."""

    name: str


Node: TypeAlias = Number | Symbol | Apply | Series | Relation | Matrix | Based | Label

MAX_HEIGHT = 100
"""Levels of what was read; so no walk through it runs out of stack."""


def parts(node: Node) -> tuple[Node, ...]:
    """Return what a node is made of, one level down."""
    if isinstance(node, Apply):
        return node.operands
    if isinstance(node, Series):
        return node.items
    if isinstance(node, Relation):
        return node.sides
    return tuple(cell for row in node.rows for cell in row) if isinstance(node, Matrix) else ()


def bounded(node: Node) -> Node:
    """Return what was read.

    Raises
    ------
    UnreadableError
        If it has too many levels, as a sum of hundreds of terms has.
    """
    level, height = [node], 0
    while level:
        level, height = [part for each in level for part in parts(each)], height + 1
        if height > MAX_HEIGHT:
            raise UnreadableError("too many terms")
    return node
