"""Runs the manifests of examples/rewards on the tiny model of `make parity`."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import yaml
from hack.algorithms import make_parity

from reasoning_trainer.commands.run import Options, run
from reasoning_trainer.reporting.display import Display

FOLDER = Path(__file__).parents[1] / "examples/rewards"
MANIFESTS = sorted(FOLDER.glob("*.yaml"))


def make_claims(folder: Path) -> Path:
    """Make what the manifests read as pvc://, and return the folder."""
    torch.manual_seed(0)
    tokenizer = make_parity.make_tokenizer()
    model = make_parity.make_model(tokenizer)
    make_parity.pretrain(model, make_parity.batches(tokenizer, random.Random(0)), make_parity.STEPS)
    model.save_pretrained(folder / "parity/model")
    tokenizer.save_pretrained(folder / "parity/model")
    make_parity.write_rows(folder / "parity", seed=0)
    return folder


@contextmanager
def serving(server: Path, environment: dict[str, str]) -> Iterator[str]:
    """Run an example server, and yield its host and port."""
    process = subprocess.Popen(
        [sys.executable, server, "--port", "0"],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout
        yield process.stdout.readline().removeprefix("listening on ").strip()
    finally:
        process.kill()
        process.communicate()


def run_example(path: Path, folder: Path, claims: Path, address: str, **changes: Any) -> list[float]:
    """Run a manifest, which is to end well, and return the reward of each step.

    Parameters
    ----------
    path
        The manifest.
    folder
        Where the run goes.
    claims
        What it reads as pvc://.
    address
        Host and port of the server that it asks.
    changes
        What is put over parts of its spec.
    """
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(path.read_text("utf-8")))
    spec = documents[0]["spec"]
    for part, change in changes.items():
        spec[part] = spec[part] | change
    for reward in spec["rewards"]:
        if "http" in reward:
            reward["http"]["url"] = f"http://{address}/score"
    copy = folder / "job.yaml"
    copy.write_text(yaml.safe_dump_all(documents))
    with Display() as display:
        outcome = run(Options(copy, folder / "run", claims=claims), display)
    assert outcome.exit_code == 0, outcome
    history = (folder / "run/reinforce/history.jsonl").read_text().splitlines()
    return [entry["reward"] for entry in map(json.loads, history) if "reward" in entry]
