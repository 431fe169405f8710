"""The folder of a run on the volume: what lies where, and how it is written so that a crash spoils nothing.

::

    run.lock                    held while an attempt runs
    progress.json               the last report, with the attempt's number
    attempts.json               the attempts that have ended, and how
    commits.json                which commits of Hub repositories are taken: a new attempt takes the same
    recipe.json                 what is learned: a new attempt must agree with it
    course.json                 how the run goes on, and the steps from which on that was changed
    backend.json                the backend, where the GPU's memory decided
    largest_steps.json          what the largest steps took when they were tried
    <stage>/checkpoint-<step>/  checkpoints of warmup and reinforce; whole only with the file `complete`
    <stage>/adapter/            the adapter at the stage's end
    <stage>/history.jsonl       metrics of every step; with it the stage is finished
    difficulty/                 how often the model solved rows of train before RL, and which RL asks
    evaluation/<model>.json     score and verdict of every held-out row
    evaluation/<model>.jsonl    transcripts
    artifacts/<kind>/           what was asked for; gguf:q8_0 lies in gguf-q8_0
    conversion/                 the merged model while other formats are made from it
    tracking/                   what trackers of experiments write, and what they have been told
    report.html                 what came of it, for a browser; written while it runs too
    README.md                   model card
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.progress import Progress
from reasoning_contract.report import RunStage, SpecChange
from reasoning_contract.spec import Spec
from reasoning_contract.spec.changing import CHANGED_HINT, differences, is_course, is_recipe
from reasoning_contract.spec.nature import pick, pick_from

from ..errors import TrainerError

COMPLETE = "complete"
BASE_MODEL = "base_model.json"
STAGES: tuple[RunStage, ...] = ("warmup", "reinforce")
"""Stages that train."""


def write_atomic(path: Path, text: str) -> None:
    """Replace a file in one step: whoever reads it, after a crash too, finds the old text or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    _sync(path.parent)


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as JSON lines, in one step."""
    write_atomic(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read JSON lines."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a folder to write into, which takes its place at `path` only when all is on the disk."""
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    _sync_tree(partial)
    shutil.rmtree(path, ignore_errors=True)
    partial.rename(path)
    _sync(path.parent)


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class StageFolder:
    """The folder of a training stage."""

    path: Path

    @property
    def adapter(self) -> Path:
        """The adapter at the end of the stage."""
        return self.path / "adapter"

    @property
    def history(self) -> Path:
        """Metrics of every step: written last, so that its presence says that the stage is finished."""
        return self.path / "history.jsonl"

    @property
    def is_done(self) -> bool:
        """Whether the stage is finished."""
        return self.history.exists()

    @property
    def last_step(self) -> int:
        """Last step of a finished stage."""
        return max((int(entry["step"]) for entry in read_lines(self.history)), default=0)

    def checkpoint(self, step: int) -> Path:
        """Return the folder of a checkpoint."""
        return self.path / f"checkpoint-{step}"

    def checkpoints(self) -> list[tuple[int, Path]]:
        """Return the complete checkpoints, oldest first."""
        found = ((int(path.name.rpartition("-")[2]), path) for path in self.path.glob("checkpoint-*"))
        return sorted((step, path) for step, path in found if (path / COMPLETE).exists())

    def seal(self, step: int, keep: int) -> None:
        """Declare a checkpoint complete once all of it is on the disk, and only then delete those beyond `keep`."""
        checkpoint = self.checkpoint(step)
        _sync_tree(checkpoint)
        write_atomic(checkpoint / COMPLETE, "")
        for _, old in self.checkpoints()[:-keep]:
            (old / COMPLETE).unlink()
            shutil.rmtree(old)

    def discard_incomplete(self) -> None:
        """Delete checkpoints that a killed attempt left half-written."""
        for path in self.path.glob("checkpoint-*"):
            if not (path / COMPLETE).exists():
                shutil.rmtree(path)


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run."""

    path: Path

    def stage(self, name: str) -> StageFolder:
        """Return the folder of a training stage."""
        return StageFolder(self.path / name)

    @property
    def evaluation(self) -> Path:
        """Scores and transcripts."""
        return self.path / "evaluation"

    @property
    def difficulty(self) -> Path:
        """How often the model solved rows of train before RL."""
        return self.path / "difficulty"

    @property
    def artifacts(self) -> Path:
        """What was asked for."""
        return self.path / "artifacts"

    @property
    def size(self) -> int:
        """Bytes of all that lies here."""
        return sum(map(_size, self.path.rglob("*")))

    @property
    def attempts(self) -> Path:
        """The attempts that have ended."""
        return self.path / "attempts.json"

    @property
    def tracking(self) -> Path:
        """What trackers of experiments write."""
        return self.path / "tracking"

    @property
    def report(self) -> Path:
        """The report, for a browser."""
        return self.path / "report.html"

    @property
    def conversion(self) -> Path:
        """What formats are made from; gone when all are written."""
        return self.path / "conversion"

    @contextmanager
    def lock(self) -> Iterator[int]:
        """Keep a second attempt out while this one writes; the lock falls with the last process that holds its file.

        Yields
        ------
        int
            The file's descriptor.

        Raises
        ------
        TrainerError
            If another process writes here: a lost node's pod may still run.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "run.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EAGAIN):
                    raise
                raise TrainerError(
                    ExitCode.TRANSIENT,
                    "RunFolderBusy",
                    f"another process is writing to {self.path}",
                    "two jobs must not share a run folder; a pod of an earlier attempt may still be ending",
                ) from None
            yield file.fileno()

    @property
    def choice(self) -> Path:
        """The backend that the first attempt chose, where the GPU's memory decided."""
        return self.path / "backend.json"

    @property
    def largest_steps(self) -> Path:
        """What the largest steps took when they were tried, and the sizes that fit."""
        return self.path / "largest_steps.json"

    def last_progress(self) -> Progress | None:
        """Return the last report of the attempt before this one; None for the first."""
        path = self.path / "progress.json"
        if not path.exists():
            return None
        # an attempt before an operator was taken back may have been made by a newer trainer
        return Progress.model_validate_json(path.read_text("utf-8"), extra="ignore")

    def save_progress(self, progress: Progress) -> None:
        """Keep the report for the next attempt."""
        write_atomic(self.path / "progress.json", progress.model_dump_json(by_alias=True, exclude_none=True))

    def agree_on_recipe(self, recipe: Mapping[str, Any], on_change: str) -> None:
        """Make sure that what lies here was made by the same recipe.

        Parameters
        ----------
        recipe
            What is to be learned, from `recipe_of`.
        on_change
            ``spec.checkpoint.onSpecChange``: refuse or startOver.

        Raises
        ------
        TrainerError
            If something is trained already, the recipe changed, and the spec does not say to start over; the changed
            fields are named.
        """
        self._agree(
            "recipe.json",
            recipe,
            "the spec",
            on_change,
            also=[self.choice, self.largest_steps, self._course],
            read=_read_recipe,
        )

    def agree_on_base_model(self, model: Mapping[str, Any], on_change: str) -> None:
        """Make sure in the same way that it was made from the same model.

        Parameters
        ----------
        model
            Its files, and what tells them apart.
        on_change
            ``spec.checkpoint.onSpecChange``.
        """
        self._agree(BASE_MODEL, model, "model.source", on_change, also=[self._course])

    @property
    def _course(self) -> Path:
        return self.path / "course.json"

    def take_course(self, spec: Spec, attempt: int) -> list[SpecChange]:
        """Keep how the run goes on from here, and return every change of that since something was trained.

        Parameters
        ----------
        spec
            The resolved spec.
        attempt
            Number of this attempt.
        """
        now = pick(spec, is_course)
        kept: dict[str, Any] = {"now": now, "changes": []}
        if self._course.exists():
            kept = json.loads(self._course.read_text("utf-8"))
        made = [SpecChange.model_validate(each, extra="ignore") for each in kept["changes"]]
        place = self._place()
        if place and (changed := differences(kept["now"], now)):
            stage, step = place
            made.append(SpecChange(stage=stage, step=step, attempt=attempt, changed=[*map(self._with_effect, changed)]))
        document = {"now": now, "changes": [each.model_dump(by_alias=True) for each in made]}
        write_atomic(self._course, json.dumps(document, ensure_ascii=False))
        return made

    def _place(self) -> tuple[RunStage, int] | None:
        """Return the stage and its step from which this attempt goes on; None if nothing is trained."""
        for name in reversed(STAGES):
            stage = self.stage(name)
            if stage.is_done:
                return name, max((int(entry["step"]) for entry in read_lines(stage.history)), default=0)
            if checkpoints := stage.checkpoints():
                return name, checkpoints[-1][0]
        return None

    def _with_effect(self, change: str) -> str:
        done = change.partition(".")[0] in STAGES and self.stage(change.partition(".")[0]).is_done
        return f"{change} (no effect: that stage is done)" if done else change

    def _agree(
        self,
        name: str,
        now: Mapping[str, Any],
        what: str,
        on_change: str,
        also: Iterable[Path] = (),
        read: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
    ) -> None:
        path = self.path / name
        before = read(json.loads(path.read_text("utf-8"))) if path.exists() else now
        changed = differences(before, now)
        if changed and self._place() and on_change == "refuse":
            raise TrainerError(
                ExitCode.SPEC_CHANGED,
                "SpecChanged",
                f"{what} changed since the checkpoints in {self.path} were made: {'; '.join(changed)}",
                CHANGED_HINT,
            )
        if changed:
            self._start_over(also)
        write_atomic(path, json.dumps(now, ensure_ascii=False))

    def _start_over(self, also: Iterable[Path]) -> None:
        for name in (*STAGES, "difficulty", "evaluation", "artifacts", "conversion", "tracking"):
            if (self.path / name).exists():
                shutil.rmtree(self.path / name)
        # last: until all is gone, whoever is killed here must find again that something changed
        for path in (*also, self.path / BASE_MODEL):
            path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    """Return a file's bytes; none of one that has gone since it was listed: the supervisor writes there meanwhile."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0


def recipe_of(spec: Spec, rows: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that decides what is learned: parts of the resolved spec, and what tells the rows apart."""
    return pick(spec, is_recipe) | {"rows": rows}


def _read_recipe(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a recipe as it was kept: an earlier version kept there what may change in mid-run too."""
    beside = {name: value for name, value in document.items() if name in ("rows", "rewardCode")}
    return pick_from(Spec, document, is_recipe) | beside
