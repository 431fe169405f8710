"""The adapter's rank where a spec leaves it open."""

from __future__ import annotations

from typing import Any

import pytest
from tests.manifests import TABLE, merge

from reasoning_contract.ranks import chosen_rank, rank_of
from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec

WARMUP = {"data": {"warmup": {"source": "hf://a/b"}}}
PAIRS = {"data": {"train": {"columns": {"chosen": "c", "rejected": "r"}}}, "rewards": []}


def spec(*patches: dict[str, Any]) -> Spec:
    document = TABLE["good"]
    for patch in patches:
        document = merge(document, patch)
    return Spec.model_validate(document)


@pytest.mark.parametrize(
    ("patches", "rank", "says"),
    [
        ([], 16, "RL alone"),
        ([PAIRS, {"reinforce": {"algorithm": "DPO"}}], 16, "preference optimisation alone"),
        ([WARMUP], 32, "a warm-up before it"),
        ([WARMUP, {"warmup": {"skip": True}}], 16, "RL alone"),
        ([WARMUP, {"reinforce": {"algorithm": "none"}}], 64, "a warm-up alone"),
    ],
)
def test_what_the_job_learns_from_decides(patches: list[dict[str, Any]], rank: int, says: str) -> None:
    given = spec(*patches)
    chosen = chosen_rank(given)
    assert chosen is not None
    assert (chosen.value, rank_of(given)) == (rank, rank)
    assert chosen.reason.startswith(says)
    assert resolve(given).lora.rank == rank
    assert chosen_rank(resolve(given)) is None


def test_what_the_user_sets_stays() -> None:
    given = spec({"lora": {"rank": 4}})
    assert chosen_rank(given) is None
    assert (rank_of(given), resolve(given).lora.rank) == (4, 4)
