"""The command `evaluate`: the base model, adapters and merged models on the same rows, without training."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_contract.spec import HeldOut, Spec

from .. import backends
from ..attempt import Context, Policy
from ..backends.decision import decided
from ..data.examples import Example
from ..data.sources import Source, read
from ..data.splits import load_held_out
from ..errors import TrainerError
from ..interruption import Interruption
from ..job import inputs_of, read_job
from ..outcomes import outcome_of
from ..pipeline import fit_held_out
from ..reporting.display import Display
from ..reporting.retries import told
from ..reporting.tracker import Phase, Tracker
from ..reporting.versions import versions
from ..rewards.references import judgeable
from ..storage.model_files import begin_to_fetch
from ..storage.run_folder import write_atomic
from .comparison import BASE, Compared, Comparison, evaluated_spec, source_of, table

if TYPE_CHECKING:
    from ..stages.evaluate import Measured


@dataclass(frozen=True)
class Options:
    """What the command line says; see its help."""

    job: Path
    models: list[Path]
    rows: str | None = None
    json: Path | None = None
    configmaps: Path | None = None
    claims: Path | None = None


@dataclass(frozen=True)
class Subject:
    """A model that is compared with the base: an adapter for it, or a whole model with its vocabulary."""

    folder: Path
    is_adapter: bool

    @property
    def name(self) -> str:
        """The folder as it was given; never the name of the base."""
        return str(self.folder) if str(self.folder) != BASE else f"./{self.folder}"


def compare(options: Options, display: Display) -> Outcome:
    """Evaluate, show the table, write the JSON, and return how it ended."""
    try:
        comparison = _compare(options, display)
        if options.json is not None:
            write_atomic(options.json, comparison.model_dump_json(by_alias=True, exclude_none=True, indent=2) + "\n")
    except Exception as error:
        return outcome_of(error)
    display.finish()
    display.say(table(comparison))
    count = len(comparison.models)
    message = f"{count} model{'' if count == 1 else 's'} on {comparison.rows} rows"
    return Outcome(exit_code=ExitCode.DONE, reason="Evaluated", message=message)


def _compare(options: Options, display: Display) -> Comparison:
    given = read_job(options.job)
    tracker = Tracker([Phase("load", "load", 1.0)], publish=display.show)
    interruption = Interruption(lambda: _abandon(display), display.notice)
    interruption.install()
    with TemporaryDirectory() as scratch, told(tracker.say):
        inputs = inputs_of(given, options.configmaps, options.claims, Path(scratch))
        given = decided(given, inputs)
        subjects = [_subject(given.spec, folder) for folder in options.models]
        source = Source(inputs.locate, os.environ.get("HF_TOKEN"))
        tracker.begin("load", "reading the rows")
        job = replace(given, spec=evaluated_spec(given.spec, options.rows, _columns(given.spec, options.rows, source)))
        context = Context(job=job, inputs=inputs, tracker=tracker, interruption=interruption, say=display.say)
        rows, note = judgeable(job.spec, load_held_out(job.spec, source), "data.heldOut")
        if note:
            display.say(note)
        tracker.plan(_phases(subjects, rows))
        tracker.say("importing libraries")
        return _measure_all(context, subjects, rows, options.rows)


def _columns(spec: Spec, rows: str | None, source: Source) -> set[str]:
    """Return the columns of rows that are given instead of the manifest's, where those may be pairs."""
    if rows is None or not spec.prefers:
        return set()
    records = read(HeldOut.model_validate({"source": source_of(rows)}), "data.heldOut", source)
    return {name for record in records for name in record}


def _abandon(display: Display) -> None:
    display.restore_terminal()
    os._exit(ExitCode.INTERRUPTED)


def _subject(spec: Spec, folder: Path) -> Subject:
    is_adapter = (folder / "adapter_config.json").is_file()
    if not is_adapter and not (folder / "config.json").is_file():
        raise TrainerError(
            ExitCode.MODEL_INVALID,
            "ModelNotFound",
            f"{folder} is neither an adapter nor a model: it has no adapter_config.json and no config.json",
            "give a folder such as RUN/artifacts/lora or RUN/artifacts/merged16bit",
        )
    if not is_adapter and spec.backend == "unsloth":
        raise TrainerError(
            ExitCode.NOT_SUPPORTED,
            "NotSupported",
            f"{folder} is a whole model, and backend unsloth holds one model in a process",
            "give the adapter instead, or use backend transformers",
        )
    return Subject(folder, is_adapter)


def _phases(subjects: Sequence[Subject], rows: Sequence[Example]) -> list[Phase]:
    """Return the phases; loading is taken for a tenth of an evaluation."""
    cost = float(len(rows))
    names = [BASE, *(subject.name for subject in subjects)]
    return [Phase("load", "load", cost / 10), *(Phase(f"evaluate {name}", "evaluate", cost) for name in names)]


def _measure_all(
    context: Context, subjects: Sequence[Subject], rows: tuple[Example, ...], rows_source: str | None
) -> Comparison:
    spec = context.spec
    backends.check(spec)
    fetched = begin_to_fetch(context)
    backend = backends.choose(spec)
    from ..chat.control import plain
    from ..chat.template import apply_template
    from ..stages.adapt import adapt
    from ..stages.load import load

    policy = load(context, backend, fetched)
    apply_template(spec, policy)
    adapt(context, policy)
    field = "the rows" if rows_source else "data.heldOut"
    rows, left_out = plain(spec, policy, rows, field, pairs=True)
    if left_out:
        context.say(left_out)
    rows = fit_held_out(context, policy, rows, field)
    context.tracker.finish("load")
    measured = {BASE: _measure(context, policy, rows, BASE)}
    # whole models last: each takes the base's place in memory
    for subject in sorted(subjects, key=lambda subject: not subject.is_adapter):
        _put(spec, policy, subject)
        measured[subject.name] = _measure(context, policy, rows, subject.name)
    return Comparison(
        job=context.job.name,
        source=spec.model.source,
        revision=policy.revision,
        backend=backend.name,
        rows=len(rows),
        rows_source=rows_source,
        max_completion_length=spec.reinforce.max_completion_length,
        versions=versions(),
        models=_compared(spec, [BASE, *(subject.name for subject in subjects)], measured),
    )


def _put(spec: Spec, policy: Policy, subject: Subject) -> None:
    """Make the policy generate as the subject does; the prompts stay the base's."""
    if subject.is_adapter:
        policy.backend.switch_adapter(policy.model, subject.folder)
        return
    policy.model = None
    gc.collect()
    policy.model, _ = policy.backend.load(spec, subject.folder)


def _measure(context: Context, policy: Policy, rows: tuple[Example, ...], name: str) -> Measured:
    from ..stages.evaluate import measure

    tracker, phase = context.tracker, f"evaluate {name}"
    tracker.begin(phase, name, total=len(rows))
    with policy.model.disable_adapter() if name == BASE else nullcontext():
        measured = measure(context, policy, rows, lambda row: tracker.advance(row, name))
    tracker.finish(phase)
    return measured


def _compared(spec: Spec, names: Sequence[str], measured: dict[str, Measured]) -> list[Compared]:
    from ..evaluation.scores import NOTHING, gain, p_value, score

    def compared(name: str) -> Compared:
        base = measured[BASE].result if name != BASE else NOTHING
        result = measured[name].result
        return Compared(
            model=name,
            score=score(result, spec.evaluation.pass_at_k),
            gain=gain(base.right, result.right),
            p_value=p_value(base.right, result.right),
            preferred_gain=gain(base.preferred, result.preferred),
            preferred_p_value=p_value(base.preferred, result.preferred),
            right=result.right,
            transcripts=measured[name].transcripts,
        )

    return [compared(name) for name in names]
