"""The whole run, step by step. A step that an earlier attempt finished costs nothing but reading its result."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.rates import chosen_rates, with_rates
from reasoning_contract.spec import Spec

from . import backends
from .algorithms.trl_arguments import refuse_few_rows
from .attempt import Attempt, Context, Policy
from .backends.decision import decided
from .chat.pair_length import pair_tokens
from .data.examples import Example, Splits, first_row
from .data.lengths import PROMPT, SEQUENCE, within_length
from .data.overlap import repeated
from .data.sources import GYM, Source
from .data.splits import load as load_data
from .errors import TrainerError
from .reporting.tracker import Phase
from .reporting.trackers import refuse_missing
from .rewards import Surroundings, build, code_elsewhere
from .rewards.references import set_aside
from .storage.arrivals import arrivals_told, of_data_set, of_model
from .storage.fingerprint import of_folder, of_rows, of_text
from .storage.model_files import begin_to_fetch
from .storage.room import room, too_small
from .storage.run_folder import recipe_of

SIGNIFICANT = 0.05
"""p from which on ``evaluation.requireImprovement`` takes a gain for chance."""


def run(attempt: Attempt) -> None:
    """Run a job from its first step to its last.

    Raises
    ------
    TrainerError
        If the run cannot go on, or is told to stop; what is finished stays finished.
    """
    splits = read_data(attempt)
    attempt = replace(attempt, job=decided(attempt.job, attempt.inputs, attempt.folder.choice, attempt.commits))
    fetched = begin_to_fetch(attempt)
    # the libraries take seconds to import: by now somebody may be looking at /progress; the backend's come first,
    # because unsloth patches the others
    backend = backends.choose(attempt.spec)
    from .chat import control
    from .chat.template import apply_template
    from .stages.adapt import adapt
    from .stages.difficulty import rows_to_learn_from
    from .stages.evaluate import evaluate
    from .stages.export import export, rehearse
    from .stages.largest_step import fit_largest_steps
    from .stages.load import frozen_parameters, load
    from .stages.reinforce import reinforce
    from .stages.warmup import warm_up

    policy = load(attempt, backend, fetched)
    if policy.revision is None:  # of the Hub the run takes one commit
        attempt.folder.agree_on_base_model(of_folder(policy.folder), attempt.spec.checkpoint.on_spec_change)
    apply_template(attempt.spec, policy)
    splits, left_out = control.set_aside(attempt.spec, policy, splits)
    for told in left_out:
        attempt.say(told)
    rehearse(attempt, policy)
    adapt(attempt, policy)
    refuse_little_room(attempt, frozen_parameters(policy.model))
    attempt = fill_in_rates(attempt, frozen_parameters(policy.model))
    take_course(attempt)
    train = fit_lengths(attempt, policy, splits.train, "data.train")
    refuse_few_rows(attempt.spec.reinforce, len(train))
    splits = replace(
        splits,
        train=fit_pairs(attempt, policy, train, "data.train") if attempt.spec.prefers else train,
        held_out=fit_held_out(attempt, policy, splits.held_out, "data.heldOut"),
    )
    attempt = fit_largest_steps(attempt, policy, splits)
    attempt.tracker.finish("load")

    evaluate(attempt, policy, "base", splits.held_out)
    if attempt.spec.warms_up:
        warm_up(attempt, policy, splits)
        evaluate(attempt, policy, "warmup", splits.held_out)
    if attempt.spec.reinforces:
        splits = replace(splits, train=rows_to_learn_from(attempt, policy, splits.train))
        reinforce(attempt, policy, splits)
        evaluate(attempt, policy, "reinforce", splits.held_out)
    export(attempt, policy, splits)
    require_improvement(attempt)


def fill_in_rates(attempt: Attempt, parameters: int) -> Attempt:
    """Return an attempt whose spec has every learning rate, and tell those that were chosen by the model's size."""
    rates = chosen_rates(attempt.spec, parameters)
    for stage, rate in rates.items():
        attempt.say(f"{stage}.learningRate {rate.value:g}: {rate.reason}")
    attempt.tracker.report(learning_rates=rates or None)
    return replace(attempt, job=replace(attempt.job, spec=with_rates(attempt.spec, rates)))


def refuse_little_room(attempt: Attempt, parameters: int) -> None:
    """Refuse a volume that cannot hold what the run writes; what an earlier attempt wrote is there already.

    Parameters
    ----------
    attempt
        The attempt, which has its adapter.
    parameters
        Of the model, without it.

    Raises
    ------
    TrainerError
        If there is too little.
    """
    model = attempt.tracker.progress().model
    needed = room(attempt.spec, parameters, (model and model.trainable_parameters) or 0)
    available = shutil.disk_usage(attempt.folder.path).free + attempt.folder.size
    if wrong := too_small(attempt.spec, needed, available, "the volume"):
        raise TrainerError(ExitCode.STORAGE_FULL, "StorageTooSmall", wrong[0], wrong[1], field="spec.storage.size")


def read_data(attempt: Attempt) -> Splits:
    """Read the rows, and make sure that the checkpoints that lie here were made with them and this recipe."""
    spec = attempt.spec
    backends.check(spec)
    refuse_missing(spec.tracking, os.environ)
    say, sources = attempt.tracker.say, _sources(spec)
    attempt.tracker.begin("load", loading := "loading the rewards")
    models = [reward.model.source for reward in spec.rewards if reward.model]
    with arrivals_told(loading, [place for each in models for place in of_model(each)], say):
        load_rewards(attempt)
    say(reading := _reading(sources))
    source = Source(attempt.inputs.locate, os.environ.get("HF_TOKEN"), attempt.commits)
    with arrivals_told(reading, [place for each in sources for place in of_data_set(each)], say):
        splits = set_aside(spec, load_data(spec, source))
    attempt.tracker.report(data_revisions=source.taken or None)
    attempt.say(first_row(splits))
    for note in splits.notes:
        attempt.say(note)
    for rows, field in (
        (splits.train, "data.train"),
        (splits.warmup, "data.warmup"),
        (splits.held_out, "data.heldOut"),
    ):
        if again := repeated(rows, field):
            attempt.say(again)
    attempt.folder.agree_on_recipe(_recipe(attempt, splits), spec.checkpoint.on_spec_change)
    attempt.tracker.plan(plan(spec, splits))
    attempt.tracker.say("importing libraries")
    attempt.interruption.check()
    return splits


def take_course(attempt: Attempt) -> None:
    """Tell what was changed of the spec in mid-run, before and at this attempt."""
    number = attempt.tracker.progress().attempt
    made = attempt.folder.take_course(attempt.spec, number)
    attempt.tracker.report(spec_changes=made or None)
    for each in made:
        if each.attempt == number:
            attempt.say(f"the spec was changed {each.told}")


def _sources(spec: Spec) -> list[str]:
    """Return where rows are read from, each place once."""
    sets = (spec.data.train, spec.data.warmup, spec.data.held_out)
    return list(dict.fromkeys(rows.source for rows in sets if rows and rows.source))


def _reading(sources: Sequence[str]) -> str:
    """Return what is read, with where it comes from: the Hub may keep one waiting."""
    return "reading the data" + (f": {', '.join(sources)}" if sources else "")


def load_rewards(attempt: Attempt) -> None:
    """Load the rewards' code once, so that what cannot be loaded ends the run before anything takes long."""
    spec = attempt.spec
    with build(
        spec.rewards, spec.chat_template, Surroundings.of(spec, attempt.inputs.locate, attempt.say, attempt.commits)
    ) as rewards:
        rewards.start()


def _recipe(attempt: Attempt, splits: Splits) -> dict[str, Any]:
    """Return what decides what is learned; columns without a role do only where rewards are handed them."""
    spec = attempt.spec
    reads_columns = any(reward.builtin in (None, "code") for reward in spec.rewards)
    sets = {"train": splits.train, "warmup": splits.warmup, "heldOut": splits.held_out}
    rows = {
        name: of_rows([(row, _told_apart(row)) for row in each] if reads_columns else [_learned(row) for row in each])
        for name, each in sets.items()
    }
    code = {name: of_text(text) for name, text in code_elsewhere(spec.rewards, attempt.inputs.locate).items()}
    return recipe_of(spec, rows) | ({"rewardCode": code} if code else {})


def _told_apart(row: Example) -> dict[str, Any]:
    """Return the columns that tell a row apart; where it is from in a task says no more than its question does."""
    return {name: value for name, value in row.columns.items() if name != GYM}


def _learned(row: Example) -> object:
    """Return what is learned from a row, as far as a run is known again by it."""
    return (row, row.answers) if row.answers else row


def fit_lengths(context: Context, policy: Policy, rows: tuple[Example, ...], field: str) -> tuple[Example, ...]:
    """Leave out rows whose prompts are longer than ``reinforce.maxPromptLength``, and say how many."""
    spec = context.spec
    limit = spec.reinforce.max_prompt_length
    if limit is None:
        raise AssertionError("a resolved spec has reinforce.maxPromptLength")
    if not rows:
        return rows
    what = f"prompts of {field}"
    kept, left_out = within_length(rows, policy.prompt_length, limit, what, PROMPT)
    if left_out:
        context.say(left_out)
    return tuple(kept)


def fit_held_out(context: Context, policy: Policy, rows: tuple[Example, ...], field: str) -> tuple[Example, ...]:
    """Leave out held-out rows whose prompts are too long and, of DPO and ORPO, pairs that are: as those of train.

    Of other algorithms the rows stay, since their answers are judged, and no pairs are compared if one is too long.
    """
    rows = fit_lengths(context, policy, rows, field)
    if not rows or not all(row.is_pair for row in rows):
        return rows
    if context.spec.prefers:
        return fit_pairs(context, policy, rows, field)
    limit = context.spec.model.max_sequence_length
    if max(pair_tokens(policy, row) for row in rows) <= limit:
        return rows
    context.say(f"completions of {field} are longer than {SEQUENCE} {limit}: its pairs are not compared")
    return tuple(replace(row, chosen=None, rejected=None) for row in rows)


def fit_pairs(context: Context, policy: Policy, rows: tuple[Example, ...], field: str) -> tuple[Example, ...]:
    """Leave out pairs longer than ``model.maxSequenceLength``, which DPO and ORPO would cut, and say how many."""
    limit, what = context.spec.model.max_sequence_length, f"pairs of {field}"
    kept, left_out = within_length(rows, lambda row: pair_tokens(policy, row), limit, what, SEQUENCE)
    if left_out:
        context.say(left_out)
    return tuple(kept)


def plan(spec: Spec, splits: Splits) -> list[Phase]:
    """Return the phases of a run with their expected cost, in tokens that are generated or trained on.

    A token of an RL step counts four times: it is generated, scored by the model, and trained on forward and backward.
    Loading and export are taken for a twentieth and a hundredth of the rest.
    """
    tokens = spec.reinforce.max_completion_length
    draws = max(spec.evaluation.pass_at_k)
    evaluation = len(splits.held_out) * tokens * (1 + (draws if draws > 1 else 0))
    phases = [_evaluation_phase(spec, "base", evaluation)]
    if spec.warms_up:
        phases.append(Phase("warmup", "warmup", spec.warmup.epochs * len(splits.warmup) * tokens * 3))
        phases.append(_evaluation_phase(spec, "warmup", evaluation))
    if difficulty := spec.data.difficulty:
        rows = min(difficulty.rows, len(splits.train))
        phases.append(Phase("difficulty", "evaluate", rows * difficulty.samples * tokens))
    if spec.reinforces:
        phases.append(Phase("reinforce", "reinforce", _completions(spec, splits) * tokens * 4))
        phases.append(_evaluation_phase(spec, "reinforce", evaluation))
    phases = [phase for phase in phases if phase.cost > 0]
    work = sum(phase.cost for phase in phases)
    return [Phase("load", "load", work / 20), *phases, Phase("export", "export", work / 100)]


def _evaluation_phase(spec: Spec, model: str, cost: float) -> Phase:
    wanted = spec.evaluation.enabled and model in spec.evaluation.stages
    return Phase(f"evaluate {model}", "evaluate", cost if wanted else 0)


def _completions(spec: Spec, splits: Splits) -> float:
    reinforce = spec.reinforce
    if reinforce.epochs is not None:
        return reinforce.epochs * len(splits.train) * reinforce.num_generations
    return (reinforce.steps or 0) * reinforce.batch_size * reinforce.gradient_accumulation


def require_improvement(attempt: Attempt) -> None:
    """Fail a job that asks for a gain and has none. What it wrote stays.

    Raises
    ------
    TrainerError
        If the final model is not better than the base, or may be so by chance.
    """
    if not attempt.spec.evaluation.require_improvement:
        return
    evaluation = attempt.tracker.progress().evaluation
    gain, p = (evaluation.improvement, evaluation.p_value) if evaluation else (None, None)
    if evaluation and gain is None:  # rows without answers are pairs
        gain, p = evaluation.preferred_improvement, evaluation.preferred_p_value
    if gain is None or p is None or p >= SIGNIFICANT:
        raise TrainerError(
            ExitCode.NOT_IMPROVED,
            "NotImproved",
            f"the final model is not shown to be better than the base: gain {gain}, one-sided p {p}",
            "train longer, give more or easier rows, or evaluate on more held-out rows",
        )
