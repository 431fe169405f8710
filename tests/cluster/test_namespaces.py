"""One operator for many namespaces: jobs of one name in each of them do not mix."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.operator_under_test import CLAIM, CONFIG_MAP, JOB, POLICY, RTJ, Api, Operator, install_crd, manifest
from tests.polling import eventually

NAMESPACES = 20
CHILDREN = ((JOB, "sums-train"), (CLAIM, "sums-output"), (CONFIG_MAP, "sums-spec"), (POLICY, "sums-train"))


@pytest.fixture
def teams(api_server: Path) -> Iterator[list[Api]]:
    install_crd(api_server)
    cluster = Api(api_server, "default")
    names = [f"many-{number}-{uuid.uuid4().hex[:6]}" for number in range(NAMESPACES)]
    for name in names:
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield [Api(api_server, name) for name in names]
    for name in names:
        cluster.delete(("v1", "Namespace"), name)


def uids(api: Api) -> dict[str, str]:
    """Return the UIDs of the children that are there and not being deleted."""
    found = {kind[1]: api.get(kind, name) for kind, name in CHILDREN}
    return {
        kind: each["metadata"]["uid"]
        for kind, each in found.items()
        if each and not each["metadata"].get("deletionTimestamp")
    }


@pytest.mark.parametrize("listed", [False, True], ids=["whole cluster", "by name"])
def test_jobs_of_one_name_do_not_mix(api_server: Path, tmp_path: Path, teams: list[Api], listed: bool) -> None:
    names = ",".join(api.namespace for api in teams) if listed else ""
    operator = Operator(api_server, tmp_path / "log", namespaces=names)
    operator.start()
    try:
        for api in teams:
            api.create(manifest("sums", model={"source": f"file:///models/{api.namespace}"}))
        for api in teams:
            api.wait_for_phase("sums", "Starting", seconds=60)
        for api in teams:
            job, spec = api.get(RTJ, "sums"), api.get(CONFIG_MAP, "sums-spec")
            assert job
            assert spec
            assert json.loads(spec["data"]["job.json"])["spec"]["model"]["source"] == f"file:///models/{api.namespace}"
            for kind, name in CHILDREN:
                child = api.get(kind, name)
                assert child, f"{name} in {api.namespace}"
                owners = {owner["uid"] for owner in child["metadata"].get("ownerReferences") or []}
                assert owners <= {job["metadata"]["uid"]}
        kept, deleted = teams[::2], teams[1::2]
        before = [uids(api) for api in kept]
        for api in deleted:
            api.delete(RTJ, "sums")
        for api in deleted:
            eventually(lambda api=api: not {"Job", "ConfigMap"} & uids(api).keys(), "the end of a job's children", 60)  # type: ignore[misc]
        assert operator.stop() == 0
        operator.start()  # what it finds is all that it knows
        eventually(lambda: operator.metric("reasoning_operator_jobs") >= len(kept), "every job", seconds=60)
        assert [uids(api) for api in kept] == before
        assert {api.status("sums")["phase"] for api in kept} == {"Starting"}
        assert not operator.broken()
    finally:
        operator.end()
