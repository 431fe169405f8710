"""What the outside sees: metrics, exporter, display, outcome, model card."""

from __future__ import annotations

import errno
import io
import json
import math
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.progress import Progress
from reasoning_contract.report import (
    Artifact,
    EvaluationStatus,
    HeldOutStatus,
    ProgressStatus,
    RunStage,
    Score,
    TrainingStatus,
)
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.outcomes import outcome_of
from reasoning_trainer.reporting.display import Display
from reasoning_trainer.reporting.step_figures import presentable, training_status
from reasoning_trainer.supervisor.exporter import Exporter, is_own
from reasoning_trainer.worker import summary

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
        "groups/sampled_zero_std": 0.5,
        "completions/spent": 640.0,
        "groups/replaced": 3.0,
        "rows/retired": 7.0,
        "rewards/correct/mean": 0.5,
        "rewards/correct/std": 0.1,
        "completions/mean_length": 20.0,
        "completions/clipped_ratio": 0.1,
        "kl": None,
    }
    status = training_status(logs, tokens_per_second=99.0, gpu_memory_gib=13.1, unscored={"correct": 2})
    assert status == TrainingStatus(
        loss=0.1,
        reward=1.25,
        reward_std=0.5,
        zero_variance_share=0.25,
        sampled_zero_variance_share=0.5,
        completions=640,
        groups_replaced=3,
        rows_retired=7,
        rewards={"correct": 0.5},
        completion_length=20.0,
        clipped_share=0.1,
        tokens_per_second=99.0,
        gpu_memory_gi_b=13.1,
        unscored={"correct": 2},
    )


def test_preference_metrics_are_translated() -> None:
    status = training_status({"loss": 0.7, "rewards/margins": 0.2, "rewards/chosen": 0.1})
    assert status.rewards == {"chosen": 0.1, "margins": 0.2}


def test_guards_see_what_is_no_number_and_reports_do_not() -> None:
    status = training_status({"loss": math.nan, "reward": math.inf, "rewards/correct/mean": math.nan, "kl": 1 / 3})
    assert math.isnan(status.loss or 0)
    clean = presentable(status)
    assert (clean.loss, clean.reward, clean.rewards, clean.kl) == (None, None, None, 0.3333)


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
    assert "reasoning_job_progress_ratio 0.63" in lines
    assert "reasoning_job_reward 1.5" in lines
    assert 'reasoning_job_reward_part{reward="correct"} 0.25' in lines
    assert 'reasoning_job_stage{stage="reinforce"} 1.0' in lines


def test_report_is_served_once_it_is_there(tmp_path: Path) -> None:
    exporter = Exporter(0, lambda: PROGRESS, report=tmp_path / "report.html")
    try:
        with pytest.raises(urllib.error.HTTPError, match="404"):
            fetch(exporter, "/report")
        (tmp_path / "report.html").write_text("<p>ä</p>", "utf-8")
        assert fetch(exporter, "/report") == "<p>ä</p>"
    finally:
        exporter.close()


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.7", False),
        ("::ffff:10.0.0.7", False),
        ("fd00::7", False),
    ],
)
def test_report_is_for_this_machine_alone(address: str, own: bool) -> None:
    assert is_own(address) is own


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_ipv6_is_served_too(exporter: Exporter) -> None:
    """On a cluster of IPv6 the kubelet's probes come that way, and would kill a run that does not answer."""
    with urllib.request.urlopen(f"http://[::1]:{exporter.port}/healthz", timeout=10) as answer:
        assert answer.read() == b"ok\n"


def test_health_is_served_and_nothing_else(exporter: Exporter) -> None:
    assert fetch(exporter, "/healthz") == "ok\n"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetch(exporter, "/etc/passwd")


def test_plain_lines_without_a_terminal() -> None:
    output = io.StringIO()
    with Display(Console(file=output, highlight=False, soft_wrap=True)) as display:
        for _ in range(5):
            display.show(PROGRESS)
    assert output.getvalue().splitlines() == [
        "reinforce  63% (150/250)  4m10s left  reward 1.5 correct 0.25 length 33",
        "reinforce      0s  step 150 of 250  reward 1.5 correct 0.25 length 33",
    ]


def show(*reports: Progress, notice: str = "", width: int = 200) -> tuple[str, list[str]]:
    """Return the last frame that a terminal shows, and the lines that stay when it is over."""
    output, frame = io.StringIO(), io.StringIO()
    with Display(Console(file=output, force_terminal=True, width=200, no_color=True)) as display:
        for report in reports:
            display.show(report)
        display.notice(notice)
        Console(file=frame, width=width).print(display.view)
    lines = Text.from_ansi(output.getvalue()).plain.splitlines()
    return frame.getvalue(), [line for line in lines if line.startswith(("✓", "✗"))]


def at(stage: RunStage, percent: int, **changes: Any) -> Progress:
    figures = {"display": f"{percent}%", "percent": percent, "updated_at": "2026-01-01T00:00:00Z"}
    figures |= {name: changes.pop(name) for name in ("step", "total_steps", "detail", "eta") if name in changes}
    return PROGRESS.model_copy(update={"stage": stage, "progress": ProgressStatus(**figures)} | changes)


def test_a_terminal_shows_stage_run_rewards_and_signals() -> None:
    training = TrainingStatus(
        reward=1.5, rewards={"correct": 0.25}, kl=0.0123, completion_length=33, clipped_share=0.02
    )
    steps = [
        at(
            "reinforce",
            10 + step,
            step=step,
            total_steps=60,
            eta="2m10s",
            training=training.model_copy(update={"reward": step}),
        )
        for step in (1, 2, 3)
    ]
    frame, _ = show(*steps)
    for words in ("3 of 60", "13%", "2m10s left", "reward 3 ▁▅█", "correct 0.25", "kl 0.0123", "length 33", "cut 2%"):
        assert words in frame


def test_nothing_is_lost_on_a_narrow_terminal() -> None:
    frame, _ = show(PROGRESS, width=40)
    for word in ("150", "250", "63%", "4m10s", "left", "1.5", "0.25", "33"):
        assert word in frame.replace(",", " ").split()


def test_no_line_reaches_the_edge() -> None:
    """There a ^C that the terminal echoes would move the cursor to a line of its own, and leave a part of the frame."""
    frame, _ = show(PROGRESS, notice="stopping at the end of this step", width=100)
    assert all(len(line) < 100 for line in frame.splitlines())


def test_what_is_over_stays() -> None:
    score = Score(accuracy=0.5, ci95=[0.4, 0.6], format=1.0, mean_length=12.0)
    evaluation = EvaluationStatus(held_out=HeldOutStatus(size=8, base=score))
    artifact = Artifact(kind="lora", path="run/artifacts/lora", sha256="0", bytes=1)
    _, lines = show(
        at("load", 0, detail="starting"),
        at("evaluate", 5, step=0, total_steps=8, detail="base model, row 0 of 8"),
        at("evaluate", 9, step=8, total_steps=8, detail="base model, row 8 of 8", evaluation=evaluation),
        at("evaluate", 12, step=0, total_steps=8, detail="final model, row 0 of 8", evaluation=evaluation),
        at("export", 99, detail="writing lora"),
        at("export", 100, artifacts=[artifact]),
    )
    assert [line.split()[:2] for line in lines] == [
        ["✓", stage] for stage in ("load", "evaluate", "evaluate", "export")
    ]
    assert "base model  accuracy 0.500 (95% 0.400 - 0.600)" in lines[1]
    assert "lora run/artifacts/lora" in lines[3]


def test_what_is_preferred_is_shown_where_nothing_can_be_right() -> None:
    score = Score(format=1.0, mean_length=12.0, preferred=0.75, margin=0.5)
    evaluation = EvaluationStatus(held_out=HeldOutStatus(size=8, base=score), preferred_improvement=0.25)
    frame, lines = show(
        at("evaluate", 5, step=8, total_steps=8, detail="base model, row 8 of 8", evaluation=evaluation),
        at("reinforce", 9, step=1, total_steps=8, evaluation=evaluation),
    )
    assert "base model  format 1.000, length 12.0, preferred 0.750, margin 0.50" in lines[0]
    assert "preferred  base 0.750" in frame
    progress = at("evaluate", 9, evaluation=evaluation)
    assert summary(progress) == "held-out pairs preferred +0.250 against the base"
    exporter = Exporter(0, lambda: progress)
    lines = fetch(exporter, "/metrics").splitlines()
    exporter.close()
    assert 'reasoning_job_held_out_preferred{model="base"} 0.75' in lines
    assert not any("held_out_accuracy" in line for line in lines)


@pytest.mark.parametrize(
    ("reinforce", "says"),
    [
        (None, "held-out accuracy 0.900, +0.400 against the base"),
        (-0.05, "held-out accuracy 0.900, +0.400 against the base; RL lost 0.050 of what the warm-up had reached"),
        (0.0, "held-out accuracy 0.900, +0.400 against the base; RL neither gained nor lost"),
        (0.05, "held-out accuracy 0.900, +0.400 against the base; RL gained 0.050 over the warm-up"),
    ],
)
def test_last_line_says_what_rl_did_to_the_warmed_up_model(reinforce: float | None, says: str) -> None:
    score = Score(accuracy=0.9, format=1.0, mean_length=12.0)
    evaluation = EvaluationStatus(
        held_out=HeldOutStatus(size=8, base=score),
        final_accuracy=0.9,
        improvement=0.4,
        reinforce_improvement=reinforce,
    )
    assert summary(at("evaluate", 9, evaluation=evaluation)) == says


def test_a_stage_that_was_cut_off_is_marked_and_the_reader_told() -> None:
    frame, lines = show(PROGRESS, notice="stopping at the end of this step")
    assert "stopping at the end of this step" in frame
    assert lines[0].startswith("✗ reinforce")


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    output = io.StringIO()
    with Display(Console(file=output, force_terminal=True, soft_wrap=True)) as display:
        display.show(PROGRESS)
    assert "\x1b" not in output.getvalue()


def test_a_known_failure_keeps_its_reason() -> None:
    error = TrainerError(ExitCode.DATA_INVALID, "DatasetEmpty", "no rows", "give rows")
    outcome = outcome_of(error)
    assert (outcome.exit_code, outcome.reason, outcome.hint) == (65, "DatasetEmpty", "give rows")


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), RuntimeError("I/O error: No space left on device (os error 28)")]
)
def test_a_full_disk_is_named(error: Exception) -> None:
    wrapped = RuntimeError("cannot save")
    wrapped.__cause__ = error
    assert outcome_of(wrapped).exit_code == ExitCode.STORAGE_FULL


def test_an_error_after_a_failure_that_was_dealt_with_is_not_reported_as_that_failure() -> None:
    def fall_back() -> None:
        try:
            raise TrainerError(ExitCode.DATA_INVALID, "DatasetEmpty", "no rows") from OSError(errno.ENOSPC, "full")
        except TrainerError:
            raise KeyError("another matter")  # noqa: B904

    with pytest.raises(KeyError) as error:
        fall_back()
    assert outcome_of(error.value).reason == "InternalError"


def test_a_failure_that_a_library_wraps_keeps_its_reason() -> None:
    wrapped = RuntimeError("the data loader has ended")
    wrapped.__cause__ = TrainerError(ExitCode.DATA_INVALID, "DatasetEmpty", "no rows")
    assert outcome_of(wrapped).reason == "DatasetEmpty"


def test_what_nobody_foresaw_leaves_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = outcome_of(ZeroDivisionError("division by zero"))
    assert (outcome.exit_code, outcome.reason) == (ExitCode.INTERNAL_ERROR, "InternalError")
    assert "ZeroDivisionError: division by zero" in capsys.readouterr().err
