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
        ({"guards": {"preflight": {"sampleRows": 8}}}, "spec.guards.preflight.sampleRows"),
        ({"guards": {"preflight": {"enabled": True}}}, "spec.guards.preflight.enabled"),
        ({"limits": {"stallTimeoutSeconds": 60}}, "spec.limits.stallTimeoutSeconds"),
        ({"rewards": [{"name": "m", "model": {"source": "hf://a/b"}}]}, "spec.rewards[0].model"),
        ({"inference": {"maxNumSeqs": 8}}, "spec.inference.maxNumSeqs"),
        ({"inference": {"gpuMemoryUtilization": 0.5}}, "spec.inference.gpuMemoryUtilization"),
        (GPU | {"backend": "transformers", "model": MODEL | {"loadIn": "fp8"}}, "spec.model.loadIn"),
        (GPU | {"backend": "transformers", "inference": {"standby": True}}, "spec.inference.standby"),
        (
            GPU | {"backend": "transformers", "reinforce": {"algorithm": "PPO"}, "inference": {"engine": "vllm"}},
            "spec.inference.engine",
        ),
        (UNSLOTH | {"reinforce": {"algorithm": "PPO"}}, "spec.reinforce.algorithm"),
        (UNSLOTH | {"inference": {"engine": "transformers"}}, "spec.inference.engine"),
        (UNSLOTH | {"model": MODEL | {"trustRemoteCode": True}}, "spec.model.trustRemoteCode"),
        (UNSLOTH | {"chatTemplate": {"jinja": "x", "specialTokens": ["<a>"]}}, "spec.chatTemplate.specialTokens"),
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
