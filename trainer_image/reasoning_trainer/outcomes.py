"""Tells what an error means for an attempt."""

from __future__ import annotations

import traceback
from pathlib import Path

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_contract.report import RunStage
from reasoning_contract.spec import Spec

from .errors import TrainerError
from .resource_failures import causes, resource_failure


def outcome_of(
    error: Exception, spec: Spec | None = None, stage: RunStage | None = None, volume: Path | None = None
) -> Outcome:
    """Return how an error ends an attempt; one that nobody foresaw goes to the log with its traceback.

    Parameters
    ----------
    error
        The error.
    spec
        The job; None before it is read.
    stage
        What was being done; None before anything was.
    volume
        The run's folder; where the process runs when None.
    """
    known = next((each for each in causes(error) if isinstance(each, TrainerError)), None)
    known = known or resource_failure(error, spec, stage, volume or Path.cwd())
    if known:
        return Outcome.of(known.problem)
    traceback.print_exception(error)
    return Outcome(
        exit_code=ExitCode.INTERNAL_ERROR,
        reason="InternalError",
        message=f"{type(error).__name__}: {error}",
        hint="the log of the pod has the traceback",
    )
