"""Watch and run ReasoningTrainingJobs from Python: `Job`, and the errors that it raises.

What needs a library is imported when it is asked for: the command line is to answer at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import ClientError
    from .sdk import Job, JobFailedError

__all__ = ["ClientError", "Job", "JobFailedError"]


def __getattr__(name: str) -> Any:
    if name == "ClientError":
        from .errors import ClientError

        return ClientError
    if name in ("Job", "JobFailedError"):
        from . import sdk

        return getattr(sdk, name)
    raise AttributeError(f"module {__name__} has no attribute {name}")
