"""The trainer as the pod starts it: a process with a port and a termination log."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.polling import eventually

import reasoning_trainer
from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_contract.progress import Progress

DEADLINE = 120.0
ROOT = Path(reasoning_trainer.__file__).parents[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def first_progress(port: int) -> Progress:
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/progress", timeout=10) as answer:
                return Progress.model_validate_json(answer.read())
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < deadline, "nobody listens"
            time.sleep(0.02)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "reasoning_trainer", "run", *map(str, arguments)]


def test_answers_while_it_loads_and_ends_when_told_to(manifest: Callable[..., Path], tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "termination-log"
    arguments = command(manifest(), "--output", tmp_path / "run", "--port", port, "--termination-log", log)
    with subprocess.Popen(arguments, env=os.environ | {"PYTHONPATH": str(ROOT)}) as process:
        progress = first_progress(port)
        process.send_signal(signal.SIGTERM)
        code = process.wait(DEADLINE)
    assert (progress.stage, progress.attempt) == ("load", 1)
    assert code == ExitCode.INTERRUPTED
    outcome = Outcome.from_termination_message(log.read_text())
    assert outcome is not None
    assert (outcome.exit_code, outcome.reason) == (ExitCode.INTERRUPTED, "Interrupted")
    assert outcome.progress is not None


def test_a_hub_that_cannot_be_reached_is_told_while_it_is_tried(manifest: Callable[..., Path], tmp_path: Path) -> None:
    """For minutes, where names are not even resolved; each attempt."""
    nobody, port = free_port(), free_port()
    job = manifest(data={"train": {"source": "hf://owner/name"}}, evaluation={"enabled": False})
    settings = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    settings |= {"PYTHONPATH": str(ROOT), "HF_ENDPOINT": f"http://127.0.0.1:{nobody}", "HF_HOME": str(tmp_path / "hub")}

    def retried() -> str | None:
        detail = first_progress(port).progress.detail or ""
        return detail if "[Retry " in detail else None

    with subprocess.Popen(command(job, "--output", tmp_path / "run", "--port", port), env=settings) as process:
        try:
            detail = eventually(retried, "a request that is repeated", DEADLINE)
        finally:
            process.kill()
    assert "the Hub did not answer: '[Errno 111] Connection refused' thrown while requesting" in detail
    assert "owner/name" in detail


def test_the_last_word_on_a_bad_manifest_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("kind: ReasoningTrainingJob\nspec: {model: {source: somewhere}}\n")
    arguments = command(tmp_path / "job.yaml", "--output", tmp_path / "run", "--termination-log", tmp_path / "log")
    ended = subprocess.run(
        arguments, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=DEADLINE
    )
    assert ended.returncode == ExitCode.SPEC_INVALID
    assert "spec.model.source: must be hf://owner/name" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr
    outcome = Outcome.from_termination_message((tmp_path / "log").read_text())
    assert outcome is not None
    assert outcome.reason == "SpecInvalid"
