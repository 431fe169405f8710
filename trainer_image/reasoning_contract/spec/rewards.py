"""What RL raises."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from ..rules import Part, rule
from .model import ModelSource
from .nature import RUN
from .placement import Resources
from .types import GROUP_PATTERN, URL_PATTERN, Count, KeyRef, Name, Passthrough, Positive, Revision, Short, Text, Url

_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"


class PythonReward(Part):
    """A reward written by the user; it runs in a box without network, GPU, token or Secret. Its code is given by
    exactly one of source, configMapKeyRef and module."""

    source: Annotated[str, StringConstraints(min_length=1, max_length=65536)] | None = None
    """The code itself."""
    config_map_key_ref: KeyRef | None = None
    """Where the source file lies."""
    module: Annotated[str, StringConstraints(pattern=rf"^{_IDENTIFIER}(\.{_IDENTIFIER})*$", max_length=253)] | None = (
        None
    )
    """A module that is installed in the image."""
    function: Annotated[str, StringConstraints(pattern=rf"^{_IDENTIFIER}$", max_length=128)] = "score"
    """Name of the function. It takes prompts, completions and the columns of the rows, as TRL's reward functions do,
    and returns a list of numbers, or None where a completion is not its to score; `async def` is fine."""
    params: Passthrough = {}
    """Further arguments of the function, by their names."""
    timeout_seconds: Annotated[float, Field(gt=0, le=3600), RUN] = 5.0
    """Longest time for one batch. One that takes longer is tried once more, then it is not scored."""

    @rule(
        "[has(self.source), has(self.configMapKeyRef), has(self.module)].filter(given, given).size() == 1",
        "give exactly one of source, configMapKeyRef and module",
    )
    def _one_origin(self) -> bool:
        return sum(each is not None for each in (self.source, self.config_map_key_ref, self.module)) == 1


class HttpReward(Part):
    """A reward computed by a service."""

    url: Url
    """Where batches are posted, as docs/rewards.md describes."""
    headers_secret_ref: Annotated[KeyRef | None, RUN] = None
    """A key of a Secret with headers of every request, one a line, such as `Authorization: Bearer ...`."""
    timeout_seconds: Annotated[float, Field(gt=0, le=3600), RUN] = 10.0
    """Longest time for one batch, retries included."""
    retries: Annotated[int, Field(ge=0, le=16), RUN] = 4
    """How often a request is sent again that failed in a way that may pass."""
    concurrency: Annotated[int, Field(ge=1, le=64), RUN] = 1
    """Into how many requests a batch is divided, which are sent at once; 1 sends it whole."""

    @rule(f"self.url.matches(r'{URL_PATTERN}')", "must be an address with http:// or https://", field="url")
    def _is_http(self) -> bool:
        return bool(re.search(URL_PATTERN, self.url))


class JudgeReward(Part):
    """A reward given by a model that is asked for a score, behind an OpenAI-compatible endpoint such as vLLM's."""

    url: Url
    """The endpoint, up to and without `/chat/completions`, such as `http://judge:8000/v1`."""
    model: Short
    """The model's name there."""
    prompt: Annotated[str, StringConstraints(min_length=1, max_length=65536)]
    """What it is asked about one completion. `{completion}`, `{prompt}`, `{answer}` and the name of any other column in
    braces are replaced by their texts; `{{` and `}}` stand for braces."""
    system_prompt: Text | None = None
    """Its system prompt; none when empty."""
    pattern: Short = r"(?i)score:\s*(-?\d+(?:\.\d+)?)"
    """A regular expression with one group, which finds the score in what it says; the last place counts. Without one,
    the completion is not scored."""
    lowest: float = 0.0
    """The score that is worth 0. One that lies beneath it is none."""
    highest: float = 10.0
    """The score that is worth 1. One that lies above it is none."""
    max_tokens: Annotated[int, Field(ge=1, le=65536)] = 512
    """Longest answer of the judge."""
    api_key_secret_ref: Annotated[KeyRef | None, RUN] = None
    """Key of a Secret with the endpoint's key, sent as `Authorization: Bearer`."""
    timeout_seconds: Annotated[float, Field(gt=0, le=3600), RUN] = 60.0
    """Longest time for one batch, retries included."""
    retries: Annotated[int, Field(ge=0, le=16), RUN] = 4
    """How often a request is sent again that failed in a way that may pass."""
    concurrency: Annotated[int, Field(ge=1, le=256), RUN] = 16
    """How many completions are judged at once."""

    @rule(f"self.url.matches(r'{URL_PATTERN}')", "must be an address with http:// or https://", field="url")
    def _is_http(self) -> bool:
        return bool(re.search(URL_PATTERN, self.url))

    @rule("self.prompt.contains('{completion}')", "must have {completion}: what is judged", field="prompt")
    def _shows_the_completion(self) -> bool:
        return "{completion}" in self.prompt

    @rule(
        f"self.pattern.matches(r'{GROUP_PATTERN}')",
        "needs a group around the score, such as score: (\\d+)",
        field="pattern",
    )
    def _has_a_group(self) -> bool:
        return bool(re.search(GROUP_PATTERN, self.pattern))

    @rule(
        r"!self.url.matches(r'/chat/completions/?$')",
        "is the endpoint without /chat/completions, which is added to it: remove that",
        field="url",
    )
    def _is_the_endpoint_alone(self) -> bool:
        return not re.search(r"/chat/completions/?$", self.url)

    @rule("self.lowest < self.highest", "highest must be greater than lowest", field="highest")
    def _range_is_not_empty(self) -> bool:
        return self.lowest < self.highest


class RewardBox(Part):
    """The container beside the trainer in which Python rewards run."""

    resources: Resources = Resources()
    """CPU and memory. Empty: up to 1 CPU and 2Gi of memory, of which the scheduler sets 100m and 256Mi aside."""
    on_missing_wall: Literal["refuse", "run"] = "refuse"
    """What happens where the node's kernel lacks a wall of the box (Landlock, seccomp): refuse to run code of the
    user's, or run it with the walls that there are, where something else, such as a runtimeClassName, shuts it in."""


class ModelReward(ModelSource):
    """A reward given by a reward model: a sequence classifier with one score, such as preference data trains."""

    revision: Revision | None = None
    """Branch, tag or commit of a Hub repository."""
    token_secret_ref: Annotated[KeyRef | None, RUN] = None
    """Secret with a Hub token, for gated or private repositories; that of `model` when empty."""
    load_in: Literal["4bit", "8bit", "16bit"] = "8bit"
    """Precision of its weights. A CPU computes 16bit in 32-bit floats."""
    device: Annotated[Literal["auto", "cpu"], RUN] = "auto"
    """Where it scores: `auto` is the GPU where the job has one. `cpu` leaves the GPU to the training, and is slow."""
    batch_size: Annotated[int, Field(ge=1, le=1024), RUN] = 8
    """How many completions it reads at a time."""
    max_length: Annotated[int, Field(ge=16, le=1048576)] = 4096
    """Longest prompt and completion together, in its own tokens; of a longer one it reads the end."""


Builtin = Literal[
    "correctness",
    "format",
    "tagCount",
    "lengthPenalty",
    "cosineLength",
    "linearLength",
    "repetition",
    "fluency",
    "perplexity",
    "reasoningSteps",
    "languageConsistency",
    "code",
]
Language = Literal[
    "ar", "de", "el", "en", "es", "fr", "he", "hi", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "uk", "vi", "zh"
]  # fmt: skip


class RewardParams(Part):
    """Settings of the built-in rewards; each belongs to the ones that its text names."""

    parser: Literal["math", "exact", "number", "choice", "pattern", "reasoningGym"] | None = None
    """correctness, cosineLength, linearLength: how answers are compared. `math` by value of the expression, `number` by
    number, `choice` by the letter that is chosen, `pattern` by the row's answer as a regular expression, `exact` by
    text, `reasoningGym` (correctness alone) by the scorer of the task that made the row."""
    target_tokens: Positive | None = None
    """lengthPenalty: completions up to this length cost nothing."""
    max_tokens: Positive | None = None
    """lengthPenalty: at this length the penalty reaches -1; twice targetTokens when empty. cosineLength: the length at
    which a right answer is worth 0.5, and a wrong one -0.5."""
    strict: bool | None = None
    """format: demand exactly one of each tag, in order, nothing around them; else a share for each tag in place."""
    ngram: Annotated[int, Field(ge=2, le=40)] | None = None
    """fluency (4 when empty), repetition (3 when empty): length in words of the repeated passages that cost."""
    steps: Annotated[int, Field(ge=1, le=100)] | None = None
    """reasoningSteps: how many steps of reasoning earn the full reward; 3 when empty."""
    language: Language | None = None
    """languageConsistency: the language to reason in, told by its script; that of the prompt when empty."""
    tests_column: Short | None = None
    """code: the column with the row's tests, in one of the forms of docs/rewards.md; `tests` when empty."""
    credit: Literal["share", "all"] | None = None
    """code: `share` is the share of the tests that the program passes; `all` is 1 for all of them, else 0. share when
    empty."""
    seconds_per_test: Annotated[float, Field(gt=0, le=600)] | None = None
    """code: longest time that a program may run for one test; 5 when empty. All tests of a row have four times as
    long."""


PARAMS_OF: dict[str, tuple[str, ...]] = {
    "correctness": ("parser",),
    "format": ("strict",),
    "tagCount": (),
    "lengthPenalty": ("targetTokens", "maxTokens"),
    "cosineLength": ("parser", "maxTokens"),
    "linearLength": ("parser",),
    "repetition": ("ngram",),
    "fluency": ("ngram",),
    "perplexity": (),
    "reasoningSteps": ("steps",),
    "languageConsistency": ("language",),
    "code": ("testsColumn", "credit", "secondsPerTest"),
}
"""Which settings each built-in reward takes."""
COMPARING = ("correctness", "cosineLength", "linearLength")
"""Built-in rewards that compare answers with the rows'."""
_TAKERS = {
    param: [builtin for builtin, params in PARAMS_OF.items() if param in params]
    for params in PARAMS_OF.values()
    for param in params
}
_PARAMS_CEL = " && ".join(
    f"(!has(self.params.{param}) || (has(self.builtin) && self.builtin in {takers}))"
    for param, takers in _TAKERS.items()
)
_TAKEN = ", ".join(f"{builtin} takes {' and '.join(params)}" for builtin, params in PARAMS_OF.items() if params)


class WeightPoint(Part):
    """A weight that is reached at a step."""

    step: Count
    """How many steps of the RL stage were made then."""
    weight: float
    """The weight from then on, or up to the next point's."""


class Reward(Part):
    """One reward function: exactly one of builtin, python, http, model and judge."""

    name: Name
    """Its name in metrics and messages."""
    weight: float = 1.0
    """What it is multiplied with before all are added."""
    weight_schedule: Annotated[list[WeightPoint], Field(min_length=1, max_length=16)] | None = None
    """How the weight changes: from `weight` at step 0 in a straight line to each of these, and then it stays."""
    builtin: Builtin | None = None
    """A reward that comes with the trainer."""
    params: RewardParams = RewardParams()
    """Settings of a built-in reward."""
    python: PythonReward | None = None
    """A reward written by you."""
    http: HttpReward | None = None
    """A reward computed by a service."""
    model: ModelReward | None = None
    """A reward given by a reward model."""
    judge: JudgeReward | None = None
    """A reward given by a model that is asked for a score."""

    @property
    def runs_code(self) -> bool:
        """Whether it runs code of the user's or the model's, for which there is the box."""
        return self.python is not None or self.builtin == "code" or self.params.parser == "reasoningGym"

    @property
    def reads_the_base(self) -> bool:
        """Whether the job's own model must be loaded for it."""
        return self.builtin == "perplexity"

    @rule(
        "[has(self.builtin), has(self.python), has(self.http), has(self.model), has(self.judge)]"
        ".filter(given, given).size() == 1",
        "give exactly one of builtin, python, http, model and judge",
    )
    def _one_kind(self) -> bool:
        kinds = (self.builtin, self.python, self.http, self.model, self.judge)
        return sum(kind is not None for kind in kinds) == 1

    @rule(
        "!has(self.weightSchedule) || self.weightSchedule.all(point, point.step > 0"
        " && self.weightSchedule.exists_one(other, other.step == point.step))"
        " && self.weightSchedule.map(point, point.step).isSorted()",
        "give its points by rising steps, from 1",
        field="weightSchedule",
    )
    def _schedule_rises(self) -> bool:
        steps = [0, *(point.step for point in self.weight_schedule or ())]
        return all(before < after for before, after in pairwise(steps))

    @rule(
        _PARAMS_CEL,
        f"a setting of another reward: {_TAKEN}",
        field="params",
    )
    def _params_belong_to_the_builtin(self) -> bool:
        given = self.params.model_dump(by_alias=True, exclude_none=True)
        return set(given) <= set(PARAMS_OF.get(self.builtin or "", ()))

    @rule(
        "!has(self.params.parser) || self.params.parser != 'reasoningGym' || self.builtin == 'correctness'",
        "parser reasoningGym belongs to builtin correctness",
        field="params",
    )
    def _tasks_judge_correctness(self) -> bool:
        return self.params.parser != "reasoningGym" or self.builtin == "correctness"

    @rule(
        "!has(self.builtin) || self.builtin != 'lengthPenalty' || has(self.params.targetTokens)",
        "lengthPenalty needs targetTokens: the length in tokens up to which a completion costs nothing",
        field="params",
    )
    def _length_penalty_has_a_target(self) -> bool:
        return self.builtin != "lengthPenalty" or self.params.target_tokens is not None

    @rule(
        "!has(self.builtin) || self.builtin != 'cosineLength' || has(self.params.maxTokens)",
        "cosineLength needs maxTokens: the length in tokens at which its curve ends",
        field="params",
    )
    def _cosine_has_an_end(self) -> bool:
        return self.builtin != "cosineLength" or self.params.max_tokens is not None

    @rule(
        "!has(self.params.targetTokens) || !has(self.params.maxTokens)"
        " || self.params.targetTokens < self.params.maxTokens",
        "maxTokens must be greater than targetTokens",
        field="params",
    )
    def _length_range_is_not_empty(self) -> bool:
        low, high = self.params.target_tokens, self.params.max_tokens
        return low is None or high is None or low < high
