"""Python rewards, from the manifest through the box to numbers: as notebooks have them, and as they go wrong."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from reasoning_contract.api import BOX_VARIABLE
from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import ChatTemplate, Reward, Unscored
from reasoning_trainer.data.examples import Example
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.job import Inputs
from reasoning_trainer.rewards import Batch, RewardSet, Surroundings, batch_of, build, code_elsewhere
from reasoning_trainer.rewards.json_values import json_value

NOTEBOOK = (Path(__file__).parent / "rewards/notebook.py").read_text("utf-8")
QUESTION = [{"role": "system", "content": "Think."}, {"role": "user", "content": "What is 3 + 4?"}]
STRICT = "<reasoning>\n3 and 4\n</reasoning>\n<answer>\n7\n</answer>\n"
ONCE = Unscored(window_batches=1)


def python(source: str, function: str = "score", **given: Any) -> Reward:
    return Reward.model_validate({"name": "mine", "python": {"source": source, "function": function} | given})


class Log(list[str]):
    def text(self) -> str:
        return "\n".join(self)


@pytest.fixture
def said() -> Log:
    return Log()


@pytest.fixture
def make(said: Log) -> Iterator[Any]:
    made: list[RewardSet] = []

    def make(reward: Reward, guard: Unscored | None = None, **around: Any) -> RewardSet:
        given = Surroundings(say=said.append, complain=said.append, guard=guard or Unscored(), **around)
        made.append(build([reward], ChatTemplate(), given))
        return made[-1]

    yield make
    for rewards in made:
        rewards.close()


def conversations(*texts: str) -> list[list[dict[str, str]]]:
    return [[{"role": "assistant", "content": text}] for text in texts]


def scores(rewards: RewardSet, *texts: str, **columns: list[Any]) -> list[float | None]:
    ids = [list(range(len(text.split()))) for text in texts]
    given = {"answer": ["7"] * len(texts)} | columns
    return rewards.score(Batch([QUESTION] * len(texts), conversations(*texts), ids, given))["mine"]


SHAPES: list[tuple[str, list[str], dict[str, list[Any]], list[float | None]]] = [
    ("tags_by_regex", ["<think>a\nb</think>\n<answer>7</answer>", "7"], {}, [1.0, 0.0]),
    ("int_reward_func", [STRICT, "<answer>seven</answer>"], {}, [0.5, 0.0]),
    ("strict_format_reward_func", [STRICT, STRICT.replace("\n", "")], {}, [0.5, 0.0]),
    ("soft_format_reward_func", [STRICT.replace("\n", ""), "7"], {}, [0.5, 0.0]),
    ("xmlcount_reward_func", [STRICT, "7"], {}, [0.5, 0.0]),
    ("correctness_reward_func", [STRICT, "<answer>8</answer>"], {}, [2.0, 0.0]),
    ("cosine_length", ["<answer>7</answer>", "8 " * 100], {}, [0.999877, -0.5]),
    ("repetition_penalty", ["a b c d", "a b c a b c"], {}, [0.0, -0.25]),
    ("boxed_solution", [r"so \boxed{x+1}", "x+1"], {"solution": ["x+1", "x+1"]}, [1.0, 0.0]),
    ("check_numbers", ["</think><SOLUTION> 7", "<SOLUTION> 8", "none"], {}, [3.5, -1.5, -2.5]),
    ("async_reward", ["abc", ""], {}, [3.0, 0.0]),
    ("math_only", [STRICT, STRICT], {"task": ["math", "code"]}, [1.0, None]),
]


@pytest.mark.parametrize(("function", "texts", "columns", "expected"), SHAPES, ids=[shape[0] for shape in SHAPES])
def test_function_of_a_notebook_runs_unchanged(
    function: str, texts: list[str], columns: dict[str, list[Any]], expected: list[float | None], make: Any, said: Log
) -> None:
    rewards = make(python(NOTEBOOK, function))
    rewards.start()
    assert scores(rewards, *texts, **columns) == pytest.approx(expected, abs=1e-6)
    assert said.text().count("Question:\nWhat is 3 + 4?") == (function in ("correctness_reward_func", "check_numbers"))


def test_functions_keep_their_globals_from_batch_to_batch(make: Any, said: Log) -> None:
    rewards = make(python(NOTEBOOK, "check_numbers"))
    for _ in range(6):
        scores(rewards, "7")
    assert said.text().count("Question:") == 2  # PRINT_EVERY_STEPS is 5


def test_texts_are_handed_over_where_there_is_no_template(make: Any) -> None:
    rewards = make(python(NOTEBOOK, "plain_text"))
    assert rewards.score(Batch(["q", "q"], ["a b a", "c"]))["mine"] == [2.0, 1.0]


def test_params_are_arguments_and_win_over_columns(make: Any) -> None:
    source = "def score(completions, level, names, **_): return [level + len(names)] * len(completions)"
    rewards = make(python(source, params={"level": 2, "names": ["a"]}))
    assert scores(rewards, "x", level=[9]) == [3.0]


def test_every_column_reaches_the_function_by_its_name(make: Any) -> None:
    source = """
def score(prompts, completions, answer, question, level, tests, **rest):
    assert sorted(rest) == ["completion_ids", "when"], sorted(rest)
    return [float(q == "3 + 4?" and n == 2 and t == [{"in": 1}]) for q, n, t in zip(question, level, tests)]
"""
    columns = {"question": "3 + 4?", "level": Decimal(2), "tests": [{"in": 1}], "when": datetime.date(2026, 1, 1)}
    batch = batch_of([Example("3 + 4?", "7", columns=columns)], [QUESTION], conversations("7"), [[1]])
    assert make(python(source)).score(batch) == {"mine": [1.0]}


def test_code_of_a_config_map_and_of_a_module(tmp_path: Path, make: Any) -> None:
    (tmp_path / "rewards").mkdir()
    (tmp_path / "rewards/kept.py").write_text("def score(completions, **_): return [1.0 for _ in completions]")
    key = {"configMapKeyRef": {"name": "rewards", "key": "kept.py"}}
    kept = Reward.model_validate({"name": "mine", "python": key})
    assert scores(make(kept, locate=Inputs(tmp_path, None).locate), "x") == [1.0]
    assert code_elsewhere([kept], Inputs(tmp_path, None).locate) == {"mine": (tmp_path / "rewards/kept.py").read_text()}
    module = Reward.model_validate({"name": "mine", "python": {"module": "statistics", "function": "multimode"}})
    make(module).start()


def test_the_sidecar_is_used_where_there_is_one(tmp_path: Path, make: Any, said: Log) -> None:
    socket = tmp_path / "socket"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "reasoning_trainer.rewards.box", "--socket", socket]
    sidecar = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        rewards = make(python(NOTEBOOK, "correctness_reward_func"), variables={BOX_VARIABLE: str(socket)})
        rewards.start()
        assert scores(rewards, STRICT, "8") == [2.0, 0.0]
        assert "Question:" in said.text()
    finally:
        sidecar.kill()
        sidecar.wait()


LOADS = [
    ("def score(:\n", "SyntaxError", "line 1"),
    ("\nimport no_such_library\n", "no_such_library", "line 2"),
    ("def other(completions): ...\n", "defines no function 'score'", ""),
    ("raise SystemExit(3)", "SystemExit", "line 1"),
]


@pytest.mark.parametrize(("source", "words", "line"), LOADS, ids=[each[1] for each in LOADS])
def test_code_that_cannot_be_loaded_ends_the_run_at_its_start(source: str, words: str, line: str, make: Any) -> None:
    with pytest.raises(TrainerError, match=words) as caught:
        make(python(source)).start()
    assert (caught.value.exit_code, caught.value.reason) == (ExitCode.REWARD_FAILED, "RewardNotLoaded")
    assert "reward mine cannot be loaded: score" in caught.value.message
    assert line in caught.value.message


THROWS = """
def score(completions, **columns):
    return [half(completion[0]["content"]) for completion in completions]

def half(text):
    return int(text) / 2
"""


def test_what_a_function_raises_is_told_once_with_function_row_and_line(make: Any, said: Log) -> None:
    rewards = make(python(THROWS), Unscored(max_share=0.5, window_batches=2))
    assert scores(rewards, "4", "six") == [None, None]
    assert scores(rewards, "4", "6") == [2.0, 3.0]
    assert rewards.unscored == {"mine": 2}
    assert len(said) == 1
    assert "score, row 1 (line 6 of rewards.mine.python.source): ValueError" in said[0]


def test_too_many_failures_end_the_run_with_function_line_and_traceback(make: Any) -> None:
    rewards = make(python(THROWS), Unscored(max_share=0.4, window_batches=2))
    scores(rewards, "4", "six")
    with pytest.raises(TrainerError) as caught:
        scores(rewards, "4", "6")
    assert (caught.value.exit_code, caught.value.reason) == (ExitCode.REWARD_FAILED, "RewardFailing")
    message = caught.value.message
    assert message.startswith("reward mine failed on 2 of 4 completions, over the last 2 batches: ")
    assert "line 6" in message
    assert "invalid literal for int()" in message


def test_a_reward_that_fails_on_everything_is_not_waited_for(make: Any) -> None:
    rewards = make(python("def score(completions, **_): return 1 / 0"), Unscored(window_batches=100))
    scores(rewards, "a")
    with pytest.raises(TrainerError, match="failed on 2 of 2 completions"):
        scores(rewards, "b")


def test_failures_are_a_warning_where_the_spec_says_so(make: Any, said: Log) -> None:
    rewards = make(python("def score(completions, **_): return 1 / 0"), Unscored(action="warn", window_batches=1))
    for _ in range(3):
        assert scores(rewards, "a") == [None]
    assert len([line for line in said if line.startswith("warning: reward mine failed")]) == 1


def test_none_by_intent_is_no_failure(make: Any) -> None:
    rewards = make(python("def score(completions, **_): return [None] * len(completions)"), ONCE)
    for _ in range(3):
        assert scores(rewards, "a", "b") == [None, None]
    assert rewards.unscored == {"mine": 6}


def test_hang_leaves_the_batch_unscored_and_the_next_one_is_scored(make: Any, said: Log) -> None:
    source = """
import time
def score(completions, **_):
    if completions[0][0]["content"] == "hang":
        time.sleep(60)
    return [1.0] * len(completions)
"""
    rewards = make(python(source, timeoutSeconds=0.5))
    rewards.start()
    assert scores(rewards, "hang") == [None]
    assert scores(rewards, "go on") == [1.0]
    assert "score" in said[0]


def test_prints_reach_the_log_and_are_bounded(make: Any, said: Log) -> None:
    source = "def score(completions, **_):\n    print('x' * 10**6)\n    return [1.0]"
    assert scores(make(python(source)), "a") == [1.0]
    assert said[0].startswith("reward mine prints:\nxxx")
    assert len(said[0]) < 2200


@pytest.mark.parametrize(
    ("value", "json"),
    [
        (float("nan"), None),
        (Decimal("2.5"), 2.5),
        (datetime.datetime(2026, 1, 2, 3, 4), "2026-01-02T03:04:00"),
        (b"ab", "YWI="),
        ({1: (2, {3})}, {"1": [2, [3]]}),
        (True, True),
        (1 + 2j, "(1+2j)"),
    ],
)
def test_json_value(value: Any, json: Any) -> None:
    assert json_value(value) == json
