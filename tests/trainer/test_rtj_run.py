"""`rtj run --local`: a whole training on this machine, in the words and with the exit codes of the pod."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import reasoning_client
import reasoning_trainer
from reasoning_contract.exit_codes import ExitCode

PATHS = os.pathsep.join(str(Path(module.__file__).parents[1]) for module in (reasoning_client, reasoning_trainer))


def rtj_run(manifest: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reasoning_client", "run", "--local", str(manifest), "--folder", str(folder)]
    environment = os.environ | {"PYTHONPATH": PATHS}
    return subprocess.run(command, env=environment, text=True, capture_output=True, check=False)


def test_trains_to_the_end_and_goes_on_where_it_has_ended(manifest: Callable[..., Path], tmp_path: Path) -> None:
    job = manifest()
    done = rtj_run(job, tmp_path / "run")
    assert done.returncode == ExitCode.DONE, done.stdout + done.stderr
    told = done.stdout + done.stderr
    for stage in ("warmup", "reinforce", "evaluate", "export"):
        assert stage in told
    assert "Completed: held-out accuracy" in told
    assert "Traceback" not in told
    assert (tmp_path / "run/artifacts/lora/adapter_config.json").is_file()
    assert json.loads((tmp_path / "run/progress.json").read_text("utf-8"))["attempt"] == 1
    assert rtj_run(job, tmp_path / "run").returncode == ExitCode.DONE


def test_what_the_trainer_refuses_ends_with_its_code_and_a_hint(manifest: Callable[..., Path], tmp_path: Path) -> None:
    done = rtj_run(manifest(model={"source": "file:///nowhere"}), tmp_path / "run")
    assert done.returncode == ExitCode.MODEL_INVALID
    assert "hint: " in done.stdout + done.stderr
