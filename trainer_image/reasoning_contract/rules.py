"""Rules that span several fields, written once for both sides.

A rule is a CEL expression, which the API server evaluates on ``kubectl apply``, beside the same predicate in Python,
which the trainer evaluates on a manifest that no API server has seen. The table test applies every bad manifest to both
and holds their verdicts together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

M = TypeVar("M", bound="Part")
_BROKEN = "broken_rule"


@dataclass(frozen=True)
class Figures:
    """The numbers at hand where a rule is broken, those that nobody set too.

    Attributes
    ----------
    text
        How they are written: with ``%s`` and ``%d``, which mean the same in CEL and in Python.
    cel
        What stands there: expressions for the API server, a comma between them.
    values
        The same in Python; takes the part.
    """

    text: str
    cel: str
    values: Callable[[Any], tuple[object, ...]]


@dataclass(frozen=True)
class Rule:
    """One cross-field rule of a part of the spec.

    Attributes
    ----------
    cel
        The expression for the API server; ``self`` is the part.
    message
        What is wrong and what would be right, in the user's terms.
    field
        The camelCase field that the API server's error points at; the part itself when None.
    figures
        What the message ends with.
    """

    cel: str
    message: str
    field: str | None = None
    figures: Figures | None = None

    def said(self, part: Any) -> str:
        """Return the message for a part that breaks the rule."""
        return f"{self.message}: {self.figures.text % self.figures.values(part)}" if self.figures else self.message


Rules: TypeAlias = tuple[tuple[Rule, Callable[[Any], bool]], ...]


def rule(
    cel: str, message: str, *, field: str | None = None, figures: Figures | None = None
) -> Callable[[Callable[[M], bool]], Callable[[M], bool]]:
    """Declare the decorated predicate (True is fine) as the Python twin of a CEL rule."""

    def declare(check: Callable[[M], bool]) -> Callable[[M], bool]:
        check.__rule__ = Rule(cel, message, field, figures)  # type: ignore[attr-defined]
        return check

    return declare


class Part(BaseModel):
    """A part of the API: camelCase outside, frozen, unknown fields and wrong types refused, rules checked."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        protected_namespaces=(),
        strict=True,
        use_attribute_docstrings=True,
    )

    @classmethod
    def rules(cls) -> Rules:
        """Return the rules of this part with their predicates, in order of definition."""
        return _rules(cls)

    @model_validator(mode="after")
    def _obey_rules(self) -> Self:
        broken = [(each.field, each.said(self)) for each, check in self.rules() if not check(self)]
        if broken:
            told = "; ".join(f"{field}: {message}" if field else message for field, message in broken)
            raise PydanticCustomError(_BROKEN, "{told}", {"told": told, "broken": broken})
        return self


@cache
def _rules(part: type[Part]) -> Rules:
    """Read the rules of a class once: a class does not change, and each validation asks for them."""
    checks = [value for base in reversed(part.__mro__) for value in vars(base).values()]
    return tuple((check.__rule__, check) for check in checks if hasattr(check, "__rule__"))


class Fault(NamedTuple):
    """What is wrong with one field of a document.

    Attributes
    ----------
    field
        Its camelCase path.
    message
        What is wrong and, of a rule, what would be right.
    """

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


def faults(error: ValidationError, at: str = "") -> list[Fault]:
    """Return what a refused document has wrong, field by field: the one rendering of pydantic's errors.

    Parameters
    ----------
    error
        The error.
    at
        Path of the document itself, such as `spec`.
    """
    return [fault for each in error.errors() for fault in _faults(each, at)]


def _faults(error: ErrorDetails, at: str) -> Iterator[Fault]:
    """Yield what an error tells: of a part that breaks rules all of these, as the API server does."""
    if error["type"] != _BROKEN:
        yield _fault(error["loc"], error["msg"], at)
        return
    for field, message in error["ctx"]["broken"]:
        yield _fault((*error["loc"], field) if field else error["loc"], message, at)


def _fault(place: tuple[int | str, ...], message: str, at: str) -> Fault:
    path = at
    for part in place:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return Fault(path, message)
