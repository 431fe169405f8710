"""How a step that does not fit is made smaller."""

from __future__ import annotations

import pytest
from tests.manifests import TABLE, merge

from reasoning_contract.spec import Spec
from reasoning_contract.step_sizes import halved, is_tried, sizes, with_sizes


def spec(action: str = "halve", gpus: int = 1, backend: str = "transformers") -> Spec:
    patch = {
        "backend": backend,
        "guards": {"largestStep": {"action": action}},
        "parallelism": {"gpusPerNode": gpus},
    }
    return Spec.model_validate(merge(TABLE["good"], patch))


@pytest.mark.parametrize(
    ("before", "after"), [((8, 1), (4, 2)), ((2, 4), (1, 8)), ((9, 2), (3, 6)), ((7, 1), (1, 7)), ((6, 1), (3, 2))]
)
def test_an_update_stays_of_the_same_sequences(before: tuple[int, int], after: tuple[int, int]) -> None:
    smaller = halved(with_sizes(spec(), "reinforce", *before), "reinforce")
    assert smaller is not None
    assert sizes(smaller, "reinforce") == after
    assert sizes(smaller, "warmup") == sizes(spec(), "warmup")


def test_one_sequence_is_the_least() -> None:
    assert halved(with_sizes(spec(), "warmup", 1, 4), "warmup") is None


@pytest.mark.parametrize("action", ["fail", "off"])
def test_nothing_is_halved_that_is_not_to_be(action: str) -> None:
    assert halved(with_sizes(spec(action), "warmup", 4, 1), "warmup") is None


def test_it_is_tried_on_a_gpu_and_by_trl_alone() -> None:
    kinds = (spec(), spec("fail"), spec("off"), spec(gpus=0), spec(backend="unsloth"))
    assert [is_tried(each) for each in kinds] == [True, True, False, False, False]
