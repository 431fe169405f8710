"""What is kept of objects: what is read of them and no more."""

from __future__ import annotations

import ast
import copy
from pathlib import Path

from tests.unit.operator.objects import SETTINGS, rtj, training_job

from reasoning_operator import diagnosis
from reasoning_operator.children.table import TABLE
from reasoning_operator.kept import READ_REASONS, cut
from reasoning_operator.kinds import JOB, POD, TRAINING_JOB


def test_every_reason_that_is_asked_for_is_kept() -> None:
    tree = ast.parse(Path(diagnosis.__file__ or "").read_text(encoding="utf-8"))
    asked = {
        argument.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "_event"
        for argument in call.args
        if isinstance(argument, ast.Constant)
    }
    assert asked | {*diagnosis._CLAIM_EVENTS, "FailedMount", "FailedAttachVolume"} == READ_REASONS


def test_what_is_kept_of_each_child_has_its_hashes_labels_and_owner() -> None:
    job = training_job(parallelism={"gpusPerNode": 1}, storage={"retain": False})
    for row in TABLE:
        child = row.build(job, SETTINGS)
        assert child
        before = copy.deepcopy(child)
        kept = cut(row.kind, child)
        assert child == before
        for part in ("labels", "ownerReferences", "annotations"):
            assert kept["metadata"].get(part) == child["metadata"].get(part), (row.role, part)
        assert "template" not in kept.get("spec", {}) or row.kind is not JOB


def test_annotation_with_which_kubectl_doubles_an_object_is_left_out() -> None:
    job = rtj()
    job["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    assert cut(TRAINING_JOB, job)["metadata"] == rtj()["metadata"]


def test_of_a_pod_the_conditions_are_kept_that_are_read() -> None:
    conditions = [{"type": name, "status": "True", "lastProbeTime": None} for name in ("PodScheduled", "Ready")]
    kept = cut(POD, {"metadata": {}, "status": {"conditions": conditions, "phase": "Pending"}})
    assert kept == {
        "metadata": {},
        "status": {"conditions": [{"type": "PodScheduled", "status": "True"}], "phase": "Pending"},
    }
