"""Runs the manifests of examples/rewards on the tiny model of `make parity`."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.serving import serving

from reasoning_trainer.commands.run import Options, run
from reasoning_trainer.reporting.display import Display

FOLDER = Path(__file__).parents[1] / "examples/rewards"
MANIFESTS = sorted(FOLDER.glob("*.yaml"))
SERVERS = {"http": ("server.py", {"REWARD_TOKEN": "secret"}), "judge": ("judge_server.py", {"JUDGE_KEY": "secret"})}
"""The server of each kind of reward that asks one, and its environment."""
Addresses = Mapping[str, str]
"""Host and port, by kind of reward."""


def make_claims(factory: pytest.TempPathFactory) -> Path:
    """Make what the manifests read as pvc://, once for all processes of a test run, and return the folder."""
    run_folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        run_folder = run_folder.parent
    folder = run_folder / "example-claims"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "parity").exists():
            arguments = [sys.executable, "-m", "hack.algorithms.make_parity", str(folder / "partial")]
            subprocess.run(arguments, check=True, cwd=FOLDER.parents[1])
            (folder / "partial").rename(folder / "parity")
    return folder


@contextmanager
def servers() -> Iterator[Addresses]:
    """Run the servers that the examples ask, and yield where they listen."""
    with ExitStack() as stack:
        addresses = {
            kind: stack.enter_context(serving(FOLDER / server, environment))
            for kind, (server, environment) in SERVERS.items()
        }
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("REWARD_HEADERS_RIGHT", "Authorization: Bearer secret")
        patch.setenv("REWARD_KEY_JUDGED", "secret")
        yield addresses


def run_example(path: Path, folder: Path, claims: Path, addresses: Addresses, **changes: Any) -> list[float]:
    """Run a manifest, which is to end well, and return the reward of each step.

    Parameters
    ----------
    path
        The manifest.
    folder
        Where the run goes.
    claims
        What it reads as pvc://.
    addresses
        Where the servers listen that it asks.
    changes
        What is put over parts of its spec.
    """
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(path.read_text("utf-8")))
    spec = documents[0]["spec"]
    for part, change in changes.items():
        spec[part] = spec[part] | change
    for reward in spec["rewards"]:
        for kind in addresses.keys() & reward.keys():
            reward[kind]["url"] = re.sub(r"//[^/]+", f"//{addresses[kind]}", reward[kind]["url"])
    copy = folder / "job.yaml"
    copy.write_text(yaml.safe_dump_all(documents))
    with Display() as display:
        outcome = run(Options(copy, folder / "run", claims=claims), display)
    assert outcome.exit_code == 0, outcome
    history = (folder / "run/reinforce/history.jsonl").read_text().splitlines()
    return [entry["reward"] for entry in map(json.loads, history) if "reward" in entry]
