"""What the stages of one attempt share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoning_contract.spec import Spec

from .interruption import Interruption
from .job import Inputs, Job
from .run_folder import RunFolder
from .tracker import Tracker

if TYPE_CHECKING:
    from .backends.base import Backend


@dataclass(frozen=True)
class Attempt:
    """One attempt at a job.

    Attributes
    ----------
    job
        The job.
    inputs
        Where its sources lie.
    folder
        Where it writes.
    tracker
        Where it reports.
    interruption
        Whether it is told to stop.
    say
        Prints a line for people.
    """

    job: Job
    inputs: Inputs
    folder: RunFolder
    tracker: Tracker
    interruption: Interruption
    say: Callable[[str], None]

    @property
    def spec(self) -> Spec:
        """The resolved spec."""
        return self.job.spec


@dataclass
class Policy:
    """The model that is trained, with what belongs to it. Stages change its adapter in place.

    Attributes
    ----------
    backend
        The library that holds it.
    model, tokenizer
        The library's own objects.
    folder
        Where the base model lies on this machine.
    revision
        Commit of the Hub repository; None for a model from elsewhere.
    system_role
        Whether its chat template knows a system role.
    new_tokens
        Tokens that were added to the vocabulary.
    """

    backend: Backend
    model: Any
    tokenizer: Any
    folder: Path
    revision: str | None = None
    system_role: bool = True
    new_tokens: list[int] = field(default_factory=list)
