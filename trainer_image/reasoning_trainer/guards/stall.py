"""A run that stands still: it holds its GPU, and nothing comes of it."""

from __future__ import annotations

from collections.abc import Callable

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.progress import GuardCondition, Progress
from reasoning_contract.spec import Stall

from .verdict import Verdict

CONDITION: GuardCondition = "Progressing"


class StallGuard:
    """Compares how long a run has had nothing new to report with its bound.

    Parameters
    ----------
    settings
        ``spec.guards.stall``.
    moment
        When the run began, in seconds since any moment.
    """

    def __init__(self, settings: Stall, moment: float) -> None:
        self._settings, self._moved = settings, moment
        self._told: dict[str, object] = {}

    @property
    def moved(self) -> float:
        """When there was progress last."""
        return self._moved

    def take(self, progress: Progress, moment: float) -> None:
        """Take in a report; one that says what the last one said is no progress."""
        told = _substance(progress)
        if told != self._told:
            self._told, self._moved = told, moment

    def seconds_left(self, moment: float) -> float:
        """Return how long the run may go on without progress."""
        return self._moved + self._settings.timeout_seconds - moment

    def judge(self, progress: Progress, moment: float, calls: Callable[[], str]) -> Verdict:
        """Judge the run as it is.

        Parameters
        ----------
        progress
            Its last report.
        moment
            The time.
        calls
            Tells what the run is doing, innermost call first; asked only if it stands still.
        """
        still = moment - self._moved
        place = f"in stage {progress.stage}, {_place(progress)}"
        if self.seconds_left(moment) > 0:
            return Verdict(f"the run goes on, {place}")
        return Verdict.against(
            message=f"no progress for {still:.0f} s {place}; guards.stall.timeoutSeconds allows "
            f"{self._settings.timeout_seconds}; it hangs in {calls()}",
            action="warn" if self._settings.action == "warn" else "fail",
            exit_code=ExitCode.TRANSIENT,
            reason="Stalled",
            hint="another attempt goes on from the last checkpoint; the log has the calls of every thread; raise "
            "guards.stall.timeoutSeconds if a single step may take so long",
        )


def _substance(progress: Progress) -> dict[str, object]:
    """Return what a report says, but for what grows with time alone."""
    return progress.model_dump(exclude={"gpu_seconds": True, "memory": True, "progress": {"updated_at"}})


def _place(progress: Progress) -> str:
    status = progress.progress
    parts = [f"step {status.step} of {status.total_steps}"] if status.total_steps else []
    return ", ".join([*parts, *filter(None, [status.detail])]) or status.display
