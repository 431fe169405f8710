"""The manifests of examples/rewards, run on the tiny model of `make parity`: the reward rises in every one."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import torch
import yaml
from hack.algorithms import make_parity
from hack.algorithms.run_all import ROOT

from reasoning_trainer.commands.run import Options, run
from reasoning_trainer.reporting.display import Display

FOLDER = ROOT / "examples/rewards"
STEPS = 24
"""Fewer than the manifests have: enough to see a reward rise."""


@pytest.fixture(scope="module")
def claims(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the manifests read as pvc://."""
    folder = tmp_path_factory.mktemp("claims")
    torch.manual_seed(0)
    tokenizer = make_parity.make_tokenizer()
    model = make_parity.make_model(tokenizer)
    make_parity.pretrain(model, make_parity.batches(tokenizer, random.Random(0)), make_parity.STEPS)
    model.save_pretrained(folder / "parity/model")
    tokenizer.save_pretrained(folder / "parity/model")
    make_parity.write_rows(folder / "parity", seed=0)
    return folder


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where the example server listens, that of examples/rewards/http.yaml as the test has a port for it."""
    environment = os.environ | {"REWARD_TOKEN": "secret"}
    server = subprocess.Popen(
        [sys.executable, FOLDER / "server.py", "--port", "0"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout
    monkeypatch.setenv("REWARD_HEADERS_RIGHT", "Authorization: Bearer secret")
    yield server.stdout.readline().removeprefix("listening on ").strip()
    server.kill()
    server.communicate()


def brief(path: Path, folder: Path, address: str) -> Path:
    """Return a copy of a manifest with few steps and no evaluation."""
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(path.read_text("utf-8")))
    spec = documents[0]["spec"]
    spec["reinforce"]["steps"] = STEPS
    spec["evaluation"] = {"enabled": False}
    for reward in spec["rewards"]:
        if "http" in reward:
            reward["http"]["url"] = f"http://{address}/score"
    copy = folder / "job.yaml"
    copy.write_text(yaml.safe_dump_all(documents))
    return copy


@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_reward_rises(path: Path, claims: Path, tmp_path: Path, address: str) -> None:
    with Display() as display:
        outcome = run(Options(brief(path, tmp_path, address), tmp_path / "run", claims=claims), display)
    assert outcome.exit_code == 0, outcome
    history = (tmp_path / "run/reinforce/history.jsonl").read_text().splitlines()
    rewards = [entry["reward"] for entry in map(json.loads, history) if "reward" in entry]
    print(f"{path.stem}: {fmean(rewards[:4]):.3f} at first, {fmean(rewards[-4:]):.3f} in the end")
    assert fmean(rewards[-4:]) > fmean(rewards[:4]) + 0.1
