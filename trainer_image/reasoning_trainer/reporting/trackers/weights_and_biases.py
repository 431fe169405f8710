"""Weights & Biases, online or into the run's folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from reasoning_contract.spec import Tracking, WandB

from .sink import Identity

INIT_SECONDS = 60
CLOSED = "closed"
"""File in the folder of an offline run that is whole."""


class WeightsAndBiases:
    """A run that attempts go on with by its id.

    Online, a process of the library's sends figures within seconds; what a kill takes from it is lost there. Offline,
    nothing is.

    Every group has a count of steps of its own, `GROUP/step`: warm-up and RL both begin at 1.
    """

    def __init__(self, settings: Tracking, identity: Identity) -> None:
        # else it writes a line of its own for every group of figures
        os.environ.setdefault("WANDB_SILENT", "true")
        import wandb

        own = settings.wandb or WandB()
        self.settles = own.mode == "online"
        identity.folder.mkdir(parents=True, exist_ok=True)
        _discard_unclosed(identity.folder)
        self._run = wandb.init(
            project=settings.project,
            entity=own.entity,
            name=identity.title,
            group=identity.job,
            id=identity.run,
            resume="allow",
            mode=own.mode,
            dir=str(identity.folder),
            config={"job": identity.job, "attempt": identity.attempt},
            settings=wandb.Settings(
                base_url=own.url or "https://api.wandb.ai",
                console="off",
                disable_code=True,
                disable_git=True,
                init_timeout=INIT_SECONDS,
                save_code=False,
                silent=True,
            ),
        )
        self._defined: set[str] = set()

    def log(self, group: str, step: int, figures: Mapping[str, float]) -> None:
        """Hand figures to the process that sends them."""
        if group not in self._defined:
            self._defined.add(group)
            self._run.define_metric(f"{group}/*", step_metric=f"{group}/step")
        self._run.log({f"{group}/step": step} | {f"{group}/{name}": value for name, value in figures.items()})

    def close(self, *, done: bool) -> None:
        """Have the rest sent."""
        self._run.finish(exit_code=0 if done else 1)
        if not self.settles:
            (Path(self._run.dir).parent / CLOSED).touch()


def _discard_unclosed(folder: Path) -> None:
    """Delete what killed attempts left of an offline run: the library writes most of it at the end.

    The journal has none of it, and it is told again, from the histories.
    """
    for path in folder.glob("wandb/offline-run-*"):
        if not (path / CLOSED).exists():
            shutil.rmtree(path)
