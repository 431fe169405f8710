"""Held-out accuracy against completions spent: our sampling beside TRL's own trainer, by several seeds.

    PYTHONPATH=trainer_image .venv-trainer/bin/python -m hack.algorithms.make_parity CLAIMS/parity
    PYTHONPATH=trainer_image .venv-trainer/bin/python tests/bench/bench_signal.py CLAIMS OUTPUT --task parity --seeds 5

Every arm begins with the same model, rows, rewards, adapter, learning rate and sizes, and is evaluated by the same code
on the same held-out rows. The arm `plain` is `trl.GRPOTrainer` itself, with TRL's own values for the rest. Curves are
written to OUTPUT/TASK-ROWS-BATCH-COMPLETIONS.jsonl, where finished runs are found again, and drawn beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "trainer_image")]
os.environ.setdefault("OMP_NUM_THREADS", "1")

from reasoning_trainer import environment  # noqa: E402

environment.prepare()

import torch  # noqa: E402
from hack.algorithms import make_parity  # noqa: E402
from trl import GRPOConfig, GRPOTrainer  # noqa: E402

from reasoning_trainer.algorithms.sampling import SamplingRules  # noqa: E402
from reasoning_trainer.interruption import Interruption  # noqa: E402
from reasoning_trainer.stages import reinforce  # noqa: E402
from reasoning_trainer.supervisor.channel import Order  # noqa: E402
from reasoning_trainer.worker import work  # noqa: E402

KNOWN: dict[str, tuple[float, dict[int, float]]] = {
    "mixed": (0.98, {1: 0.4, 3: 0.3, 6: 0.2, 8: 0.1}),
    "solved": (0.995, {3: 0.3, 8: 0.1}),
}
"""Tasks of which the model knows most already: how often its texts answer rightly, and for which last digits not."""
TARGETS = (0.25, 0.5, 0.75, 0.9, 1.0)
"""Shares of plain's gain from its first to its last evaluation: what its mean accuracy was there is to be reached."""
RESAMPLES = 10_000
EVALUATIONS = 14
"""Evaluations on the way."""
COLOURS = ("#555555", "#c2410c", "#1d4ed8", "#15803d", "#7e22ce", "#b45309")

ARMS: dict[str, dict[str, Any]] = {
    # TRL 1.12's own values, which are in part not those that the algorithm fills in
    "plain": {"lossType": "dapo"},
    "ours": {"resampleRounds": 3, "retireSolved": 0.9},
    "retire": {"retireSolved": 0.9},
    "resample": {"resampleRounds": 3},
    "differing": {"retireSolved": 0.9, "averageOver": "differing"},
}
"""What of ``spec.reinforce`` an arm has beside its task's."""


class Plain(GRPOTrainer):
    """TRL's trainer as it is: of our rules it takes none."""

    def sample_by(self, rules: SamplingRules, spent: int = 0) -> None:
        """Leave it."""


@dataclass(frozen=True)
class Task:
    """A task: the parts of its spec, and how often it is evaluated."""

    spec: Mapping[str, Any]
    every: int


def tasks(claims: Path, folder: Path, rows: int, batch: int, completions: int) -> dict[str, Task]:
    """Return the tasks by name; `folder` holds what is made for them."""
    steps = completions // batch
    around = {
        "chatTemplate": {"systemPrompt": ""},
        "parallelism": {"gpusPerNode": 0},
        "guards": {"learningSignal": {"action": "off"}},
        "checkpoint": {"everySteps": 100_000},
    }
    return {
        name: Task(
            around
            | {
                "model": {"source": f"file://{claim}/model", "maxSequenceLength": 64},
                "lora": {"rank": 16, "alpha": 32, "gradientCheckpointing": "none"},
                "data": {
                    "train": {"source": f"file://{claim}/train.jsonl", "limit": rows},
                    "heldOut": {"source": f"file://{claim}/heldout.jsonl"},
                },
                "reinforce": {
                    "steps": steps,
                    "numGenerations": 8,
                    "batchSize": batch,
                    "maxCompletionLength": 16,
                    "learningRate": 1e-3,
                    "scheduler": "constant",
                },
                "rewards": [
                    {"name": "correct", "builtin": "correctness", "params": {"parser": "exact"}},
                    {"name": "format", "builtin": "format", "weight": 0.2, "params": {"strict": True}},
                ],
            },
            every=max(1, steps // EVALUATIONS),
        )
        for name, claim in (("parity", claims / "parity"), *((known, folder / known) for known in KNOWN))
    }


def make_known(folder: Path, sure: float, unsure: Mapping[int, float]) -> None:
    """Write rows, and a model that knows most digits already and is wrong of the others to different degrees."""
    if (folder / "model").exists():
        return
    torch.manual_seed(0)
    rng, tokenizer = random.Random(0), make_parity.make_tokenizer()
    model = make_parity.make_model(tokenizer)

    def read(rng: random.Random, number: int) -> str:
        is_right = rng.random() < unsure.get(number % 10, sure)
        return make_parity.ANSWERS[number % 2 if is_right else 1 - number % 2]

    make_parity.pretrain(model, make_parity.batches(tokenizer, rng, read=read), make_parity.STEPS)
    make_parity.write_model(folder / "model", model, tokenizer)
    make_parity.write_rows(folder, 0)


def train(spec: Mapping[str, Any], folder: Path) -> None:
    """Run a spec from its first step, in this process."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    job = folder.with_suffix(".json")
    document = {"kind": "ReasoningTrainingJob", "metadata": {"name": folder.name}, "spec": spec}
    job.write_text(json.dumps(document), "utf-8")
    outcome = work(Order(job=job, output=folder), lambda message: None, Interruption())
    if outcome.exit_code:
        raise RuntimeError(f"{folder.name}: {outcome.message}")


def measure(task: Task, arm: str, seed: int, folder: Path) -> dict[str, Any]:
    """Train by an arm with a seed; return what it spent and how much it got right, from its start to its end."""
    changes = ARMS[arm] | {"seed": seed}
    evaluation = {"everySteps": task.every, "stages": ["base", "reinforce"]}
    spec = task.spec | {"reinforce": task.spec["reinforce"] | changes, "evaluation": evaluation}
    before = reinforce._CLASSES["GRPO"]
    if arm == "plain":
        reinforce._CLASSES["GRPO"] = (GRPOConfig, Plain)
    started = time.monotonic()
    try:
        train(spec, folder)
    finally:
        reinforce._CLASSES["GRPO"] = before
    return {"arm": arm, "seed": seed, "seconds": round(time.monotonic() - started), **read(folder, spec)}


def read(folder: Path, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the curve of a run, and by step the share of groups that taught nothing among those that were sampled."""
    steps = [json.loads(line) for line in (folder / "reinforce/history.jsonl").read_text("utf-8").splitlines()]
    a_step = spec["reinforce"]["batchSize"]
    spent = {0: 0} | {
        number: int(step.get("completions/spent", a_step * number)) for number, step in enumerate(steps, 1)
    }
    curve = [(0, accuracy(folder / "evaluation/base.json"))]
    for path in (folder / "evaluation").glob("reinforce-*.json"):
        curve.append((spent[int(path.stem.rpartition("-")[2])], accuracy(path)))
    curve.append((spent[len(steps)], accuracy(folder / "evaluation/reinforce.json")))
    equal = [step.get("groups/sampled_zero_std", step["frac_reward_zero_std"]) for step in steps]
    retired = [step.get("rows/retired", 0) for step in steps]
    return {"curve": sorted(curve), "equal": equal, "retired": retired[-1]}


def accuracy(path: Path) -> float:
    """Return the share of right answers of an evaluation."""
    return fmean(json.loads(path.read_text("utf-8"))["right"])


def reaches(curve: Sequence[Sequence[float]], target: float) -> float | None:
    """Return at how many completions an accuracy is reached first, in a line between evaluations; None for never."""
    for (spent, low), (more, high) in pairwise(curve):
        if high >= target:
            return spent if low >= target else spent + (more - spent) * (target - low) / (high - low)
    return None


def at(curve: Sequence[Sequence[float]], spent: float) -> float | None:
    """Return the accuracy at a number of completions; None behind the curve's end."""
    for (before, low), (after, high) in pairwise(curve):
        if before <= spent <= after:
            return low + (high - low) * (spent - before) / (after - before)
    return None


def interval(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the 95% bootstrap interval, over seeds, of the ratio of two sums."""
    rng = random.Random(0)
    ratios = sorted(
        sum(mine for mine, _ in drawn) / sum(plain for _, plain in drawn)
        for drawn in (rng.choices(pairs, k=len(pairs)) for _ in range(RESAMPLES))
    )
    return ratios[int(0.025 * RESAMPLES)], ratios[int(0.975 * RESAMPLES)]


def table(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield rows of Markdown: what each arm spent to get as far as plain.

    Who never gets there counts as if it did at its end: of plain that says too little.
    """
    plain = {run["seed"]: run["curve"] for run in runs if run["arm"] == "plain"}
    first, last = (fmean(curve[end][1] for curve in plain.values()) for end in (0, -1))
    yield "| arm | accuracy to reach | completions, plain | completions | share | 95% interval | seeds |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for arm in dict.fromkeys(run["arm"] for run in runs if run["arm"] != "plain"):
        mine = {run["seed"]: run["curve"] for run in runs if run["arm"] == arm and run["seed"] in plain}
        for share in TARGETS:
            target = first + share * (last - first)
            found = [(reaches(mine[seed], target), reaches(plain[seed], target)) for seed in mine]
            both = [
                (max(ends) if one is None else one, ends[1] if other is None else other)
                for (one, other), ends in zip(
                    found, [(mine[seed][-1][0], plain[seed][-1][0]) for seed in mine], strict=True
                )
            ]
            reached = (
                f"{sum(one is not None for one, _ in found)}, plain {sum(other is not None for _, other in found)}"
            )
            spent, usual = fmean(one for one, _ in both), fmean(other for _, other in both)
            low, high = interval(both)
            yield (
                f"| {arm} | {target:.3f} | {usual:,.0f} | {spent:,.0f} | {spent / usual:.2f} | {low:.2f} to {high:.2f} "
                f"| {reached} of {len(found)} |"
            )


def drawing(runs: Sequence[Mapping[str, Any]], title: str) -> str:
    """Return the arms' mean accuracy over the completions spent as SVG, each with the band of its seeds."""
    arms = list(dict.fromkeys(run["arm"] for run in runs))
    most = max(run["curve"][-1][0] for run in runs if run["arm"] == "plain")
    lowest = min(right for run in runs for _, right in run["curve"])
    bottom = int(lowest * 10) / 10

    def place(spent: float, right: float) -> str:
        return f"{60 + 560 * spent / most:.1f},{300 - 270 * (right - bottom) / (1 - bottom):.1f}"

    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 350" font-family="sans-serif" font-size="12">',
        f'<rect width="640" height="350" fill="#ffffff"/><text x="60" y="18">{title}</text>',
    ]
    for number in range(round(bottom * 10), 11):
        x, y = place(0, number / 10).split(",")
        parts.append(
            f'<line x1="{x}" x2="620" y1="{y}" y2="{y}" stroke="#dddddd"/><text x="30" y="{y}">{number / 10}</text>'
        )
    for number in range(5):
        x, _ = place(most * number / 4, bottom).split(",")
        parts.append(f'<text x="{x}" y="318" text-anchor="middle">{most * number // 4:,}</text>')
    parts.append('<text x="340" y="340" text-anchor="middle">completions spent</text>')
    for arm, colour in zip(arms, COLOURS, strict=False):
        curves = [run["curve"] for run in runs if run["arm"] == arm]
        grid = [most * number / 60 for number in range(61)]
        values = [(spent, [right for curve in curves if (right := at(curve, spent)) is not None]) for spent in grid]
        whole = [(spent, each) for spent, each in values if len(each) == len(curves)]
        band = [place(spent, max(each)) for spent, each in whole] + [
            place(spent, min(each)) for spent, each in whole[::-1]
        ]
        line = [place(spent, fmean(each)) for spent, each in whole]
        parts.append(f'<polygon points="{" ".join(band)}" fill="{colour}" fill-opacity="0.12"/>')
        parts.append(f'<polyline points="{" ".join(line)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        x, y = line[-1].split(",")
        label = 200 + 16 * arms.index(arm)
        parts.append(f'<text x="540" y="{label}" fill="{colour}">{arm}</text>')
    return "\n".join([*parts, "</svg>\n"])


def main() -> None:
    """Run what has not run yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("claims", type=Path, help="folder with parity/, from make_parity")
    parser.add_argument("output", type=Path)
    parser.add_argument("--task", choices=("parity", *KNOWN), default="parity")
    parser.add_argument("--arms", nargs="*", choices=list(ARMS), default=["plain", "ours"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=256, help="rows of train")
    parser.add_argument("--batch", type=int, default=64, help="completions that a step learns from")
    parser.add_argument("--completions", type=int, default=4480, help="completions of plain, all in all")
    options = parser.parse_args()
    output = options.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    if options.task in KNOWN:
        make_known(output / options.task, *KNOWN[options.task])
    sizes = (options.rows, options.batch, options.completions)
    task = tasks(options.claims.resolve(), output, *sizes)[options.task]
    name = "-".join(map(str, (options.task, *sizes)))
    record = output / f"{name}.jsonl"
    record.touch()
    done = [json.loads(line) for line in record.read_text("utf-8").splitlines()]
    for seed in range(options.seeds):
        for arm in options.arms:
            if not any((run["arm"], run["seed"]) == (arm, seed) for run in done):
                done.append(run := measure(task, arm, seed, output / "runs" / f"{name}-{arm}-{seed}"))
                with record.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(run) + "\n")
                print({name: run[name] for name in ("arm", "seed", "seconds", "curve")}, flush=True)
    chosen = [run for run in done if run["arm"] in options.arms and run["seed"] < options.seeds]
    print("\n".join(table(chosen)), flush=True)
    title = f"held-out accuracy, {options.task}, {options.rows} rows: mean and range of {options.seeds} seeds"
    (output / f"{name}.svg").write_text(drawing(chosen, title), "utf-8")


if __name__ == "__main__":
    main()
