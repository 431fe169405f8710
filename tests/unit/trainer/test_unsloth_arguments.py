"""What Unsloth's engine must hold, without a GPU."""

from __future__ import annotations

import pytest

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec
from reasoning_trainer.backends.unsloth_arguments import refuse_short
from reasoning_trainer.errors import TrainerError

JOB = resolve(
    Spec.model_validate(
        {
            "backend": "unsloth",
            "model": {"source": "file:///m", "maxSequenceLength": 1504},
            "data": {"train": {"rows": [{"prompt": "a"}]}},
            "evaluation": {"enabled": False},
            "rewards": [{"name": "format", "builtin": "format"}],
            "inference": {"gpuMemoryUtilization": 0.14},
        }
    )
)


def test_an_engine_for_whole_sequences_is_taken() -> None:
    refuse_short(JOB, 1504)
    refuse_short(JOB, 4096)


def test_an_engine_that_unsloth_shortened_is_refused_with_the_field() -> None:
    with pytest.raises(
        TrainerError, match=r"0\.14, holds sequences of 256 tokens .* model.maxSequenceLength is 1504"
    ) as caught:
        refuse_short(JOB, 256)
    assert caught.value.exit_code == ExitCode.OUT_OF_GPU_MEMORY
    assert caught.value.problem.field == "spec.inference.gpuMemoryUtilization"
