"""The children, as YAML files in tests/golden. UPDATE_GOLDEN=1 writes them anew: read the diff before committing it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.operator.objects import SETTINGS, training_job

from reasoning_operator.children import config, network_policy, preflight, volume
from reasoning_operator.children import training_job as batch_job
from reasoning_operator.children.pod import reserved
from reasoning_operator.model import Json
from reasoning_operator.names import box_user

GOLDEN = Path(__file__).parents[2] / "golden"
EVERYTHING: Json = {
    "model": {"source": "hf://owner/base", "tokenSecretRef": {"name": "hf", "key": "token"}},
    "parallelism": {"gpusPerNode": 1},
    "data": {
        "train": {"source": "configmap://rows/train.jsonl"},
        "warmup": {"source": "pvc://library/warmup.parquet"},
        "heldOut": {"source": "configmap://rows/test.jsonl"},
    },
    "storage": {"existingClaim": "results", "cacheClaim": "caches"},
    "limits": {"maxAttempts": 5, "activeDeadlineSeconds": 3600},
    "suspend": True,
    "pod": {
        "image": "mine:1",
        "imagePullPolicy": "Always",
        "imagePullSecrets": [{"name": "registry"}],
        "resources": {"requests": {"cpu": 2, "memory": "8Gi"}, "limits": {"memory": "8Gi"}},
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "priorityClassName": "high",
        "env": [{"name": "WANDB_MODE", "value": "offline"}],
        "envFrom": [{"configMapRef": {"name": "more"}}],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
        "labels": {"team": "a", "app.kubernetes.io/name": "mine"},
        "annotations": {"note": "x"},
        "serviceAccountName": "trainer",
    },
}
REWARDS: Json = {
    "rewards": [
        {"name": "steps", "python": {"source": "def score(prompts, completions, **columns):\n    return [0.0]\n"}},
        {"name": "kept", "python": {"configMapKeyRef": {"name": "rewards", "key": "kept.py"}}},
        {"name": "judge-2", "http": {"url": "http://judge/score", "headersSecretRef": {"name": "judge", "key": "h"}}},
    ],
    "rewardBox": {"resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "4Gi"}}, "onMissingWall": "run"},
    "parallelism": {"gpusPerNode": 1},
    "model": {"source": "hf://owner/base", "tokenSecretRef": {"name": "hf", "key": "token"}},
    "pod": {"runtimeClassName": "gvisor", "env": [{"name": "WANDB_API_KEY", "value": "x"}]},
}
CASES: dict[str, Json] = {"smallest": {}, "everything": EVERYTHING, "rewards": REWARDS}


class Readable(yaml.SafeDumper):
    """Writes texts of several lines as such."""


Readable.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


@pytest.mark.parametrize("name", CASES)
def test_children(name: str) -> None:
    job = training_job(**CASES[name])
    children = [
        config.build(job),
        volume.build(job),
        network_policy.build(job, SETTINGS),
        batch_job.build(job, SETTINGS),
    ]
    children += [preflight.build(job, SETTINGS)] if preflight.is_wanted(job.spec) else []
    text = yaml.dump_all(children, Dumper=Readable, sort_keys=False, width=120)
    golden = GOLDEN / f"children-{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_box_has_nothing_of_the_trainers() -> None:
    template = batch_job.build(training_job(**REWARDS), SETTINGS)["spec"]["template"]["spec"]
    (box,) = template["initContainers"]
    (trainer,) = template["containers"]
    assert box["restartPolicy"] == "Always"  # a native sidecar: it does not keep the Job alive
    assert box["image"] == trainer["image"]
    assert box["securityContext"]["runAsUser"] != template["securityContext"]["runAsUser"]
    assert box["securityContext"]["readOnlyRootFilesystem"] is True
    assert "nvidia.com/gpu" not in box["resources"]["limits"]
    assert not [each for each in box["env"] if "secretKeyRef" in each.get("valueFrom", {})]
    assert "WANDB_API_KEY" not in {each["name"] for each in box["env"]}
    shared = {each["name"] for each in box["volumeMounts"]} & {each["name"] for each in trainer["volumeMounts"]}
    assert shared == {"box"}
    volumes = {each["name"]: each for each in template["volumes"]}
    assert all("emptyDir" in volumes[each["name"]] for each in box["volumeMounts"])


def test_boxes_of_different_jobs_have_different_users() -> None:
    """Linux counts threads by user on the whole node: a box would find those of another job's already there."""
    users = [box_user(f"0a1b2c3d-0000-4000-8000-{number:012}") for number in range(50)]
    assert len(set(users)) == len(users)
    assert all(100_000 <= user <= 165_535 for user in users)
    assert box_user("0a1b") == box_user("0a1b")


def test_only_rewards_that_run_code_bring_a_box() -> None:
    data = {"train": {"source": "hf://owner/programs"}, "heldOut": {"fraction": 0.1}}
    code = batch_job.build(training_job(rewards=[{"name": "tests", "builtin": "code"}], data=data), SETTINGS)
    assert [each["name"] for each in code["spec"]["template"]["spec"]["initContainers"]] == ["reward-box"]
    rewards = [{"name": "judge", "http": {"url": "http://judge/score"}}]
    template = batch_job.build(training_job(rewards=rewards), SETTINGS)["spec"]["template"]["spec"]
    assert "initContainers" not in template
    mine = {
        "pod": {"volumes": [{"name": "box", "emptyDir": {}}], "volumeMounts": [{"name": "box", "mountPath": "/box"}]}
    }
    assert reserved(training_job(**mine, rewards=rewards)) is None
    assert "spec.pod.volumes[0].name" in str(reserved(training_job(**mine, rewards=REWARDS["rewards"])))


def test_cache_claim_is_written_to_and_named_to_the_libraries() -> None:
    spec = batch_job.build(training_job(storage={"cacheClaim": "caches"}), SETTINGS)["spec"]["template"]["spec"]
    assert {"name": "cache", "persistentVolumeClaim": {"claimName": "caches"}} in spec["volumes"]
    (container,) = spec["containers"]
    (mount,) = [each for each in container["volumeMounts"] if each["name"] == "cache"]
    assert not mount.get("readOnly")
    assert {"name": "XDG_CACHE_HOME", "value": mount["mountPath"]} in container["env"]


def test_pod_has_no_rights() -> None:
    template = batch_job.build(training_job(**EVERYTHING), SETTINGS)["spec"]["template"]
    spec, (container,) = template["spec"], template["spec"]["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_operators_own_labels_win() -> None:
    labels = batch_job.build(training_job(**EVERYTHING), SETTINGS)["spec"]["template"]["metadata"]["labels"]
    assert (labels["team"], labels["app.kubernetes.io/name"]) == ("a", "reasoning-trainer")


def test_suspending_changes_neither_template_nor_spec_of_the_run() -> None:
    running, suspended = training_job(), training_job(suspend=True)
    assert config.build(running) == config.build(suspended)
    templates = [batch_job.build(job, SETTINGS)["metadata"] for job in (running, suspended)]
    assert templates[0] == templates[1]


@pytest.mark.parametrize("retain", [True, False])
def test_claim_goes_with_the_job_only_if_asked(retain: bool) -> None:
    claim = volume.build(training_job(storage={"retain": retain}))
    assert ("ownerReferences" in claim["metadata"]) is not retain


@pytest.mark.parametrize(
    ("parts", "open_"),
    [
        ({}, False),
        ({"model": {"source": "hf://a/b"}}, True),
        ({"data": {"train": {"source": "hf://a/b"}, "heldOut": {"fraction": 0.1}}}, True),
        ({"data": {"train": {"source": "pvc://a/b"}, "heldOut": {"fraction": 0.1}}}, False),
    ],
)
def test_only_a_job_that_needs_the_network_gets_out(parts: Json, open_: bool) -> None:
    egress = network_policy.build(training_job(**parts), SETTINGS)["spec"]["egress"]
    assert egress == ([{}] if open_ else [])


@pytest.mark.parametrize(
    ("pod", "field"),
    [
        ({"volumes": [{"name": "fine"}, {"name": "output", "emptyDir": {}}]}, "spec.pod.volumes[1].name"),
        ({"volumeMounts": [{"name": "x", "mountPath": "/output/x"}]}, "spec.pod.volumeMounts[0].mountPath"),
        ({"volumeMounts": [{"name": "x", "mountPath": "/tmp"}]}, "spec.pod.volumeMounts[0].mountPath"),
        ({"volumeMounts": [{"name": "x", "mountPath": "/etc"}]}, "spec.pod.volumeMounts[0].mountPath"),
        ({"volumeMounts": [{"name": "x", "mountPath": "/cache/hub"}]}, "spec.pod.volumeMounts[0].mountPath"),
        ({"env": [{"name": "HOME", "value": "/"}]}, "spec.pod.env[0].name"),
        ({"env": [{"name": "HF_TOKEN", "value": "x"}]}, None),
        ({"volumeMounts": [{"name": "x", "mountPath": "/outputs"}]}, None),
    ],
)
def test_what_is_the_trainers_own_is_refused(pod: dict[str, Any], field: str | None) -> None:
    clash = reserved(training_job(pod=pod))
    assert (clash is None) if field is None else (clash is not None and clash.field == field)


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        ({}, False),
        ({"parallelism": {"gpusPerNode": 1}}, True),
        ({"parallelism": {"gpusPerNode": 1}, "guards": {"preflight": {"enabled": False}}}, False),
        ({"guards": {"preflight": {"enabled": True}}}, True),
    ],
)
def test_jobs_that_ask_for_a_gpu_are_checked_first(parts: Json, wanted: bool) -> None:
    assert preflight.is_wanted(training_job(**parts).spec) is wanted


def test_preflight_holds_no_gpu_and_binds_no_claim_of_the_output() -> None:
    limits = {"memory": "64Gi", "rdma/hca": "1"}
    env = [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}, {"name": "HF_ENDPOINT", "value": "http://hub"}]
    job = training_job(**REWARDS | {"pod": {"resources": {"limits": limits}, "env": env}})
    spec = preflight.build(job, SETTINGS)["spec"]["template"]["spec"]
    (container,), (trainer,) = (
        spec["containers"],
        batch_job.build(job, SETTINGS)["spec"]["template"]["spec"]["containers"],
    )
    assert container["resources"] == {"requests": {"cpu": "500m"}, "limits": {"memory": "64Gi"}}
    assert [each["value"] for each in container["env"] if each["name"] == "NVIDIA_VISIBLE_DEVICES"] == ["void"]
    assert {"name": "HF_ENDPOINT", "value": "http://hub"} in container["env"]
    assert "HF_TOKEN" in {each["name"] for each in container["env"]}
    mounted = {each["name"] for each in container["volumeMounts"]}
    assert mounted == {each["name"] for each in trainer["volumeMounts"]} - {"output", "shared-memory"}
    assert {"output", "shared-memory"}.isdisjoint(each["name"] for each in spec["volumes"])
    assert container["image"] == trainer["image"]
    assert [each["name"] for each in spec["initContainers"]] == ["reward-box"]


def test_switching_the_preflight_changes_nothing_of_the_run() -> None:
    jobs = [training_job(guards={"preflight": {"enabled": enabled}}) for enabled in (True, False)]
    made = [batch_job.build(job, SETTINGS)["metadata"] for job in jobs]
    assert made[0] == made[1]
