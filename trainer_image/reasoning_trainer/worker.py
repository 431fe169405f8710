"""The process that trains: ``python -m reasoning_trainer.worker ORDER``, started by the supervisor.

It holds the libraries and the GPU. What it has to tell goes through the channel, what it prints to the log.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_contract.progress import Progress
from reasoning_contract.spec import Spec

from . import environment, pipeline
from .attempt import Attempt
from .interruption import Interruption
from .job import Job, inputs_of, read_job
from .outcomes import outcome_of
from .reporting.memory import memory_status
from .reporting.retries import told
from .reporting.tracker import Phase, Tracker
from .reporting.trackers import Trackers
from .storage import model_files
from .storage.commits import Commits
from .storage.run_folder import RunFolder
from .supervisor import calls
from .supervisor.channel import Message, Order, Sender

PR_SET_PDEATHSIG = 1
"""Of prctl(2): which signal this process gets when its parent dies."""


def main(arguments: list[str] | None = None) -> int:
    """Work to the end, with the order that is the one argument, and return the exit code."""
    order = Order.model_validate_json((arguments or sys.argv[1:])[0])
    if order.channel is None:
        raise ValueError("a worker needs a channel: the supervisor opens it")
    if order.calls is not None:
        calls.answer(order.calls)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    environment.prepare()
    interruption = Interruption()
    interruption.install()
    os.set_inheritable(order.channel, False)
    sender = Sender(order.channel)
    outcome = work(order, sender.send, interruption)
    sender.send(Message(outcome=outcome))
    if model_files.is_fetching():
        os._exit(outcome.exit_code)
    return outcome.exit_code


def work(order: Order, send: Callable[[Message], None], interruption: Interruption) -> Outcome:
    """Run the pipeline and return how it ended; every report is sent.

    Parameters
    ----------
    order
        What to do.
    send
        Takes what there is to tell.
    interruption
        Whether the process is told to stop.
    """
    spec: Spec | None = None
    tracker: Tracker | None = None
    trackers = Trackers()
    try:
        job = read_job(order.job)
        spec, folder = job.spec, RunFolder(order.output)
        tracker = _tracker(job, order, lambda progress: send(Message(progress=progress)))
        trackers = Trackers(
            spec.tracking, job.name, order.attempt, folder.tracking, lambda text: send(Message(said=text))
        )
        attempt = Attempt(
            commits=Commits(folder.path / "commits.json"),
            job=job,
            inputs=inputs_of(job, order.configmaps, order.claims, folder.path / "configmaps"),
            tracker=tracker,
            interruption=interruption,
            say=lambda text: send(Message(said=text)),
            folder=folder,
            trackers=trackers,
        )
        with told(tracker.say):
            pipeline.run(attempt)
        trackers.close(done=True)
        return Outcome(exit_code=ExitCode.DONE, reason="Completed", message=summary(tracker.progress()))
    except Exception as error:
        trackers.close(done=False)
        return outcome_of(error, spec, tracker.progress().stage if tracker else None, order.output)


def _tracker(job: Job, order: Order, publish: Callable[[Progress], None]) -> Tracker:
    tracker = Tracker(
        [Phase("load", "load", 1.0)],
        attempt=order.attempt,
        gpu_seconds=order.gpu_seconds,
        gpus=job.spec.parallelism.nodes * job.spec.parallelism.gpus_per_node,
        publish=publish,
        memory=memory_status,
    )
    tracker.report(job_uid=job.uid or None)
    tracker.say("starting")
    return tracker


def summary(progress: Progress) -> str:
    """Return what came of a run in one line."""
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
    return f"; RL gained {gain:.3f} over the warm-up" if gain else "; RL neither gained nor lost"


if __name__ == "__main__":
    sys.exit(main())
