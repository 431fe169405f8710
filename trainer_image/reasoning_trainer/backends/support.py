"""Refuses what the backends cannot do: pure, so that a job is refused before any library is imported."""

from __future__ import annotations

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import Spec
from reasoning_contract.unbuilt import unsupported

from ..errors import TrainerError


def check(spec: Spec) -> None:
    """Refuse what this version, or the backend of a resolved spec, cannot do.

    Raises
    ------
    TrainerError
        With reason NotSupported, every such field and a way out.
    """
    if gaps := unsupported(spec):
        message = "; ".join(f"{field}: {advice}" for field, advice in gaps)
        raise TrainerError(ExitCode.NOT_SUPPORTED, "NotSupported", message, "change the fields named", field=gaps[0][0])
