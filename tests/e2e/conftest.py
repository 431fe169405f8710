"""A real node for the tests of this folder: the local cluster, brought up unless it runs, and left running."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.jobs import IMAGE, SYSTEM, Namespace

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
def operator(cluster: Path, kubectl_of: Any) -> None:
    """The operator, installed by its chart from its image."""
    where = ["--namespace", SYSTEM, "--create-namespace", "--kubeconfig", str(cluster)]
    values = {
        "image.repository": "localhost/reasoning-operator",
        "image.tag": "dev",
        "image.pullPolicy": "Never",
        "trainer.cpuImage": IMAGE,
    }
    flags = [f"--set={key}={value}" for key, value in values.items()]
    chart = str(ROOT / "helm/reasoning-operator")
    subprocess.run(["helm", "upgrade", "--install", "reasoning-operator", chart, *where, *flags], check=True)
    system = kubectl_of(cluster, SYSTEM)
    system("rollout", "restart", "deployment/reasoning-operator")
    system("rollout", "status", "deployment/reasoning-operator", "--timeout=120s")


@pytest.fixture
def namespace(cluster: Path, operator: None, kubectl_of: Any) -> Iterator[Namespace]:
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    kubectl_of(cluster)("create", "namespace", name)
    yield Namespace(kubectl_of(cluster, name))
    kubectl_of(cluster)("delete", "namespace", name, "--wait=false")
