"""A spec is validated once, however often its job is looked at."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.operator.objects import spec

from reasoning_contract.spec import Spec
from reasoning_operator.specs import resolved, validated


def test_spec_is_validated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[Any] = []
    real = Spec.model_validate
    fresh = spec(reinforce={"seed": 12345})
    monkeypatch.setattr(Spec, "model_validate", lambda given: counted.append(given) or real(given))
    assert validated(fresh) is validated(dict(fresh))
    assert resolved(fresh) is resolved(fresh)
    assert resolved(fresh).backend != "auto"
    assert len(counted) <= 2, "once as it is given, and once with its choices made"


def test_change_of_a_spec_is_seen() -> None:
    assert validated(spec(lora={"rank": 4})).lora.rank == 4
    assert validated(spec(lora={"rank": 8})).lora.rank == 8


def test_bad_spec_is_refused_each_time() -> None:
    bad = spec()
    bad["lora"]["rank"] = -1
    for _ in range(2):
        with pytest.raises(ValidationError):
            validated(bad)
