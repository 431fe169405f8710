"""What the demo prints can be pasted, whatever the checkout's path, and has colours only on a terminal."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hack.demo import demo
from rich.console import Console

FAILED = {"metadata": {"name": "sums"}, "status": {"phase": "Failed"}}
DONE = {"metadata": {"name": "sums"}, "status": {"phase": "Succeeded"}}
KUBECTL = """#!/bin/sh
echo "$KUBECONFIG" "$@"
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in a path with a space, brackets and a quote; its driver is a fake, and so is kubectl."""
    folder = tmp_path / "a [bold]user's checkout"
    folder.mkdir()
    paths = {("kubeconfig",): folder / "kubeconfig", ("tool", "kubectl"): folder / "kubectl"}
    (folder / "kubectl").write_text(KUBECTL, "utf-8")
    (folder / "kubectl").chmod(0o755)
    monkeypatch.setattr(demo, "localcluster", lambda *words: str(paths[words]))
    return folder


def concluded(job: dict[str, Any], monkeypatch: pytest.MonkeyPatch, **console: Any) -> tuple[int, str]:
    """Return the demo's exit code and its last words."""
    shown = Console(highlight=False, width=60, **console)
    monkeypatch.setattr(demo, "console", shown)
    with shown.capture() as capture:
        code = demo.conclude(job)
    return code, capture.get()


@pytest.mark.parametrize(
    ("job", "exit_code", "looks"), [(DONE, 0, "get rtj -o wide"), (FAILED, 1, "describe rtj sums")]
)
def test_the_last_lines_run_as_they_are_pasted(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, job: dict[str, Any], exit_code: int, looks: str
) -> None:
    code, said = concluded(job, monkeypatch)
    assert code == exit_code
    pasted = said.partition("Look closer:")[2]
    ran = subprocess.run(["sh", "-ec", pasted], capture_output=True, text=True, check=True, cwd="/")
    assert ran.stdout == f"{checkout}/kubeconfig -n demo {looks}\n"
    assert shlex.split(pasted)[1] == f"KUBECONFIG={checkout}/kubeconfig"


@pytest.mark.parametrize(("terminal", "coloured"), [(False, False), (True, True)])
def test_colours_are_for_a_terminal(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool, coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    code, said = concluded(FAILED, monkeypatch, force_terminal=terminal)
    assert code == 1
    assert "The job failed." in said
    assert ("\033[" in said) == coloured


def test_a_failure_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise demo.DemoError("helm upgrade --set=a[0]=b\nError: [red] is no value")

    monkeypatch.setattr(demo, "Cluster", broken)
    with demo.console.capture() as capture:
        assert demo.main() == 1
    assert "--set=a[0]=b\nError: [red] is no value" in capture.get()
