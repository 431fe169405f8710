"""The model card: what was trained, how, with what, how good it is, and how to use each file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from reasoning_contract.progress import Progress
from reasoning_contract.report import Artifact, EvaluationStatus, Score
from reasoning_contract.spec import HeldOut, Rows

from ..data.examples import Example, Splits
from ..job import Job
from .versions import versions

if TYPE_CHECKING:
    from huggingface_hub import ModelCardData

HUB = "hf://"
TEMPLATE = Path(__file__).with_name("model_card.md.jinja")
"""The card in Jinja's language: what every card says, and where its figures stand."""

TITLES = {"base": "Base model", "warmup": "After the warm-up", "reinforce": "After RL"}
KINDS = {"lora": "LoRA adapter", "merged16bit": "Merged model, bfloat16", "merged4bit": "Merged model, NF4"}
SIGNIFICANT = 0.05
"""p below which a gain is called one."""


@dataclass(frozen=True)
class Facts:
    """What a card is written from.

    Attributes
    ----------
    job
        The job, resolved.
    progress
        The last report: scores, artifacts and the base model's commit.
    splits
        The rows that were trained and evaluated on.
    messages
        A conversation that the model answers to, in the form that it was trained on.
    licence
        The base model's, as its own card names it; None if it names none.
    sample
        A transcript of the held-out evaluation; None if none was kept.
    """

    job: Job
    progress: Progress
    splits: Splits
    messages: Sequence[dict[str, str]]
    licence: str | None = None
    sample: dict[str, Any] | None = None


def base_licence(folder: Path) -> str | None:
    """Return the licence in the front matter of a model's card, or None."""
    path = folder / "README.md"
    text = path.read_text("utf-8", errors="replace") if path.exists() else ""
    if not text.startswith("---\n"):
        return None
    try:
        matter = yaml.safe_load(text.split("\n---", 1)[0])
    except yaml.YAMLError:
        return None  # somebody else's text: what cannot be read names no licence
    licence = matter.get("license") if isinstance(matter, dict) else None
    return licence if isinstance(licence, str) else None


def model_card(facts: Facts) -> str:
    """Return the card in Markdown, with the front matter that the Hub reads."""
    from huggingface_hub import ModelCard

    spec, artifacts = facts.job.spec, facts.progress.artifacts or []
    recipe = yaml.safe_dump(spec.model_dump(by_alias=True, exclude_none=True, mode="json"), sort_keys=False)
    card = ModelCard.from_template(
        _card_data(facts),
        template_path=str(TEMPLATE),
        name=facts.job.name,
        spec=spec,
        licence=facts.licence,
        model=facts.progress.model,
        stages=_stages(facts),
        evaluation=facts.progress.evaluation,
        scores=_score_table(facts.progress.evaluation),
        gains=_gains(facts.progress.evaluation),
        sample=facts.sample,
        messages=json.dumps(list(facts.messages), ensure_ascii=False),
        shown=_one_of_each_kind(artifacts),
        artifacts=artifacts,
        lossy=[each.kind for each in artifacts if each.kind not in ("lora", "merged16bit")],
        rows=_rows(facts),
        versions=versions(),
        recipe=recipe.rstrip(),
        difficulty=facts.progress.difficulty,
        changes=[each.told for each in facts.progress.spec_changes or []],
        kinds=KINDS,
        fenced=_fenced,
        relative=_relative,
        quantisation=_quantisation,
    )
    return f"{str(card).rstrip()}\n"


def _card_data(facts: Facts) -> ModelCardData:
    from huggingface_hub import ModelCardData

    spec = facts.job.spec
    algorithm = [] if spec.reinforce.algorithm == "none" else [spec.reinforce.algorithm.lower()]
    return ModelCardData(
        base_model=spec.model.source.removeprefix(HUB) if spec.model.source.startswith(HUB) else None,
        license=facts.licence,
        library_name="peft" if spec.export.formats == ["lora"] else "transformers",
        pipeline_tag="text-generation",
        tags=["reasoning", "lora", *algorithm, "reasoning-operator"],
    )


def _stages(facts: Facts) -> list[str]:
    spec = facts.job.spec
    stages = ["a supervised warm-up"] if spec.warms_up else []
    return stages + ([spec.reinforce.algorithm] if spec.reinforce.algorithm != "none" else [])


@dataclass(frozen=True)
class ScoreTable:
    """Figures of the models that were evaluated: the columns, and the cells of each model by its title."""

    columns: list[str]
    models: dict[str, dict[str, str]]


def _score_table(evaluation: EvaluationStatus | None) -> ScoreTable:
    found = {title: getattr(evaluation.held_out, stage) for stage, title in TITLES.items()} if evaluation else {}
    models = {title: _figures(score) for title, score in found.items() if score is not None}
    return ScoreTable(list(dict.fromkeys(name for cells in models.values() for name in cells)), models)


@dataclass(frozen=True)
class Gain:
    """A comparison: how the sentence begins, by whom it is better, by how much, and how probable that is by chance."""

    by: str
    other: str
    gain: float
    p: float

    @property
    def shown(self) -> bool:
        """Whether it is one."""
        return self.p < SIGNIFICANT


def _gains(evaluation: EvaluationStatus | None) -> list[Gain]:
    if evaluation is None:
        return []
    found = (
        ("The", "base", evaluation.improvement, evaluation.p_value),
        ("The", "warmed-up", evaluation.reinforce_improvement, evaluation.reinforce_p_value),
        ("By pairs preferred, the", "base", evaluation.preferred_improvement, evaluation.preferred_p_value),
    )
    return [Gain(by, other, gain, p) for by, other, gain, p in found if gain is not None and p is not None]


def _figures(score: Score) -> dict[str, str]:
    """Return the figures of a model by the column that they stand in."""
    sampled = {f"pass@{k}": f"{chance:.3f}" for k, chance in (score.pass_at_k or {}).items()}
    cells = {
        "Accuracy": None if score.accuracy is None else f"{score.accuracy:.3f}",
        "95% interval (Wilson)": "{:.3f} to {:.3f}".format(*score.ci95) if score.ci95 else None,
        **sampled,
        "Pairs preferred": None if score.preferred is None else f"{score.preferred:.3f}",
        "Margin, nats": None if score.margin is None else f"{score.margin:+.3f}",
        "Format kept": f"{score.format:.3f}",
        "Mean length, tokens": f"{score.mean_length:.0f}",
    }
    return {name: text for name, text in cells.items() if text is not None}


def _one_of_each_kind(artifacts: Sequence[Artifact]) -> list[Artifact]:
    """Return what a program is shown for: one of the GGUF files is enough."""
    return list({each.kind.partition(":")[0]: each for each in reversed(artifacts)}.values())[::-1]


def _fenced(text: str, language: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"


def _quantisation(artifact: Artifact) -> str:
    """Return how a GGUF file is quantised; nothing for the other kinds."""
    return artifact.kind.partition(":")[2].upper()


def _relative(artifact: Artifact) -> str:
    path = Path(artifact.path)
    return f"{path.parent.name}/{path.name}"


@dataclass(frozen=True)
class RowsUsed:
    """A set of rows: what for, where from, how many, and their hash."""

    title: str
    source: str
    count: int
    sha256: str


def _rows(facts: Facts) -> list[RowsUsed]:
    data, splits = facts.job.spec.data, facts.splits
    parts = (
        ("Training", data.train, splits.train),
        ("Warm-up", data.warmup, splits.warmup),
        ("Held out", data.held_out, splits.held_out),
    )
    return [
        RowsUsed(title, _source(rows, data.train), len(examples), digest(examples))
        for title, rows, examples in parts
        if examples
    ]


def _source(rows: Rows | HeldOut | None, train: Rows) -> str:
    if rows is None or not rows.kinds:
        return f"{_source(train, train)}, set apart"
    if rows.source is not None:
        details = [rows.config, rows.split, rows.revision]
        return " ".join(f"`{each}`" for each in (rows.source, *filter(None, details)))
    return f"reasoning-gym's `{rows.reasoning_gym.task}`" if rows.reasoning_gym else "in the job itself"


def digest(examples: Sequence[Example]) -> str:
    """Return the SHA-256 of rows as JSON lines, fields that a row lacks left out."""
    text = "".join(json.dumps(_document(each), ensure_ascii=False, sort_keys=True) + "\n" for each in examples)
    return hashlib.sha256(text.encode()).hexdigest()


def _document(example: Example) -> dict[str, Any]:
    compared = [each.name for each in fields(example) if each.compare]
    said = {name: getattr(example, name) for name in compared if getattr(example, name) not in (None, ())}
    if example.messages is not None:
        said["messages"] = [vars(message) for message in example.messages]
    return said
