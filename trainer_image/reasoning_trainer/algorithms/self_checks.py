"""Self-checks of a run, once and cheap: docs/self-checks.md says what each catches."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from reasoning_contract.report import RunStage, SelfCheck
from reasoning_contract.spec import Reinforce

from ..attempt import Attempt, Policy
from ..backends.base import Sampling
from ..data.examples import Example
from ..evaluation.agreement import engine_agrees, from_adapter, same_after_resume, same_prompts
from ..resource_failures import is_out_of_gpu_memory, is_out_of_host_memory
from ..storage.run_folder import write_atomic

ROWS = 8
"""Completions that are looked at."""
MOST_TOKENS = 512
"""Tokens of a completion that are looked at: all logits of a long one may take more memory than a step has left."""
PROBES = 2
"""Prompts whose answers a checkpoint keeps."""
PROBE_TOKENS = 8
PROBE = "probe.json"


def keep_check(attempt: Attempt, check: SelfCheck) -> None:
    """Add a check that was passed to the report, in place of an earlier attempt's of the same name."""
    before = attempt.tracker.progress().self_checks or []
    attempt.tracker.report(self_checks=[*(each for each in before if each.name != check.name), check])
    attempt.say(f"self-check {check.name}: {check.message}")


@contextmanager
def as_memory_allows(attempt: Attempt, what: str) -> Iterator[None]:
    """Leave out a look that finds no memory: a run that has enough for itself is not to end by it."""
    try:
        yield
    except Exception as error:
        if not (is_out_of_gpu_memory(error) or is_out_of_host_memory(error)):
            raise
        attempt.say(f"warning: self-check {what} is left out, because it found no memory: {error}")


class SampleCallback(TrainerCallback):
    """Looks at the first completions that are learned from, before the model that wrote them changes.

    Whether they come from the adapter is looked at again, at steps 2, 4, 8 ..., until it can be told.
    """

    def __init__(self, attempt: Attempt, policy: Policy, rows: Sequence[Example]) -> None:
        self._attempt, self._policy, self._rows = attempt, policy, rows
        self._trainer: Trainer | None = None
        self._first, self._told, self._next = True, False, 1

    def watch(self, trainer: Trainer) -> None:
        """Look at this trainer's batches."""
        self._trainer = trainer

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Check what was generated for this step, by the model as it still is."""
        if self._told or (not self._first and state.global_step + 1 < self._next):
            return
        batches = getattr(self._trainer, "_buffered_inputs", None)
        # with several updates a generation only the first is by the model that wrote
        if batches and state.global_step % (self._attempt.spec.reinforce.updates_per_generation or 1) == 0:
            self._next = max(1, state.global_step + 1) * 2
            with as_memory_allows(self._attempt, "of completions"):
                self._look_at(batches[0])

    def _look_at(self, batch: dict[str, Any]) -> None:
        prompts = _unpadded(batch["prompt_ids"][:ROWS], batch["prompt_mask"])
        completions = _beginnings(batch["completion_ids"], batch["completion_mask"])
        policy, reinforce = self._policy, self._attempt.spec.reinforce
        padding, temperature = policy.tokenizer.pad_token_id, reinforce.temperature

        def score() -> list[list[float]]:
            return policy.backend.token_likelihoods(policy.model, padding, prompts, completions, temperature)

        first, self._first = self._first, False
        if first:
            written = [policy.tokens(policy.prompt(row)) for row in self._rows]
            keep_check(self._attempt, same_prompts(prompts, written))
        adapted = score()
        if first:
            drawn = batch.get("sampling_per_token_logps")
            if drawn is not None and not _cuts_the_tail(reinforce):
                keep_check(self._attempt, engine_agrees(_beginnings(drawn, batch["completion_mask"]), adapted))
        if _cuts_the_tail(reinforce):
            self._told = True  # a base that is surer of the likeliest tokens finds them likelier, whoever drew them
            return
        with policy.model.disable_adapter():
            base = score()
        if check := from_adapter(adapted, base):
            self._told = True
            keep_check(self._attempt, check)


@dataclass(frozen=True)
class Answers:
    """What a model writes, greedily, and what it finds of it.

    Attributes
    ----------
    engine
        What generated.
    prompts, completions
        Tokens, one of each a pair.
    likelihoods
        Log-probability of each token of the completions, nats, by the model itself.
    """

    engine: str
    prompts: list[list[int]]
    completions: list[list[int]]
    likelihoods: list[list[float]]

    def found_by(self, policy: Policy, model: Any) -> list[list[float]]:
        """Return what a model finds of the same completions; of the policy are backend and tokenizer."""
        padding = policy.tokenizer.pad_token_id
        return policy.backend.token_likelihoods(model, padding, self.prompts, self.completions, 1.0)


def ask(attempt: Attempt, policy: Policy, prompts: Sequence[str]) -> Answers:
    """Have the model answer prompts in a few tokens. Whether it trains is left as it was."""
    training = policy.model.training
    try:
        with policy.backend.generating(attempt.spec, policy.model, policy.folder, attempt.say):
            drawn = policy.backend.generate(policy.model, policy, prompts, Sampling(max_tokens=PROBE_TOKENS))
    finally:
        policy.model.train(training)
    tokens, completions = [policy.tokens(text) for text in prompts], [list(each[0].ids) for each in drawn]
    answers = Answers(policy.backend.engine(attempt.spec), tokens, completions, [])
    return replace(answers, likelihoods=answers.found_by(policy, policy.model))


class ProbeCallback(TrainerCallback):
    """Keeps with each checkpoint what the model answers, and asks again after a resume from it."""

    def __init__(self, attempt: Attempt, policy: Policy, stage: RunStage, rows: Sequence[Example]) -> None:
        self._attempt, self._policy = attempt, policy
        self._folder, self._rows = attempt.folder.stage(stage), rows[:PROBES]

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Write the answers into the checkpoint, which is whole without them: the process may be killed meanwhile."""
        with as_memory_allows(self._attempt, "resume"):
            write_atomic(self._path(state), json.dumps(asdict(self._ask())))

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Ask for the same answers where a checkpoint is gone on from."""
        path = self._path(state)
        if state.global_step > 0 and path.exists():
            with as_memory_allows(self._attempt, "resume"):
                self._compare(path, state.global_step)

    def _compare(self, path: Path, step: int) -> None:
        kept, now = Answers(**json.loads(path.read_text("utf-8"))), self._ask()
        if (kept.engine, kept.prompts) != (now.engine, now.prompts):
            return
        found = kept.found_by(self._policy, self._policy.model)
        same = kept.completions == now.completions
        keep_check(self._attempt, same_after_resume(kept.likelihoods, found, same_tokens=same, step=step))

    def _path(self, state: TrainerState) -> Path:
        return self._folder.checkpoint(state.global_step) / PROBE

    def _ask(self) -> Answers:
        return ask(self._attempt, self._policy, [self._policy.prompt(row) for row in self._rows])


def _cuts_the_tail(reinforce: Reinforce) -> bool:
    """Whether the engine draws from a part of the vocabulary, whose probabilities are other ones."""
    return reinforce.top_p < 1 or bool(reinforce.top_k) or bool(reinforce.min_p)


def _beginnings(values: torch.Tensor, mask: torch.Tensor) -> list[list[Any]]:
    """Return the values of the first tokens of the completions that are looked at."""
    return [each[:MOST_TOKENS] for each in _unpadded(values[:ROWS], mask)]


def _unpadded(values: torch.Tensor, mask: torch.Tensor) -> list[list[Any]]:
    """Return the values of each row where the mask is not 0."""
    return [row[kept.bool()].tolist() for row, kept in zip(values.cpu(), mask[: len(values)].cpu(), strict=True)]
