"""What rewards need beside their spec."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from reasoning_contract.api import BOX_VARIABLE, token_variable
from reasoning_contract.spec import ModelReward, RewardBox, Spec, Unscored

from ..data.sources import Locate
from ..job import Inputs
from ..storage.commits import Commits
from ..storage.hub_models import NO_COMMITS, NOT_READ, Wanted, fetch
from .box import Box, BoxClient, BoxProcess, Limits
from .perplexity import Likelihoods


@dataclass(frozen=True)
class Surroundings:
    """What rewards need beside their spec.

    Attributes
    ----------
    locate
        Finds the file of a ConfigMap's key.
    say
        Prints what functions print.
    complain
        Prints what they fail on.
    guard
        ``spec.guards.unscored``.
    box
        ``spec.rewardBox``.
    variables
        Environment variables: headers, keys and tokens of rewards, and where the box's sidecar listens.
    gpu
        Whether the job has a GPU.
    commits
        Commits of the run.
    base
        How likely the model finds completions as it was before any training; None where it is not loaded.
    """

    locate: Locate = Inputs(None, None).locate
    say: Callable[[str], None] = print
    complain: Callable[[str], None] = print
    guard: Unscored = field(default_factory=Unscored)
    box: RewardBox = field(default_factory=RewardBox)
    variables: Mapping[str, str] = field(default_factory=lambda: os.environ)
    gpu: bool = False
    commits: Commits = NO_COMMITS
    base: Likelihoods | None = None

    @classmethod
    def of(cls, spec: Spec, locate: Locate, say: Callable[[str], None], commits: Commits = NO_COMMITS) -> Self:
        """Return those of a job."""
        gpu = spec.parallelism.gpus_per_node > 0
        return cls(locate, say, say, spec.guards.unscored, spec.reward_box, gpu=gpu, commits=commits)

    def make_box(self, memory: int | None = None) -> Box:
        """Return a box, which is not started yet: that of the sidecar where there is one, else a child process.

        Parameters
        ----------
        memory
            Bytes that it may map, where that is less than usual.
        """
        if socket := self.variables.get(BOX_VARIABLE):
            return BoxClient(Path(socket), self.box.on_missing_wall, memory)
        limits = Limits() if memory is None else Limits(memory=memory)
        return BoxProcess(limits, on_missing_wall=self.box.on_missing_wall)

    def fetch_model(self, name: str, model: ModelReward, ignore: Sequence[str] = NOT_READ) -> Path:
        """Return the folder with a reward model's files, which are brought if they are not there.

        Parameters
        ----------
        name
            Name of the reward.
        model
            Its settings.
        ignore
            Patterns of the files that a download leaves out.

        Raises
        ------
        TrainerError
            If they cannot be had.
        """
        token = self.variables.get(token_variable(name)) or self.variables.get("HF_TOKEN")
        wanted = Wanted(f"rewards.{name}.model", model.source, model.revision, token)
        return fetch(wanted, self.locate, ignore, self.commits)[0]
