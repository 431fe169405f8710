"""HTTP rewards against a real server on this machine; time is a test's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from tests.serving import Answer, Served, serve

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import ChatTemplate, Reward, Unscored
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.rewards import Batch, RewardSet, Surroundings, build
from reasoning_trainer.rewards.remote.http import Service, ServiceError, headers_of, pause_before, seconds_of
from reasoning_trainer.rewards.remote.scorer import divide

ONE: Answer = (200, {}, '{"scores": [0.5]}')


@pytest.fixture
def server() -> Iterator[Served]:
    with serve() as served:
        yield served


@dataclass
class Clock:
    """Time that passes when somebody waits."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def ask(server: Served, clock: Clock, *answers: Answer, retries: int = 4, deadline: float = 60.0) -> Any:
    server.answers = list(answers)
    return Service(server.url, {}, retries, clock).score({"completions": ["a"]}, 1, deadline)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_asked_again(server: Served, status: int) -> None:
    clock = Clock()
    assert ask(server, clock, (status, {}, ""), (status, {}, ""), ONE) == [0.5]
    assert 0.25 <= clock.slept[0] <= 0.5 <= clock.slept[1] <= 1.0


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 422])
def test_what_will_not_pass_is_not_asked_again(server: Served, status: int) -> None:
    with pytest.raises(ServiceError, match=f"try 1: HTTP {status}"):
        ask(server, Clock(), (status, {"Location": server.url}, "no"), ONE)
    assert len(server.asked) == 1


def test_retry_after_is_kept(server: Served) -> None:
    clock = Clock()
    ask(server, clock, (429, {"Retry-After": "7"}, ""), ONE)
    assert 7 <= clock.slept[0] <= 7.5


def test_retry_after_beyond_the_deadline_is_not_waited_for(server: Served) -> None:
    clock = Clock()
    with pytest.raises(ServiceError, match="HTTP 503"):
        ask(server, clock, (503, {"Retry-After": "61"}, ""), ONE)
    assert clock.slept == []


def test_retries_end(server: Served) -> None:
    with pytest.raises(ServiceError, match="try 3: HTTP 500"):
        ask(server, Clock(), (500, {}, ""), retries=2)
    assert len(server.asked) == 3


def test_nobody_listens() -> None:
    with pytest.raises(ServiceError, match=r"try 2: .*refused"):
        Service("http://127.0.0.1:9/", {}, 1, Clock()).score({}, 1, 60.0)


BAD = [
    ("nothing", "no JSON"),
    ("[1]", "no list of 1 scores"),
    ('{"scores": [1, 2]}', "no list of 1 scores"),
    ('{"scores": [true]}', "score 0 of the answer is True"),
    ('{"scores": ["1"]}', "score 0 of the answer is '1'"),
    ('{"scores": [NaN]}', "score 0 of the answer is nan"),
    ('{"scores": [1e999]}', "score 0 of the answer is inf"),
]


@pytest.mark.parametrize(("text", "words"), BAD)
def test_answer_that_is_none(server: Served, text: str, words: str) -> None:
    with pytest.raises(ServiceError, match=words):
        ask(server, Clock(), (200, {}, text))
    assert len(server.asked) == 1


def test_retry_after_may_be_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 90 < (seconds_of(soon) or 0) <= 100
    assert seconds_of("Thu, 01 Jan 1970 00:00:00 GMT") == 0.0
    assert (seconds_of("7"), seconds_of("soon"), seconds_of(None)) == (7.0, None, None)


def test_pauses_grow_to_a_bound() -> None:
    assert all(0.25 <= pause_before(0, None) <= 0.5 for _ in range(100))
    assert all(15 <= pause_before(50, None) <= 30 for _ in range(100))


def build_one(server: Served, said: list[str], **http: Any) -> RewardSet:
    reward = Reward.model_validate({"name": "judge-2", "http": {"url": server.url, "retries": 0} | http})
    around = Surroundings(
        complain=said.append,
        guard=Unscored(window_batches=2),
        variables={"REWARD_HEADERS_JUDGE_2": "Authorization: Bearer abc\nX-Team: a:b\n"},
    )
    return build([reward], ChatTemplate(), around)


def lengths(document: dict[str, Any]) -> Answer:
    return 200, {}, json.dumps({"scores": [len(text) if text else None for text in document["completions"]]})


def test_batch_is_one_request_with_columns_and_the_secret_header(server: Served) -> None:
    server.answers = [lengths]
    batch = Batch(["q", "r"], ["abc", ""], [[1], [2]], {"answer": ["7", None], "level": [1, 2]})
    with build_one(server, [], headersSecretRef={"name": "a", "key": "b"}) as rewards:
        assert rewards.score(batch) == {"judge-2": [3.0, None]}
    ((_, headers, document),) = server.asked
    assert headers["Authorization"] == "Bearer abc"
    assert headers["X-Team"] == "a:b"
    assert document == {
        "reward": "judge-2",
        "prompts": ["q", "r"],
        "completions": ["abc", ""],
        "completion_ids": [[1], [2]],
        "columns": {"answer": ["7", None], "level": [1, 2]},
    }


def test_batch_is_divided_into_requests_that_are_sent_at_once(server: Served) -> None:
    server.answers = [lengths]
    with build_one(server, [], concurrency=3) as rewards:
        assert rewards.score(Batch(["q"] * 7, ["a" * n for n in range(1, 8)])) == {"judge-2": [1, 2, 3, 4, 5, 6, 7]}
    assert sorted(len(document["prompts"]) for *_, document in server.asked) == [2, 2, 3]
    assert [len(part) for part in divide(2, 4)] == [1, 1]


def test_a_service_that_fails_leaves_rows_unscored_and_then_ends_the_run(server: Served) -> None:
    said: list[str] = []
    server.answers = [(500, {}, "broken")]
    with build_one(server, said) as rewards:
        assert rewards.score(Batch(["q"], ["a"])) == {"judge-2": [None]}
        with pytest.raises(TrainerError, match=r"reward judge-2 failed on 2 of 2 completions.*broken") as caught:
            rewards.score(Batch(["q"], ["a"]))
    assert caught.value.exit_code == ExitCode.REWARD_FAILED
    assert len(said) == 1


@pytest.mark.parametrize(("variables", "words"), [({}, "is not set"), ({"REWARD_HEADERS_R": "secret"}, "line 1 is no")])
def test_headers_that_are_missing_or_none_are_refused_without_showing_them(
    variables: dict[str, str], words: str
) -> None:
    http = {"url": "http://a", "headersSecretRef": {"name": "a", "key": "b"}}
    with pytest.raises(TrainerError, match=words) as caught:
        build([Reward.model_validate({"name": "r", "http": http})], ChatTemplate(), Surroundings(variables=variables))
    assert "secret" not in caught.value.message.replace("headersSecretRef", "")


def test_headers() -> None:
    assert headers_of("a: b\nC:d:e\n") == {"a": "b", "C": "d:e"}
