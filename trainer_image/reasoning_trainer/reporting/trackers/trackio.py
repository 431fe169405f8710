"""Trackio, into the run's folder or a Space of the Hub."""

from __future__ import annotations

import os
from collections.abc import Mapping

from reasoning_contract.spec import Tracking

from .sink import Identity


class Trackio:
    """A run that attempts go on with by its name."""

    settles = True

    def __init__(self, settings: Tracking, identity: Identity) -> None:
        # it is read when the library is imported
        os.environ.setdefault("TRACKIO_DIR", str(identity.folder / "trackio"))
        import trackio

        space = settings.trackio.space if settings.trackio else None
        config = {"job": identity.job, "attempt": identity.attempt}
        self._run = trackio.init(
            project=settings.project, name=identity.run, space_id=space, config=config, resume="allow"
        )

    def log(self, group: str, step: int, figures: Mapping[str, float]) -> None:
        """Hand figures to the thread that sends them."""
        self._run.log({f"{group}/{name}": value for name, value in figures.items()} | {f"{group}/step": step})

    def close(self, *, done: bool) -> None:
        """Have the rest sent."""
        self._run.finish()
