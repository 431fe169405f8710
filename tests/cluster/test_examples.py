"""A real API server takes every example."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def test_every_example_is_taken(api_server: Path, kubectl_of: Any) -> None:
    kubectl = kubectl_of(api_server)
    kubectl("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "crds"))
    kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(ROOT / "crds"))
    examples = sorted((ROOT / "examples").rglob("*.yaml"))
    refused = {
        str(path.relative_to(ROOT)): answer.stderr
        for path in examples
        if (answer := kubectl.ask("create", "--dry-run=server", "-f", str(path))).returncode
    }
    assert refused == {}
