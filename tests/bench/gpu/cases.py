"""What is measured on a GPU: each case is one run of the trainer. Nothing here imports a library of the trainer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from tests.gpu.runs import ROOT, Json, merge, short_job

SEEDS = (1, 2, 3)
PROMPT = 480
"""Tokens of a prompt of the model in the shape of Llama-3.1-8B, with the template's."""


@dataclass(frozen=True)
class Machine:
    """What the cases are run on.

    Attributes
    ----------
    models
        Folder with a folder for each shape of `make_random_model.py`, and `smollm2` where the pipeline is to be run.
    data
        Folder with train.jsonl, warmup-more.jsonl and heldout.jsonl for the pipeline; None without one.
    on_gpu
        False for a rehearsal on a CPU: tiny models, the same cases.
    """

    models: Path
    data: Path | None
    on_gpu: bool

    def shape(self, name: str) -> str:
        """Return the shape that a case uses."""
        return name if self.on_gpu else "tiny"


@dataclass(frozen=True)
class Case:
    """One run.

    Attributes
    ----------
    part
        Cases of one part are run by one call.
    name
        Name in the results.
    shape
        The model's shape; the pipeline's is `smollm2`.
    spec
        What is changed in `short_job`, or in the pipeline's manifest.
    seconds
        The run is killed after this time.
    cache
        Cases of one part with the same cache find what the one before left; a fresh one when empty.
    environment
        Variables beside.
    traced
        Whether the allocator's history is kept.
    """

    part: str
    name: str
    shape: str
    spec: Mapping[str, Any]
    seconds: float
    cache: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    traced: bool = False


def _start(backend: str) -> Json:
    """The first step of RL, with as many completions as the pipeline's."""
    reinforce = {"steps": 2, "numGenerations": 8, "batchSize": 64, "gradientAccumulation": 4, "maxCompletionLength": 72}
    return {"backend": backend, "inference": {"gpuMemoryUtilization": 0.2}, "reinforce": reinforce}


def _memory(backend: str, context: int, batch: int) -> Json:
    """GRPO with one group of 8 a step, in micro-batches of `batch`; vLLM has the same room for its cache in both."""
    precise = backend == "transformers"
    return {
        "backend": backend,
        "model": {"loadIn": "16bit" if precise else "4bit", "maxSequenceLength": context},
        "lora": {"rank": 32, "alpha": 32, "gradientCheckpointing": "standard" if precise else "unsloth"},
        "inference": {"gpuMemoryUtilization": 0.26 if precise else 0.14},
        "reinforce": {
            "steps": 3,
            "numGenerations": 8,
            "batchSize": batch,
            "gradientAccumulation": 8 // batch,
            "maxPromptLength": PROMPT,
            "maxCompletionLength": context - PROMPT,
            "optimizer": "adamw_8bit",
        },
    }


def _memory_cases(part: str, context: int, batch: int, seconds: float) -> list[Case]:
    def case(name: str, backend: str, **more: Any) -> Case:
        return Case(part, name, "llama-8b", _memory(backend, context, batch), seconds, **more)

    recompute = {"UNSLOTH_GRPO_LOGPROB_RECOMPUTE": "1"}
    return [
        case("unsloth 4bit", "unsloth"),
        case("transformers 16bit", "transformers"),
        case("unsloth 4bit, logits computed again", "unsloth", environment=recompute),
    ]


NO_COMPILING = {"TORCH_COMPILE_DISABLE": "1"}
"""Unsloth's own switch leaves the loss of GRPO compiled (``torch_compile_with_fallback``); PyTorch reads this one as it
is imported, and hands every function back as it is."""
CASES = [
    Case("start", "unsloth, cold", "smollm2-135m", _start("unsloth"), 200, "unsloth"),
    Case("start", "unsloth, warm", "smollm2-135m", _start("unsloth"), 150, "unsloth"),
    Case("start", "transformers, cold", "smollm2-135m", _start("transformers"), 150, "transformers"),
    Case("start", "transformers, warm", "smollm2-135m", _start("transformers"), 100, "transformers"),
    Case("first-step", "unsloth, nothing compiled", "smollm2-135m", _start("unsloth"), 200, environment=NO_COMPILING),
    Case("first-step", "unsloth, as it comes", "smollm2-135m", _start("unsloth"), 200),
    *_memory_cases("memory-1.5k", 1504, 8, 260),
    *_memory_cases("memory-4k", 4096, 4, 280),
    *(Case("pipeline", f"seed {seed}", "smollm2", {"reinforce": {"seed": seed}}, 900) for seed in SEEDS),
    Case("unsloth-pipeline", "20 steps", "smollm2", {"backend": "unsloth", "reinforce": {"steps": 20}}, 400),
    Case("breakdown", "unsloth 4bit", "llama-8b", _memory("unsloth", 1504, 8), 280, traced=True),
    Case("breakdown", "transformers 16bit", "llama-8b", _memory("transformers", 1504, 8), 280, traced=True),
]
PARTS = list(dict.fromkeys(case.part for case in CASES))
AT_ONCE = {"pipeline": len(SEEDS)}
"""How many cases of a part share one GPU, where there are not enough: their seconds are then no lone run's."""


def spec_of(case: Case, machine: Machine) -> Json:
    """Return the spec of a case on a machine."""
    if case.shape == "smollm2":
        spec = _pipeline(case, machine)
    else:
        spec = short_job(machine.models / machine.shape(case.shape), on_gpu=machine.on_gpu, **case.spec)
    return spec if machine.on_gpu else _small(spec)


def _pipeline(case: Case, machine: Machine) -> Json:
    document = yaml.safe_load((ROOT / "examples/gpu/smollm2.yaml").read_text("utf-8"))
    spec: Json = merge(document["spec"], {"backend": "transformers"} | dict(case.spec))
    if machine.data is None:
        raise ValueError("the pipeline needs --data: a folder with train, warmup-more and heldout.jsonl")
    files = {"train": "train", "warmup": "warmup-more", "heldOut": "heldout"}
    data = {part: {"source": f"file://{(machine.data / name).resolve()}.jsonl"} for part, name in files.items()}
    model = machine.models / ("smollm2" if machine.on_gpu else "tiny")
    return merge(spec, {"model": {"source": f"file://{model}"}, "data": data})


def _small(spec: Json) -> Json:
    """Return the same job for a CPU: its numbers shrink, its fields stay where a CPU knows them."""
    reinforce = {"steps": 2, "numGenerations": 4, "batchSize": 8, "gradientAccumulation": 1, "maxCompletionLength": 16}
    changes: Json = {
        "backend": "transformers",
        "model": {"loadIn": "16bit", "maxSequenceLength": 256},
        "lora": {"gradientCheckpointing": "standard"},
        "inference": None,
        "reinforce": reinforce | {"maxPromptLength": None, "optimizer": "adamw"},
        "parallelism": {"gpusPerNode": 0},
    }
    if "heldOut" in spec["data"]:
        changes["data"] = {"heldOut": {"limit": 8}, "train": {"limit": 32}, "warmup": {"limit": 16}}
    return merge(spec, changes)
