"""TensorBoard's event files, one an attempt, all in one folder: TensorBoard shows them as one run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import redirect_stderr
from io import StringIO

from reasoning_contract.spec import Tracking

from .sink import Identity


class TensorBoard:
    """Event files on the volume."""

    settles = True

    def __init__(self, settings: Tracking, identity: Identity) -> None:
        with redirect_stderr(StringIO()):  # it complains at length that TensorFlow is not there
            from torch.utils.tensorboard import SummaryWriter

        suffix = f".{identity.job}.attempt-{identity.attempt}"
        self._writer = SummaryWriter(str(identity.folder / "tensorboard"), filename_suffix=suffix)

    def log(self, group: str, step: int, figures: Mapping[str, float]) -> None:
        """Write figures into the file."""
        for name, value in figures.items():
            self._writer.add_scalar(f"{group}/{name}", value, step)
        self._writer.flush()

    def close(self, *, done: bool) -> None:
        """Close the file."""
        self._writer.close()
