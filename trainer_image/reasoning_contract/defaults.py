"""What the algorithms' authors published, for the fields that a user left empty."""

from __future__ import annotations

from typing import Any

from .spec.training import BY_TOKENS

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
    "DAPO": _GRPO | {"lossType": "dapo", "epsilonHigh": 0.28, "maskTruncated": True, "resampleRounds": 3},
    # Khatri et al. 2025 (arXiv:2510.13786), as far as docs/signal.md says
    "ScaleRL": _GRPO
    | {
        "lossType": "cispo",
        "lossAggregation": "prompt",
        "scaleRewards": "batch",
        "averageOver": "differing",
        "retireSolved": 0.9,
        "fp32LmHead": True,
    },
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
_BOUNDS = ("epsilon", "epsilonHigh")
LOSS_DEFAULTS: dict[str, dict[str, Any]] = {
    # Khatri et al. 2025 (arXiv:2510.13786), for the loss of arXiv:2506.13585: the largest ratio itself, and no smallest
    "cispo": {"epsilonHigh": 5.0},
    # Gao et al. 2025 (arXiv:2511.20347): a soft gate, with temperatures that are TRL's own defaults
    "sapo": {},
    # Liu et al. 2026 (arXiv:2602.05261), section 5.1
    "luspo": {"importanceSampling": "sequence", "epsilon": 2e-3, "epsilonHigh": 2.5e-3},
    # Shen et al. 2026 (arXiv:2602.10693): weighs sequences by itself, with k and lambda that are TRL's own defaults
    "vespo": {"importanceSampling": "token"},
}
"""Values of the losses whose bounds are not the clipping of GRPO, instead of the algorithm's.

A bound that is not among them has no effect with that loss, and stays empty.
"""


def fill_in(given: dict[str, Any], backend: str, max_sequence_length: int) -> dict[str, Any]:
    """Return spec.reinforce with every field that the algorithm has.

    Parameters
    ----------
    given
        spec.reinforce as a document, empty fields left out.
    backend
        What trains; `auto` leaves the optimizer open.
    max_sequence_length
        spec.model.maxSequenceLength.
    """
    filled = _published(given) | given
    if "epsilon" in given and "epsilonHigh" not in given and "epsilonHigh" in filled:
        filled["epsilonHigh"] = given["epsilon"]  # a user who sets one range means a symmetric one
    if "steps" not in given and "epochs" not in given:
        filled["steps"] = DEFAULT_STEPS
    if filled["optimizer"] == "auto" and backend != "auto":
        filled["optimizer"] = "adamw_8bit" if backend == "unsloth" else "adamw"
    filled.setdefault("maxPromptLength", max_sequence_length - filled["maxCompletionLength"])
    return filled


def _published(given: dict[str, Any]) -> dict[str, Any]:
    """Return the values of the algorithm, but for those that belong to another loss or aggregation than was chosen."""
    values = ALGORITHM_DEFAULTS[given["algorithm"]]
    if "lossType" not in values:
        return values
    loss = given.get("lossType", values["lossType"])
    if loss in LOSS_DEFAULTS:
        values = {name: value for name, value in values.items() if name not in _BOUNDS} | LOSS_DEFAULTS[loss]
    without = set() if loss in BY_TOKENS else {"lossAggregation"}
    if given.get("multiObjectiveAggregation") == "normalize_then_sum":
        without.add("scaleRewards")
    return {name: value for name, value in values.items() if name not in without}
