"""What the guards share that look at the steps of a stage."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic, Protocol, TypeVar

from reasoning_contract.progress import GuardCondition
from reasoning_contract.report import TrainingStatus

from .verdict import Action, Verdict
from .window import Window

T = TypeVar("T")


class Settings(Protocol):
    """What ``spec.guards`` says of each of them."""

    @property
    def action(self) -> Action:
        """What happens when it trips."""

    @property
    def window_steps(self) -> int:
        """Steps that it looks at."""


class StepGuard(ABC, Generic[T]):
    """Judges a window of steps.

    Parameters
    ----------
    settings
        Its part of ``spec.guards``.
    """

    condition: ClassVar[GuardCondition]
    """Condition of the object that is true while there is no problem."""

    def __init__(self, settings: Settings) -> None:
        self._is_off = settings.action == "off"
        self._window: Window[T] = Window(settings.window_steps)

    def update(self, training: TrainingStatus) -> Verdict | None:
        """Take in the metrics of one step; return a verdict once the window is full.

        Steps without the figure that it looks at are left out.
        """
        seen = None if self._is_off else self.look(training)
        window = None if seen is None else self._window.fill(seen)
        return None if window is None else self.judge(window)

    @abstractmethod
    def look(self, training: TrainingStatus) -> T | None:
        """Return what is kept of a step; None if it has nothing of it."""

    @abstractmethod
    def judge(self, window: Sequence[T]) -> Verdict:
        """Judge a full window, oldest step first."""
