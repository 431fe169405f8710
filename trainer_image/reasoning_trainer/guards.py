"""What stops a run that is not worth its GPU: lost learning signal, divergence, numbers that are none, spent budget.

Everything here is decided from the reports it is given; acting on a verdict is the pipeline's.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.problem import Problem
from reasoning_contract.progress import LearningSignalReport
from reasoning_contract.report import TrainingStatus
from reasoning_contract.spec import Divergence, LearningSignal, Limits, Spec, Unscored

from .errors import TrainerError

SOLVED = 0.9
"""Mean correctness from which completions that all score alike are a task that is solved, not a run that collapsed."""
SURE_BATCHES = 2
"""After so many batches that failed as a whole a reward is not waited for."""
UNSOLVED = 0.1
"""Mean correctness up to which completions that all score alike are all wrong."""


MOSTLY_CUT = 0.5
"""Share of completions that are cut from which on that is why they score alike."""


@dataclass(frozen=True)
class Verdict:
    """What a guard says.

    Attributes
    ----------
    message
        The figures behind the verdict.
    problem
        What is wrong, and how the attempt ends if the action is ``fail``; None if the run may go on.
    action
        What the spec asks for if there is a problem.
    """

    message: str
    problem: Problem | None = None
    action: Literal["fail", "warn"] = "fail"

    @classmethod
    def against(
        cls, exit_code: ExitCode, reason: str, message: str, hint: str, action: Literal["fail", "warn"] = "fail"
    ) -> Verdict:
        """Return the verdict that the run has a problem."""
        return cls(message, Problem(exit_code=exit_code, reason=reason, message=message, hint=hint), action)

    @property
    def ok(self) -> bool:
        """Whether the run may go on."""
        return self.problem is None

    def raise_if_failed(self) -> None:
        """Raise `TrainerError` if the run may not go on and the spec asks for an end; a warning passes."""
        if self.problem and self.action == "fail":
            raise TrainerError.of(self.problem)

    def to_report(self) -> LearningSignalReport:
        """Return the verdict as the progress report carries it."""
        return LearningSignalReport(ok=self.ok, message=self.message)


@dataclass(frozen=True)
class StepSignal:
    """What a step tells of the learning signal.

    Attributes
    ----------
    spread
        Share of the groups whose rewards differ.
    right
        Mean of the verifiable reward, or None.
    cut
        Share of the completions that were cut at their longest length, or None.
    """

    spread: float
    right: float | None = None
    cut: float | None = None


@dataclass
class LearningSignalGuard:
    """Watches over a window of steps whether rewards still tell the completions of a group apart.

    The advantage of a completion is its distance from its group's mean reward (Shao et al. 2024, arXiv:2402.03300): in
    a group whose rewards are all equal every advantage, and so every gradient, is zero.

    Parameters
    ----------
    settings
        ``spec.guards.learningSignal``.
    verifiable
        Name of the reward that says whether an answer is right; its mean tells solved from collapsed. None where the
        job has no such reward.
    """

    settings: LearningSignal
    verifiable: str | None = None
    window: deque[StepSignal] = field(default_factory=deque)

    def update(self, training: TrainingStatus) -> Verdict | None:
        """Take in the metrics of one step; return a verdict once the window is full.

        Steps without groups (an SFT warm-up, DPO, PPO) have no ``zeroVarianceShare`` and are left out.
        """
        if self.settings.action == "off" or training.zero_variance_share is None:
            return None
        right = (training.rewards or {}).get(self.verifiable) if self.verifiable else None
        self.window.append(StepSignal(1.0 - training.zero_variance_share, right, training.clipped_share))
        if len(self.window) < self.settings.window_steps:
            return None
        while len(self.window) > self.settings.window_steps:
            self.window.popleft()
        return judge_learning_signal(self.settings, list(self.window))


def judge_learning_signal(settings: LearningSignal, window: Sequence[StepSignal]) -> Verdict:
    """Judge a full window.

    Parameters
    ----------
    settings
        ``spec.guards.learningSignal``; its action is not ``off``.
    window
        What each step tells.
    """
    spread = math.fsum(step.spread for step in window) / len(window)
    right = _mean([step.right for step in window if step.right is not None])
    cut = _mean([step.cut for step in window if step.cut is not None])
    figures = f"rewards differ in {spread:.1%} of the groups, over the last {len(window)} steps"
    if right is not None:
        figures += f"; {right:.1%} of the answers are right"
    if cut is not None and cut >= MOSTLY_CUT:
        figures += f"; {cut:.1%} of the completions are cut at reinforce.maxCompletionLength"
    if spread >= settings.min_non_zero_variance:
        return Verdict(figures)
    if right is not None and right >= SOLVED:
        return Verdict(f"{figures}: the task is solved, further steps teach little")
    return Verdict.against(
        message=f"the learning signal is lost: {figures}; "
        f"guards.learningSignal.minNonZeroVariance asks for {settings.min_non_zero_variance:.1%}",
        action="warn" if settings.action == "warn" else "fail",
        exit_code=ExitCode.NOT_LEARNING,
        reason="LearningSignalLost",
        hint=_how_to_regain_the_signal(right, cut),
    )


def _how_to_regain_the_signal(right: float | None, cut: float | None) -> str:
    if cut is not None and cut >= MOSTLY_CUT:
        return (
            "most completions end before their answer: raise reinforce.maxCompletionLength, with it "
            "model.maxSequenceLength, or have the model say less (a lengthPenalty reward, chatTemplate.systemPrompt)"
        )
    if right is not None and right <= UNSOLVED:
        return (
            "nearly every answer is wrong: give data.warmup (or more of it), take easier rows for data.train, or lower "
            "reinforce.learningRate if answers were right at first"
        )
    return (
        "make completions differ (raise reinforce.temperature or numGenerations), rewards finer (add a format or "
        "lengthPenalty reward), or the rows of data.train neither too easy nor too hard"
    )


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


@dataclass
class UnscoredGuard:
    """Watches over a window of batches whether a reward fails on the completions that it is asked to score.

    Parameters
    ----------
    settings
        ``spec.guards.unscored``.
    reward
        Name of the reward.
    window
        Failures and completions, by batch.
    problem
        The latest reason of a failure.
    """

    settings: Unscored
    reward: str
    window: deque[tuple[int, int]] = field(default_factory=deque)
    problem: str = ""

    def update(self, failures: int, completions: int, problem: str) -> Verdict | None:
        """Take in a batch; return a verdict once the window is full, or its first two batches failed as a whole.

        Parameters
        ----------
        failures
            Completions that could not be scored though they should have been.
        completions
            Size of the batch.
        problem
            Why, naming function and line; empty without failures.
        """
        if self.settings.action == "off":
            return None
        self.problem = problem or self.problem
        self.window.append((failures, completions))
        while len(self.window) > self.settings.window_batches:
            self.window.popleft()
        failed, asked = (sum(column) for column in zip(*self.window, strict=True))
        hopeless = len(self.window) >= SURE_BATCHES and failed == asked
        if len(self.window) < self.settings.window_batches and not hopeless:
            return None
        if failed <= self.settings.max_share * asked:
            return Verdict(f"reward {self.reward} failed on {failed} of {asked} completions")
        return Verdict.against(
            message=f"reward {self.reward} failed on {failed} of {asked} completions, over the last {len(self.window)} "
            f"batches: {self.problem}",
            action="warn" if self.settings.action == "warn" else "fail",
            exit_code=ExitCode.REWARD_FAILED,
            reason="RewardFailing",
            hint="mend the function or the service and try it with try-rewards; guards.unscored says how much may fail",
        )


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
        action="warn" if settings.action == "warn" else "fail",
        exit_code=ExitCode.DIVERGED,
        reason="MaxKLPassed",
        hint="lower reinforce.learningRate or raise reinforce.beta; raise maxKL if completions are still good",
    )


def _numbers(training: TrainingStatus) -> dict[str, float]:
    named = {"loss": training.loss, "gradient norm": training.grad_norm, "reward": training.reward, "KL": training.kl}
    named |= {f"reward {name}": mean for name, mean in (training.rewards or {}).items()}
    return {name: value for name, value in named.items() if value is not None}


def judge_budget(limits: Limits, gpu_seconds: float) -> Verdict:
    """Judge the GPU-seconds of all attempts against ``limits.gpuHours``. Save a checkpoint before acting on it."""
    spent, budget = gpu_seconds / 3600, limits.gpu_hours
    if budget is None or spent < budget:
        return Verdict(f"{spent:.2f} GPU-hours spent")
    return Verdict.against(
        message=f"{spent:.2f} GPU-hours are spent, the budget of limits.gpuHours is {budget:g}",
        exit_code=ExitCode.BUDGET_SPENT,
        reason="BudgetSpent",
        hint="the last checkpoint is kept: raise limits.gpuHours to go on from it",
    )


def verifiable_reward(spec: Spec) -> str | None:
    """Return the name of the reward that says whether an answer is right; None if the job has none."""
    return next((reward.name for reward in spec.rewards if reward.builtin == "correctness"), None)
