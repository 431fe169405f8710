"""How a model is asked during an evaluation: never for longer at once than a run may stand still."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.manifests import TABLE, merge

from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec
from reasoning_trainer.attempt import Context, Policy
from reasoning_trainer.backends.base import Completion, Sampling
from reasoning_trainer.data.examples import Example
from reasoning_trainer.interruption import Interruption
from reasoning_trainer.stages.evaluate import DRAWN_AT_ONCE, measure

ROWS = 300


class FakeBackend:
    """Answers everything alike, and notes what it was asked for: prompts, completions of each, and the seed."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, int]] = []

    def engine(self, spec: Spec) -> str:
        return "vllm"

    def generating(self, *given: Any) -> Any:
        return nullcontext()

    def generate(self, model: Any, chat: Any, prompts: Sequence[str], sampling: Sampling) -> list[list[Completion]]:
        self.asked.append((len(prompts), sampling.count, sampling.seed))
        return [[Completion("<answer>4</answer>", 3)] * sampling.count for _ in prompts]


@pytest.mark.parametrize(("draws", "at_once"), [(64, 8), (2, 256)])
def test_completions_are_drawn_in_calls_of_a_bounded_size(draws: int, at_once: int) -> None:
    spec = resolve(Spec.model_validate(merge(TABLE["good"], {"evaluation": {"passAtK": [1, draws]}})))
    backend = FakeBackend()
    policy = SimpleNamespace(backend=backend, model=None, folder=None, prompt=lambda row: row.prompt)
    context = SimpleNamespace(spec=spec, interruption=Interruption(), say=print)
    rows = [Example(prompt=str(number), answer="4") for number in range(ROWS)]
    told: list[int] = []
    found = measure(cast(Context, context), cast(Policy, policy), rows, told.append).result
    drawn = [each for each in backend.asked if each[1] == draws]
    assert {size for size, _, _ in drawn[:-1]} == {at_once}
    assert max(size * count for size, count, _ in drawn) <= DRAWN_AT_ONCE
    assert len({seed for _, _, seed in drawn}) == len(drawn), "each call draws anew"
    assert sum(size for size, _, _ in drawn) == len(found.sampled_right) == ROWS
    assert sorted(told) == told
    assert told[-1] == ROWS
