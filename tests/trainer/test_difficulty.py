"""Rows are measured before RL by the model that RL begins with, and those that it does not ask are never asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec
from reasoning_trainer.backends.base import Completion
from reasoning_trainer.data.examples import Example
from reasoning_trainer.evaluation.difficulty import Tally
from reasoning_trainer.rewards import RewardFunction, build
from reasoning_trainer.stages.difficulty import Profile, _begun, _tallies, rows_at_once
from reasoning_trainer.storage.run_folder import RunFolder, write_lines

Manifest = Callable[..., Path]
Train = Callable[..., Outcome]
SAMPLES, ROWS = 4, 8
TEMPLATE = {
    "systemPrompt": "",
    "reasoningTags": {"start": "(", "end": ")"},
    "answerTags": {"start": "[", "end": "]"},
}
GUESSES = [{"prompt": f"{n}", "reasoning": "-", "answer": f"{n * n // 3 % 2}"} for n in range(128)]
"""What the warm-up learns from: to answer 0 or 1, whichever."""
MOSTLY, NEVER, HALF = "[01]", "7", "1"
"""Patterns of answers that the model then meets so often."""


def rows_of(*answers: str) -> list[dict[str, str]]:
    places = (f"{n}{number}" for number in range(ROWS) for n, _ in enumerate(answers))
    return [{"prompt": prompt, "answer": answer} for prompt, answer in zip(places, answers * ROWS, strict=True)]


def job(rows: list[dict[str, str]], difficulty: dict[str, Any], **reinforce: Any) -> dict[str, Any]:
    steps = {"steps": 4, "numGenerations": 2, "batchSize": 8, "maxCompletionLength": 10, "learningRate": 1e-4}
    return {
        "chatTemplate": TEMPLATE,
        "data": {
            "train": {"rows": rows},
            "warmup": {"rows": GUESSES},
            "difficulty": {"samples": SAMPLES} | difficulty,
        },
        "warmup": {"epochs": 6, "batchSize": 16, "gradientAccumulation": 1, "learningRate": 2e-2},
        "reinforce": steps | reinforce,
        "rewards": [
            {"name": "correct", "builtin": "correctness", "params": {"parser": "pattern"}},
            {"name": "format", "builtin": "format"},
        ],
        "evaluation": {"enabled": False},
        "checkpoint": {"everySteps": 1000},
    }


@pytest.fixture
def asked_in_rl(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Prompts that RL asks, as they are noted while it does: the judge alone scores what is measured before."""
    asked: set[str] = set()
    score = RewardFunction.score

    def noted(self: RewardFunction, batch: Any) -> list[float | None]:
        if self.name == "format":
            asked.update(batch.prompt_texts)
        return score(self, batch)

    monkeypatch.setattr(RewardFunction, "score", noted)
    return asked


@pytest.mark.parametrize("algorithm", ["GRPO", "DAPO", "PPO"])
def test_rows_that_are_set_aside_are_never_asked(
    manifest: Manifest, train: Train, tmp_path: Path, asked_in_rl: set[str], algorithm: str
) -> None:
    rows = rows_of(MOSTLY, NEVER, HALF)
    changes = job(rows, {"min": 0.1, "max": 0.7}, algorithm=algorithm)
    if algorithm == "PPO":
        del changes["reinforce"]["numGenerations"]
    outcome = train(manifest(**changes))
    assert outcome.exit_code == 0, outcome

    measured = [json.loads(line) for line in (tmp_path / "run/difficulty/rows.jsonl").read_text().splitlines()]
    assert [each["prompt"] for each in measured] == [row["prompt"] for row in rows]
    left = {each["prompt"]: each["answer"] for each in measured if each["asked"]}
    assert left.keys() == {each["prompt"] for each in measured if 0.1 <= each["right"] / SAMPLES <= 0.7}
    assert NEVER not in left.values()
    assert asked_in_rl <= left.keys()
    assert asked_in_rl

    progress = outcome.progress
    assert progress is not None
    assert progress.difficulty is not None
    assert progress.training is not None
    found = progress.difficulty
    assert (found.rows, found.of, found.samples, found.completions) == (len(rows), len(rows), SAMPLES, SAMPLES * 24)
    assert found.histogram["never"] >= ROWS
    assert found.set_aside == len(rows) - len(left)
    spent = progress.training.completions or 0
    assert spent - found.completions == 4 * 8 or algorithm == "DAPO"  # which may replace groups
    assert [each.condition for each in progress.verdicts if each.condition == "DifficultyFits"]
    page = (tmp_path / "run/report.html").read_text()
    assert "How hard the rows were before RL" in page
    assert f"{found.set_aside} that it" in (tmp_path / "run/README.md").read_text()


def test_rows_that_are_not_measured_stay_and_a_finding_ends_nothing(
    manifest: Manifest, train: Train, tmp_path: Path, asked_in_rl: set[str]
) -> None:
    outcome = train(manifest(**job(rows_of(NEVER), {"rows": 3, "min": 0.1})))
    assert outcome.exit_code == 0, outcome
    assert outcome.progress is not None
    assert outcome.progress.difficulty is not None
    assert outcome.progress.difficulty.set_aside == 3
    (verdict,) = [each for each in outcome.progress.verdicts if each.condition == "DifficultyFits"]
    assert (verdict.ok, verdict.reason) == (False, "RowsTooHard")
    assert len(asked_in_rl) == ROWS - 3


@pytest.mark.parametrize(
    ("difficulty", "reason", "says"),
    [
        ({"min": 0.1}, "NoRowLeft", "8 were never solved and 0 always"),
        ({"rows": 7, "min": 0.1}, "DatasetTooSmall", "left by data.difficulty, which sets 7 aside"),
    ],
)
def test_a_run_without_enough_rows_ends_before_rl(
    manifest: Manifest, train: Train, tmp_path: Path, difficulty: dict[str, Any], reason: str, says: str
) -> None:
    outcome = train(manifest(**job(rows_of(NEVER), difficulty)))
    assert (outcome.exit_code, outcome.reason) == (ExitCode.DATA_INVALID, reason)
    assert says in outcome.message
    assert not (tmp_path / "run/reinforce").exists()


def test_programs_are_right_that_pass_every_test() -> None:
    tests = [["assert f(1) == 2", "assert f(2) == 3"], ["assert f(1) == 1", "assert f(2) == 2"]]
    rows = [Example(f"row {number}", columns={"tests": each}) for number, each in enumerate(tests)]
    programs = ["def f(x): return x + 1", "def f(x): return 2 * x", "no program"]
    said = [Completion(f"<answer>{each}</answer>", 5 if each == "no program" else 3) for each in programs]
    chat: Any = SimpleNamespace(
        backend=SimpleNamespace(generate=lambda model, chat, prompts, sampling: [said] * len(prompts)),
        model=None,
        prompt=lambda row: row.prompt,
        asked=lambda row: [{"role": "user", "content": row.prompt}],
    )
    document = {
        "model": {"source": "file:///model"},
        "data": {"train": {"source": "file:///rows.jsonl"}, "difficulty": {"samples": 3}},
        "rewards": [{"name": "shape", "builtin": "format"}, {"name": "tests", "builtin": "code"}],
        "reinforce": {"maxCompletionLength": 5},
        "evaluation": {"enabled": False},
        "parallelism": {"gpusPerNode": 0},
    }
    spec = resolve(Spec.model_validate(document))
    assert spec.judge is not None
    assert spec.judge.name == "tests"
    with build([spec.judge], spec.chat_template) as rewards:
        assert _tallies(spec, chat, rows, [0, 1], rewards) == [Tally(0, 1, 3, 1), Tally(1, 0, 3, 1)]


@pytest.mark.parametrize(
    ("engine", "samples", "reinforce", "rows"),
    [
        ("transformers", 8, {}, 4),  # 32 completions, as in an evaluation
        ("transformers", 8, {"batchSize": 8, "gradientAccumulation": 8}, 8),  # 64, as in RL
        ("transformers", 8, {"algorithm": "PPO", "batchSize": 48, "gradientAccumulation": 2}, 6),  # 48, as in RL
        ("transformers", 8, {"batchSize": 4096}, 64),
        ("transformers", 64, {}, 1),
        ("vllm", 8, {}, 64),
        ("vllm", 2, {}, 256),
    ],
)
def test_no_more_is_written_at_once_than_in_the_rest_of_the_run(
    engine: str, samples: int, reinforce: dict[str, Any], rows: int
) -> None:
    document = {
        "model": {"source": "file:///model"},
        "data": {"train": {"rows": [{"prompt": "p", "answer": "1"}]}},
        "rewards": [{"name": "correct", "builtin": "correctness"}],
        "reinforce": reinforce,
        "evaluation": {"enabled": False},
        "parallelism": {"gpusPerNode": 0},
    }
    assert rows_at_once(resolve(Spec.model_validate(document)), engine, samples) == rows


def test_other_sampling_is_measured_anew_until_rl_has_begun(tmp_path: Path) -> None:
    folder, path = RunFolder(tmp_path), tmp_path / "profile.json"
    attempt: Any = SimpleNamespace(folder=folder)
    before, after = ({"train": "rows", "sampling": temperature} for temperature in (1.0, 0.8))
    assert _begun(attempt, path, before) == Profile(before)
    kept = Profile(before, [Tally(0, 1, 2)], 3.0)
    kept.keep(path)
    assert _begun(attempt, path, before) == kept
    assert _begun(attempt, path, after) == Profile(after)
    write_lines(folder.stage("reinforce").history, [])
    assert _begun(attempt, path, after) == kept
    other = after | {"train": "other rows"}
    assert _begun(attempt, path, other) == Profile(other)
