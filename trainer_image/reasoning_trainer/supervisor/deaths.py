"""Tells how a worker died that could not tell it itself."""

from __future__ import annotations

import signal
from pathlib import Path

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.memory_settings import memory_settings
from reasoning_contract.outcome import Outcome
from reasoning_contract.progress import Progress
from reasoning_contract.spec import Spec

CGROUPS = Path("/sys/fs/cgroup")
COUNTS = ("memory.events", "memory/memory.oom_control", "/proc/vmstat")
"""Files with a line ``oom_kill N``: the container's, of version 2 of control groups and of version 1, or else the
machine's."""
SIGNALLED = 128
"""What a shell adds to the number of the signal that ended a process, and Kubernetes shows."""


def oom_kills(cgroups: Path = CGROUPS) -> int:
    """Return how many processes of this container the kernel has killed for want of memory; 0 where it does not say."""
    for name in COUNTS:
        if (cgroups / name).exists():
            lines = (cgroups / name).read_text("ascii").splitlines()
            counts = dict(line.rsplit(maxsplit=1) for line in lines if line)
            if "oom_kill" in counts:
                return int(counts["oom_kill"])
    return 0


def outcome_of_death(status: int, log: str, progress: Progress, spec: Spec, *, for_memory: bool) -> Outcome:
    """Return the last word on a worker that died without one.

    Parameters
    ----------
    status
        Its exit code; negative for the signal that ended it.
    log
        The end of what it printed.
    progress
        Its last report.
    spec
        The job.
    for_memory
        Whether the kernel killed a process of this container for want of memory meanwhile.
    """
    where = f"in stage {progress.stage}"
    quoted = f"; the end of its log: {log}" if log else "; it printed nothing"
    if status == -signal.SIGKILL and for_memory:
        return _killed_for_memory(where + _held(progress), memory_settings(spec, progress.stage))
    if status == -signal.SIGKILL:
        return Outcome(
            exit_code=SIGNALLED + signal.SIGKILL,
            reason="TrainerKilled",
            message=f"the process that trains was killed by SIGKILL {where}, and not by the kernel for want of "
            f"memory{quoted}",
            hint="see who ends processes there: somebody in the container, or the node's log",
        )
    if status < 0:
        name = f"{signal.strsignal(-status)}, {signal.Signals(-status).name}"
        died, code = f"was ended by a signal ({name})", SIGNALLED - status
    else:
        died, code = f"ended with exit code {status} and no last word", status or ExitCode.INTERNAL_ERROR
    return Outcome(
        exit_code=code,
        reason="TrainerCrashed",
        message=f"the process that trains {died} {where}{quoted}",
        hint="read the whole log: kubectl logs, with the pod's name; another attempt goes on from the last checkpoint",
    )


def _killed_for_memory(where: str, settings: str) -> Outcome:
    return Outcome(
        exit_code=SIGNALLED + signal.SIGKILL,
        reason="OutOfMemory",
        message=f"the kernel killed the process that trains for want of memory {where}",
        hint=f"raise pod.resources.limits.memory, or lower one of these, as they are: {settings}",
    )


def _held(progress: Progress) -> str:
    memory = progress.memory
    return f"; when it reported last it had held {memory.peak_gi_b} of {memory.limit_gi_b} GiB" if memory else ""
