"""Makes the manifest: finds model, adapter, settings, rows and rewards among the calls of a script. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..manifest import document_of
from . import fields
from .reading import Script
from .rewards import reward_source
from .rows import answer_pattern, columns_of, system_prompt
from .values import Names, UnknownError, called

Json = dict[str, Any]
NO_MODEL, NO_DATA = "hf://owner/model", "hf://owner/data"
PREFERENCE = ("DPO", "ORPO")


@dataclass
class Converted:
    """What became of a script.

    Attributes
    ----------
    document
        The job.
    taken
        What was found and where: field of the spec, its value, the place in the script.
    left
        What could not be taken over, each with its place and the reason.
    notes
        What was decided that the script does not say.
    """

    document: Json = field(default_factory=dict)
    taken: list[tuple[str, str, str]] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def convert(script: Script, name: str, given: Mapping[str, Any] | None = None) -> Converted:
    """Return the job that trains as a script does, as far as can be read from it.

    Parameters
    ----------
    script
        The script.
    name
        Name of the job.
    given
        What a command line or a configuration file says, by the names of TRL: `learning_rate`, `model_name_or_path`,
        `dataset_name` ... It comes before what the script says.
    """
    return _Converter(script, given or {}).run(name)


class _Converter:
    def __init__(self, script: Script, given: Mapping[str, Any]) -> None:
        self._script, self._given = script, given
        self._names = Names(script.tree)
        self._calls = [node for node in ast.walk(script.tree) if isinstance(node, ast.Call)]
        self._calls.sort(key=lambda node: (node.lineno, node.col_offset))
        self._found = Converted()
        self._spec: Json = {}
        self._algorithm = "GRPO"
        self._trainer: ast.Call | None = None

    def run(self, name: str) -> Converted:
        self._find_trainer()
        self._model()
        self._adapter()
        self._configuration()
        self._rows()
        self._rewards()
        self._fit()
        self._others()
        order = ("backend", "model", "lora", "chatTemplate", "inference", "data", "warmup", "reinforce", "rewards")
        spec = {key: self._spec[key] for key in (*order, "evaluation", "checkpoint") if self._spec.get(key)}
        self._found.notes.append("what the script leaves open takes this operator's defaults, not TRL's: docs/api.md")
        self._found.document = document_of(name, spec)
        return self._found

    def _named(self, *names: str) -> Iterator[ast.Call]:
        return (call for call in self._calls if called(call).split(".")[-1] in names)

    def _find_trainer(self) -> None:
        trainers = list(self._named(*fields.ALGORITHMS))
        if not trainers:
            self._note("no trainer of TRL is made in it: GRPO is taken")
            return
        # the last that is not SFT: a warm-up comes before RL
        others = [call for call in trainers if called(call).split(".")[-1] != "SFTTrainer"]
        self._trainer = (others or trainers)[-1]
        self._algorithm = fields.ALGORITHMS[called(self._trainer).split(".")[-1]]
        self._took("reinforce.algorithm", self._algorithm, self._trainer)
        self._spec["reinforce"] = {} if self._algorithm == "GRPO" else {"algorithm": self._algorithm}
        for other in trainers:
            if other is not self._trainer:
                self._leave(other, f"{called(other)}: only {called(self._trainer)} is taken over")

    def _model(self) -> None:
        loads = [
            call
            for call in self._named("from_pretrained")
            if re.search(r"(LanguageModel|ModelForCausalLM|FastModel)", called(call))
        ]
        source = self._given.get("model_name_or_path")
        for call in loads[:1]:
            source = source or self._argument(call, 0, "model_name", "pretrained_model_name_or_path")
            self._keywords(call, fields.MODEL, skip=("pretrained_model_name_or_path",))
            self._precision(call)
            if "Fast" in called(call):
                self._put("backend", "unsloth", call)
        for call in loads[1:]:
            self._leave(call, "a second model: only the first is taken over")
        if source is None and self._trainer is not None:
            source = self._argument(self._trainer, 0, "model")
        if not isinstance(source, str):
            self._note(f"the model is not written in the script: {NO_MODEL} stands for it; say --model")
            source = NO_MODEL
        self._part("model")["source"] = _source(source)
        self._spec["model"] = {"source": self._spec["model"].pop("source"), **self._spec["model"]}

    def _precision(self, call: ast.Call) -> None:
        for name, precision in (("load_in_4bit", "4bit"), ("load_in_8bit", "8bit")):
            if self._keyword(call, name) is True:
                self._put("model.loadIn", precision, call)
        if self._keyword(call, "load_in_4bit") is False and "Fast" in called(call):
            self._put("model.loadIn", "16bit", call)

    def _adapter(self) -> None:
        for call in self._named("LoraConfig", "get_peft_model"):
            self._keywords(call, fields.LORA, skip=("target_modules",))
            modules = self._keyword(call, "target_modules")
            if isinstance(modules, str):
                modules = [modules]
            if isinstance(modules, list) and modules:
                self._put("lora.targetModules", modules, call)

    def _configuration(self) -> None:
        known = {**fields.LEARNING, **fields.REINFORCE}
        for name, value in self._given.items():
            self._setting(name, value, None, known)
        for call in self._named(*fields.CONFIGS):
            for word in call.keywords:
                if word.arg is None:
                    self._leave(word.value, "settings that only a run would tell: **")
                elif word.arg not in self._given and word.arg != "reward_weights":
                    self._word(word, known)

    def _word(self, word: ast.keyword, known: Mapping[str, tuple[str, fields.Change]]) -> None:
        for name, value in self._told(word, known.keys() | fields.ELSEWHERE.keys()):
            self._setting(name, value, word.value, known)

    def _told(self, word: ast.keyword, known: Container[str]) -> Iterator[tuple[str, Any]]:
        """Yield the name and value of an argument that has a field; one that cannot be taken over is left with why."""
        assert word.arg is not None
        if word.arg not in known:
            if word.arg not in fields.NOT_NEEDED:
                self._leave(word.value, f"{word.arg}: has no field here")
            return
        try:
            value = self._names.value(word.value)
        except UnknownError as unknown:
            self._leave(word.value, f"{word.arg}: only a run would tell what {unknown} is")
            return
        yield word.arg, value

    def _setting(
        self, name: str, value: Any, node: ast.AST | None, known: Mapping[str, tuple[str, fields.Change]]
    ) -> None:
        if name in fields.ELSEWHERE:
            path, change = fields.ELSEWHERE[name]
        elif name in known:
            own, change = known[name]
            stage = "warmup" if self._algorithm == "none" else "reinforce"
            if (stage == "warmup" and name not in fields.LEARNING) or (
                self._algorithm in PREFERENCE and own in fields.PREFERENCE_ALONE
            ):
                self._leave(node, f"{name}: {self._algorithm_words} has no such field here")
                return
            path = f"{stage}.{own}"
        else:
            return
        self._change(path, name, value, change, node)

    @property
    def _algorithm_words(self) -> str:
        return "the warm-up" if self._algorithm == "none" else self._algorithm

    def _change(self, path: str, name: str, value: Any, change: fields.Change, node: ast.AST | None) -> None:
        try:
            changed = change(value)
        except (TypeError, ValueError):
            changed = None
        if changed is None:
            if value not in (None, -1, 0):
                self._leave(node, f"{name}={value!r}: has no equal here")
            return
        self._put(path, changed, node)

    def _keywords(self, call: ast.Call, known: Mapping[str, tuple[str, fields.Change]], skip: tuple[str, ...]) -> None:
        for word in call.keywords:
            if word.arg is None or word.arg in skip:
                continue
            for name, value in self._told(word, known):
                path, change = known[name]
                self._change(path, name, value, change, word.value)

    def _rows(self) -> None:
        loads = list(self._named("load_dataset"))
        train = self._data_set(loads[0], "data.train.source") if loads else {}
        if name := self._given.get("dataset_name"):
            config = self._given.get("dataset_config")
            train = {"source": _source(str(name))} | ({"config": config} if config else {})
        if "source" not in train:
            self._note(f"the rows are not written in the script: {NO_DATA} stands for them; say --data")
            train["source"] = NO_DATA
        columns = columns_of(self._script, self._names)
        if self._algorithm in PREFERENCE:
            columns = {"chosen": "chosen", "rejected": "rejected"} | columns
        if columns:
            train["columns"] = columns
        if pattern := answer_pattern(self._script):
            train["answerPattern"] = pattern
        self._maps()
        prompt = system_prompt(self._script, self._names)
        if prompt is not None:
            self._spec["chatTemplate"] = {"systemPrompt": prompt}
            self._found.taken.append(("chatTemplate.systemPrompt", _brief(prompt), ""))
        self._data(train, loads[1:])

    def _data(self, train: Json, others: list[ast.Call]) -> None:
        if self._algorithm == "none":
            self._spec["data"] = {"train": train, "warmup": dict(train)}
            self._spec["evaluation"] = {"enabled": False}
            self._note("SFT is the warm-up of a job without RL; it is not evaluated: give data.heldOut to change that")
            return
        self._spec["data"] = {"train": train, "heldOut": {"fraction": 0.1}}
        for call in others:
            held_out = self._data_set(call)
            if held_out.get("source") == train["source"] and held_out.get("split", "train") != train.get(
                "split", "train"
            ):
                self._spec["data"]["heldOut"] = {"split": held_out["split"]}
                self._took("data.heldOut.split", held_out["split"], call)
            else:
                self._leave(call, "a second data set: only the first is trained on")
        if "fraction" in self._spec["data"]["heldOut"]:
            self._note("a tenth of the rows is held out to prove the gain: data.heldOut.fraction")
        if self._algorithm not in PREFERENCE and "answer" not in train.get("columns", {}):
            self._note("no column was seen to become the answer: name it in data.train.columns.answer if it is another")

    def _data_set(self, call: ast.Call, field_name: str = "") -> Json:
        name = self._argument(call, 0, "path")
        config, split = self._argument(call, 1, "name"), self._keyword(call, "split")
        found: Json = {}
        if isinstance(name, str) and name in ("json", "csv", "parquet"):
            self._leave(call, "files of this machine: put them on a claim (pvc://claim/path) and say --data")
        elif isinstance(name, str):
            found["source"] = _source(name)
            if field_name:
                self._took(field_name, found["source"], call)
        else:
            self._leave(call, "only a run would tell which data set it is")
        if isinstance(config, str) and config != "default":
            found["config"] = config
        if isinstance(split, str):
            plain = re.fullmatch(r"(\w+)(?:\[:(\d+)\])?", split)
            if plain and plain[1] != "train":
                found["split"] = plain[1]
            if plain and plain[2]:
                found["limit"] = int(plain[2])
            if not plain:
                self._leave(call, f"split {split!r}: a split's name, or its first rows, are taken over")
        return found

    def _maps(self) -> None:
        for call in self._named("map", "filter", "select", "shuffle", "train_test_split", "rename_column"):
            if not isinstance(call.func, ast.Attribute):
                continue
            what = call.func.attr
            if what == "map":
                self._leave(call, "map: columns and the system prompt are read from it; see whether it does more")
            elif what in ("filter", "select", "rename_column"):
                self._leave(call, f"{what}: rows are not changed here: prepare them, or use limit and columns")

    def _rewards(self) -> None:
        if self._algorithm in (*PREFERENCE, "none"):
            return
        node = self._keyword_node(self._trainer, "reward_funcs") if self._trainer else None
        elements = list(self._elements(node)) if node is not None else []
        weights = self._weights(len(elements))
        rewards = [
            reward
            for element, weight in zip(elements, weights, strict=True)
            if (reward := self._reward(element, weight))
        ]
        if not rewards:
            self._note("no reward was found: the built-in correctness stands for it")
            rewards = [{"name": "correct", "builtin": "correctness"}]
        self._spec["rewards"] = _unique(rewards)

    def _weights(self, count: int) -> list[float | None]:
        for call in self._named(*fields.CONFIGS):
            weights = self._keyword(call, "reward_weights")
            if isinstance(weights, list) and len(weights) == count:
                return [float(weight) for weight in weights]
        return [None] * count

    def _elements(self, node: ast.expr) -> Iterator[ast.expr]:
        if isinstance(node, ast.List | ast.Tuple):
            yield from node.elts
        elif isinstance(node, ast.Name) and self._names.assigned(node.id):
            for each in self._names.assigned(node.id):
                yield from self._elements(each)
        else:
            yield node

    def _reward(self, node: ast.expr, weight: float | None) -> Json | None:
        if not isinstance(node, ast.Name):
            self._leave(node, f"reward {ast.unparse(node)}: only functions that the script defines are taken over")
            return None
        found = reward_source(self._script, node.id)
        if found is None:
            self._leave(node, f"reward {node.id}: the script does not define it")
            return None
        if found.foreign:
            libraries = ", ".join(found.foreign)
            self._leave(node, f"reward {node.id} imports {libraries}: the trainer's image must have it")
        self._took("rewards", node.id, node)
        name = re.sub(r"[^a-z0-9]+", "-", node.id.lower()).strip("-")[:63] or "reward"
        code: Json = {"source": found.text, "function": node.id}
        return {"name": name} | ({"weight": weight} if weight is not None else {}) | {"python": code}

    def _fit(self) -> None:
        """Make whole what TRL completes in silence, or takes otherwise."""
        reinforce = self._spec.get("reinforce") or {}
        if "steps" in reinforce and reinforce.pop("epochs", None):
            self._note("max_steps comes before num_train_epochs, as in TRL")
        if self._algorithm in ("GRPO", "RLOO"):
            self._fit_groups(reinforce)
        self._spec["reinforce"] = reinforce
        self._fit_length(reinforce)

    def _fit_groups(self, reinforce: Json) -> None:
        group, batch = reinforce.get("numGenerations", 8), reinforce.get("batchSize", 8)
        passes = reinforce.get("gradientAccumulation", 1)
        if batch * passes % group:
            needed = next(count for count in range(passes, passes + group + 1) if batch * count % group == 0)
            reinforce["gradientAccumulation"] = needed
            self._note(f"gradientAccumulation is {needed}: every prompt needs a whole group of {group} completions")

    def _fit_length(self, reinforce: Json) -> None:
        if self._algorithm == "none":
            return
        needed = reinforce.get("maxPromptLength", 1) + reinforce.get("maxCompletionLength", 512)
        if self._spec["model"].get("maxSequenceLength", 2048) < needed:
            self._spec["model"]["maxSequenceLength"] = needed
            self._note(f"model.maxSequenceLength is {needed}: prompt and completion must fit into it")

    def _others(self) -> None:
        words = {
            "push_to_hub": "publish with what docs/how-to/publish.md says",
            "push_to_hub_merged": "publish with what docs/how-to/publish.md says",
            "save_pretrained_merged": "ask for it in export.formats: merged16bit",
            "save_pretrained_gguf": "ask for it in export.formats: gguf:q4_k_m",
            "add_callback": "callbacks do not run here",
            "get_chat_template": "name it in chatTemplate.family",
            "train_on_responses_only": "it is the default: warmup.trainOnResponsesOnly",
            "Accelerator": "the operator starts the processes: parallelism",
        }
        for call in self._named(*words):
            last = called(call).split(".")[-1]
            self._leave(call, f"{last}: {words[last]}")
        if self._trainer is not None and self._keyword_node(self._trainer, "callbacks") is not None:
            self._leave(self._trainer, "callbacks: they do not run here")

    def _argument(self, call: ast.Call, position: int, *names: str) -> Any:
        nodes = [word.value for word in call.keywords if word.arg in names]
        nodes += [call.args[position]] if len(call.args) > position else []
        for node in nodes:
            try:
                return self._names.value(node)
            except UnknownError:
                continue
        return None

    def _keyword_node(self, call: ast.Call, name: str) -> ast.expr | None:
        return next((word.value for word in call.keywords if word.arg == name), None)

    def _keyword(self, call: ast.Call, name: str) -> Any:
        node = self._keyword_node(call, name)
        try:
            return None if node is None else self._names.value(node)
        except UnknownError:
            return None

    def _part(self, name: str) -> Json:
        part: Json = self._spec.setdefault(name, {})
        return part

    def _put(self, path: str, value: Any, node: ast.AST | None) -> None:
        first, _, last = path.partition(".")
        if last:
            self._part(first)[last] = value
        else:
            self._spec[first] = value
        self._took(path, value, node)

    def _took(self, path: str, value: Any, node: ast.AST | None) -> None:
        self._found.taken.append((path, _brief(value), self._script.place(node) if node else "given"))

    def _leave(self, node: ast.AST | None, reason: str) -> None:
        self._found.left.append((self._script.place(node) if node else "given", reason))

    def _note(self, text: str) -> None:
        self._found.notes.append(text)


def _source(text: str) -> str:
    if "://" in text:
        return text
    return f"file://{text}" if text.startswith("/") else f"hf://{text}"


def _brief(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}..."


def _unique(rewards: list[Json]) -> list[Json]:
    """Return rewards with names of their own: a function that is given twice counts twice."""
    seen: dict[str, int] = {}
    for reward in rewards:
        seen[reward["name"]] = seen.get(reward["name"], 0) + 1
        if seen[reward["name"]] > 1:
            reward["name"] = f"{reward['name'][:58]}-{seen[reward['name']]}"
    return rewards
