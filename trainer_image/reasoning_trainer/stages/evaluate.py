"""Step 8, first half: the proof. Base, warmed-up and final model answer the same held-out rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from reasoning_contract.spec import Spec, Stage

from ..attempt import Attempt, Context, Policy
from ..backends.base import Completion, Sampling
from ..data.examples import Example
from ..evaluation.scores import Result, compare, score
from ..rewards import Grader, Surroundings, batch_of
from ..storage.run_folder import write_atomic, write_lines

BATCH = {"transformers": 32, "vllm": 256}
"""Prompts that are generated from at once, by the engine: vLLM begins the next as soon as one has ended."""
DRAWN_AT_ONCE = 512
"""Completions that are drawn in one call, of one prompt at least: between two calls it is told that the run goes on.
256 prompts with 64 completions each can take longer than `guards.stall` waits."""
NAMES = {"base": "base model", "warmup": "warmed-up model", "reinforce": "final model"}


def evaluate(attempt: Attempt, policy: Policy, stage: Stage, rows: Sequence[Example]) -> None:
    """Evaluate one model, unless an earlier attempt did so in the same way, and report all scores so far.

    Parameters
    ----------
    attempt
        The attempt.
    policy
        The model, at the end of `stage`.
    stage
        Which model it is; of `base`, the adapter is switched off.
    rows
        The held-out rows.
    """
    spec, tracker = attempt.spec, attempt.tracker
    if not spec.evaluation.enabled or stage not in spec.evaluation.stages:
        return
    phase, path = phase_of(stage), attempt.folder.evaluation / f"{stage}.json"
    engine = policy.backend.engine(spec)
    if path.exists() and _is_of(_read(path), spec, len(rows), engine):
        tracker.finish(phase, earlier=True)
    else:
        tracker.begin(phase, _detail(stage, 0, len(rows)), total=len(rows))
        with policy.model.disable_adapter() if stage == "base" else nullcontext():
            measured = measure(attempt, policy, rows, lambda row: tracker.advance(row, _detail(stage, row, len(rows))))
        keep(measured, path)
        tracker.finish(phase)
    evaluation = compare(read_results(attempt, len(rows), engine), spec.evaluation.pass_at_k)
    tracker.report(evaluation=evaluation)
    if stage == "reinforce":
        tell_of_the_way(attempt)
    if found := getattr(evaluation.held_out, stage):
        attempt.trackers.evaluation(stage, _steps(attempt, stage), found)


def _steps(attempt: Attempt, stage: Stage) -> int:
    """Return the steps that a model has been trained for in its stage."""
    return 0 if stage == "base" else attempt.folder.stage(stage).last_step


def evaluate_on_the_way(attempt: Attempt, policy: Policy, rows: Sequence[Example], step: int) -> None:
    """Evaluate the model in the middle of RL; the result lies beside the others and stays out of the comparison."""
    path = attempt.folder.evaluation / f"reinforce-{step}.json"
    if not path.exists():
        detail = f"evaluating at step {step}, row {{}} of {len(rows)}"
        measured = measure(attempt, policy, rows, lambda row: attempt.tracker.say(detail.format(row)))
        keep(measured, path)
        attempt.say(f"step {step}: held-out {_first_figure(measured.result)}")
    tell_of_the_way(attempt)


def tell_of_the_way(attempt: Attempt) -> None:
    """Tell trackers of the evaluations in the middle of RL, those of earlier attempts among them."""
    numbers = [path.stem.rpartition("-")[2] for path in attempt.folder.evaluation.glob("reinforce-*.json")]
    for step in sorted(map(int, numbers)):
        result = _read(attempt.folder.evaluation / f"reinforce-{step}.json")
        attempt.trackers.evaluation("reinforce", step, score(result, attempt.spec.evaluation.pass_at_k))


def _first_figure(result: Result) -> str:
    return f"accuracy {fmean(result.right):.3f}" if result.right else f"pairs preferred {fmean(result.preferred):.3f}"


def phase_of(stage: Stage) -> str:
    """Return the tracker's name for the evaluation of a model."""
    return f"evaluate {stage}"


def _detail(stage: Stage, row: int, rows: int) -> str:
    return f"{NAMES[stage]}, row {row} of {rows}"


@dataclass(frozen=True)
class Measured:
    """A result, and what the model wrote."""

    result: Result
    transcripts: list[dict[str, Any]]


def measure(context: Context, policy: Policy, rows: Sequence[Example], report: Callable[[int], None]) -> Measured:
    """Have the model answer rows.

    Parameters
    ----------
    context
        The job.
    policy
        The model as it is.
    rows
        Rows with prompt and answer, or pairs with neither or both; at least one.
    report
        Called with the number of rows that are done.

    Raises
    ------
    TrainerError
        If the process is told to stop.
    """
    spec = context.spec
    with (
        closing(Grader(spec.rewards, spec.chat_template, Surroundings(box=spec.reward_box))) as grader,
        policy.backend.generating(spec, policy.model, policy.folder, context.say),
    ):
        return _measure(context, policy, rows, grader, report)


def _measure(
    context: Context, policy: Policy, rows: Sequence[Example], grader: Grader, report: Callable[[int], None]
) -> Measured:
    spec = context.spec
    pairs = all(row.is_pair for row in rows)
    known = all(row.answer for row in rows)
    answers: list[Completion] = []
    sampled_right: list[int] = []
    margins: list[float] = []
    engine = policy.backend.engine(spec)
    for start in range(0, len(rows), BATCH[engine]):
        context.interruption.check()
        batch = rows[start : start + BATCH[engine]]
        prompts = [policy.prompt(row) for row in batch]
        answers += _answer(spec, policy, prompts)
        if draws(spec):
            at_once = max(1, DRAWN_AT_ONCE // draws(spec))
            for first in range(0, len(batch), at_once):
                context.interruption.check()
                asked, part = prompts[first : first + at_once], batch[first : first + at_once]
                drawn = policy.backend.generate(
                    policy.model, policy, asked, drawn_as_in_rl(spec, draws(spec), start + first)
                )
                sampled_right += [
                    sum(_are_right(grader, [row] * len(group), group)) for group, row in zip(drawn, part, strict=True)
                ]
                report(start + first + len(part))
        if pairs:
            margins += _margins(spec, policy, batch, prompts)
        report(start + len(batch))
    result = Result(
        right=_are_right(grader, rows, answers) if known else [],
        formatted=[grader.is_well_formed(answer.text) for answer in answers],
        lengths=[answer.tokens for answer in answers],
        sampled_right=sampled_right,
        margins=margins,
        draws=draws(spec),
        engine=engine,
    )
    verdicts: Sequence[bool | None] = result.right or [None] * len(rows)
    transcripts = [
        {"prompt": row.prompt, "answer": row.told_answer, "completion": answer.text, "right": right}
        for row, answer, right in zip(rows, answers, verdicts, strict=True)
    ]
    return Measured(result, transcripts[: spec.evaluation.samples])


def _answer(spec: Spec, policy: Policy, prompts: Sequence[str]) -> list[Completion]:
    """Return the greedy answer to each prompt."""
    greedy = Sampling(max_tokens=spec.reinforce.max_completion_length)
    return [each[0] for each in policy.backend.generate(policy.model, policy, prompts, greedy)]


def keep(measured: Measured, path: Path) -> None:
    """Write what was measured; the result last, so that its presence says that the evaluation is finished."""
    write_lines(path.with_suffix(".jsonl"), measured.transcripts)
    write_atomic(path, json.dumps(asdict(measured.result)))


def draws(spec: Spec) -> int:
    """Return how many completions of each row are sampled beside the greedy one."""
    most = max(spec.evaluation.pass_at_k)
    return most if most > 1 else 0


def drawn_as_in_rl(spec: Spec, count: int, start: int) -> Sampling:
    """Return how so many completions of a prompt are drawn, the first of the prompts being that number."""
    reinforce = spec.reinforce
    return Sampling(
        max_tokens=reinforce.max_completion_length,
        temperature=reinforce.temperature,
        top_p=reinforce.top_p,
        top_k=reinforce.top_k or 0,
        min_p=reinforce.min_p,
        count=count,
        seed=reinforce.seed + start,
    )


def _margins(spec: Spec, policy: Policy, rows: Sequence[Example], prompts: Sequence[str]) -> list[float]:
    def likelihoods(completions: list[str | None]) -> list[float]:
        texts = [policy.continuation(row, text or "") for row, text in zip(rows, completions, strict=True)]
        return policy.backend.log_likelihoods(policy.model, policy.tokenizer, prompts, texts)

    chosen, rejected = likelihoods([row.chosen for row in rows]), likelihoods([row.rejected for row in rows])
    return [better - worse for better, worse in zip(chosen, rejected, strict=True)]


def _are_right(grader: Grader, rows: Sequence[Example], answers: Sequence[Completion]) -> list[bool]:
    """Tell which completions are right; one whose reference cannot be judged is not shown to be."""
    batch = batch_of(rows, [row.prompt or "" for row in rows], [answer.text for answer in answers])
    return [right is True for right in grader.are_right(batch)]


def read_results(attempt: Attempt, rows: int, engine: str) -> dict[Stage, Result]:
    """Return the results so far, by model; those of another number of rows or samples, or engine, are left out."""
    stages: tuple[Stage, ...] = ("base", "warmup", "reinforce")
    paths = {stage: attempt.folder.evaluation / f"{stage}.json" for stage in stages}
    results = {stage: _read(path) for stage, path in paths.items() if path.exists()}
    return {stage: result for stage, result in results.items() if _is_of(result, attempt.spec, rows, engine)}


def _is_of(result: Result, spec: Spec, rows: int, engine: str) -> bool:
    """Whether a result is of the evaluation that is asked for: an earlier version may have left out other rows, and
    one adapter was seen up to 7 points apart on two engines.
    """
    return (result.draws, len(result.lengths), result.engine) == (draws(spec), rows, engine)


def _read(path: Path) -> Result:
    return Result(**json.loads(path.read_text("utf-8")))
