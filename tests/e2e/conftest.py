"""A real node for the tests of this folder: the local cluster, brought up unless it runs, and left running."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

LOCALCLUSTER = Path(__file__).resolve().parents[2] / "hack/localcluster/localcluster.py"


@pytest.fixture(scope="session")
def localcluster() -> Callable[..., str]:
    """Run one command of the local cluster's driver and return what it printed."""

    def command(*arguments: str | Path, env: dict[str, str] | None = None) -> str:
        words = [sys.executable, LOCALCLUSTER, *arguments]
        return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env=env).stdout.strip()

    return command


@pytest.fixture(scope="session")
def cluster(localcluster: Callable[..., str]) -> Path:
    """The kubeconfig of a cluster with a node; it stays up for the next run."""
    localcluster("up")
    return Path(localcluster("kubeconfig"))
