"""Rewards that a generative model gives: it is asked about each completion, and its score is read from its words."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import JudgeReward

from ...errors import TrainerError
from ..batch import Batch
from ..completion import text_of
from ..failures import Failures
from .http import EXCERPT, Service, ServiceError

PLACE = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}")
BRACES = {"{{": "{", "}}": "}"}
LONGEST_ANSWER = 65_536
"""Characters of a judge's words that are searched, from the end."""


class JudgeScorer:
    """Asks a judge about each completion of a batch, several at once.

    Parameters
    ----------
    name
        Name of the reward.
    settings
        Its settings.
    service
        The endpoint.
    failures
        Watches over what cannot be scored.
    """

    def __init__(self, name: str, settings: JudgeReward, service: Service, failures: Failures) -> None:
        self.name = name
        self._settings, self._service, self._failures = settings, service, failures
        self._pattern = compiled(name, settings.pattern)
        self._senders = ThreadPoolExecutor(settings.concurrency, thread_name_prefix=name)

    def start(self) -> None:
        """Do nothing: the first batch shows whether the judge is there."""

    def score(self, batch: Batch, deadline: float) -> list[float | None]:
        """Return the judge's scores, from 0 to 1; None where it gives none that can be read, or not in time.

        Raises
        ------
        TrainerError
            If more fails than `guards.unscored` lets pass.
        """
        problems: list[str] = []

        def ask(row: int) -> float | None:
            try:
                return self._service.ask(self._document(batch, row), self._read, deadline)
            except ServiceError as error:
                problems.append(str(error))
                return None

        scores = list(self._senders.map(ask, range(len(batch))))
        self._failures.take(scores, problems)
        return scores

    def close(self) -> None:
        """End the threads that ask."""
        self._senders.shutdown(cancel_futures=True)

    def _document(self, batch: Batch, row: int) -> dict[str, Any]:
        """Return the request: greedy, so that one completion has one score, as far as the endpoint keeps to it."""
        settings = self._settings
        columns = {name: column[row] for name, column in batch.columns.items()}
        if batch.accepted and len(batch.accepted[row]) > 1:
            columns["answer"] = " or ".join(batch.accepted[row])
        texts = {"prompt": text_of(batch.prompts[row]), "completion": text_of(batch.completions[row])}
        question = {"role": "user", "content": filled(settings.prompt, columns | texts)}
        system = [{"role": "system", "content": settings.system_prompt}] if settings.system_prompt else []
        return {
            "model": settings.model,
            "messages": [*system, question],
            "temperature": 0,
            "seed": 0,
            "n": 1,
            "max_tokens": settings.max_tokens,
        }

    def _read(self, answer: bytes) -> float:
        words = said(answer)
        score = score_in(words, self._pattern)
        lowest, highest = self._settings.lowest, self._settings.highest
        if score is None:
            raise ServiceError(f"its words have no score: {words[-EXCERPT:]!r}")
        if not lowest <= score <= highest:
            raise ServiceError(f"its score {score:g} is not from {lowest:g} to {highest:g}")
        return (score - lowest) / (highest - lowest)


def compiled(name: str, pattern: str) -> re.Pattern[str]:
    """Return a judge's pattern.

    Raises
    ------
    TrainerError
        If it does not compile, or has not one group.
    """
    try:
        found = re.compile(pattern)
    except re.error as error:
        problem = f"does not compile: {error}"
    else:
        if found.groups == 1:
            return found
        problem = f"has {found.groups} groups, not the one around the score"
    hint = r"write it like score:\s*(\d+); a group that only holds together is (?:...)"
    where = f"rewards.{name}.judge.pattern {pattern!r}"
    raise TrainerError(ExitCode.SPEC_INVALID, "JudgePatternInvalid", f"{where} {problem}", hint)


def filled(template: str, values: Mapping[str, Any]) -> str:
    """Return a template with values in their places, put in once: braces in a value stay what they are.

    Raises
    ------
    ServiceError
        If it has a place for what is not there.
    """

    def put(place: re.Match[str]) -> str:
        name = place[1]
        if name is None:
            return BRACES[place[0]]
        if values.get(name) is None:
            raise ServiceError(f"the row has no {name}, for which the judge's prompt has a place")
        return str(values[name])

    return PLACE.sub(put, template)


def said(answer: bytes) -> str:
    """Return the words in an answer of the endpoint.

    Raises
    ------
    ServiceError
        If it is no such answer.
    """
    try:
        words = json.loads(answer)["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise ServiceError(f"the answer is no chat completion: {answer[:EXCERPT]!r}") from error
    if not isinstance(words, str):
        raise ServiceError("the judge said nothing; one that thinks first may need more maxTokens")
    return words


def score_in(words: str, pattern: re.Pattern[str]) -> float | None:
    """Return the last score in a judge's words; None if there is none."""
    found = [match[1] for match in pattern.finditer(words[-LONGEST_ANSWER:])]
    try:
        score = float(found[-1])
    except (IndexError, ValueError, TypeError):
        return None
    return score if math.isfinite(score) else None
