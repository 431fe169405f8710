"""What rewards need beside their spec."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from reasoning_contract.api import BOX_VARIABLE
from reasoning_contract.spec import RewardBox, Spec, Unscored

from ..data.sources import Locate
from ..job import Inputs
from .box import Box, BoxClient, BoxProcess, Limits


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
        Environment variables: the headers of HTTP rewards, and where the box's sidecar listens.
    """

    locate: Locate = Inputs(None, None).locate
    say: Callable[[str], None] = print
    complain: Callable[[str], None] = print
    guard: Unscored = field(default_factory=Unscored)
    box: RewardBox = field(default_factory=RewardBox)
    variables: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @classmethod
    def of(cls, spec: Spec, locate: Locate, say: Callable[[str], None]) -> Self:
        """Return those of a job."""
        return cls(locate, say, say, spec.guards.unscored, spec.reward_box)

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
