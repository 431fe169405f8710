"""Which commit of each Hub repository a run takes: found once, and taken again by every later attempt."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from .run_folder import write_atomic


@dataclass(frozen=True)
class Commits:
    """The commits of a run. A branch that has moved on between two attempts would change what is learned from, or on.

    Attributes
    ----------
    path
        The file that keeps them; None where nothing outlasts the process.
    """

    path: Path | None = None

    def pinned(self, repository: str, revision: str | None) -> str | None:
        """Return what to ask the Hub for: the commit that an earlier attempt took, else the revision itself."""
        return self._read().get(_key(repository, revision), revision)

    def pin(self, repository: str, revision: str | None, commit: str) -> None:
        """Keep the commit that a revision stood for."""
        if self.path is not None:
            write_atomic(self.path, json.dumps(self._read() | {_key(repository, revision): commit}, indent=2))

    def _read(self) -> dict[str, str]:
        if self.path is None or not self.path.exists():
            return {}
        found: dict[str, str] = json.loads(self.path.read_text("utf-8"))
        return found


def _key(repository: str, revision: str | None) -> str:
    return f"{repository}@{revision}" if revision else repository
