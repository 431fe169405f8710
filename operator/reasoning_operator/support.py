"""What this version does not run. The spec has it already, so that later versions fill it in without changing it."""

from __future__ import annotations

from reasoning_contract.spec import Spec


def unsupported(spec: Spec) -> list[tuple[str, str]]:
    """Return the fields that ask for what this version lacks, each with what to do instead."""
    several = "trains on one GPU or on the CPU: set it to 1 (or gpusPerNode to 0)"
    stall = spec.limits.stall_timeout_seconds is not None
    asked = [
        ("spec.parallelism.nodes", spec.parallelism.nodes > 1, several),
        ("spec.parallelism.gpusPerNode", spec.parallelism.gpus_per_node > 1, several),
        ("spec.queue", spec.queue is not None, "does not queue: remove it"),
        ("spec.guards.preflight.enabled", spec.guards.preflight.enabled is True, "has no preflight pod: remove it"),
        ("spec.limits.stallTimeoutSeconds", stall, "does not watch for stalls: remove it"),
    ]
    for index, reward in enumerate(spec.rewards):
        kind = next((kind for kind in ("python", "http", "model") if getattr(reward, kind) is not None), None)
        asked.append((f"spec.rewards[{index}].{kind}", kind is not None, "has built-in rewards only: use builtin"))
    return [(field, f"this version {advice}") for field, wanted, advice in asked if wanted]
