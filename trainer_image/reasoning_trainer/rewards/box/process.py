"""The box as a child process."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .answers import clean, read_answer, read_walls
from .child import START_SECONDS, Child, ChildError
from .inside.columns import pack
from .inside.confine import Limits
from .inside.frames import FrameError
from .inside.output import PRINT_LIMIT
from .inside.walls import Walls
from .interface import TRIES, BoxAnswer, BoxError, Function, OnMissingWall, Problem, demand, rows_of

HELPERS = Path(__file__).parents[1] / "functions"
"""What the trainer offers to reward functions for import."""


class BoxProcess:
    """A box that is a child process of this one.

    Parameters
    ----------
    limits
        What it may use up.
    on_missing_wall
        Whether it runs where a wall does not stand.
    tmp
        A folder for its files that is bounded by itself; without one it mounts its own where it may, and else has none.
    libraries
        Folders that it may read, and import from, beside the interpreter's own.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        on_missing_wall: OnMissingWall = "refuse",
        tmp: Path | None = None,
        libraries: Sequence[Path] = (HELPERS,),
    ) -> None:
        self._limits = limits or Limits()
        self._on_missing_wall = on_missing_wall
        self._bounded = tmp is not None
        self._parent = tmp
        self._libraries = [str(folder) for folder in libraries if folder.is_dir()]
        self._child: Child | None = None
        self._walls: Walls | None = None
        self._tmp: Path | None = None
        # the kernel kills a box with the thread that started it, and a caller's thread may end before
        self._spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="box")

    def start(self) -> Walls:
        """Start it, if it does not run: see `Box.start`."""
        if self._child is None or self._walls is None:
            self._tmp = Path(tempfile.mkdtemp(prefix="box-", dir=self._parent))
            self._child = Child(self._spawn, self._tmp)
            try:
                hello = self._child.exchange(self._site(self._tmp), START_SECONDS)
                self._walls = demand(read_walls(hello), self._on_missing_wall)
            except (ChildError, FrameError) as error:
                said = self._child.written()
                self._stop()
                raise BoxError(f"the box does not start: {error}\n{said}".rstrip()) from error
            except BoxError:
                self._stop()
                raise
        return self._walls

    def call(
        self, function: Function, arguments: Mapping[str, list[Any]], deadline: float, tries: int = TRIES
    ) -> BoxAnswer:
        """Call a function with a batch: see `Box.call`."""
        return self.call_packed(function, pack(arguments), rows_of(arguments), deadline, tries)

    def call_packed(
        self, function: Function, arguments: Mapping[str, Any], rows: int, deadline: float, tries: int = TRIES
    ) -> BoxAnswer:
        """Call a function with a batch whose columns are packed already, as a sidecar gets it: see `Box.call`."""
        for _ in range(tries):
            self.start()
            assert self._child is not None
            try:
                return self._ask(self._child, function, arguments, rows, deadline)
            except (ChildError, FrameError) as error:
                failure, printed = error, self._child.written()
                self._stop()
        return _unscored(function, rows, failure, printed, tries)

    def close(self) -> None:
        """End it: see `Box.close`."""
        self._stop()
        self._spawner.shutdown()

    def _ask(
        self, child: Child, function: Function, arguments: Mapping[str, Any], rows: int, deadline: float
    ) -> BoxAnswer:
        batch = secrets.token_hex(16)
        question = {
            "id": batch,
            "function": function.document(),
            "arguments": dict(arguments),
            "rows": rows,
            "deadline": deadline,
        }
        answer = read_answer(child.exchange(question, deadline, function.origin), batch, rows)
        printed = clean(answer.printed + child.written(), 2 * PRINT_LIMIT)
        return BoxAnswer(answer.values, answer.problems, printed)

    def _site(self, tmp: Path) -> dict[str, Any]:
        return {
            "limits": asdict(self._limits),
            "libraries": self._libraries,
            "tmp": str(tmp),
            "bounded": self._bounded,
        }

    def _spawn(self, command: list[str], **named: Any) -> subprocess.Popen[bytes]:
        return self._spawner.submit(lambda: subprocess.Popen(command, **named)).result()

    def _stop(self) -> None:
        if self._child:
            self._child.close()
        if self._tmp:
            shutil.rmtree(self._tmp, ignore_errors=True)
        self._child = self._walls = self._tmp = None


def _unscored(function: Function, rows: int, failure: Exception, printed: str, tries: int) -> BoxAnswer:
    """Return the answer to a batch that was tried often enough."""
    line = failure.line if isinstance(failure, ChildError) else None
    at = "" if line is None else f" (line {line} of {function.origin})"
    again = ", and again when the batch was tried once more" if tries > 1 else ""
    message = f"{function.name}{at}: {failure}{again}"
    return BoxAnswer([None] * rows, [Problem(None, message, line)], clean(printed, PRINT_LIMIT))
