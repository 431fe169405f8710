"""The error that ends an attempt with a reason, a message and a hint."""

from __future__ import annotations

from reasoning_contract.outcome import ExitCode


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
    """

    def __init__(self, exit_code: ExitCode, reason: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.reason = reason
        self.message = message
        self.hint = hint


def invalid_data(reason: str, message: str, hint: str) -> TrainerError:
    """Return the error for rows that cannot be had or used."""
    return TrainerError(ExitCode.DATA_INVALID, reason, message, hint)
