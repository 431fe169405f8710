"""Objects of the Kubernetes API for the tests of the pure modules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from reasoning_contract.outcome import Outcome
from reasoning_contract.progress import Progress
from reasoning_contract.spec import Spec
from reasoning_operator.acceptance import accept
from reasoning_operator.model import Json, Observed, TrainingJob
from reasoning_operator.settings import Settings
from reasoning_operator.status import status

NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
EARLIER = "2026-05-04T11:00:00Z"
UID = "0a1b2c3d-0000-4000-8000-000000000000"
SETTINGS = Settings(trainer_image="trainer:gpu", trainer_cpu_image="trainer:cpu")


def spec(**parts: Any) -> Json:
    base: Json = {
        "model": {"source": "file:///models/tiny"},
        "parallelism": {"gpusPerNode": 0},
        "data": {"train": {"reasoningGym": {"task": "chain_sum"}}, "heldOut": {"fraction": 0.1}},
        "rewards": [{"name": "correct", "builtin": "correctness"}],
    }
    return Spec.model_validate(base | parts).model_dump(by_alias=True, exclude_none=True)


def training_job(**parts: Any) -> TrainingJob:
    return TrainingJob.of(rtj(**parts))


def rtj(old: Json | None = None, **parts: Any) -> Json:
    meta = {"namespace": "team", "name": "sums", "uid": UID, "generation": 1, "resourceVersion": "7"}
    job: Json = {"apiVersion": "reasoning-operator.io/v1alpha1", "kind": "ReasoningTrainingJob", "metadata": meta}
    return job | {"spec": spec(**parts)} | ({"status": old} if old else {})


def live(child: Json, **status: Any) -> Json:
    """Return a child as the API server gives it back."""
    return child | {
        "metadata": {**child["metadata"], "uid": f"uid-of-{child['kind']}", "resourceVersion": "7"},
        "status": status,
    }


def batch_job(wanted: Json, end: str = "", reason: str = "") -> Json:
    conditions = [{"type": end, "status": "True", "reason": reason, "lastTransitionTime": EARLIER}] if end else []
    return live(wanted, conditions=conditions)


def pod(state: Json | None = None, *, phase: str = "Pending", name: str = "sums-train-a", **status: Any) -> Json:
    """Return a pod whose trainer is in a state: waiting, running or terminated."""
    containers = [{"name": "trainer", "state": state}] if state else []
    meta = {"name": name, "uid": f"uid-of-{name}", "creationTimestamp": EARLIER}
    whole = {"phase": phase, "containerStatuses": containers} | status
    return {"metadata": meta, "spec": {"containers": [{"name": "trainer", "image": "trainer:cpu"}]}, "status": whole}


def running_pod(name: str = "sums-train-a") -> Json:
    return pod({"running": {"startedAt": EARLIER}}, phase="Running", name=name)


def ended_pod(
    exit_code: int, message: str = "", reason: str = "Error", name: str = "sums-train-a", **status: Any
) -> Json:
    end = {"exitCode": exit_code, "reason": reason, "message": message, "startedAt": EARLIER, "finishedAt": EARLIER}
    return pod({"terminated": end}, phase="Failed" if exit_code else "Succeeded", name=name, **status)


def last_word(exit_code: int, reason: str, **fields: Any) -> str:
    outcome = Outcome(exit_code=exit_code, reason=reason, message="it ended", hint="do this", **fields)
    return outcome.to_termination_message()


def report(step: int = 5, **fields: Any) -> Progress:
    progress = {
        "display": f"{step}%",
        "percent": step,
        "step": step,
        "etaSeconds": 9,
        "eta": "9s",
        "updatedAt": EARLIER,
    }
    base = {"attempt": 1, "startedAt": EARLIER, "stage": "reinforce", "progress": progress}
    return Progress.model_validate(base | fields)


def status_of(observed: Observed) -> Json:
    """Return the status that an observation leads to, in the form of the API."""
    verdict = accept(observed, SETTINGS)
    return status(observed, verdict, SETTINGS, NOW).model_dump(by_alias=True, exclude_none=True)


def condition(status: Json, kind: str) -> Json:
    return next((each for each in status["conditions"] if each["type"] == kind), {})
