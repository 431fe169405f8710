"""The worker's process: started, told to stop, waited for, and its end explained."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from reasoning_contract.outcome import Outcome
from reasoning_contract.spec import Spec

from ..interruption import Interruption, interrupted
from ..reporting.display import Display
from .calls import Calls, unanswered
from .channel import Order, receive
from .deaths import oom_kills, outcome_of_death
from .log import Log
from .reports import Reports
from .stall import StallWatch

COMMAND = (sys.executable, "-X", "faulthandler", "-m", "reasoning_trainer.worker")
PACKAGES = Path(__file__).parents[2]
DRAIN_SECONDS = 10.0
"""How long to read on after the worker's end: a process that left its group may keep the pipes open."""


def run(order: Order, spec: Spec, reports: Reports, display: Display, lock: int) -> Outcome:
    """Run a worker to its end and return how it ended: by its own word, or by what can be told from outside.

    Must be called in the main thread, which hears the signals: SIGTERM and SIGINT are handed on. A worker that outlasts
    the patience of `Interruption` is killed, and so is whatever it leaves behind when it ends.

    Parameters
    ----------
    order
        What it is to do.
    spec
        The job.
    reports
        Takes in what it tells.
    display
        Tells people that it is asked to stop.
    lock
        Descriptor of the run's lock, which the worker holds too: where its supervisor is killed, nobody else gets in
        while it still writes.
    """
    worker, log, kills, calls = Worker(), Log(), oom_kills(), Calls()

    def stop(notice: str) -> None:
        display.notice(notice)
        worker.stop()

    interruption = Interruption(worker.kill, stop)
    interruption.install()
    told, printed = worker.start(order.model_copy(update={"calls": calls.descriptor}), lock)
    if interruption.requested:  # before there was anybody to hand it on to
        worker.stop()
    reports.pid = worker.pid
    stall = StallWatch(spec.guards.stall, reports, lambda: worker.ask(calls), worker.kill)
    readers = [
        Reader("reports", lambda: _listen(told, reports, stall), worker.kill),
        Reader("log", lambda: log.pass_on(printed), worker.kill),
    ]
    status = worker.wait()
    stall.finish()
    calls.close()
    for reader in readers:
        reader.finish()
    if reports.outcome is not None:
        return reports.outcome
    if interruption.requested and -status in (signal.SIGTERM, signal.SIGKILL):
        return Outcome.of(interrupted().problem)
    if stall.outcome is not None:
        return stall.outcome
    return outcome_of_death(status, log.end(), reports.latest, spec, for_memory=oom_kills() > kills)


def _listen(told: int, reports: Reports, stall: StallWatch) -> None:
    for message in receive(told):
        if message.progress is not None:
            stall.take(message.progress)
        reports.take(message)


class Worker:
    """A process in a session of its own: what is typed at the terminal reaches its supervisor alone."""

    def __init__(self) -> None:
        self.pid: int | None = None

    def start(self, order: Order, lock: int) -> tuple[int, int]:
        """Start it; return the descriptors to read what it tells and what it prints."""
        told, channel = os.pipe()
        printed, output = os.pipe()
        for kept in (channel, lock):
            os.set_inheritable(kept, True)
        with unanswered():
            self.pid = spawn(order.model_copy(update={"channel": channel}), output)
        os.set_inheritable(lock, False)
        os.close(channel)
        os.close(output)
        return told, printed

    def stop(self) -> None:
        """Ask it to save and end."""
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it, with all that it started in its session's first group."""
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def ask(self, calls: Calls) -> str:
        """Return what its threads are doing, or nothing."""
        return "" if self.pid is None else calls.ask(self.pid)

    def wait(self) -> int:
        """Return its exit code, negative for a signal; what it left to process 1, as which this runs, is reaped."""
        while True:
            pid, status = os.waitpid(-1, 0)
            if pid == self.pid:
                self.kill()  # the group outlives its leader: an engine's processes would hold the GPU
                self.pid = None
                return os.waitstatus_to_exitcode(status)


def spawn(order: Order, output: int) -> int:
    """Start the process of a worker that prints into a pipe, and return its id."""
    paths = os.pathsep.join([str(PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.posix_spawn(
        COMMAND[0],
        [*COMMAND, order.model_dump_json(by_alias=True, exclude_none=True)],
        os.environ | {"PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"},
        file_actions=[(os.POSIX_SPAWN_DUP2, output, number) for number in (1, 2)],
        setsid=True,
    )


class Reader:
    """A thread that reads a pipe to its end, and gives the alarm if it cannot."""

    def __init__(self, name: str, read: Callable[[], object], alarm: Callable[[], None]) -> None:
        self._read, self._alarm = read, alarm
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._read()
        except Exception as error:
            self._error = error
            self._alarm()

    def finish(self) -> None:
        """Wait for the end, and raise what went wrong."""
        self._thread.join(DRAIN_SECONDS)
        if self._error is not None:
            raise self._error
