"""What a tracker is to the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from reasoning_contract.spec import Tracking


@dataclass(frozen=True)
class Identity:
    """Which run it is that figures belong to.

    Attributes
    ----------
    job
        Name of the job.
    attempt
        Number of this attempt.
    run
        What all attempts share, and no other run has.
    folder
        Where on the volume trackers write.
    """

    job: str
    attempt: int
    run: str
    folder: Path

    @property
    def title(self) -> str:
        """What people see it under."""
        return f"{self.job}, attempt {self.attempt}"


class Sink(Protocol):
    """A tracker with its run open."""

    @property
    def settles(self) -> bool:
        """Whether what it has taken outlives a kill of this process at once; else only once it is closed."""

    def log(self, group: str, step: int, figures: Mapping[str, float]) -> None:
        """Take the figures of a step."""

    def close(self, *, done: bool) -> None:
        """End the run: for good, or so that another attempt goes on with it."""


class Kind(Protocol):
    """Opens the run of a tracker: anew, or where an earlier attempt left it."""

    def __call__(self, settings: Tracking, identity: Identity) -> Sink:
        """Open it."""
