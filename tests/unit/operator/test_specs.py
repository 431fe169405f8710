"""A spec is validated once, however often its job is looked at."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.operator.objects import spec

from reasoning_operator import specs
from reasoning_operator.specs import decide


def test_spec_is_validated_and_decided_upon_once(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[Any] = []
    real = specs.choose
    monkeypatch.setattr(specs, "choose", lambda given: chosen.append(given) or real(given))
    fresh = spec(reinforce={"seed": 12345})
    first, second = decide(fresh), decide(dict(fresh))
    assert first is second
    assert first.spec.backend != "auto"
    assert chosen == [first.given]


def test_change_of_a_spec_is_seen() -> None:
    assert decide(spec(lora={"rank": 4})).spec.lora.rank == 4
    assert decide(spec(lora={"rank": 8})).spec.lora.rank == 8


def test_bad_spec_is_refused_each_time() -> None:
    bad = spec()
    bad["lora"]["rank"] = -1
    for _ in range(2):
        with pytest.raises(ValidationError):
            decide(bad)
