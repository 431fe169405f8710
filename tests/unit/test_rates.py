"""Learning rates that a spec leaves open."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from tests.manifests import TABLE, merge

from reasoning_contract.rates import chosen_rates, with_rates
from reasoning_contract.spec import Algorithm, Spec

WARMUP = {"data": {"warmup": {"source": "hf://a/b"}}}
PAIRS = {"data": {"train": {"columns": {"chosen": "c", "rejected": "r"}}}, "rewards": []}


def spec(**patch: Any) -> Spec:
    return Spec.model_validate(merge(TABLE["good"], patch))


@pytest.mark.parametrize(
    ("parameters", "rl", "sft", "says"),
    [
        (135e6, 1e-4, 1e-3, "up to 1.6 billion parameters: the model has 135.0 million"),
        (1.54e9, 1e-4, 1e-3, "the model has 1.5 billion"),
        (1.72e9, 4e-5, 5e-4, "up to 10 billion parameters: the model has 1.7 billion"),
        (9.2e9, 4e-5, 5e-4, "the model has 9.2 billion"),
        (32e9, 2e-5, 3e-4, "above 10 billion parameters: the model has 32.0 billion"),
    ],
)
def test_size_decides_in_the_grpo_family_and_the_warm_up(parameters: float, rl: float, sft: float, says: str) -> None:
    rates = chosen_rates(spec(**WARMUP), int(parameters))
    assert (rates["warmup"].value, rates["reinforce"].value) == (sft, rl)
    assert says in rates["reinforce"].reason
    assert says in rates["warmup"].reason


@pytest.mark.parametrize(("algorithm", "rate"), [("DPO", 1e-5), ("ORPO", 8e-5), ("PPO", 3e-5)])
def test_other_algorithms_have_a_rate_of_their_own(algorithm: str, rate: float) -> None:
    given = spec(reinforce={"algorithm": algorithm}, **({} if algorithm == "PPO" else PAIRS))
    for parameters in (10**8, 10**11):
        (found,) = chosen_rates(given, parameters).values()
        assert found.value == rate
        assert found.reason.startswith(algorithm)


@pytest.mark.parametrize("algorithm", get_args(Algorithm))
def test_every_algorithm_that_trains_has_a_rate(algorithm: str) -> None:
    patch = merge(WARMUP, PAIRS if algorithm in ("DPO", "ORPO") else {})
    given = spec(reinforce={"algorithm": algorithm}, **patch)
    filled = with_rates(given, chosen_rates(given, 10**9))
    assert filled.warmup.learning_rate
    assert bool(filled.reinforce.learning_rate) == (algorithm != "none")
    assert chosen_rates(filled, 10**9) == {}


def test_what_the_user_sets_and_what_does_not_take_place_are_left_alone() -> None:
    given = spec(reinforce={"learningRate": 1e-6}, warmup={"learningRate": 1e-5}, **WARMUP)
    assert chosen_rates(given, 10**9) == {}
    assert "warmup" not in chosen_rates(spec(warmup={"skip": True}, **WARMUP), 10**9)
