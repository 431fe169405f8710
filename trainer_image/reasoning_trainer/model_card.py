"""The model card: what was trained, how, with what, and how good it is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import yaml

from reasoning_contract.progress import Progress
from reasoning_contract.status import EvaluationStatus

from .job import Job

PACKAGES = ("torch", "transformers", "trl", "peft", "datasets", "unsloth", "vllm")
TITLES = {"base": "Base", "warmup": "After the warm-up", "reinforce": "After RL"}


def model_card(job: Job, progress: Progress) -> str:
    """Return the card in Markdown."""
    spec = job.spec
    artifacts = "\n".join(
        f"- `{each.kind}`: {each.bytes} bytes, sha256 `{each.sha256}`" for each in progress.artifacts or []
    )
    recipe = yaml.safe_dump(spec.model_dump(by_alias=True, exclude_none=True, mode="json"), sort_keys=False)
    revision = f" at `{progress.model.revision}`" if progress.model and progress.model.revision else ""
    return "\n".join(
        [
            f"# {job.name}",
            "",
            f"A LoRA adapter for `{spec.model.source}`{revision}, trained by reasoning-operator: "
            f"{'a supervised warm-up, then ' if spec.data.warmup and not spec.warmup.skip else ''}"
            f"{spec.reinforce.algorithm}.",
            "",
            "## Held-out evaluation",
            "",
            _scores(progress.evaluation) if progress.evaluation else "None was asked for.",
            "",
            "## Files",
            "",
            artifacts,
            "",
            "## Versions",
            "",
            "\n".join(f"- {name} {number}" for name, number in versions().items()),
            "",
            "## Recipe",
            "",
            "```yaml",
            recipe.rstrip(),
            "```",
            "",
        ]
    )


def _scores(evaluation: EvaluationStatus) -> str:
    scores = {title: getattr(evaluation.held_out, stage) for stage, title in TITLES.items()}
    lines = [
        f"Greedy decoding on {evaluation.held_out.size} rows that were not trained on.",
        "",
        "| Model | Accuracy | 95% interval | Format | Mean length |",
        "|---|---|---|---|---|",
    ]
    for title, score in scores.items():
        if score is not None:
            low, high = score.ci95
            lines.append(
                f"| {title} | {score.accuracy:.3f} | {low:.3f} to {high:.3f} | {score.format:.3f} | "
                f"{score.mean_length:.0f} |"
            )
    margins = {title: score.margin for title, score in scores.items() if score and score.margin is not None}
    if margins:
        figures = ", ".join(f"{title} {margin:+.3f}" for title, margin in margins.items())
        lines += ["", f"Log-probability of the chosen completion less that of the rejected one, nats: {figures}."]
    if evaluation.improvement is not None:
        lines += [
            "",
            f"Gain over the base: {evaluation.improvement:+.3f} (one-sided exact McNemar p = {evaluation.p_value:g}).",
        ]
    if evaluation.reinforce_improvement is not None:
        gain, p = evaluation.reinforce_improvement, evaluation.reinforce_p_value
        lines += [f"Gain of RL over the warm-up: {gain:+.3f} (p = {p:g})."]
    return "\n".join(lines)


def versions() -> dict[str, str]:
    """Return the versions of the libraries that are installed, by name."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
