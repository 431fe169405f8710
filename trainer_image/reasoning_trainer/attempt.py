"""What the stages of a command share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoning_contract.spec import Spec

from .chat.chat import Chat
from .interruption import Interruption
from .job import Inputs, Job
from .reporting.tracker import Tracker
from .reporting.trackers import Trackers
from .storage.commits import Commits
from .storage.run_folder import RunFolder

if TYPE_CHECKING:
    from .backends.base import Backend


@dataclass(frozen=True, kw_only=True)
class Context:
    """A job that is worked on: trained, or only evaluated.

    Attributes
    ----------
    job
        The job.
    inputs
        Where its sources lie.
    tracker
        Where it reports.
    interruption
        Whether it is told to stop.
    say
        Prints a line for people.
    commits
        Commits of the Hub repositories that it takes.
    """

    job: Job
    inputs: Inputs
    tracker: Tracker
    interruption: Interruption
    say: Callable[[str], None]
    commits: Commits = field(default_factory=Commits)

    @property
    def spec(self) -> Spec:
        """The resolved spec."""
        return self.job.spec


@dataclass(frozen=True, kw_only=True)
class Attempt(Context):
    """One attempt at training.

    Attributes
    ----------
    folder
        Where it writes.
    trackers
        What takes its figures beside the reports.
    """

    folder: RunFolder
    trackers: Trackers = field(default_factory=Trackers)


@dataclass(kw_only=True)
class Policy(Chat):
    """The model that is trained, with what belongs to it. Stages change its adapter in place.

    Attributes
    ----------
    backend
        The library that holds it.
    model
        The library's own object.
    folder
        Where the base model lies on this machine.
    revision
        Commit of the Hub repository; None for a model from elsewhere.
    """

    backend: Backend
    model: Any
    folder: Path
    revision: str | None = None
