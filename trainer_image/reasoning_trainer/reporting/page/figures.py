"""What a page is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reasoning_contract.outcome import Outcome
from reasoning_contract.progress import Progress
from reasoning_contract.report import TrainingStatus

from ..attempts import AttemptRecord

Curve = Sequence[tuple[int, TrainingStatus]]
"""Metrics of a stage by step, in their order."""


@dataclass(frozen=True)
class Sample:
    """What a model wrote to a held-out prompt, and whether it was right; None where nothing tells."""

    prompt: str | None
    answer: str | None
    completion: str
    right: bool | None


@dataclass(frozen=True)
class HeldOut:
    """What one model made of the held-out rows.

    Attributes
    ----------
    name
        ``base``, ``warmup``, ``reinforce``, or ``reinforce-STEP`` for the model in the middle of RL.
    right
        Whether each row was answered rightly; empty where the rows are pairs.
    preferred
        Whether the chosen completion of each row is the likelier one; empty where there are no pairs.
    samples
        Transcripts of the first rows.
    """

    name: str
    right: Sequence[bool] = ()
    preferred: Sequence[bool] = ()
    samples: Sequence[Sample] = ()

    @property
    def step(self) -> int | None:
        """Step of RL that the model is of; None for a model at the end of a stage."""
        number = self.name.rpartition("-")[2]
        return int(number) if number.isdigit() else None

    @property
    def verdicts(self) -> Sequence[bool]:
        """What is counted: right answers, or preferred pairs."""
        return self.right or self.preferred


@dataclass(frozen=True)
class Figures:
    """A run.

    Attributes
    ----------
    name
        Of the job.
    source
        Of the model.
    progress
        The last report.
    outcome
        How the attempt ended; None while it runs.
    curves
        Metrics by stage.
    held_out
        Evaluations in the order of training.
    rows
        Of every set of rows: how many, and the digest of what they hold.
    attempts
        Attempts that have ended; this one too, once it has.
    files
        Of the base model: how many, and a digest of what they hold; empty where its commit says so.
    versions
        Of the libraries.
    image
        Image that it runs in; None where nothing says so.
    given, resolved
        The spec as it was given and as it was run, in YAML.
    """

    name: str
    source: str
    progress: Progress
    outcome: Outcome | None = None
    curves: Mapping[str, Curve] = field(default_factory=dict)
    held_out: Sequence[HeldOut] = ()
    rows: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    attempts: Sequence[AttemptRecord] = ()
    files: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None
    given: str = ""
    resolved: str = ""

    def of_model(self, name: str) -> HeldOut | None:
        """Return the evaluation of a model; None if it was not evaluated."""
        return next((each for each in self.held_out if each.name == name), None)

    @property
    def last(self) -> HeldOut | None:
        """The evaluation of the model at the end of the last stage; None where only the base was evaluated."""
        return self.of_model("reinforce") or self.of_model("warmup")
