"""Fills the fields that a user left empty with what the algorithm's authors published, and chooses the backend.

Nothing is filled in anywhere else: what this returns is what is trained, and it is what users are shown.
"""

from __future__ import annotations

from typing import Any

from .rules import Part
from .spec import GROUPED, Spec

DEFAULT_STEPS = 250

_GRPO = {
    "beta": 0.0,
    "epsilon": 0.2,
    "epsilonHigh": 0.2,
    "lossType": "grpo",
    "importanceSampling": "token",
    "scaleRewards": "group",
    "maskTruncated": False,
    "updatesPerGeneration": 1,
}
ALGORITHM_DEFAULTS: dict[str, dict[str, Any]] = {
    # Shao et al. 2024 (arXiv:2402.03300), without the KL term, as in arXiv:2503.20783 and 2503.14476
    "GRPO": _GRPO,
    # Zheng et al. 2025 (arXiv:2507.18071), section 5.1
    "GSPO": _GRPO | {"importanceSampling": "sequence", "epsilon": 3e-4, "epsilonHigh": 4e-4, "updatesPerGeneration": 4},
    # Liu et al. 2025 (arXiv:2503.20783)
    "DrGRPO": _GRPO | {"lossType": "dr_grpo", "scaleRewards": "none"},
    # Yu et al. 2025 (arXiv:2503.14476)
    "DAPO": _GRPO | {"lossType": "dapo", "epsilonHigh": 0.28, "maskTruncated": True},
    # Ahmadian et al. 2024 (arXiv:2402.14740)
    "RLOO": {"beta": 0.05, "epsilon": 0.2, "epsilonHigh": 0.2, "maskTruncated": False, "updatesPerGeneration": 1},
    # Ouyang et al. 2022 (arXiv:2203.02155), clipping of Schulman et al. 2017 (arXiv:1707.06347)
    "PPO": {"beta": 0.05, "epsilon": 0.2},
    # Rafailov et al. 2023 (arXiv:2305.18290)
    "DPO": {"beta": 0.1},
    # Hong et al. 2024 (arXiv:2403.07691)
    "ORPO": {"beta": 0.1},
    "none": {},
}
"""Values by algorithm, under the names of the spec."""


class Choice(Part):
    """The backend, the precision and the engine that were chosen, and why."""

    backend: str
    load_in: str
    engine: str
    reason: str


def choose(spec: Spec) -> Choice:
    """Choose what `auto` means for this spec."""
    gpus = spec.parallelism.nodes * spec.parallelism.gpus_per_node
    if spec.backend != "auto":
        backend, reason = spec.backend, "spec.backend asks for it"
    elif gpus == 1:
        backend, reason = "unsloth", "one GPU: unsloth needs the least memory"
    else:
        backend = "transformers"
        reason = "no GPU: trains on the CPU" if gpus == 0 else f"{gpus} GPUs: unsloth trains on one only"
    load_in = spec.model.load_in if spec.model.load_in != "auto" else {"unsloth": "4bit"}.get(backend, "16bit")
    by_vllm = gpus and (backend == "unsloth" or spec.reinforce.algorithm in GROUPED)
    engine = spec.inference.engine if spec.inference.engine != "auto" else "vllm" if by_vllm else "transformers"
    return Choice(backend=backend, load_in=load_in, engine=engine, reason=reason)


def resolve(spec: Spec) -> Spec:
    """Return the spec with every choice made: no `auto` and no empty field whose value the algorithm decides.

    Fields that the algorithm does not have stay empty. `resolve` of a resolved spec is the same spec.
    """
    choice = choose(spec)
    document = spec.model_dump(by_alias=True, exclude_none=True)
    document["backend"] = choice.backend
    document["model"]["loadIn"] = choice.load_in
    document["inference"]["engine"] = choice.engine
    document["reinforce"] = _resolve_reinforce(document["reinforce"], choice.backend, spec.model.max_sequence_length)
    return Spec.model_validate(document)


def _resolve_reinforce(given: dict[str, Any], backend: str, max_sequence_length: int) -> dict[str, Any]:
    filled = ALGORITHM_DEFAULTS[given["algorithm"]] | given
    if "epsilon" in given and "epsilonHigh" not in given and "epsilonHigh" in filled:
        filled["epsilonHigh"] = given["epsilon"]  # a user who sets one range means a symmetric one
    if "steps" not in given and "epochs" not in given:
        filled["steps"] = DEFAULT_STEPS
    if filled["optimizer"] == "auto":
        filled["optimizer"] = "adamw_8bit" if backend == "unsloth" else "adamw"
    filled.setdefault("maxPromptLength", max_sequence_length - filled["maxCompletionLength"])
    return filled
