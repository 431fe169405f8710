"""Values that the administrator gives to fields that a job leaves empty. What a job says stays as it is. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, cast

from pydantic import ValidationError

from reasoning_contract.resolve import resolve
from reasoning_contract.rules import Part, faults
from reasoning_contract.spec import Spec
from reasoning_contract.spec.nature import Nature
from reasoning_contract.unbuilt import UNBUILT, unsupported

from .specs import KEPT

SMALLEST: dict[str, Any] = {
    "model": {"source": "hf://owner/name"},
    "data": {"train": {"reasoningGym": {"task": "chain_sum"}}, "heldOut": {"fraction": 0.1}},
    "rewards": [{"name": "correct", "builtin": "correctness"}],
}
"""A job that says nothing else: defaults are tried on it."""
_OF_ONE_JOB = ("storage.existingClaim",)
_Path = tuple[str, ...]


@cache
def fields() -> tuple[str, ...]:
    """Return the fields that may have a default: empty unless a job fills them in, and without a say in what it learns.

    The API server fills in every other field before the operator sees the job.
    """
    return tuple(name for name in _empty(Spec, "", None) if name not in _OF_ONE_JOB)


def _empty(part: type[Part], at: str, around: Nature | None) -> Iterator[str]:
    for field in part.model_fields.values():
        nature = next((each for each in field.metadata if isinstance(each, Nature)), around)
        is_empty = not field.is_required() and field.get_default(call_default_factory=True) in (None, {}, [])
        if is_empty and nature is not None and not nature.is_learned:
            yield f"{at}{field.alias}"
        elif _is_part(field.annotation):
            yield from _empty(cast("type[Part]", field.annotation), f"{at}{field.alias}.", nature)


def _is_part(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Part)


def checked(text: str) -> str:
    """Return defaults in their one form, by which equals are the same text.

    Parameters
    ----------
    text
        A part of a spec, in JSON; nothing is nothing.

    Raises
    ------
    ValueError
        If it names a field that cannot have a default, or a value that the field does not take.
    """
    given = json.loads(text or "{}")
    if not isinstance(given, dict):
        raise ValueError("must be a part of a spec, such as {pod: {nodeSelector: {pool: training}}}")
    known = fields()
    for path, _ in _leaves(given, known):
        if (name := ".".join(path)) not in known:
            raise ValueError(f"{name} can have no default here: choose among {', '.join(known)}")
    try:
        Spec.model_validate(_joined(SMALLEST, given, known))
    except ValidationError as error:
        raise ValueError("; ".join(map(str, faults(error)))) from error
    if lacking := [f"{place}: {each.advice}" for each in UNBUILT for place in each.asked_for(given)]:
        raise ValueError("; ".join(lacking))
    return json.dumps(given, sort_keys=True) if given else ""


def with_defaults(spec: Mapping[str, Any], defaults: str) -> Mapping[str, Any]:
    """Return a spec with the defaults in the fields that it leaves empty; the spec itself where there are none.

    Of what consists of names, such as labels, node selectors and tolerations, those that the job does not have are
    added. A default that would contradict what the job says, such as a budget of GPU-hours for a job on the CPU, is
    left out.

    Parameters
    ----------
    spec
        The spec as its user gave it; one that cannot be run stays as it is.
    defaults
        What `checked` returned.
    """
    return json.loads(_filled(json.dumps(spec), defaults)) if defaults else spec


@lru_cache(KEPT)
def _filled(text: str, defaults: str) -> str:
    spec, given, known = json.loads(text), json.loads(defaults), fields()
    whole = _joined(spec, given, known)
    if not _is_valid(whole):
        whole = spec
        for path, value in _leaves(given, known):
            tried = _joined(whole, _nested(path, value), known)
            whole = tried if _is_valid(tried) else whole
    return json.dumps(whole)


def _is_valid(spec: dict[str, Any]) -> bool:
    try:
        return not unsupported(resolve(Spec.model_validate(spec)))
    except ValidationError:
        return False


def _leaves(given: Mapping[str, Any], known: Sequence[str], at: _Path = ()) -> Iterator[tuple[_Path, Any]]:
    """Yield the fields that are given, of parts the fields in them."""
    for name, value in given.items():
        path = (*at, name)
        if isinstance(value, dict) and ".".join(path) not in known and (value or _is_around(path, known)):
            yield from _leaves(value, known, path)
        else:
            yield path, value


def _is_around(path: _Path, known: Sequence[str]) -> bool:
    return any(name.startswith(f"{'.'.join(path)}.") for name in known)


def _nested(path: _Path, value: Any) -> dict[str, Any]:
    return {path[0]: _nested(path[1:], value) if path[1:] else value}


def _joined(spec: Mapping[str, Any], given: Mapping[str, Any], known: Sequence[str]) -> dict[str, Any]:
    whole = dict(spec)
    for path, value in _leaves(given, known):
        inner = whole
        for name in path[:-1]:
            inner[name] = dict(inner.get(name) or {})
            inner = inner[name]
        inner[path[-1]] = _own_first(inner.get(path[-1]), value)
    return whole


def _own_first(own: Any, default: Any) -> Any:
    """Return a job's own value, with the names of the default that it does not have."""
    if isinstance(own, dict) and isinstance(default, dict):
        return default | own
    if isinstance(own, list) and isinstance(default, list):
        names = {each.get("name") for each in own} - {None}
        return own + [each for each in default if each not in own and each.get("name") not in names]
    return default if own in (None, "") else own
