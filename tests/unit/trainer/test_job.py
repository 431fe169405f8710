from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reasoning_contract.exit_codes import ExitCode
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.job import Inputs, inputs_of, read_job

SPEC: dict[str, Any] = {
    "model": {"source": "file:///model"},
    "data": {"train": {"source": "configmap://rows/train.jsonl"}, "heldOut": {"fraction": 0.1}},
    "rewards": [{"name": "correct", "builtin": "correctness"}],
    "parallelism": {"gpusPerNode": 0},
}


def write(path: Path, *documents: dict[str, Any]) -> Path:
    path.write_text("\n---\n".join(json.dumps(document) for document in documents))
    return path


def job(**changes: Any) -> dict[str, Any]:
    return {"kind": "ReasoningTrainingJob", "metadata": {"name": "sums"}, "spec": SPEC | changes}


def test_spec_is_resolved(tmp_path: Path) -> None:
    read = read_job(write(tmp_path / "job.yaml", job()))
    assert (read.name, read.namespace, read.spec.backend) == ("sums", "default", "transformers")
    assert read.choice.reason == "no GPU: trains on the CPU"
    again = job() | {"spec": read.spec.model_dump(by_alias=True, exclude_none=True)}
    assert read_job(write(tmp_path / "again.json", again)).spec == read.spec


def test_choice_beside_the_spec_is_taken_with_its_reason(tmp_path: Path) -> None:
    """The operator makes it, and what it left open is still open in the spec."""
    made = {"backend": "transformers", "loadIn": "16bit", "engine": "transformers", "reason": "as the operator says"}
    read = read_job(write(tmp_path / "job.json", job() | {"choice": made}))
    assert (read.choice.reason, read.given.backend, read.spec.backend) == (made["reason"], "auto", "transformers")


def test_config_maps_of_the_manifest_serve_its_sources(tmp_path: Path) -> None:
    config_map = {"kind": "ConfigMap", "metadata": {"name": "rows"}, "data": {"train.jsonl": "{}"}}
    assert read_job(write(tmp_path / "job.yaml", config_map, job())).config_maps == {"rows": {"train.jsonl": "{}"}}


def test_config_maps_of_the_manifest_stand_beside_those_of_a_folder(tmp_path: Path) -> None:
    config_map = {"kind": "ConfigMap", "metadata": {"name": "rows"}, "data": {"train.jsonl": "own"}}
    for name in ("rows", "more"):
        (tmp_path / "given" / name).mkdir(parents=True)
        (tmp_path / "given" / name / "train.jsonl").write_text("given")
    read = read_job(write(tmp_path / "job.yaml", config_map, job()))
    inputs = inputs_of(read, tmp_path / "given", None, tmp_path / "own")
    found = [inputs.locate(f"configmap://{name}/train.jsonl").read_text() for name in ("rows", "more")]
    assert found == ["own", "given"]


@pytest.mark.parametrize("wrong", [{"metadata": {}}, {"metadata": None}, {"data": {"a": 1}}], ids=str)
def test_config_map_that_is_none_is_named(tmp_path: Path, wrong: dict[str, Any]) -> None:
    config_map = {"kind": "ConfigMap", "metadata": {"name": "rows"}} | wrong
    with pytest.raises(TrainerError, match="ConfigMap"):
        read_job(write(tmp_path / "job.yaml", config_map, job()))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"rewards": []}, "spec.rewards: the algorithm needs at least one reward"),
        ({"reinforce": {"stepz": 3}}, "spec.reinforce.stepz: Extra inputs are not permitted"),
        ({"reinforce": {"numGenerations": 3}}, "spec.reinforce.numGenerations: must divide"),
    ],
)
def test_wrong_fields_are_named(tmp_path: Path, spec: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainerError) as error:
        read_job(write(tmp_path / "job.yaml", job(**spec)))
    assert message in error.value.message
    assert error.value.exit_code == ExitCode.SPEC_INVALID


@pytest.mark.parametrize("text", ["", "[1, 2]", "kind: Pod", "{", "a: b: c"])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(text)
    with pytest.raises(TrainerError) as error:
        read_job(path)
    assert error.value.reason == "SpecInvalid"


def test_sources_are_located(tmp_path: Path) -> None:
    (tmp_path / "maps/rows").mkdir(parents=True)
    (tmp_path / "maps/rows/train.jsonl").touch()
    (tmp_path / "claims/data/deep").mkdir(parents=True)
    inputs = Inputs(tmp_path / "maps", tmp_path / "claims")
    assert inputs.locate("configmap://rows/train.jsonl") == tmp_path / "maps/rows/train.jsonl"
    assert inputs.locate("pvc://data/deep") == tmp_path / "claims/data/deep"
    assert inputs.locate(f"file://{tmp_path}/claims") == tmp_path / "claims"


@pytest.mark.parametrize("source", ["pvc://data/../../secret", "pvc://other/x", "configmap://rows/train.jsonl"])
def test_what_is_not_there_or_leads_out_is_refused(tmp_path: Path, source: str) -> None:
    (tmp_path / "claims/data").mkdir(parents=True)
    (tmp_path / "secret").touch()
    with pytest.raises(TrainerError, match="cannot be read") as error:
        Inputs(None, tmp_path / "claims").locate(source)
    assert error.value.reason == "SourceNotFound"
