"""What is wrong and what to do about it: the one form that both sides, the last word and the status have for it."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from .rules import Part
from .text import Told


class Problem(Part):
    """Something that keeps a job from running as it should, or ended it."""

    reason: str
    """Why, in one CamelCase word: DatasetColumnMissing, Interrupted ..."""
    message: Told
    """What happened."""
    hint: Told = ""
    """What to do."""
    field: str | None = None
    """Field of the spec that is to be mended, where it is one."""
    exit_code: int | None = None
    """Exit code of the trainer: 64 to 79 is the user's to mend, 80 to 89 may pass, 90 is an interruption."""
    final: SkipJsonSchema[bool] = Field(default=False, exclude=True)
    """Whether the operator lets the job fail by it, whatever else may happen in the cluster: its own decision, which no
    document carries. An exit code speaks for itself."""

    @classmethod
    def of(cls, problem: Problem, **more: Any) -> Self:
        """Return a problem in the form of this class, with what only this class has."""
        return cls(**{name: getattr(problem, name) for name in Problem.model_fields} | more)

    @property
    def told(self) -> str:
        """What happened and what to do, in one text."""
        return "; ".join(filter(None, (self.message, self.hint)))
