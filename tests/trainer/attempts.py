"""Attempts in processes of their own, which are sent a signal at a moment that the test chooses."""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.polling import eventually

from reasoning_contract.progress import Progress
from reasoning_trainer.supervisor.channel import Order

DEADLINE = 120.0
CLOCKED = ("step_time", "eps", "train_runtime")
"""Metrics that a clock gives."""


@dataclass(frozen=True)
class Shot:
    """A signal.

    Attributes
    ----------
    target
        ``module:name`` or ``module:Class.name`` of the function during whose call it is sent.
    call
        Which call, counted from 1, of those whose first argument after self is `argument`, where that is given.
    signal
        What is sent, before the function does anything.
    delay
        Seconds to wait after the call has begun, from another thread; None to send it before the call.
    argument
        See `call`.
    """

    target: str
    call: int = 1
    signal: int = signal.SIGTERM
    delay: float | None = None
    argument: object = None

    def load(self) -> None:
        """Plant it in this process."""
        calls = 0

        def before(arguments: Sequence[Any]) -> None:
            nonlocal calls
            if self.argument is None or self.argument in arguments:
                calls += 1
                if calls == self.call:
                    self._fire()

        wrap(self.target, before)

    def _fire(self) -> None:
        if self.delay is None:
            send(self.signal)
        else:
            timer = threading.Timer(self.delay, send, (self.signal,))
            timer.daemon = True
            timer.start()


def send(number: int) -> None:
    """Send the attempt a signal as a kubelet does; called in the worker.

    SIGKILL ends the supervisor, and the worker with it. SIGTERM reaches the supervisor alone; the worker goes on when
    it has been handed on, and is at the same point then each time.
    """
    os.kill(os.getppid(), number)
    if number == signal.SIGTERM:
        interruption: Any = getattr(signal.getsignal(number), "__self__", None)
        eventually(lambda: interruption.requested, "SIGTERM in the worker", pause=0.001)
    else:
        os.kill(os.getpid(), number)


def wrap(target: str, before: Callable[[Sequence[Any]], None], after: Callable[[], None] = lambda: None) -> None:
    """Have a function or method call `before` with its arguments each time, and `after`."""
    module, _, path = target.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    wrapped = getattr(owner, name)

    def function(*arguments: Any, **named: Any) -> Any:
        before(arguments)
        result = wrapped(*arguments, **named)
        after()
        return result

    setattr(owner, name, function)


def attempt(job: Path, output: Path, said: Path, prepare: Sequence[Callable[[], None]]) -> None:
    """Run one attempt; meant for a process of its own."""
    from reasoning_trainer.command_line import main
    from reasoning_trainer.supervisor import process

    for each in prepare:
        each()
    sys.stdout = sys.stderr = said.open("a")
    process.spawn = fork
    sys.exit(main(["run", str(job), "--output", str(output)]))


def fork(order: Order, output: int) -> int:
    """Start a worker that has all that this process has: the libraries, and what was planted."""
    from reasoning_trainer import worker

    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
    os._exit(worker.main([order.model_dump_json(by_alias=True, exclude_none=True)]))


def wait_for_worker(run: Path) -> None:
    """Wait until a worker that lost its supervisor is gone too: it holds the run's lock until then."""
    if (run / "run.lock").exists():
        with (run / "run.lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)


@dataclass(frozen=True)
class Clock:
    """Notes when each phase of a run begins, in a file; a kill is in the phase that was noted last."""

    path: Path

    def start(self) -> None:
        """Note the phases of this process."""
        self.path.unlink(missing_ok=True)
        wrap("reasoning_trainer.reporting.tracker:Tracker.begin", lambda arguments: self._note(arguments[1]))
        wrap(
            "reasoning_trainer.stages.reinforce:evaluate_on_the_way",
            lambda arguments: self._note(ON_THE_WAY),
            lambda: self._note("reinforce"),
        )

    def _note(self, phase: str) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps([phase, time.monotonic()]) + "\n")

    def phases(self) -> list[tuple[str, float]]:
        """Return the phases with their beginnings, seconds of the monotonic clock, in order."""
        return [tuple(json.loads(line)) for line in self.path.read_text().splitlines()]


ON_THE_WAY = "evaluate on the way"


def progress(run: Path) -> Progress:
    """Return the last report that was kept."""
    return Progress.model_validate_json((run / "progress.json").read_text())


def history(run: Path, stage: str) -> list[dict[str, float]]:
    """Return what was logged at every step, but for times."""
    lines = (run / stage / "history.jsonl").read_text().splitlines()
    return [{name: value for name, value in json.loads(line).items() if name not in CLOCKED} for line in lines]


def result(run: Path) -> dict[str, Any]:
    """Return all that a run has made and that an unbroken run makes likewise."""
    report = progress(run)
    stages = [name for name in ("warmup", "reinforce") if (run / name).exists()]
    return {
        "artifacts": [(artifact.kind, artifact.sha256) for artifact in report.artifacts or []],
        "history": {name: history(run, name) for name in stages},
        "scores": report.evaluation,
        "difficulty": difficulty(run),
        "evaluation": {path.name: path.read_text() for path in (run / "evaluation").glob("*.json*")},
    }


def difficulty(run: Path) -> dict[str, Any]:
    """Return what was measured before RL, but for times; empty where nothing was."""
    path = run / "difficulty/profile.json"
    if not path.exists():
        return {}
    profile = {name: value for name, value in json.loads(path.read_text()).items() if name != "seconds"}
    return profile | {"lines": (run / "difficulty/rows.jsonl").read_text()}


def last_checkpoint(run: Path, stage: str) -> int:
    """Return the step of the last checkpoint that is complete."""
    return max(int(path.parent.name.split("-")[1]) for path in (run / stage).glob("checkpoint-*/complete"))
