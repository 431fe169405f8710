"""Proof of the gain."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..rules import Part, rule
from .types import Positive

Stage = Literal["base", "warmup", "reinforce"]


class Evaluation(Part):
    """Held-out evaluation of the base, the warmed-up and the final model, on the same rows by the same engine."""

    enabled: bool = True
    """Evaluate. Without it the job cannot show that it helped."""
    stages: Annotated[list[Stage], Field(min_length=1, max_length=3)] = ["base", "warmup", "reinforce"]
    """Which models to evaluate."""
    every_steps: Positive | None = None
    """Also evaluate every so many RL steps, rounded like checkpoint.everySteps; a checkpoint is saved before each."""
    samples: Annotated[int, Field(ge=0, le=1000)] = 20
    """How many transcripts of each stage to keep beside the adapter."""
    pass_at_k: Annotated[list[Annotated[int, Field(ge=1, le=64)]], Field(min_length=1, max_length=8)] = [1]
    """Report the chance that one of k sampled completions is right; 1 alone is greedy decoding."""
    require_improvement: bool = False
    """Fail the job if the final model is not better than the base (one-sided paired test, p < 0.05): answers more rows
    rightly or, where the rows are pairs without answers, prefers the chosen completion in more of them."""

    @rule(
        "self.enabled || !self.requireImprovement",
        "requireImprovement needs the evaluation: set enabled: true",
        field="requireImprovement",
    )
    def _improvement_needs_evaluation(self) -> bool:
        return self.enabled or not self.require_improvement

    @rule(
        "self.enabled || !has(self.everySteps)",
        "needs the evaluation: set enabled: true, or remove it",
        field="everySteps",
    )
    def _evaluations_on_the_way_are_evaluations(self) -> bool:
        return self.enabled or self.every_steps is None

    @rule(
        "self.stages.all(stage, self.stages.exists_one(other, other == stage))",
        "names a stage twice: remove one",
        field="stages",
    )
    def _stages_are_named_once(self) -> bool:
        return len(set(self.stages)) == len(self.stages)

    @rule(
        "!self.requireImprovement || (self.stages.exists(stage, stage == 'base')"
        " && self.stages.exists(stage, stage != 'base'))",
        "requireImprovement compares with the base: stages needs base and what is trained",
        field="stages",
    )
    def _improvement_has_something_to_compare(self) -> bool:
        return not self.require_improvement or ("base" in self.stages and set(self.stages) != {"base"})
