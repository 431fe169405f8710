"""What the model card says, of a job that is made up."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from reasoning_contract.choice import choose
from reasoning_contract.progress import Progress
from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec
from reasoning_trainer.data.examples import Example, Splits
from reasoning_trainer.job import Job
from reasoning_trainer.reporting.model_card import Facts, base_licence, digest, model_card

SPEC = Spec.model_validate(
    {
        "model": {"source": "hf://Qwen/Qwen3-4B-Base"},
        "data": {"train": {"source": "hf://openai/gsm8k", "config": "main"}, "heldOut": {"fraction": 0.1}},
        "rewards": [{"name": "correct", "builtin": "correctness"}],
    }
)
BASE = {"accuracy": 0.1, "ci95": [0.05, 0.18], "format": 0.2, "meanLength": 90.4}
FINAL = {"accuracy": 0.6, "margin": 2.0, "ci95": [0.5, 0.69], "format": 1.0, "meanLength": 40.0, "passAtK": {"4": 0.8}}
PROGRESS = {
    "attempt": 1,
    "startedAt": "2026-11-24T12:00:00Z",
    "stage": "export",
    "progress": {"percent": 99, "display": "99%", "updatedAt": "2026-11-24T12:30:00Z"},
    "model": {
        "revision": "abc123",
        "backend": "transformers",
        "loadIn": "16bit",
        "engine": "vllm",
        "reason": "",
        "trainableParameters": 1234567,
    },
    "evaluation": {
        "heldOut": {"size": 100, "base": BASE, "reinforce": FINAL},
        "improvement": 0.5,
        "pValue": 0.0000001,
        "reinforceImprovement": 0.01,
        "reinforcePValue": 0.4,
    },
    "artifacts": [
        {"kind": "lora", "path": "/run/artifacts/lora", "sha256": "a" * 64, "bytes": 1000},
        {"kind": "gguf:q4_k_m", "path": "/run/artifacts/gguf-q4_k_m", "sha256": "b" * 64, "bytes": 2345678},
    ],
}


def card(licence: str | None = None, sample: dict[str, object] | None = None) -> str:
    job = Job("gsm8k", "default", "", SPEC, resolve(SPEC), choose(SPEC), {})
    splits = Splits((Example(prompt="1+1", answer="2"),), (), (Example(prompt="2+2", answer="4"),))
    progress = Progress.model_validate(PROGRESS)
    return model_card(Facts(job, progress, splits, [{"role": "user", "content": "1+1"}], licence, sample))


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("---\nlicense: apache-2.0\nlanguage: en\n---\n# A model", "apache-2.0"),
        ("---\nlanguage: en\n---\nlicense: mit", None),
        ("# No front matter\nlicense: mit", None),
        ("---\nlicense: [\n---\n", None),
        ("---\nlicense: [mit, apache-2.0]\n---\n", None),
        (None, None),
    ],
)
def test_licence_is_what_the_card_of_the_base_names(tmp_path: Path, text: str | None, licence: str | None) -> None:
    if text is not None:
        (tmp_path / "README.md").write_text(text)
    assert base_licence(tmp_path) == licence


def test_front_matter_is_what_the_hub_reads() -> None:
    matter = yaml.safe_load(card("apache-2.0").split("---")[1])
    assert matter["base_model"] == "Qwen/Qwen3-4B-Base"
    assert matter["license"] == "apache-2.0"
    assert "license" not in yaml.safe_load(card().split("---")[1])


def test_card_says_what_was_trained_how_and_with_what_result() -> None:
    text = card("apache-2.0")
    assert "[Qwen/Qwen3-4B-Base](https://huggingface.co/Qwen/Qwen3-4B-Base) at revision `abc123`" in text
    columns = "Model | Accuracy | 95% interval (Wilson) | Format kept | Mean length, tokens | pass@4 | Margin, nats"
    assert f"| {columns} |" in text
    assert "is better than the base model: +0.500, one-sided exact McNemar p = 1e-07" in text
    assert "is not shown to be better than the warmed-up model: +0.010" in text
    assert "`artifacts/gguf-q4_k_m` | GGUF, Q4_K_M | 2,345,678" in text
    assert "| Held out | `hf://openai/gsm8k` `main`, set apart | 1 |" in text
    assert "algorithm: GRPO" in text
    assert "| After RL | 0.600 | 0.500 to 0.690 | 1.000 | 40 | 0.800 | +2.000 |" in text


def test_unknown_licence_is_said() -> None:
    assert "look it up before you publish" in card()


def test_transcript_with_a_fence_of_its_own_stays_inside() -> None:
    text = card(sample={"prompt": "1+1", "answer": "2", "completion": "```\n2\n```", "right": True})
    assert "````text\n> 1+1\n\n```\n2\n```\n````" in text


def test_digest_follows_the_rows_and_their_order() -> None:
    one, two = Example(prompt="1+1", answer="2"), Example(prompt="2+2", answer="4")
    assert digest([one, two]) != digest([two, one])
    # what sha256sum says of the line {"answer": "2", "prompt": "1+1"}
    assert digest([one]) == "bd99d790330fe4c25ab5488e780d95ee73075703fe8c5672f571adec823a81c5"


def test_card_of_pairs_without_answers_says_what_is_preferred() -> None:
    base = {"format": 0.5, "meanLength": 90.4, "preferred": 0.45, "margin": -0.1}
    final = {"format": 0.5, "meanLength": 80.0, "preferred": 0.9, "margin": 1.25}
    evaluation = {
        "heldOut": {"size": 100, "base": base, "reinforce": final},
        "preferredImprovement": 0.45,
        "preferredPValue": 1e-9,
    }
    sample = {"prompt": "Hello", "answer": None, "completion": "Hello!", "right": None}
    job = Job("pairs", "default", "", SPEC, resolve(SPEC), choose(SPEC), {})
    progress = Progress.model_validate(PROGRESS | {"evaluation": evaluation})
    text = model_card(Facts(job, progress, Splits((), (), ()), [], None, sample))
    assert "| Model | Pairs preferred | Margin, nats | Format kept | Mean length, tokens |" in text
    assert "| After RL | 0.900 | +1.250 | 0.500 | 80 |" in text
    assert "By pairs preferred, the final model is better than the base model: +0.450" in text
    assert "Accuracy" not in text
    assert "(not judged)" in text
