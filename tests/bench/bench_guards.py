"""How many healthy runs trip a guard: the same job by different seeds, with every guard on and its window full.

    PYTHONPATH=trainer_image .venv-trainer/bin/python hack/algorithms/make_parity.py CLAIMS/parity
    PYTHONPATH=trainer_image .venv-trainer/bin/python tests/bench/bench_guards.py CLAIMS --seeds 10

The model learns whether a number is even, by GRPO; its answers become right and its guards have nothing to say.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

STEPS = 44
"""More than the longest default window, of rewardHacking."""
GUARDS = ("kl", "entropy", "clipped", "rewardHacking", "learningSignal", "unscored", "stall")


def manifest(seed: int) -> dict[str, Any]:
    """Return the job of a seed: guards have their default bounds, and warn, so that one that trips ends no run."""
    guards: dict[str, Any] = {name: {"action": "warn"} for name in GUARDS}
    return {
        "apiVersion": "reasoning-operator.io/v1alpha1",
        "kind": "ReasoningTrainingJob",
        "metadata": {"name": f"seed-{seed}"},
        "spec": {
            "model": {"source": "pvc://parity/model", "maxSequenceLength": 64},
            "lora": {"rank": 16, "alpha": 32, "gradientCheckpointing": "none"},
            "chatTemplate": {"systemPrompt": ""},
            "data": {"train": {"source": "pvc://parity/train.jsonl"}},
            "evaluation": {"enabled": False},
            "reinforce": {
                "algorithm": "GRPO",
                "steps": STEPS,
                "batchSize": 64,
                "numGenerations": 8,
                "maxCompletionLength": 16,
                "learningRate": 2e-3,
                "scheduler": "constant",
                "beta": 0.001,
                "seed": seed,
            },
            "rewards": [
                {"name": "correct", "builtin": "correctness", "params": {"parser": "exact"}},
                {"name": "format", "builtin": "format", "weight": 0.2, "params": {"strict": True}},
            ],
            "guards": guards,
            "checkpoint": {"everySteps": STEPS},
            "parallelism": {"gpusPerNode": 0},
        },
    }


def run(claims: Path, seed: int, folder: Path) -> tuple[list[str], str]:
    """Run a seed; return the guards that tripped at any step, and the rewards of its first and last steps."""
    job = folder / f"{seed}.json"
    job.write_text(json.dumps(manifest(seed)), "utf-8")
    command = [
        sys.executable,
        "-m",
        "reasoning_trainer",
        "run",
        job,
        "--claims",
        claims,
        "--output",
        folder / str(seed),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"seed {seed} ended with {done.returncode}: {done.stdout[-2000:]}")
    report = json.loads((folder / str(seed) / "progress.json").read_text("utf-8"))
    tripped = [each["condition"] for each in report.get("guards", []) if not each["ok"]]
    warned = [line for line in done.stdout.splitlines() if "warning:" in line]
    steps = [
        json.loads(line) for line in (folder / str(seed) / "reinforce/history.jsonl").read_text("utf-8").splitlines()
    ]
    correct = [step["rewards/correct/mean"] for step in steps if "rewards/correct/mean" in step]
    return tripped + warned, f"correct {correct[0]:.2f} -> {correct[-1]:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("claims", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    quiet = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.seeds):
            tripped, figures = run(options.claims.resolve(), seed, Path(folder))
            quiet += not tripped
            print(f"seed {seed}: {figures}; {', '.join(tripped) or 'no guard tripped'}", flush=True)
    print(f"{quiet} of {options.seeds} runs of {STEPS} steps tripped no guard")


if __name__ == "__main__":
    main()
