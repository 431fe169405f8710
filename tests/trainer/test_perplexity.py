"""Perplexity under the frozen base model, with the demo's model, which can add."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hack.tinymodel import sums
from tests.trainer.attempts import progress
from transformers import AutoModelForCausalLM, AutoTokenizer

from reasoning_contract.outcome import Outcome
from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec
from reasoning_trainer.algorithms.base_model import under_base
from reasoning_trainer.attempt import Policy
from reasoning_trainer.backends.transformers import TransformersBackend
from reasoning_trainer.rewards import Batch, RewardSet, Surroundings, build
from reasoning_trainer.rewards.perplexity import likeness

BASE = Path(__file__).parents[2] / "hack/tinymodel/base"
TERMS = [(47, 28), (31, 52, 10), (88, 19)]


def spec() -> Spec:
    return resolve(
        Spec.model_validate(
            {
                "model": {"source": f"file://{BASE}", "maxSequenceLength": 256},
                "reinforce": {"maxCompletionLength": 64},
                "data": {"train": {"rows": [{"prompt": "q"}]}},
                "evaluation": {"enabled": False},
                "rewards": [{"name": "likely", "builtin": "perplexity"}],
                "parallelism": {"gpusPerNode": 0},
            }
        )
    )


@pytest.fixture(scope="module")
def policy() -> Policy:
    backend = TransformersBackend()
    model, tokenizer = backend.load(spec(), BASE)
    return Policy(backend=backend, model=backend.adapt(model, spec(), []), tokenizer=tokenizer, folder=BASE)


def of(policy: Policy) -> RewardSet:
    return build(spec().rewards, spec().chat_template, Surroundings(base=under_base(policy)))


def batch(policy: Policy, texts: list[str]) -> Batch:
    prompts = [[{"role": "user", "content": sums.question(terms)}] for terms in TERMS]
    said = [[{"role": "assistant", "content": text}] for text in texts]
    return Batch(prompts, said, [policy.tokens(text) for text in texts])


def worked() -> list[str]:
    return [f"{sums.reasoning(terms)}\n{sums.answer(terms)}" for terms in TERMS]


def shuffled() -> list[str]:
    rng = random.Random(0)
    return [" ".join(rng.sample(text.split(), len(text.split()))) for text in worked()]


def scores(policy: Policy, texts: list[str]) -> list[float]:
    with of(policy) as rewards:
        found = rewards.functions[0].score(batch(policy, texts))
    assert all(score is not None for score in found)
    return [score for score in found if score is not None]


def test_fluent_text_is_worth_more_than_its_words_in_another_order(policy: Policy) -> None:
    fluent, rubbish = scores(policy, worked()), scores(policy, shuffled())
    assert all(0 <= score <= 1 for score in (*fluent, *rubbish))
    assert min(fluent) > 2 * max(rubbish), (fluent, rubbish)


def test_it_is_the_definition(policy: Policy) -> None:
    model, tokenizer = AutoModelForCausalLM.from_pretrained(BASE), AutoTokenizer.from_pretrained(BASE)
    given = batch(policy, worked())
    before = policy.tokens(policy.render(given.prompts[0]))  # type: ignore[arg-type]
    after = list((given.completion_ids or [])[0])
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(
            model(input_ids=torch.tensor([before + after])).logits[0, len(before) - 1 : -1], torch.tensor(after)
        )
    assert tokenizer.pad_token_id is not None
    assert scores(policy, worked())[0] == pytest.approx(math.exp(-loss.item()), rel=1e-4)


def test_adapter_does_not_change_it_and_is_left_as_it_was(policy: Policy) -> None:
    before = scores(policy, worked())
    weights = {name: each for name, each in policy.model.named_parameters() if "lora_B" in name}
    kept = {name: each.detach().clone() for name, each in weights.items()}
    trained = {name for name, each in policy.model.named_parameters() if each.requires_grad}
    try:
        with torch.no_grad():
            for each in weights.values():
                torch.nn.init.normal_(each)
        policy.model.train()
        state = torch.get_rng_state()
        assert scores(policy, worked()) == before
        assert torch.equal(torch.get_rng_state(), state)
        assert policy.model.training
        assert {name for name, each in policy.model.named_parameters() if each.requires_grad} == trained
        ids = [policy.tokens(text) for text in worked()]
        prompts = [policy.tokens(policy.render([{"role": "user", "content": sums.question(terms)}])) for terms in TERMS]
        own = policy.backend.token_likelihoods(policy.model, policy.tokenizer.pad_token_id, prompts, ids, 1.0)
        assert [likeness(each) for each in own] != pytest.approx(before)
    finally:
        with torch.no_grad():
            for name, each in weights.items():
                each.copy_(kept[name])


def test_what_is_said_by_no_tokens_is_worth_nothing_and_without_a_model_nothing_is_scored(policy: Policy) -> None:
    with of(policy) as rewards:
        given = Batch([[{"role": "user", "content": "7"}]] * 2, ["", "7"], [[], policy.tokens("7")])
        empty, seven = rewards.functions[0].score(given)
    assert empty == 0.0
    assert seven
    with build(spec().rewards, spec().chat_template) as rewards:
        assert rewards.functions[0].score(batch(policy, worked())) == [None] * 3


@pytest.mark.parametrize(
    ("probabilities", "score"), [([0.5, 0.125], 0.25), ([1.0], 1.0), ([], 0.0), ([0.25] * 7, 0.25)]
)
def test_formula(probabilities: list[float], score: float) -> None:
    assert likeness([math.log(each) for each in probabilities]) == pytest.approx(score)


@pytest.mark.parametrize("algorithm", ["GRPO", "PPO"])
def test_job_trains_with_it_beside_a_reference(
    manifest: Callable[..., Path], train: Callable[[Path], Outcome], tmp_path: Path, algorithm: str
) -> None:
    reinforce = {"algorithm": algorithm, "steps": 2, "batchSize": 8, "maxCompletionLength": 8, "learningRate": 1e-3}
    changes: dict[str, Any] = {
        "rewards": [{"name": "likely", "builtin": "perplexity"}, {"name": "format", "builtin": "format"}],
        "reinforce": reinforce | ({"numGenerations": 4, "beta": 0.1} if algorithm == "GRPO" else {}),
        "data": {"train": {"rows": [{"prompt": f"{n}+{n}", "answer": str(2 * n)} for n in range(8)]}},
        "warmup": None,
        "evaluation": {"enabled": False},
    }
    outcome = train(manifest(**changes))
    assert outcome.exit_code == 0, outcome
    training = progress(tmp_path / "run").training
    assert training is not None
    assert training.rewards is not None
    # a model of random weights finds its 283 tokens about equally likely
    assert 0.001 < training.rewards["likely"] < 0.1
