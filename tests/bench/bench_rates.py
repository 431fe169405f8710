"""Held-out accuracy by learning rate.

    PYTHONPATH=trainer_image .venv-trainer/bin/python tests/bench/bench_rates.py CLAIMS

CLAIMS holds parity/, from `hack.algorithms.make_parity`. Each manifest of examples/algorithms that is named is trained
with each rate, and all else as it stands there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from statistics import fmean

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "trainer_image")]
os.environ.setdefault("OMP_NUM_THREADS", "1")

from reasoning_trainer import environment  # noqa: E402

environment.prepare()

import yaml  # noqa: E402

from reasoning_trainer.interruption import Interruption  # noqa: E402
from reasoning_trainer.supervisor.channel import Order  # noqa: E402
from reasoning_trainer.worker import work  # noqa: E402

RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)


def accuracy(name: str, rate: float, claims: Path, folder: Path) -> float:
    """Train a manifest with a rate, and return the share of right answers at its end."""
    document = yaml.safe_load((ROOT / f"examples/algorithms/{name}.yaml").read_text("utf-8"))
    document["spec"]["reinforce"]["learningRate"] = rate
    document["spec"]["evaluation"] = {"stages": ["reinforce"]}
    document["spec"]["guards"] = {"learningSignal": {"action": "off"}}
    job = folder / "job.json"
    job.write_text(json.dumps(document), "utf-8")
    outcome = work(Order(job=job, output=folder / "run", claims=claims), lambda message: None, Interruption())
    if outcome.exit_code:
        raise RuntimeError(f"{name} at {rate:g}: {outcome.message}")
    return fmean(json.loads((folder / "run/evaluation/reinforce.json").read_text("utf-8"))["right"])


def main() -> None:
    """Print a row of Markdown for each manifest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("claims", type=Path)
    parser.add_argument("names", nargs="*", default=["grpo", "dpo", "orpo", "ppo"])
    options = parser.parse_args()
    print(f"| | {' | '.join(f'{rate:g}' for rate in RATES)} |\n|{' --- |' * (len(RATES) + 1)}")
    for name in options.names:
        found = []
        for rate in RATES:
            with tempfile.TemporaryDirectory() as folder:
                found.append(accuracy(name, rate, options.claims.resolve(), Path(folder)))
            print(f"{name} at {rate:g}: {found[-1]:.3f}", file=sys.stderr, flush=True)
        print(f"| {name} | {' | '.join(f'{each:.3f}' for each in found)} |", flush=True)


if __name__ == "__main__":
    main()
