"""What the trainer's exit codes mean. Of the standard library alone: the trainer needs one before it imports more."""

from __future__ import annotations

from enum import IntEnum

USERS_FAULT = range(64, 80)
"""Exit codes after which another attempt would end the same way: the user's to mend, never retried."""


class ExitCode(IntEnum):
    """Exit codes of the trainer. Beside `USERS_FAULT` and 0, 80 to 89 may pass and 90 costs no attempt.

    Whatever else a process ends with, `INTERNAL_ERROR` included, costs one.
    """

    DONE = 0
    INTERNAL_ERROR = 1
    """What nobody foresaw."""
    SPEC_INVALID = 64
    DATA_INVALID = 65
    MODEL_INVALID = 66
    REWARD_FAILED = 67
    NOT_LEARNING = 68
    DIVERGED = 69
    NOT_IMPROVED = 70
    SPEC_CHANGED = 71
    OUT_OF_GPU_MEMORY = 72
    EXPORT_FAILED = 73
    BUDGET_SPENT = 74
    NOT_SUPPORTED = 75
    STORAGE_FULL = 76
    OUT_OF_MEMORY = 77
    SELF_CHECK_FAILED = 78
    TRANSIENT = 80
    INTERRUPTED = 90
    """Told to stop; a checkpoint is saved."""

    @property
    def is_users_fault(self) -> bool:
        """Whether another attempt would end the same way."""
        return self in USERS_FAULT
