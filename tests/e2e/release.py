"""The operator's release on the local cluster: how the tests install, upgrade and remove it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.jobs import IMAGE, SYSTEM

CHART = Path(__file__).resolve().parents[2] / "helm/reasoning-operator"
NAME = "reasoning-operator"
VALUES = {
    "image.repository": "localhost/reasoning-operator",
    "image.tag": "dev",
    "image.pullPolicy": "Never",
    "trainer.cpuImage": IMAGE,
}


class Release:
    """The release.

    Parameters
    ----------
    kubeconfig
        The cluster's.
    kubectl
        kubectl on the release's namespace.
    """

    def __init__(self, kubeconfig: Path, kubectl: Callable[..., str]) -> None:
        self._where = ["--namespace", SYSTEM, "--kubeconfig", str(kubeconfig)]
        self.kubectl = kubectl

    def helm(self, *words: str) -> str:
        """Run helm, demand that it works, and return what it printed."""
        answer = subprocess.run(["helm", *words, *self._where], text=True, capture_output=True, check=False)
        assert answer.returncode == 0, f"helm {' '.join(words)}: {answer.stderr}"
        return answer.stdout

    def install(self, chart: Path = CHART, **values: Any) -> None:
        """Install or upgrade to a chart, and wait until it runs."""
        flags = [f"--set={key}={value}" for key, value in (VALUES | values).items()]
        self.helm("upgrade", "--install", NAME, str(chart), "--create-namespace", *flags)
        self.wait()

    def wait(self) -> None:
        """Wait until every replica runs what was asked for last."""
        self.kubectl("rollout", "status", f"deployment/{NAME}", "--timeout=110s")
