"""Guards: which runs they stop, with which figures, and which they let pass."""

from __future__ import annotations

import math
from typing import Any

import pytest

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.report import TrainingStatus
from reasoning_contract.spec import (
    ClippedCompletions,
    Divergence,
    EntropyCollapse,
    KLBound,
    LearningSignal,
    Limits,
    RewardHacking,
    Spec,
    Unscored,
)
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.guards import (
    ClippedGuard,
    EntropyGuard,
    KLGuard,
    LearningSignalGuard,
    RewardHackingGuard,
    StepGuard,
    UnscoredGuard,
    Verdict,
    guards_of,
    judge_budget,
    judge_divergence,
    verifiable_reward,
)


def feed(guard: LearningSignalGuard, zero_variance: list[float], right: float | None = None) -> list[Verdict | None]:
    rewards = None if right is None else {"correct": right, "format": 1.0}
    return [guard.update(TrainingStatus(zero_variance_share=share, rewards=rewards)) for share in zero_variance]


def guard(**settings: Any) -> LearningSignalGuard:
    return LearningSignalGuard(LearningSignal.model_validate({"windowSteps": 4} | settings), "correct")


def last(verdicts: list[Verdict | None]) -> Verdict:
    assert verdicts[-1] is not None
    return verdicts[-1]


def test_signal_is_judged_once_the_window_is_full() -> None:
    verdicts = feed(guard(), [0.0] * 5, right=0.5)
    assert [verdict is not None for verdict in verdicts] == [False, False, False, True, True]
    assert last(verdicts).ok
    assert "100.0% of the groups, over the last 4 steps" in last(verdicts).message


def test_collapsed_run_is_stopped_with_figures_and_hint() -> None:
    verdict = last(feed(guard(), [1.0, 1.0, 0.9, 1.0], right=0.01))
    assert not verdict.ok
    for part in ("2.5% of the groups", "1.0% of the answers", "asks for 5.0%"):
        assert part in verdict.message
    assert verdict.problem
    assert "data.warmup" in verdict.problem.hint
    with pytest.raises(TrainerError) as caught:
        verdict.raise_if_failed()
    assert (caught.value.exit_code, caught.value.reason) == (ExitCode.NOT_LEARNING, "LearningSignalLost")
    told = verdict.to_report("LearningSignal")
    assert (told.ok, told.reason) == (False, "LearningSignalLost")
    assert told.message == verdict.problem.told


def test_cut_completions_are_named_and_not_the_warm_up() -> None:
    steps = [TrainingStatus(zero_variance_share=1.0, rewards={"correct": 0.0}, clipped_share=0.95) for _ in range(4)]
    collapsed = guard()
    verdict = last([collapsed.update(step) for step in steps])
    assert "95.0% of the completions are cut at reinforce.maxCompletionLength" in verdict.message
    assert verdict.problem
    assert "raise reinforce.maxCompletionLength" in verdict.problem.hint
    assert "data.warmup" not in verdict.problem.hint


def test_solved_task_is_not_taken_for_a_collapsed_run() -> None:
    verdict = last(feed(guard(), [1.0] * 4, right=0.99))
    assert verdict.ok
    assert "solved" in verdict.message
    verdict.raise_if_failed()


def test_half_right_answers_without_spread_need_finer_rewards_not_easier_rows() -> None:
    verdict = last(feed(guard(), [1.0] * 4, right=0.5))
    assert not verdict.ok
    assert verdict.problem
    assert "temperature" in verdict.problem.hint


def test_without_a_verifiable_reward_no_run_counts_as_solved() -> None:
    blind = LearningSignalGuard(LearningSignal(window_steps=4))
    assert not last(feed(blind, [1.0] * 4, right=1.0)).ok


def test_only_the_window_counts() -> None:
    recovering = guard()
    assert not last(feed(recovering, [1.0] * 4, right=0.0)).ok
    assert last(feed(recovering, [0.5] * 4, right=0.2)).ok


def test_threshold_itself_passes() -> None:
    assert last(feed(guard(minNonZeroVariance=0.25), [0.75] * 4, right=0.5)).ok


def test_steps_without_groups_are_left_out() -> None:
    watching = guard()
    feed(watching, [1.0] * 3, right=0.0)
    assert watching.update(TrainingStatus(loss=1.0)) is None
    assert not last(feed(watching, [1.0], right=0.0)).ok


def test_warning_does_not_raise_and_off_says_nothing() -> None:
    verdict = last(feed(guard(action="warn"), [1.0] * 4, right=0.0))
    assert not verdict.ok
    verdict.raise_if_failed()
    assert feed(guard(action="off"), [1.0] * 4, right=0.0) == [None] * 4


@pytest.mark.parametrize(
    ("metrics", "named"),
    [
        ({"loss": math.nan}, "loss"),
        ({"grad_norm": math.inf}, "gradient norm"),
        ({"reward": -math.inf}, "reward"),
        ({"rewards": {"mine": math.nan}}, "reward mine"),
    ],
)
def test_number_that_is_none_stops_the_run(metrics: dict[str, Any], named: str) -> None:
    verdict = judge_divergence(Divergence(), TrainingStatus(**metrics))
    assert verdict.message.endswith(f": {named}")
    with pytest.raises(TrainerError) as caught:
        verdict.raise_if_failed()
    assert (caught.value.exit_code, caught.value.reason) == (ExitCode.DIVERGED, "NonFiniteMetric")
    judge_divergence(Divergence(non_finite="warn"), TrainingStatus(**metrics)).raise_if_failed()


@pytest.mark.parametrize(
    ("action", "kl", "ok"), [("fail", 0.5, True), ("fail", 0.51, False), ("warn", 0.51, False), ("off", 9.0, True)]
)
def test_kl_is_held_below_its_limit(action: str, kl: float, ok: bool) -> None:
    settings = Divergence.model_validate({"action": action, "maxKL": 0.5})
    assert judge_divergence(settings, TrainingStatus(kl=kl)).ok is ok


def test_kl_without_a_limit_or_a_measurement_passes() -> None:
    assert judge_divergence(Divergence(), TrainingStatus(kl=1e9)).ok
    assert judge_divergence(Divergence(max_kl=0.1), TrainingStatus()).ok


def test_kl_past_its_limit_ends_the_run_by_name() -> None:
    with pytest.raises(TrainerError, match=r"0\.75, above guards\.divergence\.maxKL 0\.5") as caught:
        judge_divergence(Divergence(max_kl=0.5), TrainingStatus(kl=0.75)).raise_if_failed()
    assert caught.value.reason == "MaxKLPassed"


def test_budget_counts_hours_of_all_attempts() -> None:
    assert judge_budget(Limits(), 1e9).ok
    assert judge_budget(Limits(gpu_hours=2.0), 7199.0).ok
    spent = judge_budget(Limits(gpu_hours=2.0), 7200.0)
    with pytest.raises(TrainerError, match=r"budget of limits\.gpuHours is 2") as caught:
        spent.raise_if_failed()
    assert caught.value.exit_code == ExitCode.BUDGET_SPENT


DOCUMENT: dict[str, Any] = {
    "model": {"source": "hf://a/b"},
    "data": {"train": {"rows": [{"prompt": "1+1", "answer": "2"}]}, "heldOut": {"fraction": 0.5}},
    "rewards": [{"name": "shape", "builtin": "format"}, {"name": "right", "builtin": "correctness"}],
}
PREFERENCE: dict[str, Any] = {
    "data": {"train": {"rows": [{"prompt": "a", "chosen": "b", "rejected": "c"}]}, "heldOut": {"fraction": 0.5}},
    "rewards": [],
}


def test_verifiable_reward_is_the_correctness_one() -> None:
    assert verifiable_reward(Spec.model_validate(DOCUMENT)) == "right"
    without = DOCUMENT | {"rewards": DOCUMENT["rewards"][:1]}
    assert verifiable_reward(Spec.model_validate(without)) is None


@pytest.mark.parametrize(
    ("algorithm", "more", "watched"),
    [
        ("GRPO", {}, ["LearningSignal", "KLBounded", "EntropyKept", "CompletionsWhole", "RewardsAgree"]),
        ("PPO", {}, ["EntropyKept"]),
        ("DPO", PREFERENCE, []),
    ],
)
def test_guards_look_at_what_an_algorithm_tells(algorithm: str, more: dict[str, Any], watched: list[str]) -> None:
    spec = Spec.model_validate(DOCUMENT | more | {"reinforce": {"algorithm": algorithm}})
    assert [guard.condition for guard in guards_of(spec, "reinforce")] == watched
    assert not guards_of(spec, "warmup")


Steps = list[dict[str, Any]]


def judged(guard: StepGuard[Any], steps: Steps) -> Verdict | None:
    return [guard.update(TrainingStatus(**step)) for step in steps][-1]


def kl(*values: float | None, **settings: Any) -> Verdict | None:
    guard = KLGuard(KLBound.model_validate({"maxKL": 0.5, "windowSteps": 4} | settings))
    return judged(guard, [{"kl": value} for value in values])


def entropy(*values: float | None, right: float | None = 0.2, **settings: Any) -> Verdict | None:
    guard = EntropyGuard(EntropyCollapse.model_validate({"action": "warn", "windowSteps": 4} | settings), "correct")
    rewards = {} if right is None else {"correct": right}
    return judged(guard, [{"entropy": value, "rewards": rewards} for value in values])


def clipped(*values: float | None, **settings: Any) -> Verdict | None:
    guard = ClippedGuard(ClippedCompletions.model_validate({"windowSteps": 4} | settings))
    return judged(guard, [{"clipped_share": value} for value in values])


@pytest.mark.parametrize(
    ("verdict", "ok"),
    [
        (kl(0.1, 0.1, 0.1), None),
        (kl(0.1, 0.1, None, 0.1), None),
        (kl(0.1, 0.9, 0.9, 0.1), True),
        (kl(0.5, 0.5, 0.5, 0.5), True),
        (kl(0.5, 0.5, 0.5, 0.6), False),
        (kl(9.0, 0.1, 0.1, 0.1, 0.1), True),
        (kl(9.0, 9.0, 9.0, 9.0, action="off"), None),
        (entropy(0.001, 0.001, 0.001), None),
        (entropy(0.01, 0.01, 0.01, 0.01), True),
        (entropy(0.01, 0.01, 0.01, 0.009), False),
        (entropy(0.001, 0.001, 0.001, 0.001, right=None), False),
        (entropy(0.001, 0.001, 0.001, 0.001, right=0.95), True),
        (entropy(0.1, 0.1, 0.1, 0.1, minEntropy=0.2), False),
        (entropy(0.0, 0.0, 0.0, 0.0, action="off"), None),
        (clipped(1.0, 1.0, 1.0), None),
        (clipped(0.5, 0.5, 0.5, 0.5), True),
        (clipped(0.5, 0.5, 0.5, 0.6), False),
        (clipped(1.0, 1.0, 1.0, 1.0, action="off"), None),
    ],
)
def test_mean_over_the_window_is_held_to_the_bound(verdict: Verdict | None, ok: bool | None) -> None:
    assert (verdict and verdict.ok) is ok


@pytest.mark.parametrize(
    ("trip", "values", "reason", "exit_code", "says"),
    [
        (kl, (0.75,), "KLBoundPassed", ExitCode.DIVERGED, "0.75 nats a token, over the last 4 steps; guards.kl.maxKL"),
        (entropy, (0.005,), "EntropyCollapsed", ExitCode.NOT_LEARNING, "0.005 nats, over the last 4 steps; 20.0%"),
        (clipped, (0.8,), "CompletionsClipped", ExitCode.NOT_LEARNING, "80.0% of the completions are cut"),
    ],
)
def test_bound_that_is_passed_ends_the_run_only_if_asked(
    trip: Any, values: tuple[float], reason: str, exit_code: ExitCode, says: str
) -> None:
    with pytest.raises(TrainerError) as caught:
        trip(*values * 4, action="fail").raise_if_failed()
    assert (caught.value.reason, caught.value.exit_code) == (reason, exit_code)
    warned = trip(*values * 4, action="warn")
    assert says in warned.message
    assert warned.problem.hint
    warned.raise_if_failed()


def parts(right: tuple[float, float], paid: tuple[float, float], noise: float = 0.0) -> Steps:
    """Return eight steps in whose middle the rewards change."""
    off = [noise if step % 2 else -noise for step in range(8)]
    return [
        {"rewards": {"right": right[step // 4] + off[step], "shape": paid[step // 4] + off[step]}} for step in range(8)
    ]


def hacking(steps: Steps, weight: float = 1.0, verifiable: str | None = "right", **settings: Any) -> Verdict | None:
    chosen = RewardHacking.model_validate({"windowSteps": 8} | settings)
    return judged(RewardHackingGuard(chosen, verifiable, {"shape": weight}), steps)


@pytest.mark.parametrize(
    ("verdict", "ok"),
    [
        (hacking(parts((0.6, 0.3), (0.2, 0.9))), False),
        (hacking(parts((0.6, 0.3), (0.2, 0.9), noise=0.02)), False),
        (hacking(parts((0.6, 0.3), (0.2, 0.9), noise=0.3)), True),
        (hacking(parts((0.6, 0.55), (0.2, 0.9))), True),
        (hacking(parts((0.6, 0.3), (0.9, 0.2))), True),
        (hacking(parts((0.6, 0.3), (0.5, 0.5))), True),
        (hacking(parts((0.3, 0.6), (0.2, 0.9))), True),
        (hacking(parts((0.6, 0.3), (0.9, 0.2)), weight=-1.0), False),
        (hacking(parts((0.6, 0.3), (0.2, 0.9)), weight=0.0), True),
        (hacking(parts((0.6, 0.3), (0.2, 0.9)), minFall=0.5), True),
        (hacking(parts((0.6, 0.3), (0.2, 0.9))[:7]), None),
        (hacking(parts((0.6, 0.3), (0.2, 0.9)), verifiable=None), None),
        (hacking(parts((0.6, 0.3), (0.2, 0.9)), action="off"), None),
    ],
    ids=[
        "paid for other things",
        "through small noise",
        "not through large noise",
        "a small fall",
        "both fall",
        "the other stands still",
        "both rise",
        "a penalty that shrinks",
        "not paid for at all",
        "less than minFall",
        "half a window",
        "no correctness",
        "off",
    ],
)
def test_reward_that_rises_while_correctness_falls_is_seen(verdict: Verdict | None, ok: bool | None) -> None:
    assert (verdict and verdict.ok) is ok


def test_reward_hacking_names_figures_and_the_reward() -> None:
    verdict = hacking(parts((0.6, 0.3), (0.2, 0.9)), action="fail")
    assert verdict
    assert verdict.problem
    assert "60.0% of the answers were right, then 30.0%" in verdict.message
    assert "shape from 0.2 to 0.9" in verdict.message
    assert "lower the weight of shape" in verdict.problem.hint
    with pytest.raises(TrainerError) as caught:
        verdict.raise_if_failed()
    assert (caught.value.reason, caught.value.exit_code) == ("RewardHacking", ExitCode.NOT_LEARNING)


def failures(*batches: tuple[int, int], **settings: Any) -> list[Verdict | None]:
    guard = UnscoredGuard(Unscored(**{"window_batches": 3} | settings), "mine")
    return [
        guard.update(failed, of, f"batch {number}" if failed else "") for number, (failed, of) in enumerate(batches)
    ]


def test_failures_are_judged_over_a_full_window() -> None:
    verdicts = failures((4, 4), (0, 4), (0, 4), (0, 4), (1, 4))
    assert [verdict and verdict.ok for verdict in verdicts] == [None, None, False, True, True]
    assert verdicts[2] is not None
    assert verdicts[2].message == "reward mine failed on 4 of 12 completions, over the last 3 batches: batch 0"
    assert verdicts[2].problem is not None
    assert verdicts[2].problem.exit_code == ExitCode.REWARD_FAILED


def test_the_share_itself_passes() -> None:
    assert [verdict and verdict.ok for verdict in failures((1, 4), (1, 4), (1, 4))] == [None, None, True]


def test_two_batches_that_fail_as_a_whole_are_enough() -> None:
    assert [verdict and verdict.ok for verdict in failures((4, 4), (4, 4))] == [None, False]
    assert [verdict and verdict.ok for verdict in failures((4, 4), (3, 4))] == [None, None]


def test_failures_are_not_judged_where_the_guard_is_off() -> None:
    assert failures((4, 4), (4, 4), (4, 4), action="off") == [None] * 3
