"""What is said of a job, from its object alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from reasoning_client.comparing import difference, figures, judged, spec_changes
from reasoning_client.errors import Exit
from reasoning_client.kube import refusal
from reasoning_client.versions import Found, compare
from reasoning_client.why import diagnose
from reasoning_contract.report import Score
from reasoning_contract.spec import Spec
from reasoning_contract.spec.changing import retry_hint

CREATED, NOW = "2026-01-01T00:00:00Z", datetime(2026, 1, 1, 1, tzinfo=UTC)
PROGRESS = {"display": "50%", "percent": 50, "eta": "4m", "updatedAt": "2026-01-01T00:59:50Z"}


def job(name: str = "sums", spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "demo", "generation": 1, "creationTimestamp": CREATED}
    return {"metadata": meta, "spec": spec or {}, "status": status}


def condition(kind: str, message: str, reason: str = "Lost") -> dict[str, Any]:
    return {"type": kind, "status": "False", "reason": reason, "message": message, "lastTransitionTime": CREATED}


@pytest.mark.parametrize(
    ("document", "level", "what", "fix"),
    [
        (job(), "error", "nobody has looked at it for 1h00m", "watchNamespaces"),
        (
            job(phase="Failed", failure={"reason": "DataInvalid", "message": "no column", "hint": "name it"}),
            "error",
            "it failed: DataInvalid",
            "name it",
        ),
        (
            job(phase="Pending", failure={"reason": "ImageNotPulled", "message": "not found"}),
            "error",
            "it cannot go on: ImageNotPulled",
            "rtj logs sums",
        ),
        (
            job(phase="Running", progress=PROGRESS, conditions=[condition("LearningSignal", "alike")]),
            "warning",
            "a guard warns: LearningSignal (Lost)",
            "docs/runbooks/ReasoningJobNotLearning.md",
        ),
        (
            job(phase="Running", conditions=[condition("Reporting", "no answer", "NotReached")]),
            "warning",
            "its pod runs and reports nothing (NotReached)",
            "rtj logs",
        ),
        (
            job(phase="Running", stage="reinforce", progress=PROGRESS | {"updatedAt": "2026-01-01T00:40:00Z"}),
            "warning",
            "no news for 20m00s",
            "rtj logs",
        ),
        (job(phase="Running", stage="reinforce", progress=PROGRESS), "ok", "it runs: reinforce, 50%, 4m left", ""),
        (job(phase="Suspended", observedGeneration=1), "note", "it is suspended", "rtj resume sums"),
        (job(phase="Succeeded"), "ok", "it succeeded", "rtj download sums"),
        (job(phase="Starting", observedGeneration=0), "note", "its spec was changed", "ask again"),
        (job(phase="Running", attempts=2, resumedFromStep=25), "note", "this is attempt 2", ""),
    ],
)
def test_the_worst_is_told_first_with_what_to_do(document: dict[str, Any], level: str, what: str, fix: str) -> None:
    first = diagnose(document, NOW)[0]
    assert first.level == level
    assert first.what.startswith(what)
    assert fix in first.fix


def test_what_the_preflight_found_is_told() -> None:
    finding = {"level": "error", "where": "data.train", "message": "no rows", "hint": "give some"}
    found = diagnose(job(phase="Failed", preflight={"passed": False, "checked": "x", "findings": [finding]}), NOW)
    assert [(each.level, each.why, each.fix) for each in found] == [("error", "no rows", "give some")]


def score(accuracy: float, low: float, high: float) -> dict[str, Any]:
    return {"accuracy": accuracy, "ci95": [low, high], "format": 1.0, "meanLength": 10.0}


def evaluated(name: str, final: dict[str, Any], size: int = 200, **spec: Any) -> dict[str, Any]:
    return job(name, spec, phase="Succeeded", evaluation={"heldOut": {"size": size, "reinforce": final}})


def test_a_difference_has_the_interval_of_newcombes_tenth_method() -> None:
    # his example: 56 of 70 and 48 of 80, difference 0.2, interval 0.0524 to 0.3339
    first = Score(accuracy=0.6, ci95=[0.4905, 0.7004], format=1.0, mean_length=1.0)
    second = Score(accuracy=0.8, ci95=[0.6918, 0.8769], format=1.0, mean_length=1.0)
    assert difference(first, second) == pytest.approx((0.2, 0.0524, 0.3339), abs=2e-3)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (score(0.9, 0.85, 0.93), "b is better"),
        (score(0.1, 0.07, 0.15), "a is better"),
        (score(0.52, 0.45, 0.59), "Neither is provably better"),
    ],
)
def test_one_job_is_called_better_only_where_the_interval_says_so(second: dict[str, Any], words: str) -> None:
    assert words in judged(evaluated("a", score(0.5, 0.43, 0.57)), evaluated("b", second))


def test_retry_is_told_in_the_words_of_rtj() -> None:
    hint = f"ask for less; then {retry_hint('sums', '2')}"
    told = diagnose(job(phase="Failed", failure={"reason": "OutOfMemory", "message": "-", "hint": hint}), NOW)[0]
    assert told.fix == "ask for less; then start it again in its folder: rtj retry sums -n demo"


def test_different_rows_are_told() -> None:
    verdict = judged(evaluated("a", score(0.5, 0.4, 0.6), 100), evaluated("b", score(0.9, 0.8, 0.95), 90))
    assert "different sizes, 100 and 90 rows" in verdict
    assert "is better." not in verdict


def test_a_gain_is_told_with_what_it_cost() -> None:
    first, second = evaluated("a", score(0.5, 0.4, 0.6)), evaluated("b", score(0.5, 0.4, 0.6))
    assert "completions" not in judged(first, second)
    first["status"]["training"], second["status"]["training"] = {"completions": 2000}, {"completions": 1500}
    assert ("completions", "2,000", "1,500") in figures(first, second)
    assert "with 75% of its completions." in judged(first, second)


def test_jobs_are_compared_by_figures_and_by_the_fields_that_differ() -> None:
    first = evaluated("a", score(0.5, 0.4, 0.6), reinforce={"algorithm": "GRPO"}, rewards=[{"name": "x", "weight": 1}])
    second = evaluated("b", score(0.6, 0.5, 0.7), reinforce={"algorithm": "DAPO"}, rewards=[{"name": "x", "weight": 2}])
    assert ("after training: accuracy", "0.500 (0.400 to 0.600)", "0.600 (0.500 to 0.700)") in figures(first, second)
    assert spec_changes(first, second) == [
        ("reinforce.algorithm", "GRPO", "DAPO"),
        ("rewards[x].weight", "1", "2"),
    ]


@pytest.mark.parametrize(
    ("status", "body", "code", "hint"),
    [
        (404, '{"message": "the server could not find the requested resource"}', Exit.NOT_INSTALLED, "helm install"),
        (
            404,
            '{"message": "x not found", "details": {"name": "x", "kind": "reasoningtrainingjobs"}}',
            Exit.NOT_FOUND,
            "rtj list -A",
        ),
        (403, '{"reason": "Forbidden", "message": "x is forbidden: User \\"u\\" cannot"}', Exit.FORBIDDEN, "role edit"),
        (403, '{"reason": "Forbidden", "message": "pods is forbidden: exceeded quota"}', Exit.FORBIDDEN, "mend"),
        (401, "Unauthorized", Exit.FORBIDDEN, "log in"),
        (409, '{"message": "Apply failed with 1 conflict"}', Exit.REFUSED, "--force"),
        (422, '{"message": "spec.x is invalid"}', Exit.REFUSED, ""),
        (502, "<html>", Exit.UNEXPECTED, ""),
    ],
)
def test_what_an_answer_means(status: int, body: str, code: Exit, hint: str) -> None:
    path = "/apis/reasoning-operator.io/v1alpha1/namespaces/demo/reasoningtrainingjobs/x"
    error = refusal(status, body, "PATCH", path)
    assert error.code == code
    assert hint in error.hint


def test_the_same_schema_fits() -> None:
    schema = Spec.model_json_schema(by_alias=True)
    inline = {"properties": {"spec": _inlined(schema, schema["$defs"])}}
    (_, operator, definition) = compare(Found(inline, None))
    assert definition.fits
    assert operator.fits is None


def test_a_field_that_one_side_lacks_is_named() -> None:
    schema = Spec.model_json_schema(by_alias=True)
    spec = _inlined(schema, schema["$defs"])
    del spec["properties"]["backend"]
    spec["properties"]["novelty"] = {"type": "string"}
    (_, operator, definition) = compare(Found({"properties": {"spec": spec}}, []))
    assert definition.fits is False
    assert "lacks backend" in definition.note
    assert "does not know novelty" in definition.note
    assert operator.fits is False


def _inlined(schema: Any, definitions: Any) -> Any:
    """Return a schema as the API server has it: without references."""
    if isinstance(schema, list):
        return [_inlined(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {name: _inlined(each, definitions) for name, each in schema.items() if name != "$defs"}
