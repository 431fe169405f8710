"""Two operators in one cluster, each with namespaces, defaults and a policy of its own: neither touches the other's."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.operator_under_test import RTJ, Api, Operator, install_crd, manifest, running

JOB, LEASE = ("batch/v1", "Job"), ("coordination.k8s.io/v1", "Lease")


@pytest.fixture
def teams(api_server: Path) -> Iterator[tuple[Api, Api]]:
    """Two namespaces."""
    install_crd(api_server)
    cluster = Api(api_server, "default")
    names = [f"team-{uuid.uuid4().hex[:6]}" for _ in range(2)]
    for name in names:
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield Api(api_server, names[0]), Api(api_server, names[1])
    for name in names:
        cluster.delete(("v1", "Namespace"), name)


def test_each_runs_the_jobs_of_its_namespaces_alone(api_server: Path, tmp_path: Path, teams: tuple[Api, Api]) -> None:
    one, two = teams

    def operator(name: str, api: Api, **settings: Any) -> Operator:
        # one namespace for both Leases, as of two releases beside each other
        given = {"lease_namespace": one.namespace, "lease_name": name, "namespaces": api.namespace}
        return Operator(api_server, tmp_path / name, **given, **settings)

    first = operator("one", one, job_defaults=json.dumps({"pod": {"nodeSelector": {"pool": "one"}}}))
    second = operator("two", two, job_policy=json.dumps({"images": ["allowed/*"]}))
    with running(first), running(second):
        own_image = {"pod": {"image": "allowed/trainer:1"}}
        for api in teams:
            api.create(manifest("plain"))
            api.create(manifest("own", **own_image))
            api.create(manifest("other", pod={"image": "other/trainer:1"}))
        for api, names in ((one, ("plain", "own", "other")), (two, ("plain", "own"))):
            for name in names:
                api.wait_for_phase(name, "Starting")
        refused = two.wait_for_phase("other", "Pending")
        assert {each["reason"] for each in refused["conditions"] if each["type"] == "Accepted"} == {"SpecInvalid"}
        assert "spec.pod.image: 'other/trainer:1' is not allowed" in refused["failure"]["message"]
        assert two.get(JOB, "other-train") is None
        selectors = [selector(api, "plain") for api in teams]
        assert selectors == [{"pool": "one"}, None]
        assert {each["metadata"]["name"] for each in one.list(LEASE)} == {"one", "two"}
        spec = (one.get(RTJ, "plain") or {})["spec"]
        assert not spec["pod"].get("nodeSelector"), "the user's object stays as it was applied"
        assert (first.stop(), second.stop()) == (0, 0)


def selector(api: Api, job: str) -> Any:
    made = api.get(JOB, f"{job}-train")
    assert made
    return made["spec"]["template"]["spec"].get("nodeSelector")
