"""The command `evaluate`: what it says of an adapter and of a merged model is what the run said of them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from peft import LoraConfig, get_peft_model
from rich.console import Console
from tests.trainer.models import make_model
from transformers import AutoModelForCausalLM

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_trainer.commands import compare as command
from reasoning_trainer.commands.compare import Options, Subject
from reasoning_trainer.reporting.display import Display

Manifest = Callable[..., Path]
CHANGES: dict[str, Any] = {
    "warmup": {"epochs": 4, "batchSize": 4, "gradientAccumulation": 1, "learningRate": 2e-2},
    "reinforce": {"algorithm": "none", "maxCompletionLength": 12},
    "rewards": None,
    "evaluation": {"samples": 2, "passAtK": [1, 2]},
}


@pytest.fixture(scope="module")
def run_folder(
    write_manifest: Manifest, train_in: Callable[[Path, Path], Outcome], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run whose adapter was warmed up."""
    folder = tmp_path_factory.mktemp("warmed-up")
    job = write_manifest(folder, **CHANGES, export={"formats": ["lora", "merged16bit"]})
    outcome = train_in(job, folder / "run")
    assert outcome.exit_code == 0, outcome
    return folder / "run"


def compare(job: Path, *models: Path, width: int = 200, **options: Any) -> tuple[Outcome, dict[str, Any], str]:
    output = io.StringIO()
    json_path = job.parent / "comparison.json"
    with Display(Console(file=output, width=width)) as display:
        outcome = command.compare(Options(job, list(models), json=json_path, **options), display)
    return outcome, json.loads(json_path.read_text()) if json_path.exists() else {}, output.getvalue()


def test_the_figures_are_those_of_the_run(manifest: Manifest, run_folder: Path) -> None:
    lora, merged = run_folder / "artifacts/lora", run_folder / "artifacts/merged16bit"
    # the manifest's adapter is of another rank: an adapter brings its own
    outcome, found, shown = compare(manifest(**CHANGES, lora={"rank": 4}), merged, lora)
    assert outcome.exit_code == 0, outcome
    ran = json.loads((run_folder / "progress.json").read_text())["evaluation"]
    base, merged_found, lora_found = found["models"]
    assert [each["model"] for each in found["models"]] == ["base", str(merged), str(lora)]
    assert base["score"] == ran["heldOut"]["base"]
    assert lora_found["score"] == ran["heldOut"]["warmup"]
    assert (lora_found["gain"], lora_found["pValue"]) == (ran["improvement"], ran["pValue"])
    lengths = [each["score"]["meanLength"] for each in (base, lora_found, merged_found)]
    assert abs(lengths[2] - lengths[1]) < abs(lengths[2] - lengths[0])  # rounding, and training
    assert "gain" not in base
    transcripts = [json.loads(line) for line in (run_folder / "evaluation/warmup.jsonl").read_text().splitlines()]
    assert lora_found["transcripts"] == transcripts
    assert len(lora_found["right"]) == found["rows"] == 8
    assert f"{lora_found['score']['format']:.3f}" in shown
    assert "pass@2" in shown


def test_a_narrow_terminal_has_the_models_names_and_whole_figures(manifest: Manifest, run_folder: Path) -> None:
    outcome, found, shown = compare(manifest(**CHANGES), run_folder / "artifacts/lora", width=80)
    assert outcome.exit_code == 0, outcome
    assert "base" in shown
    assert "lora" in shown
    assert "…" not in shown
    assert f"{found['models'][1]['score']['accuracy']:.3f}" in shown


def test_other_rows(manifest: Manifest, tmp_path: Path) -> None:
    """Rows of a file, whose columns the manifest names; they may be trained on, and nothing is read of data.train."""
    (tmp_path / "rows.csv").write_text("sum,result\n1+1,= 2\n2+2,= 4\n")
    train = {
        "source": "file:///nowhere.jsonl",
        "columns": {"prompt": "sum", "answer": "result"},
        "answerPattern": "= (.*)",
    }
    job = manifest(data={"train": train}, warmup=None, evaluation={"enabled": False})
    outcome, found, _ = compare(job, rows=str(tmp_path / "rows.csv"))
    assert outcome.exit_code == 0, outcome
    assert [(row["prompt"], row["answer"]) for row in found["models"][0]["transcripts"]] == [("1+1", "2"), ("2+2", "4")]


def test_pairs_have_a_margin(manifest: Manifest, tmp_path: Path) -> None:
    rows = [{"prompt": "1", "answer": "1", "chosen": "<answer>1</answer>", "rejected": "<answer>2</answer>"}]
    swapped = [rows[0] | {"chosen": rows[0]["rejected"], "rejected": rows[0]["chosen"]}]
    margins = []
    for pairs in (rows, swapped):
        train = {"rows": [{"prompt": "2", "answer": "2"}]}
        job = manifest(data={"train": train, "heldOut": {"rows": pairs}}, warmup=None)
        outcome, found, shown = compare(job)
        assert outcome.exit_code == 0, outcome
        assert "preferred" in shown
        margins.append(found["models"][0]["score"]["margin"])
    assert margins[0] == pytest.approx(-margins[1], abs=1e-3)
    assert margins[0] != 0


OF_PAIRS: dict[str, Any] = {
    "data": {
        "train": {
            "source": "file:///nowhere.jsonl",
            "columns": {"prompt": "question", "chosen": "good", "rejected": "bad"},
        },
        "heldOut": {"fraction": 0.5},
    },
    "warmup": None,
    "reinforce": {"algorithm": "DPO", "maxCompletionLength": 12},
    "rewards": None,
}


def test_pairs_without_answers_are_compared_by_what_is_preferred(
    manifest: Manifest, run_folder: Path, tmp_path: Path
) -> None:
    pairs = [{"question": f"{n}", "good": f"<answer>{n}</answer>", "bad": "?"} for n in range(4)]
    pairs.append({"question": "long", "good": "g" * 200, "bad": "b"})
    (tmp_path / "pairs.json").write_text(json.dumps(pairs))
    job, rows = manifest(**OF_PAIRS), str(tmp_path / "pairs.json")
    outcome, found, shown = compare(job, run_folder / "artifacts/lora", rows=rows)
    assert outcome.exit_code == 0, outcome
    assert found["rows"] == 4
    assert "pairs of the rows" in shown
    base, lora = found["models"]
    assert "accuracy" not in base["score"]
    assert lora["preferredGain"] == pytest.approx(lora["score"]["preferred"] - base["score"]["preferred"], abs=1e-3)
    assert "gain and p: pairs preferred against the base" in shown
    assert "accuracy" not in shown
    assert [each["right"] for each in found["models"]] == [[], []]


def test_answered_rows_need_no_pairs_whatever_the_manifest_learns_from(manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(json.dumps([{"question": "1+1", "answer": "2"}]))
    outcome, found, _ = compare(manifest(**OF_PAIRS), rows=str(tmp_path / "rows.json"))
    assert outcome.exit_code == 0, outcome
    assert found["models"][0]["score"]["accuracy"] == 0
    assert "margin" not in found["models"][0]["score"]


def test_long_completions_of_rows_that_are_judged_by_their_answers_stay(manifest: Manifest) -> None:
    rows = [{"prompt": "9", "answer": "9", "chosen": "c" * 400, "rejected": "r"}]
    job = manifest(data={"train": {"rows": [{"prompt": "2", "answer": "2"}]}, "heldOut": {"rows": rows}}, warmup=None)
    outcome, found, shown = compare(job)
    assert outcome.exit_code == 0, outcome
    assert found["rows"] == 1
    assert "margin" not in found["models"][0]["score"]
    assert "its pairs are not compared" in shown


@pytest.mark.parametrize(
    ("changes", "model", "code", "words"),
    [
        ({}, "empty", ExitCode.MODEL_INVALID, "neither an adapter nor a model"),
        ({}, "wrong", ExitCode.MODEL_INVALID, "no adapter for this model"),
        ({}, "gone", ExitCode.MODEL_INVALID, "neither an adapter nor a model"),
        (
            {"data": {"train": {"rows": [{"prompt": "1", "answer": "1"}]}}, "evaluation": {"enabled": False}},
            None,
            ExitCode.SPEC_INVALID,
            "no held-out rows",
        ),
    ],
)
def test_what_cannot_be_compared_is_named(
    manifest: Manifest, tmp_path: Path, changes: dict[str, Any], model: str | None, code: ExitCode, words: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong/adapter_config.json").write_text('{"peft_type": "LORA", "target_modules": ["nope"]}')
    outcome, _, _ = compare(manifest(**changes), *([tmp_path / model] if model else []))
    assert (outcome.exit_code, words in outcome.message) == (code, True), outcome
    assert outcome.hint


@pytest.mark.parametrize("layers", [1, 3])
def test_adapter_of_a_model_with_other_layers_is_refused(manifest: Manifest, tmp_path: Path, layers: int) -> None:
    """Its matrices fit where both have the layer: PEFT would load those, and the score be that of no model at all."""
    base = AutoModelForCausalLM.from_pretrained(make_model(tmp_path / "other", layers=layers))
    get_peft_model(base, LoraConfig(target_modules=["q_proj"])).save_pretrained(tmp_path / "adapter")
    outcome, _, _ = compare(manifest(), tmp_path / "adapter")
    assert (outcome.exit_code, outcome.reason) == (ExitCode.MODEL_INVALID, "AdapterInvalid"), outcome
    assert "in one of the two alone, such as base_model.model.model.layers" in outcome.message


@pytest.mark.parametrize("rows", ["https://example.org/rows.csv", "nowhere.csv", "empty.csv", "latin1.csv"])
def test_rows_that_cannot_be_had_are_named(manifest: Manifest, tmp_path: Path, rows: str) -> None:
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "latin1.csv").write_bytes("prompt,answer\né,1\n".encode("latin-1"))
    outcome, _, _ = compare(manifest(), rows=rows if "://" in rows else str(tmp_path / rows))
    assert (outcome.exit_code in (ExitCode.SPEC_INVALID, ExitCode.DATA_INVALID), rows in outcome.message) == (
        True,
        True,
    )
    assert outcome.hint


def test_a_folder_named_base_is_not_taken_for_the_base() -> None:
    assert [Subject(Path(name), is_adapter=True).name for name in ("base", "run/base")] == ["./base", "run/base"]
