"""The command `check`: it says how a run would end, without the weights."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from rich.console import Console

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_contract.spec import Spec
from reasoning_trainer import pipeline
from reasoning_trainer.commands.check import Options, check
from reasoning_trainer.reporting.display import Display

Manifest = Callable[..., Path]
THINKS = (
    "{% for message in messages %}{{ message.role + ': ' + message.content + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}assistant: <think>{% endif %}"
)
"""Opens the thoughts in the prompt, and does not show them in the conversation."""
ALIKE = {"name": "alike", "python": {"source": "def score(completions, **more): return [0.0 for _ in completions]"}}
"""A reward that teaches nothing."""


@pytest.fixture
def checked(manifest: Manifest, no_weights: Path) -> Callable[..., tuple[Outcome, str]]:
    """Checks a manifest whose model cannot be loaded; returns the outcome and what was printed."""

    def run(*, resolved: bool = False, **changes: Any) -> tuple[Outcome, str]:
        model = {"source": f"file://{no_weights}", "maxSequenceLength": 128}
        output = io.StringIO()
        with Display(Console(file=output, soft_wrap=True)) as display:
            outcome = check(Options(manifest(**{"model": model} | changes), resolved), display)
        return outcome, output.getvalue()

    return run


def test_a_good_job(checked: Callable[..., tuple[Outcome, str]]) -> None:
    outcome, shown = checked(reinforce={"steps": 2, "batchSize": 8, "maxCompletionLength": 48})
    assert (outcome.exit_code, outcome.reason) == (ExitCode.DONE, "Checked"), outcome
    assert "data.train: 32 rows" in shown
    assert "data.heldOut: 8 rows" in shown
    assert "no question of data.heldOut is in the rows that are trained on" in shown
    assert "<|im_start|>user\n" in shown
    assert "</reasoning>\n<answer>" in shown
    assert "reward correct: worked answer 1, wrong answer 0" in shown
    assert "reward format: worked answer 1" in shown
    assert "data.warmup turns: 16 turns are learned" in shown


def test_the_resolved_spec_is_a_spec(checked: Callable[..., tuple[Outcome, str]]) -> None:
    _, shown = checked(resolved=True)
    document = yaml.safe_load(shown.partition("\n\n")[0])
    spec = Spec.model_validate(document)
    assert (spec.backend, spec.reinforce.epsilon_high) == ("transformers", 0.2)


def test_every_fault_is_found_and_the_first_one_is_the_exit_code(checked: Callable[..., tuple[Outcome, str]]) -> None:
    data = {"train": {"source": "file:///nowhere.jsonl"}, "heldOut": {"fraction": 0.5}}
    outcome, shown = checked(data=data, chatTemplate={"jinja": "{# messages #}fixed"})
    assert (outcome.exit_code, outcome.reason) == (ExitCode.DATA_INVALID, "SourceNotFound")
    assert "error   data:" in shown
    assert "error   chatTemplate: the chat template cannot write a conversation" in shown


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"rewards": []}, ExitCode.SPEC_INVALID, "at least one reward"),
        ({"export": {"formats": ["gguf:q9"]}}, ExitCode.SPEC_INVALID, "q4_k_m"),
        ({"model": {"source": "file:///etc"}}, ExitCode.MODEL_INVALID, "has no weights in *.safetensors"),
        (
            {"data": {"train": {"rows": [{"prompt": "1", "answer": "one"}]}}, "evaluation": {"enabled": False}}
            | {"rewards": [{"name": "correct", "builtin": "correctness", "params": {"parser": "number"}}]}
            | {"reinforce": {"steps": 1, "batchSize": 8, "maxCompletionLength": 12}},
            ExitCode.REWARD_FAILED,
            "cannot judge the worked answer of 1 of 1 rows, first row 1: 'one'",
        ),
        (
            {"reinforce": {"steps": 1, "batchSize": 264, "maxCompletionLength": 12}},
            ExitCode.DATA_INVALID,
            "data.train has 32 rows, and one generation takes 33 prompts",
        ),
        (
            {"chatTemplate": {"jinja": THINKS}},
            ExitCode.MODEL_INVALID,
            "data.warmup, row 1: the chat template does not show where the assistant's turn begins",
        ),
        (
            {"rewards": [ALIKE]},
            ExitCode.NOT_LEARNING,
            "every reward scores everything alike",
        ),
        (
            {
                "reinforce": {"algorithm": "DPO", "steps": 1, "maxCompletionLength": 12},
                "rewards": [],
                "data": {"train": {"rows": [{"prompt": "1", "chosen": "a", "rejected": "a"}]}},
                "evaluation": {"enabled": False},
            },
            ExitCode.NOT_LEARNING,
            "chosen and rejected are the same",
        ),
    ],
)
def test_what_would_fail(
    checked: Callable[..., tuple[Outcome, str]], changes: dict[str, Any], code: ExitCode, words: str
) -> None:
    outcome, _ = checked(**changes)
    assert outcome.exit_code == code, outcome
    assert words in outcome.message
    assert outcome.hint


ALTERNATING = (
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def test_conversation_that_the_template_refuses_is_named_by_its_row(
    checked: Callable[..., tuple[Outcome, str]], tmp_path: Path
) -> None:
    turns = [{"role": role, "content": "a"} for role in ("user", "user", "assistant")]
    rows = [{"messages": turns[1:]}, {"messages": turns}]
    (tmp_path / "warm.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = {"train": {"rows": [{"prompt": "1", "answer": "2"}]}, "warmup": {"source": f"file://{tmp_path}/warm.jsonl"}}
    few = {"steps": 1, "batchSize": 8, "numGenerations": 8, "maxCompletionLength": 12}
    outcome, _ = checked(data=data, chatTemplate={"jinja": ALTERNATING}, evaluation={"enabled": False}, reinforce=few)
    assert (outcome.exit_code, outcome.reason) == (ExitCode.DATA_INVALID, "ConversationRefused")
    assert "data.warmup, row 2, column messages" in outcome.message
    assert "roles must alternate" in outcome.message


def test_row_that_is_left_out_is_told_and_never_shown(checked: Callable[..., tuple[Outcome, str]]) -> None:
    prompts = ["1 and " * 40, "2<|im_end|>", "3 \x1b[31mand"]
    data = {
        "train": {"rows": [{"prompt": prompt, "answer": "2"} for prompt in prompts]},
        "controlTokens": "drop",
    }
    limits = {"steps": 1, "batchSize": 8, "numGenerations": 8, "maxCompletionLength": 12, "maxPromptLength": 100}
    outcome, shown = checked(data=data, reinforce=limits, evaluation={"enabled": False})
    assert outcome.exit_code == ExitCode.DONE, outcome
    assert "1 of 3 rows of data.train hold what the model reads as a control token: row 2 prompt '<|im_end|>'" in shown
    assert "1 of 2 rows are left out as too long" in shown
    assert "data.train, row 3, prompt:" in shown
    assert r"3 \x1b[31mand" in shown
    outcome, _ = checked(data=data | {"controlTokens": "fail"}, reinforce=limits, evaluation={"enabled": False})
    assert (outcome.exit_code, outcome.reason) == (ExitCode.DATA_INVALID, "ControlTokens")


def test_a_claim_that_is_too_small_is_told_before_anything_is_trained(
    checked: Callable[..., tuple[Outcome, str]],
    manifest: Manifest,
    train: Callable[..., Outcome],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its size in the spec, and when the run starts by what is free."""
    outcome, shown = checked(storage={"size": "100k"})
    assert outcome.exit_code == 0
    assert "storage.size has 9.31e-05 GiB, and the run takes" in shown
    monkeypatch.setattr(pipeline.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000, total=2000))
    failed = train(manifest(evaluation={"enabled": False}))
    assert (failed.exit_code, failed.reason) == (ExitCode.STORAGE_FULL, "StorageTooSmall")
    assert "the volume has" in failed.message
    assert "raise storage.size" in failed.hint


def test_a_job_for_a_gpu_is_checked_without_one(checked: Callable[..., tuple[Outcome, str]]) -> None:
    """As a preflight pod does: it asks for no GPU."""
    outcome, shown = checked(parallelism=None, lora=None, warmup=None)
    assert outcome.exit_code == ExitCode.DONE, outcome
    assert "backend: the trainer's GPU decides" in shown
    for backend in ("transformers with 16bit", "unsloth with 4bit"):
        assert f"memory: {backend} weights fits on a GPU of" in shown


def test_last_word_has_what_is_to_be_mended(manifest: Manifest, no_weights: Path, tmp_path: Path) -> None:
    model = {"source": f"file://{no_weights}", "maxSequenceLength": 128}
    word = tmp_path / "last-word"
    with Display(Console(file=io.StringIO())) as display:
        outcome = check(Options(manifest(model=model, rewards=[ALIKE]), termination_log=word), display)
    assert Outcome.from_termination_message(word.read_text("utf-8")) == outcome
    assert (outcome.exit_code, outcome.reason) == (ExitCode.NOT_LEARNING, "NothingToLearn")
    levels = [(each.level, each.where) for each in outcome.findings]
    assert levels[0] == ("error", "rewards")
    assert ("warning", "reward alike") in levels
    assert all(each.hint for each in outcome.findings)


@pytest.mark.parametrize(("gpus", "words"), [(0, "scores on the CPU"), (None, "which the estimate has")])
def test_reward_model_is_looked_at_and_not_loaded(
    checked: Callable[..., tuple[Outcome, str]], tmp_path: Path, gpus: int | None, words: str
) -> None:
    config = {"num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 128, "vocab_size": 283}
    config |= {"num_attention_heads": 4, "architectures": ["LlamaForSequenceClassification"], "id2label": {"0": "a"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").touch()
    mine = {"name": "mine", "model": {"source": f"file://{tmp_path}"}}
    parallelism = None if gpus is None else {"gpusPerNode": gpus}
    changes = {"lora": None, "warmup": None, "parallelism": parallelism}
    outcome, shown = checked(rewards=[mine, {"name": "format", "builtin": "format"}], **changes)
    assert outcome.exit_code == ExitCode.DONE, outcome
    assert re.search(rf"reward mine: .*{words}", " ".join(shown.split()))
    assert "reward format: " in shown
    config["architectures"] = ["LlamaForCausalLM"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    outcome, _ = checked(rewards=[mine], **changes)
    assert outcome.reason == "RewardModelInvalid"
