"""Models side by side: what the command `evaluate` finds, as a table for people and as JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from reasoning_contract.outcome import ExitCode
from reasoning_contract.rules import Part
from reasoning_contract.spec import DATA_SOURCE_PATTERN, HeldOut, Spec
from reasoning_contract.status import Score

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
    right: list[bool]
    """Whether each row was answered rightly, in the rows' order."""
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


def evaluated_spec(spec: Spec, rows: str | None) -> Spec:
    """Return the spec of an evaluation: that of a job, on rows of its own if some are given.

    Parameters
    ----------
    spec
        A resolved spec.
    rows
        Path or source of other rows than the held-out ones. Their prompt and answer are in columns of the names that
        ``data.heldOut``, or else ``data.train``, gives, and are read by its pattern.

    Raises
    ------
    TrainerError
        If there are no rows at all.
    """
    held_out = spec.data.held_out
    if rows is not None:
        named = (held_out or HeldOut.model_construct()).columns.model_dump(exclude_none=True)
        shared = spec.data.train.columns.model_dump(include={"prompt", "answer"}, exclude_none=True)
        source = rows if "://" in rows else f"file://{Path(rows).resolve()}"
        if not re.search(DATA_SOURCE_PATTERN, source):
            raise TrainerError(
                ExitCode.SPEC_INVALID,
                "SpecInvalid",
                f"--rows {rows} is no source",
                "give a file, hf://owner/name, pvc://claim/path, configmap://name/key or file:///path",
            )
        held_out = HeldOut.model_validate(
            {
                "source": source,
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
    """Return the table for people; a column that no model has a figure for is left out."""
    models = comparison.models
    ks = [k for k in (models[0].score.pass_at_k or {}) if k != "1"]
    view = Table(
        title=f"{comparison.job}: {comparison.rows} rows, greedy decoding",
        caption="gain and p: against the base, one-sided exact McNemar test on the same rows",
        caption_justify="left",
        title_justify="left",
    )
    view.add_column("model", overflow="fold")
    columns = ["accuracy", "95% interval", "format", *(f"pass@{k}" for k in ks), "length"]
    paired = [name for name in ("preferred", "margin") if getattr(models[0].score, name) is not None]
    for name in (*columns, *paired, "gain", "p"):
        view.add_column(name, justify="right", no_wrap=True)
    for each in models:
        view.add_row(each.model, *_cells(each, ks, paired))
    return view


def _cells(each: Compared, ks: Sequence[str], paired: Sequence[str]) -> list[str]:
    score = each.score
    low, high = score.ci95
    return [
        f"{score.accuracy:.3f}",
        f"{low:.3f} - {high:.3f}",
        f"{score.format:.3f}",
        *(f"{(score.pass_at_k or {})[k]:.3f}" for k in ks),
        f"{score.mean_length:.1f}",
        *(f"{getattr(score, name):.3f}" for name in paired),
        "" if each.gain is None else f"{each.gain:+.3f}",
        "" if each.p_value is None else f"{each.p_value:.2g}",
    ]
