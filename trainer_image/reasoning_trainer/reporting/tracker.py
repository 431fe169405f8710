"""How far the run is, and what it reports: the one place that knows, shared by all threads."""

from __future__ import annotations

import math
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reasoning_contract.progress import Progress
from reasoning_contract.report import MemoryStatus, ProgressStatus, RunStage
from reasoning_shared.words import duration

WINDOW = 20
"""Steps whose median is reported as the seconds of a step."""


@dataclass(frozen=True)
class Phase:
    """A part of the run.

    Attributes
    ----------
    name
        Its name, unique in the run.
    stage
        The stage that it is reported as.
    cost
        How long it is expected to take, in any unit that all phases share.
    """

    name: str
    stage: RunStage
    cost: float


class Tracker:
    """Takes in what happens and answers how far the run is.

    Percent counts expected cost over all phases, so that it never goes back. The time that is left is reckoned from the
    pace of this attempt alone: what earlier attempts did counts as done, not as done quickly.

    Parameters
    ----------
    phases
        What the run consists of, in order.
    attempt
        Number of this attempt.
    gpu_seconds
        GPU-seconds of the attempts before.
    gpus
        GPUs that this attempt holds.
    publish
        Called with every new report, for a display and the volume.
    memory
        Tells the memory of the process.
    clock
        Seconds since any moment.
    """

    def __init__(
        self,
        phases: Sequence[Phase],
        *,
        attempt: int = 1,
        gpu_seconds: float = 0.0,
        gpus: int = 0,
        publish: Callable[[Progress], None] = lambda progress: None,
        memory: Callable[[], MemoryStatus | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lock = threading.RLock()
        self._clock = clock
        self._phases = {phase.name: phase for phase in phases}
        self._publish, self._memory = publish, memory
        self._started = clock()
        self._started_at = now()
        self._gpu_seconds_before = gpu_seconds
        self._gpus = gpus
        self._finished: set[str] = set()
        self._current = phases[0]
        self._detail: str | None = None
        self._step = self._total = 0
        self._first_step = 0
        self._paces: dict[str, float] = {}
        self._phase_started = self._step_started = clock()
        self._step_seconds: deque[float] = deque(maxlen=WINDOW)
        self._percent = 0
        self._facts: dict[str, Any] = {"attempt": attempt}
        self._told: Progress | None = None
        self._gpu_seconds_told: float | None = None

    def plan(self, phases: Sequence[Phase]) -> None:
        """Replace the phases, once the data tells how much there is to do; the current one stays among them."""
        with self._lock:
            self._phases = {phase.name: phase for phase in phases}
            self._current = self._phases[self._current.name]

    def begin(self, name: str, detail: str = "", total: int = 0, done: int = 0) -> None:
        """Enter a phase of `total` steps, `done` of which earlier attempts did."""
        with self._lock:
            self._current = self._phases[name]
            self._detail, self._total, self._step, self._first_step = detail or None, total, done, done
            self._phase_started = self._step_started = self._clock()
            self._step_seconds.clear()
        self._announce()

    def say(self, detail: str) -> None:
        """Tell what the phase is doing."""
        with self._lock:
            self._detail = detail
        self._announce()

    def advance(self, step: int, detail: str | None = None) -> None:
        """Tell that the phase has reached a step."""
        with self._lock:
            moment = self._clock()
            steps = step - self._step
            if steps > 0:
                self._step_seconds.extend([(moment - self._step_started) / steps] * min(steps, WINDOW))
            self._step, self._step_started = step, moment
            self._detail = detail
        self._announce()

    def finish(self, name: str, *, earlier: bool = False) -> None:
        """Tell that a phase is over, or that an earlier attempt finished it."""
        with self._lock:
            # a phase without steps, such as loading, takes its time whatever the others cost: it tells no pace
            if not earlier and self._total:
                cost = self._phases[name].cost * (1 - self._first_step / self._total)
                if cost > 0:
                    self._paces[name] = (self._clock() - self._phase_started) / cost
            self._finished.add(name)
        self._announce()

    def report(self, **facts: Any) -> None:
        """Add facts to the report: training, evaluation, model, artifacts and the like, by the names of `Progress`."""
        with self._lock:
            self._facts |= facts
        self._announce()

    @property
    def gpu_seconds(self) -> float:
        """GPU-seconds over all attempts."""
        return self._gpu_seconds_before + self._gpus * (self._clock() - self._started)

    def progress(self) -> Progress:
        """Return the whole report: another one only when the run has changed, or has taken another minute of GPUs."""
        with self._lock:
            if self._gpu_seconds_told is None or self.gpu_seconds - self._gpu_seconds_told >= 60 * self._gpus > 0:
                self._gpu_seconds_told = round(self.gpu_seconds, 1)
            report = self._report(self._told.progress.updated_at if self._told else now())
            if self._told and report.model_copy(update={"gpu_seconds": self._told.gpu_seconds}) != self._told:
                self._gpu_seconds_told = round(self.gpu_seconds, 1)
                report = self._report(now())
            self._told = report
            return report

    def _report(self, updated_at: str) -> Progress:
        return Progress(
            started_at=self._started_at,
            stage=self._current.stage,
            progress=self._status(updated_at),
            gpu_seconds=self._gpu_seconds_told or 0.0,
            memory=self._memory(),
            **self._facts,
        )

    def _announce(self) -> None:
        self._publish(self.progress())

    def _status(self, updated_at: str) -> ProgressStatus:
        self._percent = max(self._percent, self._share_done())
        counted = f" ({self._step}/{self._total})" if self._total else ""
        left = self._seconds_left()
        return ProgressStatus(
            display=f"{self._percent}%{counted}",
            percent=self._percent,
            detail=self._detail,
            step=self._step if self._total else None,
            total_steps=self._total or None,
            step_seconds=round(statistics.median(self._step_seconds), 3) if self._step_seconds else None,
            eta=None if left is None else duration(left),
            eta_seconds=None if left is None else round(left),
            updated_at=updated_at,
        )

    def _share_done(self) -> int:
        whole = sum(phase.cost for phase in self._phases.values())
        done = sum(self._phases[name].cost for name in self._finished)
        if self._current.name not in self._finished and self._total:
            done += self._current.cost * self._step / self._total
        everything = len(self._finished) == len(self._phases)
        return 100 if everything else min(99, math.floor(100 * done / whole))

    def _seconds_left(self) -> float | None:
        """Return the cost that is left at this attempt's pace; None before there is a pace."""
        left = {phase.name: phase.cost for phase in self._phases.values() if phase.name not in self._finished}
        pace = max(self._paces.values(), default=None)
        if self._current.name in left and self._total:
            left[self._current.name] *= 1 - self._step / self._total
            pace = None
            if self._step_seconds:
                pace = statistics.median(self._step_seconds) * self._total / self._current.cost
        return sum(left.values()) * pace if pace is not None else None


def now() -> str:
    """Return the time as the API writes it: RFC 3339 in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
