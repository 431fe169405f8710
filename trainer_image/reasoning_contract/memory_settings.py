"""Which fields of a spec decide how much memory a stage takes, with what they are."""

from __future__ import annotations

from .report import RunStage
from .spec import PREFERENCE, Spec


def memory_settings(spec: Spec, stage: RunStage | None) -> str:
    """Return the fields that make a stage smaller when they are lowered, as text: ``reinforce.batchSize 8, ...``.

    Parameters
    ----------
    spec
        The job.
    stage
        The stage; the one that takes most when None.
    """
    return ", ".join(f"{name} {value}" for name, value in _settings(spec, stage or "reinforce").items())


def _settings(spec: Spec, stage: RunStage) -> dict[str, object]:
    reinforce, warmup = spec.reinforce, spec.warmup
    length: dict[str, object] = {"model.maxSequenceLength": spec.model.max_sequence_length}
    precision: dict[str, object] = {"model.loadIn": spec.model.load_in}
    completion: dict[str, object] = {"reinforce.maxCompletionLength": reinforce.max_completion_length}
    engine: dict[str, object] = {"inference.gpuMemoryUtilization": spec.inference.gpu_memory_utilization}
    engine = engine if spec.parallelism.gpus_per_node and spec.inference.engine != "transformers" else {}
    if stage == "warmup":
        return {"warmup.batchSize": warmup.batch_size} | length | precision | engine
    if stage == "reinforce":
        batch: dict[str, object] = {"reinforce.batchSize": reinforce.batch_size}
        if (reinforce.updates_per_generation or 1) > 1:
            batch["reinforce.updatesPerGeneration"] = reinforce.updates_per_generation
        return batch | (length if reinforce.algorithm in PREFERENCE else completion | length) | precision | engine
    return (completion if stage == "evaluate" else {}) | length | precision | engine
