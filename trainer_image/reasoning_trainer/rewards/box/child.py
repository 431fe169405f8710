"""One process of a box, from its start to its end."""

from __future__ import annotations

import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .inside import frames, start
from .inside.frames import FrameError
from .inside.output import PRINT_LIMIT
from .inside.runner import TRACE_SIGNAL

START_SECONDS = 30.0
TRACE_SECONDS = 0.5
"""How long a process that hangs has to say where."""
FLAGS = ("-s", "-P", "-B")
"""Neither the user's own modules, nor the folder of the script or of work, nor compiled files."""
FRAME_OF_TRACE = re.compile(r'File "(.*)", line (\d+) in ')

Spawn = Callable[..., "subprocess.Popen[bytes]"]


class ChildError(Exception):
    """The process hung, died, or wrote what is no answer.

    Parameters
    ----------
    what
        Which of them, in words.
    line
        Where in the user's source, if it could say.
    """

    def __init__(self, what: str, line: int | None = None) -> None:
        super().__init__(what)
        self.line = line


class Child:
    """The process, with its socket and what it writes past Python's streams.

    Parameters
    ----------
    spawn
        Starts a process; in a thread that lives as long as the box may, for the process dies with that thread.
    tmp
        Its folder for small files, if it has one.
    """

    def __init__(self, spawn: Spawn, tmp: Path | None) -> None:
        self._ours, theirs = socket.socketpair()
        self._output, output = os.pipe()
        os.set_blocking(self._output, False)
        self._received, self._written, self._trace = bytearray(), bytearray(), bytearray()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._ours, selectors.EVENT_READ)
        self._selector.register(self._output, selectors.EVENT_READ)
        command = [sys.executable, *FLAGS, start.__file__]
        pipes = {"stdin": theirs, "stdout": output, "stderr": output}
        try:
            self._process = spawn(command, **pipes, env=environment(tmp), cwd="/", process_group=0)
        finally:
            theirs.close()
            os.close(output)

    def exchange(self, document: dict[str, Any], seconds: float, origin: str = "") -> dict[str, Any]:
        """Return what it answers; until the next question it stands still.

        Parameters
        ----------
        document
            The question.
        seconds
            How long it may take.
        origin
            The source whose line is named if it hangs or dies.

        Raises
        ------
        ChildError
            If it hangs, dies, or writes what is no frame, or more than one.
        """
        until = time.monotonic() + seconds
        self._written.clear()
        self._trace.clear()
        question = frames.encode(document, frames.REQUEST_LIMIT)
        try:
            self._demand_silence()
            os.kill(self._process.pid, signal.SIGCONT)
            self._ours.settimeout(seconds)
            self._ours.sendall(question)
            answer = self._receive(until)
            os.kill(self._process.pid, signal.SIGSTOP)
        except TimeoutError:
            raise ChildError(f"it took longer than {seconds:g} s", self._ask_where(origin)) from None
        except OSError:
            raise ChildError(f"its process ended: {self._end()}", self._find_line(origin)) from None
        except FrameError as error:
            raise ChildError(f"its process wrote what is no answer: {error}") from error
        return answer

    def written(self) -> str:
        """Return the beginning of what it wrote past Python's streams since it was asked."""
        self._drain(self._written)
        return self._written.decode(errors="replace")

    def close(self) -> None:
        """Kill it."""
        with suppress(ProcessLookupError):  # its group is gone with it
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._selector.close()
        self._ours.close()
        os.close(self._output)

    def _demand_silence(self) -> None:
        """See that nothing was written since the last answer."""
        self._ours.settimeout(0)
        with suppress(BlockingIOError):
            self._received += self._ours.recv(1)
            raise FrameError("an answer before it was asked") if self._received else ConnectionError

    def _receive(self, until: float) -> dict[str, Any]:
        """Return the one frame that comes, draining what is printed meanwhile."""
        self._ours.settimeout(0)
        while True:
            ready = self._wait(until)
            if self._output in ready:
                self._drain(self._written)
            if self._ours in ready and (frame := self._read_on()) is not None:
                return frame

    def _wait(self, until: float) -> list[Any]:
        left = until - time.monotonic()
        ready = self._selector.select(left) if left > 0 else []
        if not ready:
            raise TimeoutError
        return [key.fileobj for key, _ in ready]

    def _read_on(self) -> dict[str, Any] | None:
        """Read what is there, and return the frame once it is whole."""
        part = self._ours.recv(2**20)
        if not part:
            raise ConnectionError
        self._received += part
        head = frames.HEADER.size
        if len(self._received) < head:
            return None
        size = head + frames.length_of(bytes(self._received[:head]), frames.ANSWER_LIMIT)
        if len(self._received) > size:
            raise FrameError("more than one answer")
        if len(self._received) < size:
            return None
        body = bytes(self._received[head:])
        self._received.clear()
        return frames.decode(body)

    def _drain(self, kept: bytearray) -> None:
        """Take what is printed, and keep its beginning."""
        with suppress(BlockingIOError):
            part = os.read(self._output, 2**20)
            kept += part[: PRINT_LIMIT - len(kept)]
            if not part and self._output in self._selector.get_map():
                self._selector.unregister(self._output)

    def _ask_where(self, origin: str) -> int | None:
        """Let a process that hangs say at which line of the source it is."""
        self._drain(self._written)
        os.kill(self._process.pid, TRACE_SIGNAL)
        until = time.monotonic() + TRACE_SECONDS
        while (line := self._find_line(origin)) is None and time.monotonic() < until:
            time.sleep(0.01)
        return line

    def _find_line(self, origin: str) -> int | None:
        """Return the innermost line of the source in the trace that the process wrote."""
        self._drain(self._trace)
        found = FRAME_OF_TRACE.findall((self._written + self._trace).decode(errors="replace"))
        return next((int(line) for name, line in found if name == origin), None)

    def _end(self) -> str:
        """Return how the process ended, in words."""
        try:
            status = self._process.wait(TRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return "it closed its connection"
        return f"exit status {status}" if status >= 0 else signal.Signals(-status).name


def environment(tmp: Path | None) -> dict[str, str]:
    """Return the whole environment of a box: nothing of the one that starts it, and one thread for each library."""
    folders = {"HOME": str(tmp), "TMPDIR": str(tmp)} if tmp else {}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {
        "LANG": "C.UTF-8",
        # the order of sets, and so a reward that depends on it, is the same after a restart
        "PYTHONHASHSEED": "0",
        "MALLOC_ARENA_MAX": "2",
        "NVIDIA_VISIBLE_DEVICES": "void",
        "CUDA_VISIBLE_DEVICES": "",
        **folders,
        **threads,
    }
