"""Rewards that users write in Python: their code runs in the box, and only numbers come out of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import PythonReward, Reward

from ..data.sources import Locate
from ..errors import TrainerError
from .batch import Batch
from .box import Box, BoxAnswer, Function
from .box_errors import of_box
from .failures import Failures
from .json_values import arguments_of

PRINTED = 2000
"""Characters of what a function prints in a batch that the log shows."""
LOAD_SECONDS = 60.0
"""Longest time for loading a function: what it imports may lie on a cold disk."""
LEAST_SECONDS = 0.01
"""Time that the box is given at least."""
HINT = "mend the function, and try it with try-rewards"


def function_of(reward: Reward, python: PythonReward, locate: Locate) -> Function:
    """Return a reward's function with its code.

    Parameters
    ----------
    reward
        The reward.
    python
        Its Python.
    locate
        Finds the file of a ConfigMap's key.

    Raises
    ------
    TrainerError
        If the ConfigMap cannot be read.
    """
    source, origin = python.source, python.module or f"rewards.{reward.name}.python.source"
    if key := python.config_map_key_ref:
        origin = f"configmap://{key.name}/{key.key}"
        source = locate(origin).read_text("utf-8", errors="replace")
    return Function(name=python.function, source=source, module=python.module, params=python.params, origin=origin)


def code_elsewhere(rewards: Sequence[Reward], locate: Locate) -> dict[str, str]:
    """Return the code that rewards have outside the spec, in ConfigMaps, by the reward's name.

    Raises
    ------
    TrainerError
        If a ConfigMap cannot be read.
    """
    return {
        reward.name: function_of(reward, reward.python, locate).source or ""
        for reward in rewards
        if reward.python and reward.python.config_map_key_ref
    }


class PythonScorer:
    """Scores by a function in the box.

    Parameters
    ----------
    name
        Name of the reward.
    function
        The function.
    box
        Where it runs; it is its maker's to close.
    failures
        Watches over what cannot be scored.
    say
        Prints a line for people: what the function prints.
    """

    def __init__(self, name: str, function: Function, box: Box, failures: Failures, say: Callable[[str], None]) -> None:
        self.name = name
        self._function, self._box, self._failures, self._say = function, box, failures, say

    def start(self) -> None:
        """Load the function.

        Raises
        ------
        TrainerError
            If it cannot be loaded, naming function and line, or if there is no box that is shut.
        """
        answer = self._call({"prompts": [], "completions": []}, LOAD_SECONDS)
        self._print(answer.printed)
        if answer.problems:
            raise TrainerError(
                ExitCode.REWARD_FAILED,
                "RewardNotLoaded",
                f"reward {self.name} cannot be loaded: {answer.problems[0].message}",
                HINT,
            )

    def score(self, batch: Batch, deadline: float) -> list[float | None]:
        """Call the function; what it raises, or returns that is no number, leaves completions unscored.

        Raises
        ------
        TrainerError
            If more fails than `guards.unscored` lets pass, or there is no box any more.
        """
        arguments = {name: column for name, column in arguments_of(batch).items() if name not in self._function.params}
        answer = self._call(arguments, max(deadline - time.monotonic(), LEAST_SECONDS))
        self._print(answer.printed)
        self._failures.take(answer.values, [problem.message for problem in answer.problems])
        return answer.values

    def close(self) -> None:
        """Leave the box to its maker."""

    def _call(self, arguments: dict[str, list[object]], seconds: float) -> BoxAnswer:
        with of_box(self.name):
            return self._box.call(self._function, arguments, seconds)

    def _print(self, printed: str) -> None:
        if text := printed.strip("\n"):
            more = f"\n... and {len(text) - PRINTED} characters more" if len(text) > PRINTED else ""
            self._say(f"reward {self.name} prints:\n{text[:PRINTED]}{more}")
