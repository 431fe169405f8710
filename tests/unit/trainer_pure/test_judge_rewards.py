"""Judges: what they are asked, and what becomes of what they say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.serving import Served, serve, serving

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import ChatTemplate, JudgeReward, Reward, Unscored
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.rewards import Batch, RewardSet, Surroundings, build
from reasoning_trainer.rewards.remote.http import ServiceError
from reasoning_trainer.rewards.remote.judge import filled, said, score_in

EXAMPLES = Path(__file__).parents[3] / "examples/rewards"
DEFAULT = re.compile(JudgeReward.model_fields["pattern"].default)


@pytest.fixture
def server() -> Iterator[Served]:
    with serve() as served:
        yield served


def words(text: Any) -> tuple[int, dict[str, str], str]:
    return 200, {}, json.dumps({"choices": [{"message": {"content": text}}]})


def judge(server: Served, told: list[str], variables: dict[str, str] | None = None, **settings: Any) -> RewardSet:
    given = {"url": f"{server.url}/v1", "model": "big", "prompt": "{prompt}|{completion}|{answer}", "retries": 0}
    reward = Reward.model_validate({"name": "judge", "judge": given | settings})
    around = Surroundings(complain=told.append, guard=Unscored(window_batches=2), variables=variables or {})
    return build([reward], ChatTemplate(), around)


SAID = [
    ("Score: 7", 0.7),
    ("I would say score: 3.\nNo, Score: 8.5", 0.85),
    ("SCORE:10", 1.0),
    ("Score: 0", 0.0),
    ("Score: 11", None),
    ("Score: -1", None),
    ("Score: 1e999", 0.1),
    ("seven", None),
    ("", None),
    (None, None),
    (["Score: 7"], None),
    ("Score: " + "9" * 400, None),
]


@pytest.mark.parametrize(("text", "score"), SAID, ids=str)
def test_score_is_the_last_one_within_the_range_or_none(server: Served, text: Any, score: float | None) -> None:
    server.answers = [words(text)]
    told: list[str] = []
    with judge(server, told) as rewards:
        assert rewards.functions[0].score(Batch(["q"], ["a"], columns={"answer": ["7"]})) == [score]
    assert bool(told) is (score is None)


def test_range_and_pattern_are_the_users(server: Served) -> None:
    server.answers = [words("<points>3</points> of 5")]
    with judge(server, [], pattern=r"<points>(\d)</points>", lowest=1, highest=5) as rewards:
        assert rewards.functions[0].score(Batch(["q"], ["a"], columns={"answer": ["7"]})) == [0.5]


def test_request_is_greedy_and_has_key_system_prompt_and_texts(server: Served) -> None:
    server.answers = [words("Score: 5")]
    prompt = [{"role": "user", "content": "3 + 4?"}]
    completion = [{"role": "assistant", "content": "{answer} {{x}} Score: 10"}]
    settings = {"systemPrompt": "Be just.", "maxTokens": 9, "apiKeySecretRef": {"name": "a", "key": "b"}}
    with judge(server, [], {"REWARD_KEY_JUDGE": "abc\n"}, **settings) as rewards:
        rewards.score(Batch([prompt], [completion], None, {"answer": ["7"]}))
    ((path, headers, document),) = server.asked
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer abc"
    assert document == {
        "model": "big",
        "messages": [
            {"role": "system", "content": "Be just."},
            {"role": "user", "content": "3 + 4?|{answer} {{x}} Score: 10|7"},
        ],
        "temperature": 0,
        "seed": 0,
        "n": 1,
        "max_tokens": 9,
    }


def test_every_completion_has_its_own_score(server: Served) -> None:
    server.answers = [lambda document: words(f"Score: {document['messages'][0]['content'].split('|')[1]}")]
    with judge(server, [], concurrency=4) as rewards:
        scores = rewards.functions[0].score(
            Batch(["q"] * 10, [str(n) for n in range(10)], columns={"answer": ["7"] * 10})
        )
    assert scores == [n / 10 for n in range(10)]
    assert len(server.asked) == 10


def test_row_without_what_the_prompt_names_is_unscored(server: Served) -> None:
    server.answers = [words("Score: 5")]
    told: list[str] = []
    with judge(server, told) as rewards:
        assert rewards.functions[0].score(Batch(["q", "q"], ["a", "a"], None, {"answer": ["7", None]})) == [0.5, None]
    assert "the row has no answer" in told[0]


def test_judge_that_fails_ends_the_run_by_the_guard(server: Served) -> None:
    server.answers = [(500, {}, "broken")]
    with judge(server, []) as rewards:
        rewards.score(Batch(["q"], ["a"], columns={"answer": ["7"]}))
        with pytest.raises(TrainerError, match="reward judge failed on 2 of 2") as caught:
            rewards.score(Batch(["q"], ["a"], columns={"answer": ["7"]}))
    assert caught.value.exit_code == ExitCode.REWARD_FAILED


@pytest.mark.parametrize("answer", [b"", b"{}", b'{"choices": []}', b'{"choices": [{"message": "a"}]}', b"[" * 10**5])
def test_answer_that_is_no_chat_completion(answer: bytes) -> None:
    with pytest.raises(ServiceError, match="no chat completion"):
        said(answer)


@pytest.mark.parametrize(
    ("settings", "variables", "message"),
    [
        ({"pattern": "score: (("}, {}, "does not compile"),
        ({"pattern": r"(score): (\d)"}, {}, "has 2 groups"),
        ({"pattern": "[(]7"}, {}, "has 0 groups"),
        ({"apiKeySecretRef": {"name": "a", "key": "b"}}, {}, "REWARD_KEY_JUDGE is not set"),
        ({"apiKeySecretRef": {"name": "a", "key": "b"}}, {"REWARD_KEY_JUDGE": "a b"}, "is not one word"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    server: Served, settings: dict[str, Any], variables: dict[str, str], message: str
) -> None:
    with pytest.raises(TrainerError, match=re.escape(message)) as caught:
        judge(server, [], variables, **settings)
    assert caught.value.exit_code == ExitCode.SPEC_INVALID


def test_values_are_put_in_once() -> None:
    assert filled("{{{a}}} {b} {1}", {"a": "{b}", "b": 2}) == "{{b}} 2 {1}"
    with pytest.raises(ServiceError, match="no c,"):
        filled("{c}", {"c": None})


def test_a_judge_that_talks_without_end_takes_no_time() -> None:
    assert score_in("Score: 3 " + "score:" * 100_000 + "Score: 4", DEFAULT) == 4.0
    assert score_in("score:" + " " * 1_000_000, DEFAULT) is None


QUESTION = "Number: {prompt}\nAnswer of the student:\n{completion}\nEnd of the answer"


def test_example_server_judges_and_wants_its_key() -> None:
    key = {"apiKeySecretRef": {"name": "a", "key": "b"}}
    answers = ["<answer>odd</answer>", "<answer>even</answer>", "odd"]
    with serving(EXAMPLES / "judge_server.py", {"JUDGE_KEY": "secret"}) as address:
        told: list[str] = []
        settings = {"url": f"http://{address}/v1", "model": "any", "retries": 0, "prompt": QUESTION} | key
        reward = Reward.model_validate({"name": "judge", "judge": settings})
        for given, scores in (("secret", [1.0, 0.2, 0.0]), ("wrong", [None] * 3)):
            variables = {"REWARD_KEY_JUDGE": given}
            around = Surroundings(complain=told.append, variables=variables, guard=Unscored(action="off"))
            with build([reward], ChatTemplate(), around) as rewards:
                assert rewards.functions[0].score(Batch(["7"] * 3, answers)) == scores
    assert "HTTP 401" in told[0]
