"""What becomes of a run whose box cannot be had."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from reasoning_contract.exit_codes import ExitCode

from ..errors import TrainerError
from .box import BoxError, MissingWallError


@contextmanager
def of_box(reward: str) -> Iterator[None]:
    """Tell a reward's errors of its box as the run's.

    Raises
    ------
    TrainerError
        If there is no box, or none that is shut.
    """
    try:
        yield
    except MissingWallError as error:
        raise TrainerError(
            ExitCode.NOT_SUPPORTED,
            "RewardBoxOpen",
            f"reward {reward} is not run: {error}",
            "run it on a newer kernel or, where something else shuts it in, set rewardBox.onMissingWall: run",
        ) from error
    except BoxError as error:
        raise TrainerError(
            ExitCode.TRANSIENT, "RewardBoxUnavailable", f"reward {reward} cannot be run: {error}"
        ) from error
