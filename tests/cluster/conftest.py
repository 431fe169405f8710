"""A real API server for the tests of this folder: etcd, kube-apiserver and the controllers, without a node."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

LOCALCLUSTER = Path(__file__).resolve().parents[2] / "hack/localcluster/localcluster.py"


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The kubeconfig of an API server that belongs to this test run alone."""
    folder = tmp_path_factory.mktemp("control-plane")
    try:
        _localcluster("up", folder)
        yield Path(_localcluster("kubeconfig", folder).strip())
    finally:
        _localcluster("down", folder)


def _localcluster(command: str, folder: Path) -> str:
    arguments = [sys.executable, LOCALCLUSTER, command, "--control-plane-only", "--at", folder]
    return subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True).stdout
