"""The environment that the libraries must find before they are imported."""

from __future__ import annotations

import math
import os
from pathlib import Path

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
SETTINGS = {
    "DO_NOT_TRACK": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # PyTorch asks for the user's name when it is imported, and the pod's user has none
    "LOGNAME": "trainer",
    # threads that spin while they wait take the CPU from those that they wait for, once it is shared
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "warning",
    "TRL_EXPERIMENTAL_SILENCE": "1",
    # Unsloth's torch.compile traces the first step of GRPO for minutes, up to never; without it the step starts at once
    "UNSLOTH_COMPILE_DISABLE": "1",
    "UNSLOTH_DISABLE_STATISTICS": "1",
    "VLLM_NO_USAGE_STATS": "1",
}


def prepare() -> None:
    """Switch telemetry and progress bars off and fit threads to CPUs, unless the pod's environment says otherwise."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("OMP_NUM_THREADS", str(cpus()))


def cpus(quota: Path = CPU_QUOTA) -> int:
    """Return the CPUs that this process may use: libraries count those of the node and start a thread for each.

    Parameters
    ----------
    quota
        The file of the control group that says ``MICROSECONDS PERIOD``, or ``max PERIOD`` for no limit.
    """
    allowed = len(os.sched_getaffinity(0))
    used, period = quota.read_text().split() if quota.exists() else ("max", "1")
    return allowed if used == "max" else max(1, min(allowed, math.ceil(int(used) / int(period))))
