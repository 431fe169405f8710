"""The command try-rewards with what scores outside it: a reward model, a judge and programs, of examples/rewards."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console
from tests.reward_examples import FOLDER, make_claims, servers

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_trainer.commands.try_rewards import Options, try_rewards
from reasoning_trainer.reporting.display import Display


@pytest.fixture(scope="module")
def claims(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_claims(tmp_path_factory)


def tried(name: str, folder: Path, claims: Path, **reward: Any) -> tuple[Outcome, str]:
    document = yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8"))
    with servers() as addresses:
        for each in document["spec"]["rewards"]:
            each |= reward
            for kind in addresses.keys() & each.keys():
                each[kind]["url"] = re.sub(r"//[^/]+", f"//{addresses[kind]}", each[kind]["url"])
        job = folder / "job.json"
        job.write_text(json.dumps(document), "utf-8")
        output = io.StringIO()
        with Display(Console(file=output, width=250)) as display:
            outcome = try_rewards(Options(job, claims=claims), display)
    return outcome, output.getvalue()


def means(output: str, name: str) -> dict[str, float]:
    """Return the means of a reward by kind of completion."""
    lines = [[cell.strip() for cell in re.split("[│┃]", line)] for line in output.splitlines()]
    column = next(line for line in lines if "mean" in line).index(name)
    return {
        line[1].rpartition(" (")[0]: float(line[column]) for line in lines if len(line) > 1 and line[1].endswith(")")
    }


def test_reward_model_prefers_the_right_answer_where_there_is_reasoning(tmp_path: Path, claims: Path) -> None:
    outcome, output = tried("model", tmp_path, claims)
    assert outcome.exit_code == ExitCode.DONE, output
    found = means(output, "preferred")
    assert found["chosen"] > 0.8 > 0.2 > found["rejected"]
    assert "64 of 64 rows have no reasoning" in output
    assert "preferred may read it, and so prefer either; judge what it is worth by the pairs" in output


def test_judge_is_asked_about_each(tmp_path: Path, claims: Path) -> None:
    outcome, output = tried("judge", tmp_path, claims)
    assert outcome.exit_code == ExitCode.DONE, output
    found = means(output, "judged")
    assert (found["worked answer"], found["chosen"]) == (1.0, 1.0)
    assert max(found["wrong answer"], found["rejected"], found["empty text"]) < 0.5


def test_programs_are_run(tmp_path: Path, claims: Path) -> None:
    outcome, output = tried("code", tmp_path, claims)
    assert outcome.exit_code == ExitCode.DONE, output
    found = means(output, "tests")
    assert (found["worked answer"], found["wrong answer"], found["empty text"]) == (1.0, 0.0, 0.0)
    assert "no reasoning" not in output


def test_perplexity_is_left_out_and_told(tmp_path: Path, claims: Path) -> None:
    outcome, output = tried("code", tmp_path, claims, builtin="perplexity", params={})
    assert outcome.exit_code == ExitCode.DONE, output
    assert "tests: the job's own model gives it, which is not read here: it is not tried" in output
