"""What the outside sees: metrics, exporter, display, outcome, model card."""

from __future__ import annotations

import errno
import io
import json
import math
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from rich.console import Console

from reasoning_contract.outcome import ExitCode
from reasoning_contract.progress import Progress
from reasoning_contract.status import ProgressStatus, TrainingStatus
from reasoning_trainer.display import Display
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.exporter import Exporter
from reasoning_trainer.metrics import presentable, training_status
from reasoning_trainer.runner import INTERNAL_ERROR, outcome_of

PROGRESS = Progress(
    attempt=2,
    started_at="2026-01-01T00:00:00Z",
    stage="reinforce",
    progress=ProgressStatus(
        display="63% (150/250)", percent=63, step=150, total_steps=250, eta="4m10s", updated_at="2026-01-01T00:00:00Z"
    ),
    training=TrainingStatus(reward=1.5, rewards={"correct": 0.25}, completion_length=33.0),
)


def test_grpo_metrics_are_translated() -> None:
    logs = {
        "loss": 0.1,
        "reward": 1.25,
        "reward_std": 0.5,
        "frac_reward_zero_std": 0.25,
        "rewards/correct/mean": 0.5,
        "rewards/correct/std": 0.1,
        "completions/mean_length": 20.0,
        "completions/clipped_ratio": 0.1,
        "kl": None,
    }
    status = training_status(logs, tokens_per_second=99.0, unscored={"correct": 2})
    assert status == TrainingStatus(
        loss=0.1,
        reward=1.25,
        reward_std=0.5,
        zero_variance_share=0.25,
        rewards={"correct": 0.5},
        completion_length=20.0,
        clipped_share=0.1,
        tokens_per_second=99.0,
        unscored={"correct": 2},
    )


def test_preference_metrics_are_translated() -> None:
    status = training_status({"loss": 0.7, "rewards/margins": 0.2, "rewards/chosen": 0.1})
    assert status.rewards == {"chosen": 0.1, "margins": 0.2}


def test_guards_see_what_is_no_number_and_reports_do_not() -> None:
    status = training_status({"loss": math.nan, "reward": math.inf, "rewards/correct/mean": math.nan, "kl": 1 / 3})
    assert math.isnan(status.loss or 0)
    clean = presentable(status)
    assert (clean.loss, clean.reward, clean.rewards, clean.kl) == (None, None, None, 0.333333)


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    exporter = Exporter(0, lambda: PROGRESS)
    yield exporter
    exporter.close()


def fetch(exporter: Exporter, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{exporter.port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def test_progress_is_served(exporter: Exporter) -> None:
    assert Progress.model_validate_json(fetch(exporter, "/progress")) == PROGRESS
    assert json.loads(fetch(exporter, "/progress"))["progress"]["totalSteps"] == 250


def test_metrics_are_served(exporter: Exporter) -> None:
    lines = fetch(exporter, "/metrics").splitlines()
    assert "reasoning_trainer_progress_ratio 0.63" in lines
    assert "reasoning_trainer_reward 1.5" in lines
    assert 'reasoning_trainer_rewards{reward="correct"} 0.25' in lines
    assert 'reasoning_trainer_stage{stage="reinforce"} 1.0' in lines


def test_health_is_served_and_nothing_else(exporter: Exporter) -> None:
    assert fetch(exporter, "/healthz") == "ok\n"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetch(exporter, "/etc/passwd")


def test_plain_lines_without_a_terminal() -> None:
    output = io.StringIO()
    with Display(Console(file=output, highlight=False, soft_wrap=True)) as display:
        for _ in range(5):
            display.show(PROGRESS)
    assert output.getvalue() == "reinforce  63% (150/250)  4m10s left  reward 1.5 correct 0.25 length 33\n"


def test_live_bar_on_a_terminal() -> None:
    output = io.StringIO()
    with Display(Console(file=output, force_terminal=True, width=200)) as display:
        display.show(PROGRESS)
    assert "63% (150/250)" in output.getvalue()


def test_a_known_failure_keeps_its_reason() -> None:
    outcome = outcome_of(TrainerError(ExitCode.DATA_INVALID, "DatasetEmpty", "no rows", "give rows"))
    assert (outcome.exit_code, outcome.reason, outcome.hint) == (65, "DatasetEmpty", "give rows")


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), RuntimeError("I/O error: No space left on device (os error 28)")]
)
def test_a_full_disk_is_named(error: Exception) -> None:
    wrapped = RuntimeError("cannot save")
    wrapped.__cause__ = error
    assert outcome_of(wrapped).exit_code == ExitCode.STORAGE_FULL


def test_what_nobody_foresaw_leaves_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = outcome_of(ZeroDivisionError("division by zero"))
    assert (outcome.exit_code, outcome.reason) == (INTERNAL_ERROR, "InternalError")
    assert "ZeroDivisionError: division by zero" in capsys.readouterr().err
