"""A real node for the tests of this folder: the local cluster, brought up unless it runs, and left running."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.jobs import SYSTEM, Namespace
from tests.e2e.release import NAME, Release

ROOT = Path(__file__).resolve().parents[2]

LOCALCLUSTER = ROOT / "hack/localcluster/localcluster.py"


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


@pytest.fixture(scope="session")
def operator(cluster: Path, kubectl_of: Any) -> Release:
    """The operator, installed by its chart from its image."""
    release = Release(cluster, kubectl_of(cluster, SYSTEM))
    release.install()
    release.kubectl("rollout", "restart", f"deployment/{NAME}")  # the image may be another under the same tag
    release.wait()
    return release


@pytest.fixture
def namespace(cluster: Path, operator: Release, kubectl_of: Any) -> Iterator[Namespace]:
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    kubectl_of(cluster)("create", "namespace", name)
    yield Namespace(kubectl_of(cluster, name))
    kubectl_of(cluster)("delete", "namespace", name, "--wait=false")
