"""Which versions of the libraries are installed."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    *("torch", "transformers", "trl", "peft", "accelerate", "datasets", "unsloth", "vllm"),
    *("bitsandbytes", "llama-cpp-python"),
)


def versions() -> dict[str, str]:
    """Return the versions of the libraries that are installed, by name."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
