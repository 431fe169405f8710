"""What goes wrong in a client, with what to do about it and the exit code that scripts see."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `rtj`; 64 to 90 are the trainer's, of commands that run it here."""

    DONE = 0
    UNEXPECTED = 1
    """What nobody foresaw."""
    USAGE = 2
    """Arguments that are not understood."""
    NOT_FOUND = 3
    """No such job, pod or file in the run."""
    NO_CLUSTER = 4
    """No kubeconfig, or nobody answers."""
    FORBIDDEN = 5
    """A right is missing; it is named."""
    NOT_INSTALLED = 6
    """The cluster does not know ReasoningTrainingJobs."""
    JOB_FAILED = 7
    """The job that was watched or waited for failed."""
    SPOILT = 8
    """What was downloaded is not what the run wrote."""
    TIMED_OUT = 9
    """The time that was given is over."""
    REFUSED = 10
    """The API server refused the object."""
    INVALID = 64
    """The manifest is not valid; the trainer's code for it."""


class ClientError(Exception):
    """Something that a command cannot go on without.

    Parameters
    ----------
    message
        What happened.
    hint
        What to do.
    code
        The exit code.
    """

    def __init__(self, message: str, hint: str = "", code: Exit = Exit.UNEXPECTED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message
