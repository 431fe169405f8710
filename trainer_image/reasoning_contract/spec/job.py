"""The spec as a whole, and the rules between its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field

from ..rules import Figures, Part, Rule, Rules, rule
from .chat import ChatTemplate
from .data import Columns, Data, Row
from .evaluation import Evaluation
from .export import Export
from .guards import (
    DEFAULT_CLIPPED,
    DEFAULT_ENTROPY,
    DEFAULT_FALL,
    DEFAULT_HALVES,
    DEFAULT_KL,
    DEFAULT_SPREAD,
    DEFAULT_WINDOW,
    Guards,
)
from .inference import Inference
from .limits import Checkpoint, Limits
from .model import Lora, Model
from .nature import BUDGET, COURSE, LEARNED, OPERATORS, RUN
from .placement import Parallelism, Pod, Queue
from .rewards import COMPARING, Reward, RewardBox
from .storage import Storage
from .tracking import Tracking
from .training import GROUPED, GROUPED_CEL, PREFERENCE, Reinforce, Warmup

_WINDOWS = {
    **dict.fromkeys(("learningSignal", "kl", "entropy", "clipped"), DEFAULT_WINDOW),
    "rewardHacking": DEFAULT_HALVES,
}
"""Guards that look at windows, and how long these are if nobody says otherwise."""
_NO_GPU = "self.parallelism.gpusPerNode > 0"


_ANSWERED = "(has(row.answer) || has(row.answers))"
_COMPARED = f"self.rewards.exists(reward, has(reward.builtin) && reward.builtin in {list(COMPARING)})"


def _lengths(spec: Spec) -> tuple[object, ...]:
    """Return the lengths that do not fit, those that nobody set too."""
    reinforce = spec.reinforce
    prompt = reinforce.max_prompt_length or "at least 1"
    return prompt, reinforce.max_completion_length, spec.model.max_sequence_length


class Spec(Part):
    """What to train, on what, how, and where the result goes."""

    backend: Annotated[Literal["auto", "unsloth", "transformers"], LEARNED] = "auto"
    """`unsloth`: one NVIDIA GPU, least memory. `transformers`: a CPU, or one GPU. `auto`: on one GPU
    transformers where 16-bit weights fit, for faster steps, else unsloth; the status says why."""
    model: Annotated[Model, LEARNED]
    """The model to train."""
    lora: Annotated[Lora, LEARNED] = Lora()
    """The adapter."""
    chat_template: Annotated[ChatTemplate, LEARNED] = ChatTemplate()
    """Prompts and tags."""
    inference: Annotated[Inference, RUN] = Inference()
    """Generation."""
    data: Annotated[Data, LEARNED]
    """What is learned from, and what is held out."""
    warmup: Annotated[Warmup, LEARNED] = Warmup()
    """SFT warm-up; it takes place if data.warmup is given."""
    reinforce: Annotated[Reinforce, LEARNED] = Reinforce()
    """Reinforcement learning."""
    rewards: Annotated[list[Reward], Field(max_length=32), LEARNED] = []
    """Reward functions; their weighted sum is what RL raises."""
    reward_box: Annotated[RewardBox, RUN] = RewardBox()
    """Where Python rewards run."""
    evaluation: Annotated[Evaluation, COURSE] = Evaluation()
    """Proof of the gain."""
    export: Annotated[Export, COURSE] = Export()
    """What is written at the end."""
    storage: Storage = Storage()
    """The volume."""
    tracking: Annotated[Tracking | None, RUN] = None
    """Trackers of experiments."""
    guards: Annotated[Guards, COURSE] = Guards()
    """What stops a run that is not worth its GPU."""
    checkpoint: Annotated[Checkpoint, COURSE] = Checkpoint()
    """When the run is saved."""
    limits: Annotated[Limits, BUDGET] = Limits()
    """How much the job may take."""
    suspend: Annotated[bool, OPERATORS] = False
    """Stop the job, with a checkpoint, until this is false again."""
    queue: Annotated[Queue | None, RUN] = None
    """Queueing by Kueue."""
    parallelism: Annotated[Parallelism, RUN] = Parallelism()
    """GPUs and nodes."""
    pod: Annotated[Pod, RUN] = Pod()
    """Settings of the training pod."""

    @property
    def warms_up(self) -> bool:
        """Whether there is a warm-up."""
        return self.data.warmup is not None and not self.warmup.skip

    @property
    def _measures_kl(self) -> bool:
        """Whether an algorithm with groups has a reference to measure the divergence from."""
        beta = self.reinforce.beta
        return beta > 0 if beta is not None else self.reinforce.algorithm == "RLOO"

    @property
    def judge(self) -> Reward | None:
        """The reward whose full marks say that an answer is right; None where there is none."""
        return next((reward for reward in self.rewards if reward.builtin in ("correctness", "code")), None)

    @property
    def warmup_optimizer(self) -> str:
        """What updates the adapter in the warm-up."""
        return self.warmup.optimizer or self.reinforce.optimizer

    @property
    def reinforces(self) -> bool:
        """Whether there is RL or preference optimisation."""
        return self.reinforce.algorithm != "none"

    @property
    def prefers(self) -> bool:
        """Whether it learns from pairs."""
        return self.reinforce.algorithm in PREFERENCE

    @rule(
        "self.reinforce.algorithm in ['DPO', 'ORPO', 'none'] || size(self.rewards) > 0",
        "the algorithm needs at least one reward: add {name: correct, builtin: correctness}",
        field="rewards",
    )
    def _rl_has_rewards(self) -> bool:
        return self.prefers or not self.reinforces or bool(self.rewards)

    @rule(
        "!(self.reinforce.algorithm in ['DPO', 'ORPO']) || size(self.rewards) == 0",
        "DPO and ORPO learn from chosen and rejected completions: remove the rewards or choose another algorithm",
        field="rewards",
    )
    def _preferences_have_no_rewards(self) -> bool:
        return not self.prefers or not self.rewards

    @rule(
        "!(self.reinforce.algorithm in ['DPO', 'ORPO'])"
        " || (has(self.data.train.columns.chosen) && has(self.data.train.columns.rejected))"
        " || (has(self.data.train.rows) && self.data.train.rows.all(row, has(row.chosen) && has(row.rejected)))",
        "DPO and ORPO need preference data: name the columns chosen and rejected in data.train.columns",
        field="data",
    )
    def _preferences_have_columns(self) -> bool:
        train = self.data.train
        named = train.columns.chosen is not None and train.columns.rejected is not None
        given = train.rows is not None and all(
            row.chosen is not None and row.rejected is not None for row in train.rows
        )
        return not self.prefers or named or given

    @rule(
        "self.reinforce.algorithm != 'none' || (has(self.data.warmup) && !self.warmup.skip)",
        "nothing to train: give data.warmup (and no warmup.skip), or an algorithm other than none",
        field="reinforce",
    )
    def _something_is_trained(self) -> bool:
        return self.reinforces or self.warms_up

    @rule(
        "!has(self.reinforce.retireSolved) || self.rewards.exists(r, has(r.builtin) && r.builtin == 'correctness')",
        "retireSolved needs a reward that tells right from wrong: add one with builtin correctness, or remove it",
        field="reinforce",
    )
    def _solved_rows_can_be_told(self) -> bool:
        is_judged = any(reward.builtin == "correctness" for reward in self.rewards)
        return self.reinforce.retire_solved is None or is_judged

    @rule(
        "self.reinforce.algorithm != 'ScaleRL' || self.rewards.exists(r, has(r.builtin) && r.builtin == 'correctness')",
        "ScaleRL retires solved rows, by a reward that tells right from wrong: add one with builtin correctness, or "
        "take GRPO with those of its fields that docs/signal.md lists",
        field="reinforce",
    )
    def _scale_rl_can_tell_solved_rows(self) -> bool:
        is_judged = any(reward.builtin == "correctness" for reward in self.rewards)
        return self.reinforce.algorithm != "ScaleRL" or is_judged

    @rule(
        f"!has(self.data.difficulty) || self.reinforce.algorithm == 'PPO' || self.reinforce.algorithm in {GROUPED_CEL}",
        "difficulty is that of rows which the model answers in RL, and this algorithm has it answer none: remove it",
        field="data",
    )
    def _difficulty_is_of_answers(self) -> bool:
        return self.data.difficulty is None or self.reinforce.algorithm in (*GROUPED, "PPO")

    @rule(
        "!has(self.data.difficulty) || self.rewards.exists(r, has(r.builtin) && r.builtin in ['correctness', 'code'])",
        "difficulty needs a reward that tells right from wrong: add one with builtin correctness or code, or remove it",
        field="data",
    )
    def _difficulty_has_a_judge(self) -> bool:
        return self.data.difficulty is None or self.judge is not None

    @rule(
        "self.reinforce.algorithm == 'none' || size(self.rewards) == 0"
        " || self.rewards.exists(reward, reward.weight != 0.0 || has(reward.weightSchedule))",
        "every weight is 0: nothing is learned from a sum that is always 0",
        field="rewards",
    )
    def _some_reward_counts(self) -> bool:
        counted = any(reward.weight or reward.weight_schedule for reward in self.rewards)
        return counted or not self.reinforces or not self.rewards

    @rule(
        "self.rewards.all(reward, !has(reward.builtin) || reward.builtin != 'lengthPenalty'"
        " || !has(reward.params.targetTokens) || reward.params.targetTokens < self.reinforce.maxCompletionLength)",
        "lengthPenalty begins at targetTokens, and completions end at reinforce.maxCompletionLength: it costs nothing "
        "unless targetTokens is lower",
        field="rewards",
    )
    def _length_penalty_can_cost(self) -> bool:
        longest = self.reinforce.max_completion_length
        targets = [reward.params.target_tokens or 0 for reward in self.rewards if reward.builtin == "lengthPenalty"]
        return all(target < longest for target in targets)

    @rule(
        "has(self.data.train.source) || !self.rewards.exists(reward, has(reward.builtin) && reward.builtin == 'code')",
        "code reads the row's tests from a column, and rows in the manifest and those of reasoning-gym have none: use "
        "data.train.source",
        field="rewards",
    )
    def _programs_have_tests(self) -> bool:
        return self.data.train.source is not None or all(reward.builtin != "code" for reward in self.rewards)

    @rule(
        f"!has(self.data.train.rows) || !{_COMPARED} || self.data.train.rows.all(row, {_ANSWERED})",
        "a reward compares with the answer, and rows of data.train have none: give answer in each",
        field="data",
    )
    def _compared_rows_have_answers(self) -> bool:
        is_compared = any(reward.builtin in COMPARING for reward in self.rewards)
        return not is_compared or _are_answered(self.data.train.rows)

    @rule(
        "!self.evaluation.enabled || self.reinforce.algorithm in ['DPO', 'ORPO'] || !has(self.data.heldOut)"
        f" || (!has(self.data.heldOut.rows) || self.data.heldOut.rows.all(row, {_ANSWERED}))"
        " && (!has(self.data.heldOut.fraction) || !has(self.data.train.rows)"
        f" || self.data.train.rows.all(row, {_ANSWERED}))",
        "the evaluation compares with the answer, and held-out rows have none: give answer in each, or set "
        "evaluation.enabled: false",
        field="data",
    )
    def _held_out_rows_have_answers(self) -> bool:
        held_out = self.data.held_out
        if held_out is None or not self.evaluation.enabled or self.prefers:
            return True
        return _are_answered(held_out.rows) and (held_out.fraction is None or _are_answered(self.data.train.rows))

    @rule(
        "!self.evaluation.requireImprovement"
        " || (self.reinforce.algorithm != 'none' && self.evaluation.stages.exists(stage, stage == 'reinforce'))"
        " || (self.reinforce.algorithm == 'none' && self.evaluation.stages.exists(stage, stage == 'warmup'))",
        "requireImprovement looks at the final model: stages needs the last stage that trains, reinforce or, with "
        "algorithm none, warmup",
        field="evaluation",
    )
    def _the_final_model_is_evaluated(self) -> bool:
        last = "reinforce" if self.reinforces else "warmup"
        return not self.evaluation.require_improvement or last in self.evaluation.stages

    @rule(
        "!has(self.reinforce.steps) || ("
        + " && ".join(
            f"(self.guards.{name}.windowSteps == {default} || self.guards.{name}.windowSteps <= self.reinforce.steps)"
            for name, default in _WINDOWS.items()
        )
        + ")",
        "a guard with a window of more steps than reinforce.steps judges nothing: lower its windowSteps",
        field="guards",
    )
    def _windows_fill(self) -> bool:
        guards, steps = self.guards.model_dump(by_alias=True), self.reinforce.steps
        windows = [(guards[name]["windowSteps"], default) for name, default in _WINDOWS.items()]
        return steps is None or all(window == default or window <= steps for window, default in windows)

    @rule(
        "(self.guards.unscored.windowBatches == 8 && self.guards.unscored.maxShare == 0.25)"
        " || self.rewards.exists(reward, !has(reward.builtin) || reward.builtin == 'code')",
        "unscored watches rewards that can fail (python, http, model, judge and code), and there is none: remove "
        "windowBatches and maxShare",
        field="guards",
    )
    def _some_reward_can_fail(self) -> bool:
        unscored = self.guards.unscored
        untouched = (unscored.window_batches, unscored.max_share) == (8, 0.25)
        return untouched or any(reward.builtin in (None, "code") for reward in self.rewards)

    @rule(
        "self.rewards.all(reward, self.rewards.exists_one(other, other.name == reward.name))",
        "two rewards have the same name: metrics could not tell them apart",
        field="rewards",
    )
    def _reward_names_are_unique(self) -> bool:
        return len({reward.name for reward in self.rewards}) == len(self.rewards)

    @rule(
        "self.reinforce.maxCompletionLength"
        " + (has(self.reinforce.maxPromptLength) ? self.reinforce.maxPromptLength : 1)"
        " <= self.model.maxSequenceLength",
        "maxPromptLength + maxCompletionLength must fit into model.maxSequenceLength",
        field="reinforce",
        figures=Figures(
            "%s + %d > %d",
            "has(self.reinforce.maxPromptLength) ? string(self.reinforce.maxPromptLength) : 'at least 1', "
            "self.reinforce.maxCompletionLength, self.model.maxSequenceLength",
            _lengths,
        ),
    )
    def _lengths_fit(self) -> bool:
        prompt = self.reinforce.max_prompt_length or 1
        return prompt + self.reinforce.max_completion_length <= self.model.max_sequence_length

    @rule(
        f"{_NO_GPU} || self.backend != 'unsloth'",
        "unsloth needs a GPU: set parallelism.gpusPerNode to 1, or backend to transformers",
        field="backend",
    )
    def _unsloth_has_a_gpu(self) -> bool:
        return self.parallelism.gpus_per_node > 0 or self.backend != "unsloth"

    @rule(
        "self.backend != 'unsloth' || (self.parallelism.nodes == 1 && self.parallelism.gpusPerNode <= 1)",
        "unsloth trains on one GPU: use backend transformers for several",
        field="backend",
    )
    def _unsloth_has_one_gpu(self) -> bool:
        several = self.parallelism.nodes > 1 or self.parallelism.gpus_per_node > 1
        return self.backend != "unsloth" or not several

    @rule(
        f"{_NO_GPU} || self.model.loadIn in ['auto', '16bit']",
        "4bit, 8bit and fp8 need a GPU: use loadIn 16bit where parallelism.gpusPerNode is 0",
        field="model",
    )
    def _quantised_weights_have_a_gpu(self) -> bool:
        return self.parallelism.gpus_per_node > 0 or self.model.load_in in ("auto", "16bit")

    @rule(
        f"{_NO_GPU} || self.inference.engine != 'vllm'",
        "vllm needs a GPU: use engine transformers where parallelism.gpusPerNode is 0",
        field="inference",
    )
    def _vllm_has_a_gpu(self) -> bool:
        return self.parallelism.gpus_per_node > 0 or self.inference.engine != "vllm"

    @rule(
        "self.lora.gradientCheckpointing != 'unsloth' || self.backend != 'transformers'",
        "gradientCheckpointing unsloth needs backend unsloth: use standard",
        field="lora",
    )
    def _offloading_has_unsloth(self) -> bool:
        return self.lora.gradient_checkpointing != "unsloth" or self.backend != "transformers"

    @rule(
        "!self.evaluation.enabled || has(self.data.heldOut)",
        "the evaluation needs held-out rows: give data.heldOut (fraction: 0.1 holds out a tenth of train), "
        "or set evaluation.enabled: false",
        field="data",
    )
    def _evaluation_has_rows(self) -> bool:
        return not self.evaluation.enabled or self.data.held_out is not None

    @rule(
        "!has(self.data.heldOut) || !has(self.data.heldOut.split) || has(self.data.heldOut.source)"
        " || (has(self.data.train.source) && self.data.train.source.startsWith('hf://'))",
        "heldOut.split names a split of train's Hub data set, and train has none: use heldOut.fraction",
        field="data",
    )
    def _split_has_a_data_set(self) -> bool:
        held_out = self.data.held_out
        own = held_out is None or held_out.split is None or held_out.source is not None
        return own or (self.data.train.source or "").startswith("hf://")

    @rule(
        "!self.rewards.exists(r, has(r.params.parser) && r.params.parser == 'reasoningGym')"
        " || (has(self.data.train.reasoningGym) && (!has(self.data.heldOut)"
        " || has(self.data.heldOut.reasoningGym) || has(self.data.heldOut.fraction)))",
        "parser reasoningGym judges rows that a task made: give data.train.reasoningGym, and heldOut by reasoningGym "
        "or as a fraction, or choose another params.parser",
        field="data",
    )
    def _tasks_judge_their_rows(self) -> bool:
        asked = any(reward.params.parser == "reasoningGym" for reward in self.rewards)
        train, held_out = self.data.train, self.data.held_out
        made = held_out is None or held_out.reasoning_gym is not None or held_out.fraction is not None
        return not asked or (train.reasoning_gym is not None and made)

    @rule(
        f"{_NO_GPU} || self.reinforce.optimizer in ['auto', 'adamw']",
        "8-bit optimizers need a GPU: use optimizer adamw where parallelism.gpusPerNode is 0",
        field="reinforce",
    )
    def _quantised_optimizers_have_a_gpu(self) -> bool:
        return self.parallelism.gpus_per_node > 0 or self.reinforce.optimizer in ("auto", "adamw")

    @rule(
        f"{_NO_GPU} || !has(self.warmup.optimizer) || self.warmup.optimizer == 'adamw'",
        "8-bit optimizers need a GPU: use optimizer adamw where parallelism.gpusPerNode is 0",
        field="warmup",
    )
    def _quantised_optimizers_of_the_warmup_have_a_gpu(self) -> bool:
        return self.parallelism.gpus_per_node > 0 or self.warmup.optimizer in (None, "adamw")

    @rule(
        f"{_NO_GPU} || !has(self.limits.gpuHours)",
        "there are no GPU-hours to count where parallelism.gpusPerNode is 0: use activeDeadlineSeconds",
        field="limits",
    )
    def _a_budget_has_a_gpu(self) -> bool:
        return self.parallelism.gpus_per_node > 0 or self.limits.gpu_hours is None

    @rule(
        "!has(self.evaluation.everySteps) || self.reinforce.algorithm != 'none'",
        "everySteps counts steps of RL, and algorithm none has none: remove it",
        field="evaluation",
    )
    def _steps_between_evaluations_are_of_rl(self) -> bool:
        return self.evaluation.every_steps is None or self.reinforces

    @rule(
        f"self.reinforce.algorithm in {GROUPED_CEL} || (self.guards.learningSignal.windowSteps == {DEFAULT_WINDOW}"
        f" && self.guards.learningSignal.minNonZeroVariance == {DEFAULT_SPREAD})",
        "learningSignal compares the completions of a group, and this algorithm has no groups: remove windowSteps and "
        "minNonZeroVariance",
        field="guards",
    )
    def _learning_signal_has_groups(self) -> bool:
        signal = self.guards.learning_signal
        untouched = (signal.window_steps, signal.min_non_zero_variance) == (DEFAULT_WINDOW, DEFAULT_SPREAD)
        return self.reinforce.algorithm in GROUPED or untouched

    @rule(
        f"(self.guards.kl.windowSteps == {DEFAULT_WINDOW} && self.guards.kl.maxKL == {DEFAULT_KL})"
        f" || (self.reinforce.algorithm in {GROUPED_CEL}"
        " && (has(self.reinforce.beta) ? self.reinforce.beta > 0.0 : self.reinforce.algorithm == 'RLOO'))",
        "kl needs an algorithm with groups and a reference model to measure from: set reinforce.beta above 0, or "
        "remove windowSteps and maxKL; with PPO, set divergence.maxKL",
        field="guards",
    )
    def _kl_of_a_token_is_measured(self) -> bool:
        kl = self.guards.kl
        untouched = (kl.window_steps, kl.max_kl) == (DEFAULT_WINDOW, DEFAULT_KL)
        return untouched or (self.reinforce.algorithm in GROUPED and self._measures_kl)

    @rule(
        f"self.reinforce.algorithm == 'PPO' || self.reinforce.algorithm in {GROUPED_CEL}"
        f" || (self.guards.entropy.windowSteps == {DEFAULT_WINDOW}"
        f" && self.guards.entropy.minEntropy == {DEFAULT_ENTROPY})",
        "entropy is that of completions which are sampled, and this algorithm samples none: remove windowSteps and "
        "minEntropy",
        field="guards",
    )
    def _entropy_is_measured(self) -> bool:
        entropy = self.guards.entropy
        untouched = (entropy.window_steps, entropy.min_entropy) == (DEFAULT_WINDOW, DEFAULT_ENTROPY)
        return untouched or self.reinforce.algorithm in (*GROUPED, "PPO")

    @rule(
        f"self.reinforce.algorithm in {GROUPED_CEL} || (self.guards.clipped.windowSteps == {DEFAULT_WINDOW}"
        f" && self.guards.clipped.maxShare == {DEFAULT_CLIPPED})",
        "this algorithm does not tell how many completions are cut: remove windowSteps and maxShare of clipped",
        field="guards",
    )
    def _clipped_is_measured(self) -> bool:
        clipped = self.guards.clipped
        untouched = (clipped.window_steps, clipped.max_share) == (DEFAULT_WINDOW, DEFAULT_CLIPPED)
        return untouched or self.reinforce.algorithm in GROUPED

    @rule(
        f"(self.guards.rewardHacking.windowSteps == {DEFAULT_HALVES}"
        f" && self.guards.rewardHacking.minFall == {DEFAULT_FALL})"
        f" || (self.reinforce.algorithm in {GROUPED_CEL} && self.rewards.size() > 1"
        " && self.rewards.exists(r, has(r.builtin) && r.builtin == 'correctness'))",
        "rewardHacking compares the correctness reward with the others, by an algorithm with groups: add a reward with "
        "builtin correctness beside another one, or remove windowSteps and minFall",
        field="guards",
    )
    def _correctness_can_be_compared(self) -> bool:
        hacking = self.guards.reward_hacking
        untouched = (hacking.window_steps, hacking.min_fall) == (DEFAULT_HALVES, DEFAULT_FALL)
        both = len(self.rewards) > 1 and any(reward.builtin == "correctness" for reward in self.rewards)
        return untouched or (self.reinforce.algorithm in GROUPED and both)

    @rule(
        "!has(self.guards.divergence.maxKL) || !(self.reinforce.algorithm in ['DPO', 'ORPO', 'none'])",
        "maxKL needs an algorithm that measures the divergence: DPO, ORPO and none do not",
        field="guards",
    )
    def _algorithm_measures_kl(self) -> bool:
        return self.guards.divergence.max_kl is None or self.reinforce.algorithm in (*GROUPED, "PPO")

    @rule(
        f"!has(self.guards.divergence.maxKL) || !(self.reinforce.algorithm in {GROUPED_CEL})"
        " || (has(self.reinforce.beta) ? self.reinforce.beta > 0.0 : self.reinforce.algorithm == 'RLOO')",
        "maxKL needs a reference model to measure from: set reinforce.beta above 0",
        field="guards",
    )
    def _kl_is_measured(self) -> bool:
        is_grouped = self.reinforce.algorithm in GROUPED
        return self.guards.divergence.max_kl is None or not is_grouped or self._measures_kl

    @classmethod
    def rules(cls) -> Rules:
        """Return the rules, with one for each column that a set may not name."""
        return *super().rules(), *_of_columns()


def _are_answered(rows: Sequence[Row] | None) -> bool:
    return all(row.answer is not None or row.answers is not None for row in rows or ())


@cache
def _of_columns() -> Rules:
    """Return the rules for columns that nothing reads, by their set and role."""
    return tuple(_of_column(*each) for each in _unread())


def _unread() -> Iterator[tuple[str, str, str, Callable[[Spec, Columns], bool]]]:
    """Yield set, role, CEL for where it is read, and the same in Python."""
    for rows in ("train", "heldOut"):
        for role in ("reasoning", "messages"):
            yield rows, role, "false", lambda spec, columns: False
        for role in PREFERENCE_ROLES:
            yield rows, role, f"self.reinforce.algorithm in {list(PREFERENCE)}", lambda spec, columns: spec.prefers
    for role in PREFERENCE_ROLES:
        yield "warmup", role, "false", lambda spec, columns: False
    for role in ("prompt", "answer", "answers", "reasoning", "system"):
        without = "!has(self.data.warmup.columns.messages)"
        yield "warmup", role, without, lambda spec, columns: columns.messages is None


def _of_column(
    rows: str, role: str, read: str, is_read: Callable[[Spec, Columns], bool]
) -> tuple[Rule, Callable[[Any], bool]]:
    given = f"has(self.data.{rows}.columns.{role})"
    if rows != "train":
        given = f"has(self.data.{rows}) && {given}"

    def check(spec: Spec) -> bool:
        sets = {"train": spec.data.train, "heldOut": spec.data.held_out, "warmup": spec.data.warmup}
        each = sets[rows]
        return each is None or getattr(each.columns, role) is None or is_read(spec, each.columns)

    return Rule(f"!({given}) || {read}", f"data.{rows}.columns.{role} has no effect: {_READ[rows]}", "data"), check


PREFERENCE_ROLES = ("chosen", "rejected")
_READ = {
    "train": "prompt, answer, answers and system are read and, by DPO and ORPO, chosen and rejected",
    "heldOut": "prompt, answer, answers and system are read and, by DPO and ORPO, chosen and rejected",
    "warmup": "messages is read, or prompt, reasoning, answer, answers and system",
}
