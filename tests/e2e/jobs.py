"""Small jobs on a real node, and a namespace to run them in; their model is the demo's, which its image carries."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.polling import eventually

SYSTEM = "reasoning-operator-system"
IMAGE = "localhost/reasoning-trainer:demo"
MODEL = "file:///models/tiny-sums"
Status = dict[str, Any]


class Namespace:
    """A namespace of the test's own, and the jobs in it."""

    def __init__(self, kubectl: Callable[..., str]) -> None:
        self.kubectl = kubectl

    def apply(self, name: str, **spec: Any) -> None:
        document = {
            "apiVersion": "reasoning-operator.io/v1alpha1",
            "kind": "ReasoningTrainingJob",
            "metadata": {"name": name},
            "spec": small(**spec),
        }
        self.kubectl("apply", "-f", "-", stdin=json.dumps(document))

    def patch(self, name: str, **spec: Any) -> None:
        self.kubectl("patch", "rtj", name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def status(self, name: str) -> Status:
        return dict(json.loads(self.kubectl("get", "rtj", name, "-o", "json")).get("status", {}))

    def wait(self, name: str, condition: Callable[[Status], Any], seconds: float = 120) -> Status:
        """Return the status as soon as it meets the condition; a job that failed meanwhile ends the wait."""

        def met() -> Status | None:
            status = self.status(name)
            if condition(status):
                return status
            assert status.get("phase") != "Failed", status.get("failure")
            return None

        return dict(eventually(met, lambda: f"{name}: {self.status(name)}", seconds))

    def wait_for_failure(self, name: str, seconds: float = 120) -> Status:
        def failed() -> Status | None:
            status = self.status(name)
            assert status.get("phase") != "Succeeded", status
            return status if status.get("phase") == "Failed" else None

        return dict(eventually(failed, lambda: f"{name}: {self.status(name)}", seconds))


def small(**changes: Any) -> dict[str, Any]:
    """A job of about a minute on the tiny model."""
    rows = [{"prompt": f"What is {a} + {b}?", "answer": str(a + b)} for a in range(10, 26) for b in range(10, 14)]
    worked = [
        {"prompt": f"What is {a} + 9?", "reasoning": f"{a} + 9 = {a + 9}", "answer": str(a + 9)} for a in range(10, 42)
    ]
    spec: dict[str, Any] = {
        "model": {"source": MODEL, "maxSequenceLength": 128},
        "lora": {"rank": 8, "alpha": 16, "gradientCheckpointing": "none"},
        "data": {"train": {"rows": rows}, "warmup": {"rows": worked}, "heldOut": {"fraction": 0.2}},
        "warmup": {"batchSize": 8, "gradientAccumulation": 1},
        "reinforce": {
            "steps": 12,
            "numGenerations": 4,
            "batchSize": 8,
            "maxCompletionLength": 32,
            "learningRate": 1e-5,
        },
        "rewards": [{"name": "format", "builtin": "format"}, {"name": "correct", "builtin": "correctness"}],
        "checkpoint": {"everySteps": 2},
        # Twelve steps of a model this small may well give equal rewards: that is not what is tested here.
        "guards": {"learningSignal": {"action": "warn"}},
        "parallelism": {"gpusPerNode": 0},
        "storage": {"size": "1Gi", "retain": False},
        "export": {"formats": ["lora", "merged16bit"]},
    }
    return spec | changes
