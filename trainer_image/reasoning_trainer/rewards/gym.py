"""Reward for the right answer by reasoning-gym's own scorers, which run in a box: several evaluate what they judge."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import ChatTemplate

from ..data.sources import GYM
from ..errors import TrainerError
from .batch import Batch
from .box import Box, BoxAnswer, Function
from .box_errors import of_box
from .completion import final_answer
from .failures import Failures

MODULE = "gym_scores"
AT_ONCE = 64
"""Answers that go into the box together."""
LOAD_SECONDS, SECONDS = 60.0, 10.0
"""Time for importing the library, and for some answers or, where those took longer, for one."""


class GymScorer:
    """Gives 1 for an answer to which the task that made the row gives full marks, else 0.

    Parameters
    ----------
    name
        Name of the reward.
    template
        The job's tags.
    box
        Where the scorers run; it is its maker's to close.
    failures
        Watches over what cannot be scored.
    """

    def __init__(self, name: str, template: ChatTemplate, box: Box, failures: Failures) -> None:
        self.name = name
        self._tags = template.reasoning_tags, template.answer_tags
        self._box, self._failures = box, failures

    def start(self) -> None:
        """Import the library.

        Raises
        ------
        TrainerError
            If it is not in the image, or there is no box that is shut.
        """
        problems = self._ask([], [], LOAD_SECONDS).problems
        if problems:
            raise TrainerError(
                ExitCode.REWARD_FAILED,
                "RewardNotLoaded",
                f"reward {self.name} cannot load reasoning-gym: {problems[0].message}",
                "use an image in which reasoning-gym is installed, such as the operator's own",
            )

    def score(self, batch: Batch, deadline: float) -> list[float | None]:
        """Return 1 or 0; None for rows that no task made, and for what takes too long.

        Raises
        ------
        TrainerError
            If more fails than `guards.unscored` lets pass, or there is no box any more.
        """
        tasks = batch.columns.get(GYM, [None] * len(batch))
        answers = [final_answer(text, *self._tags) for text in batch.completion_texts]
        scores: list[float | None] = [None if task is None else 0.0 for task in tasks]
        asked = [row for row, answer in enumerate(answers) if answer and tasks[row] is not None]
        problems: list[str] = []
        for start in range(0, len(asked), AT_ONCE):
            rows = asked[start : start + AT_ONCE]
            found = self._score([answers[row] or "" for row in rows], [tasks[row] for row in rows], deadline, problems)
            for row, score in zip(rows, found, strict=True):
                scores[row] = None if score is None else float(score == 1.0)
        self._failures.take(scores, problems)
        return scores

    def close(self) -> None:
        """Leave the box to its maker."""

    def _score(
        self, answers: Sequence[str], tasks: Sequence[Any], deadline: float, problems: list[str]
    ) -> list[float | None]:
        """Score answers together, and one by one where that fails: one of them may keep its scorer busy for ever."""
        seconds = min(SECONDS, deadline - time.monotonic())
        if seconds <= 0:
            return [None] * len(answers)
        found = self._ask(answers, tasks, seconds)
        if not found.problems:
            return found.values
        self._ask([], [], LOAD_SECONDS)  # the box was started anew
        if len(answers) == 1:
            problems.append(found.problems[0].message)
            return [None]
        each = (self._score([answer], [task], deadline, problems) for answer, task in zip(answers, tasks, strict=True))
        return [score for one in each for score in one]

    def _ask(self, answers: Sequence[str], tasks: Sequence[Any], seconds: float) -> BoxAnswer:
        with of_box(self.name):
            function = Function("score", module=MODULE, origin="reasoning-gym")
            return self._box.call(function, {"answers": list(answers), "tasks": list(tasks)}, seconds, tries=1)
