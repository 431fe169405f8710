"""What trackers have been told: kept on the volume, so that a step made again after a resume is not told again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

from ...storage.run_folder import write_atomic


class Journal:
    """The run's id at trackers, and the last step of each group that each has been told.

    Parameters
    ----------
    path
        Its file; made by the first attempt.
    job
        Name of the job, which the id begins with.
    """

    def __init__(self, path: Path, job: str) -> None:
        self._path = path
        kept: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        self.run: str = kept.get("run") or f"{job}-{uuid4().hex[:8]}"
        self._told: dict[str, dict[str, int]] = kept.get("told", {})
        self._unsettled: dict[str, dict[str, int]] = {}
        if not kept:
            self._keep()

    def is_told(self, tracker: str, group: str, step: int) -> bool:
        """Whether a tracker has a step, or a later one."""
        return any(step <= told.get(tracker, {}).get(group, -1) for told in (self._told, self._unsettled))

    def note(self, tracker: str, group: str, step: int, *, settled: bool) -> None:
        """Note that it has been told; what is not settled is forgotten if this process is killed."""
        (self._told if settled else self._unsettled).setdefault(tracker, {})[group] = step
        if settled:
            self._keep()

    def settle(self, tracker: str) -> None:
        """Note that it has kept all that it was told."""
        self._told[tracker] = self._told.get(tracker, {}) | self._unsettled.pop(tracker, {})
        self._keep()

    def _keep(self) -> None:
        write_atomic(self._path, json.dumps({"run": self.run, "told": self._told}))
