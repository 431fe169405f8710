"""Tries the largest step of each stage before anything is spent: docs/gpu.md says what that finds and costs."""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, get_args

import torch

from reasoning_contract import step_sizes
from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import PREFERENCE, Spec
from reasoning_contract.step_sizes import LargestStep, TrainedStage, halved, sizes, with_sizes

from ..algorithms.one_step import moment_bytes, of_completions, of_rows, same_numbers, take_step
from ..algorithms.training import drop_reference
from ..attempt import Attempt, Policy
from ..chat.demonstrations import demonstrate
from ..chat.pair_length import pair_tokens
from ..data.examples import Splits
from ..errors import TrainerError
from ..resource_failures import GIB, resource_failure
from ..storage.run_folder import write_atomic
from .reinforce import make_trial_trainer
from .warmup import make_trainer


def fit_largest_steps(attempt: Attempt, policy: Policy, splits: Splits) -> Attempt:
    """Return an attempt whose forward passes are as large as the GPU's memory allows, and report what was tried.

    What an earlier attempt found on such a GPU is taken over: a run goes on with the sizes that it began with.

    Raises
    ------
    TrainerError
        If a step does not fit and may not, or can no more, be halved.
    """
    if not step_sizes.is_tried(attempt.spec):
        return attempt
    kept = _read(attempt)
    for stage in get_args(TrainedStage):
        if not _takes_place(attempt.spec, stage):
            continue
        if attempt.folder.stage(stage).is_done:
            _report(attempt, kept, stage)
            continue
        longest = _longest(attempt, policy, splits, stage)
        asked = {"sizes": list(sizes(attempt.spec, stage)), "tokens": longest.tokens, "gpuBytes": _gpu_bytes()}
        before = kept.get(stage)
        if before and before["asked"] == asked:
            found = LargestStep.model_validate(before["found"])
            attempt = _resized(attempt, stage, found.batch_size, found.gradient_accumulation)
        else:
            attempt, tried = _fit(attempt, policy, stage, longest)
            if tried is None:
                continue
            found = tried
        kept[stage] = {"asked": asked, "found": found.model_dump(by_alias=True)}
        write_atomic(attempt.folder.largest_steps, json.dumps(kept))
        attempt.say(f"largest step of {stage}: {found.message}")
        _report(attempt, kept, stage)
    return attempt


def _report(attempt: Attempt, kept: Mapping[str, Any], stage: TrainedStage) -> None:
    if stage in kept:
        reported = attempt.tracker.progress().largest_steps or {}
        found = LargestStep.model_validate(kept[stage]["found"])
        attempt.tracker.report(largest_steps=reported | {stage: found})


def _read(attempt: Attempt) -> dict[str, Any]:
    path = attempt.folder.largest_steps
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def _takes_place(spec: Spec, stage: TrainedStage) -> bool:
    """Whether there is such a stage whose trainer tells its loss: PPO's loop is of one piece."""
    return spec.warms_up if stage == "warmup" else spec.reinforces and spec.reinforce.algorithm != "PPO"


class _Longest(NamedTuple):
    row: Any
    """The row whose sequence is the longest of a stage."""
    tokens: int
    """Length of that."""
    prompt: Sequence[int] = ()
    """Tokens of its prompt, where a completion is written to it."""


def _longest(attempt: Attempt, policy: Policy, splits: Splits, stage: TrainedStage) -> _Longest:
    spec = attempt.spec
    if stage == "warmup":
        rows, _ = demonstrate(spec, policy, splits.warmup)
        row = max(rows, key=lambda each: len(each["input_ids"]))
        return _Longest(row, len(row["input_ids"]))
    if spec.prefers:
        pair = max(splits.train, key=lambda each: pair_tokens(policy, each))
        return _Longest(pair, pair_tokens(policy, pair))
    example = max(splits.train, key=policy.prompt_length)
    prompt = policy.tokens(policy.prompt(example))
    return _Longest(example, len(prompt) + spec.reinforce.max_completion_length, prompt)


def _fit(
    attempt: Attempt, policy: Policy, stage: TrainedStage, longest: _Longest
) -> tuple[Attempt, LargestStep | None]:
    """Halve until a step fits; of one that cannot be tried nothing is known."""
    asked = sizes(attempt.spec, stage)
    _have_the_engine_take_its_share(attempt, policy)
    while True:
        attempt.interruption.check()
        what = _in_words(sizes(attempt.spec, stage)[0], longest)
        attempt.tracker.say(f"trying the largest step of {stage}, {what}")
        tried = _try(attempt, policy, stage, longest)
        if tried.broken:  # whatever is wrong with the trial, a run that has enough is not to end by it
            attempt.say(f"warning: the largest step of {stage} could not be tried: {tried.broken}")
            return attempt, None
        if tried.failure is None:
            return attempt, _found(attempt.spec, stage, asked, longest, tried.peak_gib)
        smaller = halved(attempt.spec, stage)
        if smaller is None:
            raise _does_not_fit(tried.failure, attempt.spec, stage, what)
        attempt.say(f"the largest step of {stage}, {what}, does not fit: {tried.failure.message}")
        attempt = _resized(attempt, stage, *sizes(smaller, stage))


def _in_words(batch: int, longest: _Longest) -> str:
    return f"{batch} sequence{'s' * (batch > 1)} of {longest.tokens} tokens"


def _found(
    spec: Spec, stage: TrainedStage, asked: tuple[int, int], longest: _Longest, peak_gib: float | None
) -> LargestStep:
    batch, accumulation = sizes(spec, stage)
    message = (
        f"{batch} sequences of {longest.tokens} tokens fit" if batch > 1 else f"one of {longest.tokens} tokens fits"
    )
    if batch < asked[0]:
        message += f"; {asked[0]} did not, and gradientAccumulation is {accumulation} instead of {asked[1]}"
    return LargestStep(
        batch_size=batch,
        gradient_accumulation=accumulation,
        tokens=longest.tokens,
        peak_gi_b=peak_gib,
        message=message,
    )


def _have_the_engine_take_its_share(attempt: Attempt, policy: Policy) -> None:
    """Start what generates, where the run needs it: what it keeps while the model trains is missing to the step."""
    spec = attempt.spec
    if spec.evaluation.enabled or (spec.reinforces and spec.reinforce.algorithm not in PREFERENCE):
        with policy.backend.generating(spec, policy.model, policy.folder, attempt.say):
            pass


class _Tried(NamedTuple):
    failure: TrainerError | None
    """What the step lacks, if the GPU's memory ran out."""
    broken: str
    """What else went wrong; empty if nothing did."""
    peak_gib: float | None


def _try(attempt: Attempt, policy: Policy, stage: TrainedStage, longest: _Longest) -> _Tried:
    _give_memory_back()
    failure, broken = None, ""
    try:
        with same_numbers():
            _step(attempt, policy, stage, longest)
    except Exception as error:
        failure = resource_failure(error, attempt.spec, stage, attempt.folder.path)
        if failure is None or failure.exit_code != ExitCode.OUT_OF_GPU_MEMORY:
            failure, broken = None, f"{type(error).__name__}: {error}"
    finally:
        drop_reference(policy)
    peak = _peak_gib()
    _give_memory_back()
    return _Tried(failure, broken, peak)


def _step(attempt: Attempt, policy: Policy, stage: TrainedStage, longest: _Longest) -> None:
    spec = attempt.spec
    batch, _ = sizes(spec, stage)
    if stage == "warmup":
        trainer = make_trainer(attempt, policy, [longest.row] * batch, [])
        inputs = of_rows(trainer)
    else:
        trainer = make_trial_trainer(attempt, policy, [longest.row] * batch)
        filler = policy.tokenizer.eos_token_id
        inputs = of_rows(trainer) if spec.prefers else of_completions(trainer, longest.prompt, filler)
    take_step(trainer, inputs, moment_bytes(spec, stage, policy.model))


def _resized(attempt: Attempt, stage: TrainedStage, batch_size: int, gradient_accumulation: int) -> Attempt:
    spec = with_sizes(attempt.spec, stage, batch_size, gradient_accumulation)
    return replace(attempt, job=replace(attempt.job, spec=spec))


def _does_not_fit(failure: TrainerError, spec: Spec, stage: TrainedStage, what: str) -> TrainerError:
    batch, _ = sizes(spec, stage)
    length = "model.maxSequenceLength" if stage == "warmup" or spec.prefers else "reinforce.maxCompletionLength"
    hint = failure.hint if batch == 1 else f"{failure.hint}; or set guards.largestStep.action: halve"
    return TrainerError(
        failure.exit_code,
        failure.reason,
        f"the largest step of {stage}, {what}, does not fit, as was tried before anything was spent: {failure.message}",
        hint,
        field=f"spec.{f'{stage}.batchSize' if batch > 1 else length}",
    )


def _give_memory_back() -> None:
    """Have the GPU's memory be as it was: what failed is held in cycles of objects."""
    if torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _peak_gib() -> float | None:
    return round(torch.cuda.max_memory_reserved() / GIB, 2) if torch.cuda.is_available() else None


def _gpu_bytes() -> int:
    return torch.cuda.get_device_properties(0).total_memory if torch.cuda.is_available() else 0
