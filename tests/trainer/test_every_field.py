"""Every field of the spec has an effect on what is built, or is refused by name: a new field without a case fails.

The ConfigMap with the spec is left out of what is looked at: it only carries a field, and shows no effect of it.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, TypeAlias, get_args, get_origin

import pytest
from pydantic import ValidationError
from tests.manifests import merge
from tests.unit.operator.objects import EARLIER, NOW, SETTINGS

from reasoning_contract.api import headers_variable
from reasoning_contract.choice import choose
from reasoning_contract.progress import Progress
from reasoning_contract.report import ProgressStatus, TrainingStatus
from reasoning_contract.resolve import resolve
from reasoning_contract.rules import Part
from reasoning_contract.spec import GROUPED, PREFERENCE, Algorithm, Spec
from reasoning_contract.step_sizes import halved, sizes
from reasoning_contract.unbuilt import unsupported
from reasoning_operator.acceptance import accept
from reasoning_operator.children import training_job
from reasoning_operator.inputs import references
from reasoning_operator.model import Observed, TrainingJob
from reasoning_operator.plan import plan
from reasoning_trainer import pipeline
from reasoning_trainer.algorithms.trl_arguments import (
    reinforce_arguments,
    sampling_rules,
    warmup_arguments,
)
from reasoning_trainer.backends import transformers_arguments, unsloth_arguments, vllm_arguments
from reasoning_trainer.commands.check import sample
from reasoning_trainer.data.examples import Example
from reasoning_trainer.data.sources import Source
from reasoning_trainer.data.splits import load as load_data
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.evaluation.difficulty import Tally
from reasoning_trainer.guards import LearningSignalGuard, UnscoredGuard, guards_of, judge_budget, judge_divergence
from reasoning_trainer.guards.stall import StallGuard
from reasoning_trainer.job import Inputs
from reasoning_trainer.reporting.trackers import Trackers
from reasoning_trainer.rewards import Batch, Surroundings, batch_of, build
from reasoning_trainer.rewards.box import Function
from reasoning_trainer.rewards.references import set_aside
from reasoning_trainer.rewards.schedule import weights_at
from reasoning_trainer.stages.evaluate import drawn_as_in_rl, draws
from reasoning_trainer.storage.run_folder import RunFolder, write_lines

Document: TypeAlias = dict[str, Any]

# ---------------------------------------------------------------------------------------------- what there is to walk


def leaves(model: type[Part], prefix: str = "") -> Iterator[str]:
    """Yield the path of every field that is no part itself; `[]` stands for an element of a list of parts."""
    for name, info in model.model_fields.items():
        path = f"{prefix}{info.alias or name}"
        inner, listed = _part_of(info.annotation)
        if inner is None:
            yield path
        else:
            yield from leaves(inner, f"{path}{'[]' if listed else ''}.")


def _part_of(annotation: Any) -> tuple[type[Part] | None, bool]:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation, False
    listed = get_origin(annotation) is list
    for argument in get_args(annotation):
        inner, deeper = _part_of(argument)
        if inner is not None:
            return inner, listed or deeper
    return None, False


def with_value(document: Document, path: str, value: Any) -> Document:
    """Return a document with a value at a path; `[]` is the first element of a list."""
    result = copy.deepcopy(document)
    place: Any = result
    *parents, last = path.replace("[]", ".0").split(".")
    for step in parents:
        place = place[int(step)] if step.isdigit() else place.setdefault(step, {})
    place[last] = value
    return result


# ------------------------------------------------------------------------------------------------------------ the base

ROWS = [{"prompt": f"What is {n} + {n}?", "answer": f"{2 * n}"} for n in range(8)]
APART = [{"prompt": "What is 100 + 100?", "answer": "200"}, {"prompt": "What is 101 + 101?", "answer": "202"}]
MIXED = [{"prompt": "x" * 4, "answer": "1"}, {"prompt": "x" * 30, "answer": "1"}]
PROMPT_TOKENS = 25
"""Between the lengths of the two, template included."""
WORKED = [{"prompt": f"{n}?", "reasoning": f"It is {n}.", "answer": f"{n}"} for n in range(4)]
CPU: Document = {
    "model": {"source": "file:///models/tiny", "maxSequenceLength": 128},
    "data": {"train": {"rows": ROWS}, "warmup": {"rows": WORKED}, "heldOut": {"rows": APART}},
    "reinforce": {"maxCompletionLength": 12},
    "rewards": [{"name": "correct", "builtin": "correctness"}],
    "parallelism": {"gpusPerNode": 0},
}
GPU: Document = {"backend": "transformers", "parallelism": {"gpusPerNode": 1}}
QUANTISED: Document = {"model": {"loadIn": "4bit"}}
UNSLOTH: Document = {"backend": "unsloth", "parallelism": {"gpusPerNode": 1}}

# ----------------------------------------------------------------------------------------------------------- the views


class FakeDataSet(list[dict[str, str]]):
    """Rows, as from the library datasets."""

    cache_files: list[dict[str, str]] = []


class FakeHub(ModuleType):
    """Stands in for the library datasets: the Hub cannot be had in a test."""

    exceptions = SimpleNamespace(DatasetsError=ValueError)

    def __init__(self) -> None:
        super().__init__("datasets")
        self.asked: list[dict[str, Any]] = []

    def load_dataset(self, path: str, **wanted: Any) -> FakeDataSet:
        self.asked.append({"path": path} | wanted)
        return FakeDataSet({"prompt": f"{wanted} {n}", "answer": "1"} for n in range(2))


class World:
    """What views look at besides the spec; what is slow to make is made when a view asks for it."""

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        self.files, self._request = folder, request
        self._fresh = iter(folder / f"fresh-{number}" for number in range(1000))
        self._runs: dict[bool, Any] = {}
        columns = ("prompt", "answer", "reasoning", "chosen", "rejected", "system")
        talk = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]
        rows = {
            "a.jsonl": {"prompt": "a", "answer": "a a1", "reasoning": "a r", "chosen": "a c", "rejected": "a d"}
            | {f"other_{role}": f"other {role}" for role in columns}
            | {"talk": talk, "golds": ["a1", "one"]},
            "b.jsonl": {"prompt": "b", "answer": "b 1", "reasoning": "b r"},
        }
        (folder / "files").mkdir()
        for name, row in rows.items():
            (folder / "files" / name).write_text(json.dumps(row))

    @property
    def model(self) -> Path:
        path: Path = self._request.getfixturevalue("tiny_model")
        return path

    def fresh(self) -> Path:
        return next(self._fresh)

    def run(self, spec: Spec) -> Any:
        """Run the job as it is, or with all changes at once that only a run shows: two runs are enough."""
        changed = spec != resolved(CPU)
        if changed not in self._runs:
            self._runs[changed] = self._run(changed)
        return self._runs[changed]

    def _run(self, changed: bool) -> Any:
        document = merge(CPU, RUN | {"model": {"source": f"file://{self.model}"}})
        for path, case in each_case():
            if changed and isinstance(case, Shown) and case.view is run:
                document = with_value(document, path, case.value)
        folder = self.fresh()
        folder.mkdir()
        job = self._request.getfixturevalue("write_manifest")(folder, **document)
        outcome = self._request.getfixturevalue("train_in")(job, folder / "run")
        checkpoints = (folder / "run/reinforce").glob("checkpoint-*")
        return {
            "reason": outcome.reason,
            "evaluation": [path.name for path in (folder / "run/evaluation").iterdir()],
            "transcripts": len((folder / "run/evaluation/base.jsonl").read_text().splitlines()),
            "artifacts": [path.name for path in (folder / "run/artifacts").iterdir()],
            "checkpoints": sorted(int(path.name.removeprefix("checkpoint-")) for path in checkpoints),
        }


View: TypeAlias = Callable[[Spec, World], Any]


def choice(spec: Spec, world: World) -> Any:
    return choose(spec).model_dump()


def transformers_model(spec: Spec, world: World) -> Any:
    arguments = transformers_arguments
    return (
        arguments.model_arguments(spec) | arguments.precision_arguments(spec) | arguments.quantisation_arguments(spec)
    )


def peft_adapter(spec: Spec, world: World) -> Any:
    return transformers_arguments.adapter_arguments(spec)


def unsloth_model(spec: Spec, world: World) -> Any:
    return unsloth_arguments.model_arguments(spec, Path("/model"))


def vllm_engine(spec: Spec, world: World) -> Any:
    return vllm_arguments.engine_arguments(spec, Path("/model"), {}, 80e9)


def vllm_graphs(spec: Spec, world: World) -> Any:
    return vllm_arguments.compilation_arguments(spec)


def unsloth_adapter(spec: Spec, world: World) -> Any:
    return unsloth_arguments.adapter_arguments(spec)


def sft(spec: Spec, world: World) -> Any:
    return warmup_arguments(spec)


def rl(spec: Spec, world: World) -> Any:
    backend = unsloth_arguments if spec.backend == "unsloth" else transformers_arguments
    return reinforce_arguments(spec) | backend.generation_arguments(spec) | backend.trainer_arguments(spec)


def sampled(spec: Spec, world: World) -> Any:
    """What decides which rows are asked."""
    return sampling_rules(spec)


def head(spec: Spec, world: World) -> Any:
    """What the logits of a model in 16 bits are."""
    import torch
    from transformers import AutoModelForCausalLM

    from reasoning_trainer.backends.transformers import TransformersBackend

    model = AutoModelForCausalLM.from_pretrained(world.model, dtype=torch.bfloat16)
    adapted = TransformersBackend().adapt(model, spec, ())
    return {"dtype": str(adapted(input_ids=torch.tensor([[1, 2]])).logits.dtype).removeprefix("torch.")}


def splits(spec: Spec, world: World) -> Any:
    inputs = Inputs(config_maps=world.files, claims=world.files)
    found = load_data(spec, Source(inputs.locate))
    sets = {"train": found.train, "warmup": found.warmup, "heldOut": found.held_out}
    return {name: [vars(row) for row in rows] for name, rows in sets.items()}


def judgeable(spec: Spec, world: World) -> Any:
    """The rows that are left of those that were read."""
    inputs = Inputs(config_maps=world.files, claims=world.files)
    return vars(set_aside(spec, load_data(spec, Source(inputs.locate))))


def plain(spec: Spec, world: World) -> Any:
    """The rows that are left of those that hold control tokens; none where the data is refused for them."""
    from transformers import AutoTokenizer

    from reasoning_trainer.chat.chat import Chat
    from reasoning_trainer.chat.control import set_aside as set_control_tokens_aside
    from reasoning_trainer.chat.template import apply_template

    chat = Chat(tokenizer=AutoTokenizer.from_pretrained(world.model))
    apply_template(spec, chat)
    loaded = load_data(spec, Source(Inputs(None, None).locate))
    try:
        return [row.prompt for row in set_control_tokens_aside(spec, chat, loaded)[0].train]
    except TrainerError:
        return []


def asked_of_hub(spec: Spec, world: World) -> Any:
    """What the library datasets is asked for."""
    hub = FakeHub()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "datasets", hub)
        splits(spec, world)
    return hub.asked


def asked_of_model_hub(spec: Spec, world: World) -> Any:
    """What huggingface_hub is asked for. Its download is a fake: the Hub cannot be had in a test."""
    from reasoning_trainer.storage.model_files import fetch

    return asked_of_hub_for(lambda: fetch(spec, Inputs(None, None)))


def asked_for_reward_model(spec: Spec, world: World) -> Any:
    """The same, for the reward model."""
    around = Surroundings.of(spec, Inputs(None, None).locate, print)
    return asked_of_hub_for(lambda: around.fetch_model("r", spec.rewards[0].model))  # type: ignore[arg-type]


def asked_of_hub_for(fetch: Callable[[], object]) -> Any:
    import huggingface_hub

    asked: dict[str, Any] = {}

    def snapshot_download(name: str, **wanted: Any) -> str:
        asked.update(wanted, name=name)
        return "/snapshots/commit"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
        fetch()
    return asked


def reward_model(spec: Spec, world: World) -> Any:
    """How a reward model is loaded and read."""
    around = Surroundings.of(spec, Inputs(None, None).locate, print)
    scorer: Any = build(spec.rewards, spec.chat_template, around).functions[0]._scorer
    return scorer._settings.model_dump() | {"device": scorer._device}


def fitting(spec: Spec, world: World) -> int:
    """How many prompts of train are short enough."""
    from transformers import AutoTokenizer

    from reasoning_trainer.attempt import Chat

    chat: Any = Chat(tokenizer=AutoTokenizer.from_pretrained(world.model), template=spec.chat_template)
    context: Any = SimpleNamespace(spec=spec, say=lambda text: None)
    rows = load_data(spec, Source(Inputs(None, None).locate)).train
    return len(pipeline.fit_lengths(context, chat, rows, "data.train"))


def objects(spec: Spec, world: World) -> Any:
    """What the operator makes, but for the ConfigMap with the spec, and what it deletes."""
    meta = {"namespace": "team", "name": "sums", "uid": "0a1b", "generation": 1}
    job = {"metadata": meta, "spec": spec.model_dump(by_alias=True, exclude_none=True)}
    every = {(each.kind, each.name): frozenset({"a.jsonl", "b.jsonl"}) for each in references(spec)}
    claim = {"kind": "PersistentVolumeClaim", "metadata": {"name": "mine"}} if spec.storage.existing_claim else None
    observed = Observed(job, inputs=every, claim=claim)
    wanted = plan(observed, accept(observed, SETTINGS), SETTINGS, NOW)
    return {child["kind"]: child for child in wanted.create if child["kind"] != "ConfigMap"}


def template(spec: Spec, world: World) -> Any:
    job = TrainingJob.of({"metadata": META, "spec": spec.model_dump(by_alias=True, exclude_none=True)})
    return training_job.build(job, SETTINGS)["spec"]["template"]


def container(spec: Spec, world: World) -> Any:
    return template(spec, world)["spec"]["containers"][0]


def tried(spec: Spec, world: World) -> int:
    """On how many rows a check tries the rewards."""
    return len(sample(spec, load_data(spec, Source(Inputs(None, None).locate)).train))


def after_the_end(spec: Spec, world: World) -> Any:
    """When a job that has finished is deleted."""
    status = {"phase": "Succeeded", "completionTime": EARLIER}
    job = {"metadata": {"uid": "0a1b"}, "spec": spec.model_dump(by_alias=True, exclude_none=True), "status": status}
    return plan(Observed(job), accept(Observed(job | {"metadata": META}), SETTINGS), SETTINGS, NOW).requeue_after


META = {"namespace": "team", "name": "sums", "uid": "0a1b"}


def rewards(spec: Spec, world: World) -> Any:
    """Scores of completions, by the reward's name, with its weight."""
    texts = ["<reasoning>a b a b a b</reasoning>\n<answer>4.0</answer>", "<answer>4</answer>", "- four"]
    built = build(spec.rewards, spec.chat_template)
    rows, ids = [Example("2+2?", "4")] * 3, [[0] * 9, [0] * 5, [0]]
    return {
        function.name: (function.weight, function.score(batch_of(rows, ["2+2?"] * 3, texts, ids)))
        for function in built.functions
    }


def weights(spec: Spec, world: World) -> Any:
    """The weights of the rewards after three steps."""
    return dict(zip((reward.name for reward in spec.rewards), weights_at(spec.rewards, 3), strict=True))


def programs(spec: Spec, world: World) -> Any:
    """How programs are run and what their tests are worth."""
    with build(spec.rewards, spec.chat_template) as built:
        return vars(built.functions[0]._scorer)


def judge_of(spec: Spec) -> Any:
    return build(spec.rewards, spec.chat_template).functions[0]._scorer


def asked_of_judge(spec: Spec, world: World) -> Any:
    """What a judge is asked about a completion."""
    return judge_of(spec)._document(Batch(["2+2?"], ["4"]), 0)


def judged(spec: Spec, world: World) -> Any:
    """What the words of a judge are worth."""
    return judge_of(spec)._read(b'{"choices": [{"message": {"content": "Score: 4, x7"}}]}')


def scorers(spec: Spec, world: World) -> Any:
    """What scores, with the Python function or the service, and how long it may take."""
    inputs = Inputs(config_maps=world.files, claims=None)
    variables = {headers_variable(reward.name): "a: b" for reward in spec.rewards}
    around = replace(Surroundings.of(spec, inputs.locate, print), variables=variables)
    for reward in spec.rewards:
        if reward.python and (key := reward.python.config_map_key_ref):
            (world.files / key.name).mkdir(exist_ok=True)
            (world.files / key.name / key.key).write_text("")
    with build(spec.rewards, spec.chat_template, around) as built:
        parts = [vars(function) | vars(function._scorer) for function in built.functions]
        missing = built.box and vars(built.box)["_on_missing_wall"]
    functions = [part["_function"].document() for part in parts if isinstance(part.get("_function"), Function)]
    services = [
        vars(part["_service"]) | {"parts": part["_senders"]._max_workers} for part in parts if "_service" in part
    ]
    return {"seconds": parts[0]["_seconds"], "functions": functions, "services": services, "onMissingWall": missing}


def box(spec: Spec, world: World) -> Any:
    return template(spec, world)["spec"]["initContainers"][0]


def unscored(spec: Spec, world: World) -> Any:
    """What the guard says after each of ten batches of which a half failed."""
    guard = UnscoredGuard(spec.guards.unscored, "mine")
    verdicts = [guard.update(2, 4, "why") for _ in range(10)]
    return [verdict and (verdict.ok, verdict.action) for verdict in verdicts]


def phases(spec: Spec, world: World) -> Any:
    found = load_data(spec, Source(Inputs(None, None).locate))
    return {phase.name: phase.cost for phase in pipeline.plan(spec, found)}


def asked_in_rl(spec: Spec, world: World) -> list[int]:
    """Which of four rows RL asks, solved never, in part and always, and one that cannot be judged."""
    tallies = [Tally(0, 0, 8), Tally(1, 4, 8), Tally(2, 8, 8), Tally(3, 0, 0)]
    settings = spec.data.difficulty
    return [tally.row for tally in tallies if settings is None or tally.is_within(settings)]


def sampling(spec: Spec, world: World) -> Any:
    return vars(drawn_as_in_rl(spec, draws(spec), 0))


def learning_signal(spec: Spec, world: World) -> Any:
    """What the guard says after each of six steps in which half of the groups differ."""
    guard = LearningSignalGuard(spec.guards.learning_signal)
    verdicts = [guard.update(TrainingStatus(zero_variance_share=0.5)) for _ in range(6)]
    return [verdict and (verdict.ok, verdict.action) for verdict in verdicts]


class FakeTracker(ModuleType):
    """Stands in for the library of a tracker: it notes what it is given, and sends nothing."""

    def __init__(self, name: str, given: dict[str, Any]) -> None:
        super().__init__(name)
        self._given = given

    def init(self, settings: Mapping[str, Any] | None = None, **named: Any) -> Any:
        self._given |= named | dict(settings or {})
        return SimpleNamespace(define_metric=lambda *given, **named: None, log=lambda figures: None)

    def Settings(self, **named: Any) -> Mapping[str, Any]:  # noqa: N802
        return named

    def MlflowClient(self, server: str) -> Any:  # noqa: N802
        self._given["server"] = server
        run = SimpleNamespace(info=SimpleNamespace(run_id="1"))
        return SimpleNamespace(
            get_experiment_by_name=lambda name: SimpleNamespace(experiment_id=name),
            search_runs=lambda *given, **named: [run],
            update_run=lambda *given, **named: None,
            log_batch=lambda *given, **named: None,
        )

    def Metric(self, *given: Any) -> Any:  # noqa: N802
        return given


def trackers(spec: Spec, world: World) -> Any:
    """Return what the trackers of a run are given, and the files of those that write any."""
    folder, given = next(world._fresh), {}
    names = ("wandb", "trackio", "mlflow", "mlflow.tracking", "mlflow.entities")
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setitem(sys.modules, name, FakeTracker(name, given))
        run = Trackers(spec.tracking, "job", 1, folder, pytest.fail)
        run.step("reinforce", 1, {"reward": 0.5})
        if spec.tracking and spec.tracking.tensorboard:
            run.close(done=True)
    return given | {"files": [path.name for path in folder.glob("*") if path.is_dir()]}


def stalled(spec: Spec, world: World) -> Any:
    """Return what the stall guard says of a run that has stood still for an hour, less or more a second."""
    moment = "2026-01-01T00:00:00Z"
    now = ProgressStatus(display="0%", percent=0, updated_at=moment)
    last = Progress(attempt=1, started_at=moment, stage="load", progress=now)
    guard = StallGuard(spec.guards.stall, 0.0)
    verdicts = {seconds: guard.judge(last, seconds, lambda: "here") for seconds in (3599.0, 3601.0)}
    return {seconds: (verdict.ok, verdict.action) for seconds, verdict in verdicts.items()}


def step_guards(spec: Spec, world: World) -> Any:
    """What each guard says of 50 steps, by its condition; after 20 correctness falls by 0.3 and another part rises."""
    early, late = {"correct": 0.6, "shape": 0.1}, {"correct": 0.3, "shape": 0.9}
    steps = [
        TrainingStatus(kl=2.0, entropy=0.005, clipped_share=0.8, rewards=early if step < 20 else late)
        for step in range(50)
    ]
    verdicts = {guard.condition: [guard.update(step) for step in steps] for guard in guards_of(spec, "reinforce")}
    return {name: [each and (each.ok, each.action) for each in told] for name, told in verdicts.items()}


def says(condition: str, step: int, expected: Any) -> Callable[[Any], bool]:
    """Whether a guard says so at a step, from 1."""
    return lambda found: bool(found[condition][step - 1] == expected)


def divergence(spec: Spec, world: World) -> Any:
    statuses = [TrainingStatus(kl=5.0), TrainingStatus(loss=float("nan"))]
    verdicts = [judge_divergence(spec.guards.divergence, status) for status in statuses]
    return {name: (verdict.ok, verdict.action) for name, verdict in zip(("kl", "nonFinite"), verdicts, strict=True)}


def half_the_step(spec: Spec, world: World) -> Any:
    """What becomes of a step of RL that does not fit."""
    smaller = halved(spec, "reinforce")
    return "the end" if smaller is None else sizes(smaller, "reinforce")


def budget(spec: Spec, world: World) -> Any:
    return judge_budget(spec.limits, 2 * 3600).ok


def recipe_change(spec: Spec, world: World) -> Any:
    """What becomes of a checkpoint when the recipe has changed."""
    folder = RunFolder(world.fresh())
    folder.agree_on_recipe({"backend": "a"}, "refuse")
    write_lines(folder.stage("reinforce").history, [])
    try:
        folder.agree_on_recipe({"backend": "b"}, spec.checkpoint.on_spec_change)
    except TrainerError as error:
        return error.reason
    return "kept" if (folder.path / "reinforce").exists() else "started over"


def prompt(spec: Spec, world: World) -> Any:
    """The text that the model goes on from, and the tokens that a real tokenizer makes of a worked row."""
    from transformers import AutoTokenizer

    from reasoning_trainer.attempt import Chat
    from reasoning_trainer.chat.conversation import demonstrations
    from reasoning_trainer.chat.template import apply_template
    from reasoning_trainer.data.examples import Example

    chat = Chat(tokenizer=AutoTokenizer.from_pretrained(world.model))
    apply_template(spec, chat)
    example = Example("1+1?", "2", "one and one")
    (row,) = demonstrations(example, spec.chat_template, system_role=chat.system_role)
    only = spec.warmup.train_on_responses_only
    learned = chat.learn(row["prompt"], row["completion"], responses_only=only) or {"labels": []}
    return {
        "text": chat.prompt(Example("1+1?")),
        "learned": chat.tokenizer.decode([token for token in learned["labels"] if token >= 0]),
        "end": chat.tokenizer.eos_token,
        "new": chat.tokenizer.convert_ids_to_tokens(chat.new_tokens),
    }


def run(spec: Spec, world: World) -> Any:
    """What a whole run with tiny numbers leaves behind."""
    return world.run(spec)


# ----------------------------------------------------------------------------------------------------------- the cases


DIFFERS = object()
"""Expected of a field whose effect cannot be foretold: the view is another with it."""


@dataclass(frozen=True)
class Shown:
    """A field that is seen: `expected` is in the view with the value, and not without it."""

    value: Any
    view: View
    expected: Any
    base: Document = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """A field that is refused, with words that name it."""

    value: Any
    words: str
    base: Document = field(default_factory=dict)


def holds(found: Any, expected: Any) -> bool:
    """Whether what is expected is in what was found: keys of objects, elements of lists, parts of texts."""
    if callable(expected):
        return bool(expected(found))
    if isinstance(expected, Mapping):
        return isinstance(found, Mapping) and all(
            name in found and holds(found[name], each) for name, each in expected.items()
        )
    if isinstance(expected, list):
        return isinstance(found, list | tuple) and all(any(holds(one, each) for one in found) for each in expected)
    if isinstance(expected, str) and isinstance(found, str):
        return expected in found
    return bool(found == expected)


def file_of(name: str, **more: Any) -> Document:
    return {"source": f"configmap://files/{name}", "rows": None} | more


def set_cases(name: str, used: tuple[str, ...]) -> dict[str, Any]:
    """Cases of a set of rows. Every role of a row of the manifest is data; a column is refused if nothing reads it."""

    def given(**more: Any) -> Document:
        return {"data": {name: more}}

    def sees(expected: Any) -> Any:
        return {name: expected}

    def hub(**more: Any) -> Document:
        return given(
            source="hf://owner/rows", rows=None, columns={"reasoning": "answer"} if name == "warmup" else {}, **more
        )

    task = {"task": "chain_sum", "size": 4, "seed": 7, "config": {"min_terms": 2, "max_terms": 2}}
    made = given(rows=None, reasoningGym=task)
    gym: dict[str, Any] = {
        "task": Shown("basic_arithmetic", splits, sees(lambda rows: "Calculate" in rows[0]["prompt"]), made),
        "size": Shown(3, splits, sees(lambda rows: len(rows) == 3), made),
        "seed": Shown(8, splits, DIFFERS, made),
        "config": Shown(
            {"min_terms": 5, "max_terms": 5}, splits, sees(lambda rows: rows[0]["prompt"].count("+") > 1), made
        ),
    }
    if name == "warmup":
        gym = {each: Refused(case.value, "reasoning-gym gives none", made) for each, case in gym.items()}
    columns = {
        role: Shown(f"other_{role}", splits, sees([{role: f"other {role}"}]), given(**file_of("a.jsonl")))
        if role in used
        else Refused(f"other_{role}", f"data.{name}.columns.{role} has no effect", given(**file_of("a.jsonl")))
        for role in ("prompt", "answer", "reasoning", "chosen", "rejected", "system")
    }
    columns["answers"] = Shown(
        "golds", splits, sees([{"answers": lambda texts: {"a1", "one"} <= set(texts)}]), given(**file_of("a.jsonl"))
    )
    columns["messages"] = (
        Shown("talk", splits, sees([{"messages": lambda turns: bool(turns)}]), given(**file_of("a.jsonl")))
        if name == "warmup"
        else Refused("talk", f"data.{name}.columns.messages has no effect", given(**file_of("a.jsonl")))
    )
    cases: dict[str, Any] = {
        "source": Shown("configmap://files/b.jsonl", splits, sees([{"prompt": "b"}]), given(**file_of("a.jsonl"))),
        "config": Shown("main", asked_of_hub, [{"name": "main"}], hub()),
        "split": Shown("dev", asked_of_hub, [{"split": "dev"}], hub()),
        "revision": Shown("v1", asked_of_hub, [{"revision": "v1"}], hub()),
        "answerPattern": Shown(
            "a (.*)", splits, sees([{"answer": lambda text: text == "a1"}]), given(**file_of("a.jsonl"))
        ),
        "limit": Shown(1, splits, sees(lambda rows: len(rows) == 1)),
    }
    cases |= {
        f"rows[].{role}": Shown("changed", splits, sees([{role: "changed"}]))
        for role in ("prompt", "answer", "reasoning", "chosen", "rejected")
    }
    cases["rows[].answers"] = Shown(["8", "eight"], splits, sees([{"answers": lambda texts: "eight" in texts}]))
    cases |= {f"reasoningGym.{each}": case for each, case in gym.items()}
    cases |= {f"columns.{each}": case for each, case in columns.items()}
    return {f"data.{name}.{each}": case for each, case in cases.items()}


RUN: Document = {
    "chatTemplate": {"systemPrompt": ""},
    "lora": {"rank": 4, "gradientCheckpointing": "none"},
    "reinforce": {"steps": 4, "batchSize": 4, "numGenerations": 2, "maxCompletionLength": 4},
    "guards": {"learningSignal": {"action": "off"}},
}
"""Small numbers, for the fields that only a run shows."""
PREFERENCES: Document = {
    "reinforce": {"algorithm": "DPO"},
    "rewards": [],
    "data": {"train": {"columns": {"chosen": "chosen", "rejected": "rejected"}}},
}
MEASURED: Document = {"data": {"difficulty": {"rows": 100}}}
NO_EVALUATION: Document = {"evaluation": {"enabled": False}}
CUSTOM = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}[{{ 'assistant' }}]"
TAGS: Document = {
    "chatTemplate": {
        "reasoningTags": {"start": "<reasoning>", "end": "</reasoning>"},
        "answerTags": {"start": "<answer>", "end": "</answer>"},
    }
}
OWN: Document = {"chatTemplate": {"jinja": CUSTOM}}
SIGNAL: Document = {"guards": {"learningSignal": {"windowSteps": 4, "minNonZeroVariance": 0.6}}}
KL: Document = {"reinforce": {"beta": 0.1}, "guards": {"divergence": {"maxKL": 1.0}}}
BETA: Document = {"reinforce": {"beta": 0.1}}
SECRET = {"name": "s", "key": "k"}
WANDB: Document = {"tracking": {"wandb": {}}}
MLFLOW: Document = {"mlflow": {"url": "https://mlflow", "tokenSecretRef": SECRET}}
ENTROPY: Document = {"guards": {"entropy": {"action": "warn"}}}
PARTS: Document = {
    "rewards": [{"name": "correct", "builtin": "correctness"}, {"name": "shape", "builtin": "format"}],
}
LENGTH: Document = {"rewards": [{"name": "r", "builtin": "lengthPenalty", "params": {"targetTokens": 4}}]}


def reward(**given: Any) -> Document:
    return {"rewards": [{"name": "r"} | given]}


JUDGE = reward(judge={"url": "http://a", "model": "m", "prompt": "{completion}"})
KEYED = reward(
    judge={"url": "http://a", "model": "m", "prompt": "{completion}", "apiKeySecretRef": {"name": "a", "key": "b"}}
)
MODEL = reward(model={"source": "hf://a/b"})
TOKEN = reward(model={"source": "hf://a/b", "tokenSecretRef": {"name": "a", "key": "b"}})
CODE = reward(builtin="code") | {"data": {"train": file_of("a.jsonl")}}
FADING = reward(builtin="format", weightSchedule=[{"step": 6, "weight": 2.0}])
PYTHON = reward(
    python={
        "source": "def score(completions, bonus=1.0, **_): return [bonus] * len(completions)\n"
        "def other(completions, **_): return [0.5] * len(completions)\n"
    }
)
KEPT = reward(python={"configMapKeyRef": {"name": "a", "key": "b"}})
HTTP = reward(http={"url": "http://a"})
QUARTER = "def score(completions, **_): return [0.25] * len(completions)"


def volume(claim: str) -> Document:
    """A pod that mounts a claim."""
    return {"spec": {"volumes": [{"persistentVolumeClaim": {"claimName": claim}}]}}


def key_in(variable: str, part: str, tracking: Document) -> Shown:
    """Return the case of a key of a Secret that the trainer's container gets as a variable."""
    wanted = {"name": variable, "valueFrom": {"secretKeyRef": {part: "x"}}}
    return Shown("x", container, {"env": [wanted]}, {"tracking": tracking})


def made_claim(**spec: Any) -> Document:
    return {"PersistentVolumeClaim": {"spec": spec}}


def everywhere(value: Any, view: View, expected: Any) -> list[Shown]:
    """A field whose effect is the same on every backend."""
    return [Shown(value, view, expected, base) for base in ({}, GPU, UNSLOTH)]


def adapter(value: Any, peft: Any, unsloth: Any = None) -> list[Shown]:
    return [
        Shown(value, peft_adapter, peft),
        Shown(value, peft_adapter, peft, GPU),
        Shown(value, unsloth_adapter, unsloth or peft, UNSLOTH),
    ]


def vllm_alone(name: str, value: Any, unsloth: View, expected: Any) -> list[Any]:
    """A setting of vLLM that TRL hands on to none: where it starts the engine itself, beside quantised weights."""
    refused = [Refused(value, f"spec.inference.{name}", base) for base in ({}, merge(GPU, QUANTISED))]
    return [*refused, Shown(value, unsloth, expected, UNSLOTH)]


def pod(value: Any, view: View, expected: Any, **base: Any) -> Shown:
    return Shown(value, view, expected, base)


CASES: dict[str, Any] = {
    "backend": [Shown("transformers", choice, {"backend": "transformers"}, {"parallelism": {"gpusPerNode": 1}})],
    "model.source": [
        Shown("pvc://library/model", template, volume("library")),
        Shown("hf://owner/model", objects, {"NetworkPolicy": {"spec": {"egress": lambda rules: rules == [{}]}}}),
    ],
    "model.revision": Shown("v1", asked_of_model_hub, {"revision": "v1"}, {"model": {"source": "hf://a/b"}}),
    "model.loadIn": [
        Refused("4bit", "4bit, 8bit and fp8 need a GPU"),
        Shown("4bit", transformers_model, {"load_in_4bit": True}, GPU),
        Shown("8bit", transformers_model, {"load_in_8bit": True}, GPU),
        Refused("fp8", "spec.model.loadIn", GPU),
        Shown("8bit", unsloth_model, {"load_in_8bit": True, "load_in_4bit": False}, UNSLOTH),
        Shown("16bit", unsloth_model, {"load_in_16bit": True, "load_in_4bit": False}, UNSLOTH),
        Shown("fp8", unsloth_model, {"load_in_fp8": True, "load_in_4bit": False}, UNSLOTH),
    ],
    "model.maxSequenceLength": [
        *everywhere(64, sft, {"max_length": 64}),
        Shown(64, rl, {"vllm_max_model_length": 64}, GPU),
        Shown(64, rl, {"max_length": 64}, PREFERENCES),
        Shown(64, unsloth_model, {"max_seq_length": 64}, UNSLOTH),
    ],
    "model.tokenSecretRef.name": Shown(
        "hub",
        container,
        {"env": [{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}}]},
        {"model": {"tokenSecretRef": {"name": "other", "key": "token"}}},
    ),
    "model.tokenSecretRef.key": Shown(
        "key",
        container,
        {"env": [{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"key": "key"}}}]},
        {"model": {"tokenSecretRef": {"name": "hub", "key": "token"}}},
    ),
    "model.trustRemoteCode": [
        Shown(True, transformers_model, {"trust_remote_code": True}),
        Refused(True, "spec.model.trustRemoteCode", UNSLOTH),
    ],
    "lora.rank": [*adapter(8, {"r": 8}), Shown(8, unsloth_model, {"max_lora_rank": 8}, UNSLOTH)],
    "lora.alpha": adapter(8, {"lora_alpha": 8}),
    "lora.dropout": adapter(0.1, {"lora_dropout": 0.1}),
    "lora.targetModules": adapter(["q_proj"], {"target_modules": lambda names: names == ["q_proj"]}),
    "lora.gradientCheckpointing": [
        Shown("none", rl, {"gradient_checkpointing": False}),
        Refused("unsloth", "gradientCheckpointing unsloth needs backend unsloth"),
        Shown("unsloth", unsloth_adapter, {"use_gradient_checkpointing": "unsloth"}, UNSLOTH),
        Shown("none", unsloth_adapter, {"use_gradient_checkpointing": False}, UNSLOTH),
    ],
    "lora.rankStabilized": adapter(True, {"use_rslora": True}),
    "chatTemplate.family": Shown("alpaca", prompt, {"text": "### Response:"}),
    "chatTemplate.jinja": Shown(CUSTOM, prompt, {"text": "[user]1+1?"}),
    "chatTemplate.eosToken": Shown("<|im_start|>", prompt, {"end": "<|im_start|>"}, OWN),
    "chatTemplate.specialTokens": [
        Shown(["<new>"], prompt, {"new": ["<new>"]}, OWN),
        Refused(["<new>"], "spec.chatTemplate.specialTokens", merge(OWN, UNSLOTH)),
    ],
    "chatTemplate.systemPrompt": Shown("Be brief.", prompt, {"text": "Be brief."}),
    "chatTemplate.reasoningTags.start": Shown("<think>", prompt, {"learned": "<think>"}, TAGS),
    "chatTemplate.reasoningTags.end": Shown("</think>", prompt, {"learned": "</think>"}, TAGS),
    "chatTemplate.answerTags.start": Shown("<result>", rewards, {"correct": (1.0, [0.0, 0.0, 0.0])}, TAGS),
    "chatTemplate.answerTags.end": Shown("</result>", rewards, {"correct": (1.0, [0.0, 0.0, 0.0])}, TAGS),
    "chatTemplate.instructionPart": Shown(
        "[nobody]",
        prompt,
        {"learned": lambda text: text == ""},
        {"chatTemplate": {"jinja": CUSTOM, "instructionPart": "[user]", "responsePart": "[assistant]"}},
    ),
    "chatTemplate.responsePart": Shown(
        "one and one",
        prompt,
        {"learned": lambda text: text.startswith("</reasoning>")},
        {"chatTemplate": {"jinja": CUSTOM, "instructionPart": "[user]", "responsePart": "[assistant]"}},
    ),
    "inference.engine": [
        Refused("vllm", "vllm needs a GPU"),
        Shown("transformers", rl, {"use_vllm": False}, GPU),
        Refused("transformers", "spec.inference.engine", UNSLOTH),
        Refused("vllm", "spec.inference.engine", merge(GPU, {"reinforce": {"algorithm": "PPO"}})),
    ],
    "inference.gpuMemoryUtilization": [
        Refused(0.5, "spec.inference.gpuMemoryUtilization"),
        Shown(0.5, rl, {"vllm_gpu_memory_utilization": 0.5}, GPU),
        Shown(0.5, vllm_engine, {"gpu_memory_utilization": 0.5}, GPU),
        Refused(0.5, "spec.inference.gpuMemoryUtilization", merge(GPU, {"reinforce": {"algorithm": "PPO"}})),
        Shown(0.5, unsloth_model, {"gpu_memory_utilization": 0.5}, UNSLOTH),
    ],
    "inference.maxNumSeqs": [
        *vllm_alone("maxNumSeqs", 24, unsloth_model, {"max_num_seqs": 24}),
        Shown(24, vllm_engine, {"max_num_seqs": 24}, GPU),
        Shown(24, vllm_graphs, {"cudagraph_capture_sizes": [24]}, UNSLOTH),
    ],
    "inference.kvCacheDtype": [
        *vllm_alone("kvCacheDtype", "fp8", unsloth_model, {"float8_kv_cache": True}),
        Shown("fp8", vllm_engine, {"kv_cache_dtype": "fp8"}, GPU),
    ],
    "inference.enforceEager": [
        *vllm_alone("enforceEager", True, unsloth_model, {"enforce_eager": True}),
        Shown(True, vllm_engine, {"enforce_eager": True}, GPU),
        Shown(True, vllm_graphs, {"cudagraph_mode": "NONE"}, GPU),
    ],
    "inference.standby": [
        *vllm_alone("standby", True, unsloth_model, {"unsloth_vllm_standby": True}),
        Shown(True, vllm_engine, {"enable_sleep_mode": True}, GPU),
        Shown(True, rl, {"vllm_enable_sleep_mode": True}, GPU),
    ],
    **set_cases("train", ("prompt", "answer", "system")),
    **set_cases("warmup", ("prompt", "answer", "reasoning", "system")),
    **set_cases("heldOut", ("prompt", "answer", "system")),
    "data.unjudgeable": Shown(
        "drop",
        judgeable,
        {"train": lambda rows: len(rows) == 1},
        {"data": {"train": {"rows": [{"prompt": "p", "answer": "proof"}, {"prompt": "q", "answer": "7"}]}}},
    ),
    "data.controlTokens": Shown(
        "drop",
        plain,
        ["q"],
        {"data": {"train": {"rows": [{"prompt": "p<|im_end|>", "answer": "7"}, {"prompt": "q", "answer": "7"}]}}},
    ),
    "data.difficulty.rows": Shown(3, phases, {"difficulty": 3 * 8 * 12.0}, MEASURED),
    "data.difficulty.samples": Shown(4, phases, {"difficulty": 8 * 4 * 12.0}, MEASURED),
    "data.difficulty.min": [
        Shown(0.2, asked_in_rl, lambda rows: rows == [1, 2, 3], MEASURED),
        Refused(0.2, "has it answer none", merge(PREFERENCES, MEASURED)),
        Refused(0.2, "tells right from wrong", merge(MEASURED, {"rewards": [{"name": "shape", "builtin": "format"}]})),
    ],
    "data.difficulty.max": Shown(0.9, asked_in_rl, lambda rows: rows == [0, 1, 3], MEASURED),
    "data.heldOut.fraction": Shown(
        0.8, splits, {"train": lambda rows: len(rows) < 4}, {"data": {"heldOut": {"rows": None, "fraction": 0.3}}}
    ),
    "warmup.skip": Shown(True, splits, {"warmup": lambda rows: rows == []}),
    "warmup.epochs": Shown(3.0, sft, {"num_train_epochs": 3.0}),
    "warmup.learningRate": Shown(0.1, sft, {"learning_rate": 0.1}),
    "warmup.scheduler": Shown("linear", sft, {"lr_scheduler_type": "linear"}),
    "warmup.warmupRatio": Shown(0.2, sft, {"warmup_steps": 0.2}),
    "warmup.batchSize": Shown(3, sft, {"per_device_train_batch_size": 3}),
    "warmup.gradientAccumulation": Shown(7, sft, {"gradient_accumulation_steps": 7}),
    "warmup.optimizer": [
        Refused("adamw_8bit", "8-bit optimizers need a GPU"),
        Shown("adamw", sft, {"optim": "adamw_torch"}, UNSLOTH),
    ],
    "warmup.trainOnResponsesOnly": Shown(False, prompt, {"learned": "1+1?"}),
    "reinforce.algorithm": Shown("GSPO", rl, {"importance_sampling_level": "sequence"}),
    "reinforce.steps": Shown(7, rl, {"max_steps": 7}),
    "reinforce.epochs": Shown(2.0, rl, {"num_train_epochs": 2.0}),
    "reinforce.numGenerations": Shown(4, rl, {"num_generations": 4}),
    "reinforce.batchSize": Shown(16, rl, {"per_device_train_batch_size": 16}),
    "reinforce.gradientAccumulation": Shown(2, rl, {"gradient_accumulation_steps": 2}),
    "reinforce.maxPromptLength": Shown(
        PROMPT_TOKENS,
        fitting,
        lambda rows: 0 < rows < len(MIXED),
        {"data": {"train": {"rows": MIXED}}, "chatTemplate": {"systemPrompt": ""}},
    ),
    "reinforce.maxCompletionLength": [
        Shown(16, rl, {"max_completion_length": 16}),
        Shown(16, sampling, {"max_tokens": 16}),
    ],
    "reinforce.learningRate": Shown(0.5, rl, {"learning_rate": 0.5}),
    "reinforce.scheduler": Shown("linear", rl, {"lr_scheduler_type": "linear"}),
    "reinforce.warmupRatio": Shown(0.3, rl, {"warmup_steps": 0.3}),
    "reinforce.optimizer": [
        Refused("adamw_8bit", "8-bit optimizers need a GPU"),
        Shown("paged_adamw_8bit", rl, {"optim": "paged_adamw_8bit"}, GPU),
        Shown("adamw", rl, {"optim": "adamw_torch"}, UNSLOTH),
        Shown("paged_adamw_8bit", sft, {"optim": "paged_adamw_8bit"}, UNSLOTH),
    ],
    "reinforce.weightDecay": Shown(0.2, rl, {"weight_decay": 0.2}),
    "reinforce.maxGradNorm": Shown(0.5, rl, {"max_grad_norm": 0.5}),
    "reinforce.temperature": [
        Shown(0.7, rl, {"temperature": 0.7}),
        Shown(0.7, sampling, {"temperature": 0.7}),
        Refused(0.7, "temperature: belongs to GRPO", PREFERENCES),
    ],
    "reinforce.topP": [Shown(0.9, rl, {"top_p": 0.9}), Shown(0.9, sampling, {"top_p": 0.9})],
    "reinforce.updatesPerGeneration": [
        Shown(2, rl, {"steps_per_generation": 2}),
        Refused(2, "updatesPerGeneration: belongs to GRPO", PREFERENCES),
    ],
    "reinforce.minP": [Shown(0.1, rl, {"min_p": 0.1}), Shown(0.1, sampling, {"min_p": 0.1})],
    "reinforce.topK": [Shown(5, rl, {"top_k": 5}), Shown(5, sampling, {"top_k": 5})],
    "reinforce.beta": [
        Shown(0.3, rl, {"beta": 0.3}),
        Refused(0.3, "spec.reinforce.beta", UNSLOTH),
        Shown(0.3, rl, {"beta": 0.3}, merge(UNSLOTH, {"warmup": {"skip": True}})),
    ],
    "reinforce.epsilon": Shown(0.05, rl, {"epsilon": 0.05, "epsilon_high": 0.05}),
    "reinforce.epsilonHigh": Shown(0.4, rl, {"epsilon_high": 0.4}),
    "reinforce.lossType": [
        Shown("bnpo", rl, {"loss_type": "bnpo"}),
        Shown("cispo", rl, {"loss_type": "cispo", "epsilon_high": 5.0}),
        Refused("vespo", "spec.reinforce.lossType", UNSLOTH),
    ],
    "reinforce.importanceSampling": Shown("sequence", rl, {"importance_sampling_level": "sequence"}),
    "reinforce.scaleRewards": Shown("batch", rl, {"scale_rewards": "batch"}),
    "reinforce.lossAggregation": [
        Shown("prompt", sampled, {"by_prompt": True}, {"reinforce": {"lossType": "dapo"}}),
        Refused("prompt", "only the losses dapo, cispo and vespo"),
        Refused("token", "only the losses dapo, cispo and vespo", {"reinforce": {"algorithm": "RLOO"}}),
    ],
    "reinforce.fp32LmHead": [
        Shown(True, head, {"dtype": "float32"}),
        Refused(True, "spec.reinforce.fp32LmHead", UNSLOTH),
    ],
    "reinforce.multiObjectiveAggregation": [
        Shown("normalize_then_sum", rl, {"multi_objective_aggregation": "normalize_then_sum"}),
        Refused("normalize_then_sum", "multiObjectiveAggregation: belongs to", {"reinforce": {"algorithm": "RLOO"}}),
    ],
    "reinforce.maskTruncated": Shown(True, rl, {"mask_truncated_completions": True}),
    "reinforce.resampleRounds": Shown(2, sampled, {"rounds": 2}),
    "reinforce.retireSolved": Shown(0.9, sampled, {"retire_from": 0.9}),
    "reinforce.averageOver": [
        Shown("differing", sampled, {"leaves_out_equal": True}),
        Refused("differing", "averageOver: belongs to GRPO", {"reinforce": {"algorithm": "RLOO"}}),
    ],
    "reinforce.seed": [
        Shown(5, rl, {"seed": 5}),
        Shown(5, sft, {"seed": 5}),
        Shown(5, sampling, {"seed": 5}),
        Shown(5, unsloth_model, {"random_state": 5}, UNSLOTH),
        Shown(5, unsloth_adapter, {"random_state": 5}, UNSLOTH),
    ],
    "rewards[].name": Shown("mine", rewards, {"mine": lambda scores: True}),
    "rewards[].weight": [
        Shown(0.5, rewards, {"correct": lambda scores: scores[0] == 0.5}),
        Shown(0.5, rl, {"reward_weights": [0.5]}),
    ],
    "rewards[].weightSchedule[].step": Shown(3, weights, {"r": 2.0}, FADING),
    "rewards[].weightSchedule[].weight": Shown(4.0, weights, {"r": 2.5}, FADING),
    "rewards[].builtin": Shown("format", rewards, {"correct": lambda scores: 0.5 in scores[1]}),
    "rewards[].params.parser": Shown("exact", rewards, {"correct": (1.0, [0.0, 1.0, 0.0])}),
    "rewards[].params.targetTokens": Shown(2, rewards, {"r": (1.0, [-1.0, -1.0, 0.0])}, LENGTH),
    "rewards[].params.maxTokens": Shown(5, rewards, {"r": (1.0, [-1.0, -1.0, 0.0])}, LENGTH),
    "rewards[].params.strict": Shown(True, rewards, {"r": (1.0, [1.0, 0.0, 0.0])}, reward(builtin="format")),
    "rewards[].params.ngram": Shown(5, rewards, DIFFERS, reward(builtin="fluency")),
    "rewards[].params.steps": Shown(1, rewards, DIFFERS, reward(builtin="reasoningSteps")),
    "rewards[].params.language": Shown("ru", rewards, DIFFERS, reward(builtin="languageConsistency")),
    "rewards[].params.testsColumn": Shown("test_list", programs, {"_column": "test_list"}, CODE),
    "rewards[].params.credit": Shown("all", programs, {"_all": True}, CODE),
    "rewards[].params.secondsPerTest": Shown(1.0, programs, {"_seconds": 1.0}, CODE),
    "rewards[].python.source": Shown(QUARTER, rewards, {"r": (1.0, [0.25] * 3)}, PYTHON),
    "rewards[].python.configMapKeyRef.name": Shown("x", scorers, {"functions": [{"origin": "//x/b"}]}, KEPT),
    "rewards[].python.configMapKeyRef.key": Shown("x", scorers, {"functions": [{"origin": "//a/x"}]}, KEPT),
    "rewards[].python.module": Shown(
        "math", scorers, {"functions": [{"module": "math"}]}, reward(python={"module": "statistics"})
    ),
    "rewards[].python.function": Shown("other", rewards, {"r": (1.0, [0.5] * 3)}, PYTHON),
    "rewards[].python.params": Shown({"bonus": 2}, rewards, {"r": (1.0, [2.0] * 3)}, PYTHON),
    "rewards[].python.timeoutSeconds": Shown(1.0, scorers, {"seconds": 1.0}, PYTHON),
    "rewards[].http.url": Shown("http://x", scorers, {"services": [{"url": "http://x"}]}, HTTP),
    "rewards[].http.headersSecretRef.name": Shown(
        "x",
        container,
        {"env": [{"valueFrom": {"secretKeyRef": {"name": "x"}}}]},
        reward(http={"url": "http://a", "headersSecretRef": {"name": "a", "key": "b"}}),
    ),
    "rewards[].http.headersSecretRef.key": Shown(
        "x",
        container,
        {"env": [{"valueFrom": {"secretKeyRef": {"key": "x"}}}]},
        reward(http={"url": "http://a", "headersSecretRef": {"name": "a", "key": "b"}}),
    ),
    "rewards[].http.timeoutSeconds": Shown(1.0, scorers, {"seconds": 1.0}, HTTP),
    "rewards[].http.retries": Shown(1, scorers, {"services": [{"retries": 1}]}, HTTP),
    "rewards[].http.concurrency": Shown(2, scorers, {"services": [{"parts": 2}]}, HTTP),
    "rewards[].judge.url": Shown("http://x", scorers, {"services": [{"url": "http://x/chat/completions"}]}, JUDGE),
    "rewards[].judge.model": Shown("other", asked_of_judge, {"model": "other"}, JUDGE),
    "rewards[].judge.prompt": Shown("{completion}!", asked_of_judge, {"messages": [{"content": "4!"}]}, JUDGE),
    "rewards[].judge.systemPrompt": Shown("Hm", asked_of_judge, {"messages": [{"role": "system"}]}, JUDGE),
    "rewards[].judge.pattern": Shown("x(.)", judged, 0.7, JUDGE),
    "rewards[].judge.lowest": Shown(2.0, judged, 0.25, JUDGE),
    "rewards[].judge.highest": Shown(8.0, judged, 0.5, JUDGE),
    "rewards[].judge.maxTokens": Shown(9, asked_of_judge, {"max_tokens": 9}, JUDGE),
    "rewards[].judge.apiKeySecretRef.name": Shown(
        "x", container, {"env": [{"valueFrom": {"secretKeyRef": {"name": "x"}}}]}, KEYED
    ),
    "rewards[].judge.apiKeySecretRef.key": Shown(
        "x", container, {"env": [{"valueFrom": {"secretKeyRef": {"key": "x"}}}]}, KEYED
    ),
    "rewards[].judge.timeoutSeconds": Shown(1.0, scorers, {"seconds": 1.0}, JUDGE),
    "rewards[].judge.retries": Shown(1, scorers, {"services": [{"retries": 1}]}, JUDGE),
    "rewards[].judge.concurrency": Shown(2, scorers, {"services": [{"parts": 2}]}, JUDGE),
    "rewardBox.resources.requests": Shown({"cpu": "500m"}, box, {"resources": {"requests": {"cpu": "500m"}}}, PYTHON),
    "rewardBox.resources.limits": Shown({"memory": "4Gi"}, box, {"resources": {"limits": {"memory": "4Gi"}}}, PYTHON),
    "rewardBox.onMissingWall": Shown("run", scorers, {"onMissingWall": "run"}, PYTHON),
    "rewards[].model.source": [
        Shown("hf://x/y", asked_for_reward_model, {"name": "x/y"}, MODEL),
        Shown("pvc://judges/model", template, volume("judges"), MODEL),
    ],
    "rewards[].model.revision": Shown("v1", asked_for_reward_model, {"revision": "v1"}, MODEL),
    "rewards[].model.loadIn": [
        Shown("4bit", reward_model, {"load_in": "4bit"}, base) for base in (MODEL, merge(MODEL, GPU))
    ],
    "rewards[].model.device": Shown("cpu", reward_model, {"device": "cpu"}, merge(MODEL, GPU)),
    "rewards[].model.batchSize": Shown(2, reward_model, {"batch_size": 2}, MODEL),
    "rewards[].model.maxLength": Shown(64, reward_model, {"max_length": 64}, MODEL),
    "rewards[].model.tokenSecretRef.name": Shown(
        "x", container, {"env": [{"name": "REWARD_TOKEN_R", "valueFrom": {"secretKeyRef": {"name": "x"}}}]}, TOKEN
    ),
    "rewards[].model.tokenSecretRef.key": Shown(
        "x", container, {"env": [{"name": "REWARD_TOKEN_R", "valueFrom": {"secretKeyRef": {"key": "x"}}}]}, TOKEN
    ),
    "evaluation.enabled": Shown(False, phases, lambda found: not any(name.startswith("evaluate") for name in found)),
    "evaluation.stages": Shown(
        ["base"], phases, lambda found: "evaluate reinforce" not in found and "evaluate base" in found
    ),
    "evaluation.everySteps": Shown(2, run, {"evaluation": ["reinforce-2.json"]}),
    "evaluation.samples": Shown(1, run, {"transcripts": 1}),
    "evaluation.passAtK": Shown([1, 4], sampling, {"count": 4}),
    "evaluation.requireImprovement": Shown(True, run, {"reason": "NotImproved"}),
    "export.formats": Shown(["lora", "merged16bit"], run, {"artifacts": ["merged16bit"]}),
    "storage.size": Shown("5Gi", objects, made_claim(resources={"requests": {"storage": "5Gi"}})),
    "storage.storageClassName": Shown("fast", objects, made_claim(storageClassName="fast")),
    "storage.existingClaim": Shown("mine", template, volume("mine")),
    "storage.retain": Shown(False, objects, {"PersistentVolumeClaim": {"metadata": {"ownerReferences": [{}]}}}),
    "storage.cacheClaim": Shown("cache", template, volume("cache")),
    "guards.learningSignal.action": Shown("warn", learning_signal, [(False, "warn")], SIGNAL),
    "guards.learningSignal.windowSteps": [
        Shown(2, learning_signal, lambda found: found[1] is not None, SIGNAL),
        Refused(2, "has no groups", PREFERENCES),
    ],
    "guards.learningSignal.minNonZeroVariance": [
        Shown(0.4, learning_signal, [(True, "fail")], SIGNAL),
        Refused(0.4, "has no groups", PREFERENCES),
    ],
    "guards.divergence.action": Shown("warn", divergence, {"kl": (False, "warn")}, KL),
    "guards.divergence.maxKL": [
        Shown(2.0, divergence, {"kl": (False, "fail")}, {"reinforce": {"beta": 0.1}}),
        Refused(2.0, "maxKL needs an algorithm that measures", PREFERENCES),
    ],
    "guards.divergence.nonFinite": Shown("warn", divergence, {"nonFinite": (False, "warn")}),
    "guards.kl.action": Shown("fail", step_guards, says("KLBounded", 20, (False, "fail")), BETA),
    "guards.kl.windowSteps": [
        Shown(5, step_guards, says("KLBounded", 5, (False, "warn")), BETA),
        Refused(5, "kl needs an algorithm with groups", PREFERENCES),
        Refused(5, "set reinforce.beta above 0", {"reinforce": {"beta": 0.0}}),
    ],
    "guards.kl.maxKL": [
        Shown(3.0, step_guards, says("KLBounded", 20, (True, "fail")), BETA),
        Refused(3.0, "kl needs an algorithm with groups", PREFERENCES),
    ],
    "guards.entropy.action": Shown("fail", step_guards, says("EntropyKept", 20, (False, "fail"))),
    "guards.entropy.windowSteps": [
        Shown(5, step_guards, says("EntropyKept", 5, (False, "warn")), ENTROPY),
        Refused(5, "this algorithm samples none", PREFERENCES),
    ],
    "guards.entropy.minEntropy": [
        Shown(0.001, step_guards, says("EntropyKept", 20, (True, "fail")), ENTROPY),
        Refused(0.001, "this algorithm samples none", PREFERENCES),
    ],
    "guards.clipped.action": Shown("fail", step_guards, says("CompletionsWhole", 20, (False, "fail"))),
    "guards.clipped.windowSteps": [
        Shown(5, step_guards, says("CompletionsWhole", 5, (False, "warn"))),
        Refused(5, "does not tell how many completions are cut", PREFERENCES),
    ],
    "guards.clipped.maxShare": [
        Shown(0.9, step_guards, says("CompletionsWhole", 20, (True, "fail"))),
        Refused(0.9, "does not tell how many completions are cut", PREFERENCES),
    ],
    "guards.rewardHacking.action": Shown("fail", step_guards, says("RewardsAgree", 40, (False, "fail")), PARTS),
    "guards.rewardHacking.windowSteps": [
        Shown(44, step_guards, says("RewardsAgree", 40, None), PARTS),
        Refused(44, "rewardHacking compares"),
    ],
    "guards.rewardHacking.minFall": [
        Shown(0.5, step_guards, says("RewardsAgree", 40, (True, "fail")), PARTS),
        Refused(0.5, "rewardHacking compares"),
    ],
    "guards.unscored.action": Shown("warn", unscored, [(False, "warn")]),
    "guards.unscored.maxShare": Shown(0.5, unscored, [(True, "fail")], PYTHON),
    "guards.unscored.windowBatches": Shown(4, unscored, lambda verdicts: verdicts[3] is not None, PYTHON),
    "tracking.project": Shown("mine", trackers, {"project": "mine"}, WANDB),
    "tracking.tensorboard": Shown(True, trackers, {"files": ["tensorboard"]}),
    "tracking.wandb.mode": Shown("offline", trackers, {"mode": "offline"}, WANDB),
    "tracking.wandb.url": Shown("https://mine", trackers, {"base_url": "https://mine"}, WANDB),
    "tracking.wandb.entity": Shown("us", trackers, {"entity": "us"}, WANDB),
    "tracking.wandb.keySecretRef.name": key_in("WANDB_API_KEY", "name", {"wandb": {"keySecretRef": SECRET}}),
    "tracking.wandb.keySecretRef.key": key_in("WANDB_API_KEY", "key", {"wandb": {"keySecretRef": SECRET}}),
    "tracking.mlflow.url": Shown("https://mlflow", trackers, {"server": "https://mlflow"}),
    "tracking.mlflow.tokenSecretRef.name": key_in("MLFLOW_TRACKING_TOKEN", "name", MLFLOW),
    "tracking.mlflow.tokenSecretRef.key": key_in("MLFLOW_TRACKING_TOKEN", "key", MLFLOW),
    "tracking.trackio.space": Shown("us/runs", trackers, {"space_id": "us/runs"}),
    "guards.stall.action": Shown("warn", stalled, {3601.0: (False, "warn")}),
    "guards.stall.timeoutSeconds": Shown(7200, stalled, {3601.0: (True, "fail")}),
    "guards.largestStep.action": Shown("fail", half_the_step, "the end"),
    "guards.preflight.enabled": [
        Shown(True, objects, {"Job": {"metadata": {"name": "sums-preflight"}}}),
        Shown(False, objects, {"Job": {"metadata": {"name": "sums-train"}}}, GPU),
    ],
    "guards.preflight.sampleRows": Shown(1, tried, 1),
    "checkpoint.everySteps": [
        Shown(5, rl, {"save_steps": 5}),
        Shown(5, sft, {"save_steps": 5}),
        Shown(1, run, {"checkpoints": [1]}),
    ],
    "checkpoint.keep": Shown(4, run, {"checkpoints": lambda steps: len(steps) == 4}),
    "checkpoint.onSpecChange": Shown("startOver", recipe_change, "started over"),
    "limits.activeDeadlineSeconds": Shown(60, objects, {"Job": {"spec": {"activeDeadlineSeconds": 60}}}),
    "limits.maxAttempts": Shown(7, objects, {"Job": {"spec": {"backoffLimit": 6}}}),
    "limits.gpuHours": [Refused(1.0, "no GPU-hours to count"), Shown(1.0, budget, False, GPU)],
    "limits.ttlSecondsAfterFinished": Shown(7200, after_the_end, 3600.0),
    "suspend": Shown(True, objects, {"Job": {"spec": {"suspend": True}}}),
    "queue.name": Refused("team", "spec.queue"),
    "queue.priorityClass": Refused("high", "spec.queue", {"queue": {"name": "team"}}),
    "parallelism.nodes": Refused(2, "spec.parallelism.nodes"),
    "parallelism.gpusPerNode": [
        Shown(1, container, {"resources": {"limits": {"nvidia.com/gpu": "1"}}}),
        Refused(2, "spec.parallelism.gpusPerNode"),
    ],
    "parallelism.strategy": [Refused("ddp", "spec.parallelism.strategy", base) for base in ({}, GPU, UNSLOTH)],
    "parallelism.vllm": [Refused("server", "spec.parallelism.vllm", base) for base in ({}, GPU, UNSLOTH)],
    "pod.image": pod("mine:1", container, {"image": "mine:1"}),
    "pod.imagePullPolicy": pod("Always", container, {"imagePullPolicy": "Always"}),
    "pod.imagePullSecrets": pod([{"name": "x"}], template, {"spec": {"imagePullSecrets": [{"name": "x"}]}}),
    "pod.resources.requests": pod({"cpu": "2"}, container, {"resources": {"requests": {"cpu": "2"}}}),
    "pod.resources.limits": pod({"memory": "8Gi"}, container, {"resources": {"limits": {"memory": "8Gi"}}}),
    "pod.nodeSelector": pod({"disk": "fast"}, template, {"spec": {"nodeSelector": {"disk": "fast"}}}),
    "pod.tolerations": pod([{"key": "gpu"}], template, {"spec": {"tolerations": [{"key": "gpu"}]}}),
    "pod.affinity": pod({"nodeAffinity": {}}, template, {"spec": {"affinity": {"nodeAffinity": {}}}}),
    "pod.priorityClassName": pod("high", template, {"spec": {"priorityClassName": "high"}}),
    "pod.runtimeClassName": pod("nvidia", template, {"spec": {"runtimeClassName": "nvidia"}}),
    "pod.env": pod([{"name": "A", "value": "1"}], container, {"env": [{"name": "A", "value": "1"}]}),
    "pod.envFrom": pod([{"configMapRef": {"name": "a"}}], container, {"envFrom": [{"configMapRef": {"name": "a"}}]}),
    "pod.volumes": pod([{"name": "a", "emptyDir": {}}], template, {"spec": {"volumes": [{"name": "a"}]}}),
    "pod.volumeMounts": pod([{"name": "a", "mountPath": "/a"}], container, {"volumeMounts": [{"mountPath": "/a"}]}),
    "pod.labels": pod({"team": "a"}, template, {"metadata": {"labels": {"team": "a"}}}),
    "pod.annotations": pod({"note": "a"}, template, {"metadata": {"annotations": {"note": "a"}}}),
    "pod.serviceAccountName": pod("mine", template, {"spec": {"serviceAccountName": "mine"}}),
    "pod.networkPolicy": pod(False, objects, lambda found: "NetworkPolicy" not in found),
}
FIELDS = list(leaves(Spec))

# ------------------------------------------------------------------------------------------------------------ the walk


def resolved(document: Document) -> Spec:
    return resolve(Spec.model_validate(document))


def refusal(document: Document, world: World) -> str:
    """Return what is said against a spec: by its rules, by both sides, or when its data is read."""
    try:
        spec = resolved(document)
    except ValidationError as error:
        return str(error)
    if gaps := unsupported(spec):
        return str(gaps)
    try:
        splits(spec, world)
    except TrainerError as error:
        return error.message
    return ""


def each_case() -> Iterator[tuple[str, Shown | Refused]]:
    for path in FIELDS:
        given = CASES.get(path, [])
        yield from ((path, case) for case in (given if isinstance(given, list) else [given]))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> World:
    return World(tmp_path_factory.mktemp("world"), request)


def test_every_field_has_a_case() -> None:
    print(f"{len(FIELDS)} fields of the spec, {len(list(each_case()))} cases")
    assert sorted(CASES) == sorted(FIELDS)


@pytest.mark.parametrize(
    ("path", "case"), [pytest.param(*each, id=f"{each[0]} {number}") for number, each in enumerate(each_case())]
)
def test_field_has_an_effect_or_is_refused(path: str, case: Shown | Refused, world: World) -> None:
    base = merge(CPU, case.base)
    changed = with_value(base, path, case.value)
    if isinstance(case, Refused):
        assert case.words in refusal(changed, world)
        return
    before, after = resolved(base), resolved(changed)
    assert not unsupported(before)
    assert not unsupported(after)
    was, found = case.view(before, world), case.view(after, world)
    if case.expected is DIFFERS:
        assert found != was
    else:
        assert holds(found, case.expected), found
        assert not holds(was, case.expected), was


@pytest.mark.parametrize("algorithm", [name for name in get_args(Algorithm) if name != "none"])
@pytest.mark.parametrize("backend", [GPU, UNSLOTH], ids=["transformers", "unsloth"])
def test_every_argument_is_one_that_the_library_has(algorithm: str, backend: Document) -> None:
    from peft import LoraConfig
    from transformers import BitsAndBytesConfig
    from trl import SFTConfig
    from trl.experimental.ppo import PPOConfig

    from reasoning_trainer.stages import reinforce

    document = merge(merge(CPU, backend), PREFERENCES if algorithm in PREFERENCE else {})
    spec = resolved(merge(document, {"reinforce": {"algorithm": algorithm}}))
    config = PPOConfig if algorithm == "PPO" else reinforce._CLASSES[algorithm][0]
    generation = {} if algorithm in GROUPED else set(transformers_arguments.generation_arguments(spec))
    assert set(rl(spec, None)) - set(generation) <= names_of(config)
    assert set(sft(spec, None)) <= names_of(SFTConfig)
    assert set(transformers_arguments.adapter_arguments(spec)) <= names_of(LoraConfig)
    for load_in in ("4bit", "8bit"):
        given = spec.model_copy(update={"model": spec.model.model_copy(update={"load_in": load_in})})
        assert BitsAndBytesConfig(**transformers_arguments.quantisation_arguments(given))


def names_of(config: Any) -> set[str]:
    return {each.name for each in fields(config)}
