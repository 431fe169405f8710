"""Before RL: how often the model, as it is now, solves rows of train, and which of them RL asks."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from reasoning_contract.report import DifficultyStatus
from reasoning_contract.spec import Difficulty, Spec
from reasoning_shared.run_view import DIFFICULTY

from ..algorithms.trl_arguments import refuse_few_rows
from ..attempt import Attempt, Policy
from ..backends import engine_sizes
from ..backends.base import Completion
from ..data.examples import Example
from ..errors import invalid_data
from ..evaluation.difficulty import (
    ROUNDING,
    Tally,
    histogram,
    judge_difficulty,
    mean_share,
    measured_rows,
    nothing_left,
    told,
)
from ..rewards import RewardSet, Surroundings, batch_of, build
from ..storage.fingerprint import of_rows
from ..storage.run_folder import write_atomic, write_lines
from .evaluate import BATCH, DRAWN_AT_ONCE, drawn_as_in_rl

PHASE = "difficulty"
"""The tracker's name for it."""
CONDITION = "DifficultyFits"


@dataclass(frozen=True)
class Profile:
    """What was measured so far.

    Attributes
    ----------
    made_by
        The rows, and how completions were drawn: that of other ones says nothing. The model is that of the run's
        folder, from which a change of the recipe throws it out.
    tallies
        The measured rows, in order.
    seconds
        What it took, in all attempts.
    """

    made_by: dict[str, Any]
    tallies: Sequence[Tally] = ()
    seconds: float = 0.0

    @classmethod
    def read(cls, path: Path) -> Profile | None:
        """Return what an earlier attempt kept; None where none did."""
        if not path.exists():
            return None
        document = json.loads(path.read_text("utf-8"))
        return cls(document["made_by"], [Tally(**each) for each in document["tallies"]], document["seconds"])

    def keep(self, path: Path) -> None:
        """Write it: an attempt that is killed loses no more than the batch it was at."""
        write_atomic(path, json.dumps(asdict(self)))


def rows_to_learn_from(attempt: Attempt, policy: Policy, train: tuple[Example, ...]) -> tuple[Example, ...]:
    """Return the rows that RL asks: all, or those that ``data.difficulty`` does not set aside.

    Parameters
    ----------
    attempt
        The attempt.
    policy
        The model as it goes into RL.
    train
        The rows of train that are short enough.

    Raises
    ------
    TrainerError
        If no row is left, or not enough for a step, or the process is told to stop.
    """
    settings = attempt.spec.data.difficulty
    if settings is None:
        return train
    profile = _measured(attempt, policy, train, settings)
    aside = {tally.row for tally in profile.tallies if not tally.is_within(settings)}
    kept = tuple(row for number, row in enumerate(train) if number not in aside)
    _tell(attempt, profile, settings, len(train), len(aside))
    if not kept:
        raise invalid_data("NoRowLeft", *nothing_left(profile.tallies, settings))
    refuse_few_rows(attempt.spec.reinforce, len(kept), f" left by data.difficulty, which sets {len(aside)} aside")
    return kept


def _measured(attempt: Attempt, policy: Policy, train: Sequence[Example], settings: Difficulty) -> Profile:
    """Return the whole profile, of which an earlier attempt may have measured all or a part."""
    folder, tracker = attempt.folder.difficulty, attempt.tracker
    profile = _begun(attempt, folder / "profile.json", _made_by(attempt.spec, policy, train))
    numbers = measured_rows(len(train), settings, attempt.spec.reinforce.seed)
    done, total = len(profile.tallies), len(numbers)
    if done == total:
        tracker.finish(PHASE, earlier=True)
        return profile
    attempt.say(
        f"data.difficulty: {settings.samples} completions each of {total} of {len(train)} rows of data.train, "
        f"{settings.samples * total:,} completions"
    )
    tracker.begin(PHASE, _detail(done, total), total=total, done=done)
    at_once = rows_at_once(attempt.spec, policy.backend.engine(attempt.spec), settings.samples)
    around = Surroundings.of(attempt.spec, attempt.inputs.locate, attempt.say, attempt.commits)
    judge = [reward for reward in attempt.spec.rewards if reward is attempt.spec.judge]
    with (
        build(judge, attempt.spec.chat_template, around) as rewards,
        policy.backend.generating(attempt.spec, policy.model, policy.folder, attempt.say),
    ):
        for start in range(done, total, at_once):
            attempt.interruption.check()
            begun = time.monotonic()
            found = _tallies(attempt.spec, policy, train, numbers[start : start + at_once], rewards)
            seconds = profile.seconds + time.monotonic() - begun
            profile = replace(profile, tallies=[*profile.tallies, *found], seconds=seconds)
            profile.keep(folder / "profile.json")
            tracker.advance(len(profile.tallies), _detail(len(profile.tallies), total))
    write_lines(folder / "rows.jsonl", [_line(train[tally.row], tally, settings) for tally in profile.tallies])
    tracker.finish(PHASE)
    return profile


def rows_at_once(spec: Spec, engine: str, samples: int) -> int:
    """Return how many rows are answered in one call: at least one.

    vLLM queues what finds no room. The model itself writes all completions of a call at once: no more of them than the
    evaluation or RL has it write, so that a run which has memory for those has enough for this.
    """
    if engine == "vllm":
        return min(BATCH[engine], max(1, DRAWN_AT_ONCE // samples))
    in_rl = max(spec.reinforce.batch_size, engine_sizes.completions(spec))
    return max(1, min(DRAWN_AT_ONCE, max(BATCH[engine], in_rl)) // samples)


def _begun(attempt: Attempt, path: Path, made_by: dict[str, Any]) -> Profile:
    """Return what an earlier attempt measured, if it still holds.

    Once RL has begun it does, whatever has changed of how completions are drawn: RL goes on with the rows that it has.
    """
    kept, stage = Profile.read(path), attempt.folder.stage("reinforce")
    if kept is None or kept.made_by["train"] != made_by["train"]:
        return Profile(made_by)
    has_begun = stage.is_done or bool(stage.checkpoints())
    return kept if has_begun or kept.made_by == made_by else Profile(made_by)


def _made_by(spec: Spec, policy: Policy, train: Sequence[Example]) -> dict[str, Any]:
    settings = spec.data.difficulty
    if settings is None:
        raise AssertionError("nothing is measured without data.difficulty")
    return {
        "train": of_rows(train),
        "rows": settings.rows,
        "engine": policy.backend.engine(spec),
        "sampling": asdict(drawn_as_in_rl(spec, settings.samples, 0)),
    }


def _tallies(
    spec: Spec, policy: Policy, train: Sequence[Example], numbers: Sequence[int], rewards: RewardSet
) -> list[Tally]:
    """Have the model answer some rows, and count what is right: what the judge gives full marks."""
    rows = [train[number] for number in numbers]
    count = spec.data.difficulty.samples if spec.data.difficulty else 0
    sampling = drawn_as_in_rl(spec, count, numbers[0])
    drawn = policy.backend.generate(policy.model, policy, [policy.prompt(row) for row in rows], sampling)
    asked = [row for row, group in zip(rows, drawn, strict=True) for _ in group]
    written = [each for group in drawn for each in group]
    said = [[{"role": "assistant", "content": each.text}] for each in written]
    batch = batch_of(asked, [policy.asked(row) for row in asked], said, [each.ids for each in written])
    (scores,) = rewards.score(batch).values()
    groups = [scores[start : start + count] for start in range(0, len(scores), count)]
    return [
        _tally(number, group, completions, sampling.max_tokens)
        for number, group, completions in zip(numbers, groups, drawn, strict=True)
    ]


def _tally(row: int, scores: Sequence[float | None], completions: Sequence[Completion], longest: int) -> Tally:
    judged = [score for score in scores if score is not None]
    right = sum(score >= 1 - ROUNDING for score in judged)
    return Tally(row, right, len(judged), sum(each.tokens >= longest for each in completions))


def _line(row: Example, tally: Tally, settings: Difficulty) -> dict[str, Any]:
    counts = {"right": tally.right, "judged": tally.judged, "cut": tally.cut}
    where = {"row": row.place.row, "prompt": row.prompt, "answer": row.answer}
    return where | counts | {"asked": tally.is_within(settings)}


def _detail(done: int, total: int) -> str:
    return f"{DIFFICULTY}, row {done} of {total}"


def _tell(attempt: Attempt, profile: Profile, settings: Difficulty, of: int, aside: int) -> None:
    tallies, verdict = profile.tallies, judge_difficulty(profile.tallies, settings)
    share = mean_share(tallies)
    status = DifficultyStatus(
        rows=len(tallies),
        of=of,
        samples=settings.samples,
        completions=settings.samples * len(tallies),
        seconds=round(profile.seconds, 1),
        mean_share=None if share is None else round(share, 4),
        histogram=histogram(tallies),
        set_aside=aside,
    )
    attempt.tracker.report(difficulty=status, guards=[verdict.to_report(CONDITION)])
    attempt.say(f"data.difficulty, in {profile.seconds:.0f} s: {told(tallies)}; {aside} are set aside")
    if verdict.problem:
        attempt.say(f"warning: {verdict.problem.told}")
