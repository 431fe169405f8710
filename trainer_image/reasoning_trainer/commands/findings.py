"""What can be said of a job before it is trained: pure, from facts that `check` gathers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any, Literal

from reasoning_contract.choice import Choice, choose, on_backend
from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.finding import Finding as Told
from reasoning_contract.problem import Problem
from reasoning_contract.ranks import chosen_rank
from reasoning_contract.rates import chosen_rates
from reasoning_contract.resolve import resolve
from reasoning_contract.spec import GROUPED, PREFERENCE, ModelReward, Reward, Spec

from ..backends.gpu_memory import Shape, UnknownShapeError, adapter_parameters, estimate, least_gpu_gib
from ..backends.reward_memory import reward_model_gib, reward_models_gib
from ..data.examples import Example, Splits
from ..data.overlap import OTHERWISE, repeated
from ..storage.room import room, size_of, too_small

WORKED, WRONG, LONG, EMPTY = "worked answer", "wrong answer", "endless answer", "empty text"
"""Completions that rewards are tried on: right and brief, right in form only, right and too long, and nothing."""
OTHER = "other accepted answer"
"""The last of a row's list of accepted answers, where there are such lists."""
OPENED = re.compile(r"(<[a-z_]+>)\s*\Z")
"""A tag that a prompt ends with."""
Scores = Mapping[str, Sequence[float | None]]
"""Kind of completion -> the score of each sample row; None where the reward could not score it."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found out.

    Attributes
    ----------
    subject
        What it is about: a field of the spec, or a part of the run.
    message
        What was found.
    level
        ``error`` if the job must not be started.
    hint
        What to do about it.
    problem
        How a run would end, for an error.
    """

    subject: str
    message: str
    level: Literal["ok", "warning", "error"] = "ok"
    hint: str = ""
    problem: Problem | None = None


def error(subject: str, problem: Problem) -> Finding:
    """Return the finding that a run would end with a problem."""
    return Finding(subject, problem.message, "error", problem.hint, problem)


def _error(subject: str, message: str, hint: str, exit_code: ExitCode, reason: str) -> Finding:
    return error(subject, Problem(reason=reason, message=message, hint=hint, exit_code=exit_code))


def choices(given: Spec, spec: Spec, choice: Choice) -> list[Finding]:
    """Tell what was left to the trainer, and what it makes of it."""
    before, now = _flat(given), _flat(spec)
    chosen = ("backend", "model.loadIn", "inference.engine")
    filled = [
        f"{name} {value}" for name, value in now.items() if before.get(name) != value and not name.startswith(chosen)
    ]
    made = f"{choice.backend}, weights in {choice.load_in}, completions by {choice.engine}: "
    findings = [Finding("backend", ("" if choice.backend == "auto" else made) + choice.reason)]
    if filled:
        findings.append(Finding("filled in", f"for {spec.reinforce.algorithm}: {', '.join(filled)}"))
    return findings


def gpu_memory(
    given: Spec, config: Mapping[str, Any], of_rewards: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Finding]:
    """Tell on what GPU the job fits, with the backend that it has or with either that it may get.

    Parameters
    ----------
    given
        The spec as the user wrote it.
    config
        The model's config.json.
    of_rewards
        The config.json of reward models that score on the GPU too, by the names of their rewards.
    """
    if given.parallelism.nodes * given.parallelism.gpus_per_node != 1:
        return []
    choice = choose(given).backend
    found = []
    for backend in ("transformers", "unsloth") if choice == "auto" else (choice,):
        spec = resolve(given, on_backend(given, backend, ""))
        try:
            rewards = reward_models_gib(spec, of_rewards or {})
            parts, gib = estimate(spec, config, rewards_gib=rewards), least_gpu_gib(spec, config, rewards)
        except UnknownShapeError as error:
            return [Finding("memory", f"not estimated: {error}")]
        on = f"{backend} with {spec.model.load_in} weights"
        found.append(Finding("memory", f"{on} fits on a GPU of {gib:.0f} GiB, by estimate; at the least {parts}"))
    return found


def volume(spec: Spec, config: Mapping[str, Any]) -> list[Finding]:
    """Tell how much of the volume the run takes, and warn where the claim that is made for it is smaller.

    Parameters
    ----------
    spec
        The resolved spec.
    config
        The model's config.json.
    """
    try:
        shape = Shape.read(config)
    except UnknownShapeError:
        return []  # memory has told why
    needed = room(spec, shape.parameters, adapter_parameters(spec, shape))
    wrong = None
    if spec.storage.existing_claim is None:
        wrong = too_small(spec, needed, size_of(spec.storage.size), "storage.size")
    if wrong:
        return [Finding("storage", wrong[0], "warning", wrong[1])]
    return [Finding("storage", f"the run takes {needed}, by estimate")]


def adapter_rank(given: Spec) -> list[Finding]:
    """Tell the adapter's rank where the spec as given leaves it open, and why it is that."""
    chosen = chosen_rank(given)
    return [] if chosen is None else [Finding("lora.rank", f"{chosen.value}: {chosen.reason}")]


def learning_rates(spec: Spec, config: Mapping[str, Any]) -> list[Finding]:
    """Tell the learning rates that are left open, and why they will be what they will be.

    Parameters
    ----------
    spec
        The spec.
    config
        The model's config.json.
    """
    try:
        parameters = Shape.read(config).parameters
    except UnknownShapeError as error:
        stages = chosen_rates(spec, 0)
        told = f"follows from the model's size, known once it is loaded: {error}"
        return [Finding(f"{stage}.learningRate", told) for stage in stages]
    rates = chosen_rates(spec, parameters)
    return [Finding(f"{stage}.learningRate", f"{rate.value:g}: {rate.reason}") for stage, rate in rates.items()]


def reward_model(name: str, model: ModelReward, config: Mapping[str, Any], on_gpu: bool) -> Finding:
    """Tell what a reward model takes, which is not read here.

    Parameters
    ----------
    name
        Name of the reward.
    model
        Its settings.
    config
        The model's config.json.
    on_gpu
        Whether it shares the GPU with the training.
    """
    subject = f"reward {name}"
    if not on_gpu:
        return Finding(subject, f"{model.source} scores on the CPU; its weights are not read here")
    try:
        room = f"{reward_model_gib(model, config):.1f} GiB of the GPU, which the estimate has"
    except UnknownShapeError as error:
        room = f"memory that is not estimated: {error}"
    return Finding(subject, f"{model.source} takes {room}; its weights are not read here")


def _flat(part: Any, at: str = "") -> dict[str, Any]:
    document = part.model_dump(by_alias=True, exclude_none=True) if isinstance(part, Spec) else part
    if not isinstance(document, Mapping):
        return {at: document}
    return {
        name: leaf
        for key, value in document.items()
        for name, leaf in _flat(value, f"{at}.{key}" if at else key).items()
    }


def rows(splits: Splits) -> list[Finding]:
    """Count the rows of every set. That they do not overlap was seen to when they were read."""
    sets = {"data.train": splits.train, "data.warmup": splits.warmup, "data.heldOut": splits.held_out}
    findings = [Finding(field, f"{len(each)} rows") for field, each in sets.items() if each]
    if splits.held_out:
        findings.append(Finding("overlap", "no question of data.heldOut is in the rows that are trained on"))
    again = filter(None, (repeated(each, field) for field, each in sets.items()))
    findings += [Finding("data", told, "warning" if OTHERWISE in told else "ok") for told in again]
    return [*findings, *(Finding("data", note, "warning") for note in splits.notes)]


def plan(spec: Spec, train: Sequence[Example]) -> list[Finding]:
    """Tell how much of the data the RL stage sees; nothing without one."""
    reinforce = spec.reinforce
    if reinforce.algorithm == "none":
        return []
    prompts, each = reinforce.batch_size * reinforce.gradient_accumulation, "prompts"
    if reinforce.algorithm in PREFERENCE:
        each = "pairs"
    elif reinforce.algorithm in GROUPED:
        prompts //= reinforce.num_generations
        each = f"prompts with {reinforce.num_generations} completions each"
    steps = reinforce.epochs * len(train) / prompts if reinforce.epochs is not None else float(reinforce.steps or 0)
    passes = steps * prompts / len(train)
    found = [Finding("reinforce", f"{steps:.0f} steps of {prompts} {each}: {passes:.2g} passes over data.train")]
    if difficulty := spec.data.difficulty:
        rows = min(difficulty.rows, len(train))
        what = f"{rows} of {len(train)} rows with {difficulty.samples} completions each"
        found.append(Finding("data.difficulty", f"{what}: {rows * difficulty.samples:,} completions before RL"))
    return found


def prompt_lengths(field: str, lengths: Sequence[int], limit: int) -> Finding:
    """Judge the lengths of a set's prompts, in tokens, against ``reinforce.maxPromptLength``."""
    message = f"{min(lengths)} to {max(lengths)} tokens, median {median(lengths):g}; at most {limit} are allowed"
    long = sum(length > limit for length in lengths)
    if not long:
        return Finding(f"{field} prompts", message)
    hint = "raise reinforce.maxPromptLength, and model.maxSequenceLength with it"
    message = f"{long} of {len(lengths)} rows are left out as too long: {message}"
    if long < len(lengths):
        return Finding(f"{field} prompts", message, "warning", hint)
    return _error(f"{field} prompts", message, hint, ExitCode.DATA_INVALID, "PromptsTooLong")


def answer_lengths(field: str, lengths: Sequence[int], limit: int) -> Finding:
    """Judge the lengths of worked answers, in tokens, against ``reinforce.maxCompletionLength``."""
    message = f"{min(lengths)} to {max(lengths)} tokens, median {median(lengths):g}; completions are cut at {limit}"
    long = sum(length > limit for length in lengths)
    if not long:
        return Finding(f"{field} answers", message)
    message = f"{long} of {len(lengths)} worked answers do not fit into a completion: {message}"
    return Finding(f"{field} answers", message, "warning", "raise reinforce.maxCompletionLength")


def turn(prompt: str, opened: str, end: str) -> list[Finding]:
    """Tell what the chat template writes around the assistant's words.

    Parameters
    ----------
    prompt
        A prompt as the template writes it.
    opened
        What it ends with of the job's own tags.
    end
        What the template writes after the words; without white space, nothing ends the turn.
    """
    found = []
    tag = OPENED.search(prompt)
    if opened:
        message = f"prompts end with {opened!r}, which counts as said: completions go on from there"
        found.append(Finding("chatTemplate", message))
    elif tag:
        message = f"prompts end with {tag[1]}, which neither reasoningTags nor answerTags name: it does not count"
        hint = "set chatTemplate.reasoningTags to the tags that the model thinks in"
        found.append(Finding("chatTemplate", message, "warning", hint))
    if not end.strip():
        message = "the template ends the assistant's turn with nothing: what is trained on it does not end"
        found.append(Finding("chatTemplate", message, "warning", "choose a chatTemplate.family, or mend jinja"))
    return found


def other_end(token: str, own: str | None) -> Finding:
    """Tell that turns end with another token than the tokenizer says."""
    return Finding("chatTemplate", f"turns end with {token}, not the tokenizer's {own}: generation stops there")


def new_tokens(tokens: Sequence[str]) -> Finding:
    """Tell which tokens are added to the vocabulary."""
    return Finding("chatTemplate", f"{', '.join(tokens)} are new to the model, which learns to read and write them")


def turns(count: int, left_out: str) -> Finding:
    """Tell how many turns the warm-up learns, and how many it leaves out as too long."""
    message = f"{count} turns are learned"
    if not left_out:
        return Finding("data.warmup turns", message)
    return Finding("data.warmup turns", f"{message}; {left_out}", "warning", "raise model.maxSequenceLength")


def pairs(train: Sequence[Example]) -> Finding:
    """Judge preference rows: a pair of equal completions teaches nothing."""
    same = [row for row, example in enumerate(train, 1) if example.chosen == example.rejected]
    if not same:
        return Finding("data.train pairs", f"chosen and rejected differ in all {len(train)} rows")
    message = f"chosen and rejected are the same in {len(same)} of {len(train)} rows, first in row {same[0]}"
    hint = "remove those rows"
    if len(same) < len(train):
        return Finding("data.train pairs", message, "warning", hint)
    return _error("data.train pairs", message, hint, ExitCode.NOT_LEARNING, "NothingToLearn")


def rewards(spec: Spec, scores: Mapping[str, Scores], references: Sequence[Sequence[str]]) -> list[Finding]:
    """Judge what the rewards gave for completions whose worth is known.

    Parameters
    ----------
    spec
        The job.
    scores
        Scores by reward; without some, nothing is said of the sum.
    references
        The accepted answers of each sample row.
    """
    findings = [_reward(reward, scores[reward.name], references) for reward in spec.rewards if reward.name in scores]
    if len(findings) < len(spec.rewards):
        return findings
    if all(_is_constant(scores[reward.name]) for reward in spec.rewards):
        return [
            *findings,
            _error(
                "rewards",
                "every reward scores everything alike: advantages are zero, and nothing can be learned",
                "give a reward that tells completions apart, such as correctness or format",
                ExitCode.NOT_LEARNING,
                "NothingToLearn",
            ),
        ]
    return [*findings, _total(spec, scores)]


def _reward(reward: Reward, scores: Scores, references: Sequence[Sequence[str]]) -> Finding:
    subject = f"reward {reward.name}"
    figures = ", ".join(f"{kind} {_say(_mean(each))}" for kind, each in scores.items())
    if reward.builtin == "correctness":
        fault = _incorrect(scores, references)
        if fault is not None:
            hint = "mend the answers (answerPattern), or choose another params.parser"
            message = f"{fault} ({figures})"
            return _error(subject, message, hint, ExitCode.REWARD_FAILED, "RewardMisjudges")
    if _is_constant(scores):
        return Finding(
            subject, f"scores everything alike: {figures}", "warning", "it teaches nothing: mend or remove it"
        )
    return Finding(subject, figures)


def _incorrect(scores: Scores, references: Sequence[Sequence[str]]) -> str | None:
    """Return what is wrong with a correctness reward: accepted answers get full marks, an empty text none."""
    for kind, place in ((WORKED, 0), (OTHER, -1)):
        wrong = [row for row, score in enumerate(scores.get(kind, [])) if score != 1.0]
        if wrong:
            first, of = wrong[0], f"{len(wrong)} of {len(scores[kind])}"
            verdict = "cannot judge" if scores[kind][first] is None else "does not give full marks to"
            return f"{verdict} the {kind} of {of} rows, first row {first + 1}: {references[first][place]!r:.100}"
    if any(score is not None and score > 0 for score in scores[EMPTY]):
        return "gives marks to an empty text"
    if WRONG in scores and all(score == 1.0 for score in scores[WRONG]):
        return "gives full marks to wrong answers"
    return None


def _total(spec: Spec, scores: Mapping[str, Scores]) -> Finding:
    """Judge the weighted sum: the worked answer must be worth more than the wrong one and than nothing."""
    kinds = next(iter(scores.values())).keys()
    worth = {
        kind: sum(reward.weight * (_mean(scores[reward.name][kind]) or 0.0) for reward in spec.rewards)
        for kind in kinds
    }
    figures = ", ".join(f"{kind} {_say(value)}" for kind, value in worth.items())
    beaten = [kind for kind in (WRONG, EMPTY) if kind in worth and WORKED in worth and worth[WORKED] <= worth[kind]]
    if not beaten:
        return Finding("rewards", f"weighted sum: {figures}")
    message = f"the worked answer is worth no more than the {' and the '.join(beaten)}: {figures}"
    hint = "mend the weights of the rewards"
    return _error("rewards", message, hint, ExitCode.REWARD_FAILED, "RewardMisjudges")


def _is_constant(scores: Scores) -> bool:
    return len({score for each in scores.values() for score in each if score is not None}) < 2


def _mean(scores: Sequence[float | None]) -> float | None:
    scored = [score for score in scores if score is not None]
    return fmean(scored) if scored else None


def _say(value: float | None) -> str:
    return "not scored" if value is None else f"{value:.3g}"


def verdict(findings: Sequence[Finding]) -> Problem | None:
    """Return how a run would end by the first error; None if the job can be started."""
    return next((finding.problem for finding in findings if finding.problem), None)


def worth_telling(findings: Sequence[Finding]) -> list[Told]:
    """Return what is not well in the form of the last word, errors first."""
    return [
        Told(level=level, where=each.subject, message=each.message, hint=each.hint)
        for level in _TOLD
        for each in findings
        if each.level == level
    ]


_TOLD: tuple[Literal["error", "warning"], ...] = ("error", "warning")
