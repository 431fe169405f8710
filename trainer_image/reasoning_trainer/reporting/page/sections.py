"""The parts of the page: which charts there are, which models, which prompts side by side."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from reasoning_contract.report import Score, TrainingStatus

from ..attempts import AttemptRecord, lost, record
from .chart import Line, bars, chart
from .figures import Curve, Figures, HeldOut, Sample
from .verdict import percent

MOST_PROMPTS = 30
"""Prompts that are shown side by side."""
MOST_ON_THE_WAY = 3
"""Models in the middle of RL that are shown beside the others."""
MOST_CHARACTERS = 4000
"""Characters of a completion that are shown."""
TITLES = {"base": "Base model", "warmup": "After the warm-up", "reinforce": "After RL"}

ORDER = ("won", "lost", "")
"""Changes of a prompt, in the order that they are shown in."""

Pick = Callable[[TrainingStatus], float | None]
SINGLE: dict[str, Pick] = {
    "Reward, weighted sum": lambda step: step.reward,
    "Groups without spread, share": lambda step: step.zero_variance_share,
    "KL from the reference": lambda step: step.kl,
    "Entropy, nats": lambda step: step.entropy,
    "Completion length, tokens": lambda step: step.completion_length,
    "Completions cut at the limit, share": lambda step: step.clipped_share,
    "Learning rate": lambda step: step.learning_rate,
    "Loss": lambda step: step.loss,
}
"""Charts of one line, by title."""
STAGES = {"reinforce": "RL", "warmup": "Warm-up"}


@dataclass(frozen=True)
class Chart:
    """A chart with its title, and the names of its lines where it has several."""

    title: str
    drawing: Markup
    legend: Sequence[str] = ()


@dataclass(frozen=True)
class Model:
    """A row of the table of models."""

    title: str
    score: Score
    interval: Markup

    @property
    def has_more(self) -> bool:
        """Whether there are figures beside accuracy, format and length."""
        return bool(self.score.pass_at_k) or self.score.preferred is not None


@dataclass(frozen=True)
class Changed:
    """How many rows the last model answers otherwise than the base."""

    won: int
    lost: int
    rows: int


@dataclass(frozen=True)
class Prompt:
    """A prompt with what each model wrote to it; `change` is won, lost, or empty."""

    prompt: str | None
    answer: str | None
    change: str
    written: Sequence[tuple[str, Sample]]


@dataclass(frozen=True)
class Axis:
    """What the curves of a stage lie over: its steps or, where all of them say so, the completions spent by then.

    Over steps, a run that asks other rows in place of those that teach nothing would look as if that cost nothing.

    Attributes
    ----------
    steps
        Steps of the stage, in order.
    spent
        Completions that were spent up to each; empty where they are not counted.
    """

    steps: Sequence[int]
    spent: Sequence[int] = ()

    @classmethod
    def of(cls, curve: Curve) -> Axis:
        """Return the axis of a stage."""
        steps, spent = [at for at, _ in curve], list[int]()
        for _, step in curve:
            if step.completions is not None or spent:  # an update that shares its completions may not say it again
                spent.append(spent[-1] if step.completions is None else step.completions)
        return cls(steps, spent if len(spent) == len(steps) else ())

    def at(self, step: int) -> float:
        """Return where a step lies."""
        if not self.spent:
            return float(step)
        place = bisect_right(self.steps, step)
        return float(self.spent[place - 1]) if place else 0.0

    def chart(self, lines: Sequence[Line], title: str) -> Markup:
        """Return a chart of lines over it."""
        return chart(lines, title, "completions", f" (step {self.steps[-1]:,})") if self.spent else chart(lines, title)


def charts(figures: Figures) -> dict[str, list[Chart]]:
    """Return the charts by the title of their group; groups and charts without a figure are left out."""
    groups = {title: _of_stage(figures.curves.get(stage, ())) for stage, title in STAGES.items()}
    groups[STAGES["reinforce"]] = [*_on_the_way(figures), *groups[STAGES["reinforce"]]]
    return {title: found for title, found in groups.items() if found}


def _of_stage(curve: Curve) -> list[Chart]:
    axis = Axis.of(curve)
    lines = {title: [Line(title, _points(curve, axis, pick))] for title, pick in SINGLE.items()}
    single = {title: axis.chart(each, title) for title, each in lines.items()}
    drawn = [Chart(title, drawing) for title, drawing in single.items() if drawing]
    return [*drawn[:1], *_parts(curve, axis), *drawn[1:]]


def _parts(curve: Curve, axis: Axis) -> list[Chart]:
    parts = [(axis.at(at), step.rewards or {}) for at, step in curve]
    names = list(dict.fromkeys(name for _, rewards in parts for name in rewards))
    lines = [Line(name, [(at, rewards[name]) for at, rewards in parts if name in rewards]) for name in names]
    title = "Rewards, each unweighted"
    return [Chart(title, axis.chart(lines, title), names)] if lines else []


def _points(curve: Curve, axis: Axis, pick: Pick) -> list[tuple[float, float]]:
    found = ((axis.at(at), pick(step)) for at, step in curve)
    return [(at, value) for at, value in found if value is not None]


def _on_the_way(figures: Figures) -> list[Chart]:
    """Return the chart of held-out verdicts over RL, from the model that it starts from to the last."""
    axis = Axis.of(figures.curves.get("reinforce", ()))
    middle = [(each.step, _share(each)) for each in figures.held_out if each.step is not None]
    points = [(axis.at(at), share) for at, share in middle if at is not None and share is not None]
    start = _share(figures.of_model("warmup") or figures.of_model("base"))
    end = _share(figures.of_model("reinforce"))
    if start is not None:
        points = [(0.0, start), *points]
    if end is not None and axis.steps:
        points = [*points, (axis.at(axis.steps[-1]), end)]
    base = _share(figures.of_model("base"))
    if len(points) < 2:
        return []
    pairs = not any(each.right for each in figures.held_out)
    title = "Held-out pairs preferred, share" if pairs else "Held-out accuracy"
    level = [Line("base model", [(0.0, base), (points[-1][0], base)], dashed=True)] if base is not None else []
    lines = [Line(title, points), *level]
    return [Chart(title, axis.chart(lines, title), [line.name for line in lines])]


def _share(model: HeldOut | None) -> float | None:
    return sum(model.verdicts) / len(model.verdicts) if model and model.verdicts else None


def difficulty(figures: Figures) -> Markup:
    """Return the histogram of how often the model solved rows before RL; nothing where that was not measured."""
    found = figures.progress.difficulty
    return bars(found.histogram, "Rows by the share of right completions, before RL") if found else Markup()


def models(figures: Figures) -> list[Model]:
    """Return the models that were evaluated, in the order of training."""
    evaluation = figures.progress.evaluation
    scores = {name: getattr(evaluation.held_out, name) for name in TITLES} if evaluation else {}
    return [Model(TITLES[name], score, interval(score)) for name, score in scores.items() if score is not None]


def interval(score: Score) -> Markup:
    """Return a bar from 0 to 1 with the interval of an accuracy, and a mark where it is."""
    if score.accuracy is None or score.ci95 is None:
        return Markup()
    low, high = score.ci95
    return Markup(
        '<svg class="interval" viewBox="0 0 200 16" role="img" aria-label="{} to {}">'
        '<line class="grid" x1="0" x2="200" y1="8" y2="8"/><rect x="{:.1f}" y="4" width="{:.1f}" height="8"/>'
        '<line class="mark" x1="{:.1f}" x2="{:.1f}" y1="1" y2="15"/></svg>'
    ).format(percent(low), percent(high), 200 * low, 200 * (high - low), 200 * score.accuracy, 200 * score.accuracy)


def changed(figures: Figures) -> Changed | None:
    """Return wins and losses of the last model against the base; None where they are not of the same rows."""
    before, after = figures.of_model("base"), figures.last
    if before is None or after is None or len(before.verdicts) != len(after.verdicts) or not after.verdicts:
        return None
    pairs = list(zip(before.verdicts, after.verdicts, strict=True))
    return Changed(sum(now > then for then, now in pairs), sum(now < then for then, now in pairs), len(pairs))


@dataclass(frozen=True)
class Attempt:
    """A row of the table of attempts."""

    record: AttemptRecord
    lost: int | None
    """Steps that the next one made again."""
    runs: bool = False


def attempts(figures: Figures) -> list[Attempt]:
    """Return the attempts in their order, with the one that runs."""
    ended = [each for each in figures.attempts if each.attempt < figures.progress.attempt]
    records = [*ended, record(figures.progress, figures.outcome)]
    rows = [Attempt(each, steps) for each, steps in zip(records, lost(records), strict=True)]
    return [*rows[:-1], replace(rows[-1], runs=figures.outcome is None)]


def prompts(figures: Figures) -> list[Prompt]:
    """Return the first held-out prompts, with what base, models on the way and the last one wrote, side by side.

    Rows that were won against the base come first, then those that were lost.
    """
    shown = _shown([each for each in figures.held_out if each.samples])
    if not shown:
        return []
    found = [_prompt(row, shown) for row in range(min(MOST_PROMPTS, len(shown[0].samples)))]
    return sorted(found, key=lambda each: ORDER.index(each.change))


def _shown(models: Sequence[HeldOut]) -> list[HeldOut]:
    middle = [each for each in models if each.step is not None]
    step = max(1, -(-len(middle) // MOST_ON_THE_WAY))
    kept = middle[step - 1 :: step]
    return [each for each in models if each.step is None or each in kept]


def _prompt(row: int, shown: Sequence[HeldOut]) -> Prompt:
    first = shown[0].samples[row]
    written = [(each, each.samples[row]) for each in shown if row < len(each.samples)]
    same = [(_title(each), sample) for each, sample in written if sample.prompt == first.prompt]
    return Prompt(first.prompt, first.answer, _change(first, same[-1][1]), same)


def _change(first: Sample, last: Sample) -> str:
    if first.right is None or last.right is None or first.right == last.right:
        return ""
    return "won" if last.right else "lost"


def _title(model: HeldOut) -> str:
    return TITLES.get(model.name) or f"RL, step {model.step}"


def shortened(text: str) -> str:
    """Return the beginning of a text that is too long to be shown."""
    left = len(text) - MOST_CHARACTERS
    return text if left <= 0 else f"{text[:MOST_CHARACTERS]}\n[{left:,} more characters]"
