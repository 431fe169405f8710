"""Runs one attempt from manifest to last word."""

from __future__ import annotations

import errno
import os
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from reasoning_contract.outcome import ExitCode, Outcome
from reasoning_contract.progress import Progress

from . import pipeline
from .attempt import Attempt
from .commits import Commits
from .display import Display
from .errors import TrainerError
from .exporter import Exporter
from .interruption import Interruption, interrupted
from .job import Job, inputs_of, read_job
from .run_folder import RunFolder
from .tracker import Phase, Tracker

INTERNAL_ERROR = 1
"""Exit code of what nobody foresaw."""
SAVE_SECONDS = 5.0
"""Shortest time between two reports of one stage that are kept on the volume."""


@dataclass(frozen=True)
class Options:
    """What the command line says; see its help."""

    job: Path
    output: Path
    configmaps: Path | None = None
    claims: Path | None = None
    port: int | None = None
    termination_log: Path | None = None


def run(options: Options, display: Display) -> Outcome:
    """Run an attempt and return how it ended; the termination message is written."""
    progress: list[Progress] = []
    try:
        _attempt(options, display, progress)
        outcome = Outcome(exit_code=ExitCode.DONE, reason="Completed", message=_summary(progress[-1]))
    except Exception as error:
        outcome = outcome_of(error)
    outcome = outcome.model_copy(update={"progress": progress[-1] if progress else None})
    _leave(outcome, options)
    return outcome


def _attempt(options: Options, display: Display, progress: list[Progress]) -> None:
    """Run the pipeline; `progress` receives the last report, however it ends."""
    job = read_job(options.job)
    folder = RunFolder(options.output.resolve())
    with ExitStack() as stack:
        stack.enter_context(folder.lock())
        tracker = _tracker(job, folder, display)
        stack.callback(lambda: progress.append(tracker.progress()))
        if options.port is not None:
            stack.callback(Exporter(options.port, tracker.progress).close)
        interruption = Interruption(lambda: _abandon(options, tracker, display), display.notice)
        interruption.install()
        inputs = inputs_of(job, options.configmaps, options.claims, folder.path / "configmaps")
        attempt = Attempt(
            commits=Commits(folder.path / "commits.json"),
            job=job,
            inputs=inputs,
            tracker=tracker,
            interruption=interruption,
            say=display.say,
            folder=folder,
        )
        pipeline.run(attempt)
        folder.save_progress(tracker.progress())


def _tracker(job: Job, folder: RunFolder, display: Display) -> Tracker:
    before = folder.last_progress()
    publisher = Publisher(folder, display)
    tracker = Tracker(
        [Phase("load", "load", 1.0)],
        attempt=before.attempt + 1 if before else 1,
        gpu_seconds=before.gpu_seconds if before else 0.0,
        gpus=job.spec.parallelism.nodes * job.spec.parallelism.gpus_per_node,
        publish=publisher.publish,
    )
    tracker.say("starting")
    return tracker


class Publisher:
    """Shows every report and keeps enough of them on the volume for the next attempt."""

    def __init__(self, folder: RunFolder, display: Display) -> None:
        self._folder, self._display = folder, display
        self._stage, self._saved = "", 0.0

    def publish(self, progress: Progress) -> None:
        """Take in a report."""
        self._display.show(progress)
        moment = time.monotonic()
        if progress.stage != self._stage or moment - self._saved >= SAVE_SECONDS:
            self._stage, self._saved = progress.stage, moment
            self._folder.save_progress(progress)


def _abandon(options: Options, tracker: Tracker, display: Display) -> None:
    """End the process in the middle of a step that outlasts the grace period."""
    outcome = outcome_of(interrupted()).model_copy(update={"progress": tracker.progress()})
    _leave(outcome, options)
    display.restore_terminal()
    os._exit(ExitCode.INTERRUPTED)


def _leave(outcome: Outcome, options: Options) -> None:
    # the file is a mount of the kubelet's: it cannot be replaced, only written
    if options.termination_log is not None:
        options.termination_log.write_text(outcome.to_termination_message(), "utf-8")


def outcome_of(error: Exception) -> Outcome:
    """Tell what an error means for the attempt; one that nobody foresaw goes to the log with its traceback."""
    known = next((each for each in _causes(error) if isinstance(each, TrainerError)), None)
    known = known or _resource_failure(error)
    if known:
        return Outcome(exit_code=known.exit_code, reason=known.reason, message=known.message, hint=known.hint)
    traceback.print_exception(error)
    return Outcome(
        exit_code=INTERNAL_ERROR,
        reason="InternalError",
        message=f"{type(error).__name__}: {error}",
        hint="the log of the pod has the traceback",
    )


def _resource_failure(error: Exception) -> TrainerError | None:
    for cause in _causes(error):
        full = isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)
        if full or "No space left on device" in str(cause):
            return TrainerError(
                ExitCode.STORAGE_FULL,
                "StorageFull",
                f"the volume is full: {cause}",
                "the last complete checkpoint is whole: give a larger volume (storage.size), lower checkpoint.keep, or "
                "ask for fewer export.formats",
            )
        # torch.OutOfMemoryError, by name: this module must not import torch
        if type(cause).__name__ == "OutOfMemoryError":
            return TrainerError(
                ExitCode.OUT_OF_GPU_MEMORY,
                "OutOfGPUMemory",
                str(cause),
                "lower reinforce.batchSize (raise gradientAccumulation instead), maxCompletionLength or "
                "inference.gpuMemoryUtilization, or use model.loadIn 4bit",
            )
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _summary(progress: Progress) -> str:
    evaluation = progress.evaluation
    if evaluation is None or evaluation.final_accuracy is None:
        return "the adapter is trained"
    gain = "" if evaluation.improvement is None else f", {evaluation.improvement:+.3f} against the base"
    return f"held-out accuracy {evaluation.final_accuracy:.3f}{gain}"
