"""What a field decides and when it may change: marks on the fields themselves, for whoever must know.

A mark holds for all that lies under its field, unless a field there has one of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from pydantic.fields import FieldInfo

from ..rules import Part

CHANGEABLE_PHASES = ("Pending", "Preflight", "Suspended")
"""Phases in which a field that stands still while a run is at work may change; so it may before there is a phase."""

Changes = Literal["anytime", "running", "suspended", "startOver", "never"]
"""When a field may change; `changing.py` has the words for each."""


@dataclass(frozen=True)
class Nature:
    """What is true of a field of the spec.

    Attributes
    ----------
    changes
        When it may change: `running`, in mid-run, for which the pod is started anew; `suspended`, while no pod runs;
        `startOver`, in the same way, and where something is trained already that is thrown away; `never`, once the
        claim is made; `anytime`, without a new pod.
    is_learned
        Whether it decides what is learned: what was trained with another value is another run's.
    is_trainers
        Whether the trainer gets it; what only the operator heeds may change without a new pod.
    """

    changes: Changes
    is_learned: bool = False
    is_trainers: bool = True


LEARNED = Nature("startOver", is_learned=True)
RATE = Nature("running", is_learned=True)
"""How it goes on learning: what was trained with another value is still worth something."""
COURSE = Nature("running")
"""What is done beside learning."""
RUN = Nature("suspended")
"""Where a run takes place, whatever it learns."""
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
    for field in _fields(part):
        if field.nature is not None:
            yield Mark(f"{at}{field.name}", field.nature, around, field.is_optional)
        if field.part is not None:
            yield from marks(field.part, f"{at}{field.name}{field.each}.", field.nature or around)


def natures(part: type[Part], at: str = "", around: Nature | None = None) -> Iterator[tuple[str, Nature | None]]:
    """Yield every field that is no part itself, with what is true of it; None where no mark says so."""
    for field in _fields(part):
        nature = field.nature or around
        if field.part is not None:
            yield from natures(field.part, f"{at}{field.name}{field.each}.", nature)
        else:
            yield f"{at}{field.name}", nature


class Settled(NamedTuple):
    """A field all of which may change at the same times."""

    path: str
    nature: Nature
    is_optional: bool


def settled(part: type[Part], at: str = "", around: Nature | None = None) -> Iterator[Settled]:
    """Yield the largest parts of a spec, and the fields beside them, each of which changes as a whole.

    Lists are taken whole: an element has no name by which a rule could follow it.
    """
    for field in _fields(part):
        nature, path = field.nature or around, f"{at}{field.name}"
        if field.part is not None and not field.each and not _is_settled(field.part, nature):
            yield from settled(field.part, f"{path}.", nature)
        elif nature is None:
            raise TypeError(f"spec.{path} does not say when it may change")
        else:
            yield Settled(path, nature, field.is_optional)


def _is_settled(part: type[Part], nature: Nature | None) -> bool:
    return nature is not None and all(mark.nature.changes == nature.changes for mark in marks(part))


def pick(part: Part, wanted: Callable[[Nature], bool]) -> dict[str, Any]:
    """Return the document of a part with the fields of a nature alone."""
    return pick_from(type(part), part.model_dump(by_alias=True, exclude_none=True, mode="json"), wanted)


def pick_from(part: type[Part], document: Mapping[str, Any], wanted: Callable[[Nature], bool]) -> dict[str, Any]:
    """Return the same of a document that another version may have written: fields that are not known go."""
    return _picked(part, document, wanted, None)


def _picked(
    part: type[Part], document: Mapping[str, Any], wanted: Callable[[Nature], bool], around: Nature | None
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in _fields(part):
        if field.name not in document:
            continue
        nature = field.nature or around
        is_wanted = nature is not None and wanted(nature)
        rest = _rest(field, document[field.name], wanted, nature) if field.is_mixed else document[field.name]
        if is_wanted or (field.is_mixed and rest):
            found[field.name] = rest
    return found


def _rest(field: _Field, value: Any, wanted: Callable[[Nature], bool], nature: Nature | None) -> Any:
    """Return what is wanted of a part, or of each of a list of them."""
    part = field.part or Part
    if not field.each:
        return _picked(part, value, wanted, nature)
    picked = [_picked(part, each, wanted, nature) for each in value]
    return picked if any(picked) else []


class _Field(NamedTuple):
    """What a field of a class is, read once."""

    name: str
    nature: Nature | None
    is_optional: bool
    part: type[Part] | None
    """The part that it holds, perhaps in a list."""
    each: str
    """`[]` where there is a list of them."""
    is_mixed: bool
    """Whether a field under it has a mark of its own."""


@cache
def _fields(part: type[Part]) -> tuple[_Field, ...]:
    return tuple(_read(field) for field in part.model_fields.values())


def _read(field: FieldInfo) -> _Field:
    own = next((each for each in field.metadata if isinstance(each, Nature)), None)
    part, each = _inner(field)
    is_mixed = part is not None and next(marks(part), None) is not None
    return _Field(field.alias or "", own, type(None) in get_args(field.annotation), part, each, is_mixed)


def _inner(field: FieldInfo) -> tuple[type[Part] | None, str]:
    for kind in map(_bare, (field.annotation, *get_args(field.annotation))):
        if get_origin(kind) is list and _is_part(element := _bare(get_args(kind)[0])):
            return element, "[]"
        if _is_part(kind) and get_origin(field.annotation) is not list:
            return kind, ""
    return None, ""


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _is_part(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Part)
