"""What `check` makes of facts."""

from __future__ import annotations

from typing import Any

import pytest
from tests.shapes import SMOLLM2

from reasoning_contract.choice import choose
from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec
from reasoning_trainer.commands import findings
from reasoning_trainer.commands.findings import EMPTY, LONG, WORKED, WRONG, Finding
from reasoning_trainer.data.examples import Example, Splits

CORRECT = {"name": "correct", "builtin": "correctness"}
FORMAT = {"name": "format", "builtin": "format"}


def spec(*rewards: dict[str, Any], **reinforce: Any) -> Spec:
    return Spec.model_validate(
        {
            "model": {"source": "file:///model"},
            "data": {"train": {"rows": [{"prompt": "1+1", "answer": "2", "chosen": "2", "rejected": "3"}]}},
            "evaluation": {"enabled": False},
            "rewards": list(rewards),
            "parallelism": {"gpusPerNode": 0},
            "reinforce": reinforce,
        }
    )


def judge(correct: dict[str, list[float | None]], *more: tuple[dict[str, Any], dict[str, Any]]) -> list[Finding]:
    given = spec(CORRECT, *(reward for reward, _ in more))
    scores = {"correct": correct} | {reward["name"]: each for reward, each in more}
    return findings.rewards(given, scores, ["2", "3"])


GOOD: dict[str, list[float | None]] = {WORKED: [1.0, 1.0], WRONG: [0.0, 0.0], LONG: [1.0, 1.0], EMPTY: [0.0, 0.0]}
ALIKE: dict[str, list[float | None]] = {kind: [0.0, 0.0] for kind in GOOD}


def test_good_rewards() -> None:
    found = judge(GOOD)
    assert [finding.level for finding in found] == ["ok", "ok"]
    assert found[0].message == "worked answer 1, wrong answer 0, endless answer 1, empty text 0"
    assert findings.verdict(found) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({WORKED: [1.0, 0.0]}, "does not give full marks to the worked answer of 1 of 2 rows, first row 2: '3'"),
        ({WORKED: [None, 1.0]}, "cannot judge the worked answer of 1 of 2 rows, first row 1: '2'"),
        ({EMPTY: [0.0, 1.0]}, "gives marks to an empty text"),
        ({WRONG: [1.0, 1.0]}, "gives full marks to wrong answers"),
    ],
)
def test_a_correctness_reward_that_misjudges(changes: dict[str, list[float | None]], words: str) -> None:
    fault = findings.verdict(judge(GOOD | changes))
    assert fault is not None
    assert words in fault.message
    assert (fault.exit_code, fault.reason) == (ExitCode.REWARD_FAILED, "RewardMisjudges")
    assert fault.hint


def test_rewards_that_score_everything_alike_cannot_teach() -> None:
    found = findings.rewards(spec(FORMAT), {"format": ALIKE}, ["2", "3"])
    assert found[0].level == "warning"
    fault = findings.verdict(found)
    assert fault is not None
    assert fault.exit_code == ExitCode.NOT_LEARNING
    assert "every reward scores everything alike" in fault.message


def test_one_reward_that_scores_everything_alike_is_a_warning() -> None:
    found = judge(GOOD, (FORMAT, ALIKE))
    assert [finding.level for finding in found] == ["ok", "warning", "ok"]
    assert "scores everything alike" in found[1].message


def test_weights_that_prefer_nothing_to_the_answer() -> None:
    brief = FORMAT | {"name": "brief", "weight": -2.0}
    found = judge(GOOD, (brief, {WORKED: [1.0, 1.0], WRONG: [1.0, 1.0], LONG: [1.0, 1.0], EMPTY: [0.0, 0.0]}))
    fault = findings.verdict(found)
    assert fault is not None
    assert "the worked answer is worth no more than the empty text" in fault.message


def test_lengths() -> None:
    assert findings.prompt_lengths("data.train", [3, 5, 9], 9).level == "ok"
    some = findings.prompt_lengths("data.train", [3, 5, 10], 9)
    assert (some.level, some.message.split(":")[0]) == ("warning", "1 of 3 rows are left out as too long")
    none = findings.prompt_lengths("data.train", [10], 9)
    assert (none.level, none.problem and none.problem.exit_code) == ("error", ExitCode.DATA_INVALID)
    assert findings.answer_lengths("data.warmup", [4], 4).level == "ok"
    assert findings.answer_lengths("data.warmup", [4, 5], 4).level == "warning"


def test_question_that_is_answered_in_two_ways_is_a_warning_and_one_that_comes_twice_is_told() -> None:
    rows = (Example("2 + 2?", "4"), Example("2 + 3?", "5"), Example("2 + 2?", "4"))
    told = {finding.message: finding.level for finding in findings.rows(Splits(rows, (), ()))}
    assert told["1 of 3 rows of data.train ask what another row asks"] == "ok"
    told = {
        finding.message: finding.level for finding in findings.rows(Splits((*rows, Example("2 + 3?", "6")), (), ()))
    }
    assert told["2 of 4 rows of data.train ask what another row asks, 1 of them with another answer"] == "warning"


def test_turns_that_are_too_long_are_a_warning() -> None:
    assert findings.turns(3, "").level == "ok"
    found = findings.turns(2, "1 of 3 turns left out")
    assert (found.level, found.message) == ("warning", "2 turns are learned; 1 of 3 turns left out")
    assert "model.maxSequenceLength" in found.hint


def test_pairs_of_equal_completions() -> None:
    different, equal = Example(chosen="a", rejected="b"), Example(chosen="a", rejected="a")
    assert findings.pairs([different]).level == "ok"
    assert "first in row 2" in findings.pairs([different, equal]).message
    problem = findings.pairs([equal]).problem
    assert problem
    assert problem.exit_code == ExitCode.NOT_LEARNING


def test_what_was_left_to_the_trainer_is_told() -> None:
    given = spec(CORRECT, algorithm="DAPO", batchSize=16, beta=0.1)
    backend, filled = findings.choices(given, resolve(given), choose(given))
    assert backend.message == ("transformers, weights in 16bit, completions by transformers: no GPU: trains on the CPU")
    assert "reinforce.epsilonHigh 0.28" in filled.message
    assert "beta" not in filled.message
    assert "loadIn" not in filled.message


def test_a_learning_rate_that_is_left_open_is_told_by_the_models_size() -> None:
    (found,) = findings.learning_rates(spec(CORRECT), SMOLLM2)
    assert found.subject == "reinforce.learningRate"
    assert found.message == ("0.0001: RL with an adapter, up to 1.6 billion parameters: the model has 134.5 million")
    (unknown,) = findings.learning_rates(spec(CORRECT), {})
    assert unknown.message.startswith("follows from the model's size, known once it is loaded: config.json has no")
    assert findings.learning_rates(spec(CORRECT, learningRate=1e-5), SMOLLM2) == []


@pytest.mark.parametrize(
    ("reinforce", "message"),
    [
        ({"steps": 10, "batchSize": 8, "numGenerations": 4}, "10 steps of 2 prompts with 4 completions each: 5 passes"),
        ({"epochs": 2, "batchSize": 8, "numGenerations": 4}, "4 steps of 2 prompts with 4 completions each: 2 passes"),
        ({"algorithm": "PPO", "steps": 1, "batchSize": 4}, "1 steps of 4 prompts: 1 passes"),
    ],
)
def test_how_much_of_the_data_is_seen(reinforce: dict[str, Any], message: str) -> None:
    (found,) = findings.plan(resolve(spec(CORRECT, **reinforce)), [Example()] * 4)
    assert found.message.startswith(message)


def test_completions_that_are_measured_before_rl_are_told() -> None:
    document = spec(CORRECT).model_dump(by_alias=True, exclude_none=True)
    document["data"]["difficulty"] = {"rows": 3}
    _, found = findings.plan(resolve(Spec.model_validate(document)), [Example()] * 4)
    assert found.message == "3 of 4 rows with 8 completions each: 24 completions before RL"


def on_gpu(**parts: Any) -> Spec:
    document = spec(CORRECT).model_dump(by_alias=True, exclude_none=True)
    return Spec.model_validate(document | {"parallelism": {"gpusPerNode": 1}} | parts)


def test_memory_is_told_of_every_backend_that_the_job_may_get() -> None:
    told = [finding.message.split(" weights")[0] for finding in findings.gpu_memory(on_gpu(), SMOLLM2)]
    assert told == ["transformers with 16bit", "unsloth with 4bit"]
    (one,) = findings.gpu_memory(on_gpu(backend="unsloth"), SMOLLM2)
    assert "fits on a GPU of" in one.message


def test_memory_of_a_strange_model_or_of_a_cpu_is_not_told() -> None:
    (unknown,) = findings.gpu_memory(on_gpu(), {})
    assert unknown.message.startswith("not estimated: config.json has no")
    assert findings.gpu_memory(spec(CORRECT), SMOLLM2) == []
