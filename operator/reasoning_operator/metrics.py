"""Prometheus metrics of the operator and of every job; docs/metrics.md is made from what stands here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from reasoning_contract.job_status import Status
from reasoning_contract.series import PREFIX, Series, figures

from .model import FINISHED, Json, Key

API_REQUESTS = Counter("reasoning_operator_api_requests", "Requests to the API server.", ["method", "code"])
RECONCILES = Counter("reasoning_operator_reconciles", "Reconciles of a job.", ["result"])
RECONCILE_SECONDS = Histogram("reasoning_operator_reconcile_seconds", "Duration of a reconcile.")
QUEUE_DEPTH = Gauge("reasoning_operator_workqueue_depth", "Jobs that wait to be reconciled.")
JOBS = Gauge("reasoning_operator_jobs", "Jobs by phase.", ["phase"])
LEADER = Gauge("reasoning_operator_leader", "1 where this operator holds the Lease, or needs none.")
GPU_SECONDS = Counter(
    "reasoning_operator_gpu_seconds", "GPU-seconds spent while this operator ran, by namespace.", ["namespace"]
)

JOB_LABELS = ("namespace", "name")
OWN_SERIES = (
    Series("info", "What trains: algorithm, model, backend, engine and precision; always 1.", ""),
    Series("phase", "1 for the phase that the job is in.", "", label="phase"),
    Series("condition", "1 where a condition of the object is true, 0 where it is false.", "", label="condition"),
    Series("failure", "1 for why the job failed or does not run.", "", label="reason"),
    Series("claim", "1 for the claim that the job writes to.", "", label="persistentvolumeclaim"),
    Series("attempts", "How often a pod was started.", "", counter=True),
    Series("gpu_seconds", "GPU-seconds over all attempts.", "", counter=True),
    Series("gpu_seconds_limit", "GPU-seconds that limits.gpuHours allows.", ""),
    Series("created_timestamp_seconds", "When the object was made.", ""),
    Series("start_timestamp_seconds", "When the first pod started to run.", ""),
    Series("completion_timestamp_seconds", "When the job ended.", ""),
    Series("report_timestamp_seconds", "When the run last had something new to report.", ""),
)
"""What the operator alone knows of a job."""
INFO_LABELS = ("algorithm", "model", "backend", "engine", "load_in")
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class _Sample:
    series: Series
    value: float
    labels: Mapping[str, str]


class JobMetrics(Collector):
    """Series of the jobs: they come with a value, stay for a while after the job's end, and go with the object.

    Parameters
    ----------
    keep_seconds
        How long a finished job's last figures stay; its phase stays as long as the object.
    registry
        Where they are served from.
    clock
        Gives the time, Unix seconds.
    """

    def __init__(
        self,
        keep_seconds: float,
        registry: CollectorRegistry = REGISTRY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keep_seconds, self._clock = keep_seconds, clock
        self._samples: dict[Key, list[_Sample]] = {}
        self._phases: dict[Key, str] = {}
        self._ends: dict[Key, float] = {}
        self._spent: dict[Key, float] = {}
        registry.register(self)

    def describe(self) -> list[Metric]:
        """Name nothing beforehand: what there is depends on the jobs."""
        return []

    def show(self, key: Key, job: Json, status: Status) -> None:
        """Take over a job's figures."""
        self._count(key, status.phase)
        self._spend(key, status)
        self._samples[key] = list(_samples(job, status))
        end = _seconds(status.completion_time)
        if status.phase in FINISHED and end is not None:
            self._ends[key] = end
        else:
            self._ends.pop(key, None)

    def forget(self, key: Key) -> None:
        """Remove the series of a job that is gone."""
        self._count(key, None)
        for kept in (self._samples, self._ends, self._spent):
            kept.pop(key, None)

    def collect(self) -> Iterator[Metric]:
        """Yield every job's series of the moment."""
        families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
        for key, samples in list(self._samples.items()):  # a reconcile may add a job meanwhile
            for sample in samples if self._is_fresh(key) else samples[:1]:
                name = sample.series.name
                if name not in families:
                    families[name] = _family(sample.series, sample.labels)
                families[name].add_metric([*key, *sample.labels.values()], sample.value)
        yield from families.values()

    def _is_fresh(self, key: Key) -> bool:
        return self._clock() < self._ends.get(key, float("inf")) + self._keep_seconds

    def _count(self, key: Key, phase: str | None) -> None:
        before = self._phases.pop(key, None)
        if before:
            JOBS.labels(before).dec()
        if phase:
            self._phases[key] = phase
            JOBS.labels(phase).inc()

    def _spend(self, key: Key, status: Status) -> None:
        """Count what was spent since the last look; what was spent before the first one was another operator's."""
        spent = (status.gpu_hours or 0.0) * HOUR
        GPU_SECONDS.labels(key.namespace).inc(max(0.0, spent - self._spent.get(key, spent)))
        self._spent[key] = spent


def _family(series: Series, labels: Mapping[str, str]) -> GaugeMetricFamily | CounterMetricFamily:
    kind = CounterMetricFamily if series.counter else GaugeMetricFamily
    return kind(f"{PREFIX}{series.name}", series.text, labels=[*JOB_LABELS, *labels])


def _samples(job: Json, status: Status) -> Iterator[_Sample]:
    """Yield a job's samples; its phase first."""
    own = {series.name: series for series in OWN_SERIES}
    for name, value, labels in _own(job, status):
        if value is not None:
            yield _Sample(own[name], value, labels)
    for series, label, value in figures(status):
        yield _Sample(series, value, {series.label: label} if series.label else {})


def _own(job: Json, status: Status) -> Iterator[tuple[str, float | None, Mapping[str, str]]]:
    yield "phase", 1, {"phase": status.phase or "Pending"}
    yield "info", 1, _info(job, status)
    for condition in status.conditions:
        if condition.status != "Unknown":
            yield "condition", float(condition.status == "True"), {"condition": condition.type}
    if status.failure:
        yield "failure", 1, {"reason": status.failure.reason}
    if status.storage:
        yield "claim", 1, {"persistentvolumeclaim": status.storage.claim_name}
    limit = job.get("spec", {}).get("limits", {}).get("gpuHours")
    yield "attempts", status.attempts, {}
    yield "gpu_seconds", None if status.gpu_hours is None else status.gpu_hours * HOUR, {}
    yield "gpu_seconds_limit", None if limit is None else limit * HOUR, {}
    yield "created_timestamp_seconds", _seconds(job["metadata"].get("creationTimestamp")), {}
    yield "start_timestamp_seconds", _seconds(status.start_time), {}
    yield "completion_timestamp_seconds", _seconds(status.completion_time), {}
    yield "report_timestamp_seconds", _seconds(status.progress.updated_at if status.progress else None), {}


def _info(job: Json, status: Status) -> dict[str, str]:
    spec: dict[str, Any] = job.get("spec", {})
    chosen = status.model
    values = (
        spec.get("reinforce", {}).get("algorithm", ""),
        spec.get("model", {}).get("source", ""),
        *((chosen.backend, chosen.engine, chosen.load_in) if chosen else ("", "", "")),
    )
    return dict(zip(INFO_LABELS, values, strict=True))


def _seconds(moment: str | None) -> float | None:
    return None if moment is None else datetime.fromisoformat(moment).timestamp()
