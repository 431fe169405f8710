"""Which jobs are run, and what is said of the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.operator.objects import EARLIER, SETTINGS, live, rtj, training_job

from reasoning_contract.problem import Problem
from reasoning_contract.unbuilt import unsupported
from reasoning_operator.acceptance import accept
from reasoning_operator.children import config, volume
from reasoning_operator.children import training_job as batch
from reasoning_operator.model import Json, Observed, TrainingJob
from reasoning_operator.settings import Settings

GPU = {"parallelism": {"gpusPerNode": 1}}
UNSLOTH = GPU | {"backend": "unsloth"}
MODEL = {"source": "file:///models/tiny"}
TASK = {"reasoningGym": {"task": "chain_sum"}}
WARMED_UP = {"train": TASK, "warmup": {"source": "pvc://library/rows.csv"}, "heldOut": {"fraction": 0.1}}


def refusal(observed: Observed, settings: Settings = SETTINGS) -> Problem:
    verdict = accept(observed, settings)
    assert isinstance(verdict, Problem)
    return verdict


def test_good_job_is_accepted_with_every_choice_made() -> None:
    verdict = accept(Observed(rtj(), inputs={}), SETTINGS)
    assert isinstance(verdict, TrainingJob)
    assert verdict.spec.backend == "transformers"


def test_spec_that_an_older_crd_let_pass_is_refused_with_the_field() -> None:
    job = rtj()
    job["spec"]["lora"]["rank"] = -1
    verdict = refusal(Observed(job))
    assert (verdict.reason, verdict.field, verdict.final) == ("SpecInvalid", "spec.lora.rank", True)
    assert "spec.lora.rank" in verdict.message


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"parallelism": {"nodes": 2}}, "spec.parallelism.nodes"),
        ({"parallelism": {"gpusPerNode": 8}}, "spec.parallelism.gpusPerNode"),
        ({"parallelism": {"gpusPerNode": 0, "strategy": "ddp"}}, "spec.parallelism.strategy"),
        ({"parallelism": {"gpusPerNode": 1, "vllm": "server"}}, "spec.parallelism.vllm"),
        ({"queue": {"name": "a"}}, "spec.queue"),
        ({"inference": {"maxNumSeqs": 8}}, "spec.inference.maxNumSeqs"),
        ({"inference": {"gpuMemoryUtilization": 0.5}}, "spec.inference.gpuMemoryUtilization"),
        (GPU | {"backend": "transformers", "model": MODEL | {"loadIn": "fp8"}}, "spec.model.loadIn"),
        (
            GPU | {"backend": "transformers", "model": MODEL | {"loadIn": "4bit"}, "inference": {"standby": True}},
            "spec.inference.standby",
        ),
        (
            GPU | {"backend": "transformers", "inference": {"engine": "transformers", "standby": True}},
            "spec.inference.standby",
        ),
        (
            GPU | {"backend": "transformers", "reinforce": {"algorithm": "PPO"}, "inference": {"engine": "vllm"}},
            "spec.inference.engine",
        ),
        (
            GPU | {"backend": "transformers", "reinforce": {"lossType": "vespo"}, "inference": {"engine": "vllm"}},
            "spec.inference.engine",
        ),
        (UNSLOTH | {"reinforce": {"algorithm": "PPO"}}, "spec.reinforce.algorithm"),
        (UNSLOTH | {"reinforce": {"lossType": "vespo"}}, "spec.reinforce.lossType"),
        (UNSLOTH | {"inference": {"engine": "transformers"}}, "spec.inference.engine"),
        (UNSLOTH | {"model": MODEL | {"trustRemoteCode": True}}, "spec.model.trustRemoteCode"),
        (
            UNSLOTH | {"chatTemplate": {"jinja": "{{ messages }}", "specialTokens": ["<a>"]}},
            "spec.chatTemplate.specialTokens",
        ),
        (UNSLOTH | {"reinforce": {"beta": 0.1}, "data": WARMED_UP}, "spec.reinforce.beta"),
    ],
)
def test_what_is_not_supported_is_named(parts: dict[str, Any], field: str) -> None:
    assert [name for name, _ in unsupported(training_job(**parts).spec)] == [field]
    verdict = refusal(Observed(rtj(**parts), inputs={}))
    assert (verdict.reason, verdict.field, verdict.final) == ("NotSupported", field, True)
    assert field in verdict.message


def test_whole_rest_of_the_spec_is_supported() -> None:
    assert unsupported(training_job().spec) == []


@pytest.mark.parametrize(
    ("pod", "field", "says"),
    [
        ({"volumes": [{"name": "a"}, {"name": "b", "hostPath": {"path": "/"}}]}, "volumes[1].hostPath", "Pod Security"),
        ({"volumes": [{"name": "b", "nfs": {"server": "s", "path": "/"}}]}, "volumes[0].nfs", "persistentVolumeClaim"),
        ({"labels": {"team": "my team"}}, "labels.team", "'my team'"),
        ({"labels": {"a b": "c"}}, "labels.a b", "example.com/team"),
        ({"labels": {"app.kubernetes.io/managed-by": "me"}}, "labels.app.kubernetes.io/managed-by", "operator"),
        ({"labels": {"reasoning-operator.io/x": "y"}}, "labels.reasoning-operator.io/x", "another name"),
        ({"labels": {"job-name": "y"}}, "labels.job-name", "another name"),
        ({"nodeSelector": {"gpu": "a 100"}}, "nodeSelector.gpu", "'a 100'"),
        ({"annotations": {"a b": "c"}}, "annotations.a b", "example.com/team"),
        (
            {"annotations": {"container.apparmor.security.beta.kubernetes.io/trainer": "unconfined"}},
            "annotations.container.apparmor.security.beta.kubernetes.io/trainer",
            "runtime/default",
        ),
        ({"env": [{"name": "OMP_NUM_THREADS", "value": 1}]}, "env[0].value", "quotes"),
        ({"image": "Trainer:1"}, "image", "'Trainer:1' is no image"),
        ({"image": "trainer:1 "}, "image", "registry.example/team/trainer:1.2"),
        ({"image": "https://registry.example/trainer"}, "image", "is no image"),
        ({"imagePullSecrets": [{"secretName": "registry"}]}, "imagePullSecrets[0]", "{name: ...}"),
        ({"env": [{"value": "1"}]}, "env[0].name", "name of an environment variable"),
        (
            {"resources": {"limits": {"memory": "4GB"}}},
            "resources.limits.memory",
            "'4GB' is no quantity: write it like 4Gi",
        ),
        ({"resources": {"limits": {"cpu": "2 cores"}}}, "resources.limits.cpu", "500m"),
        ({"resources": {"requests": {"memory": "-1Gi"}}}, "resources.requests.memory", "'-1Gi'"),
        ({"resources": {"limits": {"gpu": 1}}}, "resources.limits.gpu", "no resource"),
        (
            {"resources": {"requests": {"memory": "4Gi"}, "limits": {"memory": "4G"}}},
            "resources.requests.memory",
            "4Gi is above the limit of 4G",
        ),
    ],
)
def test_pod_that_kubernetes_would_refuse_is_told_by_the_specs_field(pod: Json, field: str, says: str) -> None:
    verdict = refusal(Observed(rtj(pod=pod), inputs={}))
    assert (verdict.reason, verdict.field, verdict.final) == ("SpecInvalid", f"spec.pod.{field}", False)
    assert f"spec.pod.{field}: " in verdict.message
    assert says in verdict.message
    assert verdict.hint == "correct these fields: the job then goes on by itself"


ROWS = [{"prompt": "1 + 1?", "answer": "2"}]
TASK = {"task": "chain_sum", "size": 100, "seed": 1}
SCORE = "def score(prompts, completions, **columns):\n    return [0.0 for _ in completions]\n"


def python(source: str = SCORE, **more: Any) -> Json:
    return {"rewards": [{"name": "mine", "python": {"source": source} | more}]}


def patterned(pattern: str) -> Json:
    return {"data": {"train": {"rows": ROWS, "answerPattern": pattern}, "heldOut": {"fraction": 0.5}}}


def judge(pattern: str) -> Json:
    asked = {"url": "http://judge/v1", "model": "m", "prompt": "{completion}", "pattern": pattern}
    return {"rewards": [{"name": "judge", "judge": asked}]}


@pytest.mark.parametrize(
    ("parts", "field", "says"),
    [
        (patterned("#### (.*"), "data.train.answerPattern", "unterminated"),
        (patterned("[(]x"), "data.train.answerPattern", "has 0 groups"),
        (patterned("(a{9999999999})"), "data.train.answerPattern", "repet"),
        (judge("score: ([0-9]+"), "rewards[0].judge.pattern", "no regular expression of Python's"),
        (judge("(score|mark): ([0-9]+)"), "rewards[0].judge.pattern", "has 2 groups"),
        (python("def score(prompts, completions)\n    return []"), "rewards[0].python.source", "line 1: expected ':'"),
        (python("def reward(prompts, completions): return []"), "rewards[0].python.source", "defines no score"),
        (python("x = 1\n" + "-" * 60000 + "1"), "rewards[0].python.source", "cannot be read"),
        (python("a = 1\0"), "rewards[0].python.source", "null bytes"),
        (python(params={"prompts": 1}), "rewards[0].python.params.prompts", "given it already"),
        (python(params={"my-limit": 1}), "rewards[0].python.params.my-limit", "name of an argument"),
        (
            {"data": {"train": {"reasoningGym": TASK}, "heldOut": {"reasoningGym": TASK | {"seed": 100}}}},
            "data.heldOut.reasoningGym.seed",
            "choose a seed beyond those of train",
        ),
        (
            {"data": {"train": {"rows": ROWS}, "heldOut": {"rows": [{"prompt": "1 + 1? ", "answer": "2"}]}}},
            "data.train.rows[0]",
            "its question is held out",
        ),
    ],
)
def test_texts_that_the_trainer_could_not_read_are_told_by_their_field(parts: Json, field: str, says: str) -> None:
    verdict = refusal(Observed(rtj(**parts), inputs={}))
    assert (verdict.reason, verdict.field, verdict.final) == ("SpecInvalid", f"spec.{field}", False)
    assert says in verdict.message
    assert verdict.hint == "correct these fields: the job then goes on by itself"


@pytest.mark.parametrize(
    "parts",
    [
        python(params={"limit": 3}),
        python("async def score(*given, **more): ..."),
        python("score = lambda prompts, completions: [0.0] * len(prompts)"),
        python("from rewards import judge as score"),
        python("from rewards import *"),
        python("class Mark:\n    def __call__(self): ...\nmark = Mark()", function="mark"),
        judge(r"(?i)\(score\): (\d+)(?:/10)?"),
        {"data": {"train": {"reasoningGym": TASK}, "heldOut": {"reasoningGym": TASK | {"seed": 101}}}},
        {"data": {"train": {"reasoningGym": TASK}, "heldOut": {"reasoningGym": TASK | {"config": {"min_terms": 9}}}}},
    ],
)
def test_texts_that_can_be_read_are_accepted(parts: Json) -> None:
    assert isinstance(accept(Observed(rtj(**parts), inputs={}), SETTINGS), TrainingJob)


def test_a_key_that_nothing_hands_to_the_pod_is_asked_for() -> None:
    online: Json = {"tracking": {"wandb": {}}}
    verdict = refusal(Observed(rtj(**online), inputs={}))
    assert verdict.field == "spec.tracking.wandb.keySecretRef"
    for pod in ({"env": [{"name": "WANDB_API_KEY", "value": "k"}]}, {"envFrom": [{"secretRef": {"name": "keys"}}]}):
        assert isinstance(accept(Observed(rtj(**online, pod=pod), inputs={}), SETTINGS), TrainingJob)


@pytest.mark.parametrize(
    "image",
    ["trainer", "trainer:1", "registry.example/team/trainer:1.2", "localhost:5000/a/b", "a/b__c@sha256:" + "0" * 64],
)
def test_image_that_is_one_is_accepted(image: str) -> None:
    assert isinstance(accept(Observed(rtj(pod={"image": image}), inputs={}), SETTINGS), TrainingJob)


def test_pod_that_kubernetes_takes_is_accepted() -> None:
    kinds = ("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "projected", "secret", "persistentVolumeClaim")
    pod: Json = {
        "volumes": [{"name": "plain", "hostPath": None}, *({"name": each.lower(), each: {}} for each in kinds)],
        "env": [
            {"name": "A", "value": "1"},
            {"name": "B", "value": None},
            {"name": "C", "valueFrom": {"secretKeyRef": {}}},
        ],
        "labels": {"team": "", "example.com/Team_a": "a.B-c_1", "app.kubernetes.io/managed-by": "reasoning-operator"},
        "annotations": {"Example.com/note": "any text", "container.apparmor.security.beta.kubernetes.io/trainer": ""},
        "resources": {
            "requests": {"cpu": "500m", "memory": "1e3", "hugepages-2Mi": "2Mi"},
            "limits": {"cpu": "0.5", "memory": "1.5Gi", "example.com/device": 1},
        },
    }
    assert isinstance(accept(Observed(rtj(pod=pod), inputs={}), SETTINGS), TrainingJob)


def test_request_of_the_reward_box_above_its_limit_is_refused() -> None:
    job = rtj(rewardBox={"resources": {"requests": {"memory": "4Gi"}}})
    assert refusal(Observed(job, inputs={})).field == "spec.rewardBox.resources.requests.memory"


def _rows(count: int) -> Json:
    return {"rows": [{"prompt": "x" * 2400, "answer": "1"}] * count}


def test_rows_too_large_for_a_configmap_are_told_with_the_way_out() -> None:
    job = rtj(data={"train": _rows(500), "heldOut": {"fraction": 0.1}})
    verdict = refusal(Observed(job, inputs={}))
    assert (verdict.reason, verdict.field, verdict.final) == ("SpecInvalid", "spec.data.train.rows", False)
    assert "1,048,576" in verdict.message
    assert "configmap://" in verdict.message
    assert "pvc://" in verdict.message
    fits = rtj(data={"train": _rows(400), "heldOut": {"fraction": 0.1}})
    assert isinstance(accept(Observed(fits, inputs={}), SETTINGS), TrainingJob)


def test_missing_image_names_the_field() -> None:
    assert refusal(Observed(rtj(), inputs={}), Settings()).reason == "ImageMissing"
    assert isinstance(accept(Observed(rtj(pod={"image": "mine:1"}), inputs={}), Settings()), TrainingJob)


def test_default_image_that_is_gone_stops_no_run() -> None:
    made, claim = live(batch.build(training_job(), SETTINGS)), live(volume.build(training_job()))
    assert isinstance(accept(Observed(rtj(), batch_job=made, claim=claim), Settings()), TrainingJob)
    made["spec"]["suspend"] = True  # it may be made anew
    assert refusal(Observed(rtj(), batch_job=made, claim=claim), Settings()).reason == "ImageMissing"


ROWS = {"train": {"source": "configmap://rows/a.jsonl"}, "heldOut": {"source": "pvc://library/b.jsonl"}}
BOTH = {("ConfigMap", "rows"): frozenset({"a.jsonl"}), ("PersistentVolumeClaim", "library"): frozenset[str]()}


@pytest.mark.parametrize(
    ("inputs", "reason", "says"),
    [
        ({}, "ConfigMapNotFound", "spec.data.train.source"),
        (BOTH | {("ConfigMap", "rows"): frozenset({"other"})}, "ConfigMapKeyNotFound", "it has: other"),
        ({("ConfigMap", "rows"): frozenset({"a.jsonl"})}, "ClaimNotFound", "spec.data.heldOut.source"),
    ],
)
def test_missing_input_is_waited_for(inputs: Any, reason: str, says: str) -> None:
    verdict = refusal(Observed(rtj(data=ROWS), inputs=inputs))
    assert (verdict.reason, verdict.final) == (reason, False)
    assert says in verdict.message


def test_missing_cache_claim_is_waited_for() -> None:
    job = rtj(storage={"cacheClaim": "caches"})
    verdict = refusal(Observed(job, inputs={}))
    assert (verdict.reason, verdict.field, verdict.final) == ("ClaimNotFound", "spec.storage.cacheClaim", False)
    assert "spec.storage.cacheClaim: there is no PersistentVolumeClaim caches" in verdict.message
    there = {("PersistentVolumeClaim", "caches"): frozenset[str]()}
    assert isinstance(accept(Observed(job, inputs=there), SETTINGS), TrainingJob)


def test_inputs_that_are_there_are_enough() -> None:
    assert isinstance(accept(Observed(rtj(data=ROWS), inputs=BOTH), SETTINGS), TrainingJob)


def test_foreign_child_is_a_conflict() -> None:
    foreign = live(config.build(training_job()))
    foreign["metadata"]["ownerReferences"][0]["uid"] = "another"
    verdict = refusal(Observed(rtj(), config_map=foreign, inputs={}))
    assert (verdict.reason, verdict.final) == ("NameConflict", False)
    assert "ConfigMap sums-spec belongs to an earlier job of this name" in verdict.message
    foreign["metadata"]["ownerReferences"][0]["kind"] = "Other"
    assert "ConfigMap sums-spec is there already" in refusal(Observed(rtj(), config_map=foreign, inputs={})).message


def _claim_of_earlier_job(**labels: str) -> Json:
    claim = live(volume.build(training_job()))
    claim["metadata"]["labels"] |= {"reasoning-operator.io/job-uid": "an-earlier-one"} | labels
    return claim


def test_claim_that_an_earlier_job_left_is_used_again_but_never_deleted() -> None:
    claim = _claim_of_earlier_job()
    assert isinstance(accept(Observed(rtj(), claim=claim, inputs={}), SETTINGS), TrainingJob)
    verdict = refusal(Observed(rtj(storage={"retain": False}), claim=claim, inputs={}))
    assert verdict.reason == "NameConflict"


def test_claim_of_somebody_else_is_a_conflict() -> None:
    claim = _claim_of_earlier_job(**{"app.kubernetes.io/managed-by": "somebody"})
    assert refusal(Observed(rtj(), claim=claim, inputs={})).reason == "NameConflict"


def test_claim_lost_after_the_start_ends_the_job() -> None:
    started = Observed(rtj({"phase": "Suspended", "startTime": EARLIER}, suspend=True), inputs={})
    assert (refusal(started).reason, refusal(started).final) == ("ClaimLost", True)
    assert isinstance(accept(replace(started, job=rtj()), SETTINGS), TrainingJob)
