"""What rewards need beside their spec."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reasoning_contract.spec import RewardBox, Unscored

from ..data.sources import Locate
from ..job import Inputs
from .box import Box, BoxClient, BoxProcess


@dataclass(frozen=True)
class Surroundings:
    """What rewards need beside their spec.

    Attributes
    ----------
    locate
        Finds the file of a ConfigMap's key.
    say
        Prints a line for people.
    guard
        ``spec.guards.unscored``.
    settings
        ``spec.rewardBox``.
    socket
        Where the box's sidecar listens; without one the box is a child process.
    variables
        Environment variables, with the headers of HTTP rewards.
    """

    locate: Locate = Inputs(None, None).locate
    say: Callable[[str], None] = print
    guard: Unscored = Unscored()
    settings: RewardBox = RewardBox()
    socket: Path | None = None
    variables: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def make_box(self) -> Box:
        """Return a box, which is not started yet."""
        if self.socket:
            return BoxClient(self.socket, self.settings.on_missing_wall)
        return BoxProcess(on_missing_wall=self.settings.on_missing_wall)
