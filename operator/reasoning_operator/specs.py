"""Specs, each validated and decided upon once: a job is looked at far more often than its spec changes. Pure."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, NamedTuple

from reasoning_contract.choice import Choice, choose
from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec

KEPT = 256
"""Specs that are kept: those of the jobs that something happens to; the text is the key, so that equals share one."""


class Decided(NamedTuple):
    """A spec and what follows from it."""

    given: Spec
    """As it was given."""
    choice: Choice
    """What was chosen for it."""
    spec: Spec
    """With every choice made."""


def decide(spec: dict[str, Any]) -> Decided:
    """Return a spec with every choice made; pydantic's ValidationError if it is not valid."""
    return _decide(json.dumps(spec))


@lru_cache(KEPT)
def _decide(text: str) -> Decided:
    given = Spec.model_validate(json.loads(text))
    choice = choose(given)
    return Decided(given, choice, resolve(given, choice))
