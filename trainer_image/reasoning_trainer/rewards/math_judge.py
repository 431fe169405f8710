"""Compares mathematical expressions in a process of its own, which is killed when it takes too long.

An answer such as ``9^{9^{9^9}}`` keeps sympy busy for ever, in C code that no signal interrupts, and eats all memory;
signals also work in a main thread only. A process with a memory limit and a deadline needs no trust.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
from pathlib import Path

WORKER = Path(__file__).with_name("math_worker.py")
START_SECONDS = 120.0
"""Longest time for the worker to import sympy: a cold disk and a busy machine are no reason to fail."""
ANSWER_SECONDS = 5.0
"""Longest time for one comparison, math-verify's own default."""


class MathJudge:
    """A worker process that is started when it is first needed, and again after it was killed."""

    def __init__(self, seconds: float = ANSWER_SECONDS) -> None:
        self._seconds = seconds
        self._worker: subprocess.Popen[str] | None = None

    def same(self, reference: str, answer: str) -> bool | None:
        """Return whether two expressions are equal; None if it took too long or the reference cannot be parsed."""
        worker = self._started()
        assert worker.stdin is not None  # it was started with pipes
        worker.stdin.write(json.dumps([reference, answer]) + "\n")
        worker.stdin.flush()
        reply = self._read_line(worker, self._seconds)
        if reply is None:
            self.stop()
            return None
        verdict: bool | None = json.loads(reply)
        return verdict

    def stop(self) -> None:
        """Kill the worker, if there is one."""
        if self._worker is not None:
            self._worker.kill()
            self._worker.communicate()
            self._worker = None

    def _started(self) -> subprocess.Popen[str]:
        if self._worker is not None and self._worker.poll() is None:
            return self._worker
        # -P: the worker's folder, whose modules bear names of the standard library, stays off its path
        command = [sys.executable, "-P", str(WORKER)]
        self._worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self._read_line(self._worker, START_SECONDS) is None:
            self.stop()
            raise RuntimeError("the process that compares answers did not start: its error is in the log")
        return self._worker

    @staticmethod
    def _read_line(worker: subprocess.Popen[str], seconds: float) -> str | None:
        """Return the next line; None at the deadline or when the worker died. One line is in flight at a time."""
        assert worker.stdout is not None  # it was started with pipes
        ready, _, _ = select.select([worker.stdout], [], [], seconds)
        return (worker.stdout.readline() or None) if ready else None
