"""The command `check`: all that can be found out about a job without its weights, and so without training."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from rich.text import Text

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_contract.spec import PREFERENCE, ModelReward, Spec
from reasoning_contract.text import printable

from .. import backends
from ..algorithms.trl_arguments import refuse_few_rows
from ..backends.reward_memory import on_gpu
from ..backends.tokenizer import load_tokenizer
from ..chat.chat import Chat
from ..chat.conversation import opening, worked_answer
from ..chat.pair_length import pair_tokens
from ..data.examples import Example, Splits
from ..data.sources import Source
from ..data.splits import load as load_data
from ..errors import TrainerError
from ..export.converters import rehearse
from ..interruption import Interruption
from ..job import Inputs, Job, inputs_of, read_job
from ..outcomes import outcome_of
from ..reporting.display import Display
from ..reporting.trackers import refuse_missing
from ..rewards import Surroundings, build
from ..rewards.model import config_of
from ..rewards.references import are_judged, set_aside, unjudgeable, with_right_alone, without
from . import findings
from .findings import Finding, Scores
from .samples import as_said, samples, worked

COLORS = {"ok": "green", "warning": "yellow", "error": "red"}


@dataclass(frozen=True)
class Options:
    """What the command line says; see its help."""

    job: Path
    resolved: bool = False
    configmaps: Path | None = None
    claims: Path | None = None
    termination_log: Path | None = None


def check(options: Options, display: Display) -> Outcome:
    """Check a job, show what is found, and return how a run would fail; exit code 0 if it can be started."""
    outcome = _checked(options, display)
    if options.termination_log is not None:
        options.termination_log.write_text(outcome.to_termination_message(), "utf-8")
    return outcome


def _checked(options: Options, display: Display) -> Outcome:
    try:
        job = read_job(options.job)
        if options.resolved:
            document = job.spec.model_dump(by_alias=True, exclude_none=True, mode="json")
            display.say(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
        with TemporaryDirectory() as scratch:
            checker = Checker(job, inputs_of(job, options.configmaps, options.claims, Path(scratch)), display)
            checker.run()
    except Exception as error:
        return outcome_of(error)
    told = findings.worth_telling(checker.found)
    fault = findings.verdict(checker.found)
    if fault is not None:
        return Outcome.of(fault, findings=told)
    warnings = sum(finding.level == "warning" for finding in checker.found)
    message = f"{job.name} can be started" + (f", with {warnings} warning{'s' * (warnings > 1)}" if warnings else "")
    return Outcome(exit_code=ExitCode.DONE, reason="Checked", message=message, findings=told)


class Checker:
    """Gathers the facts and shows what they mean. What fails is a finding; what does not need it is checked too.

    Attributes
    ----------
    found
        What was found so far.
    """

    def __init__(self, job: Job, inputs: Inputs, display: Display) -> None:
        self.found: list[Finding] = []
        self._job, self._spec, self._inputs, self._display = job, job.spec, inputs, display

    def run(self) -> None:
        """Find everything out, in the order of a run."""
        self._note(*findings.choices(self._job.given, self._spec, self._job.choice))
        with self._guarded("spec"):
            backends.check(self._spec)
            refuse_missing(self._spec.tracking, os.environ)
        splits = model = chat = None
        kept: list[Example] = []
        with self._guarded("data"):
            loaded = load_data(self._spec, Source(self._inputs.locate, os.environ.get("HF_TOKEN")))
            splits = set_aside(self._spec, loaded)
            self._note(*findings.rows(splits), *findings.plan(self._spec, splits.train))
            refuse_few_rows(self._spec.reinforce, len(splits.train))
        with self._guarded("model"):
            model = self._model()
        with self._guarded("chatTemplate"):
            if model:
                self._apply_template(model[1])
                chat = model[1]
        with self._guarded("data"):
            if chat and splits:
                splits = self._plain(splits, chat)
        with self._guarded("chatTemplate"):
            if chat and splits:
                kept = self._texts(splits, chat)
        with self._guarded("warmup"):
            if chat and splits and splits.warmup:
                self._demonstrations(splits.warmup, chat)
        with self._guarded("export"):
            if model and any(name.startswith("gguf:") for name in self._spec.export.formats):
                rehearse(model[0], model[1].tokenizer, Interruption(lambda: None))
                self._note(Finding("export", "llama.cpp's converter knows the architecture and the tokenizer"))
        for reward in self._spec.rewards:
            if reward.reads_the_base:
                told = "the job's own model gives it, whose weights are not read here: it is not tried"
                self._note(Finding(f"reward {reward.name}", told))
            if reward.model:
                with self._guarded(f"reward {reward.name}"):
                    self._note(self._reward_model(reward.name, reward.model))
        if splits:
            with self._guarded("rewards"):
                self._signal(kept or splits.train, chat)

    def _note(self, *found: Finding) -> None:
        self.found += found
        for finding in found:
            self._display.say(_line(finding))

    @contextmanager
    def _guarded(self, subject: str) -> Iterator[None]:
        try:
            yield
        except TrainerError as error:
            self._note(findings.error(subject, error.problem))

    def _model(self) -> tuple[Path, Chat]:
        from ..storage.hub_models import NOT_READ
        from ..storage.model_files import WEIGHTS, fetch, require_safetensors

        spec = self._spec
        folder, revision = fetch(spec, self._inputs, (*NOT_READ, WEIGHTS))
        if revision is None:
            require_safetensors(spec, folder)
        chat = Chat(tokenizer=load_tokenizer(spec, folder))
        at = f" at {revision}" if revision else ""
        size = len(chat.tokenizer)
        self._note(Finding("model", f"{spec.model.source}{at}: a vocabulary of {size}; the weights are not read here"))
        if (folder / "config.json").is_file():
            config = json.loads((folder / "config.json").read_text("utf-8"))
            self._note(*findings.gpu_memory(self._job.given, config, self._reward_configs()))
            self._note(*findings.adapter_rank(self._job.given))
            self._note(*findings.learning_rates(spec, config))
            self._note(*findings.volume(spec, config))
        return folder, chat

    def _apply_template(self, chat: Chat) -> None:
        from ..chat.template import apply_template

        spec = self._spec
        family = spec.chat_template.family
        own_end = chat.tokenizer.eos_token
        apply_template(spec, chat)
        template = family or ("jinja" if spec.chat_template.jinja else "that of the tokenizer")
        role = "a system role" if chat.system_role else "no system role: the system prompt opens the user's turn"
        self._note(Finding("chatTemplate", f"{template}, with {role}"))
        self._note(*findings.turn(chat.render(opening("", "")), chat.opened, chat.turn_end))
        if chat.stops:
            self._note(findings.other_end(chat.tokenizer.eos_token, own_end))
        if chat.new_tokens:
            self._note(findings.new_tokens(chat.tokenizer.convert_ids_to_tokens(chat.new_tokens)))

    def _plain(self, splits: Splits, chat: Chat) -> Splits:
        """Return the rows without those that hold control tokens."""
        from ..chat.control import set_aside as set_control_tokens_aside

        left, told = set_control_tokens_aside(self._spec, chat, splits)
        self._note(*(Finding("data", each, "warning") for each in told))
        return left

    def _texts(self, splits: Splits, chat: Chat) -> list[Example]:
        """Measure prompts and worked answers, show one row as the model sees it, and return those that a run keeps."""
        spec, limit = self._spec, self._spec.reinforce.max_prompt_length or 0
        for field, rows in (("data.train", splits.train), ("data.heldOut", splits.held_out)):
            if rows:
                self._note(findings.prompt_lengths(field, [chat.prompt_length(row) for row in rows], limit))
        for field, rows in (("data.warmup", splits.warmup), ("data.train", splits.train)):
            answers = [worked_answer(row, spec.chat_template) for row in rows if row.reasoning and row.answer]
            if answers:
                lengths = [chat.length(text) for text in answers]
                self._note(findings.answer_lengths(field, lengths, spec.reinforce.max_completion_length))
        kept = [row for row in splits.train if self._fits(row, chat)]
        if kept:
            self._show(kept[0], chat)
        return kept

    def _fits(self, row: Example, chat: Chat) -> bool:
        """Whether a run keeps the row."""
        spec = self._spec
        if chat.prompt_length(row) > (spec.reinforce.max_prompt_length or 0):
            return False
        return not spec.prefers or pair_tokens(chat, row) <= spec.model.max_sequence_length

    def _show(self, row: Example, chat: Chat) -> None:
        """Show a row as the model sees it."""
        spec = self._spec
        texts = {"prompt": chat.prompt(row)}
        if spec.reinforce.algorithm in PREFERENCE:
            texts |= {"chosen": row.chosen or "", "rejected": row.rejected or ""}
        elif row.answer:
            texts["worked answer"] = worked(spec, row)
        for name, text in texts.items():
            shown = text if name == "prompt" else chat.continuation(row, text)
            self._display.say(
                Text.assemble((f"\ndata.train, row {row.place.row}, {name}:\n", "bold"), (printable(shown), "dim"))
            )
        self._display.say("")

    def _around(self) -> Surroundings:
        """Return what rewards need; here one batch is enough to tell that one fails."""
        around = Surroundings.of(self._spec, self._inputs.locate, self._display.say)
        return replace(around, guard=around.guard.model_copy(update={"window_batches": 1}))

    def _reward_configs(self) -> dict[str, dict[str, Any]]:
        """Return the config.json of the reward models on the GPU; what is wrong with one is told with its reward."""
        found = {}
        for name, model in on_gpu(self._spec).items():
            with suppress(TrainerError):
                found[name] = self._reward_config(name, model)
        return found

    def _reward_config(self, name: str, model: ModelReward) -> dict[str, Any]:
        """Return a reward model's config.json alone: its weights may be larger than what a check is given."""
        from ..storage.hub_models import NOT_READ
        from ..storage.model_files import WEIGHTS

        folder = self._around().fetch_model(name, model, (*NOT_READ, WEIGHTS))
        return config_of(name, folder, with_weights=not model.source.startswith("hf://"))

    def _reward_model(self, name: str, model: ModelReward) -> Finding:
        return findings.reward_model(name, model, self._reward_config(name, model), name in on_gpu(self._spec))

    def _demonstrations(self, rows: Sequence[Example], chat: Chat) -> None:
        """Write what the warm-up would learn: the template must show where the assistant's turns begin."""
        from ..chat.demonstrations import demonstrate

        kept, left_out = demonstrate(self._spec, chat, rows)
        self._note(findings.turns(len(kept), left_out))

    def _signal(self, train: Sequence[Example], chat: Chat | None) -> None:
        """Try the rewards on completions whose worth is known."""
        spec = self._spec
        if spec.reinforce.algorithm in PREFERENCE:
            self._note(findings.pairs(train))
        if not spec.rewards:
            return
        rows = sample(spec, train)
        references = [row.accepted for row in rows]
        tried = [reward for reward in spec.rewards if not (reward.model or reward.reads_the_base)]
        scores: dict[str, dict[str, Sequence[float | None]]] = {reward.name: {} for reward in tried}
        with build(tried, spec.chat_template, self._around()) as functions:
            functions.start()
            for kind, texts in samples(spec, rows, chat.tokens if chat else list).items():
                for name, each in functions.score(as_said(spec, rows, texts, chat)).items():
                    scores[name][kind] = each
        found: dict[str, Scores] = dict(scores)
        self._note(*findings.rewards(spec, found, references))


def sample(spec: Spec, train: Sequence[Example]) -> Sequence[Example]:
    """Return the rows that rewards are tried on; what cannot be judged was told with the rows."""
    rows = train[: spec.guards.preflight.sample_rows]
    if not are_judged(spec, "data.train"):
        return rows
    return with_right_alone(spec, without(rows, unjudgeable(spec, rows)) or rows)


def _line(finding: Finding) -> Text:
    line = Text.assemble(
        (f"{finding.level:<8}", COLORS[finding.level]), (f"{finding.subject}: ", "bold"), printable(finding.message)
    )
    return line.append(f"\n{'':<8}hint: {printable(finding.hint)}") if finding.hint else line
