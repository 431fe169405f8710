"""Trackers of experiments: what they hold after a run, after a run of several attempts, and where they fail."""

from __future__ import annotations

import multiprocessing
import os
import signal
import struct
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tests.trainer.attempts import DEADLINE, Shot, attempt, history, last_checkpoint, progress, wait_for_worker
from tests.trainer.conftest import rows

import reasoning_trainer
from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_contract.spec import Tracking
from reasoning_trainer.reporting.trackers import Trackers, trackers
from reasoning_trainer.reporting.trackers.checks import missing
from reasoning_trainer.reporting.trackers.sink import Identity

Manifest = Callable[..., Path]
Points = dict[str, list[tuple[int, float]]]
STEPS, WARMUP_STEPS = 6, 4
TRACKED: dict[str, Any] = {
    "tracking": {"project": "tests", "tensorboard": True, "wandb": {"mode": "offline"}},
    "reinforce": {
        "steps": STEPS,
        "numGenerations": 4,
        "batchSize": 8,
        "maxCompletionLength": 12,
        "learningRate": 1e-3,
    },
    "warmup": {"epochs": 1, "batchSize": 4, "gradientAccumulation": 1},
    "evaluation": {"samples": 1, "everySteps": 2},
    "checkpoint": {"everySteps": 2},
    "data": {
        "train": {"rows": rows(32, 1)},
        "warmup": {"rows": rows(16, 2)},
        "heldOut": {"rows": rows(8, 3, first=5, last=9)},
    },
}
EVALUATIONS = {"evaluation/base": [0], "evaluation/warmup": [WARMUP_STEPS], "evaluation/reinforce": [2, 4, STEPS]}


@pytest.fixture(scope="module")
def run_attempt() -> Callable[..., int | None]:
    """Runs an attempt in a process of its own and returns its exit code."""
    context = multiprocessing.get_context("forkserver")

    def run(job: Path, output: Path, *shots: Shot) -> int | None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", str(Path(reasoning_trainer.__file__).parents[1]))
            log = output.parent / "log.txt"
            process = context.Process(target=attempt, args=(job, output, log, [shot.load for shot in shots]))
            process.start()
        process.join(DEADLINE)
        assert process.exitcode is not None, log.read_text()
        wait_for_worker(output)
        return process.exitcode

    return run


def test_one_run_over_all_attempts_with_each_figure_once(
    manifest: Manifest, run_attempt: Callable[..., int | None], tmp_path: Path
) -> None:
    """The first is told to stop, the second killed after a step that the third makes again."""
    job, run = manifest(**TRACKED), tmp_path / "run"
    step = "reasoning_trainer.algorithms.training:StageCallback.on_step_end"
    assert run_attempt(job, run, Shot(step, WARMUP_STEPS + 1)) == ExitCode.INTERRUPTED
    assert last_checkpoint(run, "reinforce") == 1
    assert run_attempt(job, run, Shot(step, 3, signal.SIGKILL)) == -signal.SIGKILL
    assert last_checkpoint(run, "reinforce") == 2
    assert run_attempt(job, run) == 0
    assert progress(run).resumed_from_step == 2

    for told in (read_tensorboard(run / "tracking/tensorboard"), read_wandb(run / "tracking/wandb", (1, 3))):
        rewards = [entry["reward"] for entry in history(run, "reinforce") if "reward" in entry]
        assert told["reinforce/reward"] == [
            (number, pytest.approx(reward)) for number, reward in enumerate(rewards, start=1)
        ]
        assert [number for number, _ in told["warmup/loss"]] == [*range(1, WARMUP_STEPS + 1)]
        for group, steps in EVALUATIONS.items():
            assert [number for number, _ in told[f"{group}/accuracy"]] == steps
        evaluation = progress(run).evaluation
        assert evaluation is not None
        assert told["evaluation/reinforce/accuracy"][-1][1] == pytest.approx(evaluation.final_accuracy)


def read_tensorboard(folder: Path) -> Points:
    """Return the points of all event files: one of each attempt, which its name tells."""
    assert Counter(path.name.rpartition(".attempt-")[2] for path in folder.iterdir()) == {"1": 1, "2": 1, "3": 1}
    assert all(".tiny.attempt-" in path.name for path in folder.iterdir())
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    return {tag: [(each.step, each.value) for each in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def read_wandb(folder: Path, attempts: Collection[int]) -> Points:
    """Return the points of all files of an offline run, in order, and make sure that they are one run's.

    Parameters
    ----------
    folder
        Where they lie.
    attempts
        Attempts that left a file; of one that was killed the next tells everything.
    """
    from wandb.proto.wandb_internal_pb2 import Record

    points: Points = {}
    seen = set()
    for path in sorted(folder.glob("offline-run-*/*.wandb")):
        for record in map(Record.FromString, wandb_records(path)):
            if record.HasField("run"):
                seen.add((record.run.run_id, record.run.display_name, record.run.project))
            if record.HasField("history"):
                items = {each.key or "/".join(each.nested_key): each.value_json for each in record.history.item}
                step = next(int(value) for name, value in items.items() if name.endswith("/step"))
                for name, value in items.items():
                    points.setdefault(name, []).append((step, float(value)))
    runs, names, projects = zip(*seen, strict=True)
    assert len(set(runs)) == 1
    assert set(names) == {f"tiny, attempt {number}" for number in attempts}
    assert set(projects) == {"tests"}
    return points


def wandb_records(path: Path) -> Iterator[bytes]:
    """Yield the records of W&B's file, which is LevelDB's log after a header of 7 bytes, in blocks of 32 KiB.

    A record is whole (type 1) or in parts: the first (2), middle ones (3), the last (4). What a killed process left
    half written is left out.
    """
    block, data, at, whole = 32768, path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if block - at % block < 7:
            at += block - at % block
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        part, at = data[at + 7 : at + 7 + length], at + 7 + length
        if kind == 0 or len(part) < length:
            return
        whole = part if kind in (1, 2) else whole + part
        if kind in (1, 4):
            yield whole


def test_what_is_trained_from_the_start_is_another_run(
    manifest: Manifest, train: Callable[..., Outcome], tmp_path: Path
) -> None:
    tracking = {"tensorboard": True}
    small = {"evaluation": {"enabled": False}, "tracking": tracking, "reinforce": TRACKED["reinforce"] | {"steps": 2}}
    assert train(manifest(**small)).exit_code == 0
    first = (tmp_path / "run/tracking/journal.json").read_text()
    changed = small | {"checkpoint": {"everySteps": 2, "onSpecChange": "startOver"}}
    changed |= {"reinforce": small["reinforce"] | {"learningRate": 2e-3, "seed": 7}}
    assert train(manifest(**changed)).exit_code == 0
    assert (tmp_path / "run/tracking/journal.json").read_text() != first
    [events] = (tmp_path / "run/tracking/tensorboard").iterdir()
    scalars = EventAccumulator(str(events)).Reload().Scalars("reinforce/reward")
    assert [each.step for each in scalars] == [1, 2]


@pytest.mark.parametrize(
    ("tracking", "reason"),
    [({"mlflow": {"url": "https://mlflow"}}, "TrackerMissing"), ({"wandb": {}}, "TrackerKeyMissing")],
)
def test_what_a_tracker_lacks_is_told_before_anything_is_loaded(
    manifest: Manifest,
    train: Callable[..., Outcome],
    monkeypatch: pytest.MonkeyPatch,
    tracking: dict[str, Any],
    reason: str,
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setattr("reasoning_trainer.reporting.trackers.checks.find_spec", lambda name: name != "mlflow" or None)
    outcome = train(manifest(tracking=tracking, model={"source": "file:///nowhere"}))
    assert outcome.reason == reason
    assert ExitCode(outcome.exit_code).is_users_fault


class FakeService:
    """A tracker that is away from its second step on."""

    settles = True

    def __init__(self, settings: Tracking, identity: Identity) -> None:
        self.taken: list[int] = []

    def log(self, group: str, step: int, figures: dict[str, float]) -> None:
        if self.taken:
            raise ConnectionError("nobody is there")
        self.taken.append(step)

    def close(self, *, done: bool) -> None:
        """It has nothing to close."""


def test_a_tracker_that_fails_is_said_once_and_the_next_attempt_tells_what_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(trackers, "KINDS", {"wandb": FakeService, "tensorboard": trackers.TensorBoard})
    said: list[str] = []
    settings = Tracking.model_validate({"wandb": {}, "tensorboard": True})
    for number in (1, 2):
        attempted = Trackers(settings, "job", number, tmp_path, said.append)
        for step in (1, 2, 3):
            attempted.step("reinforce", step, {"reward": 0.5, "none": None, "text": "x", "broken": float("nan")})
        attempted.close(done=False)
    warning = "warning: tracking.wandb gets no more figures of this attempt: ConnectionError: nobody is there"
    assert said == [warning, warning]
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [each.step for each in events.Scalars("reinforce/reward")] == [1, 2, 3]
    assert events.Tags()["scalars"] == ["reinforce/reward"]
    again = Trackers(settings, "job", 3, tmp_path, said.append)
    again.step("reinforce", 3, {"reward": 0.5})
    assert said == [warning, warning]  # the second attempt told of step 2, the third tells of step 3


@pytest.mark.parametrize("own", [None, "60"])
def test_a_server_that_does_not_answer_holds_up_a_step_for_a_minute(
    own: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The library would ask for a quarter of an hour; what a user gives in pod.env holds."""
    for name in ("MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"):
        monkeypatch.setenv(name, "")  # put back to what it was afterwards
        monkeypatch.delenv(name)
    if own is not None:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", own)
    asked: list[tuple[str, str]] = []

    def away(server: str) -> Any:
        asked.append((os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"], os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]))
        raise ConnectionError(server)

    monkeypatch.setitem(sys.modules, "mlflow", ModuleType("mlflow"))
    monkeypatch.setitem(sys.modules, "mlflow.entities", SimpleNamespace(Metric=None))
    monkeypatch.setitem(sys.modules, "mlflow.tracking", SimpleNamespace(MlflowClient=away))
    said: list[str] = []
    attempted = Trackers(
        Tracking.model_validate({"mlflow": {"url": "https://mlflow"}}), "job", 1, tmp_path, said.append
    )
    attempted.step("reinforce", 1, {"reward": 0.5})
    attempted.step("reinforce", 2, {"reward": 0.5})
    assert asked == [(own or "20", "2")]
    assert len(said) == 1


def test_nothing_is_missing_where_nothing_is_asked_for() -> None:
    assert not list(missing(None, {}))
    assert not list(missing(Tracking(tensorboard=True), {}))
