"""What a preflight found, as it travels from its pod into the status."""

from __future__ import annotations

from typing import Literal

from .rules import Part
from .text import Told


class Finding(Part):
    """One thing that is to be mended, or to be known."""

    level: Literal["warning", "error"]
    """An error keeps the job from being trained."""
    where: Told
    """What it is about: a field of the spec, or a part of the run."""
    message: Told
    """What was found."""
    hint: Told = ""
    """How to fix it."""

    @property
    def told(self) -> str:
        """Where, what and how to fix it, in one text."""
        return f"{self.where}: {self.message}" + (f" ({self.hint})" if self.hint else "")
