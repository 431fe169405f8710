"""Specs, each validated and resolved once: a job is looked at far more often than its spec changes. Pure."""

from __future__ import annotations

import json
from functools import lru_cache

from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec

from .model import Json

_KEPT = 512
"""Specs that are kept: those of the jobs that something happens to; the text is the key, so that equals share one."""


def validated(spec: Json) -> Spec:
    """Return a spec as it was given; pydantic's ValidationError if it is not valid."""
    return _validated(json.dumps(spec))


def resolved(spec: Json) -> Spec:
    """Return a spec with every choice made; pydantic's ValidationError if it is not valid."""
    return _resolved(json.dumps(spec))


@lru_cache(_KEPT)
def _validated(text: str) -> Spec:
    return Spec.model_validate(json.loads(text))


@lru_cache(_KEPT)
def _resolved(text: str) -> Spec:
    return resolve(_validated(text))
