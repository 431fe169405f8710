"""What tests of every folder share."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


class Kubectl:
    """kubectl on one cluster."""

    def __init__(self, kubeconfig: Path, namespace: str = "default") -> None:
        self._command = ["kubectl", "--kubeconfig", str(kubeconfig), "--namespace", namespace]

    def ask(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run it and return whatever comes."""
        command = [*self._command, *arguments]
        return subprocess.run(command, input=stdin, text=True, capture_output=True, check=False, timeout=120)

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """Run it, demand that it works, and return what it printed."""
        answer = self.ask(*arguments, stdin=stdin)
        assert answer.returncode == 0, f"kubectl {' '.join(arguments)}: {answer.stderr}"
        return answer.stdout


@pytest.fixture(scope="session")
def kubectl_of() -> Callable[..., Kubectl]:
    """Makes a kubectl for a kubeconfig and a namespace."""
    tools = Path(os.environ.get("STATE_DIR", ROOT / ".state")) / "localcluster/bin"
    os.environ["PATH"] = f"{tools}{os.pathsep}{os.environ['PATH']}"
    assert shutil.which("kubectl"), "no kubectl: run `make tools`"
    return Kubectl
