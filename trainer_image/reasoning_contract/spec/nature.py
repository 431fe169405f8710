"""What a field decides and when it may change: marks on the fields themselves, for whoever must know.

A mark holds for all that lies under its field, unless a field there has one of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from pydantic.fields import FieldInfo

from ..rules import Part

CHANGEABLE_PHASES = ("Pending", "Suspended")
"""Phases in which a field that stands still while a run is at work may change; so it may before there is a phase."""


@dataclass(frozen=True)
class Nature:
    """What is true of a field of the spec.

    Attributes
    ----------
    changes
        When it may change: `suspended`, before the run begins and while it is suspended; `never`, once the claim is
        made; or at any time.
    is_learned
        Whether it decides what is learned: what was trained with another value is another run's.
    is_trainers
        Whether the trainer gets it; what only the operator heeds may change without a new pod.
    """

    changes: Literal["suspended", "never", "anytime"]
    is_learned: bool = False
    is_trainers: bool = True


LEARNED = Nature("suspended", is_learned=True)
RUN = Nature("suspended")
"""How a run goes, whatever it learns."""
VOLUME = Nature("never")
BUDGET = Nature("anytime")
"""Held by the trainer, and new for its next attempt."""
OPERATORS = Nature("anytime", is_trainers=False)


class Mark(NamedTuple):
    """A field that has a mark of its own."""

    path: str
    nature: Nature
    around: Nature | None
    """What the part says that it lies in."""
    is_optional: bool


def marks(part: type[Part], at: str = "", around: Nature | None = None) -> Iterator[Mark]:
    """Yield the marked fields of a part by their camelCase paths, those of inner parts after their own."""
    for field in part.model_fields.values():
        own = _own(field)
        if own is not None:
            yield Mark(f"{at}{field.alias}", own, around, type(None) in get_args(field.annotation))
        if inner := _inner(field):
            yield from marks(inner.part, f"{at}{field.alias}{inner.each}.", own or around)


def natures(part: type[Part], at: str = "", around: Nature | None = None) -> Iterator[tuple[str, Nature | None]]:
    """Yield every field that is no part itself, with what is true of it; None where no mark says so."""
    for field in part.model_fields.values():
        nature = _own(field) or around
        if inner := _inner(field):
            yield from natures(inner.part, f"{at}{field.alias}{inner.each}.", nature)
        else:
            yield f"{at}{field.alias}", nature


def pick(part: Part, wanted: Callable[[Nature], bool]) -> dict[str, Any]:
    """Return the document of a part with the fields of a nature alone."""
    return _picked(type(part), part.model_dump(by_alias=True, exclude_none=True, mode="json"), wanted, None)


def _picked(
    part: type[Part], document: Mapping[str, Any], wanted: Callable[[Nature], bool], around: Nature | None
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in part.model_fields.values():
        name = field.alias or ""
        if name not in document:
            continue
        nature = _own(field) or around
        rest = _rest(field, document[name], wanted, nature)
        if rest or (nature is not None and wanted(nature)):
            found[name] = rest
    return found


def _rest(field: FieldInfo, value: Any, wanted: Callable[[Nature], bool], nature: Nature | None) -> Any:
    """Return what is wanted of a value: all or nothing of one that is no part."""
    inner = _inner(field)
    if inner is None:
        return value if nature is not None and wanted(nature) else None
    if inner.each:
        picked = [_picked(inner.part, each, wanted, nature) for each in value]
        return picked if any(picked) else []
    return _picked(inner.part, value, wanted, nature)


class _Inner(NamedTuple):
    part: type[Part]
    each: str
    """`[]` where there is a list of them."""


def _own(field: FieldInfo) -> Nature | None:
    return next((each for each in field.metadata if isinstance(each, Nature)), None)


def _inner(field: FieldInfo) -> _Inner | None:
    """Return the part that a field holds, perhaps in a list; None where it holds none."""
    for kind in map(_bare, (field.annotation, *get_args(field.annotation))):
        if get_origin(kind) is list and _is_part(element := _bare(get_args(kind)[0])):
            return _Inner(element, "[]")
        if _is_part(kind) and get_origin(field.annotation) is not list:
            return _Inner(kind, "")
    return None


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _is_part(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Part)
