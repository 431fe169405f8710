"""Dynamic sampling for TRL's trainers with groups: completions are spent on prompts that teach.

A group whose rewards are all equal has no advantage and so no gradient (Yu et al. 2025, arXiv:2503.14476, section 3.2).
Such groups are replaced by groups of other rows, in a bounded number of rounds; rows that are solved are not asked
again (Khatri et al. 2025, arXiv:2510.13786, "No-Positive-Resampling"). TRL has neither.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from ..reporting.step_figures import SPENT
from .pool import Pool
from .reward_functions import ROW

STATE = "sampling.json"
"""File of a checkpoint with the completions spent and the rows that are retired."""
EQUAL = 1e-6
"""Rewards that differ by less are equal."""
BY_TOKENS = ("bnpo", "dapo", "cispo", "vespo")
"""Losses of TRL that are a mean over tokens; the others are one over completions."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class SamplingRules:
    """What of ``spec.reinforce`` decides which rows are asked, and what their loss is a mean over.

    Attributes
    ----------
    rounds
        Rounds in which groups without spread are replaced; 0 for none.
    retire_from
        Share of right answers in a group from which on its row is retired; None for never.
    leaves_out_equal
        Whether the loss is a mean over groups with spread alone.
    by_prompt
        Whether a loss that is a mean over tokens becomes one over those of a group, then over groups.
    verifiable
        Place of the reward that tells right from wrong; None where there is none.
    """

    rounds: int = 0
    retire_from: float | None = None
    leaves_out_equal: bool = False
    by_prompt: bool = False
    verifiable: int | None = None


@dataclass
class Asked:
    """One round: rows that were asked, each as often as a group has completions, and what came of it."""

    rows: Rows
    generated: tuple[Any, ...]
    rewards: Tensor


def spread(rewards: Tensor, weights: Tensor, group: int, *, each: bool) -> Tensor:
    """Return whether the rewards of each group differ.

    Parameters
    ----------
    rewards
        Completions x reward functions; NaN where one could not be scored.
    weights
        A weight for each function.
    group
        Completions a group, which lie one after the other.
    each
        Whether it is enough that one function's rewards differ; else it is their weighted sum's.

    Returns
    -------
    Tensor
        A boolean for each group.
    """
    columns = rewards[:, weights != 0]
    if not each:
        unscored = torch.isnan(rewards).all(dim=1)
        columns = (rewards * weights).nansum(dim=1).masked_fill(unscored, torch.nan).unsqueeze(1)
    grouped = columns.view(-1, group, columns.shape[1])
    missing = torch.isnan(grouped)
    highest = grouped.masked_fill(missing, -torch.inf).amax(dim=1)
    lowest = grouped.masked_fill(missing, torch.inf).amin(dim=1)
    return ((highest - lowest) > EQUAL).any(dim=1)


def joined(rounds: Sequence[Asked], places: Sequence[tuple[int, int]], group: int) -> Asked:
    """Return one batch of groups that come from several rounds.

    Parameters
    ----------
    rounds
        The rounds.
    places
        Round and number within it of each group of the batch.
    group
        Completions a group.
    """

    def pick(columns: Sequence[Any]) -> list[Any]:
        return [each for at, number in places for each in columns[at][number * group : (number + 1) * group]]

    def pick_part(part: int) -> Any:
        columns = [each.generated[part] for each in rounds]
        whole = all(
            isinstance(column, list) and len(column) == len(each.rows)
            for column, each in zip(columns, rounds, strict=True)
        )
        return pick(columns) if whole else columns[0]  # None, and what TRL keeps of images and environments

    return Asked(
        rows=pick([each.rows for each in rounds]),
        generated=tuple(map(pick_part, range(len(rounds[0].generated)))),
        rewards=torch.cat([rounds[at].rewards[number * group : (number + 1) * group] for at, number in places]),
    )


class DynamicSampling:
    """Makes a trainer of TRL spend its completions by `SamplingRules`; to be named before the trainer's class."""

    _rules = SamplingRules()
    _pool: Pool | None = None
    _spent = 0
    _ready: Asked | None = None

    def sample_by(self: Any, rules: SamplingRules, spent: int = 0) -> None:
        """Take the rules, and how many completions were spent before; before the training begins."""
        self._rules, self._spent = rules, spent
        self._pool = Pool(len(self.train_dataset), self.args.seed)

    def _generate(self: Any, prompts: list[Any]) -> Any:
        return super()._generate(prompts) if self._ready is None else self._ready.generated  # type: ignore[misc]

    def _calculate_rewards(self: Any, inputs: Any, *others: Any, **named: Any) -> Any:
        if self._ready is None:
            return super()._calculate_rewards(inputs, *others, **named)  # type: ignore[misc]
        return self._ready.rewards

    def _generate_and_score_completions(self: Any, inputs: Rows) -> dict[str, Any]:
        if self._pool is None or not self.model.training:
            output: dict[str, Any] = super()._generate_and_score_completions(inputs)  # type: ignore[misc]
            return output
        self._ready = self._collected(inputs)
        try:
            output = super()._generate_and_score_completions(self._ready.rows)  # type: ignore[misc]
            differs = self._spread(self._ready)
            self._tell_equal_groups(output, differs)
            self._weigh(output, differs)
        finally:
            self._ready = None
        return output

    def _collected(self: Any, inputs: Rows) -> Asked:
        """Return a batch in which as many groups differ as the rounds allow."""
        group = self.num_generations
        first = [row[ROW] for row in inputs[::group]]
        others = self._pool.others(self.state.global_step, first)
        rounds = [self._ask([next(others, row) if row in self._pool.retired else row for row in first])]
        places = [(0, number) for number in range(len(first))]
        differs = self._spread(rounds[0]).tolist()
        sampled, equal = len(first), differs.count(False)
        for at in range(1, self._rules.rounds + 1):
            wanted = [number for number, is_good in enumerate(differs) if not is_good]
            rows = list(islice(_but(others, self._pool.retired), len(wanted)))
            if not rows:
                break
            rounds.append(self._ask(rows))
            found = self._spread(rounds[at]).tolist()
            sampled, equal = sampled + len(found), equal + found.count(False)
            good = [number for number, is_good in enumerate(found) if is_good]
            for place, number in zip(wanted, good, strict=False):
                places[place], differs[place] = (at, number), True
        self._note(sampled, equal, replaced=sum(at > 0 for at, _ in places))
        return joined(rounds, places, group)

    def _ask(self: Any, rows: Sequence[int]) -> Asked:
        """Have the model write a group to each row, score it, and retire the rows that it solves."""
        asked = [dict(self.train_dataset[row]) for row in rows for _ in range(self.num_generations)]
        prompts = [each["prompt"] for each in asked]
        generated = self._generate(prompts)
        tokens, texts = generated[1], generated[3 if len(generated) > 3 else 2]  # RLOO's has no mask of tools
        rewards = self._calculate_rewards(asked, prompts, texts, tokens)
        self._spent += len(asked)
        if self._rules.retire_from is not None and self._rules.verifiable is not None:
            right = rewards[:, self._rules.verifiable].view(-1, self.num_generations).nanmean(dim=1)
            solved = (right >= self._rules.retire_from).tolist()
            self._pool.retired |= {row for row, is_solved in zip(rows, solved, strict=True) if is_solved}
        return Asked(asked, generated, rewards)

    def _spread(self: Any, asked: Asked) -> Tensor:
        weights = self.reward_weights.to(asked.rewards.device)
        return spread(asked.rewards, weights, self.num_generations, each=self._normalizes_each)

    @property
    def _normalizes_each(self: Any) -> bool:
        """Whether each reward has an advantage of its own (Liu et al. 2026, arXiv:2601.05242)."""
        return getattr(self, "multi_objective_aggregation", "") == "normalize_then_sum"

    def _note(self: Any, sampled: int, equal: int, replaced: int) -> None:
        metrics = self._metrics["train"]
        metrics[SPENT].append(self._spent)
        metrics["groups/sampled_zero_std"].append(equal / sampled)
        if self._rules.rounds:
            metrics["groups/replaced"].append(replaced)
        if self._rules.retire_from is not None:
            metrics["rows/retired"].append(len(self._pool.retired))

    def _tell_equal_groups(self: Any, output: dict[str, Any], differs: Tensor) -> None:
        """Count groups without spread, and let them teach nothing.

        TRL goes by a standard deviation in 32 bits, which is 1.3e-7 for eight rewards of 1.2: it does not count such a
        group, and gives all of its completions an advantage of 0.001. Where each reward is normalised, and where a KL
        term is part of the reward, as in RLOO's, it does not compare the rewards of a group at all.
        """
        self._metrics["train"]["frac_reward_zero_std"][-1:] = [1 - differs.float().mean().item()]
        if hasattr(self, "multi_objective_aggregation"):
            equal = ~differs.repeat_interleave(self.num_generations)
            output["advantages"] = output["advantages"].masked_fill(equal.to(output["advantages"].device), 0.0)

    def _weigh(self: Any, output: dict[str, Any], differs: Tensor) -> None:
        """Scale advantages so that the loss is the mean that the rules ask for: it grows as they do."""
        kept = differs if self._rules.leaves_out_equal else torch.ones_like(differs)
        by_tokens = getattr(self, "loss_type", "") in BY_TOKENS
        mask = output["completion_mask"]
        sizes = mask.sum(dim=1) if by_tokens else torch.ones_like(output["advantages"])
        groups = sizes.view(-1, self.num_generations).sum(dim=1)
        kept = kept.to(groups.device)
        if not kept.any():
            return
        if self._rules.by_prompt:
            factors = groups.sum() / (kept.sum() * groups.clamp(min=1))
        else:
            factors = (groups.sum() / groups[kept].sum().clamp(min=1)).expand(len(groups))
        output["advantages"] = output["advantages"] * factors.repeat_interleave(self.num_generations)

    def _save_checkpoint(self: Any, *arguments: Any, **named: Any) -> None:
        super()._save_checkpoint(*arguments, **named)  # type: ignore[misc]
        if self._pool is not None:
            state = {"spent": self._spent, "retired": sorted(self._pool.retired)}
            folder = Path(self.args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
            (folder / STATE).write_text(json.dumps(state), "utf-8")

    def _load_optimizer_and_scheduler(self: Any, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)  # type: ignore[misc]
        # checkpoints of earlier versions have none
        if self._pool is not None and checkpoint is not None and (path := Path(checkpoint) / STATE).exists():
            state = json.loads(path.read_text("utf-8"))
            self._spent, self._pool.retired = state["spent"], set(state["retired"])


def _but(rows: Iterator[int], retired: set[int]) -> Iterator[int]:
    """Leave out rows that were retired since the iterator was made."""
    return (row for row in rows if row not in retired)
