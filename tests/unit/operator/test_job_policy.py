"""What the administrator's defaults and policy make of a job."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest
from tests.unit.operator.fake_cluster import NAMESPACE, FakeCluster
from tests.unit.operator.objects import NOW, SETTINGS, live, rtj

from reasoning_contract.problem import Problem
from reasoning_operator.acceptance import accept, faults_of_defaults
from reasoning_operator.children import network_policy, pod
from reasoning_operator.client import Cluster
from reasoning_operator.job_defaults import fields, with_defaults
from reasoning_operator.job_policy import JobPolicy
from reasoning_operator.kinds import TRAINING_JOB
from reasoning_operator.model import Json, Key, Observed, TrainingJob
from reasoning_operator.observe import observe
from reasoning_operator.plan import plan
from reasoning_operator.settings import Settings, SettingsError, read
from reasoning_operator.store import Store


def settings(defaults: Json | None = None, **policy: Any) -> Settings:
    given = {"job_defaults": json.dumps(defaults or {}), "job_policy": policy}
    return Settings.model_validate(SETTINGS.model_dump() | given)


def seen(job: Json, by: Settings) -> Observed:
    """Return what is observed of a job without children."""
    store = Store(lambda key: None)
    store.put(TRAINING_JOB, job)
    api = cast(Cluster, FakeCluster())
    observed = asyncio.run(observe(store, api, Key(NAMESPACE, "sums"), {}, {}, by.job_defaults))
    assert observed
    return observed


def accepted(by: Settings, **parts: Any) -> TrainingJob:
    verdict = accept(seen(rtj(**parts), by), by)
    assert isinstance(verdict, TrainingJob), verdict
    return verdict


def filled(defaults: Json, **parts: Any) -> Json:
    by = settings(defaults)
    template = pod.build(TrainingJob.of(seen(rtj(**parts), by).job), by)
    return {**template["spec"], "labels": template["metadata"]["labels"]}


def test_without_defaults_a_job_is_as_it_is() -> None:
    job = rtj()
    assert with_defaults(job["spec"], "") is job["spec"]
    assert seen(job, SETTINGS).asked is None


def test_what_a_job_leaves_empty_is_filled_in() -> None:
    defaults = {
        "nodeSelector": {"pool": "training"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "imagePullSecrets": [{"name": "registry"}],
        "priorityClassName": "batch",
        "labels": {"cost-centre": "7"},
    }
    spec = filled({"pod": defaults, "storage": {"cacheClaim": "models"}})
    assert {name: spec[name] for name in defaults if name != "labels"} == {
        name: value for name, value in defaults.items() if name != "labels"
    }
    assert spec["labels"]["cost-centre"] == "7"
    assert {"name": "cache", "persistentVolumeClaim": {"claimName": "models"}} in spec["volumes"]


def test_what_a_job_says_stays_and_other_names_join_it() -> None:
    own = {
        "nodeSelector": {"pool": "mine"},
        "tolerations": [{"key": "a"}],
        "imagePullSecrets": [{"name": "own"}],
        "priorityClassName": "high",
    }
    defaults = {
        "nodeSelector": {"pool": "training", "zone": "one"},
        "tolerations": [{"key": "a"}, {"key": "b"}],
        "imagePullSecrets": [{"name": "own"}, {"name": "registry"}],
        "priorityClassName": "batch",
    }
    spec = filled({"pod": defaults}, pod=own)
    assert spec["nodeSelector"] == {"pool": "mine", "zone": "one"}
    assert spec["tolerations"] == [{"key": "a"}, {"key": "b"}]
    assert spec["imagePullSecrets"] == [{"name": "own"}, {"name": "registry"}]
    assert spec["priorityClassName"] == "high"


@pytest.mark.parametrize(
    ("defaults", "parts"),
    [
        ({"limits": {"gpuHours": 4.0}}, {}),  # on the CPU
        ({"storage": {"storageClassName": "fast"}}, {"storage": {"existingClaim": "mine"}}),
        ({"inference": {"maxNumSeqs": 4}}, {}),
    ],
)
def test_default_that_contradicts_a_job_is_left_out_and_the_others_are_not(defaults: Json, parts: Json) -> None:
    by = settings(defaults | {"pod": {"priorityClassName": "batch"}})
    given = rtj(**parts)["spec"]
    expected = {**given, "pod": {**given["pod"], "priorityClassName": "batch"}}
    assert seen(rtj(**parts), by).job["spec"] == expected


def test_job_that_cannot_be_read_stays_as_it_is() -> None:
    job = rtj()
    job["spec"]["lora"]["rank"] = -1
    by = settings({"pod": {"priorityClassName": "batch"}})
    assert seen(job, by).job == job
    verdict = accept(seen(job, by), by)
    assert isinstance(verdict, Problem)
    assert verdict.field == "spec.lora.rank"


def test_fields_that_may_have_a_default_are_empty_otherwise_and_not_learned() -> None:
    assert {"pod.nodeSelector", "storage.cacheClaim", "model.tokenSecretRef", "limits.gpuHours"} <= set(fields())
    assert not {"backend", "limits.maxAttempts", "reinforce.learningRate", "storage.existingClaim"} & set(fields())


@pytest.mark.parametrize(
    ("defaults", "named"),
    [
        ("{", "JOB_DEFAULTS"),
        ("[]", "must be a part of a spec"),
        ('{"pod": {"nodeSelectr": {}}}', "pod.nodeSelectr"),
        ('{"reinforce": {"learningRate": 1e-5}}', "reinforce.learningRate"),
        ('{"limits": {"maxAttempts": 2}}', "limits.maxAttempts"),
        ('{"storage": {"existingClaim": "a"}}', "storage.existingClaim"),
        ('{"pod": {"priorityClassName": 1}}', "pod.priorityClassName"),
        ('{"limits": {"gpuHours": -1.0}}', "limits.gpuHours"),
        ('{"queue": {"name": "a"}}', "queue: this version does not queue"),
    ],
)
def test_bad_default_is_refused_at_the_start_by_name(defaults: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        read({"REASONING_OPERATOR_JOB_DEFAULTS": defaults})


@pytest.mark.parametrize(
    ("of_pod", "named"),
    [
        ({"env": [{"name": "HOME", "value": "/"}]}, "pod.env[0].name: HOME is set by the operator"),
        ({"labels": {"job-name": "x"}}, "pod.labels.job-name"),
        ({"resources": {"limits": {"cpu": "many"}}}, "pod.resources.limits.cpu"),
        ({"volumes": [{"name": "output", "emptyDir": {}}]}, "pod.volumes[0].name"),
    ],
)
def test_default_that_no_job_could_run_with_is_told(of_pod: Json, named: str) -> None:
    assert named in faults_of_defaults(settings({"pod": of_pod}))


def test_defaults_are_not_held_against_the_policy() -> None:
    host = [{"name": "shared", "hostPath": {"path": "/data"}}]
    by = settings({"pod": {"volumes": host, "serviceAccountName": "trainer"}}, serviceAccounts=[])
    assert faults_of_defaults(by) == ""
    assert accepted(by).spec.pod.volumes == host


HOST = {"volumes": [{"name": "v", "hostPath": {"path": "/data/sets"}}]}
OPEN = {"volumes": ["hostPath"], "hostPaths": ["/data"]}


@pytest.mark.parametrize(
    ("policy", "parts"),
    [
        ({}, {"pod": {"image": "any/image:1", "serviceAccountName": "any", "networkPolicy": False}}),
        ({"images": ["registry.example.com/*"]}, {"pod": {"image": "registry.example.com/a/b:1"}}),
        ({"images": []}, {}),
        (OPEN, {"pod": HOST}),
        ({"volumes": ["hostPath"], "hostPaths": ["/"]}, {"pod": HOST}),
        ({"volumes": ["hostPath"], "hostPaths": ["/data/sets"]}, {"pod": HOST}),
        ({"serviceAccounts": ["trainer"]}, {"pod": {"serviceAccountName": "trainer"}}),
        ({"refusedFields": ["env", "affinity"]}, {"pod": {"labels": {"a": "b"}}}),
        ({"maxGpusPerNode": 1}, {"parallelism": {"gpusPerNode": 1}}),
        ({"maxGpusPerNode": 0}, {}),
        ({"openNetwork": False, "remoteCode": False}, {}),
    ],
)
def test_what_is_allowed_is_accepted(policy: Json, parts: Json) -> None:
    accepted(settings(**policy), **parts)


@pytest.mark.parametrize(
    ("policy", "parts", "field", "says"),
    [
        ({}, {"pod": HOST}, "pod.volumes[0].hostPath", "Pod Security restricted"),
        ({"images": ["a/*"]}, {"pod": {"image": "b/a/c"}}, "pod.image", "'b/a/c' is not allowed"),
        ({"images": []}, {"pod": {"image": "a"}}, "pod.image", "allows none"),
        ({"images": ["a.b/c"]}, {"pod": {"image": "axb/c"}}, "pod.image", "allows a.b/c"),
        (
            {"volumes": ["emptyDir"]},
            {"pod": {"volumes": [{"name": "v", "secret": {}}]}},
            "pod.volumes[0].secret",
            "may have emptyDir",
        ),
        (
            {"volumes": []},
            {"pod": {"volumes": [{"name": "v", "emptyDir": {}}]}},
            "pod.volumes[0].emptyDir",
            "no volumes",
        ),
        ({"volumes": ["hostPath"]}, {"pod": HOST}, "pod.volumes[0].hostPath.path", "allows none"),
        (
            OPEN,
            {"pod": {"volumes": [{"name": "v", "hostPath": {"path": "/database"}}]}},
            "pod.volumes[0].hostPath.path",
            "/data",
        ),
        (
            OPEN,
            {"pod": {"volumes": [{"name": "v", "hostPath": {"path": "/data/../etc"}}]}},
            "pod.volumes[0].hostPath.path",
            "/data",
        ),
        (OPEN, {"pod": {"volumes": [{"name": "v", "hostPath": {}}]}}, "pod.volumes[0].hostPath.path", "/data"),
        (
            {"serviceAccounts": ["a"]},
            {"pod": {"serviceAccountName": "b"}},
            "pod.serviceAccountName",
            "'b' is not allowed",
        ),
        ({"runtimeClasses": ["a"]}, {"pod": {"runtimeClassName": "b"}}, "pod.runtimeClassName", "allows a"),
        ({"priorityClasses": []}, {"pod": {"priorityClassName": "b"}}, "pod.priorityClassName", "allows none"),
        ({"refusedFields": ["env"]}, {"pod": {"env": [{"name": "A", "value": "1"}]}}, "pod.env", "lets no job set it"),
        (
            {"refusedFields": ["nodeSelector"]},
            {"pod": {"nodeSelector": {"a": "b"}}},
            "pod.nodeSelector",
            "lets no job set it",
        ),
        (
            {"maxGpusPerNode": 0},
            {"parallelism": {"gpusPerNode": 1}},
            "parallelism.gpusPerNode",
            "set it to 0 or less",
        ),
        ({"openNetwork": False}, {"pod": {"networkPolicy": False}}, "pod.networkPolicy", "NetworkPolicy around every"),
        (
            {"remoteCode": False},
            {"model": {"source": "hf://a/b", "trustRemoteCode": True}},
            "model.trustRemoteCode",
            "no code",
        ),
    ],
)
def test_what_is_not_allowed_is_refused_by_the_specs_field(policy: Json, parts: Json, field: str, says: str) -> None:
    by = settings(**policy)
    verdict = accept(seen(rtj(**parts), by), by)
    assert isinstance(verdict, Problem)
    assert (verdict.reason, verdict.field, verdict.final) == ("SpecInvalid", f"spec.{field}", False)
    assert says in verdict.message


def test_job_that_has_begun_is_refused_but_left_at_work() -> None:
    by = settings(images=[])
    job = rtj({"phase": "Running", "startTime": "2026-05-04T11:00:00Z"}, pod={"image": "a"})
    claim = live({"metadata": {"name": "sums-output", "namespace": NAMESPACE}, "kind": "PersistentVolumeClaim"})
    observed = Observed(job, claim=claim)
    verdict = accept(observed, by)
    assert isinstance(verdict, Problem)
    todo = plan(observed, verdict, by, NOW)
    assert (todo.create, todo.patch, todo.delete) == ((), (), ())


@pytest.mark.parametrize(
    ("policy", "named"),
    [
        ('{"imgaes": []}', "imgaes"),
        ('{"volumes": "emptyDir"}', "volumes"),
        ('{"hostPaths": ["data"]}', "hostPaths"),
        ('{"maxGpusPerNode": -1}', "maxGpusPerNode"),
        ('{"refusedFields": ["colour"]}', "colour"),
        ("{", "JOB_POLICY"),
    ],
)
def test_policy_that_is_not_understood_is_refused_at_the_start(policy: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        read({"REASONING_OPERATOR_JOB_POLICY": policy})


def test_empty_policy_is_the_one_without() -> None:
    assert read({"REASONING_OPERATOR_JOB_POLICY": ""}).job_policy == JobPolicy()


def test_peers_narrow_who_reaches_a_jobs_progress() -> None:
    peers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    by = read({"REASONING_OPERATOR_JOB_NETWORK_PEERS": json.dumps(peers)})
    (ingress,) = network_policy.build(TrainingJob.of(rtj()), by)["spec"]["ingress"]
    assert ingress == {"ports": [{"protocol": "TCP", "port": 9464}], "from": peers}
    with pytest.raises(SettingsError, match="JOB_NETWORK_PEERS: must be a list of peers"):
        read({"REASONING_OPERATOR_JOB_NETWORK_PEERS": "{}"})
