"""Which rewards there are, and what scores each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reasoning_contract.api import headers_variable, key_variable
from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import ChatTemplate, HttpReward, JudgeReward, ModelReward, Reward, RewardParams

from ..errors import TrainerError
from . import (
    correctness,
    cosine_length,
    fluency,
    format,
    language,
    length_penalty,
    linear_length,
    reasoning_steps,
    repetition,
    tag_count,
)
from .batch import Scorer
from .box import Box
from .code import CodeScorer
from .code.scorer import MEMORY, PER_ROW
from .completion import GroupScorer, SampleScorer
from .failures import Failures
from .gym import GymScorer
from .model import ModelScorer
from .perplexity import PerplexityScorer
from .python import PythonScorer, function_of
from .remote.http import Service, headers_of
from .remote.judge import JudgeScorer
from .remote.scorer import HttpScorer
from .samples import EachGroup, EachSample
from .surroundings import Surroundings

BATCH_SECONDS = 300.0
"""Longest time for a batch of a built-in reward; comparing an answer may take seconds."""

BUILTINS: dict[str, Callable[[RewardParams, ChatTemplate], SampleScorer]] = {
    "correctness": correctness.make,
    "cosineLength": cosine_length.make,
    "fluency": fluency.make,
    "format": format.make,
    "languageConsistency": language.make,
    "lengthPenalty": length_penalty.make,
    "reasoningSteps": reasoning_steps.make,
    "repetition": repetition.make,
    "tagCount": tag_count.make,
}
OF_GROUPS: dict[str, Callable[[RewardParams, ChatTemplate], GroupScorer]] = {"linearLength": linear_length.make}
"""Built-in rewards that compare the completions of a prompt."""


def make_scorer(reward: Reward, template: ChatTemplate, around: Surroundings, box: Box) -> Scorer:
    """Return the scorer of a reward.

    Parameters
    ----------
    reward
        The reward.
    template
        The job's tags.
    around
        What it needs beside its spec.
    box
        Where code of the user's runs.

    Raises
    ------
    TrainerError
        If what it needs is not there, or it is of a kind that this version cannot compute.
    """
    failures = Failures(reward.name, around.guard, around.complain)
    if reward.builtin == "code":
        return CodeScorer(reward.name, reward.params, template, lambda: around.make_box(MEMORY), failures)
    if reward.builtin == "perplexity":
        return PerplexityScorer(reward.name, around.base)
    if reward.params.parser == "reasoningGym":
        return GymScorer(reward.name, template, box, failures)
    if reward.builtin in OF_GROUPS:
        return EachGroup(reward.name, OF_GROUPS[reward.builtin](reward.params, template))
    if reward.builtin:
        return EachSample(reward.name, BUILTINS[reward.builtin](reward.params, template))
    if reward.python:
        function = function_of(reward, reward.python, around.locate)
        return PythonScorer(reward.name, function, box, failures, around.say)
    if reward.http:
        service = Service(reward.http.url, _headers(reward, reward.http, around.variables), reward.http.retries)
        return HttpScorer(reward.name, service, reward.http.concurrency, failures)
    if reward.judge:
        url = f"{reward.judge.url.rstrip('/')}/chat/completions"
        service = Service(url, _key(reward, reward.judge, around.variables), reward.judge.retries)
        return JudgeScorer(reward.name, reward.judge, service, failures)
    assert reward.model
    return _model_scorer(reward.name, reward.model, around, failures)


def seconds_of(reward: Reward) -> float:
    """Return the longest time for a batch of a reward."""
    timed = reward.python or reward.http or reward.judge
    # a row may take longer than a batch is given, where its tests are
    of_a_row = PER_ROW * (reward.params.seconds_per_test or 0.0)
    return timed.timeout_seconds if timed else max(BATCH_SECONDS, of_a_row)


def _headers(reward: Reward, http: HttpReward, variables: Mapping[str, str]) -> dict[str, str]:
    if http.headers_secret_ref is None:
        return {}
    name = headers_variable(reward.name)
    try:
        return headers_of(variables[name])
    except (KeyError, ValueError) as error:
        what = "is not set" if isinstance(error, KeyError) else str(error)
        raise TrainerError(
            ExitCode.SPEC_INVALID,
            "RewardHeadersInvalid",
            f"rewards.{reward.name}.http.headersSecretRef: {name}: {what}",
            f"give the Secret's key lines such as `Authorization: Bearer ...`; without a cluster, set {name}",
        ) from None


def _key(reward: Reward, judge: JudgeReward, variables: Mapping[str, str]) -> dict[str, str]:
    if judge.api_key_secret_ref is None:
        return {}
    name = key_variable(reward.name)
    key = variables.get(name, "").strip()
    if not key or len(key.split()) != 1:
        raise TrainerError(
            ExitCode.SPEC_INVALID,
            "RewardKeyInvalid",
            f"rewards.{reward.name}.judge.apiKeySecretRef: {name} {'is not one word' if key else 'is not set'}",
            f"put the endpoint's key alone into the Secret's key; without a cluster, set {name}",
        )
    return {"Authorization": f"Bearer {key}"}


def _model_scorer(name: str, model: ModelReward, around: Surroundings, failures: Failures) -> ModelScorer:
    device = "cuda" if around.gpu and model.device == "auto" else "cpu"
    return ModelScorer(name, model, lambda: around.fetch_model(name, model), device, failures)
