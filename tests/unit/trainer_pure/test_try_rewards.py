"""The command try-rewards."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_trainer.commands.try_rewards import Options, spread, try_rewards
from reasoning_trainer.reporting.display import Display

ROWS = [{"prompt": f"{n} + {n}?", "answer": str(2 * n)} for n in range(1, 40)]
RIGHT = {
    "name": "right",
    "python": {
        "source": "def score(completions, answer, **_):\n"
        "    return [float(f'<answer>{a}</answer>' in c[0]['content']) for c, a in zip(completions, answer)]\n"
    },
}


def attempt(
    folder: Path, rewards: list[dict[str, Any]], completions: str = "", name: str = "c.jsonl", width: int = 200
) -> tuple[Outcome, str]:
    spec = {
        "model": {"source": "file:///none"},
        "data": {"train": {"rows": ROWS}, "heldOut": {"fraction": 0.1}},
        "rewards": rewards,
        "parallelism": {"gpusPerNode": 0},
    }
    job = folder / "job.json"
    job.write_text(json.dumps({"kind": "ReasoningTrainingJob", "metadata": {"name": "t"}, "spec": spec}))
    if completions:
        (folder / name).write_text(completions)
    output = io.StringIO()
    with Display(Console(file=output, width=width)) as display:
        outcome = try_rewards(Options(job, folder / name if completions else None), display)
    return outcome, output.getvalue()


def table(output: str) -> list[list[str]]:
    lines = [line for line in output.splitlines() if line.startswith(("│", "┃"))]
    return [[cell.strip() for cell in re.split("[│┃]", line)[1:-1]] for line in lines]


def cells(output: str, name: str) -> list[str]:
    """Return the column of a reward, its name first."""
    head = next(row for row in table(output) if name in row)
    return [row[head.index(name)] for row in table(output) if len(row) == len(head)]


def scores(output: str) -> dict[str, str]:
    """Return what the first reward gives, by the line's head."""
    return {row[0]: row[1] for row in table(output)}


def test_known_completions_are_scored_by_every_reward(tmp_path: Path) -> None:
    outcome, output = attempt(tmp_path, [RIGHT, {"name": "form", "builtin": "format"}])
    assert outcome.exit_code == ExitCode.DONE, output
    assert cells(output, "right")[1:6] == ["1", "0", "0", "0.4714", "0"]
    assert cells(output, "form")[1:4] == ["1", "1", "0"]


def test_no_figure_is_cut_in_a_narrow_terminal(tmp_path: Path) -> None:
    outcome, output = attempt(tmp_path, [RIGHT, {"name": "form", "builtin": "format"}], width=80)
    assert outcome.exit_code == ExitCode.DONE, output
    assert "…" not in output
    assert cells(output, "right")[4] == "0.4714"


def test_pasted_completions_take_what_they_lack_from_the_rows(tmp_path: Path) -> None:
    pasted = [
        {"prompt": "2 + 2?", "completion": "<answer>4</answer>"},
        {"prompt": "2 + 2?", "completion": "<answer>5</answer>"},
        {"completion": "<answer>2</answer>"},
        {"prompt": "new", "answer": "x", "completion": "<answer>x</answer>"},
    ]
    outcome, output = attempt(tmp_path, [RIGHT], "\n".join(map(json.dumps, pasted)))
    assert outcome.exit_code == ExitCode.DONE, output
    assert cells(output, "right")[1:4] == ["0.75", "0.5", "0"]  # one group has a spread: 1 and 0
    assert [scores(output)[f"'<answer>{answer}</answer>'"] for answer in (4, 5, 2, "x")] == ["1", "0", "1", "1"]


def test_one_completion_as_text(tmp_path: Path) -> None:
    outcome, output = attempt(tmp_path, [RIGHT], "so\n<answer>2</answer>", "c.txt")
    assert outcome.exit_code == ExitCode.DONE, output
    assert cells(output, "right")[1] == "1"


def test_problems_are_shown_with_their_line_and_the_others_are_tried(tmp_path: Path) -> None:
    broken = {
        "name": "broken",
        "python": {"source": "def score(completions, **_):\n    return [c[1] for c in completions]"},
    }
    unloadable = {"name": "unloadable", "python": {"source": "import"}}
    outcome, output = attempt(tmp_path, [broken, unloadable, RIGHT])
    assert (outcome.exit_code, outcome.reason) == (ExitCode.REWARD_FAILED, "RewardFailing")
    assert outcome.message.startswith("broken, unloadable failed")
    assert "line 2 of rewards.broken.python.source" in output
    assert "line 1 of rewards.unloadable.python.source" in output
    assert cells(output, "broken")[1] == "-"
    assert cells(output, "right")[1] == "1"


@pytest.mark.parametrize(("text", "words"), [("{}", "in the column completion"), ('{"completion": 1}', "need a text")])
def test_file_without_completions_is_refused(tmp_path: Path, text: str, words: str) -> None:
    outcome, _ = attempt(tmp_path, [RIGHT], text)
    assert outcome.exit_code == ExitCode.DATA_INVALID
    assert words in outcome.message


def test_spread_is_within_groups() -> None:
    scores = {"a": [0.0, 1.0, None], "b": [2.0, 1.0, 5.0]}
    groups = [[("a", 0), ("b", 0)], [("a", 1), ("b", 1)], [("a", 2), ("b", 2)]]
    assert spread(scores, groups) == 0.5
    assert spread(scores, [[("a", 2), ("b", 2)]]) is None
