"""What a guard says of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.problem import Problem
from reasoning_contract.progress import GuardReport

from ..errors import TrainerError

Action = Literal["fail", "warn", "off"]
WITHIN = "WithinBounds"
"""Reason of a condition while there is no problem."""


@dataclass(frozen=True)
class Verdict:
    """What a guard says.

    Attributes
    ----------
    message
        The figures behind the verdict.
    problem
        What is wrong, and how the attempt ends if the action is ``fail``; None if the run may go on.
    action
        What the spec asks for if there is a problem.
    """

    message: str
    problem: Problem | None = None
    action: Action = "fail"

    @classmethod
    def against(cls, exit_code: ExitCode, reason: str, message: str, hint: str, action: Action = "fail") -> Verdict:
        """Return the verdict that the run has a problem."""
        return cls(message, Problem(exit_code=exit_code, reason=reason, message=message, hint=hint), action)

    @property
    def ok(self) -> bool:
        """Whether the run may go on."""
        return self.problem is None

    def raise_if_failed(self) -> None:
        """Raise `TrainerError` if the run may not go on and the spec asks for an end; a warning passes."""
        if self.problem and self.action == "fail":
            raise TrainerError.of(self.problem)

    def to_report(self, condition: str) -> GuardReport:
        """Return the verdict as the progress report carries it, under the condition that the operator makes of it."""
        if self.problem is None:
            return GuardReport(condition=condition, ok=True, reason=WITHIN, message=self.message)
        return GuardReport(condition=condition, ok=False, reason=self.problem.reason, message=self.problem.told)
