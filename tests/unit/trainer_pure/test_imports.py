"""The pure modules import no library of the trainer: a check of data and rewards is quick, and needs no GPU image."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "trl",
    "transformers",
    "peft",
    "datasets",
    "pyarrow",
    "sympy",
    "math_verify",
    "reasoning_gym",
    "numpy",
)


@pytest.mark.parametrize(
    "module",
    [
        "command_line",
        "commands.findings",
        "commands.try_rewards",
        "supervisor.process",
        "data.sources",
        "data.splits",
        "guards",
        "rewards",
        "evaluation.scores",
    ],
)
def test_pure_module_imports_nothing_heavy(module: str) -> None:
    code = f"import sys, reasoning_trainer.{module}; print(*sorted(set(sys.modules) & set({HEAVY})))"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
