"""What the spec's fields say of themselves: each of them, and nowhere else."""

from __future__ import annotations

import pytest
from tests.manifests import TABLE, merge

from reasoning_contract.spec import Spec
from reasoning_contract.spec.nature import Nature, marks, natures, pick


@pytest.mark.parametrize(("path", "nature"), natures(Spec))
def test_every_field_says_when_it_may_change_and_what_it_decides(path: str, nature: Nature | None) -> None:
    assert nature is not None, f"spec.{path} has no mark"


@pytest.mark.parametrize("nature", sorted({mark.nature for mark in marks(Spec)}, key=str), ids=str)
def test_what_is_learned_stands_still_and_reaches_the_trainer(nature: Nature) -> None:
    assert not nature.is_learned or (nature.changes in ("startOver", "running") and nature.is_trainers)
    assert nature.is_trainers or nature.changes == "anytime"


def test_recipe_is_what_is_learned() -> None:
    given = merge(TABLE["good"], {"model": {"tokenSecretRef": {"name": "hub", "key": "token"}}})
    recipe = pick(Spec.model_validate(given), lambda nature: nature.is_learned)
    assert list(recipe) == ["backend", "model", "lora", "chatTemplate", "data", "warmup", "reinforce", "rewards"]
    assert "tokenSecretRef" not in recipe["model"]
    assert recipe["data"]["train"] == given["data"]["train"] | recipe["data"]["train"]


def test_trainer_gets_no_field_that_may_change_under_it() -> None:
    given = merge(TABLE["good"], {"limits": {"gpuHours": 2.0, "maxAttempts": 9}, "suspend": True})
    spec = pick(Spec.model_validate(given), lambda nature: nature.is_trainers)
    assert (spec["limits"], "suspend" in spec, "retain" in spec["storage"]) == ({"gpuHours": 2.0}, False, False)


@pytest.mark.parametrize(
    ("skip", "algorithm", "says"),
    [
        (False, "GRPO", (True, True, False)),
        (True, "GRPO", (False, True, False)),
        (False, "none", (True, False, False)),
    ],
)
def test_stages_of_a_run(skip: bool, algorithm: str, says: tuple[bool, bool, bool]) -> None:
    patch = {
        "warmup": {"skip": skip},
        "reinforce": {"algorithm": algorithm},
        "data": {"warmup": {"source": "hf://a/b"}},
    }
    spec = Spec.model_validate(merge(TABLE["good"], patch))
    assert (spec.warms_up, spec.reinforces, spec.prefers) == says
