"""What the API server refuses of a child is told by the fields of the spec."""

from __future__ import annotations

import pytest
from tests.unit.operator.objects import SETTINGS, training_job

from reasoning_contract.problem import Problem
from reasoning_operator.children import training_job as batch
from reasoning_operator.model import Json
from reasoning_operator.refusals import refused

POD: Json = {
    "volumes": [{"name": "scratch", "emptyDir": {}}],
    "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    "env": [{"name": "A", "value": "1"}],
}
JOB = training_job(pod=POD)
TEMPLATE = batch.build(JOB, SETTINGS)["spec"]["template"]["spec"]
VARIABLE = len(TEMPLATE["containers"][0]["env"]) - 1
MOUNT = len(TEMPLATE["containers"][0]["volumeMounts"]) - 1
VOLUME = len(TEMPLATE["volumes"]) - 1


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("spec.template.spec.tolerations[0].operator", "spec.pod.tolerations[0].operator"),
        ("spec.template.spec.affinity.nodeAffinity", "spec.pod.affinity.nodeAffinity"),
        ("spec.template.spec.containers[0].resources.limits[cpu]", "spec.pod.resources.limits[cpu]"),
        ("spec.template.spec.containers[0].envFrom[1].prefix", "spec.pod.envFrom[1].prefix"),
        (f"spec.template.spec.containers[0].env[{VARIABLE}].valueFrom", "spec.pod.env[0].valueFrom"),
        (f"spec.template.spec.containers[0].volumeMounts[{MOUNT}].name", "spec.pod.volumeMounts[0].name"),
        (f"spec.template.spec.volumes[{VOLUME}].emptyDir", "spec.pod.volumes[0].emptyDir"),
        ("spec.template.spec.initContainers[0].resources.requests", "spec.rewardBox.resources.requests"),
        ("spec.template.labels", "spec.pod.labels"),
        ("spec.template.metadata.annotations", "spec.pod.annotations"),
    ],
)
def test_field_of_the_job_is_told_as_the_specs(path: str, field: str) -> None:
    said = f'422: Job.batch "sums-train" is invalid: {path}: Invalid value: "x": not so, see {path}: again'
    problem = refused(said, JOB, SETTINGS)
    assert (problem.reason, problem.field, problem.final) == ("ChildRefused", field, False)
    assert f"is invalid: {field}: Invalid value" in problem.message
    assert path not in problem.message


@pytest.mark.parametrize("path", ["spec.template.spec.volumes[0].name", "spec.template.spec.restartPolicy"])
def test_field_of_the_operators_own_keeps_its_name(path: str) -> None:
    problem = refused(f"422: {path}: Invalid value", JOB, SETTINGS)
    assert problem.field is None
    assert path in problem.message


def test_child_of_a_job_that_is_not_accepted_is_told_as_it_stands() -> None:
    verdict = Problem(reason="SpecInvalid", message="m", hint="h")
    assert "spec.template.spec.tolerations" in refused("spec.template.spec.tolerations", verdict, SETTINGS).message
