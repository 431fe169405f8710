"""Models side by side: what the command `evaluate` finds, as a table for people and as JSON."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.report import Score
from reasoning_contract.rules import Part
from reasoning_contract.spec import DATA_SOURCE_PATTERN, PREFERENCE, HeldOut, Spec

from ..data.columns import COMPLETIONS
from ..errors import TrainerError

BASE = "base"


class Compared(Part):
    """One model."""

    model: str
    """`base`, or the folder that was given."""
    score: Score
    """What it reached."""
    gain: float | None = None
    """Its accuracy less that of the base."""
    p_value: float | None = None
    """One-sided exact McNemar test of a gain over the base, on the same rows."""
    preferred_gain: float | None = None
    """Its share of pairs whose chosen completion is the likelier, less that of the base."""
    preferred_p_value: float | None = None
    """The same test of that share."""
    right: list[bool]
    """Whether each row was answered rightly, in the rows' order; empty where the rows have no answers."""
    transcripts: list[dict[str, Any]]
    """Prompt, answer and completion of the first `evaluation.samples` rows."""


class Comparison(Part):
    """Models on the same rows, by one engine, from the same prompts."""

    job: str
    """Name of the manifest's job."""
    source: str
    """`model.source` of the manifest."""
    revision: str | None = None
    """Commit of the Hub repository."""
    backend: str
    """Backend that loaded the models and generated."""
    rows: int
    """Rows that were answered."""
    rows_source: str | None = None
    """Where the rows came from, if not from the manifest."""
    max_completion_length: int
    """Longest completion, tokens."""
    versions: dict[str, str]
    """Versions of the libraries."""
    models: list[Compared]
    """The models, the base first."""


def source_of(rows: str) -> str:
    """Return ``--rows`` as a source of the spec: what is no source is a path.

    Raises
    ------
    TrainerError
        If it is a source of a kind that does not exist.
    """
    source = rows if "://" in rows else f"file://{Path(rows).resolve()}"
    if not re.search(DATA_SOURCE_PATTERN, source):
        raise TrainerError(
            ExitCode.SPEC_INVALID,
            "SpecInvalid",
            f"--rows {rows} is no source",
            "give a file, hf://owner/name, pvc://claim/path, configmap://name/key or file:///path",
        )
    return source


def evaluated_spec(spec: Spec, rows: str | None, there: Collection[str] = ()) -> Spec:
    """Return the spec of an evaluation: that of a job, on rows of its own if some are given.

    Parameters
    ----------
    spec
        A resolved spec.
    rows
        Path or source of other rows than the held-out ones. Their columns have the names that ``data.heldOut``, or
        else ``data.train``, gives, and answers are read by its pattern.
    there
        Columns of those rows: completions that only ``data.train`` names may be missing.

    Raises
    ------
    TrainerError
        If there are no rows at all.
    """
    held_out = spec.data.held_out
    if rows is not None:
        named = (held_out or HeldOut.model_construct()).columns.model_dump(exclude_none=True)
        read = {"prompt", "answer"} | (set(COMPLETIONS) if spec.reinforce.algorithm in PREFERENCE else set())
        given = spec.data.train.columns.model_dump(include=read, exclude_none=True)
        shared = {role: name for role, name in given.items() if role not in COMPLETIONS or name in there}
        held_out = HeldOut.model_validate(
            {
                "source": source_of(rows),
                "columns": shared | named,
                "answerPattern": (held_out and held_out.answer_pattern) or spec.data.train.answer_pattern,
            }
        )
    if held_out is None:
        raise TrainerError(
            ExitCode.SPEC_INVALID,
            "SpecInvalid",
            "spec.data.heldOut: the manifest has no held-out rows",
            "give data.heldOut, or --rows FILE",
        )
    return spec.model_copy(
        update={
            "data": spec.data.model_copy(update={"held_out": held_out}),
            "evaluation": spec.evaluation.model_copy(update={"enabled": True}),
        }
    )


def table(comparison: Comparison) -> Table:
    """Return the table for people, a column for each model: beside nine figures a terminal had no room for its name.

    A figure that no model has is left out.
    """
    models = comparison.models
    ks = [k for k in (models[0].score.pass_at_k or {}) if k != "1"]
    view = Table(
        title=f"{comparison.job}: {comparison.rows} rows, greedy decoding",
        caption=_caption(models) if len(models) > 1 else None,
        caption_justify="left",
        title_justify="left",
    )
    view.add_column("figure", no_wrap=True)
    cells = [_cells(each, ks) for each in models]
    for each in models:
        view.add_column(each.model, justify="right", overflow="fold")
    for name in cells[0]:
        if any(of_model[name] for of_model in cells):
            view.add_row(name, *(of_model[name] for of_model in cells))
    return view


def _caption(models: Sequence[Compared]) -> str:
    compared = "pairs preferred" if models[0].score.accuracy is None else "accuracy"
    return f"gain and p: {compared} against the base, one-sided exact McNemar test on the same rows"


def _cells(each: Compared, ks: Sequence[str]) -> dict[str, str]:
    """Return the figures of a model by column; empty text where it has none."""
    score = each.score
    by_answers, by_pairs = (each.gain, each.p_value), (each.preferred_gain, each.preferred_p_value)
    gain, p = by_pairs if score.accuracy is None else by_answers
    return {
        "accuracy": _figure(score.accuracy, ".3f"),
        "95% interval": "{:.3f} - {:.3f}".format(*score.ci95) if score.ci95 else "",
        "format": _figure(score.format, ".3f"),
        **{f"pass@{k}": _figure((score.pass_at_k or {}).get(k), ".3f") for k in ks},
        "length": _figure(score.mean_length, ".1f"),
        "preferred": _figure(score.preferred, ".3f"),
        "margin": _figure(score.margin, ".3f"),
        "gain": _figure(gain, "+.3f"),
        "p": _figure(p, ".2g"),
    }


def _figure(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
