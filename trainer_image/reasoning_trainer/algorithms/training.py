"""What the two training stages share: checkpoints, resuming, reporting, guards, and the stage's end."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from reasoning_contract.report import CheckpointStatus, RunStage, SpecChange, TrainingStatus

from ..attempt import Attempt, Policy
from ..guards import Verdict, guards_of, judge_budget, judge_divergence
from ..interruption import interrupted
from ..reporting.gpu_use import GpuUse
from ..reporting.step_figures import presentable, training_status
from ..storage.run_folder import StageFolder, read_lines, whole_folder, write_lines

REFERENCE = "ref"
"""TRL's name of the frozen copy of the adapter that a KL term is measured from."""


class StageCallback(TrainerCallback):
    """Reports every step, seals checkpoints, and stops the trainer when it must stop."""

    def __init__(
        self, attempt: Attempt, stage: RunStage, folder: StageFolder, unscored: Callable[[], Mapping[str, int]] = dict
    ) -> None:
        self._attempt, self._stage, self._folder, self._unscored = attempt, stage, folder, unscored
        spec = attempt.spec
        self._guards = guards_of(spec, stage)
        self._verdicts: dict[str, Verdict] = {}
        self._warned: set[str] = set()
        self._updates = (spec.reinforce.updates_per_generation or 1) if stage == "reinforce" else 1
        self._generated: dict[str, Any] = {}
        self._tokens, self._moment = 0.0, time.monotonic()
        self._gpu = GpuUse(torch.cuda.utilization, attempt.say) if torch.cuda.is_available() else None

    @property
    def _budget_spent(self) -> bool:
        return not judge_budget(self._attempt.spec.limits, self._attempt.tracker.gpu_seconds).ok

    def stop_if_told(self) -> None:
        """Raise `TrainerError` if the process is told to stop or the GPU budget is spent."""
        judge_budget(self._attempt.spec.limits, self._attempt.tracker.gpu_seconds).raise_if_failed()
        self._attempt.interruption.check()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Tell where the stage begins: at its first step, or at a checkpoint's, and what the guards saw before it."""
        state.compute_steps(args, state.max_steps)  # a checkpoint brings its own steps between checkpoints
        for training in map(training_status, state.log_history):
            for guard in self._guards:
                guard.update(training)
        self._attempt.trackers.history(self._stage, state.log_history)
        self._attempt.tracker.begin(self._stage, total=state.max_steps, done=state.global_step)
        self._moment = time.monotonic()
        if self._gpu:
            self._gpu.start()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Leave the GPU to itself."""
        if self._gpu:
            self._gpu.stop()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Count the step; when told to stop or out of budget, have the trainer save and stop.

        The updates that share a batch of completions are made first: they take less time than the batch did, and
        without them it would have to be thrown away.
        """
        self._attempt.tracker.advance(state.global_step)
        can_stop = state.global_step % self._updates == 0
        if can_stop and (self._attempt.interruption.requested or self._budget_spent):
            control.should_save = control.should_training_stop = True

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Report the metrics of the step and let the guards judge them."""
        if not logs or "train_runtime" in logs:
            return
        spec, tracker = self._attempt.spec, self._attempt.tracker
        training = training_status(
            logs,
            tokens_per_second=self._pace(logs),
            gpu_memory_gib=_gpu_memory_gib(),
            gpu_use_percent=self._gpu.take() if self._gpu else None,
            unscored=self._unscored(),
        )
        tracker.report(training=presentable(self._with_generated(training)))
        self._attempt.trackers.step(self._stage, state.global_step, logs)
        self._act("Divergence", judge_divergence(spec.guards.divergence, training))
        self._judge(training)

    def _judge(self, training: TrainingStatus) -> None:
        """Report what each guard says before acting on any."""
        news = {guard.condition: guard.update(training) for guard in self._guards}
        self._verdicts |= {condition: verdict for condition, verdict in news.items() if verdict}
        if self._verdicts:
            reports = [verdict.to_report(condition) for condition, verdict in self._verdicts.items()]
            before = self._attempt.tracker.progress().guards or []
            others = [each for each in before if each.condition not in self._verdicts]
            self._attempt.tracker.report(guards=[*others, *reports])
        for condition, verdict in news.items():
            if verdict:
                self._act(condition, verdict)

    def _with_generated(self, training: TrainingStatus) -> TrainingStatus:
        """Complete an update that shares its completions with an earlier one with what is known of them."""
        figures = training.model_dump(exclude_none=True)
        if training.reward is not None:
            self._generated = {name: figure for name, figure in figures.items() if name != "gpu_use_percent"}
        return TrainingStatus.model_validate(self._generated | figures)

    def _act(self, guard: str, verdict: Verdict) -> None:
        """End the run, or say a warning when it begins, not at every step that it lasts."""
        if verdict.ok:
            self._warned.discard(guard)
        elif verdict.action == "warn" and guard not in self._warned:
            self._warned.add(guard)
            self._attempt.say(f"warning: {verdict.message}")
        verdict.raise_if_failed()

    def _pace(self, logs: Mapping[str, Any]) -> float | None:
        moment, tokens = time.monotonic(), logs.get("num_tokens")
        if tokens is None:
            return None
        pace = (tokens - self._tokens) / max(moment - self._moment, 1e-9) if self._tokens else None
        self._tokens, self._moment = tokens, moment
        return pace

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Declare the checkpoint complete and delete the oldest.

        The reference lies in the warm-up's folder anyway; left in the checkpoint, it would be all that the Transformers
        trainer reads back from it.
        """
        step = state.global_step
        shutil.rmtree(self._folder.checkpoint(step) / REFERENCE, ignore_errors=True)
        self._folder.seal(step, self._attempt.spec.checkpoint.keep)
        path = str(self._folder.checkpoint(step))
        self._attempt.tracker.report(last_checkpoint=CheckpointStatus(stage=self._stage, step=step, path=path))


def _gpu_memory_gib() -> float | None:
    """Return the peak of PyTorch's allocator, in which vLLM has its share too; None on a CPU."""
    return torch.cuda.max_memory_reserved() / (1 << 30) if torch.cuda.is_available() else None


def reuse(attempt: Attempt, policy: Policy, stage: RunStage) -> bool:
    """Take the adapter of a stage that an earlier attempt finished; return whether there is one."""
    folder = attempt.folder.stage(stage)
    if folder.is_done:
        policy.backend.load_adapter(policy.model, folder.adapter)
        attempt.tracker.finish(stage, earlier=True)
        attempt.trackers.history(stage, read_lines(folder.history))
        attempt.tracker.report(resumed_from_step=folder.last_step, resumed_from_stage=stage)
    return folder.is_done


def train(attempt: Attempt, policy: Policy, stage: RunStage, trainer: Trainer) -> None:
    """Train to the end of the stage, from its last complete checkpoint if it has one.

    Raises
    ------
    TrainerError
        If the process is told to stop, the GPU budget is spent, or a guard says so; the checkpoint is saved.
    """
    folder = attempt.folder.stage(stage)
    folder.discard_incomplete()
    trainer.remove_callback(PrinterCallback)
    step, checkpoint = max(folder.checkpoints(), default=(None, None))
    if step is not None:
        attempt.tracker.report(
            resumed_from_step=step,
            resumed_from_stage=stage,
            last_checkpoint=CheckpointStatus(stage=stage, step=step, path=str(checkpoint)),
        )
    if checkpoint is not None:
        state = type(trainer.state).load_from_json(str(checkpoint / "trainer_state.json"))
        if state.global_step >= _steps(trainer):  # the trainer would make one step more
            policy.backend.load_adapter(policy.model, checkpoint)
            finish(attempt, policy, stage, state)
            return
        _restore_token_count(trainer, state)
        trainer.add_callback(_TakeRates(trainer))
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if trainer.state.global_step < trainer.state.max_steps:
        judge_budget(attempt.spec.limits, attempt.tracker.gpu_seconds).raise_if_failed()
        raise interrupted()
    finish(attempt, policy, stage, trainer.state)


def _steps(trainer: Trainer) -> int:
    """Return how many steps a trainer makes, by its arguments: a checkpoint tells of those that it was made by."""
    args: Any = trainer.args
    if hasattr(args, "num_total_batches"):  # PPO's
        return int(args.num_total_batches)
    if args.max_steps > 0:
        return int(args.max_steps)
    return int(trainer.set_initial_training_values(trainer.args, trainer.get_train_dataloader())[-1])


class _TakeRates(TrainerCallback):
    """Has optimizer and scheduler go by the trainer's arguments: a checkpoint brings the rates that it was made with.

    The rate at a step is the one that a run by these arguments would have there from its beginning.
    """

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Set them: by now the checkpoint is read."""
        scheduler = getattr(self._trainer.lr_scheduler, "scheduler", self._trainer.lr_scheduler)
        groups = self._trainer.optimizer.param_groups
        scheduler.base_lrs = [args.learning_rate for _ in groups]
        for number, (group, course) in enumerate(zip(groups, scheduler.lr_lambdas, strict=True)):
            group["initial_lr"] = args.learning_rate
            group["lr"] = args.learning_rate * course(scheduler.last_epoch)
            if number == 0:  # what is not to decay stands in a group of its own
                group["weight_decay"] = args.weight_decay
        scheduler._last_lr = [group["lr"] for group in groups]


def _restore_token_count(trainer: Trainer, state: TrainerState) -> None:
    """Let TRL's SFT and DPO trainers count tokens on: a checkpoint does not hold their count."""
    counts = [entry["num_tokens"] for entry in state.log_history if "num_tokens" in entry]
    if counts and hasattr(trainer, "_total_train_tokens"):
        trainer._total_train_tokens = int(counts[-1])


def finish(attempt: Attempt, policy: Policy, stage: RunStage, state: TrainerState) -> None:
    """Keep the stage's adapter and history: the stage is not trained again."""
    folder = attempt.folder.stage(stage)
    with whole_folder(folder.adapter) as path:
        policy.backend.save_adapter(policy.model, path)
    logged = [entry for entry in state.log_history if "train_runtime" not in entry]
    write_lines(folder.history, with_changes(logged, stage, attempt.tracker.progress().spec_changes or []))
    attempt.tracker.finish(stage)


def with_changes(
    logged: Sequence[Mapping[str, Any]], stage: RunStage, made: Sequence[SpecChange]
) -> list[dict[str, Any]]:
    """Return the metrics of a stage's steps, the first step after each change of the spec with what was changed."""
    steps = sorted({int(entry["step"]) for entry in logged})
    firsts: dict[int, list[str]] = {}
    for each in made:
        first = next((step for step in steps if step > each.step), None) if each.stage == stage else None
        if first is not None:
            firsts.setdefault(first, []).extend(each.changed)
    return [dict(entry) | _changed(firsts.pop(int(entry["step"]), None)) for entry in logged]


def _changed(fields: list[str] | None) -> dict[str, Any]:
    return {"changed": fields} if fields else {}


def drop_reference(policy: Policy) -> None:
    """Forget the frozen copy that TRL added to the model."""
    if REFERENCE in policy.model.peft_config:
        policy.model.delete_adapter(REFERENCE)
