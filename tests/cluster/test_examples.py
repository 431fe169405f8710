"""A real API server takes every example."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.cluster.operator_under_test import install_crd

ROOT = Path(__file__).parents[2]


def test_every_example_is_taken(api_server: Path, kubectl_of: Any) -> None:
    install_crd(api_server)
    kubectl = kubectl_of(api_server)
    examples = sorted((ROOT / "examples").rglob("*.yaml"))
    refused = {
        str(path.relative_to(ROOT)): answer.stderr
        for path in examples
        if (answer := kubectl.ask("create", "--dry-run=server", "-f", str(path))).returncode
    }
    assert refused == {}
