"""The trainer with a fault put in: the engine generates with other weights than those it was handed.

python tests/gpu/faulty_engine.py run JOB.yaml --output DIR
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

WORKER = "--worker"
"""Says to be the process that trains."""
FACTOR = 30.0
"""By how much the weights of the last norm are wrong: the logits are, as much. A random model's are all but equal."""


def main() -> int:
    """Run the trainer with a worker that has the fault."""
    from reasoning_trainer import command_line
    from reasoning_trainer.supervisor import process

    arguments = sys.argv[1:]
    if arguments[0] == WORKER:
        return work(arguments[1:])
    process.COMMAND = (sys.executable, __file__, WORKER)
    return command_line.main(arguments)


def work(order: list[str]) -> int:
    """Train, with weights that are changed on their way to the engine."""
    from trl.generation.vllm_generation import VLLMGeneration

    from reasoning_trainer import worker

    hand_over = VLLMGeneration.sync_weights

    def with_a_fault(self: Any, *arguments: Any, **more: Any) -> None:
        hand_over(self, *arguments, **more)
        model = self.llm.llm_engine.model_executor.driver_worker.model_runner.model
        for name, weight in named_weights(model):
            if name.endswith("model.norm.weight"):
                weight.data.mul_(FACTOR)
        self.llm.reset_prefix_cache()

    VLLMGeneration.sync_weights = with_a_fault
    return worker.main(order)


def named_weights(model: Any) -> Iterable[tuple[str, Any]]:
    """Return names and weights of the engine's model."""
    weights: Iterable[tuple[str, Any]] = model.named_parameters()
    return weights


if __name__ == "__main__":
    sys.exit(main())
