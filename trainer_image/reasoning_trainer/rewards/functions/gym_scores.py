"""Scores answers by the tasks of reasoning-gym that made the questions. Several of its scorers evaluate the answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import reasoning_gym


def score(answers: Sequence[str], tasks: Sequence[Mapping[str, Any]]) -> list[float]:
    """Return each answer's score by its task, from 0 to 1; 0 for one that the task cannot read.

    Parameters
    ----------
    answers
        The answers.
    tasks
        What makes each question again: task, size, seed, config and index.
    """
    return [_score(answer, task) for answer, task in zip(answers, tasks, strict=True)]


def _score(answer: str, task: Mapping[str, Any]) -> float:
    made_by = json.dumps({name: value for name, value in task.items() if name != "index"}, sort_keys=True)
    entry = _entry(made_by, task["index"])
    try:
        return float(_data_set(made_by).score_answer(answer, entry))
    except Exception:  # scorers raise whatever comes of what they were not made for
        return 0.0


@lru_cache(maxsize=16)
def _data_set(made_by: str) -> Any:
    task = json.loads(made_by)
    return reasoning_gym.create_dataset(task["task"], size=task["size"], seed=task["seed"], **task["config"])


@lru_cache(maxsize=4096)
def _entry(made_by: str, index: int) -> Any:
    return _data_set(made_by)[index]
