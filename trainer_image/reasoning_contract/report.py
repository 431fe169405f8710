"""What a run reports of itself: written by the trainer, taken into the status as it is.

Times are RFC 3339 strings in UTC. Figures are rounded by whoever writes them: a status is read by people.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field

from .choice import Choice
from .ranks import AdapterRank
from .rates import LearningRate
from .rules import Part
from .step_sizes import LargestStep
from .text import Told

RunStage = Literal["load", "warmup", "reinforce", "evaluate", "export"]
Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class ProgressStatus(Part):
    """How far the run is."""

    display: str
    """What `kubectl get` shows, such as `63% (150/250)`."""
    percent: Annotated[int, Field(ge=0, le=100)]
    """Share of the whole run's expected time that is done, over all stages; it never goes back within an attempt."""
    detail: Told | None = None
    """What the stage is doing, such as `base model, row 40 of 200`."""
    step: Annotated[int, Field(ge=0)] | None = None
    """Steps done in this stage."""
    total_steps: Annotated[int, Field(ge=0)] | None = None
    """Steps that this stage has."""
    step_seconds: float | None = None
    """Median seconds a step, over the last 20 steps of this attempt."""
    eta: str | None = None
    """Time to the end of the run, as people write it: 4m10s."""
    eta_seconds: Annotated[int, Field(ge=0)] | None = None
    """Seconds to the end of the run; from steps of this attempt only, so that a resume does not spoil it."""
    updated_at: Timestamp
    """When the run last had something new to report."""


class TrainingStatus(Part):
    """Metrics of the last step. Absent where the algorithm or the stage has none."""

    loss: float | None = None
    """Loss."""
    learning_rate: float | None = None
    """Learning rate."""
    grad_norm: float | None = None
    """Norm of the gradient before clipping."""
    reward: float | None = None
    """Mean of the weighted sum of the rewards."""
    reward_std: float | None = None
    """Mean over groups of the standard deviation of the reward."""
    rewards: dict[str, float] | None = None
    """Mean of each reward function, unweighted, by its name in the spec."""
    unscored: dict[str, int] | None = None
    """Completions that a reward function could not score, over the attempt, by its name; absent where none."""
    zero_variance_share: float | None = None
    """Share of groups whose completions all got the same reward: they teach nothing."""
    sampled_zero_variance_share: float | None = None
    """The same share of all groups that were sampled for the step, before those were replaced."""
    completions: int | None = None
    """Completions that RL has taken so far, those of replaced groups and of data.difficulty included: what learning
    costs."""
    groups_replaced: int | None = None
    """Groups of the last step that come from other rows, where reinforce.resampleRounds asks for it."""
    rows_retired: int | None = None
    """Rows that are solved and not asked again, where reinforce.retireSolved asks for it."""
    kl: float | None = None
    """KL divergence from the reference model."""
    entropy: float | None = None
    """Mean entropy of the policy's next token, nats."""
    importance_ratio: float | None = None
    """Mean ratio of the trainer's to the engine's probability of what was sampled; near 1 where the two agree."""
    completion_length: float | None = None
    """Mean completion length, tokens."""
    clipped_share: float | None = None
    """Share of completions cut at maxCompletionLength."""
    tokens_per_second: float | None = None
    """Prompt and completion tokens processed a second."""
    gpu_memory_gi_b: float | None = Field(default=None, alias="gpuMemoryGiB")
    """Peak GPU memory, GiB."""
    gpu_use_percent: float | None = None
    """Share of the step in which the GPU computed, percent, as nvidia-smi counts it."""


class Score(Part):
    """Held-out evaluation of one model."""

    accuracy: float | None = None
    """Share of rows answered rightly, greedy decoding; absent where the rows are pairs without answers."""
    ci95: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    """95% Wilson interval of the accuracy."""
    format: float
    """Share of completions with reasoning and answer in their tags."""
    mean_length: float
    """Mean completion length, tokens."""
    pass_at_k: dict[str, float] | None = None
    """Chance that one of k sampled completions is right, by k, where k > 1 was asked for."""
    preferred: float | None = None
    """Share of rows whose chosen completion the model finds likelier than the rejected one, where rows are pairs."""
    margin: float | None = None
    """Mean log-probability of the chosen completion less that of the rejected one, in nats, where rows are pairs."""


class HeldOutStatus(Part):
    """Scores on the same held-out rows."""

    size: int
    """Rows."""
    base: Score | None = None
    """The model before training."""
    warmup: Score | None = None
    """After the warm-up."""
    reinforce: Score | None = None
    """After RL."""

    @property
    def last(self) -> Score | None:
        """The score of the model that was evaluated last."""
        return self.reinforce or self.warmup or self.base


class EvaluationStatus(Part):
    """The proof of the gain."""

    held_out: HeldOutStatus
    """Scores by model."""
    engine: str | None = None
    """What generated the answers of all of them: vllm or transformers."""
    final_accuracy: float | None = None
    """Accuracy of the model that was evaluated last: of the final one once the job has succeeded."""
    improvement: float | None = None
    """Accuracy of the last model less that of the base."""
    p_value: float | None = None
    """One-sided exact McNemar test of the last model against the base, on the same rows."""
    reinforce_improvement: float | None = None
    """Accuracy after RL less that after the warm-up."""
    reinforce_p_value: float | None = None
    """The same test of the model after RL against the one after the warm-up."""
    preferred_improvement: float | None = None
    """Share of pairs of which the last model finds the chosen completion likelier, less the base's share."""
    preferred_p_value: float | None = None
    """The same test of that share."""


class DifficultyStatus(Part):
    """How often the model, before RL, solved rows of train."""

    rows: int
    """Rows that were measured."""
    of: int
    """Rows of train, those that were not measured included."""
    samples: int
    """Completions of each."""
    completions: int
    """Completions of all of them."""
    seconds: float
    """How long it took, all attempts together."""
    mean_share: float | None = None
    """Mean share of right completions; absent where none could be judged."""
    histogram: dict[str, int]
    """Rows by the share of their completions that were right; those of which none could be judged are left out."""
    set_aside: int
    """Rows that RL does not ask, by data.difficulty.min and max."""


class CheckpointStatus(Part):
    """The last checkpoint on the volume."""

    stage: RunStage
    """Stage that it belongs to."""
    step: int
    """Step of that stage."""
    path: str
    """Folder on the volume."""


class ModelStatus(Choice):
    """What was loaded, and why so."""

    revision: str | None = None
    """Commit of the Hub repository."""
    parameters: int | None = None
    """Parameters of the model, adapter included."""
    trainable_parameters: int | None = None
    """Parameters of the adapter."""


class MemoryStatus(Part):
    """Memory of the machine, not of its GPUs."""

    peak_gi_b: float = Field(alias="peakGiB")
    """Most that the trainer has held, GiB."""
    limit_gi_b: float = Field(alias="limitGiB")
    """Most that it may hold, GiB: the limit of its container, else what the machine has."""


class Artifact(Part):
    """Something written to the volume."""

    kind: str
    """lora, merged16bit, gguf:q4_k_m ..."""
    path: str
    """Folder or file on the volume."""
    sha256: str
    """Hash of the file; of a folder, of the sorted lines `HASH  NAME` of its files."""
    bytes: int
    """Size."""


class SpecChange(Part):
    """A change of the spec that was heeded in mid-run."""

    stage: RunStage
    """Stage in which it was."""
    step: int
    """Last step of that stage that was made before."""
    attempt: int
    """Attempt that began with it."""
    changed: list[Told]
    """The fields, each as `reinforce.learningRate: 5e-06 -> 0.0001`."""

    @property
    def told(self) -> str:
        """The change in a sentence."""
        return f"after step {self.step} of {self.stage}, attempt {self.attempt}: {'; '.join(self.changed)}"


class ReportStatus(Part):
    """Where the report lies."""

    path: str
    """File on the volume."""


class SelfCheck(Part):
    """A check of the run itself that was passed; one that fails ends the run."""

    name: str
    """template, engine, adapter, resume or merged: docs/self-checks.md."""
    message: Told
    """What was found, with the figure."""


class Report(Part):
    """What is known of a run: told by its trainer while it runs, and shown in the status for good."""

    stage: RunStage | None = None
    """What is being done."""
    progress: ProgressStatus | None = None
    """How far the run is."""
    training: TrainingStatus | None = None
    """Metrics of the last step."""
    difficulty: DifficultyStatus | None = None
    """How often the model, before RL, solved rows of train, where data.difficulty asks for it."""
    evaluation: EvaluationStatus | None = None
    """The proof of the gain."""
    resumed_from_step: int | None = None
    """Step from which the last attempt went on; absent where it started afresh."""
    resumed_from_stage: RunStage | None = None
    """Stage of that step: its last one, where the stage was finished and is reused."""
    last_checkpoint: CheckpointStatus | None = None
    """The last checkpoint on the volume."""
    model: ModelStatus | None = None
    """What was loaded."""
    learning_rates: dict[str, LearningRate] | None = None
    """Learning rates that the spec left open, by stage, and why they were chosen."""
    largest_steps: dict[str, LargestStep] | None = None
    """What the largest step of each stage took when it was tried, by stage."""
    lora_rank: AdapterRank | None = None
    """The adapter's rank, where the spec left it open, and why it was chosen."""
    spec_changes: list[SpecChange] | None = None
    """Changes of the spec in mid-run, oldest first."""
    data_revisions: dict[str, str] | None = None
    """Commit of each Hub data set, by its field, such as data.train."""
    memory: MemoryStatus | None = None
    """Memory of the last attempt."""
    artifacts: list[Artifact] | None = None
    """What was written."""
    self_checks: list[SelfCheck] | None = None
    """Checks of the run itself that were passed."""
    report: ReportStatus | None = None
    """Where the report lies."""

    def with_news(self, news: Report) -> Self:
        """Return this with what a newer report says.

        What is not in it stays: a last word may have been shortened to fit. Only where it was resumed from is of one
        attempt, and goes with it.
        """
        told = {name: getattr(news, name) for name in Report.model_fields}
        kept = {name: value for name, value in told.items() if value is not None or name.startswith("resumed_from")}
        return self.model_copy(update=kept)
