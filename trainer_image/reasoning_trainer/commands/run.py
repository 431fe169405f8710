"""Runs one attempt from manifest to last word."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_contract.progress import Progress
from reasoning_contract.report import ProgressStatus
from reasoning_contract.spec import Spec

from ..job import Job, read_job
from ..outcomes import outcome_of
from ..reporting.display import Display
from ..reporting.tracker import now
from ..storage.run_folder import RunFolder
from ..supervisor import process
from ..supervisor.channel import Order
from ..supervisor.exporter import Exporter
from ..supervisor.report_page import ReportPage
from ..supervisor.reports import Reports

Work: TypeAlias = Callable[[Order, Spec, Reports, Display, int], Outcome]


@dataclass(frozen=True)
class Options:
    """What the command line says; see its help."""

    job: Path
    output: Path
    configmaps: Path | None = None
    claims: Path | None = None
    port: int | None = None
    termination_log: Path | None = None


def run(options: Options, display: Display, work: Work = process.run) -> Outcome:
    """Run an attempt and return how it ended; the termination message is written.

    Parameters
    ----------
    options
        What the command line says.
    display
        Shows it to people.
    work
        Trains, and returns how that ended: in a process of its own, if nobody says otherwise.
    """
    try:
        return _supervise(options, display, work)
    except Exception as error:
        return _tell(options, outcome_of(error, volume=options.output))


def _tell(options: Options, outcome: Outcome) -> Outcome:
    """Write the last word. The file is a mount of the kubelet's: it cannot be replaced, only written."""
    if options.termination_log is not None:
        options.termination_log.write_text(outcome.to_termination_message(), "utf-8")
    return outcome


def _supervise(options: Options, display: Display, work: Work) -> Outcome:
    job = read_job(options.job)
    folder = RunFolder(options.output.resolve())
    with ExitStack() as stack:
        lock = stack.enter_context(folder.lock())
        before = folder.last_progress()
        order = Order(
            job=options.job,
            output=folder.path,
            configmaps=options.configmaps,
            claims=options.claims,
            attempt=before.attempt + 1 if before else 1,
            gpu_seconds=before.gpu_seconds if before else 0.0,
        )
        page = ReportPage(job, folder, display.say)
        page.begin(before)
        reports = Reports(first_report(job, order), folder, display, page)
        if options.port is not None:
            exporter = Exporter(options.port, lambda: reports.latest, lambda: reports.pid or "self", folder.report)
            stack.callback(exporter.close)
        try:
            outcome = work(order, job.spec, reports, display, lock)
            if outcome.exit_code == ExitCode.DONE:
                reports.keep()
        except Exception as error:
            outcome = outcome_of(error, job.spec, reports.latest.stage, folder.path)
        reports.conclude(outcome)
        # before the lock is given back: its file is closed, which a volume that hangs may hold up
        return _tell(options, outcome.model_copy(update={"progress": reports.latest}))


def first_report(job: Job, order: Order) -> Progress:
    """Return the report of an attempt whose worker has not reported yet."""
    moment = now()
    return Progress(
        job_uid=job.uid or None,
        attempt=order.attempt,
        started_at=moment,
        stage="load",
        progress=ProgressStatus(display="0%", percent=0, detail="starting", updated_at=moment),
        gpu_seconds=order.gpu_seconds,
    )
