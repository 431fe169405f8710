"""The example server of HTTP rewards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serving import serving

from reasoning_contract.spec import ChatTemplate, Reward, Unscored
from reasoning_trainer.rewards import Batch, Surroundings, build

SERVER = Path(__file__).parents[3] / "examples/rewards/server.py"
BATCH = Batch(
    ["q"] * 3,
    [[{"role": "assistant", "content": f"<answer>{answer}</answer>"}] for answer in ("even", "odd", "odd")],
    None,
    {"answer": ["even", "even", None]},
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(SERVER, {"REWARD_TOKEN": "secret"}) as address:
        yield address


def score(address: str, header: str, said: list[str], completions: Batch = BATCH) -> list[float | None]:
    http = {"url": f"http://{address}/score", "headersSecretRef": {"name": "a", "key": "b"}}
    reward = Reward.model_validate({"name": "right", "http": http})
    around = Surroundings(
        complain=said.append, guard=Unscored(action="off"), variables={"REWARD_HEADERS_RIGHT": header}
    )
    with build([reward], ChatTemplate(), around) as rewards:
        return rewards.score(completions)["right"]


def test_scores_a_batch(address: str) -> None:
    said: list[str] = []
    assert score(address, "Authorization: Bearer secret", said) == [1.0, 0.0, None]
    assert said == []


def test_refuses_another_token_and_says_so_without_it(address: str) -> None:
    said: list[str] = []
    assert score(address, "Authorization: Bearer guessed", said) == [None] * 3
    assert "HTTP 401" in said[0]
    assert "guessed" not in said[0]


def test_a_batch_without_the_column_is_a_fault_of_the_request(address: str) -> None:
    said: list[str] = []
    assert score(address, "Authorization: Bearer secret", said, Batch(["q"], ["a"])) == [None]
    assert "HTTP 400" in said[0]
