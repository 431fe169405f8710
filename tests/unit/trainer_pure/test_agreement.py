"""What the self-checks decide by."""

from __future__ import annotations

import pytest

from reasoning_trainer.errors import TrainerError
from reasoning_trainer.evaluation.agreement import (
    engine_agrees,
    from_adapter,
    merged_agrees,
    same_after_resume,
    same_prompts,
)

LIKELIER = [[-0.1, -0.2, -0.3, -0.1], [-0.2, -0.1, -0.4, -0.2, -0.1]]
LESS = [[-1.1, -0.9, -2.3, -1.1], [-1.2, -1.4, -1.4, -0.9, -1.1]]


def test_completions_are_of_the_model_that_finds_them_likelier() -> None:
    found = from_adapter(LIKELIER, LESS)
    assert found is not None
    assert found.message.startswith("a token of 9 is +1.0")
    with pytest.raises(TrainerError, match="come from the base model"):
        from_adapter(LESS * 2, LIKELIER * 2)


@pytest.mark.parametrize(
    ("adapted", "base"),
    [
        (LESS, LESS),  # a fresh adapter
        ([[-1.0, -2.0] * 5], [[-2.0, -1.0] * 5]),
        ([[-1.0] * 7], [[-2.0] * 7]),  # too few
        # a rare token was won, and is not among these: the others are a little less likely for it
        ([[-0.110, -0.210, -0.311] * 300], [[-0.1, -0.2, -0.3] * 300]),
    ],
)
def test_what_cannot_be_told_is_not_decided(adapted: list[list[float]], base: list[list[float]]) -> None:
    assert from_adapter(adapted, base) is None


def test_engine_and_trainer_may_differ_by_rounding_alone() -> None:
    assert "0.030 nats" in engine_agrees([[-1.0, -2.0]], [[-1.03, -1.97]]).message
    with pytest.raises(TrainerError, match=r"0\.500 nats a token apart, on average, more than 0\.2"):
        engine_agrees([[-1.0, -2.0]], [[-1.5, -2.5]])


def test_another_token_on_a_tie_is_the_same_model() -> None:
    assert "token by token" in same_after_resume([[-1.0]], [[-1.0]], same_tokens=True, step=4).message
    assert "but for ties" in same_after_resume([[-1.0]], [[-1.01]], same_tokens=False, step=4).message
    # on another kind of GPU logits of 16 and more, which lie 0.125 apart in 16 bits, fall to the other side
    assert "but for ties" in same_after_resume([[-1.0]], [[-1.125]], same_tokens=False, step=4).message
    with pytest.raises(TrainerError, match="step 4 answers otherwise"):
        same_after_resume([[-1.0]], [[-1.4]], same_tokens=False, step=4)


def test_merged_model_may_differ_by_rounding_alone() -> None:
    assert merged_agrees([[-1.0]], [[-1.02]]).name == "merged"
    with pytest.raises(TrainerError, match="does not answer as the adapter did"):
        merged_agrees([[-1.0]], [[-3.0]])


def test_prompts_are_told_apart_by_one_token() -> None:
    assert same_prompts([[1, 2]], [[1, 2], [3]]).name == "template"
    with pytest.raises(TrainerError, match="1 of 2 prompts"):
        same_prompts([[1, 2], [0, 1, 2]], [[1, 2], [3]])
