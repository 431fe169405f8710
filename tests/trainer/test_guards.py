"""Guards that training runs trip, each by what it is there for, and a healthy run that trips none."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.trainer.attempts import DEADLINE, attempt, progress, wait_for_worker, wrap
from tests.trainer.conftest import rows

import reasoning_trainer
from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_trainer.reporting import attempts
from reasoning_trainer.storage.run_folder import RunFolder

Manifest = Callable[..., Path]
Train = Callable[..., Outcome]
RUN = {"numGenerations": 4, "batchSize": 16, "maxCompletionLength": 12, "learningRate": 1e-2, "steps": 30}
LETTERS = """
def score(prompts, completions, **columns):
    return [sum(c.isalpha() for c in each[0]["content"]) for each in completions]
"""
SEVENS = [{"prompt": f"{n}", "reasoning": "-", "answer": "7"} for n in range(16)]
"""Rows that a model learns by heart in seconds: whatever is asked, the answer is 7."""
SILENT: dict[str, Any] = {"evaluation": {"enabled": False}}


def letters(weight: float = 1.0) -> dict[str, Any]:
    return {"name": "letters", "weight": weight, "python": {"source": LETTERS}}


def test_a_policy_that_leaves_its_reference_is_stopped(manifest: Manifest, train: Train) -> None:
    """The rate is far too high, and the reward pays for what the reference would never write."""
    outcome = train(
        manifest(
            reinforce=RUN | {"beta": 1e-6, "learningRate": 5e-2},
            rewards=[letters()],
            guards={"learningSignal": {"action": "off"}, "kl": {"action": "fail", "windowSteps": 3, "maxKL": 0.05}},
            data={"train": {"rows": rows(32, 1)}},
            **SILENT,
        )
    )
    assert (outcome.exit_code, outcome.reason) == (ExitCode.DIVERGED, "KLBoundPassed")
    assert "over the last 3 steps; guards.kl.maxKL allows 0.05" in outcome.message


def test_a_reward_that_fails_ends_the_run_with_its_line(manifest: Manifest, train: Train) -> None:
    """On the batches that its check is true of: more than a quarter of what it is asked to score."""
    check = "    assert len(prompts) != 16 or '1' not in prompts[0][0]['content']\n"
    failing = LETTERS.replace("    return", f"{check}    return")
    outcome = train(
        manifest(
            reinforce=RUN,
            rewards=[{"name": "mine", "python": {"source": failing}}],
            guards={"learningSignal": {"action": "off"}, "unscored": {"windowBatches": 4}},
            data={"train": {"rows": rows(32, 1)}},
            **SILENT,
        )
    )
    assert (outcome.exit_code, outcome.reason) == (ExitCode.REWARD_FAILED, "RewardFailing")
    assert "reward mine failed on" in outcome.message
    assert "line 3" in outcome.message


@dataclass(frozen=True)
class Hang:
    """A step of the trainer that never ends, and a watch whose clock runs twenty times as fast."""

    call: int

    def load(self) -> None:
        from reasoning_trainer.supervisor import stall

        stall.clock = lambda: time.monotonic() * 20
        calls = 0

        def before(arguments: Any) -> None:
            nonlocal calls
            calls += 1
            if calls == self.call:
                never_ending()

        wrap("transformers:Trainer.training_step", before)


def never_ending() -> None:
    time.sleep(600)


def test_a_run_that_hangs_is_ended_with_the_call_and_goes_on_in_another_attempt(
    manifest: Manifest, tmp_path: Path
) -> None:
    job = manifest(
        reinforce=RUN | {"steps": 4, "learningRate": 1e-3},
        rewards=[{"name": "format", "builtin": "format"}],
        guards={"learningSignal": {"action": "off"}, "stall": {"timeoutSeconds": 400}},
        data={"train": {"rows": rows(32, 1)}},
        checkpoint={"everySteps": 1},
        **SILENT,
    )
    run = tmp_path / "run"
    codes = [run_attempt(job, run, tmp_path / "log.txt", *hang) for hang in ([Hang(3)], [])]
    assert codes == [ExitCode.TRANSIENT, ExitCode.DONE]
    first, second = attempts.read(RunFolder(run))
    assert (first.reason, second.reason) == ("Stalled", "Completed")
    assert "in stage reinforce, step 2 of 4; guards.stall.timeoutSeconds allows 400; it hangs in never_ending" in (
        first.message
    )
    assert (second.resumed_from_stage, second.resumed_from_step) == ("reinforce", 2)
    assert attempts.lost([first, second]) == [0, None]
    assert "never_ending" in (tmp_path / "log.txt").read_text()


def run_attempt(job: Path, run: Path, log: Path, *hangs: Hang) -> int | None:
    context = multiprocessing.get_context("forkserver")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(reasoning_trainer.__file__).parents[1]))
        process = context.Process(target=attempt, args=(job, run, log, [hang.load for hang in hangs]))
        process.start()
    process.join(DEADLINE)
    assert process.exitcode is not None, log.read_text()
    wait_for_worker(run)
    return process.exitcode


def test_a_healthy_run_trips_no_guard(manifest: Manifest, train: Train, tmp_path: Path) -> None:
    """Every guard is on and its window full: what it learns is what it is paid for."""
    windows = {name: {"action": "fail", "windowSteps": 6} for name in ("kl", "entropy", "clipped", "rewardHacking")}
    windows["clipped"]["maxShare"] = 1.0  # a model of random weights ends none
    outcome = train(
        manifest(
            data={"train": {"rows": SEVENS}, "warmup": {"rows": SEVENS}},
            warmup={"epochs": 20, "batchSize": 16, "gradientAccumulation": 1, "learningRate": 2e-2},
            reinforce=RUN | {"maxCompletionLength": 64, "steps": 8, "learningRate": 1e-3, "beta": 0.01},
            guards=windows | {"learningSignal": {"windowSteps": 6}},
            **SILENT,
        )
    )
    assert outcome.exit_code == 0, outcome.message
    verdicts = {each.condition: each.ok for each in progress(tmp_path / "run").verdicts}
    assert verdicts == dict.fromkeys(
        ("LearningSignal", "KLBounded", "EntropyKept", "CompletionsWhole", "RewardsAgree"), True
    ), json.dumps([each.message for each in progress(tmp_path / "run").verdicts])
