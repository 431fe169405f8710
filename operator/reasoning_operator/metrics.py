"""Prometheus metrics of the operator and of every job that runs."""

from __future__ import annotations

from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from reasoning_contract.status import Status

from .model import FINISHED, Key

API_REQUESTS = Counter("reasoning_operator_api_requests", "Requests to the API server.", ["method", "code"])
RECONCILES = Counter("reasoning_operator_reconcile", "Reconciles of a job.", ["result"])
RECONCILE_SECONDS = Histogram("reasoning_operator_reconcile_seconds", "Duration of a reconcile.")
QUEUE_DEPTH = Gauge("reasoning_operator_workqueue_depth", "Jobs that wait to be reconciled.")
JOBS = Gauge("reasoning_operator_jobs", "Jobs by phase.", ["phase"])

_LABELS = ["namespace", "name"]
_PER_JOB = {
    "progress.percent": Gauge("reasoning_job_progress_percent", "Share of the run that is done.", _LABELS),
    "training.reward": Gauge("reasoning_job_reward", "Mean weighted reward of the last step.", _LABELS),
    "training.kl": Gauge("reasoning_job_kl", "KL divergence from the reference model in the last step.", _LABELS),
    "training.zero_variance_share": Gauge(
        "reasoning_job_zero_variance_share", "Share of groups that teach nothing, in the last step.", _LABELS
    ),
    "training.completion_length": Gauge(
        "reasoning_job_completion_length_tokens", "Mean completion length of the last step.", _LABELS
    ),
    "evaluation.final_accuracy": Gauge("reasoning_job_accuracy", "Held-out accuracy of the last model.", _LABELS),
    "attempts": Gauge("reasoning_job_attempts", "How often a pod was started.", _LABELS),
    "gpu_hours": Gauge("reasoning_job_gpu_hours", "GPU-hours over all attempts.", _LABELS),
}
"""Gauges of a job, by the figure's place in the status."""


class JobMetrics:
    """Series of the jobs: they appear with a value and go with their job."""

    def __init__(self) -> None:
        self._phases: dict[Key, str] = {}

    def show(self, key: Key, status: Status) -> None:
        """Take over a job's figures. A finished job keeps its phase only: its figures are on the object."""
        self._count(key, status.phase)
        for place, gauge in _PER_JOB.items():
            value = None if status.phase in FINISHED else _figure(status, place)
            if value is None:
                gauge.remove_by_labels(dict(zip(_LABELS, key, strict=True)))
            else:
                gauge.labels(*key).set(value)

    def forget(self, key: Key) -> None:
        """Remove the series of a job that is gone."""
        self.show(key, Status())

    def _count(self, key: Key, phase: str | None) -> None:
        before = self._phases.pop(key, None)
        if before:
            JOBS.labels(before).dec()
        if phase:
            self._phases[key] = phase
            JOBS.labels(phase).inc()


def _figure(status: Status, place: str) -> float | None:
    value: Any = status
    for name in place.split("."):
        value = getattr(value, name, None)
    return None if value is None else float(value)
