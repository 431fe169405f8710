"""The command `try-rewards`: what the rewards of a manifest give for completions, without a model."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, pstdev
from tempfile import TemporaryDirectory

from rich.table import Column, Table

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_contract.spec import Spec, Unscored

from ..data.examples import Example
from ..data.files import read_file
from ..data.sources import Source
from ..data.splits import load_train
from ..data.values import list_of
from ..errors import TrainerError, invalid_data
from ..job import inputs_of, read_job
from ..outcomes import outcome_of
from ..reporting.display import Display
from ..rewards import Batch, RewardFunction, Surroundings, build
from .findings import EMPTY, OTHER, WORKED, WRONG
from .samples import NO_REASONING, conversation, samples

ROWS = 64
"""Rows that are tried."""
PASTED, CHOSEN, REJECTED = "pasted", "chosen", "rejected"
SHOWN = 20
"""Pasted completions that are shown one by one."""
EXCERPT = 40
"""Characters that are shown of each."""


@dataclass(frozen=True)
class Options:
    """What the command line says; see its help."""

    job: Path
    completions: Path | None = None
    configmaps: Path | None = None
    claims: Path | None = None


@dataclass(frozen=True)
class Kind:
    """Completions that are scored at once.

    Attributes
    ----------
    name
        What they are.
    rows
        The row that each belongs to.
    batch
        The completions.
    """

    name: str
    rows: Sequence[Example]
    batch: Batch


@dataclass
class Tried:
    """What became of one reward.

    Attributes
    ----------
    name
        Its name.
    scores
        Scores by kind.
    seconds
        Time that each call took.
    problems
        What it failed on.
    """

    name: str
    scores: dict[str, list[float | None]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def try_rewards(options: Options, display: Display) -> Outcome:
    """Score completions, show what every reward gives, and return whether all could."""
    try:
        job = read_job(options.job)
        with TemporaryDirectory() as scratch:
            inputs = inputs_of(job, options.configmaps, options.claims, Path(scratch))
            rows = load_train(job.spec, Source(inputs.locate, os.environ.get("HF_TOKEN")))
            pasted = options.completions
            kinds = [_pasted(job.spec, rows, pasted)] if pasted else _known(job.spec, rows[:ROWS])
            problems: list[str] = []
            around = Surroundings(
                inputs.locate, display.say, problems.append, Unscored(action="off"), job.spec.reward_box
            )
            for reward in job.spec.rewards:
                if reward.reads_the_base:
                    display.say(f"{reward.name}: the job's own model gives it, which is not read here: it is not tried")
            wanted = [reward for reward in job.spec.rewards if not reward.reads_the_base]
            with build(wanted, job.spec.chat_template, around) as rewards:
                tried = [_try(function, kinds, problems) for function in rewards.functions]
    except Exception as error:
        return outcome_of(error)
    _show(tried, kinds, display)
    if told := _unreasoned(job.spec, kinds):
        display.say(told)
    return _outcome(tried, len(kinds) * len(kinds[0].batch))


def _known(spec: Spec, rows: Sequence[Example]) -> list[Kind]:
    found = samples(spec, rows, str.split)
    if all(row.is_pair for row in rows):  # whole completions, where a worked answer may have no reasoning
        found |= {CHOSEN: [row.chosen or "" for row in rows], REJECTED: [row.rejected or "" for row in rows]}
    return [
        Kind(name, rows, conversation(spec, rows, found[name], tokens))
        for name in (WORKED, OTHER, CHOSEN, REJECTED, WRONG, EMPTY)
        if name in found
    ]


def _unreasoned(spec: Spec, kinds: Sequence[Kind]) -> str:
    """Return a sentence where rewards that read the reasoning are shown answers without one."""
    readers = [reward.name for reward in spec.rewards if reward.model or reward.judge]
    worked = [kind for kind in kinds if kind.name == WORKED]
    without = sum(row.reasoning is None for kind in worked for row in kind.rows)
    if not readers or not without:
        return ""
    better = "by the pairs" if any(kind.name == CHOSEN for kind in kinds) else "by a model's own: --completions"
    return (
        f"{without} of {len(worked[0].rows)} rows have no reasoning: {NO_REASONING} stands for it, in worked and wrong "
        f"answers alike. {', '.join(readers)} may read it, and so prefer either; judge what it is worth {better}"
    )


def _pasted(spec: Spec, train: Sequence[Example], path: Path) -> Kind:
    """Read completions: a text is one of the first row; else rows of a file with a column `completion`.

    What a row lacks is taken from the row of data.train with the same prompt, or from the first.
    """
    if path.suffix == ".txt":
        records: list[dict[str, object]] = [{"completion": path.read_text("utf-8")}]
    else:
        records = read_file(path, str(path))
    if not records or not all(isinstance(record.get("completion"), str) for record in records):
        hint = "give JSONL with an object a line, or the text of one completion in a .txt file"
        raise invalid_data("CompletionsMissing", f"{path}: rows need a text in the column completion", hint)
    by_prompt = {row.prompt: row for row in reversed(train)}
    rows = [_row(record, by_prompt, train[0]) for record in records]
    return Kind(PASTED, rows, conversation(spec, rows, [str(record["completion"]) for record in records], tokens))


def _row(record: Mapping[str, object], by_prompt: Mapping[str | None, Example], first: Example) -> Example:
    prompt = record.get("prompt")
    known = by_prompt.get(str(prompt), Example(prompt=str(prompt))) if prompt is not None else first
    columns = {name: value for name, value in record.items() if name != "completion"}
    row = replace(known, columns={**known.columns, **columns})
    if "answers" in record:
        accepted = tuple(str(each) for each in list_of(record["answers"], "a pasted completion's answers"))
        return replace(row, answer=accepted[0] if accepted else None, answers=accepted)
    if "answer" in record:
        answer = record["answer"]
        return replace(row, answer=None if answer is None else str(answer), answers=())
    return row


def tokens(text: str) -> list[int]:
    """Return a number for each word: without the model's tokenizer, lengths are counted in words."""
    return list(range(len(text.split())))


def _try(function: RewardFunction, kinds: Sequence[Kind], problems: list[str]) -> Tried:
    """Score all kinds; the time of loading is none of the calls'."""
    tried = Tried(function.name)
    try:
        function.start()
        for kind in kinds:
            begin = time.monotonic()
            tried.scores[kind.name] = function.score(kind.batch)
            tried.seconds.append(time.monotonic() - begin)
    except TrainerError as error:
        tried.problems.append(error.message)
    tried.problems += problems
    problems.clear()
    return tried


def spread(scores: Mapping[str, Sequence[float | None]], groups: Sequence[Sequence[tuple[str, int]]]) -> float | None:
    """Return the mean over groups of the standard deviation of a group's scores; None if nothing can be compared.

    Parameters
    ----------
    scores
        Scores by kind.
    groups
        Completions of one prompt, each by its kind and its place there.
    """
    found = [[scores[kind][place] for kind, place in group if kind in scores] for group in groups]
    scored = [[score for score in group if score is not None] for group in found]
    spreads = [pstdev(group) for group in scored if len(group) > 1]
    return fmean(spreads) if spreads else None


def _groups(kinds: Sequence[Kind]) -> list[list[tuple[str, int]]]:
    groups: dict[str | None, list[tuple[str, int]]] = {}
    for kind in kinds:
        for place, row in enumerate(kind.rows):
            groups.setdefault(row.prompt, []).append((kind.name, place))
    return list(groups.values())


def _show(tried: Sequence[Tried], kinds: Sequence[Kind], display: Display) -> None:
    display.say(_table(tried, kinds))
    if kinds[0].name == PASTED:
        display.say(_one_by_one(tried, kinds[0]))
    for each in tried:
        for problem in each.problems:
            display.say(problem)


def _table(tried: Sequence[Tried], kinds: Sequence[Kind]) -> Table:
    # a column for each reward, of which there are few: with one for each kind a terminal cut the figures
    table = Table(Column("mean", no_wrap=True), *(Column(each.name, overflow="fold") for each in tried))
    for kind in kinds:
        means = (_mean(each.scores.get(kind.name, [])) for each in tried)
        table.add_row(f"{kind.name} ({len(kind.batch)})", *map(_figure, means))
    groups = _groups(kinds)
    table.add_section()
    table.add_row("spread", *(_figure(spread(each.scores, groups)) for each in tried))
    table.add_row("unscored", *(str(sum(one.count(None) for one in each.scores.values())) for each in tried))
    table.add_row("ms a call", *(f"{1000 * max(each.seconds):.1f}" if each.seconds else "-" for each in tried))
    return table


def _one_by_one(tried: Sequence[Tried], kind: Kind) -> Table:
    table = Table("completion", *(each.name for each in tried))
    for place, text in enumerate(kind.batch.completion_texts[:SHOWN]):
        scores = (each.scores.get(kind.name, [None] * len(kind.batch))[place] for each in tried)
        table.add_row(repr(text[:EXCERPT]), *map(_figure, scores))
    return table


def _mean(scores: Sequence[float | None]) -> float | None:
    scored = [score for score in scores if score is not None]
    return fmean(scored) if scored else None


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _outcome(tried: Sequence[Tried], completions: int) -> Outcome:
    failed = list(_failed(tried))
    if not failed:
        message = f"{len(tried)} rewards scored {completions} completions; lengths are counted in words here"
        return Outcome(exit_code=ExitCode.DONE, reason="RewardsTried", message=message)
    message = f"{', '.join(failed)} failed on some or all of {completions} completions: see above"
    return Outcome(
        exit_code=ExitCode.REWARD_FAILED, reason="RewardFailing", message=message, hint="mend what is named above"
    )


def _failed(tried: Sequence[Tried]) -> Iterator[str]:
    return (each.name for each in tried if each.problems)
