"""The spec of a ReasoningTrainingJob: the only definition of it.

The CRD, its CEL rules, the API reference, the chart's copy and the trainer's configuration are all made from these
models. A field left empty where the right value depends on the algorithm or the backend is filled by
`reasoning_contract.resolve`, and the filled-in spec is what the trainer runs and what the run's provenance shows.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from .rules import Part, rule

Name = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
"""A DNS label: what Kubernetes accepts as the name of most objects."""
Text = Annotated[str, StringConstraints(max_length=65536)]
Short = Annotated[str, StringConstraints(min_length=1, max_length=253)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Source = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Probability = Annotated[float, Field(ge=0, le=1)]


def _quantity(value: object) -> object:
    return str(value) if isinstance(value, int) else value


Quantity = Annotated[
    str,
    BeforeValidator(_quantity),
    StringConstraints(max_length=32),
    WithJsonSchema({"x-kubernetes-int-or-string": True}),
]
Passthrough = Annotated[
    dict[str, Any], WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True})
]
"""An object of the Kubernetes API, handed to the pod as it is; the API server checks it when the Job is created."""

SIZE_PATTERN = r"^[0-9]+([.][0-9]+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$"
MODEL_SOURCE_PATTERN = r"^(hf://[^/]+/[^/]+|pvc://[^/]+/.+|file:///.+)$"
DATA_SOURCE_PATTERN = r"^(hf://[^/]+(/[^/]+)?|pvc://[^/]+/.+|configmap://[^/]+/[^/]+|file:///.+)$"


class KeyRef(Part):
    """A key of a Secret or a ConfigMap in the job's namespace."""

    name: Short
    """Name of the object."""
    key: Short
    """Key within it."""


class _ModelSource(Part):
    """A model that lies somewhere."""

    source: Source
    """Where it lies: `hf://owner/name` on the Hub, `pvc://claim/path` on a claim, `file:///path` in the image."""

    @rule(
        f"self.source.matches(r'{MODEL_SOURCE_PATTERN}')",
        "must be hf://owner/name, pvc://claim/path or file:///path",
        field="source",
    )
    def _source_has_known_scheme(self) -> bool:
        return bool(re.search(MODEL_SOURCE_PATTERN, self.source))


class Model(_ModelSource):
    """The model to train."""

    revision: Short | None = None
    """Branch, tag or commit of a Hub repository; resolved to a commit, which the status shows."""
    load_in: Literal["auto", "4bit", "8bit", "16bit", "fp8"] = "auto"
    """Precision of the frozen weights. `auto`: 4bit on backend unsloth, else 16bit. A CPU computes in 32-bit floats."""
    max_sequence_length: Annotated[int, Field(ge=16, le=1048576)] = 2048
    """Longest prompt and completion together, in tokens."""
    token_secret_ref: KeyRef | None = None
    """Secret with a Hub token, for gated or private repositories."""
    trust_remote_code: bool = False
    """Run Python code that the model's repository carries. It runs with the rights of the training pod."""

    @rule(
        "!has(self.revision) || self.source.startsWith('hf://')",
        "only a Hub model (hf://owner/name) has a revision: remove it",
        field="revision",
    )
    def _only_hub_models_have_a_revision(self) -> bool:
        return self.revision is None or self.source.startswith("hf://")


class Lora(Part):
    """The low-rank adapter that is trained on the frozen model."""

    rank: Annotated[int, Field(ge=1, le=512)] = 32
    """Rank of the adapter's matrices."""
    alpha: Annotated[int, Field(ge=1, le=2048)] = 64
    """Scaling numerator: the adapter's output is multiplied by alpha / rank (alpha / sqrt(rank) if rank-stabilised)."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout on the adapter's input during training."""
    target_modules: Annotated[list[Short], Field(min_length=1, max_length=64)] = ["all-linear"]
    """`[all-linear]`, or the names of the modules that get an adapter, such as q_proj."""
    gradient_checkpointing: Literal["none", "standard", "unsloth"] = "standard"
    """Recompute activations in the backward pass; `unsloth` also offloads them (backend unsloth only)."""
    rank_stabilized: bool = False
    """Scale by alpha / sqrt(rank) (rsLoRA) instead of alpha / rank."""

    @rule(
        "!self.targetModules.exists(name, name == 'all-linear') || size(self.targetModules) == 1",
        "all-linear already means every linear layer: remove it or the other names",
        field="targetModules",
    )
    def _all_linear_stands_alone(self) -> bool:
        return "all-linear" not in self.target_modules or len(self.target_modules) == 1


class Tags(Part):
    """A pair of tags around a part of the completion."""

    start: Tag
    """Opening tag."""
    end: Tag
    """Closing tag."""

    @rule("self.start != self.end", "start and end must differ")
    def _differ(self) -> bool:
        return self.start != self.end


ChatFamily = Literal[
    "alpaca", "chatml", "gemma", "gemma-3", "gemma-3n", "gemma-4", "gemma2", "gpt-oss", "lfm-2", "llama", "llama-3",
    "llama-3.1", "llama-3.2", "llama-3.3", "mistral", "phi-3", "phi-3.5", "phi-4", "qwen-2.5", "qwen-2.5-coder",
    "qwen-3", "qwen3-instruct", "qwen3-thinking", "starling", "unsloth", "vicuna", "yi-chat", "zephyr",
]  # fmt: skip

DEFAULT_SYSTEM_PROMPT = (
    "Think step by step between <reasoning> and </reasoning>, "
    "then give the final answer between <answer> and </answer>."
)


class ChatTemplate(Part):
    """How a row becomes a prompt, and where its reasoning and answer stand."""

    family: ChatFamily | None = None
    """A known family. Empty, with `jinja` empty too: the template that the model's tokenizer carries."""
    jinja: Text | None = None
    """A template of your own, instead of a family."""
    eos_token: Tag | None = None
    """Token that ends a turn of your own template; the tokenizer's by default."""
    special_tokens: Annotated[list[Tag], Field(max_length=64)] = []
    """Tokens of your own template that the tokenizer lacks; they are added to it."""
    system_prompt: Text = DEFAULT_SYSTEM_PROMPT
    """What the model is told to do; it should name the tags. Empty for none."""
    reasoning_tags: Tags = Tags(start="<reasoning>", end="</reasoning>")
    """Tags around the reasoning."""
    answer_tags: Tags = Tags(start="<answer>", end="</answer>")
    """Tags around the answer."""
    instruction_part: Tag | None = None
    """Text that opens a user turn of your own template."""
    response_part: Tag | None = None
    """Text that the assistant's words follow. Both parts are needed to train on responses only where the template does
    not write a prompt as its conversation begins; those of models that think do not."""

    @rule("!(has(self.family) && has(self.jinja))", "give family or jinja, not both")
    def _one_template(self) -> bool:
        return self.family is None or self.jinja is None

    @rule(
        "has(self.instructionPart) == has(self.responsePart)",
        "instructionPart and responsePart go together: give both or neither",
    )
    def _parts_go_together(self) -> bool:
        return (self.instruction_part is None) == (self.response_part is None)

    @rule(
        "has(self.jinja) || (!has(self.eosToken) && size(self.specialTokens) == 0 && !has(self.instructionPart))",
        "eosToken, specialTokens, instructionPart and responsePart belong to a template of your own: give jinja too",
    )
    def _custom_parts_need_a_custom_template(self) -> bool:
        custom = self.eos_token or self.special_tokens or self.instruction_part
        return self.jinja is not None or not custom


class Inference(Part):
    """How completions are generated, during RL and in the evaluation."""

    engine: Literal["auto", "vllm", "transformers"] = "auto"
    """`auto`: vllm where the job has a GPU and backend or algorithm generate with it, else transformers."""
    gpu_memory_utilization: Annotated[float, Field(gt=0, lt=1)] = 0.6
    """Share of the GPU's memory that vLLM may take. 0.5 to 0.8 suits most jobs."""
    max_num_seqs: Positive | None = None
    """Most sequences that vLLM decodes at once; set by the numbers of a step when empty."""
    kv_cache_dtype: Literal["auto", "fp8"] = "auto"
    """Precision of vLLM's key-value cache."""
    enforce_eager: bool = False
    """Do not capture CUDA graphs: less memory, slower decoding."""
    standby: bool = False
    """Let vLLM give its memory back while the model is updated (backend unsloth only)."""


class Columns(Part):
    """Which columns of the data mean what. Left empty, a column of the role's own name is used if there is one."""

    prompt: Short | None = None
    """The question put to the model: text, or a conversation of one user's turn."""
    answer: Short | None = None
    """The reference answer that a reward compares with."""
    reasoning: Short | None = None
    """A worked solution, for the warm-up."""
    chosen: Short | None = None
    """The preferred completion, for DPO and ORPO: text, or a conversation that it ends. Where there is no column
    prompt, the user's turn before it is the prompt."""
    rejected: Short | None = None
    """The completion that is not preferred, in the same form."""
    messages: Short | None = None
    """A conversation in messages of role and content, for the warm-up; tools are refused. Left empty, a column
    messages is used only where no other column is named."""


class Row(Part):
    """A row written into the manifest itself."""

    prompt: Text
    """The question put to the model."""
    answer: Text | None = None
    """The reference answer."""
    reasoning: Text | None = None
    """A worked solution, for the warm-up."""
    chosen: Text | None = None
    """The preferred completion, for DPO and ORPO."""
    rejected: Text | None = None
    """The completion that is not preferred, for DPO and ORPO."""


class ReasoningGym(Part):
    """A task of the library reasoning-gym, which makes verifiable rows from a seed."""

    task: Short
    """Name of the task, such as chain_sum."""
    size: Annotated[int, Field(ge=1, le=1000000)] = 1000
    """How many rows to make."""
    seed: Count = 0
    """Seed of the rows. Rows of two seeds may coincide: a row that is in train and heldOut is refused."""
    config: Passthrough = {}
    """Settings of the task, by the library's names; the library refuses what it does not know."""


ONE_KIND = "[has(self.source), has(self.rows), has(self.reasoningGym)].filter(given, given).size()"


class _Rows(Part):
    """Where rows come from: exactly one of source, rows and reasoningGym."""

    source: Source | None = None
    """`hf://owner/name`, `pvc://claim/path`, `configmap://name/key` or `file:///path`: JSONL, Parquet or CSV."""
    rows: Annotated[list[Row], Field(min_length=1, max_length=512)] | None = None
    """Rows in the manifest itself, for small sets."""
    reasoning_gym: ReasoningGym | None = None
    """Rows made by a reasoning-gym task."""
    config: Short | None = None
    """Configuration of a Hub data set."""
    split: Short | None = None
    """Split of a Hub data set; train by default."""
    revision: Short | None = None
    """Branch, tag or commit of a Hub data set."""
    columns: Columns = Columns()
    """Which columns mean what."""
    answer_pattern: Short | None = None
    """Regular expression whose first group is the answer within the answer column, such as `#### (.*)`."""
    limit: Positive | None = None
    """Use only this many rows, chosen by the seed."""

    @rule(
        f"!has(self.source) || self.source.matches(r'{DATA_SOURCE_PATTERN}')",
        "must be hf://owner/name, pvc://claim/path, configmap://name/key or file:///path",
        field="source",
    )
    def _source_has_known_scheme(self) -> bool:
        return self.source is None or bool(re.search(DATA_SOURCE_PATTERN, self.source))

    @property
    def kinds(self) -> int:
        """How many of source, rows and reasoningGym are given."""
        return sum(kind is not None for kind in (self.source, self.rows, self.reasoning_gym))

    @property
    def _is_from_hub(self) -> bool:
        return self.source is not None and self.source.startswith("hf://")

    @rule(
        "(!has(self.config) && !has(self.revision)) || (has(self.source) && self.source.startsWith('hf://'))",
        "config and revision belong to a Hub data set: use them with source hf://owner/name",
    )
    def _hub_fields_need_a_hub_source(self) -> bool:
        return self._is_from_hub or (self.config is None and self.revision is None)

    @rule(
        f"!has(self.split) || {ONE_KIND} == 0 || (has(self.source) && self.source.startsWith('hf://'))",
        "only a Hub data set (hf://owner/name) has splits: remove it",
        field="split",
    )
    def _only_hub_data_sets_have_splits(self) -> bool:
        return self.split is None or self.kinds == 0 or self._is_from_hub


class Rows(_Rows):
    """A set of rows and where it comes from: exactly one of source, rows and reasoningGym."""

    @rule(f"{ONE_KIND} == 1", "give exactly one of source, rows and reasoningGym")
    def _one_kind(self) -> bool:
        return self.kinds == 1


_ANY_COLUMN = " || ".join(f"has(self.columns.{field.alias})" for field in Columns.model_fields.values())


class HeldOut(_Rows):
    """Rows that are never trained on: rows of their own, another split of train's source, or a share of train."""

    fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of train's rows to hold out, chosen by a hash of the prompt: the same rows for every seed and size."""

    @rule(
        f"{ONE_KIND} + [has(self.fraction), has(self.split) && {ONE_KIND} == 0].filter(given, given).size() == 1",
        "give exactly one of source, rows, reasoningGym, fraction (a share of train), or split (of train's source)",
    )
    def _one_origin(self) -> bool:
        only_split = self.split is not None and self.kinds == 0
        return self.kinds + (self.fraction is not None) + only_split == 1

    @rule(
        f"!has(self.fraction) || !(has(self.answerPattern) || {_ANY_COLUMN})",
        "rows of train keep train's columns and answerPattern: give those in data.train",
        field="fraction",
    )
    def _a_share_of_train_is_read_as_train(self) -> bool:
        return self.fraction is None or (self.answer_pattern is None and self.columns == Columns())


class Data(Part):
    """What is learned from, and what is held out."""

    train: Rows
    """Rows for RL; preference rows for DPO and ORPO."""
    warmup: Rows | None = None
    """Rows for the SFT warm-up: prompt, reasoning, answer, or messages."""
    held_out: HeldOut | None = None
    """Rows for the evaluation, with answers; those of DPO and ORPO may be pairs without. A row that is also in train or
    warmup is refused."""

    @rule(
        "!has(self.warmup) || !has(self.warmup.reasoningGym)",
        "the warm-up learns from worked rows, and reasoning-gym gives none: use source or rows",
        field="warmup",
    )
    def _warm_up_has_worked_rows(self) -> bool:
        return self.warmup is None or self.warmup.reasoning_gym is None


class Warmup(Part):
    """Supervised warm-up (SFT) on a small curated set, so that RL starts from the format and some skill."""

    skip: bool = False
    """Go straight to RL, in the manner of R1-Zero."""
    epochs: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Passes over the warm-up rows."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 2e-4
    """Peak learning rate."""
    scheduler: Literal["constant", "linear", "cosine"] = "cosine"
    """Course of the learning rate after its warm-up."""
    warmup_ratio: Probability = 0.05
    """Share of the steps over which the learning rate rises."""
    batch_size: Positive = 1
    """Rows a forward pass."""
    gradient_accumulation: Positive = 4
    """Forward passes an update."""
    train_on_responses_only: bool = True
    """Do not learn to predict the prompt."""


Algorithm = Literal["GRPO", "GSPO", "DrGRPO", "DAPO", "RLOO", "PPO", "DPO", "ORPO", "none"]
PREFERENCE = ("DPO", "ORPO")
GROUPED = ("GRPO", "GSPO", "DrGRPO", "DAPO", "RLOO")
_GROUPED_CEL = "['GRPO', 'GSPO', 'DrGRPO', 'DAPO', 'RLOO']"


class Reinforce(Part):
    """Reinforcement learning or preference optimisation. Fields left empty take the algorithm's published values."""

    algorithm: Algorithm = "GRPO"
    """What optimises the model; `none` for a warm-up alone."""
    steps: Positive | None = None
    """Updates of the model; 250 when epochs is empty too."""
    epochs: Annotated[float, Field(gt=0, le=1000)] | None = None
    """Passes over train, instead of steps."""
    num_generations: Annotated[int, Field(ge=2, le=256)] = 8
    """Completions a prompt, which are compared with each other. 4 to 16 suits most jobs."""
    batch_size: Positive = 8
    """Completions (pairs for DPO and ORPO) a forward pass."""
    gradient_accumulation: Positive = 1
    """Forward passes an update: batchSize x gradientAccumulation completions a step."""
    updates_per_generation: Annotated[int, Field(ge=1, le=64)] | None = None
    """Updates made with one batch of generated completions, each with a part of its own. With 1 the model that is
    updated is the one that wrote: every probability ratio is 1, so that clipping and importanceSampling change nothing.
    GSPO: 4; else 1. The completions of all updates are generated at once; a checkpoint waits for the last update."""
    max_prompt_length: Annotated[int, Field(ge=1)] | None = None
    """Longest prompt in tokens; longer rows are left out and counted. What maxCompletionLength leaves when empty."""
    max_completion_length: Annotated[int, Field(ge=1)] = 512
    """Longest completion in tokens."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 5e-6
    """Peak learning rate."""
    scheduler: Literal["constant", "linear", "cosine"] = "cosine"
    """Course of the learning rate after its warm-up."""
    warmup_ratio: Probability = 0.1
    """Share of the steps over which the learning rate rises."""
    optimizer: Literal["auto", "adamw", "adamw_8bit", "paged_adamw_8bit"] = "auto"
    """`auto`: adamw_8bit on backend unsloth, else adamw."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Decoupled weight decay of AdamW."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """Gradients are scaled down to this norm."""
    temperature: Annotated[float, Field(gt=0, le=10)] = 1.0
    """Sampling temperature of the completions."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Nucleus sampling: the smallest set of tokens with this much probability."""
    min_p: Probability | None = None
    """Leave out tokens less likely than this share of the likeliest one's probability."""
    top_k: Count | None = None
    """Sample among this many likeliest tokens; 0 or empty for all."""
    beta: Annotated[float, Field(ge=0)] | None = None
    """Weight of the divergence from the frozen reference model (DPO, ORPO: of the preference term)."""
    epsilon: Annotated[float, Field(gt=0)] | None = None
    """Lower clipping range of the probability ratio."""
    epsilon_high: Annotated[float, Field(gt=0)] | None = None
    """Upper clipping range of the probability ratio; epsilon when empty and the algorithm has none of its own."""
    loss_type: Literal["grpo", "dr_grpo", "dapo", "bnpo", "cispo", "sapo", "luspo", "vespo"] | None = None
    """How token losses are put together in the GRPO family."""
    importance_sampling: Literal["token", "sequence"] | None = None
    """Level of the probability ratio in the GRPO family; `sequence` is GSPO's."""
    scale_rewards: Literal["group", "batch", "none"] | None = None
    """What advantages are divided by: the standard deviation in the group, in the batch, or nothing."""
    mask_truncated: bool | None = None
    """Do not learn from completions that were cut at maxCompletionLength."""
    seed: Count = 3407
    """Seed of sampling, shuffling and adapter weights."""

    @rule("!(has(self.steps) && has(self.epochs))", "give steps or epochs, not both")
    def _steps_or_epochs(self) -> bool:
        return self.steps is None or self.epochs is None

    @rule(
        f"!has(self.updatesPerGeneration) || self.algorithm in {_GROUPED_CEL}",
        "belongs to GRPO, GSPO, DrGRPO, DAPO and RLOO: remove it",
        field="updatesPerGeneration",
    )
    def _only_groups_are_updated_from_more_than_once(self) -> bool:
        return self.updates_per_generation is None or self.algorithm in GROUPED

    @rule(
        f"!(self.algorithm in {_GROUPED_CEL}) || self.batchSize * self.gradientAccumulation % self.numGenerations == 0",
        "must divide batchSize x gradientAccumulation, the completions a step, so that every prompt has a whole group",
        field="numGenerations",
    )
    def _groups_are_whole(self) -> bool:
        whole = self.batch_size * self.gradient_accumulation % self.num_generations == 0
        return self.algorithm not in GROUPED or whole


class PythonReward(Part):
    """A reward written by the user; it runs in a box without network, GPU, token or Secret."""

    config_map_key_ref: KeyRef
    """Where the source file lies."""
    function: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)] = "score"
    """Name of the function: it takes prompts, completions and the columns, and returns a list of numbers or None."""
    timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 5.0
    """Longest time for one batch."""


class HttpReward(Part):
    """A reward computed by a service."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2048)]
    """Where batches are posted."""
    timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """Longest time for one batch."""

    @rule("self.url.matches(r'^https?://.+')", "must begin with http:// or https://", field="url")
    def _is_http(self) -> bool:
        return bool(re.search(r"^https?://.+", self.url))


class ModelReward(_ModelSource):
    """A reward given by a reward model."""

    load_in: Literal["4bit", "8bit", "16bit"] = "8bit"
    """Precision of its weights."""


class RewardParams(Part):
    """Settings of the built-in rewards; each belongs to the one that its text names."""

    parser: Literal["math", "exact", "number"] | None = None
    """correctness: how answers are compared. `math` by value of the expression, `number` by number, `exact` by text."""
    target_tokens: Positive | None = None
    """lengthPenalty: completions up to this length cost nothing."""
    max_tokens: Positive | None = None
    """lengthPenalty: at this length the penalty reaches -1; twice targetTokens when empty."""
    strict: bool | None = None
    """format: demand exactly one of each tag, in order, nothing around them; else a share for each tag in place."""
    ngram: Annotated[int, Field(ge=2, le=10)] | None = None
    """fluency: length in words of the repeated passages that cost."""


PARAMS_OF = {
    "correctness": ("parser",),
    "format": ("strict",),
    "lengthPenalty": ("targetTokens", "maxTokens"),
    "fluency": ("ngram",),
}
_PARAMS_CEL = " && ".join(
    f"(!has(self.params.{param}) || (has(self.builtin) && self.builtin == '{builtin}'))"
    for builtin, params in PARAMS_OF.items()
    for param in params
)


class Reward(Part):
    """One reward function: exactly one of builtin, python, http and model."""

    name: Name
    """Its name in metrics and messages."""
    weight: float = 1.0
    """What it is multiplied with before all are added."""
    builtin: Literal["format", "correctness", "lengthPenalty", "fluency"] | None = None
    """A reward that comes with the trainer."""
    params: RewardParams = RewardParams()
    """Settings of a built-in reward."""
    python: PythonReward | None = None
    """A reward written by you."""
    http: HttpReward | None = None
    """A reward computed by a service."""
    model: ModelReward | None = None
    """A reward given by a reward model."""

    @rule(
        "[has(self.builtin), has(self.python), has(self.http), has(self.model)].filter(given, given).size() == 1",
        "give exactly one of builtin, python, http and model",
    )
    def _one_kind(self) -> bool:
        return sum(kind is not None for kind in (self.builtin, self.python, self.http, self.model)) == 1

    @rule(
        _PARAMS_CEL,
        "a setting of another reward: correctness takes parser, format strict, fluency ngram, "
        "lengthPenalty targetTokens and maxTokens",
        field="params",
    )
    def _params_belong_to_the_builtin(self) -> bool:
        given = self.params.model_dump(by_alias=True, exclude_none=True)
        return set(given) <= set(PARAMS_OF.get(self.builtin or "", ()))

    @rule(
        "!has(self.builtin) || self.builtin != 'lengthPenalty' || has(self.params.targetTokens)",
        "lengthPenalty needs targetTokens: the length in tokens up to which a completion costs nothing",
        field="params",
    )
    def _length_penalty_has_a_target(self) -> bool:
        return self.builtin != "lengthPenalty" or self.params.target_tokens is not None

    @rule(
        "!has(self.params.targetTokens) || !has(self.params.maxTokens)"
        " || self.params.targetTokens < self.params.maxTokens",
        "maxTokens must be greater than targetTokens",
        field="params",
    )
    def _length_range_is_not_empty(self) -> bool:
        low, high = self.params.target_tokens, self.params.max_tokens
        return low is None or high is None or low < high


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
        "!self.requireImprovement || (self.stages.exists(stage, stage == 'base')"
        " && self.stages.exists(stage, stage != 'base'))",
        "requireImprovement compares with the base: stages needs base and what is trained",
        field="stages",
    )
    def _improvement_has_something_to_compare(self) -> bool:
        return not self.require_improvement or ("base" in self.stages and set(self.stages) != {"base"})


QUANTISATIONS = (
    *("f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_k_s", "q5_1", "q5_0", "q4_k_m", "q4_k_s", "q4_1", "q4_0"),
    *("iq4_nl", "iq4_xs", "q3_k_l", "q3_k_m", "q3_k_s", "q2_k"),
)
"""Types of llama.cpp that need no importance matrix, from the largest to the smallest."""
EXPORT_FORMATS = ("lora", "merged16bit", "merged4bit", *(f"gguf:{name}" for name in QUANTISATIONS))
EXPORT_PATTERN = rf"^(lora|merged16bit|merged4bit|gguf:({'|'.join(QUANTISATIONS)}))$"


class Export(Part):
    """What is written to the volume at the end."""

    formats: Annotated[list[Tag], Field(min_length=1, max_length=16)] = ["lora"]
    """lora: the adapter. merged16bit: the whole model. merged4bit: the same in NF4 of bitsandbytes. gguf:QUANTISATION,
    such as gguf:q4_k_m: the same for llama.cpp."""

    @rule(
        f"self.formats.all(format, format.matches(r'{EXPORT_PATTERN}'))",
        f"each must be lora, merged16bit, merged4bit or gguf: with one of {', '.join(QUANTISATIONS)}",
        field="formats",
    )
    def _formats_are_known(self) -> bool:
        return all(re.search(EXPORT_PATTERN, name) for name in self.formats)


DEFAULT_SIZE = "20Gi"


class Storage(Part):
    """The volume for checkpoints, adapters and reports."""

    size: Annotated[str, StringConstraints(max_length=32)] = DEFAULT_SIZE
    """Size of the claim that is made."""
    storage_class_name: Short | None = None
    """StorageClass of the claim that is made; the cluster's default when empty."""
    existing_claim: Name | None = None
    """A claim of yours to write to, instead of one that is made."""
    retain: bool = True
    """Keep the claim that was made when the job is deleted. A claim of yours is always kept."""
    cache_claim: Name | None = None
    """A claim of yours for downloaded models and compiled kernels. Jobs that trust each other may share it."""

    @rule(
        rf"self.size.matches(r'{SIZE_PATTERN}') && !self.size.matches(r'^[0.]+[A-Za-z]*$')",
        "must be a positive quantity, such as 20Gi",
        field="size",
    )
    def _size_is_positive(self) -> bool:
        return bool(re.search(SIZE_PATTERN, self.size)) and not re.search(r"^[0.]+[A-Za-z]*$", self.size)

    @rule(
        "!has(self.existingClaim) || !has(self.storageClassName)",
        "belongs to a claim that is made: remove it or existingClaim",
        field="storageClassName",
    )
    def _class_is_for_new_claims(self) -> bool:
        return self.existing_claim is None or self.storage_class_name is None

    @rule(
        f"!has(self.existingClaim) || self.size == '{DEFAULT_SIZE}'",
        "belongs to a claim that is made: remove it or existingClaim",
        field="size",
    )
    def _size_is_for_new_claims(self) -> bool:
        return self.existing_claim is None or self.size == DEFAULT_SIZE


DEFAULT_WINDOW, DEFAULT_SPREAD = 20, 0.05


class LearningSignal(Part):
    """Watches whether the rewards still tell completions apart: without spread in a group nothing is learned."""

    action: Literal["fail", "warn", "off"] = "fail"
    """What happens when the signal is lost."""
    window_steps: Positive = DEFAULT_WINDOW
    """Steps in a row that are looked at."""
    min_non_zero_variance: Probability = DEFAULT_SPREAD
    """Smallest share of groups with different rewards, on average over the window."""


class Divergence(Part):
    """Watches for a run that goes astray."""

    action: Literal["fail", "warn", "off"] = "fail"
    """What happens when the divergence from the reference passes maxKL."""
    max_kl: float | None = Field(default=None, gt=0, alias="maxKL")
    """Largest KL divergence from the reference; needs beta > 0."""
    non_finite: Literal["fail", "warn"] = "fail"
    """What happens when loss, reward or gradient is not a finite number."""


class Preflight(Part):
    """A check of data, tokenizer and rewards in a pod without GPU, before one is asked for."""

    enabled: bool | None = None
    """Run it. Empty: for jobs that ask for a GPU; others make the same checks first thing in the training pod."""
    sample_rows: Positive = 64
    """Rows to try the template and the rewards on."""


class Guards(Part):
    """What stops a run that is not worth its GPU."""

    learning_signal: LearningSignal = LearningSignal()
    """Loss of the learning signal."""
    divergence: Divergence = Divergence()
    """Divergence."""
    preflight: Preflight = Preflight()
    """The check before a GPU is asked for."""


class Checkpoint(Part):
    """When the run is saved, so that any attempt can go on from there."""

    every_steps: Positive = 25
    """RL or warm-up steps between checkpoints; in RL, rounded up to a multiple of reinforce.updatesPerGeneration."""
    keep: Annotated[int, Field(ge=1, le=100)] = 2
    """How many to keep of each stage."""
    on_spec_change: Literal["refuse", "startOver"] = "refuse"
    """What a new attempt does if what it is to learn has changed since the checkpoint."""


class Limits(Part):
    """How much the job may take."""

    active_deadline_seconds: Positive | None = None
    """Longest time from the first start to the end."""
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    """How often the job is started; an interruption that saved a checkpoint costs no attempt."""
    gpu_hours: Annotated[float, Field(gt=0)] | None = None
    """GPU-hours over all attempts; at the end of the budget the run saves a checkpoint and stops."""
    ttl_seconds_after_finished: Count | None = None
    """Delete the finished job, with its pods, after this time."""
    stall_timeout_seconds: Annotated[int, Field(ge=60)] | None = None
    """Restart a pod whose progress stood still this long."""


class Queue(Part):
    """Queueing by Kueue."""

    name: Name
    """The LocalQueue."""
    priority_class: Name | None = None
    """The WorkloadPriorityClass."""


class Parallelism(Part):
    """How many GPUs, and how they work together."""

    nodes: Annotated[int, Field(ge=1, le=1024)] = 1
    """Pods."""
    gpus_per_node: Annotated[int, Field(ge=0, le=64)] = 1
    """GPUs a pod; 0 trains on the CPU."""
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    """How several GPUs share the model."""
    vllm: Literal["colocate", "server"] = "colocate"
    """Whether vLLM shares the training GPUs or has its own."""


class Resources(Part):
    """CPU and memory of the training pod. GPUs are asked for by parallelism.gpusPerNode."""

    requests: Annotated[dict[str, Quantity], Field(max_length=16)] = {}
    """What the scheduler sets aside."""
    limits: Annotated[dict[str, Quantity], Field(max_length=16)] = {}
    """What the pod may use."""

    @rule(
        "!('nvidia.com/gpu' in self.limits) && !('nvidia.com/gpu' in self.requests)",
        "GPUs are asked for by parallelism.gpusPerNode: remove nvidia.com/gpu here",
    )
    def _gpus_stand_elsewhere(self) -> bool:
        return "nvidia.com/gpu" not in self.limits and "nvidia.com/gpu" not in self.requests


PodList = Annotated[list[Passthrough], Field(max_length=64)]


class Pod(Part):
    """Settings of the training pod, in Kubernetes' own terms."""

    image: Short | None = None
    """Trainer image; the operator's default when empty."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    """When the image is pulled; Kubernetes' default when empty."""
    image_pull_secrets: PodList = []
    """Secrets for the image's registry."""
    resources: Resources = Resources()
    """CPU and memory."""
    node_selector: Annotated[dict[str, str], Field(max_length=64)] = {}
    """Labels that the node must have."""
    tolerations: PodList = []
    """Taints of a node that the pod puts up with."""
    affinity: Passthrough | None = None
    """Rules for the choice of the node."""
    priority_class_name: Short | None = None
    """PriorityClass of the pod."""
    runtime_class_name: Short | None = None
    """RuntimeClass of the pod."""
    env: PodList = []
    """Environment variables of the trainer."""
    env_from: PodList = []
    """ConfigMaps and Secrets to take environment variables from."""
    volumes: PodList = []
    """Further volumes."""
    volume_mounts: PodList = []
    """Where the trainer sees them."""
    labels: Annotated[dict[str, str], Field(max_length=64)] = {}
    """Further labels."""
    annotations: Annotated[dict[str, str], Field(max_length=64)] = {}
    """Further annotations."""
    service_account_name: Name | None = None
    """ServiceAccount of the pod; its token is never mounted."""
    network_policy: bool = True
    """Make a NetworkPolicy that closes the pod to all but the operator and its data."""


_NO_GPU = "self.parallelism.gpusPerNode > 0"


class Spec(Part):
    """What to train, on what, how, and where the result goes."""

    backend: Literal["auto", "unsloth", "transformers"] = "auto"
    """`unsloth`: one NVIDIA GPU, least memory. `transformers`: a CPU, or several GPUs. `auto`: on one GPU
    transformers where 16-bit weights fit, for faster steps, else unsloth; the status says why."""
    model: Model
    """The model to train."""
    lora: Lora = Lora()
    """The adapter."""
    chat_template: ChatTemplate = ChatTemplate()
    """Prompts and tags."""
    inference: Inference = Inference()
    """Generation."""
    data: Data
    """What is learned from, and what is held out."""
    warmup: Warmup = Warmup()
    """SFT warm-up; it takes place if data.warmup is given."""
    reinforce: Reinforce = Reinforce()
    """Reinforcement learning."""
    rewards: Annotated[list[Reward], Field(max_length=32)] = []
    """Reward functions; their weighted sum is what RL raises."""
    evaluation: Evaluation = Evaluation()
    """Proof of the gain."""
    export: Export = Export()
    """What is written at the end."""
    storage: Storage = Storage()
    """The volume."""
    guards: Guards = Guards()
    """What stops a run that is not worth its GPU."""
    checkpoint: Checkpoint = Checkpoint()
    """When the run is saved."""
    limits: Limits = Limits()
    """How much the job may take."""
    suspend: bool = False
    """Stop the job, with a checkpoint, until this is false again."""
    queue: Queue | None = None
    """Queueing by Kueue."""
    parallelism: Parallelism = Parallelism()
    """GPUs and nodes."""
    pod: Pod = Pod()
    """Settings of the training pod."""

    @rule(
        "self.reinforce.algorithm in ['DPO', 'ORPO', 'none'] || size(self.rewards) > 0",
        "the algorithm needs at least one reward: add {name: correct, builtin: correctness}",
        field="rewards",
    )
    def _rl_has_rewards(self) -> bool:
        return self.reinforce.algorithm in (*PREFERENCE, "none") or bool(self.rewards)

    @rule(
        "!(self.reinforce.algorithm in ['DPO', 'ORPO']) || size(self.rewards) == 0",
        "DPO and ORPO learn from chosen and rejected completions: remove the rewards or choose another algorithm",
        field="rewards",
    )
    def _preferences_have_no_rewards(self) -> bool:
        return self.reinforce.algorithm not in PREFERENCE or not self.rewards

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
        return self.reinforce.algorithm not in PREFERENCE or named or given

    @rule(
        "self.reinforce.algorithm != 'none' || (has(self.data.warmup) && !self.warmup.skip)",
        "nothing to train: give data.warmup (and no warmup.skip), or an algorithm other than none",
        field="reinforce",
    )
    def _something_is_trained(self) -> bool:
        return self.reinforce.algorithm != "none" or (self.data.warmup is not None and not self.warmup.skip)

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
        f"{_NO_GPU} || self.reinforce.optimizer in ['auto', 'adamw']",
        "8-bit optimizers need a GPU: use optimizer adamw where parallelism.gpusPerNode is 0",
        field="reinforce",
    )
    def _quantised_optimizers_have_a_gpu(self) -> bool:
        return self.parallelism.gpus_per_node > 0 or self.reinforce.optimizer in ("auto", "adamw")

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
        return self.evaluation.every_steps is None or self.reinforce.algorithm != "none"

    @rule(
        f"self.reinforce.algorithm in {_GROUPED_CEL} || (self.guards.learningSignal.windowSteps == {DEFAULT_WINDOW}"
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
        "!has(self.guards.divergence.maxKL) || !(self.reinforce.algorithm in ['DPO', 'ORPO', 'none'])",
        "maxKL needs an algorithm that measures the divergence: DPO, ORPO and none do not",
        field="guards",
    )
    def _algorithm_measures_kl(self) -> bool:
        return self.guards.divergence.max_kl is None or self.reinforce.algorithm in (*GROUPED, "PPO")

    @rule(
        f"!has(self.guards.divergence.maxKL) || !(self.reinforce.algorithm in {_GROUPED_CEL})"
        " || (has(self.reinforce.beta) ? self.reinforce.beta > 0.0 : self.reinforce.algorithm == 'RLOO')",
        "maxKL needs a reference model to measure from: set reinforce.beta above 0",
        field="guards",
    )
    def _kl_is_measured(self) -> bool:
        algorithm, beta = self.reinforce.algorithm, self.reinforce.beta
        measured = beta > 0 if beta is not None else algorithm == "RLOO"
        return self.guards.divergence.max_kl is None or algorithm not in GROUPED or measured
