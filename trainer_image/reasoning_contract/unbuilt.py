"""What this version does not run. The spec has it already, so that later versions fill it in without changing it.

The operator refuses it before a pod is made, and the trainer before a library is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .spec import GROUPED, Inference, Spec

Gap = tuple[str, str]
"""A field of the spec, and what to do about it."""


@dataclass(frozen=True)
class Unbuilt:
    """A field of the spec that this version does not run, or not with every value.

    Attributes
    ----------
    field
        Its path; `[]` stands for each element of a list.
    advice
        What a job that asks for it is told.
    refused
        Which values are refused, as the reference says it.
    asks
        Whether a value is one of those; any is, of a field that is empty by default.
    """

    field: str
    advice: str
    refused: str = "a job that sets it"
    asks: Callable[[Any], bool] = lambda value: True

    @property
    def mark(self) -> str:
        """What the field's own text says of it."""
        return f"Not built in this version, which refuses {self.refused}."

    def asked_for(self, document: Mapping[str, Any]) -> Iterator[str]:
        """Yield where a spec asks for it."""
        yield from (place for place, value in _places(document, self.field.split(".")) if self.asks(value))


_SEVERAL = "this version trains on one GPU or on the CPU: set it to 1 (or gpusPerNode to 0)"
UNBUILT = (
    Unbuilt("parallelism.nodes", _SEVERAL, "more than 1", lambda value: value > 1),
    Unbuilt("parallelism.gpusPerNode", _SEVERAL, "more than 1", lambda value: value > 1),
    Unbuilt(
        "parallelism.strategy",
        "this version has no GPUs to share out: remove it",
        "all but auto",
        lambda value: value != "auto",
    ),
    Unbuilt(
        "parallelism.vllm", "this version has no vLLM server: use colocate", "server", lambda value: value == "server"
    ),
    Unbuilt("queue", "this version does not queue: remove it"),
)
"""Every field of that kind: a job that asks for one is refused, and the CRD and docs/api.md say so at the field."""


def _places(document: Any, path: Sequence[str], at: str = "") -> Iterator[tuple[str, Any]]:
    """Yield where a path leads in a document, and the values there."""
    if not path:
        yield at, document
        return
    name = path[0].removesuffix("[]")
    where = f"{at}.{name}" if at else name
    if name not in document:
        return
    if path[0] == name:
        yield from _places(document[name], path[1:], where)
        return
    for index, each in enumerate(document[name]):
        yield from _places(each, path[1:], f"{where}[{index}]")


def unsupported(spec: Spec) -> list[Gap]:
    """Return the fields of a resolved spec that ask for what this version lacks, each with what to do instead."""
    document = spec.model_dump(by_alias=True, exclude_none=True)
    gaps = [(place, each.advice) for each in UNBUILT for place in each.asked_for(document)]
    gaps += _on_unsloth(spec) if spec.backend == "unsloth" else _on_transformers(spec)
    return [(f"spec.{field}", advice) for field, advice in gaps]


def _on_transformers(spec: Spec) -> Iterator[Gap]:
    inference, algorithm = spec.inference, spec.reinforce.algorithm
    if spec.model.load_in == "fp8":
        yield "model.loadIn", "backend transformers loads no fp8: use 4bit, 8bit or 16bit, or backend unsloth"
    if inference.engine == "vllm" and algorithm not in GROUPED:
        yield "inference.engine", f"algorithm {algorithm} does not generate with vllm here: use auto or transformers"
    if inference.engine == "vllm" and spec.reinforce.loss_type == "vespo":  # TRL corrects vLLM's by sequence
        yield "inference.engine", "lossType vespo does not train with vllm's completions here: use auto or transformers"
    settings = ["max_num_seqs", "kv_cache_dtype", "enforce_eager", "standby"]
    where = ""
    if inference.engine == "transformers":
        settings, where = [*settings, "gpu_memory_utilization"], "without vllm"
    elif spec.model.load_in != "16bit":  # TRL starts vLLM itself then, and hands on none of these
        where = f"with model.loadIn {spec.model.load_in} on backend transformers"
    for name in settings if where else []:
        if getattr(inference, name) != getattr(Inference(), name):
            yield f"inference.{Inference.model_fields[name].alias}", f"it has no effect {where}: remove it"


def _on_unsloth(spec: Spec) -> Iterator[Gap]:
    if spec.inference.engine != "vllm":
        yield "inference.engine", "backend unsloth generates with vllm alone: use auto, or backend transformers"
    if spec.model.trust_remote_code:
        yield "model.trustRemoteCode", "backend unsloth refuses it with vllm: remove it, or use backend transformers"
    if spec.reinforce.algorithm == "PPO":
        yield "reinforce.algorithm", "backend unsloth has no PPO: use GRPO, or backend transformers"
    if spec.reinforce.loss_type == "vespo":
        yield "reinforce.lossType", "vespo does not train with vllm's completions here: use backend transformers"
    if spec.reinforce.fp32_lm_head:
        yield (
            "reinforce.fp32LmHead",
            "backend unsloth computes the logits by itself, in 16 bits: set it to false, or use backend transformers",
        )
    reference = spec.reinforce.beta and spec.reinforce.algorithm in GROUPED
    if reference and spec.warms_up:
        yield (
            "reinforce.beta",
            "after a warm-up Unsloth measures the divergence from the base model, not from the warmed-up one: set beta "
            "to 0, skip the warm-up, or use backend transformers",
        )
    if spec.chat_template.special_tokens:
        yield (
            "chatTemplate.specialTokens",
            "backend unsloth adds no tokens: use the model's, or backend transformers",
        )
