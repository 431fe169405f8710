"""The environment that the libraries must find before they are imported."""

from __future__ import annotations

import os

SETTINGS = {
    "DO_NOT_TRACK": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "warning",
    "TRL_EXPERIMENTAL_SILENCE": "1",
    "UNSLOTH_DISABLE_STATISTICS": "1",
    "VLLM_NO_USAGE_STATS": "1",
}


def prepare() -> None:
    """Switch telemetry and progress bars off, unless the pod's environment says otherwise."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
