"""The error that ends an attempt with a problem that has a name."""

from __future__ import annotations

from typing import Any

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.problem import Problem


class TrainerError(Exception):
    """A failure that the user is told about by name, instead of by a traceback.

    Parameters
    ----------
    exit_code
        How the process ends; its class says whether another attempt can help.
    reason
        Why, in one CamelCase word.
    message
        What happened, naming the field, file or row.
    hint
        What to do.
    more
        Further fields of a `Problem`.

    Attributes
    ----------
    problem
        All of it.
    """

    def __init__(self, exit_code: ExitCode, reason: str, message: str, hint: str = "", **more: Any) -> None:
        super().__init__(message)
        self.problem = Problem(exit_code=exit_code, reason=reason, message=message, hint=hint, **more)

    @classmethod
    def of(cls, problem: Problem) -> TrainerError:
        """Return the error that ends an attempt with a problem."""
        return cls(**dict(problem))

    @property
    def exit_code(self) -> ExitCode:
        """How the process ends."""
        return ExitCode(self.problem.exit_code or ExitCode.INTERNAL_ERROR)

    @property
    def reason(self) -> str:
        """Why, in one CamelCase word."""
        return self.problem.reason

    @property
    def message(self) -> str:
        """What happened."""
        return self.problem.message

    @property
    def hint(self) -> str:
        """What to do."""
        return self.problem.hint


def invalid_data(reason: str, message: str, hint: str) -> TrainerError:
    """Return the error for rows that cannot be had or used."""
    return TrainerError(ExitCode.DATA_INVALID, reason, message, hint)
