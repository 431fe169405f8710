#!/usr/bin/env python3
"""Runs what a command sets up, step by step: `python3 hack/steps.py STEP...`, each a target of the Makefile.

The room on the disk is looked at first. A step is a line: how long it took and what is left. What it prints goes to a
file; shown of it is what the cluster's driver says, such as the packages that it installs, and the end if the step
fails. On a terminal the line of the step at work moves; elsewhere it is said again once in a while.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parent.parent
POLL_SECONDS, SAY_SECONDS = 0.2, 60.0
"""How often a terminal's line moves, and how often a line is printed elsewhere."""
LAST_LINES, LAST_BYTES = 20, 8192
"""How much of a log is looked at."""
NOTES = ("localcluster: ", "setup: ")
"""What the lines of a log begin with that are shown."""
SPINNER = "|/-\\"
GREEN, RED, DIM, PLAIN = "\033[32m", "\033[31m", "\033[2m", "\033[0m"


@dataclass(frozen=True)
class Step:
    """One target of the Makefile.

    Attributes
    ----------
    target
        Its name there.
    title
        What it does, for a person.
    seconds
        What it takes at most, from nothing on two free cores: together what was measured there (docs/demo.md).
    beside
        Whether the steps after it need not wait for it, but for those that name it in `needs`.
    needs
        Steps that run beside, and must have ended.
    gib
        The room on the disk that it takes at most beyond what is there before it, from nothing: measured as `seconds`.
    made
        What is there once it has taken that room: a file under the repository's root or the state folder, or the name
        of an image.
    """

    target: str
    title: str
    seconds: float
    beside: bool = False
    needs: tuple[str, ...] = ()
    gib: float = 0.0
    made: str = ""


STEPS = {
    step.target: step
    for step in (
        Step("environment", "Python environment of operator and tools", 90, gib=0.8, made=".venv/.done"),
        Step(
            "trainer-environment",
            "Python environment of the trainer: 3 GB, and compiling llama.cpp",
            540,
            gib=12.0,
            made=".venv-trainer/.done",
        ),
        Step("tools", "kubectl and helm", 20, gib=0.2, made="localcluster/bin/kubectl"),
        Step(
            "kubernetes",
            "Kubernetes, built from source",
            720,
            beside=True,
            gib=4.0,
            made="localcluster/bin/kubernetes-*",
        ),
        Step("operator-image", "the operator's image", 90, gib=0.5, made="localhost/reasoning-operator:dev"),
        Step(
            "libraries",
            "the trainer's libraries: 3 GB",
            420,
            gib=14.5,
            made="localhost/reasoning-trainer:cpu-libraries",
        ),
        Step("models", "the demo's models", 60),
        Step("trainer-image", "the trainer's image", 30),
        Step("demo-image", "the trainer's image with the demo's models", 30),
        Step("cluster", "the cluster", 60, needs=("kubernetes",)),
        Step("load-images", "images into the cluster", 30),
    )
}


IMAGES = "localcluster/images/buildah/overlay-images/images.json"
"""Where the builder's images are named, under the state folder."""


def is_made(step: Step, state: Path) -> bool:
    """Whether the room that a step takes is taken already."""
    if step.made.startswith("localhost/"):
        records = state / IMAGES
        return records.exists() and f'"{step.made}"' in records.read_text("utf-8")
    return any(_folder(step, state).glob(step.made))


def lacking(steps: Iterable[Step], state: Path, free: Callable[[Path], float]) -> Iterator[tuple[Path, str, bool]]:
    """Yield for each disk a folder on it, what it has and must have in words, and whether that is too little.

    Parameters
    ----------
    steps
        Those that are to run; of them the ones that have taken their room already need none.
    state
        The state folder, which exists.
    free
        Tells the GiB that are free where a folder lies.
    """
    disks: dict[int, tuple[Path, list[Step]]] = {}
    for step in steps:
        if step.gib and not is_made(step, state):
            folder = _folder(step, state)
            disks.setdefault(folder.stat().st_dev, (folder, []))[1].append(step)
    for folder, takers in disks.values():
        gib, there = sum(step.gib for step in takers), free(folder)
        parts = ", ".join(f"{step.gib:.1f} for {step.title.partition(':')[0]}" for step in takers)
        yield folder, f"up to {gib:.1f} GiB of disk are taken, {there:.1f} are free in {folder} ({parts})", there < gib


def _folder(step: Step, state: Path) -> Path:
    return ROOT if step.made.startswith(".venv") else state


def _free(folder: Path) -> float:
    return shutil.disk_usage(folder).free / 2**30


class Running:
    """A step at work, and what it prints in a file."""

    def __init__(self, step: Step, folder: Path) -> None:
        self.step = step
        self.log = folder / f"{step.target}.log"
        self.started = time.monotonic()
        self._ended: float | None = None
        self._read = 0
        folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["make", "--no-print-directory", step.target],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def seconds(self) -> float:
        """How long it has been at work, or was."""
        return (self._ended or time.monotonic()) - self.started

    def has_ended(self) -> bool:
        """Whether it has ended."""
        if self.process.poll() is not None and self._ended is None:
            self._ended = time.monotonic()
        return self._ended is not None

    def end(self) -> None:
        """End it with all that it started."""
        if not self.has_ended():
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait()

    def notes(self) -> list[str]:
        """What it has said since this was asked last."""
        with self.log.open("rb") as log:
            log.seek(self._read)
            whole, end, _ = log.read().rpartition(b"\n")
        self._read += len(whole + end)
        return [line for line in whole.decode(errors="replace").splitlines() if line.startswith(NOTES)]

    def last_lines(self, count: int) -> list[str]:
        """The end of what it has printed."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - LAST_BYTES))
            text = log.read().decode(errors="replace").replace("\r", "\n")
        return [line for line in text.splitlines() if line.strip()][-count:]


class Screen:
    """Where steps are shown."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._moves = out.isatty()
        self._said = time.monotonic()
        self._turn = 0

    def room(self, words: str) -> None:
        """Say what is taken of a disk."""
        self._print(words)

    def begins(self, step: Step) -> None:
        """Say that a step begins: not on a terminal, whose line moves."""
        self._said = time.monotonic()
        if not self._moves:
            self._print(f"begins  {step.title}{', beside the next' if step.beside else ''}")

    def at_work(self, running: Running, left: float) -> None:
        """Say that a step is at work."""
        pause = POLL_SECONDS if self._moves else SAY_SECONDS
        if time.monotonic() - self._said < pause:
            return
        self._said = time.monotonic()
        words = f"{running.step.title}  {duration(running.seconds)}, up to {duration(left)} left"
        last = "".join(running.last_lines(1)).strip()
        if not self._moves:
            print(f"    {words}: {last}"[:200], file=self._out, flush=True)
            return
        self._turn += 1
        width = shutil.get_terminal_size().columns
        line = f"{SPINNER[self._turn % len(SPINNER)]} {words}  "
        self._out.write(f"\r\033[K{line[: width - 1]}{DIM}{last[: max(0, width - 1 - len(line))]}{PLAIN}")
        self._out.flush()

    def notes(self, line: str) -> None:
        """Show a line of a log."""
        self._print(f"      {line}")

    def done(self, running: Running, left: float) -> None:
        """Say what a step took."""
        more = f", up to {duration(left)} left" if left else ""
        self._print(f"{self._coloured(GREEN, 'done')}  {running.step.title}  {duration(running.seconds)}{more}")

    def failed(self, running: Running) -> None:
        """Say how a step failed."""
        self._print(f"{self._coloured(RED, 'failed')}  {running.step.title}  {duration(running.seconds)}")
        for line in running.last_lines(LAST_LINES):
            self._print(f"    {line}")
        self._print(f"The whole log: {running.log}")

    def _print(self, line: str) -> None:
        print(f"\r\033[K{line}" if self._moves else line, file=self._out, flush=True)

    def _coloured(self, colour: str, word: str) -> str:
        return f"{colour}{word}{PLAIN}" if self._moves else word


def duration(seconds: float) -> str:
    """Return a time as people say it.

    >>> duration(42.2), duration(95), duration(3600)
    ('42 s', '1 min 35 s', '60 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min" if not rest else f"{minutes} min {rest} s"


def time_left(steps: Sequence[Step], spent: Mapping[str, float], ended: Collection[str]) -> float:
    """Return the seconds that steps take at most from now.

    Parameters
    ----------
    steps
        All of them, in order.
    spent
        Seconds that each took that has begun.
    ended
        Those that have ended.
    """
    now, ends = 0.0, {}
    for step in steps:
        rest = 0.0 if step.target in ended else max(0.0, step.seconds - spent.get(step.target, 0.0))
        if step.beside:
            ends[step.target] = now + rest
        else:
            now = max([now, *(ends.get(need, 0.0) for need in step.needs)]) + rest
    return max([now, *ends.values()])


class Work:
    """Steps, one after the other but for those that run beside."""

    def __init__(self, steps: Sequence[Step], folder: Path, screen: Screen) -> None:
        self._steps, self._folder, self._screen = steps, folder, screen
        self._running: dict[str, Running] = {}
        self._ended: set[str] = set()

    def run(self) -> bool:
        """Run them all, or until one fails; whether all went well."""
        try:
            return all(self._step(step) for step in self._steps) and self._wait(self._running)
        finally:
            for running in self._running.values():
                running.end()

    def _step(self, step: Step) -> bool:
        if not self._wait(need for need in step.needs if need in self._running):
            return False
        self._running[step.target] = Running(step, self._folder)
        self._screen.begins(step)
        return step.beside or self._wait([step.target])

    def _wait(self, targets: Iterable[str]) -> bool:
        waited = list(targets)
        while self._all_well():
            if not (left := [target for target in waited if target not in self._ended]):
                return True
            self._screen.at_work(self._running[left[0]], self._time_left())
            time.sleep(POLL_SECONDS)
        return False

    def _all_well(self) -> bool:
        """Take note of the steps that have ended; whether none failed."""
        for target, running in self._running.items():
            has_ended = running.has_ended()
            for line in running.notes():
                self._screen.notes(line)
            if has_ended and target not in self._ended:
                if running.process.returncode:
                    self._screen.failed(running)
                    return False
                self._ended.add(target)
                self._screen.done(running, self._time_left())
        return True

    def _time_left(self) -> float:
        spent = {target: running.seconds for target, running in self._running.items()}
        return time_left(self._steps, spent, self._ended)


def has_room(steps: Sequence[Step], state: Path, screen: Screen, free: Callable[[Path], float] = _free) -> bool:
    """Say what will be taken of the disk, and whether it has that."""
    enough = True
    for folder, words, too_little in lacking(steps, state, free):
        screen.room(words)
        if too_little:
            way = "" if folder == ROOT else ", or set STATE_DIR to a folder on a larger disk"
            screen.room(f"nothing was begun: make room{way}")
            enough = False
    return enough


def main(targets: Sequence[str]) -> int:
    """Run the steps that the command line names."""
    state = Path(os.environ.get("STATE_DIR") or ROOT / ".state")
    state.mkdir(parents=True, exist_ok=True)
    steps, screen = [STEPS[target] for target in targets], Screen(sys.stdout)
    if not has_room(steps, state, screen):
        return 1
    try:
        return 0 if Work(steps, state / "logs", screen).run() else 1
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on from here")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
