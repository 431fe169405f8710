"""How much memory the trainer has held, and how much it may hold."""

from __future__ import annotations

import resource
from pathlib import Path

from reasoning_contract.report import MemoryStatus

CGROUPS = Path("/sys/fs/cgroup")
LIMITS = ("memory.max", "memory/memory.limit_in_bytes")
"""Files with the container's limit: of version 2 of control groups, and of version 1."""
GIB = 1 << 30
DIGITS = 2


def memory_status(cgroups: Path = CGROUPS, machine: Path = Path("/proc/meminfo")) -> MemoryStatus:
    """Return the process's peak resident memory, and the container's limit or, without one, the machine's memory.

    What the kernel keeps of files that were read is left out, because it would be given up before anything is killed:
    the control group's own count has it in.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return MemoryStatus(peak_gi_b=round(peak / GIB, DIGITS), limit_gi_b=round(_limit(cgroups, machine) / GIB, DIGITS))


def _limit(cgroups: Path, machine: Path) -> int:
    whole = int(machine.read_text("ascii").split()[1]) * 1024  # MemTotal, in KiB, comes first
    found = [(cgroups / name).read_text("ascii").strip() for name in LIMITS if (cgroups / name).exists()]
    # version 2 writes "max" where there is no limit, version 1 a number larger than any machine
    return min([whole, *(int(text) for text in found if text.isdecimal())])
