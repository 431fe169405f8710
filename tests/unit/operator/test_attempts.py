"""Which pods make an attempt, and which of them speaks for it."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.operator.objects import ended_pod, pod, report, rtj, running_pod, status_of

from reasoning_operator.model import Json, Observed

INDEX = "batch.kubernetes.io/job-completion-index"


def ranked(pod: Json, index: int) -> Json:
    return pod | {"metadata": pod["metadata"] | {"labels": {INDEX: str(index)}}}


def names(observed: Observed) -> list[list[str]]:
    return [[pod["metadata"]["name"] for pod in attempt.pods] for attempt in observed.attempts]


def test_each_pod_of_a_plain_job_is_an_attempt() -> None:
    observed = Observed(rtj(), pods=(ended_pod(80), running_pod("sums-train-b")))
    assert names(observed) == [["sums-train-a"], ["sums-train-b"]]
    assert [attempt.lead["metadata"]["name"] for attempt in observed.attempts] == ["sums-train-a", "sums-train-b"]


def test_pods_of_a_group_make_one_attempt_and_the_first_of_them_leads() -> None:
    first = (ranked(ended_pod(80, name="w1-a"), 1), ranked(ended_pod(80, name="w0-a"), 0))
    second = (ranked(running_pod("w0-b"), 0), ranked(pod(name="w1-b"), 1))
    observed = Observed(rtj(), pods=(*first, *second))
    assert names(observed) == [["w0-a", "w1-a"], ["w0-b", "w1-b"]]
    assert [attempt.lead["metadata"]["name"] for attempt in observed.attempts] == ["w0-a", "w0-b"]


def test_group_is_counted_as_one_attempt_and_its_lead_reports() -> None:
    pods = (ranked(running_pod("w1-a"), 1), ranked(running_pod("w0-a"), 0))
    told = {"uid-of-w0-a": report(7), "uid-of-w1-a": report(3)}
    status = status_of(replace(Observed(rtj(), inputs={}), pods=pods, progress=told))
    assert (status["attempts"], status["progress"]["step"]) == (1, 7)
