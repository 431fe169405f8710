"""Attempts that are killed or told to stop, and what the next attempt makes of them: the run of one that was not."""

from __future__ import annotations

import html
import json
import multiprocessing
import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
from tests.trainer.attempts import (
    DEADLINE,
    ON_THE_WAY,
    Clock,
    Shot,
    attempt,
    history,
    last_checkpoint,
    progress,
    result,
    wait_for_worker,
    wrap,
)
from tests.trainer.conftest import rows

import reasoning_trainer
from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_contract.spec import GROUPED, PREFERENCE

Manifest = Callable[..., Path]
Train = Callable[..., Outcome]
Attempt = Callable[..., ForkServerProcess]

REINFORCE = {"steps": 6, "numGenerations": 4, "batchSize": 8, "maxCompletionLength": 12, "learningRate": 1e-3}
WHOLE: dict[str, Any] = {
    "reinforce": REINFORCE | {"beta": 0.1},
    "evaluation": {"samples": 2, "everySteps": 2, "passAtK": [1, 2]},
    "export": {"formats": ["lora", "merged16bit"]},
    "data": {
        "train": {"rows": rows(32, 1)},
        "warmup": {"rows": rows(16, 2)},
        "heldOut": {"rows": rows(40, 3, first=5, last=9)},
    },
}
"""A job with every phase, two batches of held-out rows in each evaluation."""
PHASES = ("load", "evaluate base", "warmup", "evaluate warmup", "reinforce", ON_THE_WAY, "evaluate reinforce", "export")
ANSWER = "reasoning_trainer.stages.evaluate:_answer"
"""Generates for one batch of an evaluation; checkpoints ask for answers too."""
SAVE_ADAPTER = "reasoning_trainer.backends.transformers:TransformersBackend.save_adapter"
TRAINING_STEP = "transformers:Trainer.training_step"
DRAW = "torch:multinomial"
"""Draws one token of every completion; only RL draws where pass@k is off."""


@pytest.fixture(scope="module")
def context() -> Iterator[multiprocessing.context.ForkServerContext]:
    """Starts processes that have the libraries imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [f"reasoning_trainer.stages.{name}" for name in ("warmup", "reinforce", "evaluate", "export")]
    )
    with pytest.MonkeyPatch.context() as patch:
        # Python 3.11 hands the server of processes no path, and it leaves out without a word what it cannot import
        patch.setenv("PYTHONPATH", str(Path(reasoning_trainer.__file__).parents[1]))
        yield context


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where attempts write what they print."""
    return tmp_path / "log.txt"


@pytest.fixture
def run_attempt(context: multiprocessing.context.ForkServerContext, log: Path) -> Iterator[Attempt]:
    """Runs an attempt to its end, whatever that is."""
    started = []

    def run(job: Path, output: Path, prepare: Sequence[Callable[[], None]] = ()) -> ForkServerProcess:
        process = context.Process(target=attempt, args=(job, output, log, prepare))
        process.start()
        started.append(process)
        process.join(DEADLINE)
        assert process.exitcode is not None, f"not done within {DEADLINE:g} s: {log.read_text()}"
        wait_for_worker(output)
        return process

    yield run
    for process in started:
        if process.is_alive():
            process.kill()
        process.join(DEADLINE)


def test_two_runs_are_equal(manifest: Manifest, train: Train, tmp_path: Path, unbroken: Callable) -> None:
    assert train(manifest(**WHOLE)).exit_code == 0
    assert result(tmp_path / "run") == unbroken(**WHOLE)


class Killer:
    """Kills attempts at one job, each at a random moment of a phase, and begins a new run when one is done."""

    def __init__(self, run_attempt: Attempt, job: Path, folder: Path, durations: dict[str, float]) -> None:
        self._run_attempt, self._job, self._folder, self._durations = run_attempt, job, folder, durations
        self._clock, self._rng = Clock(folder / "phases"), random.Random(1)
        self.killed_in: list[str] = []
        self.runs: list[Path] = []

    def kill_in_all(self, phases: Sequence[str]) -> None:
        """Go through phases, which are in the order of a run, with a kill in each; then let the run end."""
        run = self._folder / f"run{len(self.runs)}"
        self.runs.append(run)
        for phase in phases:
            delay = self._rng.uniform(0, self._durations[phase])
            process = self._run_attempt(self._job, run, [self._clock.start, self._shot(phase, delay).load])
            if process.exitcode == 0:  # the phase was over when the last kill came
                return
            assert process.exitcode == -signal.SIGKILL
            self.killed_in.append(self._clock.phases()[-1][0])
        assert self._run_attempt(self._job, run).exitcode == 0

    @staticmethod
    def _shot(phase: str, delay: float) -> Shot:
        if phase == ON_THE_WAY:
            return Shot("reasoning_trainer.stages.reinforce:evaluate_on_the_way", 1, signal.SIGKILL, delay)
        return Shot("reasoning_trainer.reporting.tracker:Tracker.begin", 1, signal.SIGKILL, delay, phase)


@pytest.mark.timeout(900)
def test_killed_runs_end_like_an_unbroken_one(
    manifest: Manifest, run_attempt: Attempt, tmp_path: Path, unbroken: Callable
) -> None:
    """SIGKILL at twenty seeded random moments, spread over every phase; what each phase takes is measured first."""
    job, clock = manifest(**WHOLE), Clock(tmp_path / "unbroken")
    assert run_attempt(job, tmp_path / "first", [clock.start]).exitcode == 0
    killer = Killer(run_attempt, job, tmp_path, durations(clock.phases()))
    while len(killer.killed_in) < 20 or set(killer.killed_in) != set(PHASES):
        assert len(killer.runs) < 12, f"killed in {Counter(killer.killed_in)} only"
        killer.kill_in_all(PHASES)
    print(f"killed in {dict(Counter(killer.killed_in))}, in {len(killer.runs)} runs")
    for run in killer.runs:
        assert result(run) == unbroken(**WHOLE)


def durations(phases: list[tuple[str, float]]) -> dict[str, float]:
    """Return the seconds of each phase's first span, the last one's taken for those of a tenth of a second."""
    ends = [start for _, start in phases[1:]] + [phases[-1][1] + 0.1]
    spans = [(phase, end - start) for (phase, start), end in zip(phases, ends, strict=True)]
    return dict(reversed(spans))


ALGORITHMS = {
    "GRPO": {"steps": 7},
    "GSPO": {"steps": 10, "learningRate": 1e-2},
    "DAPO": {"steps": 7, "retireSolved": 0.25},
    "ScaleRL": {"steps": 7, "retireSolved": 0.25},
    "RLOO": {"steps": 7, "gradientAccumulation": 2, "batchSize": 4},
    "PPO": {"steps": 7},
    "DPO": {"steps": 7, "batchSize": 2},
    "ORPO": {"steps": 7, "batchSize": 2},
}
"""Runs that go through their rows more than once."""


def few_rows(algorithm: str) -> dict[str, Any]:
    """Return a job of an algorithm on so few rows that it sees them several times."""
    preferences = algorithm in PREFERENCE
    pairs = [{"prompt": f"{n}", "chosen": "<answer>1</answer>", "rejected": "no"} for n in range(6)]
    data = {"train": {"rows": pairs if preferences else rows(9, 1)}, "warmup": {"rows": rows(16, 2)}}
    reinforce = REINFORCE | {"algorithm": algorithm} | ALGORITHMS[algorithm]
    if algorithm not in GROUPED:
        del reinforce["numGenerations"]
    changes: dict[str, Any] = {
        "reinforce": reinforce,
        "data": data,
        "evaluation": {"enabled": False},
    }
    fading = {"name": "format", "builtin": "format", "weightSchedule": [{"step": 6, "weight": 0.1}]}
    return changes | {"rewards": [] if preferences else [{"name": "correct", "builtin": "correctness"}, fading]}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_goes_on_where_it_was_killed(
    manifest: Manifest, run_attempt: Attempt, tmp_path: Path, unbroken: Callable, algorithm: str
) -> None:
    """After the first epoch, and between two checkpoints."""
    job, run = manifest(**few_rows(algorithm)), tmp_path / "run"
    step = "reasoning_trainer.algorithms.training:StageCallback.on_step_end"
    warmup_steps, last = 4, ALGORITHMS[algorithm]["steps"]
    process = run_attempt(job, run, [Shot(step, warmup_steps + last, signal.SIGKILL).load])
    assert process.exitcode == -signal.SIGKILL
    saved = last_checkpoint(run, "reinforce")
    assert 0 < saved < last

    assert run_attempt(job, run).exitcode == 0
    assert progress(run).resumed_from_step == saved
    assert result(run) == unbroken(**few_rows(algorithm))


@pytest.mark.parametrize("algorithm", ["GRPO", "PPO"])
def test_what_was_measured_before_rl_is_not_measured_again(
    manifest: Manifest, run_attempt: Attempt, tmp_path: Path, unbroken: Callable, algorithm: str
) -> None:
    """Killed between its two calls, told to stop in the second, then killed in RL."""
    changes, run = few_rows(algorithm), tmp_path / "run"
    changes["data"] = changes["data"] | {"difficulty": {"samples": 4, "max": 0.99}}
    job, measure = manifest(**changes), "reasoning_trainer.stages.difficulty:_tallies"
    assert run_attempt(job, run, [Shot(measure, 2, signal.SIGKILL).load]).exitcode == -signal.SIGKILL
    assert len(json.loads((run / "difficulty/profile.json").read_text())["tallies"]) == 8
    assert run_attempt(job, run, [Shot(measure, 1).load]).exitcode == ExitCode.INTERRUPTED
    again = Shot(measure, 1, signal.SIGKILL)
    step = Shot("reasoning_trainer.algorithms.training:StageCallback.on_step_end", 5)
    assert run_attempt(job, run, [again.load, step.load]).exitcode == ExitCode.INTERRUPTED
    assert last_checkpoint(run, "reinforce") == 5
    assert run_attempt(job, run, [again.load]).exitcode == 0
    assert result(run) == unbroken(**changes)
    spent = history(run, "reinforce")[0]["completions/spent"]
    assert spent == 9 * 4 + 8


@pytest.mark.parametrize("algorithm", ["GRPO", "DPO", "PPO"])
def test_changed_rate_steps_and_checkpoints_are_heeded_from_the_checkpoint_on(
    manifest: Manifest, run_attempt: Attempt, tmp_path: Path, algorithm: str
) -> None:
    """A checkpoint holds its own rates, its own last step and its own steps between checkpoints."""
    before, run = few_rows(algorithm), tmp_path / "run"
    changes = {"learningRate": 2e-2, "steps": 9, "scheduler": "linear", "warmupRatio": 0}
    after = before | {"reinforce": before["reinforce"] | changes, "checkpoint": {"everySteps": 3}}
    step = "reasoning_trainer.algorithms.training:StageCallback.on_step_end"
    assert run_attempt(manifest(**before), run, [Shot(step, 4 + 3).load]).exitcode == ExitCode.INTERRUPTED
    saved = last_checkpoint(run, "reinforce")
    assert saved == 3
    old = json.loads((run / "reinforce/checkpoint-3/trainer_state.json").read_text())["log_history"]
    assert run_attempt(manifest(**after), run, [Shot(step, 7 - saved).load]).exitcode == ExitCode.INTERRUPTED
    assert {path.name for path in (run / "reinforce").glob("checkpoint-*")} == {"checkpoint-6", "checkpoint-7"}
    assert run_attempt(manifest(**after), run).exitcode == 0

    changed = history(run, "reinforce")
    told = {each["step"]: each.get("learning_rate", each.get("lr")) for each in changed}
    assert max(told) == 9
    for number in range(saved + 1, 10):
        assert told[number] == pytest.approx(2e-2 * (10 - number) / 9), number
    for each in old:
        assert told[each["step"]] == each.get("learning_rate", each.get("lr"))
    assert [each["step"] for each in changed if "changed" in each] == [saved + 1]
    (change,) = progress(run).spec_changes or []
    assert (change.stage, change.step, change.attempt) == ("reinforce", saved, 2)
    assert "reinforce.learningRate: 0.001 -> 0.02" in change.changed
    assert "reinforce.steps: 7 -> 9" in change.changed
    assert change.told in html.unescape((run / "report.html").read_text())
    assert change.told in (run / "README.md").read_text()


@pytest.mark.parametrize("algorithm", ["GRPO", "PPO"])
def test_fewer_steps_than_are_made_end_the_stage(
    manifest: Manifest, run_attempt: Attempt, tmp_path: Path, algorithm: str
) -> None:
    job, run = few_rows(algorithm), tmp_path / "run"
    step = "reasoning_trainer.algorithms.training:StageCallback.on_step_end"
    assert run_attempt(manifest(**job), run, [Shot(step, 4 + 3).load]).exitcode == ExitCode.INTERRUPTED
    assert run_attempt(manifest(**job | {"reinforce": job["reinforce"] | {"steps": 2}}), run).exitcode == 0
    assert max(each["step"] for each in history(run, "reinforce")) == 3


def test_gspo_differs_from_grpo_where_completions_serve_several_updates(unbroken: Callable) -> None:
    def reinforced(**changes: Any) -> list[dict[str, float]]:
        job = few_rows("GSPO")
        steps: list[dict[str, float]] = unbroken(**job | {"reinforce": job["reinforce"] | changes})["history"][
            "reinforce"
        ]
        return steps

    alike = {"epsilon": 0.2, "epsilonHigh": 0.2}
    for updates, equal in ((1, True), (4, False)):
        gspo = reinforced(updatesPerGeneration=updates, **alike)
        grpo = reinforced(updatesPerGeneration=updates, **alike, algorithm="GRPO")
        assert ([step["grad_norm"] for step in gspo] == [step["grad_norm"] for step in grpo]) is equal, updates
    assert [step["step"] for step in reinforced() if "reward" in step] == [1, 5, 9]


TOLD_TO_STOP = {
    "load": Shot("reasoning_trainer.backends.transformers:TransformersBackend.load"),
    "evaluate base": Shot(ANSWER, 1),
    "warmup": Shot(TRAINING_STEP, 3),
    "evaluate warmup": Shot(ANSWER, 3),
    "reinforce, in a generation": Shot(DRAW, 2 * 12 + 5),
    ON_THE_WAY: Shot(ANSWER, 5),
    "evaluate reinforce": Shot(ANSWER, 9),
    "export": Shot(SAVE_ADAPTER, 3),
}
STEPS_SAVED = {
    "warmup": ("warmup", 3),
    "reinforce, in a generation": ("reinforce", 3),
    ON_THE_WAY: ("reinforce", 2),
}


@pytest.mark.parametrize("moment", TOLD_TO_STOP)
def test_told_to_stop(
    manifest: Manifest, run_attempt: Attempt, tmp_path: Path, unbroken: Callable, moment: str
) -> None:
    """SIGTERM in the middle of each phase: exit code 90, with a checkpoint of that very step in training."""
    greedy = WHOLE | {"evaluation": {"samples": 2, "everySteps": 2}}
    job, run = manifest(**greedy), tmp_path / "run"
    process = run_attempt(job, run, [TOLD_TO_STOP[moment].load, Clock(tmp_path / "phases").start])
    assert process.exitcode == ExitCode.INTERRUPTED
    assert Clock(tmp_path / "phases").phases()[-1][0] == moment.split(",")[0]
    if moment in STEPS_SAVED:
        stage, step = STEPS_SAVED[moment]
        assert last_checkpoint(run, stage) == step

    assert run_attempt(job, run).exitcode == 0
    assert progress(run).attempt == 2
    if moment in STEPS_SAVED:
        assert progress(run).resumed_from_step == STEPS_SAVED[moment][1]
    assert result(run) == unbroken(**greedy)


@pytest.mark.parametrize(("algorithm", "draw", "saved"), [("GSPO", 12 + 5, 8), ("PPO", 2 * 12 + 5, 3)])
def test_told_to_stop_in_another_loop(
    manifest: Manifest,
    run_attempt: Attempt,
    tmp_path: Path,
    unbroken: Callable,
    algorithm: str,
    draw: int,
    saved: int,
) -> None:
    """In a generation: GSPO makes all four updates that share it, PPO's loop stops though TRL's does not know how."""
    job, run = manifest(**few_rows(algorithm)), tmp_path / "run"
    assert run_attempt(job, run, [Shot(DRAW, draw).load]).exitcode == ExitCode.INTERRUPTED
    assert last_checkpoint(run, "reinforce") == saved
    assert run_attempt(job, run).exitcode == 0
    assert progress(run).resumed_from_step == saved
    assert result(run) == unbroken(**few_rows(algorithm))


def hang_in_a_generation() -> None:
    """Be told to stop in a generation that never ends, with little patience."""
    import threading

    from reasoning_trainer import interruption

    interruption.PATIENCE = 0.5
    draws = []

    def hang(arguments: Sequence[Any]) -> None:
        draws.append(None)
        if len(draws) == 3 * 12 + 5:
            os.kill(os.getppid(), signal.SIGTERM)
            threading.Event().wait(DEADLINE)

    wrap(DRAW, hang)


def test_a_step_that_outlasts_the_grace_period_is_abandoned(
    manifest: Manifest, run_attempt: Attempt, tmp_path: Path, unbroken: Callable
) -> None:
    job, run = manifest(**few_rows("GRPO")), tmp_path / "run"
    assert run_attempt(job, run, [hang_in_a_generation]).exitcode == ExitCode.INTERRUPTED
    assert last_checkpoint(run, "reinforce") == 2
    assert run_attempt(job, run).exitcode == 0
    assert result(run) == unbroken(**few_rows("GRPO"))


def test_a_finished_warm_up_that_is_reused_is_said(manifest: Manifest, run_attempt: Attempt, tmp_path: Path) -> None:
    """Killed in the first step of RL, before there is a checkpoint of it."""
    job, run = manifest(**few_rows("GRPO")), tmp_path / "run"
    warmup_steps = 4
    process = run_attempt(job, run, [Shot(TRAINING_STEP, warmup_steps + 1, signal.SIGKILL).load])
    assert process.exitcode == -signal.SIGKILL
    assert run_attempt(job, run).exitcode == 0
    assert (progress(run).resumed_from_stage, progress(run).resumed_from_step) == ("warmup", warmup_steps)


def test_half_written_checkpoint_is_not_used(
    manifest: Manifest, run_attempt: Attempt, tmp_path: Path, unbroken: Callable
) -> None:
    """Killed in the middle of writing: the checkpoint of step 4 has weights and no optimizer."""
    job, run = manifest(**few_rows("GRPO")), tmp_path / "run"
    save = "transformers:Trainer._save_optimizer_and_scheduler"
    warmup_saves = 2
    process = run_attempt(job, run, [Shot(save, warmup_saves + 2, signal.SIGKILL).load])
    assert process.exitcode == -signal.SIGKILL
    assert (run / "reinforce/checkpoint-4/adapter_model.safetensors").exists()

    assert run_attempt(job, run).exitcode == 0
    assert progress(run).resumed_from_step == 2
    assert result(run) == unbroken(**few_rows("GRPO"))


@pytest.mark.parametrize("algorithm", ["GRPO", "PPO"])
@pytest.mark.parametrize("stage", ["warmup", "reinforce"])
def test_killed_after_the_last_checkpoint(
    manifest: Manifest, train: Train, tmp_path: Path, stage: str, algorithm: str
) -> None:
    """The stage has all its steps, but was not finished: no step too many is made."""
    job, run = manifest(**few_rows(algorithm)), tmp_path / "run"
    assert train(job).exit_code == 0
    expected = result(run)
    (run / stage / "history.jsonl").unlink()
    shutil.rmtree(run / stage / "adapter")
    shutil.rmtree(run / "artifacts")
    assert train(job).exit_code == 0
    assert result(run) == expected
