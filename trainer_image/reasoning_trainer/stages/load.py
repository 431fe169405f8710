"""Step 1: the base model and its tokenizer."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

from reasoning_contract.report import ModelStatus

from ..attempt import Context, Policy
from ..backends import gpu_uuid
from ..backends.base import Backend
from ..storage.engine_cache import exclusive
from ..storage.hub_models import Fetched
from ..storage.model_files import require_safetensors


def load(context: Context, backend: Backend, fetched: Callable[[], Fetched]) -> Policy:
    """Bring the model into memory.

    Parameters
    ----------
    context
        The job.
    backend
        What loads it.
    fetched
        Waits for the model's files and returns them.

    Raises
    ------
    TrainerError
        If the model is not there or cannot be read.
    """
    spec = context.spec
    context.tracker.say(f"fetching {spec.model.source}")
    folder, revision = fetched()
    require_safetensors(spec, folder)
    context.interruption.check()
    context.tracker.say(f"loading {spec.model.source}")
    if spec.backend == "unsloth" and os.environ.get("UNSLOTH_COMPILE_DISABLE") == "1":
        context.say(
            "of unsloth's compiling only the loss of RL is left, about 20 s in the first step "
            "(UNSLOTH_COMPILE_DISABLE=1): with all of it that step would wait for minutes"
        )
    with exclusive(context.say, when=spec.backend == "unsloth" and spec.inference.engine == "vllm", gpu=gpu_uuid()):
        model, tokenizer = backend.load(spec, folder)
    context.interruption.check()
    return Policy(backend=backend, model=model, tokenizer=tokenizer, folder=folder, revision=revision)


def frozen_parameters(model: Any) -> int:
    """Return the parameters of a model without those of its adapter."""
    return sum(size for size, trained in _sizes(model) if not trained)


def _sizes(model: Any) -> list[tuple[int, bool]]:
    """Return the size of each tensor of parameters, and whether it is trained."""
    return [(_size(parameter), parameter.requires_grad) for parameter in model.parameters()]


def _size(parameter: Any) -> int:
    """Return how many weights a tensor holds: in 4 bits two lie in a byte, and bitsandbytes keeps their shape."""
    packed = getattr(parameter, "quant_state", None)
    return int(parameter.numel() if packed is None else math.prod(packed.shape))


def report(context: Context, policy: Policy) -> None:
    """Put what was loaded, and why so, into the report."""
    sizes = _sizes(policy.model)
    status = ModelStatus(
        revision=policy.revision,
        **dict(context.job.choice),
        parameters=sum(size for size, _ in sizes),
        trainable_parameters=sum(size for size, trained in sizes if trained),
    )
    context.tracker.report(model=status)
