"""Numbers that are none, and a divergence from the reference that is too large at a single step."""

from __future__ import annotations

import math

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.report import TrainingStatus
from reasoning_contract.spec import Divergence

from .verdict import Verdict


def judge_divergence(settings: Divergence, training: TrainingStatus) -> Verdict:
    """Judge the metrics of one step: finite numbers, and a KL divergence within ``maxKL``."""
    broken = [name for name, value in _numbers(training).items() if not math.isfinite(value)]
    if broken:
        return Verdict.against(
            message=f"not a finite number at the last step: {', '.join(broken)}",
            action=settings.non_finite,
            exit_code=ExitCode.DIVERGED,
            reason="NonFiniteMetric",
            hint="lower reinforce.learningRate or maxGradNorm; if it is the reward, see which of spec.rewards gives it",
        )
    limit, kl = settings.max_kl, training.kl
    if settings.action == "off" or limit is None or kl is None or kl <= limit:
        return Verdict("the run is stable")
    return Verdict.against(
        message=f"the KL divergence from the reference is {kl:.4g}, above guards.divergence.maxKL {limit:g}",
        action=settings.action,
        exit_code=ExitCode.DIVERGED,
        reason="MaxKLPassed",
        hint="lower reinforce.learningRate or raise reinforce.beta; raise maxKL if completions are still good",
    )


def _numbers(training: TrainingStatus) -> dict[str, float]:
    named = {"loss": training.loss, "gradient norm": training.grad_norm, "reward": training.reward, "KL": training.kl}
    named |= {f"reward {name}": mean for name, mean in (training.rewards or {}).items()}
    return {name: value for name, value in named.items() if value is not None}
