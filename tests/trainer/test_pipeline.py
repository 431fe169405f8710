"""Whole jobs, from load to export, and jobs that cannot be run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from tests.documents import Document

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_trainer.stages.export import describe

Manifest = Callable[..., Path]
Train = Callable[..., Outcome]


def history(run: Path, stage: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / stage / "history.jsonl").read_text().splitlines()]


def test_whole_job(manifest: Manifest, train: Train, tmp_path: Path) -> None:
    job = manifest(
        export={"formats": ["lora", "merged16bit"]},
        evaluation={"samples": 2, "passAtK": [1, 4], "everySteps": 2},
        warmup={"epochs": 2, "learningRate": 2e-2},
    )
    outcome = train(job)

    assert outcome.exit_code == ExitCode.DONE, outcome
    progress = outcome.progress
    assert progress is not None
    assert progress.progress.percent == 100
    assert progress.evaluation is not None
    held_out = progress.evaluation.held_out
    assert held_out.size == 8
    assert all(score and score.pass_at_k for score in (held_out.base, held_out.warmup, held_out.reinforce))
    assert progress.model is not None
    assert (progress.model.backend, progress.model.engine) == ("transformers", "transformers")
    run = tmp_path / "run"
    steps = history(run, "reinforce")
    assert len(steps) == 4
    assert {"reward", "rewards/correct/mean", "rewards/format/mean"} <= steps[0].keys()
    assert sorted(path.name for path in (run / "evaluation").glob("reinforce*.json")) == [
        "reinforce-2.json",
        "reinforce.json",
    ]
    assert len((run / "evaluation/base.jsonl").read_text().splitlines()) == 2
    artifacts = progress.artifacts or []
    assert [artifact.kind for artifact in artifacts] == ["lora", "merged16bit"]
    assert [describe(each.kind, Path(each.path)) for each in artifacts] == artifacts
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in (run / "artifacts").rglob("*"))
    card = (run / "README.md").read_text()
    assert artifacts[0].sha256 in card
    assert "algorithm: GRPO" in card
    assert progress.report is not None
    assert progress.report.path == str(run / "report.html")
    assert_report_tells(run / "report.html", held_out.size)
    assert_loads_and_generates_the_same(run / "artifacts")


def test_learning_rates_and_rank_that_are_left_open_are_chosen_and_told(
    manifest: Manifest, train: Train, tmp_path: Path
) -> None:
    small = {"steps": 1, "numGenerations": 4, "batchSize": 8, "maxCompletionLength": 8, "warmupRatio": 0.0}
    parts: dict[str, Any] = {"warmup": {"warmupRatio": 0.0}, "reinforce": small, "evaluation": {"enabled": False}}
    parts["lora"] = {"gradientCheckpointing": "none"}
    outcome = train(manifest(**parts))

    assert outcome.exit_code == ExitCode.DONE, outcome
    assert outcome.progress is not None
    rates = outcome.progress.learning_rates or {}
    assert {stage: rate.value for stage, rate in rates.items()} == {"warmup": 1e-3, "reinforce": 1e-4}
    run = tmp_path / "run"
    assert outcome.progress.lora_rank is not None
    assert outcome.progress.lora_rank.value == 32
    assert outcome.progress.lora_rank.reason in Document((run / "report.html").read_text("utf-8")).text
    assert json.loads((run / "reinforce/adapter/adapter_config.json").read_text())["r"] == 32
    assert (run / "README.md").read_text().count("learningRate: 0.0") == 2
    for stage, rate in rates.items():
        assert history(run, stage)[0]["learning_rate"] == pytest.approx(rate.value)
        assert rate.reason in Document((run / "report.html").read_text("utf-8")).text


def assert_report_tells(path: Path, rows: int) -> None:
    """It has the verdict, three models, curves of both stages and the prompts side by side."""
    page = Document(path.read_text("utf-8"))
    assert f"of {rows} held-out rows rightly" in page.text
    assert all(name in page.text for name in ("Base model", "After the warm-up", "RL, step 2", "After RL"))
    charts = page.values("svg", "aria-label")
    assert {"Held-out accuracy", "Reward, weighted sum", "Rewards, each unweighted"} <= set(charts)
    assert charts.count("Learning rate") == 2
    assert len(page.values("details", "class")) == 2
    assert "data.heldOut" in page.text


def assert_loads_and_generates_the_same(artifacts: Path) -> None:
    """The adapter on its base and the merged model give the same distribution, but for rounding to 16 bits."""
    import torch
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(artifacts / "merged16bit")
    tokens = tokenizer("<|im_start|>user\n1+1<|im_end|>\n<|im_start|>assistant\n", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        adapted = AutoPeftModelForCausalLM.from_pretrained(artifacts / "lora")(tokens).logits
        merged = AutoModelForCausalLM.from_pretrained(artifacts / "merged16bit")(tokens).logits.float()
        base = AutoPeftModelForCausalLM.from_pretrained(artifacts / "lora").unload()(tokens).logits
    rounding, training = (adapted - merged).abs().mean(), (base - merged).abs().mean()
    assert rounding < 0.1 * training


def test_reference_of_rl_is_the_warmed_up_model(manifest: Manifest, train: Train, tmp_path: Path) -> None:
    """Before its first update the policy is its reference: a divergence of 0, which the base model would not give."""
    job = manifest(
        reinforce={"steps": 2, "numGenerations": 4, "batchSize": 8, "maxCompletionLength": 12, "beta": 0.1},
        warmup={"epochs": 2, "batchSize": 4, "gradientAccumulation": 1, "learningRate": 2e-2},
        evaluation={"enabled": False},
    )
    assert train(job).exit_code == 0
    assert history(tmp_path / "run", "reinforce")[0]["kl"] == pytest.approx(0, abs=1e-6)


def test_conversations_and_a_skipped_stage(manifest: Manifest, train: Train, tmp_path: Path) -> None:
    messages = [
        {"messages": [{"role": "user", "content": f"{n}"}, {"role": "assistant", "content": f"{n}!"}]} for n in range(8)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, messages)))
    data = {"train": {"rows": [{"prompt": "1"}]}, "warmup": {"source": f"file://{tmp_path}/rows.jsonl"}}
    outcome = train(
        manifest(
            data=data,
            reinforce={"algorithm": "none", "maxCompletionLength": 12},
            rewards=None,
            evaluation={"enabled": False},
        )
    )
    assert outcome.exit_code == 0, outcome
    assert len(history(tmp_path / "run", "warmup")) == 2
    assert not (tmp_path / "run/reinforce").exists()


def test_worked_rows_that_do_not_fit_are_left_out_and_counted(
    manifest: Manifest, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"prompt": f"{n}", "reasoning": "-" * (500 if n < 3 else 1), "answer": "1"} for n in range(8)]
    job = manifest(
        data={"train": {"rows": [{"prompt": "1"}]}, "warmup": {"rows": rows}},
        warmup={"epochs": 1, "batchSize": 1, "gradientAccumulation": 1},
        reinforce={"algorithm": "none", "maxCompletionLength": 12},
        rewards=None,
        evaluation={"enabled": False},
    )
    assert train(job).exit_code == 0
    assert len(history(tmp_path / "run", "warmup")) == 5
    said = " ".join(capsys.readouterr().out.split())
    assert "3 of 8 turns of data.warmup left out: more than model.maxSequenceLength 128" in said


def test_pairs_that_would_be_cut_are_left_out_and_counted(
    manifest: Manifest, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = [{"prompt": f"{n}", "chosen": "1" * (300 if n < 2 else 1), "rejected": "2"} for n in range(8)]
    job = manifest(
        data={"train": {"rows": pairs}},
        reinforce={"algorithm": "DPO", "steps": 1, "batchSize": 2, "maxCompletionLength": 12},
        rewards=None,
        evaluation={"enabled": False},
    )
    assert train(job).exit_code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "2 of 8 pairs of data.train left out: more than model.maxSequenceLength 128" in said


@pytest.mark.parametrize(
    ("changes", "code", "reason", "words"),
    [
        ({"model": {"source": "file:///nowhere"}}, ExitCode.MODEL_INVALID, "ModelNotFound", "there is nothing at"),
        ({"model": {"source": "file:///etc"}}, ExitCode.MODEL_INVALID, "SafetensorsMissing", "no weights"),
        ({"export": {"formats": ["gguf:q9"]}}, ExitCode.SPEC_INVALID, "SpecInvalid", "q4_k_m"),
        ({"lora": {"targetModules": ["nope"]}}, ExitCode.MODEL_INVALID, "AdapterInvalid", "nope"),
        ({"chatTemplate": {"jinja": "{{ messages("}}, ExitCode.MODEL_INVALID, "ChatTemplateInvalid", "conversation"),
        ({"chatTemplate": {"jinja": "{#messages#}a"}}, ExitCode.MODEL_INVALID, "ChatTemplateInvalid", "user's message"),
        ({"inference": {"maxNumSeqs": 4}}, ExitCode.NOT_SUPPORTED, "NotSupported", "inference.maxNumSeqs"),
    ],
)
def test_what_cannot_be_run_is_named(
    manifest: Manifest, train: Train, changes: dict[str, Any], code: ExitCode, reason: str, words: str
) -> None:
    outcome = train(manifest(**changes))
    assert (outcome.exit_code, outcome.reason) == (code, reason), outcome
    assert words in outcome.message
    assert outcome.hint


def test_tokenizer_without_template_needs_a_family(
    manifest: Manifest, train: Train, tiny_model: Path, tmp_path: Path
) -> None:
    bare = copytree(tiny_model, tmp_path / "bare")
    (bare / "chat_template.jinja").unlink()
    model = {"source": f"file://{bare}", "maxSequenceLength": 128}
    outcome = train(manifest(model=model))
    assert outcome.reason == "ChatTemplateMissing"
    assert "chatTemplate.family: chatml" in outcome.hint
    short = {"steps": 1, "numGenerations": 2, "batchSize": 2, "maxCompletionLength": 4}
    assert train(manifest(model=model, chatTemplate={"family": "chatml"}, reinforce=short)).exit_code == 0


def test_lost_learning_signal_ends_the_run(manifest: Manifest, train: Train, tmp_path: Path) -> None:
    """A random model never answers rightly: no group has different rewards."""
    outcome = train(
        manifest(
            rewards=[{"name": "correct", "builtin": "correctness"}],
            guards={"learningSignal": {"windowSteps": 3}},
            evaluation={"enabled": False},
        )
    )
    assert (outcome.exit_code, outcome.reason) == (ExitCode.NOT_LEARNING, "LearningSignalLost")
    assert outcome.progress is not None
    assert [(each.condition, each.ok) for each in outcome.progress.verdicts] == [("LearningSignal", False)]


def test_guard_that_warns_is_reported_and_one_that_fails_ends_the_run(
    manifest: Manifest, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    """A random model neither ends its completions nor prefers any token: no bound on its entropy is kept."""
    outcome = train(
        manifest(
            guards={
                "learningSignal": {"action": "off"},
                "clipped": {"windowSteps": 2, "maxShare": 0.1},
                "entropy": {"action": "fail", "windowSteps": 4, "minEntropy": 100.0},
            },
            warmup={"skip": True},
            evaluation={"enabled": False},
        )
    )
    assert (outcome.exit_code, outcome.reason) == (ExitCode.NOT_LEARNING, "EntropyCollapsed")
    assert outcome.progress is not None
    found = {each.condition: (each.ok, each.reason) for each in outcome.progress.verdicts}
    assert found == {"CompletionsWhole": (False, "CompletionsClipped"), "EntropyKept": (False, "EntropyCollapsed")}
    assert capsys.readouterr().out.count("of the completions are cut at reinforce.maxCompletionLength") == 1


PAIRS = [{"prompt": f"{n}", "chosen": "good", "rejected": "bad"} for n in range(12)]
OF_PAIRS = {
    "data": {"train": {"rows": PAIRS}, "heldOut": {"fraction": 0.4}},
    "warmup": None,
    "reinforce": {"algorithm": "DPO", "steps": 2, "batchSize": 2, "maxCompletionLength": 12, "learningRate": 1e-9},
    "rewards": None,
}


@pytest.mark.parametrize("job", [{}, OF_PAIRS], ids=["answers", "pairs"])
def test_no_gain_fails_a_job_that_asks_for_one(
    manifest: Manifest, train: Train, capsys: pytest.CaptureFixture[str], job: dict[str, Any]
) -> None:
    outcome = train(manifest(**job, evaluation={"requireImprovement": True, "everySteps": 1}))
    measure = "pairs preferred" if job else "accuracy"
    assert f"step 1: held-out {measure} " in capsys.readouterr().out
    assert (outcome.exit_code, outcome.reason) == (ExitCode.NOT_IMPROVED, "NotImproved")
    assert outcome.progress is not None
    assert outcome.progress.artifacts


def test_scores_of_other_rows_are_not_compared_with(manifest: Manifest, train: Train, tmp_path: Path) -> None:
    """As an earlier version may have left them: it left out other rows."""
    job = manifest(reinforce={"algorithm": "none", "maxCompletionLength": 12}, rewards=None)
    assert train(job).exit_code == 0
    path = tmp_path / "run/evaluation/base.json"
    result = json.loads(path.read_text())
    longer = {name: [*value, *value[:1]] if isinstance(value, list) else value for name, value in result.items()}
    path.write_text(json.dumps(longer))
    outcome = train(job)
    assert outcome.exit_code == 0, outcome
    assert json.loads(path.read_text()) == result
