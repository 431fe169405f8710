"""The two stages that learn: warm-up and reinforcement."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field

from ..rules import Part, Rule, Rules, rule
from .nature import RATE
from .types import Count, Positive, Probability


class Warmup(Part):
    """Supervised warm-up (SFT) on a small curated set, so that RL starts from the format and some skill."""

    skip: bool = False
    """Go straight to RL, in the manner of R1-Zero."""
    epochs: Annotated[float, Field(gt=0, le=1000), RATE] = 1.0
    """Passes over the warm-up rows."""
    learning_rate: Annotated[Annotated[float, Field(gt=0, le=1)] | None, RATE] = None
    """Peak learning rate. When empty it follows from the model's size, 3e-4 to 1e-3; the status says which and why."""
    scheduler: Annotated[Literal["constant", "linear", "cosine"], RATE] = "cosine"
    """Course of the learning rate after its warm-up."""
    warmup_ratio: Annotated[Probability, RATE] = 0.05
    """Share of the steps over which the learning rate rises."""
    batch_size: Annotated[Positive, RATE] = 1
    """Rows a forward pass."""
    gradient_accumulation: Annotated[Positive, RATE] = 4
    """Forward passes an update."""
    optimizer: Literal["adamw", "adamw_8bit", "paged_adamw_8bit"] | None = None
    """What updates the adapter; reinforce.optimizer when empty."""
    train_on_responses_only: bool = True
    """Do not learn to predict the prompt."""


Algorithm = Literal["GRPO", "GSPO", "DrGRPO", "DAPO", "ScaleRL", "RLOO", "PPO", "DPO", "ORPO", "none"]
PREFERENCE = ("DPO", "ORPO")
GROUPED = ("GRPO", "GSPO", "DrGRPO", "DAPO", "ScaleRL", "RLOO")
GROUPED_CEL = str(list(GROUPED))
_CLIPPED = (*GROUPED, "PPO")
_GRPO_FAMILY = ("GRPO", "GSPO", "DrGRPO", "DAPO", "ScaleRL")
_ALL = (*GROUPED, "PPO", *PREFERENCE)
KNOWN_TO: dict[str, tuple[str, ...]] = {
    "num_generations": GROUPED,
    "batch_size": _ALL,
    "gradient_accumulation": _ALL,
    "updates_per_generation": GROUPED,
    "learning_rate": _ALL,
    "scheduler": _ALL,
    "warmup_ratio": _ALL,
    "weight_decay": _ALL,
    "max_grad_norm": _ALL,
    "temperature": _CLIPPED,
    "top_p": GROUPED,
    "min_p": GROUPED,
    "top_k": GROUPED,
    "beta": _ALL,
    "epsilon": _CLIPPED,
    "epsilon_high": GROUPED,
    "loss_type": _GRPO_FAMILY,
    "importance_sampling": _GRPO_FAMILY,
    "scale_rewards": _GRPO_FAMILY,
    "multi_objective_aggregation": _GRPO_FAMILY,
    "resample_rounds": GROUPED,
    "retire_solved": GROUPED,
    "average_over": _GRPO_FAMILY,
    "loss_aggregation": _GRPO_FAMILY,
    "mask_truncated": GROUPED,
}
"""Which algorithms a field has an effect with, of those that have none with some."""
UNCLIPPED = ("cispo", "sapo", "vespo")
UNCLIPPED_CEL = str(list(UNCLIPPED))
BY_TOKENS = ("dapo", "cispo", "vespo")
"""Losses that are a mean over all tokens of a step."""
BY_TOKENS_CEL = str(list(BY_TOKENS))
LOSSES = {"DAPO": "dapo", "ScaleRL": "cispo"}
"""Losses that algorithms take by themselves, and that a rule looks at."""


class Reinforce(Part):
    """Reinforcement learning or preference optimisation. Fields left empty take the algorithm's published values."""

    algorithm: Algorithm = "GRPO"
    """What optimises the model; `none` for a warm-up alone."""
    steps: Annotated[Positive | None, RATE] = None
    """Updates of the model; 250 when epochs is empty too."""
    epochs: Annotated[Annotated[float, Field(gt=0, le=1000)] | None, RATE] = None
    """Passes over train, instead of steps."""
    num_generations: Annotated[int, Field(ge=2, le=256)] = 8
    """Completions a prompt, which are compared with each other. 4 to 16 suits most jobs."""
    batch_size: Annotated[Positive, RATE] = 8
    """Completions (pairs for DPO and ORPO) a forward pass."""
    gradient_accumulation: Annotated[Positive, RATE] = 1
    """Forward passes an update: batchSize x gradientAccumulation completions a step."""
    updates_per_generation: Annotated[int, Field(ge=1, le=64)] | None = None
    """Updates made with one batch of generated completions, each with a part of its own. With 1 the model that is
    updated is the one that wrote: every probability ratio is 1, so that clipping and importanceSampling change nothing.
    GSPO: 4; else 1. The completions of all updates are generated at once; a checkpoint waits for the last update."""
    max_prompt_length: Annotated[int, Field(ge=1)] | None = None
    """Longest prompt in tokens; longer rows are left out and counted. What maxCompletionLength leaves when empty."""
    max_completion_length: Annotated[int, Field(ge=1)] = 512
    """Longest completion in tokens."""
    learning_rate: Annotated[Annotated[float, Field(gt=0, le=1)] | None, RATE] = None
    """Peak learning rate. When empty it follows from algorithm and model's size, 1e-5 to 1e-4; the status says which
    and why."""
    scheduler: Annotated[Literal["constant", "linear", "cosine"], RATE] = "cosine"
    """Course of the learning rate after its warm-up."""
    warmup_ratio: Annotated[Probability, RATE] = 0.1
    """Share of the steps over which the learning rate rises."""
    optimizer: Literal["auto", "adamw", "adamw_8bit", "paged_adamw_8bit"] = "auto"
    """`auto`: adamw_8bit on backend unsloth, else adamw."""
    weight_decay: Annotated[float, Field(ge=0, le=1), RATE] = 0.0
    """Decoupled weight decay of AdamW."""
    max_grad_norm: Annotated[float, Field(gt=0), RATE] = 1.0
    """Gradients are scaled down to this norm."""
    temperature: Annotated[float, Field(gt=0, le=10), RATE] = 1.0
    """Sampling temperature of the completions."""
    top_p: Annotated[float, Field(gt=0, le=1), RATE] = 1.0
    """Nucleus sampling: the smallest set of tokens with this much probability."""
    min_p: Annotated[Probability | None, RATE] = None
    """Leave out tokens less likely than this share of the likeliest one's probability."""
    top_k: Annotated[Count | None, RATE] = None
    """Sample among this many likeliest tokens; 0 or empty for all."""
    beta: Annotated[Annotated[float, Field(ge=0)] | None, RATE] = None
    """Weight of the divergence from the frozen reference model (DPO, ORPO: of the preference term)."""
    epsilon: Annotated[Annotated[float, Field(gt=0)] | None, RATE] = None
    """Lower clipping range of the probability ratio. The losses cispo, sapo and vespo have none."""
    epsilon_high: Annotated[Annotated[float, Field(gt=0)] | None, RATE] = None
    """Upper clipping range of the probability ratio; epsilon when empty and the algorithm has none of its own. With
    lossType cispo it is the largest ratio itself, 5 when empty; sapo and vespo have none."""
    loss_type: Literal["grpo", "dr_grpo", "dapo", "bnpo", "cispo", "sapo", "luspo", "vespo"] | None = None
    """What is lost and how tokens are put together, in the GRPO family; cispo, sapo, luspo and vespo bring their own
    bounds instead of the algorithm's."""
    importance_sampling: Literal["token", "sequence"] | None = None
    """Level of the probability ratio in the GRPO family; `sequence` is GSPO's."""
    loss_aggregation: Literal["token", "prompt"] | None = None
    """What the losses dapo, cispo and vespo are a mean over: all tokens; or the tokens of a prompt's completions, and
    then the prompts, so that one with long answers counts no more than another. ScaleRL: prompt; else token. The other
    losses have a mean of their own, and the KL term that of its loss."""
    fp32_lm_head: bool | None = None
    """Compute the logits in 32 bits, from the last hidden states on, where the model learns and where it generates
    itself; vllm computes its own. For that the head's weights are held once more, in 32 bits. ScaleRL: true; else
    false. On a CPU all is computed so."""
    scale_rewards: Literal["group", "batch", "none"] | None = None
    """What advantages are divided by: the standard deviation in the group, in the batch, or nothing. With
    multiObjectiveAggregation normalize_then_sum it has no effect and stays empty."""
    multi_objective_aggregation: Literal["sum_then_normalize", "normalize_then_sum"] | None = None
    """How several rewards become an advantage in the GRPO family: their weighted sum is normalised, as scaleRewards
    says; or each is normalised in its group, and their weighted sum in the batch (GDPO), so that a reward of small
    spread is not drowned by one of large spread. sum_then_normalize when empty."""
    resample_rounds: Annotated[int, Field(ge=0, le=16)] | None = None
    """Rounds in which groups whose rewards are all equal, and which teach nothing, are replaced by groups of other
    rows. A step then costs up to 1 + resampleRounds times its completions. DAPO: 3; else 0."""
    retire_solved: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of right answers in a group, by the correctness reward, from which on its row is not asked again. ScaleRL:
    0.9; else rows are never retired when empty."""
    average_over: Literal["all", "differing"] | None = None
    """Completions that the loss is a mean over: all, or those of groups whose rewards differ. With all, a step of
    which half teaches nothing moves the model half as far. ScaleRL: differing; else all."""
    mask_truncated: Annotated[bool | None, RATE] = None
    """Do not learn from completions that were cut at maxCompletionLength."""
    seed: Count = 3407
    """Seed of sampling, shuffling and adapter weights."""

    @property
    def _loss(self) -> str | None:
        return self.loss_type or LOSSES.get(self.algorithm)

    @rule("!(has(self.steps) && has(self.epochs))", "give steps or epochs, not both")
    def _steps_or_epochs(self) -> bool:
        return self.steps is None or self.epochs is None

    @rule(
        f"!has(self.epsilon) || (has(self.lossType) ? !(self.lossType in {UNCLIPPED_CEL})"
        " : self.algorithm != 'ScaleRL')",
        "the losses cispo, sapo and vespo have no lower clipping range: remove it",
        field="epsilon",
    )
    def _only_a_loss_that_clips_has_a_lower_range(self) -> bool:
        return self.epsilon is None or self._loss not in UNCLIPPED

    @rule(
        "!has(self.epsilonHigh) || !has(self.lossType) || !(self.lossType in ['sapo', 'vespo'])",
        "the losses sapo and vespo clip nothing: remove it",
        field="epsilonHigh",
    )
    def _only_a_loss_that_clips_has_an_upper_range(self) -> bool:
        return self.epsilon_high is None or self.loss_type not in ("sapo", "vespo")

    @rule(
        "!has(self.epsilonHigh) || self.epsilonHigh >= 1.0"
        " || (has(self.lossType) ? self.lossType != 'cispo' : self.algorithm != 'ScaleRL')",
        "with lossType cispo it is the largest ratio itself, not its distance from 1: give 1 or more; 5 when empty",
        field="epsilonHigh",
    )
    def _the_largest_ratio_is_not_below_one(self) -> bool:
        return self.epsilon_high is None or self._loss != "cispo" or self.epsilon_high >= 1

    @rule(
        "!has(self.importanceSampling) || !has(self.lossType) || self.lossType != 'vespo' || "
        "self.importanceSampling == 'token'",
        "the loss vespo weighs whole sequences by itself: remove it",
        field="importanceSampling",
    )
    def _vespo_weighs_sequences_itself(self) -> bool:
        return self.loss_type != "vespo" or self.importance_sampling in (None, "token")

    @rule(
        f"!has(self.lossAggregation) || (has(self.lossType) ? self.lossType in {BY_TOKENS_CEL}"
        " : self.algorithm in ['DAPO', 'ScaleRL'])",
        "only the losses dapo, cispo and vespo are a mean over tokens: remove it, or set lossType to one of them",
        field="lossAggregation",
    )
    def _only_a_mean_over_tokens_can_be_one_over_prompts(self) -> bool:
        return self.loss_aggregation is None or self._loss in BY_TOKENS

    @rule(
        "!has(self.scaleRewards) || !has(self.multiObjectiveAggregation) || "
        "self.multiObjectiveAggregation != 'normalize_then_sum'",
        "normalize_then_sum divides by the standard deviation of each reward in its group, then by the batch's: remove "
        "it",
        field="scaleRewards",
    )
    def _rewards_are_scaled_once(self) -> bool:
        return self.scale_rewards is None or self.multi_objective_aggregation != "normalize_then_sum"

    @rule(
        "!has(self.epsilon) || !has(self.epsilonHigh) || (has(self.lossType) && self.lossType == 'cispo')"
        " || self.epsilonHigh >= self.epsilon",
        "is the range above 1, and no less than epsilon, the range below: raise it, or lower epsilon",
        field="epsilonHigh",
    )
    def _the_upper_range_is_no_less(self) -> bool:
        if self.epsilon is None or self.epsilon_high is None or self.loss_type == "cispo":
            return True
        return self.epsilon_high >= self.epsilon

    @rule(
        f"!(self.algorithm in {GROUPED_CEL}) || self.batchSize * self.gradientAccumulation % self.numGenerations == 0",
        "must divide batchSize x gradientAccumulation, the completions a step, so that every prompt has a whole group",
        field="numGenerations",
    )
    def _groups_are_whole(self) -> bool:
        whole = self.batch_size * self.gradient_accumulation % self.num_generations == 0
        return self.algorithm not in GROUPED or whole

    @classmethod
    def rules(cls) -> Rules:
        """Return the rules, with one for each field that some algorithm does not know."""
        return *super().rules(), *_of_algorithms()


@cache
def _of_algorithms() -> Rules:
    return tuple(_of_algorithm(name, known) for name, known in KNOWN_TO.items())


def _of_algorithm(name: str, known: tuple[str, ...]) -> tuple[Rule, Callable[[Any], bool]]:
    field = Reinforce.model_fields[name]
    untouched = f"self.{field.alias} == {field.default!r}" if field.default is not None else f"!has(self.{field.alias})"
    told = f"{', '.join(known[:-1])} and {known[-1]}"

    def check(reinforce: Reinforce) -> bool:
        return getattr(reinforce, name) == field.default or reinforce.algorithm in known

    text = f"belongs to {told}, and has no effect with this algorithm: remove it"
    return Rule(f"{untouched} || self.algorithm in {list(known)}", text, field.alias), check
