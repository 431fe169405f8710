"""Runs one attempt from manifest to last word."""

from __future__ import annotations

import os
import time
import traceback
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_contract.progress import Progress
from reasoning_contract.spec import Spec

from .. import pipeline
from ..attempt import Attempt
from ..errors import TrainerError
from ..interruption import Interruption, interrupted
from ..job import Job, inputs_of, read_job
from ..reporting.display import Display
from ..reporting.exporter import Exporter
from ..reporting.memory import memory_status
from ..reporting.tracker import Phase, Tracker
from ..resource_failures import causes, resource_failure
from ..storage.commits import Commits
from ..storage.run_folder import RunFolder

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


@dataclass
class Circumstances:
    """How far an attempt came, for whoever explains its end.

    Attributes
    ----------
    output
        The run's folder.
    spec
        The job; None before it is read.
    progress
        The last report; None where nothing was begun.
    """

    output: Path
    spec: Spec | None = field(default=None)
    progress: Progress | None = field(default=None)


def run(options: Options, display: Display) -> Outcome:
    """Run an attempt and return how it ended; the termination message is written."""
    circumstances = Circumstances(options.output)
    try:
        report = _attempt(options, display, circumstances)
        outcome = Outcome(exit_code=ExitCode.DONE, reason="Completed", message=_summary(report))
    except Exception as error:
        outcome = outcome_of(error, circumstances)
    outcome = outcome.model_copy(update={"progress": circumstances.progress})
    _leave(outcome, options)
    return outcome


def _attempt(options: Options, display: Display, circumstances: Circumstances) -> Progress:
    """Run the pipeline and return its last report; `circumstances` learn how far it came, however it ends."""
    job = read_job(options.job)
    circumstances.spec = job.spec
    folder = RunFolder(options.output.resolve())
    with ExitStack() as stack:
        stack.enter_context(folder.lock())
        tracker = _tracker(job, folder, display)
        stack.callback(lambda: setattr(circumstances, "progress", tracker.progress()))
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
        return tracker.progress()


def _tracker(job: Job, folder: RunFolder, display: Display) -> Tracker:
    before = folder.last_progress()
    publisher = Publisher(folder, display)
    tracker = Tracker(
        [Phase("load", "load", 1.0)],
        attempt=before.attempt + 1 if before else 1,
        gpu_seconds=before.gpu_seconds if before else 0.0,
        gpus=job.spec.parallelism.nodes * job.spec.parallelism.gpus_per_node,
        publish=publisher.publish,
        memory=memory_status,
    )
    tracker.report(job_uid=job.uid or None)
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
    outcome = outcome_of(interrupted())
    outcome = outcome.model_copy(update={"progress": tracker.progress()})
    _leave(outcome, options)
    display.restore_terminal()
    os._exit(ExitCode.INTERRUPTED)


def _leave(outcome: Outcome, options: Options) -> None:
    # the file is a mount of the kubelet's: it cannot be replaced, only written
    if options.termination_log is not None:
        options.termination_log.write_text(outcome.to_termination_message(), "utf-8")


def outcome_of(error: Exception, circumstances: Circumstances | None = None) -> Outcome:
    """Tell what an error means for the attempt; one that nobody foresaw goes to the log with its traceback."""
    circumstances = circumstances or Circumstances(Path.cwd())
    known = next((each for each in causes(error) if isinstance(each, TrainerError)), None)
    stage = circumstances.progress.stage if circumstances.progress else None
    known = known or resource_failure(error, circumstances.spec, stage, circumstances.output)
    if known:
        return Outcome.of(known.problem)
    traceback.print_exception(error)
    return Outcome(
        exit_code=ExitCode.INTERNAL_ERROR,
        reason="InternalError",
        message=f"{type(error).__name__}: {error}",
        hint="the log of the pod has the traceback",
    )


def _summary(progress: Progress) -> str:
    evaluation = progress.evaluation
    if evaluation is not None and evaluation.final_accuracy is None and evaluation.preferred_improvement is not None:
        return f"held-out pairs preferred {evaluation.preferred_improvement:+.3f} against the base"
    if evaluation is None or evaluation.final_accuracy is None:
        return "the adapter is trained"
    gain = "" if evaluation.improvement is None else f", {evaluation.improvement:+.3f} against the base"
    return f"held-out accuracy {evaluation.final_accuracy:.3f}{gain}{_of_reinforce(evaluation.reinforce_improvement)}"


def _of_reinforce(gain: float | None) -> str:
    """Say what RL alone did: a gain over the base may be the warm-up's, and RL have lost of it."""
    if gain is None:
        return ""
    if gain < 0:
        return f"; RL lost {-gain:.3f} of what the warm-up had reached"
    return f"; RL gained {gain:.3f} over the warm-up"
