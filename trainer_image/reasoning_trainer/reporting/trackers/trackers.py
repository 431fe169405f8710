"""Hands the figures of a run to the trackers that the spec names. None of them ever ends a run."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from reasoning_contract.report import Score
from reasoning_contract.spec import Stage, Tracking

from .checks import wanted
from .journal import Journal
from .mlflow import MLflow
from .sink import Identity, Kind, Sink
from .tensorboard import TensorBoard
from .trackio import Trackio
from .weights_and_biases import WeightsAndBiases

KINDS: Mapping[str, Kind] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
    "trackio": Trackio,
}
CLOSE_SECONDS = 30.0
"""Longest time for a service to take the rest: it may be away, and the GPU is held meanwhile."""


@dataclass
class Trackers:
    """The trackers of an attempt, each opened when there is something to tell it.

    What fails is said once, and left out from then on; the next attempt tells what is missing.

    Parameters
    ----------
    settings
        ``spec.tracking``; None for no tracker.
    job
        Name of the job.
    attempt
        Number of the attempt.
    folder
        Where they write, and where what they were told is kept.
    say
        Tells people what fails.
    """

    settings: Tracking | None = None
    job: str = ""
    attempt: int = 1
    folder: Path = Path()
    say: Callable[[str], None] = lambda text: None
    _journal: Journal | None = None
    _sinks: dict[str, Sink | None] = field(default_factory=dict)

    def step(self, stage: str, step: int, logs: Mapping[str, Any]) -> None:
        """Tell what a trainer logged of a step, by the names that it gives."""
        self._tell(stage, step, logs)

    def history(self, stage: str, entries: Iterable[Mapping[str, Any]]) -> None:
        """Tell what trainers of earlier attempts logged, where a tracker has not got it."""
        for entry in entries:
            self._tell(stage, int(entry["step"]), entry)

    def evaluation(self, model: Stage, step: int, score: Score) -> None:
        """Tell how a model did on the held-out rows.

        Parameters
        ----------
        model
            Which model it is.
        step
            Steps of its stage that it had been trained for; 0 for the base.
        score
            What it reached.
        """
        figures = score.model_dump(exclude_none=True, by_alias=True)
        chances = {f"passAt{k}": chance for k, chance in figures.pop("passAtK", {}).items()}
        self._tell(f"evaluation/{model}", step, figures | chances)

    def close(self, *, done: bool) -> None:
        """Close those that were opened."""
        for name, sink in list(self._sinks.items()):
            if sink is not None:
                self._attempt(name, partial(self._close, name, sink, done=done))

    def _close(self, name: str, sink: Sink, *, done: bool) -> None:
        _close_in_time(sink, done=done)
        self._opened().settle(name)

    def _tell(self, group: str, step: int, values: Mapping[str, Any]) -> None:
        figures = {name: float(value) for name, value in values.items() if _is_figure(value)}
        for name in wanted(self.settings):
            if not self._opened().is_told(name, group, step):
                self._attempt(name, partial(self._hand, name, group, step, figures))

    def _hand(self, name: str, group: str, step: int, figures: Mapping[str, float]) -> None:
        if self.settings is None:
            return
        if name not in self._sinks:
            identity = Identity(self.job, self.attempt, self._opened().run, self.folder)
            self._sinks[name] = KINDS[name](self.settings, identity)
        sink = self._sinks[name]
        if sink is not None:
            sink.log(group, step, figures)
            self._opened().note(name, group, step, settled=sink.settles)

    def _attempt(self, name: str, do: Callable[[], None]) -> None:
        try:
            do()
        except Exception as error:  # a service that is away, a key that is wrong: whatever it is, the run is worth more
            self._sinks[name] = None
            self.say(f"warning: tracking.{name} gets no more figures of this attempt: {type(error).__name__}: {error}")

    def _opened(self) -> Journal:
        """Return the journal: of the run that is trained now, after what an earlier recipe left has been deleted."""
        if self._journal is None:
            self._journal = Journal(self.folder / "journal.json", self.job)
        return self._journal


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _close_in_time(sink: Sink, *, done: bool) -> None:
    errors: list[Exception] = []

    def close() -> None:
        try:
            sink.close(done=done)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=close, daemon=True)
    thread.start()
    thread.join(CLOSE_SECONDS)
    if thread.is_alive():
        raise TimeoutError(f"it took no more within {CLOSE_SECONDS:.0f} s")
    for error in errors:
        raise error
