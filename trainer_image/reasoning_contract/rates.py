"""Learning rates that a spec leaves open: by the model's size, which is known only once it is loaded.

All are for an adapter that is multiplied by 32 / rank (`lora.alpha` 32): the best rate then hardly depends on the rank,
and is about ten times that of full fine-tuning (Schulman et al. 2025, "LoRA Without Regret"). docs/signal.md has the
table and what was seen here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .rules import Part
from .spec import GROUPED, Spec

BILLION = 10**9
SMALL, MIDDLE = 1.6 * BILLION, 10 * BILLION
"""Parameters up to which a model counts as one of "about 1.5 billion", and of "about 9 billion"."""
_RL = (1e-4, 4e-5, 2e-5)
"""Tinker's recipes of RL by size: Llama-3.2-1B on sums, Llama-3.1-8B on GSM8K, Qwen3-8B and larger on MATH."""
_SFT = (1e-3, 5e-4, 3e-4)
"""Ends and middle of Tinker's sweeps of supervised fine-tuning: 1e-3 for models of 1 to 8 billion, 3e-4 above."""
_OTHERS = {
    "DPO": (1e-5, "ten times what full fine-tuning takes, where a higher rate lowers both completions"),
    "ORPO": (8e-5, "ten times the 8e-6 of its authors' full fine-tuning (arXiv:2403.07691)"),
    "PPO": (3e-5, "ten times the 3e-6 of TRL's PPO with full fine-tuning; the value model has it too"),
}
"""Rates of what is not of the GRPO family, and where they come from; size decides nothing there."""


class LearningRate(Part):
    """A learning rate that the spec left open."""

    value: float
    """Peak learning rate."""
    reason: str
    """Why it was chosen."""


def chosen_rates(spec: Spec, parameters: int) -> dict[str, LearningRate]:
    """Return the learning rate of each stage whose rate the spec leaves open.

    Parameters
    ----------
    spec
        The spec.
    parameters
        Parameters of the model, without its adapter.

    Returns
    -------
    dict
        `warmup` and `reinforce`, where the stage takes place and has no rate of its own.
    """
    return dict(_chosen(spec, parameters))


def _chosen(spec: Spec, parameters: int) -> Iterator[tuple[str, LearningRate]]:
    algorithm = spec.reinforce.algorithm
    if spec.warms_up and spec.warmup.learning_rate is None:
        yield "warmup", _by_size(_SFT, parameters, "supervised fine-tuning")
    if spec.reinforces and spec.reinforce.learning_rate is None:
        if algorithm in GROUPED:
            yield "reinforce", _by_size(_RL, parameters, "RL")
        else:
            value, reason = _OTHERS[algorithm]
            yield "reinforce", LearningRate(value=value, reason=f"{algorithm} with an adapter: {reason}")


def _by_size(rates: tuple[float, float, float], parameters: int, what: str) -> LearningRate:
    small, middle, large = rates
    value, sizes = (
        (small, f"up to {SMALL / BILLION:g} billion")
        if parameters <= SMALL
        else (middle, f"up to {MIDDLE / BILLION:g} billion")
        if parameters <= MIDDLE
        else (large, f"above {MIDDLE / BILLION:g} billion")
    )
    return LearningRate(
        value=value, reason=f"{what} with an adapter, {sizes} parameters: the model has {_in_words(parameters)}"
    )


def _in_words(parameters: int) -> str:
    if parameters >= BILLION:
        return f"{parameters / BILLION:.1f} billion"
    return f"{parameters / 10**6:.1f} million"


def with_rates(spec: Spec, rates: Mapping[str, LearningRate]) -> Spec:
    """Return a spec with rates filled in where `chosen_rates` found none."""
    parts = {
        stage: getattr(spec, stage).model_copy(update={"learning_rate": rate.value}) for stage, rate in rates.items()
    }
    return spec.model_copy(update=parts)
