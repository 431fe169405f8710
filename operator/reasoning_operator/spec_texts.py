"""What the trainer could not read of a spec's own texts, patterns and rows, told before there is a pod. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache

from reasoning_contract.rules import Fault
from reasoning_contract.spec import PythonReward, ReasoningGym, Reward, Spec

_GIVEN = ("prompts", "completions", "completion_ids", "trainer_state")
"""Arguments that every function gets."""
_UNREAD = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What Python's parser raises; the last two of code that is nested too deeply."""


def text_faults(spec: Spec) -> list[Fault]:
    """Return what is wrong with the texts of a spec that no rule of the API server can read.

    Parameters
    ----------
    spec
        The spec.
    """
    return [*_of_patterns(spec), *_of_rewards(spec), *_of_held_out(spec)]


def _of_patterns(spec: Spec) -> Iterator[Fault]:
    data = spec.data
    for name, rows in (("train", data.train), ("warmup", data.warmup), ("heldOut", data.held_out)):
        if rows and rows.answer_pattern is not None and (wrong := _unreadable(rows.answer_pattern)):
            yield Fault(f"spec.data.{name}.answerPattern", wrong)


def _unreadable(pattern: str, groups: range = range(1, 100)) -> str:
    """Return why a regular expression cannot be used; empty if it can."""
    try:
        found = re.compile(pattern).groups
    except (re.error, OverflowError, RecursionError) as error:
        return f"{pattern!r} is no regular expression of Python's: {error}"
    if found in groups:
        return ""
    return f"{pattern!r} has {found} groups: put what is looked for into one ( ), and other groups into (?: )"


def _of_rewards(spec: Spec) -> Iterator[Fault]:
    for index, reward in enumerate(spec.rewards):
        at = f"spec.rewards[{index}]"
        if reward.judge and (wrong := _unreadable(reward.judge.pattern, range(1, 2))):
            yield Fault(f"{at}.judge.pattern", wrong)
        if reward.python:
            yield from _of_function(reward, reward.python, at)


def _of_function(reward: Reward, python: PythonReward, at: str) -> Iterator[Fault]:
    for name in python.params:
        if name in _GIVEN:
            yield Fault(f"{at}.python.params.{name}", "every function is given it already: choose another name")
        elif not name.isidentifier():
            yield Fault(f"{at}.python.params.{name}", "cannot be the name of an argument")
    if python.source is not None and (wrong := _unloadable(python.source, python.function)):
        yield Fault(f"{at}.python.source", wrong)


@lru_cache(maxsize=256)
def _unloadable(source: str, function: str) -> str:
    """Return why code cannot have a function; empty if it may. It is read, not run."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except _UNREAD as error:
        return f"it cannot be read: {type(error).__name__}: {error}"
    if function in _named(nodes) or any(isinstance(node, ast.alias) and node.name == "*" for node in nodes):
        return ""
    return f"it defines no {function}: name the function in python.function"


def _named(nodes: list[ast.AST]) -> set[str]:
    """Return every name that code may give something."""
    names = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    names |= {node.id for node in nodes if isinstance(node, ast.Name)}
    return names | {node.asname or node.name for node in nodes if isinstance(node, ast.alias)}


def _of_held_out(spec: Spec) -> Iterator[Fault]:
    held_out = spec.data.held_out
    if held_out is None:
        return
    if _meet(spec.data.train.reasoning_gym, held_out.reasoning_gym):
        advice = "row n of a task is made from seed + n, and train has the same: choose a seed beyond those of train"
        yield Fault("spec.data.heldOut.reasoningGym.seed", advice)
    asked = {row.prompt.strip() for row in held_out.rows or ()}
    for name, rows in (("train", spec.data.train), ("warmup", spec.data.warmup)):
        again = [index for index, row in enumerate((rows and rows.rows) or ()) if row.prompt.strip() in asked]
        if again:
            yield Fault(f"spec.data.{name}.rows[{again[0]}]", "its question is held out: remove it there or here")


def _meet(train: ReasoningGym | None, held_out: ReasoningGym | None) -> bool:
    """Whether two sets of a task have rows of one seed."""
    if train is None or held_out is None or (train.task, train.config) != (held_out.task, held_out.config):
        return False
    return train.seed < held_out.seed + held_out.size and held_out.seed < train.seed + train.size
