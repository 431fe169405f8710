"""Step 1: the base model and its tokenizer."""

from __future__ import annotations

import os
from collections.abc import Callable

from reasoning_contract.report import ModelStatus

from ..attempt import Context, Policy
from ..backends.base import Backend
from ..storage.engine_cache import exclusive
from ..storage.model_files import Fetched, require_safetensors


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
        context.say("unsloth compiles nothing (UNSLOTH_COMPILE_DISABLE=1): the first step of RL would wait for minutes")
    with exclusive(context.say, when=spec.backend == "unsloth" and spec.inference.engine == "vllm"):
        model, tokenizer = backend.load(spec, folder)
    context.interruption.check()
    return Policy(backend=backend, model=model, tokenizer=tokenizer, folder=folder, revision=revision)


def report(context: Context, policy: Policy) -> None:
    """Put what was loaded, and why so, into the report."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in policy.model.parameters()]
    status = ModelStatus(
        revision=policy.revision,
        **dict(context.job.choice),
        parameters=sum(size for size, _ in sizes),
        trainable_parameters=sum(size for size, trained in sizes if trained),
    )
    context.tracker.report(model=status)
